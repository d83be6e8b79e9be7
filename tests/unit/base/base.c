/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/diag.h"
#include "base/escape.h"

static void durations_are_read_as_people_write_them(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{"10s", 10 * NS_PER_S},
		{"250ms", 250 * NS_PER_MS},
		{"1m30s", 90 * NS_PER_S},
		{"500us", 500 * NS_PER_US},
		{"0", 0},
		{"1.5s", 1500 * NS_PER_MS},
		{"7ns", 7},
		{"2h", 7200 * NS_PER_S},
		{"0.000000001s", 1},
	};
	static const char *const bad[] = {"",
					  "10",
					  "s",
					  "-1s",
					  "1s ",
					  "1.s",
					  "ten",
					  "99999999999999999999s",
					  "18446744074s",
					  "1e3s"};
	uint64_t ns;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(duration_parse(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(duration_parse(bad[i], &ns), -EINVAL);
}

static void durations_are_shown_with_three_digits(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{0, "0 ns"},
		{999, "999 ns"},
		{1000, "1.00 µs"},
		{45600, "45.6 µs"},
		{812 * NS_PER_MS, "812 ms"},
		{1234567890, "1.23 s"},
		{9999999, "10.0 ms"},
		{125 * NS_PER_S, "2m05s"},
	};
	char text[DURATION_TEXT_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(duration_text(cases[i].ns, text), cases[i].text);
}

static void hostile_text_is_escaped_and_comes_back(void **state)
{
	static const struct {
		const char *raw, *shown;
	} cases[] = {
		{"AnyIO worker", "AnyIO worker"},
		{"a\x1b[31mred", "a\\x1b[31mred"},
		{"naïve 好", "naïve 好"},
		{"\xff\xfe", "\\xff\\xfe"},
		{"back\\slash", "back\\x5cslash"},
		{"\xc0\x80", "\\xc0\\x80"},
		{"\xe2\x80\xae"
		 "evil",
		 "\\xe2\\x80\\xaeevil"},
		{"\xc2\x9b", "\\xc2\\x9b"},
		{"soft\xc2\xadhyphen", "soft\\xc2\\xadhyphen"},
		{"a\xe2\x80\x8f", "a\\xe2\\x80\\x8f"},
		{"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},
		{"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},
		{"\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},
		{"💥", "💥"},
	};
	char shown[64], raw[64];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int length;

		assert_string_equal(
			escape_text(shown, sizeof(shown), cases[i].raw, strlen(cases[i].raw)),
			cases[i].shown);
		length = unescape_text(raw, sizeof(raw), shown);
		assert_int_equal(length, strlen(cases[i].raw));
		assert_memory_equal(raw, cases[i].raw, (size_t)length);
	}
	/* cut at a character boundary, always terminated */
	assert_string_equal(escape_text(shown, 4, "ab好", 5), "ab");
	assert_string_equal(escape_text(shown, 5, "\x01\x01", 2), "\\x01");
	assert_int_equal(unescape_text(raw, sizeof(raw), "\\q"), -EINVAL);
}

static void json_has_no_unseen_character(void **state)
{
	static const char json[] =
		"{\n \"na\xc3\xafve\": \"\x7f\xc2\x85\xe2\x80\xae\xf3\xa0\x81\x81💥\"\n}";
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	assert_int_equal(escape_json(file, json, strlen(json)), 0);
	fclose(file);
	assert_string_equal(text,
			    "{\n \"na\xc3\xafve\": \"\\u007f\\u0085\\u202e\\udb40\\udc41💥\"\n}");
	free(text);
	assert_int_equal(escape_json(stdout, "\xff", 1), -EINVAL);
}

static void a_diag_returns_its_error(void **state)
{
	struct diag diag = {0};

	assert_int_equal(diag_set(&diag, EXIT_UNSUPPORTED, -ENOEXEC, "process %d is not Python", 7),
			 -ENOEXEC);
	diag_hint(&diag, "attach to a %s process", "CPython");
	assert_int_equal(diag.status, EXIT_UNSUPPORTED);
	assert_string_equal(diag.what, "process 7 is not Python");
	assert_string_equal(diag.hint, "attach to a CPython process");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_read_as_people_write_them),
		cmocka_unit_test(durations_are_shown_with_three_digits),
		cmocka_unit_test(hostile_text_is_escaped_and_comes_back),
		cmocka_unit_test(json_has_no_unseen_character),
		cmocka_unit_test(a_diag_returns_its_error),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
