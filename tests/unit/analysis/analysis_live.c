/* SPDX-License-Identifier: MIT */
/* A live view shows the difference of two reports: sums over disjoint stretches of time, while
 * threads and stalls come and go. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/live/live.h"

#define MS	  UINT64_C(1000000)
#define STEP_MS	  500
#define THREADS	  6
#define HANDLERS  5
#define STEPS_MAX 400

/* A hand-made report of a run, with its history: sums[n] are the totals at the end of step n. */
struct history {
	struct report report;
	struct process process;
	struct thread threads[THREADS];
	struct gil gil;
	struct loop loop;
	struct process_report process_report;
	struct thread_report thread_reports[THREADS];
	struct gil_report gil_report;
	struct loop_report loop_report;
	struct stall stalls[STEPS_MAX];
	struct blame blame[HANDLERS];
	uint64_t random;
	uint32_t steps;
	struct {
		struct thread_report threads[THREADS];
		struct gil_report gil;
		struct blame blame[HANDLERS];
		uint64_t turns, turn_ns, longest_ns, end;
		uint32_t stalls;
	} sums[STEPS_MAX + 1];
	struct live *live;
};

static uint64_t next_random(struct history *run, uint64_t below)
{
	run->random ^= run->random << 13;
	run->random ^= run->random >> 7;
	run->random ^= run->random << 17;
	return run->random % below;
}

static int setup(void **state)
{
	struct history *run = calloc(1, sizeof(*run));

	run->random = 88172645463325252u;
	run->live = live_new();
	run->loop.thread = &run->threads[0];
	run->gil.process = &run->process;
	for (uint32_t i = 0; i < THREADS; i++) {
		run->threads[i] = (struct thread){
			.process = &run->process, .tid = 100 + i, .index = i, .python = true};
		run->thread_reports[i].thread = &run->threads[i];
	}
	for (uint32_t i = 0; i < HANDLERS; i++)
		run->blame[i].handler = (struct handler){.role = HANDLER_ROUTE,
							 .frame = {i + 1, 1}};
	run->gil_report.gil = &run->gil;
	run->loop_report = (struct loop_report){.loop = &run->loop, .stalls = run->stalls};
	run->process_report = (struct process_report){.process = &run->process,
						      .gils = &run->gil_report,
						      .gil_count = 1,
						      .threads = run->thread_reports,
						      .loops = &run->loop_report,
						      .loop_count = 1};
	run->report = (struct report){.processes = &run->process_report,
				      .process_count = 1,
				      .blame = run->blame,
				      .stall_ns = 50 * MS,
				      .window = {.start = 1000 * MS, .end = 1000 * MS}};
	run->sums[0].end = 1000 * MS;
	*state = run;
	return 0;
}

static int teardown(void **state)
{
	struct history *run = *state;

	live_free(run->live);
	dist_done(&run->loop_report.turn);
	free(run);
	return 0;
}

/* Threads appear one after the other; half of them later become inactive. */
static void advance_threads(struct history *run)
{
	run->process_report.thread_count = run->steps / 7 + 1 < THREADS ? run->steps / 7 + 1
									: THREADS;
	for (uint32_t i = 0; i < run->process_report.thread_count; i++) {
		struct thread_report *thread = &run->thread_reports[i];

		if (i % 2 && run->steps > 60)
			continue;
		for (int s = 0; s < TS_COUNT; s++)
			thread->states.ns[s] += next_random(run, 80 * MS);
		thread->held_ns += next_random(run, 100 * MS);
		thread->waits += next_random(run, 10);
		thread->forced_drops += next_random(run, 3);
	}
	run->gil_report.held_ns += next_random(run, 400 * MS);
	run->gil_report.contended_ns += next_random(run, 100 * MS);
	run->gil_report.handoffs += next_random(run, 1000);
}

static void advance_loop(struct history *run)
{
	run->loop_report.recent_ns = 0;
	for (uint64_t i = next_random(run, 30); i > 0; i--) {
		uint64_t ns = next_random(run, 40 * MS) >> next_random(run, 20);

		assert_int_equal(dist_add(&run->loop_report.turn, ns), 0);
		if (ns > run->loop_report.recent_ns)
			run->loop_report.recent_ns = ns;
	}
	if (next_random(run, 3) == 0) {
		uint64_t end = run->report.window.end - next_random(run, 100 * MS);

		run->stalls[run->loop_report.stall_count++] = (struct stall){
			.start = end - 60 * MS,
			.end = end,
			.whole = true,
			.cause = TS_PYTHON,
			.what.states.ns[TS_PYTHON] = 60 * MS,
			.culprit = {.role = HANDLER_ROUTE,
				    .frame = {1 + (uint32_t)next_random(run, HANDLERS), 7}}};
		run->loop_report.recent_ns = 60 * MS;
	}
}

static void advance_blame(struct history *run)
{
	run->report.blame_count = run->steps / 10 + 1 < HANDLERS ? run->steps / 10 + 1 : HANDLERS;
	for (uint32_t i = 0; i < run->report.blame_count; i++) {
		struct blame *blame = &run->blame[i];

		blame->loop.ns[TS_PYTHON] += next_random(run, 2) * next_random(run, 90 * MS);
		blame->elsewhere.ns[TS_PYTHON] += next_random(run, 2) * next_random(run, 90 * MS);
		blame->made_loops_wait_ns += next_random(run, 2) * next_random(run, 30 * MS);
		blame->samples += next_random(run, 20);
	}
}

/* Makes the next report and remembers its totals. */
static void advance(struct history *run)
{
	run->steps++;
	assert_true(run->steps <= STEPS_MAX);
	run->report.window.end += STEP_MS * MS;
	advance_threads(run);
	advance_loop(run);
	advance_blame(run);
	memcpy(run->sums[run->steps].threads, run->thread_reports, sizeof(run->thread_reports));
	run->sums[run->steps].gil = run->gil_report;
	memcpy(run->sums[run->steps].blame, run->blame, sizeof(run->blame));
	run->sums[run->steps].turns = run->loop_report.turn.count;
	run->sums[run->steps].turn_ns = run->loop_report.turn.sum_ns;
	run->sums[run->steps].longest_ns = run->loop_report.recent_ns;
	run->sums[run->steps].stalls = run->loop_report.stall_count;
	run->sums[run->steps].end = run->report.window.end;
	assert_int_equal(live_update(run->live, &run->report), 0);
}

/* The step before the last `ns`. */
static uint32_t step_before(const struct history *run, uint64_t ns)
{
	uint32_t steps = (uint32_t)(ns / (STEP_MS * MS));

	return run->steps > steps ? run->steps - steps : 0;
}

static void check_threads(const struct history *run, const struct live_view *view)
{
	uint32_t before = step_before(run, LIVE_MOMENT_NS), shown = 0;

	assert_int_equal(view->moment_ns, run->sums[run->steps].end - run->sums[before].end);
	for (uint32_t i = 0; i < THREADS; i++) {
		const struct thread_report *then = &run->sums[before].threads[i],
					   *now = &run->sums[run->steps].threads[i];
		const struct live_thread *thread = &view->threads[shown];

		if (!memcmp(&then->states, &now->states, sizeof(now->states)))
			continue;
		assert_true(shown++ < view->thread_count);
		assert_ptr_equal(thread->thread, &run->threads[i]);
		for (int s = 0; s < TS_COUNT; s++)
			assert_int_equal(thread->states.ns[s],
					 now->states.ns[s] - then->states.ns[s]);
		assert_int_equal(thread->held_ns, now->held_ns - then->held_ns);
		assert_int_equal(thread->waits, now->waits - then->waits);
	}
	assert_int_equal(view->thread_count, shown);
	assert_int_equal(view->gil_count, 1);
	assert_int_equal(view->gils[0].held_ns,
			 run->sums[run->steps].gil.held_ns - run->sums[before].gil.held_ns);
	assert_int_equal(view->gils[0].contended_ns, run->sums[run->steps].gil.contended_ns -
							     run->sums[before].gil.contended_ns);
	assert_int_equal(view->gils[0].handoffs,
			 run->sums[run->steps].gil.handoffs - run->sums[before].gil.handoffs);
}

static void check_loop(const struct history *run, const struct live_view *view)
{
	uint32_t before = step_before(run, LIVE_WHILE_NS);
	uint64_t longest = 0;

	assert_int_equal(view->while_ns, run->sums[run->steps].end - run->sums[before].end);
	assert_int_equal(view->loop_count, 1);
	assert_int_equal(view->step_count, run->steps - before);
	assert_int_equal(view->loops[0].turn.count,
			 run->sums[run->steps].turns - run->sums[before].turns);
	assert_int_equal(view->loops[0].turn.sum_ns,
			 run->sums[run->steps].turn_ns - run->sums[before].turn_ns);
	for (uint32_t i = 0; i < view->step_count; i++) {
		assert_int_equal(view->step_ends[i], run->sums[before + 1 + i].end);
		assert_int_equal(view->loops[0].longest_ns[i],
				 run->sums[before + 1 + i].longest_ns);
		longest = view->loops[0].longest_ns[i] > longest ? view->loops[0].longest_ns[i]
								 : longest;
	}
	assert_int_equal(view->loops[0].turn.max_ns, longest);
	assert_int_equal(view->loops[0].stalls,
			 run->sums[run->steps].stalls - run->sums[before].stalls);
	assert_int_equal(view->loops[0].stall_ns, view->loops[0].stalls * 60 * MS);
	assert_int_equal(view->stall_count, view->loops[0].stalls);
	for (uint32_t i = 0; i < view->stall_count; i++)
		assert_int_equal(view->stalls[i]->stall.end,
				 run->stalls[run->loop_report.stall_count - 1 - i].end);
}

static void check_blame(const struct history *run, const struct live_view *view)
{
	uint32_t before = step_before(run, LIVE_WHILE_NS), stalls = 0;

	for (uint32_t i = 0; i < view->blame_count; i++) {
		const struct blame *blame = &view->blame[i];
		uint32_t handler = blame->handler.frame.function - 1;
		const struct blame *then = &run->sums[before].blame[handler],
				   *now = &run->sums[run->steps].blame[handler];

		assert_true(handler < HANDLERS);
		assert_int_equal(blame->loop.ns[TS_PYTHON],
				 now->loop.ns[TS_PYTHON] - then->loop.ns[TS_PYTHON]);
		assert_int_equal(blame->elsewhere.ns[TS_PYTHON],
				 now->elsewhere.ns[TS_PYTHON] - then->elsewhere.ns[TS_PYTHON]);
		assert_int_equal(blame->made_loops_wait_ns,
				 now->made_loops_wait_ns - then->made_loops_wait_ns);
		assert_int_equal(blame->samples, now->samples - then->samples);
		assert_int_equal(blame->stall_ns, blame->stalls * 60 * MS);
		stalls += (uint32_t)blame->stalls;
	}
	assert_int_equal(stalls, view->loops[0].stalls);
}

/* For three minutes, so that the ring wraps around: every view is the difference of two reports. */
static void a_view_is_the_difference_of_two_reports(void **state)
{
	struct history *run = *state;

	while (run->steps < 360) {
		struct live_view view;

		advance(run);
		assert_int_equal(live_view_make(run->live, &view), 0);
		check_threads(run, &view);
		check_loop(run, &view);
		check_blame(run, &view);
		live_view_done(&view);
	}
}

static void percentiles_are_those_of_the_last_minute(void **state)
{
	struct history *run = *state;
	struct live_view view;

	for (int i = 0; i < 100; i++)
		assert_int_equal(dist_add(&run->loop_report.turn, 900 * MS), 0);
	while (run->steps < 200) {
		advance(run);
		if (run->steps != 100 && run->steps != 200)
			continue;
		assert_int_equal(live_view_make(run->live, &view), 0);
		if (run->steps == 100)
			assert_true(dist_percentile(&view.loops[0].turn, 0.999) >=
				    run->loop_report.recent_ns);
		else
			assert_true(dist_percentile(&view.loops[0].turn, 1) <= 60 * MS);
		live_view_done(&view);
	}
}

/* While a stall lasts it is listed first, and once. Its culprit may still change until it ends. */
static void an_ongoing_stall_counts_once(void **state)
{
	struct history *run = *state;
	struct stall *stall = &run->stalls[0];
	uint64_t charged = 0;
	struct live_view view;

	run->loop_report.stall_count = 1;
	*stall = (struct stall){.start = run->report.window.end,
				.ongoing = true,
				.whole = true,
				.cause = TS_BLOCKED,
				.culprit = {HANDLER_ROUTE, 0, {1, 5}}};
	for (int i = 0; i < 20; i++) {
		run->report.window.end += STEP_MS * MS;
		run->loop_report.recent_ns = run->report.window.end - stall->start;
		if (i == 10) {
			stall->ongoing = false;
			stall->culprit.frame.function = 2;
		}
		if (i <= 10) {
			stall->end = run->report.window.end;
			stall->what.states.ns[TS_BLOCKED] = stall->end - stall->start;
		} else {
			run->loop_report.recent_ns = 0;
		}
		assert_int_equal(live_update(run->live, &run->report), 0);
		assert_int_equal(live_view_make(run->live, &view), 0);
		assert_int_equal(view.stall_count, 1);
		assert_int_equal(view.stalls_left_out, 0);
		assert_int_equal(view.stalls[0]->stall.ongoing, i < 10);
		assert_int_equal(view.loops[0].ongoing, i < 10);
		assert_int_equal(view.loops[0].stalls, 1);
		assert_int_equal(view.loops[0].stall_ns, stall->end - stall->start);
		assert_int_equal(view.loops[0].turn.max_ns, stall->end - stall->start);
		assert_int_equal(view.blame_count, 1);
		assert_int_equal(view.blame[0].handler.frame.function, i < 10 ? 1 : 2);
		assert_int_equal(view.blame[0].stalls, 1);
		charged = view.blame[0].stall_ns;
		live_view_done(&view);
	}
	assert_int_equal(charged, stall->end - stall->start);
}

/* When there are more stalls than are kept the rest is counted. A view outlives the stalls that
 * `live` frees. */
static void too_many_stalls_are_counted(void **state)
{
	struct history *run = *state;
	struct live_view view, later;
	uint32_t made = 0;

	for (int step = 0; step < 4; step++) {
		run->report.window.end += STEP_MS * MS;
		run->loop_report.stall_count = 0;
		for (uint32_t i = 0; i < 200; i++) {
			uint64_t end = run->report.window.end - STEP_MS * MS + (i + 1) * MS;

			run->stalls[run->loop_report.stall_count++] = (struct stall){
				.start = end - MS,
				.end = end,
				.whole = true,
				.cause = TS_NATIVE,
				.what.states.ns[TS_NATIVE] = MS};
			made++;
		}
		assert_int_equal(live_update(run->live, &run->report), 0);
	}
	assert_int_equal(live_view_make(run->live, &view), 0);
	assert_int_equal(view.stall_count, LIVE_STALLS_MAX);
	assert_int_equal(view.stall_count + view.stalls_left_out, made);
	assert_int_equal(view.loops[0].stalls, made);
	run->loop_report.stall_count = 0;
	run->report.window.end += 2 * LIVE_WHILE_NS;
	assert_int_equal(live_update(run->live, &run->report), 0);
	assert_int_equal(live_view_make(run->live, &later), 0);
	assert_int_equal(later.stall_count + later.stalls_left_out, 0);
	assert_int_equal(view.stalls[LIVE_STALLS_MAX - 1]->stall.what.states.ns[TS_NATIVE], MS);
	live_view_done(&later);
	live_view_done(&view);
}

/* When a step has more handlers than are distinguished, their sum is still right. */
static void too_many_handlers_are_one(void **state)
{
	struct history *run = *state;
	uint32_t count = LIVE_HANDLERS_MAX + 100;
	struct blame *many = calloc(count, sizeof(*many));
	struct live_view view;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		many[i].handler = (struct handler){.role = HANDLER_ROUTE, .frame = {i + 1, 1}};
		many[i].loop.ns[TS_PYTHON] = MS;
	}
	run->report.blame = many;
	run->report.blame_count = count;
	run->report.window.end += STEP_MS * MS;
	assert_int_equal(live_update(run->live, &run->report), 0);
	assert_int_equal(live_view_make(run->live, &view), 0);
	assert_true(view.blame_count <= LIVE_HANDLERS_MAX + 1);
	for (uint32_t i = 0; i < view.blame_count; i++)
		sum += view.blame[i].loop.ns[TS_PYTHON];
	assert_int_equal(sum, count * MS);
	live_view_done(&view);
	free(many);
}

struct visited {
	uint32_t ids[DEFINE_KINDS][16], count[DEFINE_KINDS];
};

static void note_visited(void *ctx, enum definition_kind kind, uint32_t id)
{
	struct visited *visited = ctx;

	for (uint32_t i = 0; i < visited->count[kind]; i++)
		if (visited->ids[kind][i] == id)
			return;
	if (id && visited->count[kind] < 16)
		visited->ids[kind][visited->count[kind]++] = id;
}

static bool has_visited(const struct visited *visited, enum definition_kind kind, uint32_t id)
{
	for (uint32_t i = 0; i < visited->count[kind]; i++)
		if (visited->ids[kind][i] == id)
			return true;
	return false;
}

/* What a view shows is kept, also when the report has let go of it. */
static void it_refers_to_what_it_shows(void **state)
{
	struct history *run = *state;
	struct visited visited = {0};
	const struct definition_visit visit = {note_visited, &visited};
	struct stack_share share = {.stack = 31, .task = 32, .file = 33};
	struct turn_part part = {.handler = {HANDLER_TASK, 0, {41, 1}}, .task = 42, .stack = 43};
	struct pool_function function = {.handler = {HANDLER_ROUTE, 0, {51, 1}}, .stack = 52};
	struct pool_report pool = {
		.process = &run->process, .functions = &function, .function_count = 1};
	struct wait_flame wait = {.waiter = &run->threads[0],
				  .holder = &run->threads[1],
				  .waiter_stack = 61,
				  .holder_stack = 62,
				  .ns = MS};
	static const struct {
		enum definition_kind kind;
		uint32_t id;
	} expected[] = {{DEFINE_STACK, 21},  {DEFINE_FUNCTION, 22}, {DEFINE_STACK, 31},
			{DEFINE_TEXT, 32},   {DEFINE_TEXT, 33},	    {DEFINE_FUNCTION, 41},
			{DEFINE_TEXT, 42},   {DEFINE_STACK, 43},    {DEFINE_FUNCTION, 51},
			{DEFINE_STACK, 52},  {DEFINE_STACK, 61},    {DEFINE_STACK, 62},
			{DEFINE_FUNCTION, 1}};

	run->report.window.end += STEP_MS * MS;
	run->stalls[0] = (struct stall){.start = 1100 * MS,
					.end = 1200 * MS,
					.whole = true,
					.cause = TS_BLOCKED,
					.stack = 21,
					.culprit = {HANDLER_ROUTE, 0, {22, 5}},
					.parts = &part,
					.part_count = 1};
	run->stalls[0].what.stacks = &share;
	run->stalls[0].what.stack_count = 1;
	run->loop_report.stall_count = 1;
	run->blame[0].loop.ns[TS_PYTHON] = MS;
	run->report.blame_count = 1;
	run->report.pools = &pool;
	run->report.pool_count = 1;
	pool.busy_ns = function.ns = function.stack_ns = MS;
	pool.threads = 1;
	run->report.wait_flames = &wait;
	run->report.wait_flame_count = 1;
	run->loop_report.loop = NULL;
	run->process_report.loop_count = 0; /* waits are shown of processes without loops */
	assert_int_equal(live_update(run->live, &run->report), 0);
	run->loop_report.loop = &run->loop;
	run->process_report.loop_count = 1;
	run->report.wait_flame_count = run->report.pool_count = 0;
	run->report.window.end += STEP_MS * MS;
	assert_int_equal(live_update(run->live, &run->report), 0);
	live_refers(run->live, &visit);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		if (!has_visited(&visited, expected[i].kind, expected[i].id))
			fail_msg("kind %d: %u", expected[i].kind, expected[i].id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_view_is_the_difference_of_two_reports, setup,
						teardown),
		cmocka_unit_test_setup_teardown(percentiles_are_those_of_the_last_minute, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_ongoing_stall_counts_once, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_stalls_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_handlers_are_one, setup, teardown),
		cmocka_unit_test_setup_teardown(it_refers_to_what_it_shows, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
