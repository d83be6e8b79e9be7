/* SPDX-License-Identifier: MIT */
/* Lines of source: which line of a text, when a text does not fit, and whose files are read. */
#include "tests/unit/python/python_child.h"

#include <grp.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "python/source/source_reader.h"

/* ── in a text ───────────────────────────────────────────────────────────── */

static const char APP[] = "import time\n"
			  "\n"
			  "@limiter.limit(\"5/min\")  # not so fast\n"
			  "@app.get(\n"
			  "    \"/orders/{id}\",\n"
			  "    tags=[\"a\", 'b#c'],  # the list\n"
			  ")\n"
			  "async def order(id):\n"
			  "\ttime.sleep(seconds)  \r\n"
			  "\n"
			  "    # nothing\n"
			  "    return [x for x in range(id)]\n"
			  "def plain(): return 1\n"
			  "key = lambda row: row.id\n"
			  "@first\n"
			  "\n"
			  "# between\n"
			  "@second.sub\n"
			  "class Thing(Base): pass\n"
			  "def f\xc3\xbcr(): pass";

struct asked {
	const char *name;
	uint32_t first_line, line;
	const char *want; /* NULL: nothing is told */
	const char *file;
};

static void check(const struct asked *asked, const char *text, size_t length)
{
	struct source_place place = {asked->name, asked->file ? asked->file : "/srv/app.py",
				     asked->first_line, asked->line};
	char to[SOURCE_TEXT_MAX] = "";
	bool found = source_find(text, length, &place, to);

	if (found != (asked->want != NULL) || (found && strcmp(to, asked->want) != 0))
		fail_msg("%s:%u of %u: '%s'", asked->name, asked->line, asked->first_line,
			 found ? to : "nothing");
}

static void a_line_is_told_if_the_text_fits(void **state)
{
	static const struct asked cases[] = {
		{"order", 3, 9, "time.sleep(seconds)", NULL},
		{"Api.order", 3, 12, "return [x for x in range(id)]", NULL},
		{"make.<locals>.order", 3, 3, "@limiter.limit(\"5/min\")  # not so fast", NULL},
		{"order", 3, 10, NULL, NULL}, /* an empty line, a comment */
		{"order", 3, 11, NULL, NULL},
		{"order", 3, 2, NULL, NULL}, /* before the function, behind the end */
		{"order", 3, 21, NULL, NULL},
		{"order", 3, UINT32_MAX, NULL, NULL},
		{"order", 0, 9, NULL, NULL},
		{"order", UINT32_MAX, 9, NULL, NULL},
		{"orders", 3, 9, NULL, NULL}, /* another name, a part of one */
		{"orde", 3, 9, NULL, NULL},
		{"order", 9, 9, NULL, NULL}, /* another place */
		{"plain", 13, 13, "def plain(): return 1", NULL},
		{"plain", 12, 13, NULL, NULL}, /* no decorator */
		{"<lambda>", 14, 14, "key = lambda row: row.id", NULL},
		{"<lambda>", 13, 13, NULL, NULL},
		{"<listcomp>", 12, 12, "return [x for x in range(id)]", NULL},
		{"<listcomp>", 12, 12, NULL, "/srv/page.html"},
		{"<module>", 1, 1, "import time", NULL},
		{"<module>", 1, 1, NULL, "/srv/page.html"},
		{"order", 3, 9, "time.sleep(seconds)", "/srv/page.html"},
		{"Thing", 15, 19, "class Thing(Base): pass", NULL},
		{"f\xc3\xbcr", 20, 20, "def f\xc3\xbcr(): pass", NULL},
		{"f\xc3", 20, 20, NULL, NULL},
		{"", 13, 13, NULL, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(&cases[i], APP, sizeof(APP) - 1);
}

static void the_decorator_is_the_routes(void **state)
{
	static const struct asked cases[] = {
		{"order", 3, 0, "@app.get(\"/orders/{id}\", tags=[\"a\", 'b#c'])", NULL},
		{"plain", 13, 0, NULL, NULL},
		{"Thing", 15, 0, "@first", NULL},
		{"Thing", 16, 0, NULL, NULL},
		{"Thing", 18, 0, "@second.sub", NULL},
		{"Think", 15, 0, NULL, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(&cases[i], APP, sizeof(APP) - 1);
}

/* As Python counts them. */
static void a_line_ends_with_lf_or_cr_or_both(void **state)
{
	static const char text[] = "def f():\r    a\r\n    b\n\r    c\r";
	static const struct asked cases[] = {
		{"f", 1, 1, "def f():", NULL}, {"f", 1, 2, "a", NULL}, {"f", 1, 3, "b", NULL},
		{"f", 1, 4, NULL, NULL},       {"f", 1, 5, "c", NULL}, {"f", 1, 6, NULL, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(&cases[i], text, sizeof(text) - 1);
}

/* Whatever the text is, there is an end, and what is told has one. */
static void odd_texts_are_read_to_their_end(void **state)
{
	static const char *const texts[] = {
		"@",	       "@(",	      "@a(\"",
		"@a('\\",      "@a(\n",	      "@))))\ndef f():",
		"def",	       "def f",	      "async",
		"async def f", "@a(\n#\n#\n", "lambda",
		"\\",	       "\n\n\n",      "@\n@\n@\ndef f(): pass",
	};
	char to[SOURCE_TEXT_MAX], many[4000];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (uint32_t line = 0; line < 5; line++) {
			/* its end is the end of the memory */
			size_t length = strlen(texts[i]);
			char *copy = malloc(length);

			memcpy(copy, texts[i], length);
			source_find(copy, length, &(struct source_place){"f", "a.py", 1, line}, to);
			free(copy);
		}
	check(&(struct asked){"f", 1, 0, NULL, NULL}, "", 0);
	memset(many, '(', sizeof(many));
	memcpy(many, "@a", 2);
	memcpy(many + 3900, "\ndef f():", 9);
	check(&(struct asked){"f", 1, 0, NULL, NULL}, many, sizeof(many));
}

static void long_lines_end_in_an_ellipsis(void **state)
{
	char text[1000], to[SOURCE_TEXT_MAX];

	for (int shift = 0; shift < 3; shift++) {
		int length = snprintf(text, sizeof(text), "def f():%*s", shift, "");

		while (length + 3 < (int)sizeof(text))
			length += snprintf(text + length, sizeof(text) - (size_t)length,
					   "\xc3\xa4");
		assert_true(source_find(text, (size_t)length,
					&(struct source_place){"f", "a.py", 1, 1}, to));
		assert_in_range(strlen(to), SOURCE_TEXT_MAX - 6, SOURCE_TEXT_MAX - 1);
		assert_string_equal(to + strlen(to) - 3, "\xe2\x80\xa6");
		assert_string_not_equal(to + strlen(to) - 4, "\xc3\xe2\x80\xa6");
	}
}

/* ── in a process's files ────────────────────────────────────────────────── */

static char folder[] = "/tmp/gilscope-source-XXXXXX";
static char file[sizeof(folder) + 16];

static void write_file(const char *text)
{
	FILE *to = fopen(file, "w");

	assert_non_null(to);
	fputs(text, to);
	assert_int_equal(fclose(to), 0);
}

/* A program that is started now, as this user, and forks `forks` times. Its last process writes its
 * PID and sleeps. */
static pid_t start_program(uid_t user, bool forks, pid_t *ret_pid)
{
	static const char *const python =
		"import os, sys, time\n"
		"if sys.argv[1] == '1' and (pid := os.fork()): os.wait()\n"
		"else: print(os.getpid(), flush=True); time.sleep(60)\n";
	int ends[2];
	char line[32] = "";
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], STDOUT_FILENO);
		if (chdir(folder) || (user && (setgroups(0, NULL) || setgid(user) || setuid(user))))
			_exit(1);
		execl("/usr/bin/python3", "python3", "-c", python, forks ? "1" : "0", NULL);
		_exit(1);
	}
	close(ends[1]);
	assert_true(read(ends[0], line, sizeof(line) - 1) > 0);
	close(ends[0]);
	*ret_pid = (pid_t)atoi(line);
	return child;
}

static void stop_program(pid_t child, pid_t pid)
{
	kill(pid, SIGKILL);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* What the reader of a process says about line 2 of f, defined in line 1. */
static void ask(struct source_reader *reader, const char *path, char to[static SOURCE_TEXT_MAX])
{
	struct source_question question = {.function = 7, .line = 2, .first_line = 1, .name = "f"};
	struct source_answer answer;
	bool gone;

	snprintf(question.file, sizeof(question.file), "%s", path);
	assert_true(source_reader_ask(reader, &question, &gone));
	for (int i = 0; i < 100 && !source_reader_answer(reader, &answer, &gone) && !gone; i++)
		source_reader_wait(reader, 100);
	assert_false(gone);
	assert_int_equal(answer.function, 7);
	assert_int_equal(answer.line, 2);
	memcpy(to, answer.text, sizeof(answer.text));
}

static void check_reader(pid_t pid, const char *path, const char *want)
{
	struct source_reader *reader;
	char text[SOURCE_TEXT_MAX];

	assert_int_equal(source_reader_new(pid, &reader), 0);
	ask(reader, path, text);
	if (strcmp(text, want) != 0)
		fail_msg("%s: '%s'", path, text);
	source_reader_free(reader);
}

static void check_no_answers(pid_t pid)
{
	struct source_reader *reader;
	struct source_answer answer;
	bool gone = false;

	assert_int_equal(source_reader_new(pid, &reader), 0);
	for (int i = 0; i < 100 && !gone; i++) {
		source_reader_wait(reader, 100);
		assert_false(source_reader_answer(reader, &answer, &gone));
	}
	assert_true(gone);
	source_reader_free(reader);
}

static void files_are_read_as_the_process_reads_them(void **state)
{
	pid_t pid, child;

	write_file("def f():\n    return 1\n");
	assert_int_equal(chmod(file, 0600), 0);
	child = start_program(0, false, &pid);
	check_reader(pid, file, "return 1");
	check_reader(pid, "app.py", "return 1");
	check_reader(pid, "../app.py", "");
	check_reader(pid, "no.py", "");
	check_reader(pid, "", "");
	check_reader(pid, folder, "");
	check_reader(pid, "/proc/self/exe", "");
	check_reader(pid, "/dev/zero", "");
	stop_program(child, pid);
	if (geteuid())
		return;
	child = start_program(65534, false, &pid);
	check_reader(pid, file, "");
	assert_int_equal(chmod(file, 0644), 0);
	stop_program(child, pid);
	child = start_program(65534, false, &pid);
	check_reader(pid, file, "return 1");
	stop_program(child, pid);
}

static void a_file_that_changed_since_the_start_is_not_told(void **state)
{
	struct source_reader *reader;
	char text[SOURCE_TEXT_MAX];
	pid_t pid, child;

	write_file("def f():\n    return 1\n");
	child = start_program(0, false, &pid);
	assert_int_equal(source_reader_new(pid, &reader), 0);
	usleep(50000);
	write_file("def f():\n    return 2\n");
	ask(reader, file, text);
	assert_string_equal(text, "");
	source_reader_free(reader);
	stop_program(child, pid);
}

/* What an open reader has read before does not count. */
static void a_text_is_not_told_once_its_file_has_changed(void **state)
{
	struct source_reader *reader;
	char text[SOURCE_TEXT_MAX];
	pid_t pid, child;

	write_file("def f():\n    return 1\n");
	child = start_program(0, false, &pid);
	assert_int_equal(source_reader_new(pid, &reader), 0);
	ask(reader, file, text);
	assert_string_equal(text, "return 1");
	write_file("def f():\n    return 2\n");
	ask(reader, file, text);
	assert_string_equal(text, "");
	source_reader_free(reader);
	stop_program(child, pid);
}

/* Two releases, both older than the program: the way to a file counts, too. `swap` puts the second
 * one in the place of the first. */
static void check_swap(const char *setup, const char *path, const char *swap)
{
	static const char *const releases = "mkdir 1 2; printf 'def f():\\n return 1\\n' > 1/f; "
					    "printf 'def f():\\n return 2\\n' > 2/f";
	char command[512], app[128];
	pid_t pid, child;

	snprintf(command, sizeof(command), "cd %s; %s; %s", folder, releases, setup);
	assert_int_equal(system(command), 0);
	snprintf(app, sizeof(app), "%s/%s", folder, path);
	child = start_program(0, false, &pid);
	check_reader(pid, app, "return 1");
	check_reader(pid, path, "return 1");
	usleep(50000);
	snprintf(command, sizeof(command), "cd %s; touch 1/new 2/new; sleep 0.05; %s", folder,
		 swap);
	assert_int_equal(system(command), 0);
	check_reader(pid, app, strcmp(swap, "true") == 0 ? "return 1" : "");
	stop_program(child, pid);
	snprintf(command, sizeof(command), "cd %s; rm -rf 1 2 old now to", folder);
	assert_int_equal(system(command), 0);
}

static void another_release_in_its_place_is_not_told(void **state)
{
	struct statfs system;

	check_swap("true", "1/f", "true");
	check_swap("ln -s 1 now", "now/f", "true");
	check_swap("ln -s 1 now", "now/f", "ln -sfn 2 now");
	check_swap("ln -s ./to/../1 now; ln -s 2 to", "now/f", "true");
	check_swap("ln -s to now; ln -s 1 to", "now/f", "ln -sfn 2 to");
	check_swap("ln -s 1/f now", "now", "ln -sfn 2/f now");
	/* there, a folder's times do not say it */
	if (!statfs(folder, &system) && system.f_type != OVERLAYFS_SUPER_MAGIC)
		check_swap("true", "1/f", "mv 1 old; mv 2 1");
}

static void links_lead_nowhere_else(void **state)
{
	char command[512];
	pid_t pid, child;

	write_file("def f():\n    return 1\n");
	snprintf(command, sizeof(command),
		 "cd %s; ln -s loop loop; ln -s %s/app.py away; ln -s /../../tmp/.. up; ln -s . to",
		 folder, folder);
	assert_int_equal(system(command), 0);
	child = start_program(0, false, &pid);
	check_reader(pid, "loop", "");
	check_reader(pid, "away", ""); /* absolute, from the directory */
	check_reader(pid, "./to/.//to/app.py", "return 1");
	snprintf(command, sizeof(command), "%s/up%s/away", folder, folder);
	check_reader(pid, command, "return 1");
	stop_program(child, pid);
	snprintf(command, sizeof(command), "cd %s; rm loop away up to", folder);
	assert_int_equal(system(command), 0);
}

/* What it had loaded when it forked cannot be known. */
static void an_orphan_has_no_lines(void **state)
{
	pid_t pid, child;

	write_file("def f():\n    return 1\n");
	child = start_program(0, true, &pid);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	check_no_answers(pid);
	kill(pid, SIGKILL);
}

/* The child of a fork has what its parent has loaded. */
static void a_fork_is_as_old_as_its_program(void **state)
{
	pid_t pid, child;

	write_file("def f():\n    return 1\n");
	child = start_program(0, true, &pid);
	assert_int_not_equal(pid, child);
	check_reader(pid, file, "return 1");
	stop_program(child, pid);
}

static void a_reader_of_nothing_answers_nothing(void **state)
{
	pid_t pid, child = start_program(0, false, &pid);

	stop_program(child, pid);
	check_no_answers(pid);
}

static int make_folder(void **state)
{
	if (!mkdtemp(folder) || chmod(folder, 0755))
		return -1;
	snprintf(file, sizeof(file), "%s/app.py", folder);
	return 0;
}

static int remove_folder(void **state)
{
	unlink(file);
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_told_if_the_text_fits),
		cmocka_unit_test(the_decorator_is_the_routes),
		cmocka_unit_test(a_line_ends_with_lf_or_cr_or_both),
		cmocka_unit_test(odd_texts_are_read_to_their_end),
		cmocka_unit_test(long_lines_end_in_an_ellipsis),
		cmocka_unit_test(files_are_read_as_the_process_reads_them),
		cmocka_unit_test(a_file_that_changed_since_the_start_is_not_told),
		cmocka_unit_test(a_text_is_not_told_once_its_file_has_changed),
		cmocka_unit_test(another_release_in_its_place_is_not_told),
		cmocka_unit_test(links_lead_nowhere_else),
		cmocka_unit_test(an_orphan_has_no_lines),
		cmocka_unit_test(a_fork_is_as_old_as_its_program),
		cmocka_unit_test(a_reader_of_nothing_answers_nothing),
	};

	return cmocka_run_group_tests_name("source", tests, make_folder, remove_folder);
}
