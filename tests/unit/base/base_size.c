/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/size.h"

static void sizes_are_never_nothing(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{1, "1 B"},
		{999, "999 B"},
		{1000, "1.0 kB"},
		{9949, "9.9 kB"},
		{9951, "10 kB"},
		{103000, "103 kB"},
		{999499, "999 kB"},
		{999501, "1.0 MB"},
		{123456789, "123 MB"},
		{1234567890, "1.2 GB"},
		{UINT64_MAX, "18446744 TB"},
	};
	char text[SIZE_TEXT_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(size_text(cases[i].bytes, text), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sizes_are_never_nothing)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
