/* SPDX-License-Identifier: MIT */
#include "words/canvas.h"
#include "words/stall.h"
#include "view_made.h"

static struct made made;
static char *shown;

static int setup(void **state)
{
	made_init(&made);
	made_stalls(&made);
	return 0;
}

static int teardown(void **state)
{
	free(shown);
	shown = NULL;
	made_done(&made);
	return 0;
}

static const char *show_with(const struct ongoing *ongoing, const struct stall *over)
{
	size_t size;
	FILE *file;

	free(shown);
	file = open_memstream(&shown, &size);
	assert_non_null(file);
	assert_int_equal(ongoing ? print_ongoing(file, ongoing)
				 : print_resumed(file, &made.report, &made.loop, over),
			 0);
	fclose(file);
	return shown;
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

static void what_most_of_it_was_is_said(void **state)
{
	struct ongoing ongoing = ongoing_of(&made.stalls[1]);

	ongoing.stall.what.syscalls = &(struct syscall_share){.sysno = 230, .ns = 80 * MS};
	ongoing.stall.what.syscall_count = 1;
	snprintf(made.process.info.machine, sizeof(made.process.info.machine), "x86_64");
	assert_string_equal(show_with(&ongoing, NULL),
			    "gilscope: +0.062 s  the event loop of 'uvicorn' (100) has been "
			    "stalled for 80.0 ms: blocked in clock_nanosleep, in "
			    "async_sleep_blocking (…/routes/app.py:71), route; in lib.sum_up\n");
	assert_string_equal(show_with(NULL, &made.stalls[1]),
			    "gilscope: +0.062 s  the event loop of 'uvicorn' (100) goes on after "
			    "80.0 ms: blocked in system calls, in "
			    "async_sleep_blocking (…/routes/app.py:71), route; in lib.sum_up\n");
}

static void the_current_activity_is_shown_separately(void **state)
{
	struct ongoing ongoing = ongoing_of(&made.stalls[1]);

	ongoing.state = TS_GIL_WAIT;
	ongoing.holder = &made.worker;
	ongoing.holder_handler = made_handler(1, 12, HANDLER_EXECUTOR);
	assert_string_equal(
		show_with(&ongoing, NULL),
		"gilscope: +0.062 s  the event loop of 'uvicorn' (100) has been stalled for 80.0 "
		"ms: mostly blocked in system calls, in "
		"async_sleep_blocking (…/routes/app.py:71), route; in lib.sum_up; "
		"now waiting for the GIL, held by work "
		"(…/dist-packages/lib.py:12) in 'AnyIO worker thread' (python3, 101)\n");
	/* and in another function */
	ongoing.state = TS_PYTHON;
	ongoing.stack = 1;
	ongoing.handler = (struct handler){0};
	ongoing.holder = NULL;
	assert_non_null(
		strstr(show_with(&ongoing, NULL), "; now running Python (or C code holding the "
						  "GIL), in sum_up (…/dist-packages/lib.py:31)\n"));
	/* no certain holder of the GIL */
	ongoing.state = TS_GIL_WAIT;
	assert_non_null(strstr(show_with(&ongoing, NULL), "; now waiting for the GIL\n"));
}

static void what_is_not_known_is_said(void **state)
{
	struct ongoing ongoing = ongoing_of(&made.stalls[0]);

	assert_string_equal(
		show_with(&ongoing, NULL),
		"gilscope: +0.000 s  the event loop of 'uvicorn' (100) has been stalled for 62.0 "
		"ms: waiting for the GIL, held by work "
		"(…/dist-packages/lib.py:12) in 'AnyIO worker thread' (python3, 101)\n");
	ongoing.stall.whole = false;
	ongoing.stall.what.states.ns[TS_UNKNOWN] = 2 * MS;
	assert_non_null(strstr(show_with(&ongoing, NULL),
			       " has been stalled for at least 62.0 ms: waiting"));
	/* a short time in another state changes nothing */
	ongoing.stall.what.states.ns[TS_UNKNOWN] = MS / 10;
	assert_non_null(
		strstr(show_with(&ongoing, NULL), " has been stalled for 62.0 ms: waiting"));
	ongoing.stall.cause = ongoing.state = TS_UNKNOWN;
	ongoing.stall.what.states.ns[TS_UNKNOWN] = 31 * MS;
	ongoing.stall.stack = ongoing.stack = 9999; /* undefined */
	assert_non_null(strstr(show_with(&ongoing, NULL), ": mostly unknown (missing data)\n"));
	ongoing.stall.what.states.ns[TS_UNKNOWN] = 25 * MS; /* the largest, but not most */
	assert_non_null(
		strstr(show_with(&ongoing, NULL), ": 40 % of it in an unknown state, because "));
}

static void a_hostile_name_stays_on_one_line(void **state)
{
	struct ongoing ongoing = ongoing_of(&made.stalls[2]);

	made.loop_thread.python_name = made_text(&made, HOSTILE);
	ongoing.stall.handler = ongoing.handler = made_handler(3, 1, HANDLER_TASK);
	show_with(&ongoing, NULL);
	assert_ptr_equal(strchr(shown, '\n'), shown + strlen(shown) - 1);
	assert_null(strchr(shown, '\x1b'));
	assert_non_null(
		strstr(shown, "the event loop of 'a;b\\x0a\\x1b[2J\\x5c\\xff' (uvicorn, 100) has"));
	assert_non_null(strstr(shown, ", in a;b\\x0a\\x1b[2J\\x5c\\xff ("));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_most_of_it_was_is_said),
		TEST(the_current_activity_is_shown_separately),
		TEST(what_is_not_known_is_said),
		TEST(a_hostile_name_stays_on_one_line),
	};

	return cmocka_run_group_tests_name("ongoing", tests, NULL, NULL);
}
