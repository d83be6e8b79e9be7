/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "words/canvas.h"
#include "words/palette.h"
#include "view/view.h"

static char *printed;
static size_t printed_size;

static struct canvas canvas_open(unsigned columns)
{
	struct canvas canvas = {.file = open_memstream(&printed, &printed_size),
				.columns = columns};

	assert_non_null(canvas.file);
	return canvas;
}

static void assert_printed(struct canvas *canvas, const char *expected)
{
	fclose(canvas->file);
	assert_string_equal(printed, expected);
	free(printed);
	printed = NULL;
}

static void shares_are_never_rounded_to_all_or_nothing(void **state)
{
	static const struct {
		uint64_t part, whole;
		const char *text;
	} cases[] = {
		{0, 0, "0 %"},
		{0, 5, "0 %"},
		{5, 5, "100 %"},
		{1, 1000000, "<0.1 %"},
		{1, 100, "1.0 %"},
		{994, 10000, "9.9 %"},
		{9949, 100000, "9.9 %"},
		{995, 10000, "10 %"},
		{99, 100, "99 %"},
		{9960, 10000, "99.6 %"},
		{999999, 1000000, "99.9 %"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct canvas canvas = canvas_open(80);
		struct text_buffer text = {0};

		text_add_share(&text, cases[i].part, cases[i].whole);
		canvas_cell(&canvas, text.bytes, 0, false);
		assert_printed(&canvas, cases[i].text);
	}
}

static void counts_are_grouped_by_three(void **state)
{
	struct canvas canvas = canvas_open(80);
	struct text_buffer text = {0};

	text_add_number_of(&text, 1, "stall", "stalls");
	text_add(&text, ", ");
	text_add_number_of(&text, 1234567, "event", "events");
	text_add(&text, ", ");
	text_add_count(&text, 100);
	canvas_cell(&canvas, text.bytes, 0, false);
	assert_printed(&canvas, "1 stall, 1 234 567 events, 100");
}

static void widths_are_columns_and_not_bytes(void **state)
{
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("uvicorn"), 7);
	assert_int_equal(text_width("naïve"), 5);
	assert_int_equal(text_width("好好"), 4);
	assert_int_equal(text_width("e\xcc\x81"), 1); /* a combining accent */
	assert_int_equal(text_width("🐍"), 2);
}

static void names_are_escaped_and_cut_to_columns(void **state)
{
	static const struct {
		const char *name;
		unsigned columns;
		const char *text;
	} cases[] = {
		{"uvicorn", 7, "uvicorn"}, {"uvicorn", 6, "uvico…"},   {"好好好", 5, "好好…"},
		{"好好好", 4, "好…"},	   {"\x1b[2J", 7, "\\x1b[2J"}, {"\xff", 4, "\\xff"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text_buffer text = {0};

		text_add_name(&text, cases[i].name, cases[i].columns);
		assert_string_equal(text.bytes, cases[i].text);
		assert_true(text_width(text.bytes) <= cases[i].columns);
	}
}

static void a_text_that_is_too_long_is_cut_at_a_whole_character(void **state)
{
	struct text_buffer text = {0};

	while (text.length < sizeof(text.bytes) - 3)
		text_add(&text, "x");
	text_add(&text, "好");
	assert_int_equal(text.length, sizeof(text.bytes) - 3);
	assert_int_equal(strspn(text.bytes, "x"), sizeof(text.bytes) - 3);
	text_add(&text, "yz");
	assert_string_equal(text.bytes + sizeof(text.bytes) - 3, "yz");
	text_add(&text, "more");
	assert_int_equal(text.length, sizeof(text.bytes) - 1);
}

static void paragraphs_wrap_between_words_and_not_inside_quantities(void **state)
{
	struct canvas canvas = canvas_open(20);
	struct text_buffer text = {0};

	text_add(&text, "it took the loop 12" NBSP "ms to say naïve things");
	canvas_paragraph(&canvas, "  ", 2, &text);
	assert_printed(&canvas, "  it took the loop\n  12 ms to say naïve\n  things\n");
}

static void a_bar_deals_out_all_its_cells(void **state)
{
	struct state_sums sums = {.ns = {[TS_PYTHON] = 25, [TS_GIL_WAIT] = 50, [TS_BLOCKED] = 25}};
	struct canvas canvas = canvas_open(80);

	canvas_bar(&canvas, &sums, 100, 8);
	fputc('|', canvas.file);
	canvas_bar(&canvas, &sums, 200, 8);
	fputc('|', canvas.file);
	canvas_bar(&canvas, &sums, 100, 3);
	fputc('|', canvas.file);
	canvas_bar(&canvas, &(struct state_sums){0}, 0, 3);
	assert_printed(&canvas, "PPWWWWBB|PWWB    |PWB|   ");
}

static void states_differ_in_letter_and_colour(void **state)
{
	for (int a = 0; a < TS_COUNT; a++)
		for (int b = 0; b < a; b++) {
			assert_int_not_equal(palette_of((enum thread_state)a)->letter,
					     palette_of((enum thread_state)b)->letter);
			assert_int_not_equal(palette_of((enum thread_state)a)->ansi,
					     palette_of((enum thread_state)b)->ansi);
			assert_string_not_equal(palette_of((enum thread_state)a)->hex,
						palette_of((enum thread_state)b)->hex);
		}
	assert_ptr_equal(palette_of((enum thread_state)77), palette_of(TS_UNKNOWN));
}

static void a_full_disk_is_no_success(void **state)
{
	static const struct view *const views[] = {&view_text, &view_json, &view_speedscope,
						   &view_pprof};
	const struct report report = {
		.version = "0.1.0", .mode = MODE_EXACT, .window = {.start = 1, .end = 2}};
	const struct view_options options = {0};

	for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		FILE *full = fopen("/dev/full", "w");

		assert_non_null(full);
		assert_true(views[i]->show(full, &report, &options) < 0);
		fclose(full);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_are_never_rounded_to_all_or_nothing),
		cmocka_unit_test(counts_are_grouped_by_three),
		cmocka_unit_test(widths_are_columns_and_not_bytes),
		cmocka_unit_test(names_are_escaped_and_cut_to_columns),
		cmocka_unit_test(a_text_that_is_too_long_is_cut_at_a_whole_character),
		cmocka_unit_test(paragraphs_wrap_between_words_and_not_inside_quantities),
		cmocka_unit_test(a_bar_deals_out_all_its_cells),
		cmocka_unit_test(states_differ_in_letter_and_colour),
		cmocka_unit_test(a_full_disk_is_no_success),
	};

	return cmocka_run_group_tests_name("view_canvas", tests, NULL, NULL);
}
