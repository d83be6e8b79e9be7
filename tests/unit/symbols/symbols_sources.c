/* SPDX-License-Identifier: MIT */
/* What several processes say about one line of source. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "stream/dictionary.h"
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
	made->definitions.sink = dictionary_sink(made->dictionary);
	made->definitions.sources = TABLE(struct told, TOLD_MAX);
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

/* … and what was told can be taken back even then. */
static void there_is_an_end(void **state)
{
	struct made *made = *state;
	char text[16];

	for (uint32_t line = 1; line <= TOLD_MAX + 2; line++) {
		snprintf(text, sizeof(text), "%u", line);
		tell(made, line, text);
	}
	assert_int_equal(dictionary_count(made->dictionary, DEFINE_SOURCE), TOLD_MAX);
	assert_null(dictionary_source(made->dictionary, made->function, TOLD_MAX + 1));
	for (uint32_t line = 1; line <= TOLD_MAX; line++) {
		assert_non_null(dictionary_source(made->dictionary, made->function, line));
		tell(made, line, "another");
		assert_null(dictionary_source(made->dictionary, made->function, line));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_all_say_is_known, make, discard),
		cmocka_unit_test_setup_teardown(what_one_does_not_say_is_not_known, make, discard),
		cmocka_unit_test_setup_teardown(there_is_an_end, make, discard),
	};

	return cmocka_run_group_tests_name("sources", tests, NULL, NULL);
}
