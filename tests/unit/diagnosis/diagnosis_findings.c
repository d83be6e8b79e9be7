/* SPDX-License-Identifier: MIT */
/* The findings made from hand-made stalls. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "diagnosis/findings.h"

#define MS	  UINT64_C(1000000)
#define SHARES	  16
#define LIBRARY	  "/usr/lib/python3/dist-packages/"
#define THRESHOLD (50 * MS)

/* Stacks by number: the outermost frame is an application function of that name. */
enum { ALPHA = 1, BETA, GAMMA, REQUESTS, CONVERT, SENDS, ENCODES, PARSES, STACKS };

static struct made {
	struct report report;
	struct dictionary *names;
	struct handler_finder *finder;
	struct process process;
	struct thread loop_thread, worker;
	struct loop loop;
	struct process_report process_report;
	struct loop_report loop_report;
	struct stall stalls[4];
	struct stack_share shares[4][SHARES];
	struct blocker blocker;
	struct cpu_share occupants[8];
	struct turn_part part;
	struct finding_list *found;
} made;

static uint32_t function(const char *name, const char *file)
{
	struct definition definition = {.kind = DEFINE_FUNCTION, .function = {name, file, 1}};
	uint32_t id;

	assert_int_equal(dictionary_intern(made.names, &definition, &id), 0);
	return id;
}

static void stack(const struct stack_frame *frames, uint32_t count)
{
	struct definition definition = {.kind = DEFINE_STACK, .stack = {frames, count, false}};
	uint32_t id;

	assert_int_equal(dictionary_intern(made.names, &definition, &id), 0);
}

/* Frames are listed from the innermost. Handlers have the role "frame". */
static void make_stacks(void)
{
	uint32_t run = function("Handle._run", "/usr/lib/python3.11/asyncio/events.py");
	uint32_t names[STACKS] = {
		[ALPHA] = function("alpha", "/srv/app.py"),
		[BETA] = function("beta", "/srv/app.py"),
		[GAMMA] = function("gamma", "/srv/app.py"),
		[REQUESTS] = function("get", LIBRARY "requests/api.py"),
		[CONVERT] = function("convert", "/srv/work.py"),
		[SENDS] = function("WebSocket.send_text", LIBRARY "starlette/websockets.py"),
		[ENCODES] = function("serialize_response", LIBRARY "fastapi/routing.py"),
		[PARSES] = function("loads", "/usr/lib/python3.11/json/__init__.py"),
	};

	for (uint32_t id = ALPHA; id <= GAMMA; id++)
		stack((struct stack_frame[]){{names[id], 7}, {run, 8}}, 2);
	stack((struct stack_frame[]){{names[REQUESTS], 5}, {names[ALPHA], 7}, {run, 8}}, 3);
	stack((struct stack_frame[]){{names[CONVERT], 5}, {names[ALPHA], 7}, {run, 8}}, 3);
	stack((struct stack_frame[]){{names[SENDS], 5}, {names[ALPHA], 7}, {run, 8}}, 3);
	stack((struct stack_frame[]){{names[ENCODES], 5}, {run, 8}}, 2);
	stack((struct stack_frame[]){{names[PARSES], 5}, {names[CONVERT], 7}}, 2);
}

static int setup(void **state)
{
	(void)state;
	made = (struct made){.report = {.stall_ns = THRESHOLD,
					.stacks = true,
					.process_count = 1,
					.window = {.start = 0, .end = 1000 * MS}}};
	made.names = dictionary_new();
	made.finder = handler_finder_new(NULL, 0);
	make_stacks();
	made.report.names = made.names;
	made.report.finder = made.finder;
	made.report.processes = &made.process_report;
	made.process.info.pid = 100;
	made.process.info.gil_enabled = true;
	strcpy(made.process.info.machine, "x86_64");
	made.loop_thread = (struct thread){.tid = 100, .process = &made.process};
	made.worker = (struct thread){.tid = 101, .process = &made.process, .comm = "worker"};
	made.loop.thread = &made.loop_thread;
	made.process_report = (struct process_report){
		.process = &made.process, .loops = &made.loop_report, .loop_count = 1};
	made.loop_report = (struct loop_report){.loop = &made.loop, .stalls = made.stalls};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	findings_free(made.found);
	handler_finder_free(made.finder);
	dictionary_free(made.names);
	return 0;
}

/* Adds a stall, which is still empty. */
static struct stall *add_stall(void)
{
	uint32_t n = made.loop_report.stall_count++;
	struct stall *stall = &made.stalls[n];

	*stall = (struct stall){.start = n * 2000 * MS, .end = n * 2000 * MS, .whole = true};
	stall->what.stacks = made.shares[n];
	return stall;
}

static struct stack_share *add(struct stall *stall, uint32_t id, enum thread_state state,
			       uint64_t ns)
{
	struct stack_share *share = &stall->what.stacks[stall->what.stack_count++];

	*share = (struct stack_share){.stack = id, .sysno = SYSNO_UNKNOWN};
	share->states.ns[state] = ns;
	stall->what.states.ns[state] += ns;
	stall->end += ns;
	return share;
}

/* The list of findings, as "id function ns count; …", in ms. */
static const char *list(void)
{
	static struct text_buffer text;

	text = (struct text_buffer){0};
	findings_free(made.found);
	made.found = findings_new(&made.report);
	assert_non_null(made.found);
	for (uint32_t i = 0; i < made.found->count; i++) {
		const struct finding *finding = &made.found->list[i];
		const struct definition *named = dictionary_find(made.names, DEFINE_FUNCTION,
								 finding->handler.frame.function);

		text_separate(&text, "; ");
		text_add(&text, "%s %s %llu/%llu", finding_name(finding->id),
			 named ? named->function.name : "-", (unsigned long long)(finding->ns / MS),
			 (unsigned long long)finding->count);
	}
	return text.bytes;
}

static const char *text_of(uint32_t i)
{
	static struct text_buffer text;

	text = (struct text_buffer){0};
	finding_text(&text, &made.report, &made.found->list[i]);
	return text.bytes;
}

static const char *text_of_first(void)
{
	return text_of(0);
}

static const char *advice_of_first(void)
{
	static struct text_buffer text;

	text = (struct text_buffer){0};
	finding_advice(&text, &made.report, &made.found->list[0]);
	return text.bytes;
}

static void cause_and_function_belong_together(void **state)
{
	struct stall *stall = add_stall();

	(void)state;
	add(stall, ALPHA, TS_PYTHON, 237 * MS);
	add(stall, BETA, TS_BLOCKED, 202 * MS)->sysno = 230;
	assert_string_equal(list(), "running_python alpha 237/1; blocking_call beta 202/1");
}

static void only_what_would_be_a_stall_by_itself_is_found(void **state)
{
	struct stall *stall = add_stall();

	(void)state;
	add(stall, ALPHA, TS_PYTHON, 60 * MS);
	add(stall, BETA, TS_BLOCKED, THRESHOLD - 1);
	add(stall, GAMMA, TS_NATIVE, THRESHOLD);
	assert_string_equal(list(), "running_python alpha 60/1; native_code gamma 50/1");
}

static void small_callbacks_stand_side_by_side(void **state)
{
	struct stall *stall = add_stall();

	(void)state;
	add(stall, ALPHA, TS_PYTHON, 20 * MS);
	add(stall, BETA, TS_PYTHON, 18 * MS);
	add(stall, GAMMA, TS_PYTHON, 1 * MS); /* less than a tenth of its kind */
	add(stall, GAMMA, TS_BLOCKED, 20 * MS);
	assert_string_equal(list(), "running_python alpha 20/1; running_python beta 18/1");
}

static void stalls_of_one_subject_add_up(void **state)
{
	(void)state;
	add(add_stall(), ALPHA, TS_PYTHON, 60 * MS);
	add(add_stall(), BETA, TS_PYTHON, 130 * MS);
	add(add_stall(), ALPHA, TS_PYTHON, 80 * MS);
	assert_string_equal(list(), "running_python alpha 140/2; running_python beta 130/1");
	assert_int_equal(made.found->list[0].worst_ns, 80 * MS);
	assert_int_equal(made.found->list[0].stall_count, 2);
	assert_int_equal(made.found->list[0].stalls[0], 0);
	assert_int_equal(made.found->list[0].stalls[1], 2);
	assert_int_equal(made.found->list[0].evidence, EVIDENCE_SAMPLED);
}

static void a_function_in_two_loops_is_one(void **state)
{
	struct thread second_thread = {.tid = 102, .process = &made.process};
	struct loop second = {.thread = &second_thread};
	struct loop_report loops[2];

	(void)state;
	add(add_stall(), ALPHA, TS_BLOCKED, 60 * MS)->sysno = 230;
	add(add_stall(), ALPHA, TS_BLOCKED, 70 * MS)->sysno = 230;
	loops[0] = loops[1] = made.loop_report;
	loops[0].stall_count = loops[1].stall_count = 1;
	loops[1].loop = &second;
	loops[1].stalls++;
	made.process_report.loops = loops;
	made.process_report.loop_count = 2;
	assert_string_equal(list(), "blocking_call alpha 130/2");
	assert_true(made.found->list[0].many_threads);
	assert_int_equal(made.found->list[0].stall_count, 2);
}

static void a_function_has_a_finding_for_each_call(void **state)
{
	struct stall *stall = add_stall();

	(void)state;
	add(stall, REQUESTS, TS_BLOCKED, 90 * MS)->sysno = 45; /* recvfrom */
	add(stall, ALPHA, TS_BLOCKED, 70 * MS)->sysno = 230;
	assert_string_equal(list(), "blocking_call alpha 90/1; blocking_call alpha 70/1");
	assert_non_null(strstr(text_of_first(), "blocked the event loop in requests (recvfrom) "
						"for 90.0" NBSP "ms in one stall"));
	assert_non_null(strstr(advice_of_first(), "httpx.AsyncClient"));
	assert_int_equal(made.found->list[0].evidence, EVIDENCE_TRACED);
}

static void the_innermost_function_of_the_application_is_named(void **state)
{
	(void)state;
	add(add_stall(), CONVERT, TS_PYTHON, 90 * MS);
	assert_string_equal(list(), "running_python alpha 90/1");
	assert_non_null(strstr(text_of_first(), "in convert" NBSP "(/srv/work.py:5), ran Python"));
}

static void awaits_without_waiting_of_one_task_never_yield(void **state)
{
	struct stall *stall = add_stall();

	(void)state;
	add(stall, SENDS, TS_PYTHON, 40 * MS)->root = 7;
	add(stall, SENDS, TS_NATIVE, 20 * MS)->root = 7;
	add(stall, ALPHA, TS_PYTHON, 30 * MS)->root = 7;
	add(stall, ALPHA, TS_PYTHON, 60 * MS)->root = 8;
	assert_string_equal(list(), "never_yields alpha 90/1; running_python alpha 60/1");
	assert_non_null(strstr(text_of_first(),
			       "awaited sends of a WebSocket, which never had to wait, so "
			       "nothing else could run on the event loop for 90.0"));
	assert_non_null(strstr(advice_of_first(), "await asyncio.sleep(0)"));
}

static void awaits_of_many_tasks_may_have_yielded(void **state)
{
	struct stall *stall = add_stall();

	(void)state;
	for (uint64_t root = 1; root <= 8; root++)
		add(stall, SENDS, TS_PYTHON, 20 * MS)->root = root;
	add(stall, SENDS, TS_PYTHON, 20 * MS); /* without a known owner */
	assert_string_equal(list(), "running_python alpha 180/1");
}

static void one_await_beside_much_work_is_the_works(void **state)
{
	struct stall *stall = add_stall();

	(void)state;
	add(stall, SENDS, TS_PYTHON, 40 * MS)->root = 7;
	add(stall, ALPHA, TS_PYTHON, 200 * MS)->root = 7;
	assert_string_equal(list(), "running_python alpha 240/1");
}

static void a_body_is_the_framework_s_work(void **state)
{
	struct stall *stall = add_stall();

	(void)state;
	add(stall, ENCODES, TS_PYTHON, 90 * MS)->root = 7;
	assert_string_equal(list(), "response_or_request_body - 90/1");
	assert_string_equal(text_of_first(),
			    "FastAPI's encoding of the response kept the event loop busy for "
			    "90.0" NBSP "ms in one stall");
	made.part = (struct turn_part){.root = 7, .handler = {.role = HANDLER_ROUTE}};
	made.part.handler.frame = (struct stack_frame){.function = 2, .line = 7};
	stall->parts = &made.part;
	stall->part_count = 1;
	assert_string_equal(list(), "response_or_request_body alpha 90/1");
	assert_non_null(strstr(text_of_first(), "of the response for alpha"));
	made.part.root = 8; /* part of another request */
	assert_string_equal(list(), "response_or_request_body - 90/1");
}

static void many_threads_of_c_code_are_counted(void **state)
{
	static struct thread threads[24];
	static struct helper helpers[24];
	struct stall *stall = add_stall();

	(void)state;
	add(stall, ALPHA, TS_BLOCKED, 100 * MS)->sysno = 202;
	for (uint32_t i = 0; i < 24; i++) {
		threads[i] = (struct thread){
			.tid = 200 + i, .process = &made.process, .comm = "blas"};
		helpers[i] = (struct helper){.thread = &threads[i], .ns = 10 * MS};
	}
	stall->what.helpers = helpers;
	stall->what.helper_count = 24;
	stall->what.helped_ns = 100 * MS;
	stall->what.helped_stack = ALPHA;
	assert_string_equal(list(), "native_threads alpha 100/1");
	assert_non_null(strstr(text_of_first(), "while 24" NBSP "threads of C code (blas"));
	assert_null(strstr(text_of_first(), "mostly in"));
	/* two functions of one file, neither of which has half of the samples */
	helpers[0].natives[0] = (struct native_share){
		.function = function("dgemm_kernel", LIBRARY "numpy.libs/libopenblas.so"),
		.ns = 20 * MS};
	helpers[1].natives[0] = (struct native_share){
		.function = function("", LIBRARY "numpy.libs/libopenblas.so"), .ns = 15 * MS};
	helpers[2].sampled_ns = 70 * MS;
	assert_non_null(strstr(text_of_first(), "(blas …, mostly in libopenblas.so (numpy))"));
	helpers[2].sampled_ns = 75 * MS;
	assert_null(strstr(text_of_first(), "mostly in"));
}

static void the_program_comes_before_the_machine(void **state)
{
	struct stall *stall = add_stall();

	(void)state;
	add(stall, ALPHA, TS_PYTHON, 302 * MS);
	add(stall, ALPHA, TS_RUNNABLE, 1190 * MS);
	add(add_stall(), BETA, TS_PYTHON, 100 * MS);
	stall->what.preempted_by = made.occupants;
	for (uint32_t i = 0; i < 4; i++)
		made.occupants[i] = (struct cpu_share){
			.pid = 900 + i, .tid = 900 + i, .comm = "neighbour", .ns = 250 * MS};
	stall->what.preempted_by_count = 4;
	assert_string_equal(
		list(), "running_python alpha 302/1; no_cpu - 1190/1; running_python beta 100/1");
	assert_string_equal(text_of(1),
			    "The event loop needed 302" NBSP "ms of CPU, and waited for it "
			    "1.19" NBSP "s in one stall; 4" NBSP "others used it, "
			    "neighbour" NBSP "(900) for 25" NBSP "%");
}

static void a_neighbour_with_half_of_it_mostly_had_it(void **state)
{
	struct stall *stall = add_stall();

	(void)state;
	add(stall, ALPHA, TS_RUNNABLE, 200 * MS);
	stall->what.preempted_by = made.occupants;
	made.occupants[0] = (struct cpu_share){.pid = 900, .tid = 900, .comm = "x", .ns = 100 * MS};
	made.occupants[1] = (struct cpu_share){.pid = 901, .tid = 901, .comm = "y", .ns = 100 * MS};
	stall->what.preempted_by_count = 2;
	assert_string_equal(list(), "no_cpu - 200/1");
	assert_non_null(strstr(text_of_first(), "; mostly x" NBSP "(900) used it"));
}

static void a_quota_is_not_a_neighbour(void **state)
{
	struct stall *stall = add_stall();

	(void)state;
	add(stall, ALPHA, TS_HELD_RUNNABLE, 160 * MS);
	stall->what.throttled_ns = 100 * MS;
	assert_string_equal(list(), "quota - 100/1; no_cpu - 60/1");
}

static void a_collection_in_another_thread_is_distinguished_from_its_holder(void **state)
{
	struct stall *stall = add_stall();

	(void)state;
	add(stall, ALPHA, TS_GIL_WAIT, 200 * MS);
	made.blocker = (struct blocker){.thread = &made.worker, .gc_ns = 120 * MS};
	made.blocker.states.ns[TS_PYTHON] = 190 * MS;
	stall->what.blockers = &made.blocker;
	stall->what.blocker_count = 1;
	assert_string_equal(list(), "garbage_collection - 120/1; gil_held_by - 70/1");
	assert_ptr_equal(made.found->list[0].thread, &made.worker);
	assert_non_null(strstr(advice_of_first(), "gc.freeze()"));
}

/* In a thread pool, or with a thread for each request. */
static void a_function_that_has_the_gil_in_several_threads_is_one(void **state)
{
	static struct blocker blockers[2];
	static struct thread other;

	(void)state;
	other = (struct thread){.tid = 102, .process = &made.process, .comm = "other"};
	for (int i = 0; i < 2; i++) {
		struct stall *stall = add_stall();

		add(stall, ALPHA, TS_GIL_WAIT, 200 * MS);
		blockers[i] = (struct blocker){
			.thread = i ? &other : &made.worker,
			.handler = handler_find(made.finder, made.names, BETA)};
		blockers[i].states.ns[TS_PYTHON] = 200 * MS;
		stall->what.blockers = &blockers[i];
		stall->what.blocker_count = 1;
	}
	assert_string_equal(list(), "gil_held_by beta 400/2");
	assert_non_null(strstr(text_of_first(), "in several threads, held the GIL"));
}

/* The worker had the GIL for 200 ms: this long in json (and in a module of json), otherwise
 * asleep. */
static const char *text_of_holder(uint64_t json_ns, uint64_t module_ns)
{
	struct stall *stall = &made.stalls[0];
	struct stack_share *shares = made.shares[1];

	if (!made.loop_report.stall_count)
		add(add_stall(), ALPHA, TS_GIL_WAIT, 200 * MS);
	memset(shares, 0, 2 * sizeof(*shares));
	shares[0].stack = PARSES;
	shares[0].states.ns[TS_PYTHON] = json_ns;
	shares[0].natives[0] = (struct native_share){
		.function = function("scan", "/v/site-packages/fast/_json.so"),
		.state = TS_PYTHON,
		.ns = module_ns};
	shares[1].stack = GAMMA;
	shares[1].states.ns[TS_HELD_BLOCKED] = 200 * MS - json_ns;
	made.blocker = (struct blocker){.thread = &made.worker,
					.handler = handler_find(made.finder, made.names, PARSES),
					.stacks = shares,
					.stack_count = 2};
	made.blocker.states.ns[TS_PYTHON] = json_ns;
	made.blocker.states.ns[TS_HELD_BLOCKED] = 200 * MS - json_ns;
	stall->what.blockers = &made.blocker;
	stall->what.blocker_count = 1;
	assert_string_equal(list(), "gil_held_by convert 200/1");
	return text_of_first();
}

static void what_the_holder_mostly_did_is_said(void **state)
{
	(void)state;
	assert_non_null(strstr(text_of_holder(200 * MS, 99 * MS), " held the GIL in json while "));
	assert_non_null(strstr(advice_of_first(), "orjson and msgspec"));
	assert_non_null(strstr(text_of_holder(200 * MS, 100 * MS),
			       " in json, mostly in scan in _json.so (fast), while "));
	assert_non_null(strstr(text_of_holder(101 * MS, 99 * MS), " held the GIL in json while "));
	/* an activity of less than half of the time is not mentioned */
	assert_non_null(strstr(text_of_holder(99 * MS, 99 * MS), " held the GIL while "));
	assert_non_null(strstr(advice_of_first(), "It slept with the GIL"));
}

static void machine_code_is_said_of_its_own_state(void **state)
{
	struct stack_share *share = add(add_stall(), ALPHA, TS_PYTHON, 100 * MS);

	(void)state;
	share->natives[0] = (struct native_share){.function = function("deflate", "/lib/libz.so.1"),
						  .state = TS_NATIVE,
						  .ns = 90 * MS};
	share->states.ns[TS_NATIVE] = 90 * MS;
	assert_string_equal(list(), "running_python alpha 100/1; native_code alpha 90/1");
	assert_null(strstr(text_of_first(), "mostly in"));
	assert_non_null(strstr(text_of(1), ", mostly in deflate in libz.so.1, on the"));
}

static void what_the_collector_took_is_not_the_function_s(void **state)
{
	struct stall *stall = add_stall();

	(void)state;
	add(stall, ALPHA, TS_PYTHON, 200 * MS)->gc_ns = 120 * MS;
	stall->what.gc_ns = 120 * MS;
	assert_string_equal(list(), "garbage_collection - 120/1; running_python alpha 80/1");
}

static void an_unknown_holder_is_said(void **state)
{
	(void)state;
	add(add_stall(), ALPHA, TS_GIL_WAIT, 200 * MS);
	assert_string_equal(list(), "gil_held_by - 200/1");
	assert_non_null(strstr(text_of_first(), "which threads held it is unknown"));
	assert_string_equal(advice_of_first(), "");
}

static void missing_evidence_explains_nothing(void **state)
{
	struct stall *stall = add_stall();

	(void)state;
	add(stall, 0, TS_UNKNOWN, 40 * MS);
	add(stall, ALPHA, TS_PYTHON, 11 * MS);
	stall->whole = false;
	assert_string_equal(list(), "unexplained - 40/1");
	assert_int_equal(made.found->list[0].evidence, EVIDENCE_BOUNDED);
	stall->what.stack_count = 0;
	stall->what.states = (struct state_sums){0};
	stall->end = stall->start + 60 * MS;
	assert_string_equal(list(), "unexplained - 60/1");
}

static void without_stacks_the_time_is_counted_but_has_no_owner(void **state)
{
	struct stall *stall = add_stall();

	(void)state;
	add(stall, ALPHA, TS_BLOCKED, 70 * MS);
	stall->what.stack_count = 0;
	made.report.stacks = false;
	assert_string_equal(list(), "blocking_call - 70/1");
	assert_non_null(strstr(text_of_first(), "An unknown function blocked"));
}

static void nothing_is_not_an_all_clear(void **state)
{
	(void)state;
	assert_string_equal(list(), "nothing_found - 0/0");
	assert_non_null(strstr(text_of_first(), "No stalls (≥" NBSP "50.0" NBSP "ms) in "));
	assert_non_null(strstr(advice_of_first(), "Not looked at"));
	made.process_report.loop_count = 0;
	list();
	assert_non_null(strstr(text_of_first(), "nothing can be said about stalls"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cause_and_function_belong_together),
		TEST(only_what_would_be_a_stall_by_itself_is_found),
		TEST(small_callbacks_stand_side_by_side),
		TEST(stalls_of_one_subject_add_up),
		TEST(a_function_in_two_loops_is_one),
		TEST(a_function_has_a_finding_for_each_call),
		TEST(the_innermost_function_of_the_application_is_named),
		TEST(awaits_without_waiting_of_one_task_never_yield),
		TEST(awaits_of_many_tasks_may_have_yielded),
		TEST(one_await_beside_much_work_is_the_works),
		TEST(a_body_is_the_framework_s_work),
		TEST(many_threads_of_c_code_are_counted),
		TEST(the_program_comes_before_the_machine),
		TEST(a_neighbour_with_half_of_it_mostly_had_it),
		TEST(a_quota_is_not_a_neighbour),
		TEST(a_collection_in_another_thread_is_distinguished_from_its_holder),
		TEST(a_function_that_has_the_gil_in_several_threads_is_one),
		TEST(what_the_holder_mostly_did_is_said),
		TEST(machine_code_is_said_of_its_own_state),
		TEST(what_the_collector_took_is_not_the_function_s),
		TEST(an_unknown_holder_is_said),
		TEST(missing_evidence_explains_nothing),
		TEST(without_stacks_the_time_is_counted_but_has_no_owner),
		TEST(nothing_is_not_an_all_clear),
	};

	return cmocka_run_group_tests_name("diagnosis_findings", tests, NULL, NULL);
}
