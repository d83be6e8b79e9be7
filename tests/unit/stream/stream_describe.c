/* SPDX-License-Identifier: MIT */
#include "stream_helpers.h"

#include "stream/describe.h"

static struct stream_head head_of(const char *text)
{
	struct stream_head head;
	char why[DESCRIBE_WHY_MAX];

	memset(&head, 0xff, sizeof(head));
	if (parse_head(text, strlen(text), true, &head, why))
		fail_msg("%s", why);
	return head;
}

static struct process_info process_of(const char *text)
{
	struct process_info info;
	char why[DESCRIBE_WHY_MAX];

	memset(&info, 0xff, sizeof(info));
	if (parse_process(text, strlen(text), true, &info, why))
		fail_msg("%s", why);
	return info;
}

/* As written by versions that had no stacks. */
static void old_heads_and_processes_are_read_and_had_no_stacks(void **state)
{
	struct stream_head head = head_of(
		"{\"version\": \"0.1.0\", \"mode\": \"exact\", \"kernel\": \"6.1\", "
		"\"realtime_ns\": 5, \"monotonic_ns\": 6}");
	struct process_info info = process_of("{\"pid\": 7, \"python\": \"3.11.2\", "
					      "\"gil_enabled\": true, \"machine\": \"x86_64\"}");

	assert_false(head.stacks);
	assert_int_equal(head.rate_hz, 0);
	assert_string_equal(head.version, "0.1.0");
	assert_int_equal(head.realtime_ns, 5);
	assert_int_equal(head.monotonic_ns, 6);
	assert_int_equal(info.gc, GC_NONE);
	assert_string_equal(info.python, "3.11.2");
	head = head_of("{}");
	assert_false(head.stacks);
	assert_int_equal(head.mode, MODE_UNKNOWN);
	info = process_of("{\"pid\": 7}");
	assert_true(info.gil_enabled);
	assert_int_equal(info.take, 0);
}

static void every_member_survives(void **state)
{
	char text[DESCRIBE_TEXT_MAX];

	for (int i = 0; i < 200; i++) {
		struct stream_head head = random_head(), head_again;
		struct process_info info = random_process();
		struct item before = {.is_process = true, .info = info},
			    after = {.is_process = true};

		assert_int_equal(describe_head(&head, text), 0);
		head_again = head_of(text);
		assert_same_head(&head, &head_again);
		assert_int_equal(describe_process(&info, text), 0);
		after.info = process_of(text);
		assert_true(same_item(&before, &after));
	}
}

static void what_a_head_cannot_be_is_named(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] =
		{
			{"{\"stacks\": 1}", "\"stacks\" must be true or false"},
			{"{\"rate_hz\": -1}", "\"rate_hz\" must be a number from 0 to 4294967295"},
			{"{\"rate_hz\": 4294967296}",
			 "\"rate_hz\" must be a number from 0 to 4294967295"},
			{"{\"rate_hz\": true}",
			 "\"rate_hz\" must be a number from 0 to 4294967295"},
			{"{\"realtime_ns\": -1}", "\"realtime_ns\" must be a number from 0"},
			{"{\"rate\": 1}", "\"rate\" is unknown"},
			{"{\"version\": \"01234567890123456789012345678901\"}",
			 "\"version\" is too long"},
			{"{\"mode\": \"exakt\"}", "\"mode\" must be one of exact, edges, futex"},
			{"{\"mode\": 1}", "\"mode\" must be a string"},
			{"[]", "not a JSON object"},
		},
	  facts[] = {
		  {"{\"pid\": 1, \"gc\": true}", "\"gc\" must be a string"},
		  {"{\"pid\": 1, \"gc\": \"none\"}", "\"gc\" must be one of probes, samples"},
		  {"{\"pid\": 1, \"method\": \"guess\"}",
		   "\"method\" must be one of symbols, scan, futex"},
		  {"{\"pid\": 1, \"confidence\": \"Exact\"}",
		   "\"confidence\" must be one of exact, approximate"},
	  };
	struct stream_head head = {.rate_hz = 5};
	struct stream_head too_far = {.realtime_ns = UINT64_MAX};
	char why[DESCRIBE_WHY_MAX], text[DESCRIBE_TEXT_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse_head(cases[i].text, strlen(cases[i].text), true, &head, why),
				 -EINVAL);
		if (strcmp(why, cases[i].why) != 0)
			fail_msg("%s is said to be: %s", cases[i].text, why);
	}
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		/* in a trace, too, where unknown members are skipped */
		assert_int_equal(parse_process(facts[i].text, strlen(facts[i].text), i % 2,
					       &(struct process_info){0}, why),
				 -EINVAL);
		assert_string_equal(why, facts[i].why);
	}
	assert_int_equal(head.rate_hz, 5);
	assert_int_equal(parse_head("{\"rate\": 1, \"rate_hz\": 199}", 27, false, &head, why), 0);
	assert_int_equal(head.rate_hz, 199);
	assert_int_equal(describe_head(&too_far, text), -EOVERFLOW);
}

/* `= {0}` clears only the first member in older versions of C, so that must be as large as the
 * union. The compiler refuses the designator if it is not. */
static void an_event_is_empty_as_a_whole(void **state)
{
	union event last = {{[sizeof(union event) / sizeof(uint64_t) - 1] = 1}}, empty;

	memset(&empty, 0xff, sizeof(empty));
	empty = (union event){0};
	assert_int_equal(((const unsigned char *)&last)[sizeof(last) - sizeof(uint64_t)] +
				 ((const unsigned char *)&last)[sizeof(last) - 1],
			 1);
	for (size_t i = 0; i < sizeof(empty); i++)
		assert_int_equal(((const unsigned char *)&empty)[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_heads_and_processes_are_read_and_had_no_stacks),
		cmocka_unit_test(every_member_survives),
		cmocka_unit_test(what_a_head_cannot_be_is_named),
		cmocka_unit_test(an_event_is_empty_as_a_whole),
	};

	return cmocka_run_group_tests_name("describe", tests, NULL, NULL);
}
