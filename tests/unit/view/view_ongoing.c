/* SPDX-License-Identifier: MIT */
/* A stall in one line, and what a stalled loop does. */
#include "words/canvas.h"
#include "words/stall.h"
#include "view_made.h"

#include <time.h>

static struct made made;
static struct text_buffer line;

static int setup(void **state)
{
	made_init(&made);
	made_stalls(&made);
	return 0;
}

static int teardown(void **state)
{
	made_done(&made);
	return 0;
}

static unsigned line_columns;

static const char *line_of(const struct stall *stall, bool many_loops)
{
	line = (struct text_buffer){0};
	text_add_stall_line(&line, &made.report, &made.loop, stall, many_loops, line_columns);
	for (char *c = line.bytes; (c = strstr(c, NBSP));)
		memmove(c, c + 1, strlen(c)), *c++ = ' ';
	return line.bytes;
}

static const char *doing_of(const struct ongoing *ongoing)
{
	line = (struct text_buffer){0};
	text_add_ongoing(&line, ongoing);
	for (char *c = line.bytes; (c = strstr(c, NBSP));)
		memmove(c, c + 1, strlen(c)), *c++ = ' ';
	return line.bytes;
}

static struct ongoing ongoing_of(const struct stall *stall)
{
	struct ongoing ongoing = {.report = &made.report,
				  .loop = &made.loop,
				  .stall = *stall,
				  .state = stall->cause,
				  .stack = stall->stack,
				  .sysno = SYSNO_NONE,
				  .handler = stall->handler};

	ongoing.stall.ongoing = true;
	return ongoing;
}

static struct stall blocked_in(int32_t sysno)
{
	static struct syscall_share syscall;
	struct stall stall = made.stalls[1];

	syscall = (struct syscall_share){.sysno = sysno, .ns = 80 * MS};
	stall.what.syscalls = &syscall;
	stall.what.syscall_count = 1;
	snprintf(made.process.info.machine, sizeof(made.process.info.machine), "x86_64");
	return stall;
}

/* ── a line for each stall ───────────────────────────────────────────────── */

static void when_how_long_where_and_doing_what(void **state)
{
	struct stall stall = blocked_in(230);

	assert_string_equal(line_of(&stall, false),
			    "    +0.062 s   80.0 ms  async_sleep_blocking "
			    "…/application/routes/app.py:71  clock_nanosleep");
	assert_string_equal(line_of(&made.stalls[2], false),
			    "    +0.142 s    120 ms  tick …/application/routes/app.py:92  "
			    "running Python");
	assert_non_null(strstr(line_of(&stall, true), "clock_nanosleep  loop of 'uvicorn' (100)"));
}

static void a_wait_for_the_gil_names_its_holder(void **state)
{
	struct stall stall = made.stalls[0];

	assert_string_equal(line_of(&stall, false),
			    "    +0.000 s   62.0 ms  work …/dist-packages/lib.py:12  GIL held by "
			    "'AnyIO worker thread' (101)");
	made.blocker.states.ns[TS_HELD_BLOCKED] = 100 * MS;
	assert_non_null(strstr(line_of(&stall, false), "'AnyIO worker thread' (101), asleep"));
	stall.what.blocker_count = 0;
	assert_non_null(strstr(line_of(&stall, false), "  waiting for the GIL, whose holder is "
						       "unknown"));
}

static void a_part_of_a_stall_is_marked(void **state)
{
	struct stall stall = made.stalls[2];

	stall.ongoing = true;
	assert_non_null(strstr(line_of(&stall, false), "  ≥ 120 ms  tick"));
	assert_non_null(strstr(line_of(&stall, false), "running Python  … ongoing"));
	stall.ongoing = stall.whole = false;
	stall.earlier = true;
	assert_non_null(strstr(line_of(&stall, false), "running Python, began earlier"));
	stall.start = made.report.window.start;
	assert_non_null(strstr(line_of(&stall, false), ", began before gilscope attached"));
	stall.earlier = false;
	stall.start = made.stalls[2].start;
	assert_non_null(strstr(line_of(&stall, false), "  ≥ 120 ms  tick"));
	stall.stack = 9999; /* undefined */
	stall.handler = (struct handler){0};
	assert_non_null(strstr(line_of(&stall, false), "  unknown function  running Python"));
}

static void the_time_of_day_where_it_is_known(void **state)
{
	setenv("TZ", "UTC-2", 1);
	tzset();
	made.report.realtime_ns = UINT64_C(1700000000) * 1000 * MS - 1000 * MS;
	assert_non_null(strstr(line_of(&made.stalls[1], false), "00:13:20.062   80.0 ms"));
	assert_non_null(strstr(line_of(&made.stalls[2], false), "00:13:20.142    120 ms"));
}

static void a_hostile_name_stays_on_one_line(void **state)
{
	struct stall stall = made.stalls[2];

	made.loop_thread.python_name = made_text(&made, HOSTILE);
	stall.handler = made_handler(3, 1, HANDLER_TASK);
	line_of(&stall, true);
	assert_null(strchr(line.bytes, '\n'));
	assert_null(strchr(line.bytes, '\x1b'));
	assert_non_null(strstr(line.bytes, "loop of 'a;b\\x0a\\x1b[2J\\x5c\\xff' (100)"));
	assert_non_null(strstr(line.bytes, "  a;b\\x0a\\x1b[2J\\x5c\\xff "));
}

/* Its folders are left out, and its source if there is no room. */
static void a_line_that_is_too_wide_is_shorter(void **state)
{
	struct stall stall = blocked_in(230);
	const struct stack_frame *frame = &stall.handler.frame;
	struct definition source = {.kind = DEFINE_SOURCE,
				    .id = 1,
				    .source = {frame->function, frame->line, "time.sleep(s)"}};

	assert_int_equal(dictionary_define(made.names, &source), 0);
	assert_non_null(strstr(line_of(&stall, false), "/app.py:71 > time.sleep(s)  clock_nano"));
	line_columns = text_width(line.bytes);
	assert_non_null(strstr(line_of(&stall, false), " app.py:71 > time.sleep(s)  clock_nano"));
	line_columns = text_width(line.bytes) - 1;
	assert_non_null(strstr(line_of(&stall, false), " app.py:71  clock_nanosleep"));
	line_columns = 50;
	assert_non_null(strstr(line_of(&stall, false), "…"));
	assert_int_equal(text_width(line.bytes), 50);
	line_columns = 0;
}

/* ── what a stalled loop does now ────────────────────────────────────────── */

static void what_most_of_it_was_is_said(void **state)
{
	struct stall stall = blocked_in(230);
	struct ongoing ongoing = ongoing_of(&stall);

	assert_string_equal(doing_of(&ongoing),
			    "blocked in clock_nanosleep, in async_sleep_blocking "
			    "(…/routes/app.py:71), route; in lib.sum_up");
}

static void the_current_activity_is_shown_separately(void **state)
{
	struct ongoing ongoing = ongoing_of(&made.stalls[1]);

	ongoing.state = TS_GIL_WAIT;
	ongoing.holder = &made.worker;
	ongoing.holder_handler = made_handler(1, 12, HANDLER_EXECUTOR);
	assert_string_equal(doing_of(&ongoing),
			    "mostly in blocking calls, in async_sleep_blocking "
			    "(…/routes/app.py:71), route; in lib.sum_up; now waiting for the GIL, "
			    "held by work (…/dist-packages/lib.py:12) in 'AnyIO worker thread' "
			    "(101)");
	/* and in another function */
	ongoing.state = TS_PYTHON;
	ongoing.stack = 1;
	ongoing.handler = (struct handler){0};
	ongoing.holder = NULL;
	assert_non_null(strstr(doing_of(&ongoing), "; now running Python (or C code holding the "
						   "GIL), in sum_up (…/dist-packages/lib.py:31)"));
	/* no certain holder of the GIL */
	ongoing.state = TS_GIL_WAIT;
	assert_non_null(strstr(doing_of(&ongoing), "; now waiting for the GIL"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(when_how_long_where_and_doing_what),
		TEST(a_wait_for_the_gil_names_its_holder),
		TEST(a_line_that_is_too_wide_is_shorter),
		TEST(a_part_of_a_stall_is_marked),
		TEST(the_time_of_day_where_it_is_known),
		TEST(a_hostile_name_stays_on_one_line),
		TEST(what_most_of_it_was_is_said),
		TEST(the_current_activity_is_shown_separately),
	};

	return cmocka_run_group_tests_name("ongoing", tests, NULL, NULL);
}
