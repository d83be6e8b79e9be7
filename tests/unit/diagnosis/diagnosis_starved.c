/* SPDX-License-Identifier: MIT */
/* Findings about threads that waited for the GIL for long. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "diagnosis/findings.h"

#define MS UINT64_C(1000000)

enum { THREADS = 4, LOOP = 0 };

static struct made {
	struct report report;
	struct process process;
	struct process_report process_report;
	struct loop loop;
	struct thread threads[THREADS], hog;
	struct thread_report rows[THREADS];
	struct blocker blockers[THREADS][2];
	struct finding_list *found;
} made;

static int setup(void **state)
{
	(void)state;
	made = (struct made){.report = {.stall_ns = 50 * MS, .window = {.end = 9000 * MS}}};
	made.report.processes = &made.process_report;
	made.report.process_count = 1;
	made.process.info.pid = 100;
	made.process.info.gil_enabled = true;
	made.process_report = (struct process_report){
		.process = &made.process, .threads = made.rows, .thread_count = THREADS};
	made.hog = (struct thread){.tid = 99, .process = &made.process, .comm = "hog"};
	for (uint32_t i = 0; i < THREADS; i++) {
		made.threads[i] = (struct thread){
			.tid = 100 + i, .process = &made.process, .comm = "waiter"};
		made.rows[i].thread = &made.threads[i];
		made.rows[i].starved.what.blockers = made.blockers[i];
	}
	made.threads[LOOP].loop = &made.loop;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	findings_free(made.found);
	dictionary_free((struct dictionary *)made.report.names);
	return 0;
}

/* A wait, during which `holder` had the GIL for this long. */
static struct starvation *starve(uint32_t n, uint64_t ns, struct thread *holder, uint64_t held_ns)
{
	struct starvation *starved = &made.rows[n].starved;
	struct blocker *blocker = &made.blockers[n][starved->what.blocker_count];

	starved->count = 1;
	starved->ns = ns;
	starved->start = 1000 * MS;
	starved->end = starved->start + ns;
	starved->whole = true;
	if (!holder)
		return starved;
	*blocker = (struct blocker){.thread = holder};
	blocker->states.ns[TS_PYTHON] = held_ns;
	starved->what.blocker_count++;
	return starved;
}

static const struct finding *find(uint32_t count)
{
	findings_free(made.found);
	made.found = findings_new(&made.report);
	assert_non_null(made.found);
	assert_int_equal(made.found->count, count);
	return made.found->list;
}

static const char *text(uint32_t i)
{
	static struct text_buffer text;

	text = (struct text_buffer){0};
	finding_text(&text, &made.report, &made.found->list[i]);
	return text.bytes;
}

static const char *advice(uint32_t i)
{
	static struct text_buffer text;

	text = (struct text_buffer){0};
	finding_advice(&text, &made.report, &made.found->list[i]);
	return text.bytes;
}

static void a_thread_and_who_had_the_gil(void **state)
{
	const struct finding *found;

	(void)state;
	starve(1, 1500 * MS, &made.hog, 1450 * MS);
	found = find(1);
	assert_int_equal(found->id, FINDING_THREAD_STARVED);
	assert_ptr_equal(found->thread, &made.threads[1]);
	assert_int_equal(found->ns, 1500 * MS);
	assert_int_equal(found->evidence, EVIDENCE_TRACED);
	assert_string_equal(text(0),
			    "'waiter'" NBSP "(101) waited 1.50" NBSP "s for the GIL; 'hog'" NBSP
			    "(99) held it for 1.45" NBSP "s of that");
	assert_non_null(strstr(advice(0), "process pool"));
}

static void threads_that_waited_for_the_same_one_are_one_finding(void **state)
{
	(void)state;
	starve(1, 1500 * MS, &made.hog, 1450 * MS);
	starve(2, 1700 * MS, &made.hog, 1650 * MS);
	starve(3, 1600 * MS, &made.threads[1], 1600 * MS);
	find(2);
	assert_string_equal(text(0), "2" NBSP "threads waited a second or longer for the GIL, "
				     "'waiter'" NBSP "(102) 1.70" NBSP "s; 'hog'" NBSP
				     "(99) held it for 1.65" NBSP "s of that");
	assert_int_equal(made.found->list[0].count, 2);
	assert_int_equal(made.found->list[0].ns, 1700 * MS);
	assert_ptr_equal(made.found->list[1].thread, &made.threads[3]);
}

static void a_loop_s_thread_has_stalls_instead(void **state)
{
	(void)state;
	starve(LOOP, 1500 * MS, &made.hog, 1450 * MS);
	assert_int_equal(find(1)->id, FINDING_NOTHING_FOUND);
}

static void a_thread_that_had_it_for_less_than_half_is_not_charged(void **state)
{
	(void)state;
	starve(1, 1500 * MS, &made.hog, 700 * MS);
	starve(1, 1500 * MS, &made.threads[2], 600 * MS);
	find(1);
	assert_non_null(strstr(text(0), "; 2" NBSP "threads held it in turn, most of all "
					"'hog'" NBSP "(99), for 700" NBSP "ms of that"));
	assert_non_null(strstr(advice(0), "fewer threads"));
}

static void an_unknown_holder_is_said_and_a_part_is_a_bound(void **state)
{
	(void)state;
	starve(1, 1500 * MS, NULL, 0)->whole = false;
	assert_int_equal(find(1)->evidence, EVIDENCE_BOUNDED);
	assert_string_equal(text(0), "'waiter'" NBSP "(101) waited at least "
				     "1.50" NBSP "s for the GIL; which threads held it is unknown");
	assert_string_equal(advice(0), "");
}

static void several_waits_are_counted(void **state)
{
	(void)state;
	starve(1, 1500 * MS, &made.hog, 1500 * MS)->count = 3;
	made.rows[1].starved.ns = 3500 * MS;
	assert_int_equal(find(1)->ns, 3500 * MS);
	assert_non_null(strstr(text(0), " waited 1.50" NBSP "s for the GIL, the longest of 3" NBSP
					"such waits;"));
}

/* The stack of a thread that waits in a function of `file`. */
static uint32_t stack_in(const char *file)
{
	struct dictionary *names = (struct dictionary *)made.report.names;
	struct definition definition = {
		.kind = DEFINE_FUNCTION, .id = 1, .function = {"Process.always_pong", file, 1}};
	struct stack_frame frame = {1, 7};

	if (!names)
		made.report.names = names = dictionary_new();
	assert_int_equal(dictionary_define(names, &definition), 0);
	definition = (struct definition){
		.kind = DEFINE_STACK, .id = 1, .stack = {&frame, 1, false}};
	assert_int_equal(dictionary_define(names, &definition), 0);
	return 1;
}

static void uvicorn_s_supervisor_kills_whom_it_does_not_hear(void **state)
{
	(void)state;
	starve(1, 5500 * MS, &made.hog, 5500 * MS)->stack = stack_in(
		"/venv/lib/python3.11/site-packages/uvicorn/supervisors/"
		"multiprocess.py");
	starve(2, 5600 * MS, &made.hog, 5600 * MS);
	find(2);
	assert_int_equal(made.found->list[1].ns, 5500 * MS);
	assert_non_null(strstr(text(1), "(101), which answers uvicorn's supervisor, waited"));
	assert_non_null(strstr(advice(1), "Child process died"));
	assert_null(strstr(advice(0), "uvicorn"));
}

static void a_file_of_that_name_elsewhere_is_not_uvicorn_s(void **state)
{
	(void)state;
	starve(1, 5500 * MS, &made.hog, 5500 * MS)->stack = stack_in("/srv/multiprocess.py");
	find(1);
	assert_null(strstr(text(0), "uvicorn"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_thread_and_who_had_the_gil),
		TEST(threads_that_waited_for_the_same_one_are_one_finding),
		TEST(a_loop_s_thread_has_stalls_instead),
		TEST(a_thread_that_had_it_for_less_than_half_is_not_charged),
		TEST(an_unknown_holder_is_said_and_a_part_is_a_bound),
		TEST(several_waits_are_counted),
		TEST(uvicorn_s_supervisor_kills_whom_it_does_not_hear),
		TEST(a_file_of_that_name_elsewhere_is_not_uvicorn_s),
	};

	return cmocka_run_group_tests_name("diagnosis_starved", tests, NULL, NULL);
}
