/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#define JSON_TABLE "view/json/report.def"
#include "view/json_table.h"

static void assert_json(json_t *value, const char *expected)
{
	char *text;

	assert_non_null(value);
	text = json_dumps(value, JSON_COMPACT);
	assert_string_equal(text, expected);
	free(text);
	json_decref(value);
}

/* Whatever their names in the source. */
static void keys_are_written_in_the_order_of_the_table(void **state)
{
	(void)state;
	assert_json(JSON_NEW(report_window, .end_ns = json_uint(2), .start_ns = json_uint(1)),
		    "{\"start_ns\":1,\"end_ns\":2}");
}

static void a_key_without_a_value_is_an_error(void **state)
{
	(void)state;
	/* one that is left out does not compile */
	assert_null(JSON_NEW(report_window, .start_ns = json_uint(1), .end_ns = NULL));
}

static json_t *sites(json_t *fault)
{
	return JSON_NEW(report_sites, .method = json_string("scan"),
			.confidence = json_string("exact"), .take = json_uint(1),
			.drop = json_uint(2), .wait = json_uint(3), .fault = fault);
}

static void only_an_optional_key_can_be_left_out(void **state)
{
	const char *without = "{\"method\":\"scan\",\"confidence\":\"exact\",\"take\":1,\"drop\":2,"
			      "\"wait\":3}";

	(void)state;
	assert_json(sites(JSON_LEFT_OUT), without);
	assert_json(sites(JSON_LEFT_OUT), without); /* it still exists */
	assert_json(sites(json_string("never_taken")),
		    "{\"method\":\"scan\",\"confidence\":\"exact\",\"take\":1,\"drop\":2,"
		    "\"wait\":3,\"fault\":\"never_taken\"}");
	assert_null(sites(NULL));
	assert_null(JSON_NEW(report_window, .start_ns = JSON_LEFT_OUT, .end_ns = json_uint(1)));
}

/* Streamed members need no value in the object. */
static void streamed_keys_follow_the_others(void **state)
{
	char *text = NULL;
	size_t length = 0;
	struct json_out out = {.file = open_memstream(&text, &length)};

	(void)state;
	json_put(&out, "{");
	json_put_value(&out,
		       JSON_NEW(report_loop, .tid = json_uint(7), .stands_for = JSON_LEFT_OUT,
				.kind = json_string("asyncio"), .evidence = json_string("python"),
				.turns = json_uint(0), .turn = json_null(),
				.longest_ns = json_uint(0), .freezes = json_uint(0),
				.longest_freeze = json_null()),
		       JSON_EMBED | JSON_COMPACT);
	json_put_key(&out, ",", JSON_KEY(report_loop, stalls));
	json_put(&out, "[]}");
	assert_int_equal(json_out_finish(&out), 0);
	fclose(out.file);
	assert_string_equal(text,
			    "{\"tid\":7,\"kind\":\"asyncio\",\"evidence\":\"python\",\"turns\":0,"
			    "\"turn\":null,\"longest_ns\":0,\"freezes\":0,"
			    "\"longest_freeze\":null,\"stalls\": []}");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_written_in_the_order_of_the_table),
		cmocka_unit_test(a_key_without_a_value_is_an_error),
		cmocka_unit_test(only_an_optional_key_can_be_left_out),
		cmocka_unit_test(streamed_keys_follow_the_others),
	};

	return cmocka_run_group_tests_name("view_json", tests, NULL, NULL);
}
