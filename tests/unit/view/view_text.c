/* SPDX-License-Identifier: MIT */
#include "words/canvas.h"
#include "view_made.h"

static struct made made;
static char *shown;

static int setup(void **state)
{
	made_init(&made);
	made_stalls(&made);
	return 0;
}

static int teardown(void **state)
{
	free(shown);
	shown = NULL;
	made_done(&made);
	return 0;
}

static const char *show(struct view_options options)
{
	size_t size;

	free(shown);
	shown = made_shown(&made, &view_text, &options, &size);
	return shown;
}

/* Replaces line ends and runs of blanks by one blank, so that line breaks do not matter. */
static bool says(const char *text, const char *words)
{
	char *flat = strdup(text), *to = flat;
	bool found;

	assert_non_null(flat);
	for (const char *from = flat; *from; from++) {
		char c = *from == '\n' ? ' ' : *from;

		if (c != ' ' || (to > flat && to[-1] != ' '))
			*to++ = c;
	}
	*to = '\0';
	found = strstr(flat, words);
	free(flat);
	return found;
}

static void the_first_screen_says_who_blocks_the_loop(void **state)
{
	static const char head[] = "uvicorn app:app · PID 100 · 300 ms · no events lost\n"
				   "\n"
				   "FINDINGS\n"
				   "   1  ";
	static const char begin[] =
		"\n"
		"  Three functions block your event loop: all 3 stalls, 262 ms.\n"
		"\n"
		"FUNCTIONS, by time they blocked the event loop\n"
		"                                     on the     loop\n"
		"                                       loop   waited  stalls    total    worst\n"
		"  tick                   PPPPPR     90.0 ms        ·       1   120 ms   120 ms\n"
		"    …/user/src/shop/backend/application/routes/app.py:90 · callback · garbage\n"
		"    collection 31.0 ms\n"
		"  async_sleep_blocking   PPPBBBBB    120 ms        ·       1  80.0 ms  80.0 ms\n"
		"    …/user/src/shop/backend/application/routes/app.py:70 · route\n"
		"  work                                    ·  60.0 ms       1  62.0 ms  62.0 ms\n"
		"    /usr/lib/python3/dist-packages/lib.py:10 · in a worker thread · kept other\n"
		"    threads waiting for the GIL: 1.24 s\n"
		"  a;b\\x0a\\x1b[2J\\x5c\\xff            1.00 ms        ·       ·        ·        "
		"·\n"
		"    …/python3/dist-packages/a;b\\x0a\\x1b[2J\\x5c\\xff.py:1\n"
		"  10 more functions: 10.0 µs on the loop, loop waited 20.0 µs\n";
	const char *text = show((struct view_options){.columns = 80});

	assert_non_null(strstr(text, head));
	text = strstr(text, "\n  Three functions");
	assert_non_null(text);
	assert_int_equal(strncmp(text, begin, sizeof(begin) - 1), 0);
}

static void a_process_is_called_by_its_application(void **state)
{
	static const char *const cases[][2] = {
		{"/usr/bin/python3 /usr/bin/uvicorn app:app", "uvicorn app:app · PID"},
		{"python3 -m uvicorn app:app", "uvicorn app:app · PID"},
		{"/opt/my app/python3.12 -X dev x.py", "my app/python3.12 -X dev x.py · PID"},
		{"/usr/sbin/gunicorn", "gunicorn · PID"},
		{"python3", "python3 · PID"},
		{"python3 -m ", "python3 -m  · PID"},
		{"", "? · PID"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(made.process.info.cmdline, sizeof(made.process.info.cmdline), "%s",
			 cases[i][0]);
		assert_int_equal(
			strncmp(show((struct view_options){0}), cases[i][1], strlen(cases[i][1])),
			0);
	}
}

static void the_verdict_counts_only_what_is_blamed(void **state)
{
	made.blame[1].stalls = 0;
	made.blame[1].stall_ns = 0;
	assert_true(says(show((struct view_options){0}), "Two functions block your event loop: "
							 "2 of 3 stalls, 182 ms of 262 ms."));
	made.blame[0].stalls = made.blame[2].stalls = 0;
	assert_true(says(
		show((struct view_options){0}),
		"None of your functions caused most of any stall; the findings name the causes."));
	made.loop_report.stall_count = 0;
	assert_false(says(show((struct view_options){0}), "None of your"));
	made.report.blame_count = 0;
	assert_false(says(show((struct view_options){0}), "FUNCTIONS"));
}

static void a_stall_names_who_held_the_gil_and_where(void **state)
{
	const char *text = show((struct view_options){.columns = 100});

	assert_true(says(text, "GIL held by work (…/dist-packages/lib.py:12) in "
			       "'AnyIO worker thread' (101): running Python 60.0 ms → "
			       "sum_up (…/dist-packages/lib.py:31)"));
	assert_true(says(text, "in async_sleep_blocking (…/routes/app.py:71), route, of task "
			       "'Task-7'; in lib.sum_up"));
	assert_true(says(text, "12 callbacks (boundaries ±5.03 ms): tick (…/routes/app.py:92) 8 "
			       "times, 80.0 ms in total, longest 10.0 ms; "
			       "async_sleep_blocking (…/routes/app.py:92) 4 times, 40.0 ms in "
			       "total, longest 10.0 ms"));
	assert_true(says(text, "garbage collection 31.0 ms of it (by samples)"));
	assert_true(says(text, "work (…/dist-packages/lib.py:12), route, in 'AnyIO worker thread' "
			       "(101), held the GIL while the event loop waited for it"));
	assert_false(says(text, "innermost frame first"));
}

static void all_shows_whole_stacks_and_every_function(void **state)
{
	const char *text = show((struct view_options){.columns = 100, .all = true});

	assert_true(says(text, "stack of the GIL's holder, innermost frame first: sum_up "
			       "(…/dist-packages/lib.py:31) work (…/dist-packages/lib.py:12)"));
	assert_true(says(text, "stack, innermost frame first: a function that could not be read "
			       "a;b\\x0a\\x1b[2J"));
	assert_false(says(text, "more functions"));
}

static void what_is_sampled_or_missing_is_said_only_when_it_is_so(void **state)
{
	const char *text = show((struct view_options){0});

	assert_true(says(text, "On-CPU functions are sampled at 199 Hz (±5.03 ms each); sleeps and "
			       "GIL waits are exact."));
	assert_false(says(text, "could not be read;"));
	assert_false(says(text, "distinct stacks"));
	assert_false(says(text, "by its epoll waits"));
	made.report.stack_evidence.taken = 2000;
	made.report.stack_evidence.missing = 20;
	made.report.stack_evidence.torn = 1;
	made.report.stack_evidence.full = true;
	made.report.rate_hz = 0;
	made.loop.by_behaviour = true;
	text = show((struct view_options){0});
	assert_true(says(text, "20 Python stacks of 2 000 could not be read; their time is "
			       "attributed to no function."));
	assert_true(says(text, "1 stack changed while being read"));
	assert_true(says(text, "There were more distinct stacks than the 100 000 that are kept"));
	assert_true(says(text, "'uvicorn' (100): recognised as an event loop by its epoll waits"));
	assert_true(says(text, "Sampling was off"));
	made.report.stacks = false;
	text = show((struct view_options){0});
	assert_true(says(text, "No Python stacks were taken"));
	assert_false(says(text, "Sampling was off"));
}

/* At any width: no line is longer, none ends in blanks, and nothing that harms a terminal is
 * printed. */
static void lines_keep_their_width(void **state)
{
	for (unsigned columns = 60; columns <= 160; columns += 4) {
		char *rest = NULL;

		show((struct view_options){.columns = columns, .all = columns % 8 == 0});
		for (char *line = strtok_r(shown, "\n", &rest); line;
		     line = strtok_r(NULL, "\n", &rest)) {
			assert_true(text_width(line) <= columns);
			assert_true(line[strlen(line) - 1] != ' ');
			for (const char *c = line; *c; c++)
				assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
		}
	}
}

static void a_path_is_shortened_from_the_left(void **state)
{
	static const struct {
		const char *path;
		unsigned columns;
		const char *text;
	} cases[] = {
		{"/srv/app.py", 11, "/srv/app.py"},
		{"/srv/app.py", 10, "…/app.py"},
		{"/srv/app.py", 5, "…p.py"},
		{"a/好好/b.py", 8, "…/b.py"},
		{"ab/好好/b.py", 11, "…/好好/b.py"},
		{"<string>", 8, "<string>"},
		{"/a/\x1b[2J.py", 12, "…/\\x1b[2J.py"},
		{"/好好好.py", 6, "…好.py"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text_buffer text = {0};

		text_add_path(&text, cases[i].path, cases[i].columns);
		assert_string_equal(text.bytes, cases[i].text);
		assert_true(text_width(text.bytes) <= cases[i].columns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_first_screen_says_who_blocks_the_loop, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_process_is_called_by_its_application, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_verdict_counts_only_what_is_blamed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_stall_names_who_held_the_gil_and_where, setup,
						teardown),
		cmocka_unit_test_setup_teardown(all_shows_whole_stacks_and_every_function, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			what_is_sampled_or_missing_is_said_only_when_it_is_so, setup, teardown),
		cmocka_unit_test_setup_teardown(lines_keep_their_width, setup, teardown),
		cmocka_unit_test(a_path_is_shortened_from_the_left),
	};

	return cmocka_run_group_tests_name("view_text", tests, NULL, NULL);
}
