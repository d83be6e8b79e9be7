/* SPDX-License-Identifier: MIT */
/* What several processes say about one line of source. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "stream/names/dictionary.h"
#include "symbols/symbols_internal.h"

struct made {
	struct dictionary *dictionary;
	struct definitions definitions;
	uint32_t function;
};

static int make(void **state)
{
	struct made *made = calloc(1, sizeof(*made));

	*state = made;
	made->dictionary = dictionary_new();
	if (definitions_begin(&made->definitions, dictionary_sink(made->dictionary)))
		return -1;
	return definitions_function(&made->definitions, "f", "app.py", 1, &made->function);
}

static int discard(void **state)
{
	struct made *made = *state;

	definitions_done(&made->definitions);
	dictionary_free(made->dictionary);
	free(made);
	return 0;
}

static void tell(struct made *made, uint32_t line, const char *text)
{
	assert_int_equal(definitions_source(&made->definitions, made->function, line, text), 0);
}

static void what_all_say_is_known(void **state)
{
	struct made *made = *state;

	for (int i = 0; i < 3; i++)
		tell(made, 2, "return 1");
	tell(made, 0, "@app.get('/')");
	assert_string_equal(dictionary_source(made->dictionary, made->function, 2), "return 1");
	assert_string_equal(dictionary_source(made->dictionary, made->function, 0),
			    "@app.get('/')");
	assert_int_equal(dictionary_count(made->dictionary, DEFINE_SOURCE), 2);
}

static void what_one_does_not_say_is_not_known(void **state)
{
	static const char *const answers[][3] = {
		{"return 1", "return 2", "return 1"},
		{"return 1", "", "return 1"},
		{"", "return 1", "return 1"},
		{"", "", ""},
	};
	struct made *made = *state;

	for (uint32_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		for (int j = 0; j < 3; j++)
			tell(made, 3 + i, answers[i][j]);
		assert_null(dictionary_source(made->dictionary, made->function, 3 + i));
	}
}

static char defined[64];

static int note_definition(void *ctx, const struct definition *definition)
{
	size_t length = strlen(defined);

	snprintf(defined + length, sizeof(defined) - length, "%s;",
		 definition->kind == DEFINE_SOURCE ? definition->source.text
						   : definition->function.name);
	return 0;
}

/* A function whose number has become old is defined again, and so are its lines, but for what is
 * not known. */
static void a_function_that_comes_again_has_its_lines(void **state)
{
	struct made *made = *state;
	uint32_t number, again, other;
	char name[16];

	assert_int_equal(
		definitions_number(&made->definitions, DEFINE_FUNCTION, made->function, &number),
		0);
	tell(made, 2, "return 1");
	tell(made, 3, "return 2");
	tell(made, 3, "return 3"); /* another process */
	for (uint32_t i = 0; i < DEFINE_FUNCTIONS_MAX / 2; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		assert_int_equal(
			definitions_function(&made->definitions, name, "app.py", 1, &other), 0);
	}
	made->definitions.issue.to = (struct stream_sink){.define = note_definition};
	for (int i = 0; i < 2; i++)
		assert_int_equal(definitions_number(&made->definitions, DEFINE_FUNCTION,
						    made->function, &again),
				 0);
	assert_int_equal(again, number + 1 + DEFINE_FUNCTIONS_MAX / 2);
	assert_string_equal(defined, "f;return 1;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_all_say_is_known, make, discard),
		cmocka_unit_test_setup_teardown(what_one_does_not_say_is_not_known, make, discard),
		cmocka_unit_test_setup_teardown(a_function_that_comes_again_has_its_lines, make,
						discard),
	};

	return cmocka_run_group_tests_name("sources", tests, NULL, NULL);
}
