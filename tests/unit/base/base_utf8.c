/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "base/utf8.h"

#define FFFD "\xef\xbf\xbd"

static void the_ends_of_every_length_encode_and_decode(void **state)
{
	static const struct {
		uint32_t value;
		const char *bytes;
	} cases[] = {
		{0x1, "\x01"},
		{0x7f, "\x7f"},
		{0x80, "\xc2\x80"},
		{0x7ff, "\xdf\xbf"},
		{0x800, "\xe0\xa0\x80"},
		{0xd7ff, "\xed\x9f\xbf"},
		{0xe000, "\xee\x80\x80"},
		{0xffff, "\xef\xbf\xbf"},
		{0x10000, "\xf0\x90\x80\x80"},
		{0x10ffff, "\xf4\x8f\xbf\xbf"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char bytes[4];
		size_t length = strlen(cases[i].bytes);
		uint32_t value;

		assert_int_equal(utf8_write(cases[i].value, bytes), length);
		assert_memory_equal(bytes, cases[i].bytes, length);
		assert_int_equal(utf8_decode(cases[i].bytes, length, &value), length);
		assert_int_equal(value, cases[i].value);
	}
}

static void what_is_no_character_is_encoded_as_its_replacement(void **state)
{
	static const uint32_t values[] = {0xd800, 0xdfff, 0x110000, UINT32_MAX};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char bytes[4];

		assert_int_equal(utf8_write(values[i], bytes), 3);
		assert_memory_equal(bytes, FFFD, 3);
	}
}

static void malformed_bytes_do_not_decode(void **state)
{
	static const char *const cases[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x9f\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xf8\x88\x80\x80\x80",
		"\xff",
		"\xc2\x41",
		"\xe2\x82\x41",
	};
	uint32_t value;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(utf8_decode(cases[i], strlen(cases[i]), &value), 0);
	assert_int_equal(utf8_decode("\xe2\x82", 2, &value), 3);
	/* the terminator ends the text, even if more bytes may be read */
	assert_int_equal(utf8_decode("\xe2\x82", SIZE_MAX, &value), 0);
}

static void a_str_of_any_width_becomes_text(void **state)
{
	static const uint8_t latin[] = {'a', 0, 0xe9};
	static const uint16_t narrow[] = {'a', 0xd800, 0x20ac};
	static const uint32_t wide[] = {'a', 0x110000, 0x1f600};
	char text[16];

	utf8_from_units(latin, 1, 3, text, sizeof(text));
	assert_string_equal(text, "a" FFFD "é");
	utf8_from_units(narrow, 2, 3, text, sizeof(text));
	assert_string_equal(text, "a" FFFD "€");
	utf8_from_units(wide, 4, 3, text, sizeof(text));
	assert_string_equal(text, "a" FFFD "😀");
	utf8_from_units(narrow, 2, 3, text, 7); /* no room for the last one and the terminator */
	assert_string_equal(text, "a" FFFD);
}

static void bytes_become_valid_one_by_one(void **state)
{
	static const struct {
		const char *from, *clean, *cut;
	} cases[] = {
		{"aé", "aé", "aé"},
		{"a\xff\xfez", "a" FFFD FFFD "z", "a" FFFD FFFD "z"},
		{"a\xe2\x82", "a" FFFD, "a"},
		{"\xed\xa0\x80", FFFD, FFFD}, /* a surrogate, as surrogatepass would encode it */
		{"\xc0\x80", FFFD FFFD, FFFD FFFD},
	};
	char text[32];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t length = strlen(cases[i].from);

		utf8_clean(cases[i].from, length, false, text, sizeof(text));
		assert_string_equal(text, cases[i].clean);
		utf8_clean(cases[i].from, length, true, text, sizeof(text));
		assert_string_equal(text, cases[i].cut);
	}
	utf8_clean("a\0b", 3, false, text, sizeof(text));
	assert_string_equal(text, "a" FFFD "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_ends_of_every_length_encode_and_decode),
		cmocka_unit_test(what_is_no_character_is_encoded_as_its_replacement),
		cmocka_unit_test(malformed_bytes_do_not_decode),
		cmocka_unit_test(a_str_of_any_width_becomes_text),
		cmocka_unit_test(bytes_become_valid_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
