/* SPDX-License-Identifier: MIT */
/*
 * Stacks of small applications under many frameworks (tests/corpus), with the right answers:
 * handler, role, and the application's innermost function. Each stack is tested three times: with
 * the application in a directory of its own, installed among the libraries, and named on the
 * command line. UNKNOWN=1 in the environment lists what stays unknown.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "symbols/handler.h"

#define STACKS	  "tests/corpus/stacks/*.stacks"
#define COMMAND	  "/srv/venv/bin/python /srv/venv/bin/uvicorn shop.api:app --workers 1"
#define OWN	  "/srv/app/"
#define INSTALLED "/srv/venv/lib/python3.13/site-packages/shop/"

struct score {
	uint32_t stacks, right, unknown;
};

struct corpus {
	struct dictionary *dictionary;
	struct handler_finder *finder;
	uint32_t before, environments; /* functions of earlier environments */
	bool installed;
	struct score score;
	char name[256];
};

static void corpus_init(struct corpus *corpus, bool installed, bool named)
{
	struct process_info info = {.cmdline = COMMAND};
	struct stream_sink sink;

	*corpus = (struct corpus){.dictionary = dictionary_new(),
				  .finder = handler_finder_new(NULL, 0),
				  .installed = installed};
	assert_non_null(corpus->dictionary);
	assert_non_null(corpus->finder);
	sink = handler_finder_sink(corpus->finder);
	if (named)
		assert_int_equal(sink_process(&sink, &info), 0);
}

static void corpus_done(struct corpus *corpus)
{
	handler_finder_free(corpus->finder);
	dictionary_free(corpus->dictionary);
}

/* "function N NAME<tab>FILE" */
static void take_function(struct corpus *corpus, char *line)
{
	char *name = strchr(line + 9, ' ') + 1, *file = strchr(name, '\t'), path[1024];
	struct definition definition = {.kind = DEFINE_FUNCTION,
					.id = corpus->before + (uint32_t)atoi(line + 9),
					.function = {.name = name}};
	bool own;

	*file++ = '\0';
	file[strcspn(file, "\n")] = '\0';
	own = strncmp(file, OWN, strlen(OWN)) == 0;
	snprintf(path, sizeof(path), "%s%s", own && corpus->installed ? INSTALLED : "",
		 own && corpus->installed ? file + strlen(OWN) : file);
	definition.function.file = path;
	definition.function.line = definition.id; /* every environment has its own */
	assert_int_equal(dictionary_define(corpus->dictionary, &definition), 0);
}

static const char *name_of(const struct corpus *corpus, uint32_t function)
{
	const struct definition *definition = dictionary_find(corpus->dictionary, DEFINE_FUNCTION,
							      function);
	const char *name = definition ? definition->function.name : "-", *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

static uint32_t define_stack(struct corpus *corpus, const struct stack_frame *frames,
			     uint32_t count)
{
	uint32_t id;

	assert_int_equal(
		dictionary_intern(corpus->dictionary,
				  &(struct definition){.kind = DEFINE_STACK,
						       .stack = {.frames = frames, .count = count}},
				  &id),
		0);
	return id;
}

/* Whether `word` is one of "A|B". */
static bool is_one_of(const char *word, const char *list)
{
	size_t length = strlen(word);

	for (const char *at = list; *at; at += strcspn(at, "|"), at += *at == '|')
		if (strcspn(at, "|") == length && memcmp(at, word, length) == 0)
			return true;
	return false;
}

/* "stack ROLE HANDLER INNER N N …" */
static void take_stack(struct corpus *corpus, char *line)
{
	const char *role, *wanted, *inner, *word, *found = "-";
	struct stack_frame frames[DEFINE_FRAMES_MAX];
	uint32_t count = 0, stack, index;
	struct handler handler;

	strtok(line, " \n");
	role = strtok(NULL, " \n");
	wanted = strtok(NULL, " \n");
	inner = strtok(NULL, " \n");
	while ((word = strtok(NULL, " \n")) && count < DEFINE_FRAMES_MAX)
		frames[count++] = (struct stack_frame){
			.function = corpus->before + (uint32_t)atoi(word), .line = 1};
	stack = define_stack(corpus, frames, count);
	handler = handler_find(corpus->finder, corpus->dictionary, stack);
	if (handler_inner(corpus->finder, corpus->dictionary, stack, &handler, &index))
		found = name_of(corpus, frames[index].function);
	corpus->score.stacks++;
	if (handler.role == HANDLER_NONE && strcmp(role, "none") != 0)
		corpus->score.unknown++;
	else if (is_one_of(handler_role_name(handler.role), role) &&
		 is_one_of(name_of(corpus, handler.frame.function), wanted) &&
		 strcmp(found, inner) == 0)
		corpus->score.right++;
	else
		print_message("           wrong, %s%s: %s %s in %s, not %s %s in %s\n",
			      corpus->name, corpus->installed ? " (installed)" : "",
			      handler_role_name(handler.role),
			      name_of(corpus, handler.frame.function), found, role, wanted, inner);
	if (handler.role == HANDLER_NONE && strcmp(role, "none") != 0 && getenv("UNKNOWN"))
		print_message("           unknown, %s%s: %s %s\n", corpus->name,
			      corpus->installed ? " (installed)" : "", role, wanted);
}

/* "environment python 3.13.0 fastapi 0.165.0 …" */
static void take_environment(struct corpus *corpus, const char *line)
{
	corpus->before = dictionary_count(corpus->dictionary, DEFINE_FUNCTION);
	corpus->environments++;
	snprintf(corpus->name, sizeof(corpus->name), "%.*s", (int)strcspn(line, "\n"), line);
}

static void take_file(struct corpus *corpus, const char *path)
{
	_cleanup_(freep) char *line = NULL;
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	size_t room = 0;

	assert_non_null(file);
	while (getline(&line, &room, file) > 0) {
		if (strncmp(line, "environment ", 12) == 0)
			take_environment(corpus, line + 12);
		else if (strncmp(line, "function ", 9) == 0)
			take_function(corpus, line);
		else if (strncmp(line, "stack ", 6) == 0)
			take_stack(corpus, line);
	}
}

/* At least `least` percent are right; the rest is unknown. */
static void ask(bool installed, bool named, uint32_t least)
{
	_cleanup_(corpus_done) struct corpus corpus;
	const struct score *score = &corpus.score;
	glob_t files;

	corpus_init(&corpus, installed, named);
	assert_int_equal(glob(STACKS, 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++)
		take_file(&corpus, files.gl_pathv[i]);
	globfree(&files);
	print_message("           %u stacks, %u right, %u unknown\n", score->stacks, score->right,
		      score->unknown);
	assert_true(corpus.environments >= 35 && score->stacks >= 700);
	assert_int_equal(score->right + score->unknown, score->stacks);
	assert_true(score->right * 100 >= score->stacks * least);
}

static void an_application_in_plain_files(void **state)
{
	ask(false, false, 95);
}

static void an_application_among_the_libraries(void **state)
{
	ask(true, false, 50);
}

static void an_application_that_the_command_line_names(void **state)
{
	ask(true, true, 95);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_application_in_plain_files),
		cmocka_unit_test(an_application_among_the_libraries),
		cmocka_unit_test(an_application_that_the_command_line_names),
	};

	return cmocka_run_group_tests_name("symbols_corpus", tests, NULL, NULL);
}
