/* SPDX-License-Identifier: MIT */
/*
 * A process's last second, in simulated worlds (tests/sim/gilsim.h) that are slowed down so that
 * they last for some seconds, and then are killed: what each thread did in it is compared with the
 * intervals that were seen.
 */
#include "analysis/last/last.h"

#include "base/duration.h"
#include "tests/sim/named.h"

#include "tests/sim/gilrun.h"

#define SECOND_AND_PART (NS_PER_S + NS_PER_S / 10)

static struct {
	struct interval at[100000];
	uint32_t count;
} seen;
static uint64_t full, shorter, left_out; /* what the worlds had */
static const struct last_moments *last;

static void note_interval(void *ctx, const struct interval *i)
{
	assert_true(seen.count < sizeof(seen.at) / sizeof(seen.at[0]));
	seen.at[seen.count++] = *i;
}

static void setup(bool partial)
{
	const struct stream_head head = {
		.version = "0.1.0", .mode = MODE_EXACT, .stacks = true, .rate_hz = 199};
	const struct stretch_sink intervals = {.model = {.interval = note_interval}};

	names = dictionary_new();
	assert_non_null(names);
	for (uint32_t id = 1; id < SIM_PID + SIM_TIDS; id++) {
		define_function(id, "function", "/srv/app.py", id);
		define_stack(id, (struct stack_frame){id, id}, (struct stack_frame){0});
	}
	builder = report_builder_new(50 * NS_PER_MS, &head, names, (struct handler_finder *)names);
	assert_non_null(builder);
	assert_int_equal(attribution_add(report_builder_attribution(builder), intervals), 0);
	world = world_new(report_builder_sink(builder), partial ? MODE_EDGES : MODE_EXACT);
	assert_non_null(world);
	seen.count = 0;
}

static void feed(union event event, uint64_t ts)
{
	event.hdr.ts = ts;
	assert_int_equal(world_feed(world, &event), 0);
}

/* All its threads end a little after each other. */
static void kill_process(uint32_t pid, uint64_t now)
{
	feed((union event){.signal = {.hdr = {.type = EV_SIGNAL, .tid = pid, .aux = 9}}}, now);
	for (uint32_t tid = SIM_PID; tid < SIM_PID + SIM_TIDS; tid++)
		feed((union event){.thread_exit = {.hdr = {.type = EV_THREAD_EXIT, .tid = tid}}},
		     ++now);
	feed((union event){.death = {.hdr = {.type = EV_DEATH, .tid = pid, .aux = 9}}}, ++now);
	feed((union event){.process_exit = {.hdr = {.type = EV_PROCESS_EXIT, .tid = pid}}}, ++now);
	world_end(world, now + NS_PER_S);
}

/* `length_ns`: of the world, about. */
static void run_world(uint64_t seed, bool partial, uint64_t length_ns)
{
	static struct sim sim;
	const struct process_info info = {.pid = SIM_PID, .gil_enabled = true};
	const struct stream_sink sink = world_sink((setup(partial), world));
	uint64_t first, slower, now = 0;

	sim_init(&sim, seed, partial);
	sim_run(&sim, 600, 20);
	assert_int_equal(sink_process(&sink, &info), 0);
	first = sim.events.at[0].event.hdr.ts;
	slower = length_ns / (sim.events.at[sim.events.count - 1].event.hdr.ts - first);
	for (uint32_t i = 0; i < sim.events.count; i++) {
		const union event *event = &sim.events.at[i].event;

		if (event->hdr.type == EV_WINDOW && event->hdr.flags & EVF_WINDOW_END)
			continue;
		now = NS_PER_S + (event->hdr.ts - first) * slower;
		feed(*event, now);
	}
	sim_done(&sim);
	kill_process(SIM_PID, now + 1);
	finish();
}

/* ── what it says is what happened ───────────────────────────────────────── */

struct truth {
	uint64_t ns[TS_COUNT], held_ns, total, end;
};

static struct truth truth_of(const struct thread *thread)
{
	struct truth truth = {0};

	for (uint32_t n = 0; n < seen.count; n++) {
		const struct interval *i = &seen.at[n];
		uint64_t from = later(i->start, last->start),
			 to = i->end < last->end ? i->end : last->end;

		if (i->thread != thread || from >= to)
			continue;
		truth.ns[i->state] += to - from;
		truth.held_ns += interval_holds(i) ? to - from : 0;
		truth.total += to - from;
		truth.end = later(truth.end, to);
	}
	return truth;
}

static const struct last_thread *listed(const struct thread *thread)
{
	for (uint32_t i = 0; i < last->count; i++)
		if (last->threads[i].thread == thread)
			return &last->threads[i];
	return NULL;
}

static void check_order(void)
{
	for (uint32_t i = 1; i < last->count; i++) {
		const struct last_thread *a = &last->threads[i - 1], *b = &last->threads[i];

		assert_true(a->loop >= b->loop);
		assert_true(a->loop != b->loop || a->held_ns >= b->held_ns);
	}
}

/* Every thread of the report is listed with what it did, or one of the others. */
static void check_threads(const struct process_report *process)
{
	struct truth others = {0};
	uint32_t count = 0;

	for (uint32_t i = 0; i < process->thread_count; i++) {
		const struct thread *thread = process->threads[i].thread;
		const struct truth truth = truth_of(thread);
		const struct last_thread *found_here = listed(thread);

		if (found_here) {
			assert_memory_equal(found_here->states.ns, truth.ns, sizeof(truth.ns));
			assert_int_equal(found_here->held_ns, truth.held_ns);
			assert_true(truth.total <= last->end - last->start);
			continue;
		}
		for (int state = 0; state < TS_COUNT; state++)
			others.ns[state] += truth.ns[state];
		count += truth.total > 0;
	}
	assert_int_equal(last->others, count);
	assert_memory_equal(last->other_states.ns, others.ns, sizeof(others.ns));
	left_out += count;
}

static void check_world(void)
{
	const struct process_report *process = &found->processes[0];
	uint64_t most = 0, first = UINT64_MAX;

	last = process->last;
	assert_non_null(last);
	if (last->start == last->end)
		return;
	check_order();
	check_threads(process);
	for (uint32_t i = 0; i < process->thread_count; i++)
		most = later(most, truth_of(process->threads[i].thread).total);
	for (uint32_t n = 0; n < seen.count; n++)
		first = seen.at[n].start < first ? seen.at[n].start : first;
	assert_true(most > 0 && last->end - last->start <= SECOND_AND_PART);
	/* a second, unless it was not observed for as long */
	if (last->end - last->start >= NS_PER_S)
		full++;
	else
		shorter++;
	assert_true(last->end - last->start >= NS_PER_S || last->start <= later(first, NS_PER_S));
}

static void run_worlds(bool partial)
{
	for (uint64_t seed = 1; seed <= 150; seed++) {
		run_world(seed, partial, seed % 3 ? 4 * NS_PER_S : NS_PER_S / 2);
		check_world();
		teardown(NULL);
	}
	assert_true(full > 80 && shorter > 20 && left_out > 20);
}

static void the_last_second_is_that_of_the_intervals(void **state)
{
	run_worlds(false);
}

static void also_with_contended_transitions_alone(void **state)
{
	full = shorter = left_out = 0;
	run_worlds(true);
}

/* ── single cases ────────────────────────────────────────────────────────── */

enum { THREAD_S = 30 };

static void begin_threads(uint32_t threads)
{
	setup(false);
	feed((union event){.gil = {.hdr = {.type = EV_GIL, .tid = SIM_PID}, .address = 0x1000}}, 1);
	for (uint32_t i = 0; i < threads; i++)
		feed((union event){.thread = {.hdr = {.type = EV_THREAD,
						      .tid = SIM_PID + i,
						      .flags = EVF_THREAD_PYTHON},
					      .pid = SIM_PID}},
		     1);
	feed((union event){.window = {.hdr = {.type = EV_WINDOW}}}, 1);
}

/* Each for some ms, the latest at 10 s. */
static void take_turns(uint32_t threads)
{
	for (uint32_t i = 0; i < threads; i++) {
		uint64_t ts = 10 * NS_PER_S - (threads - i) * 30 * NS_PER_MS;

		feed((union event){.take = {.hdr = {.type = EV_TAKE, .tid = SIM_PID + i}}}, ts);
		feed((union event){.stack = {.hdr = {.type = EV_STACK,
						     .tid = SIM_PID + i,
						     .flags = EVF_STACK_CLOCK},
					     .stack = SIM_PID + i}},
		     ts + 1);
		feed((union event){.drop = {.hdr = {.type = EV_DROP, .tid = SIM_PID + i}}},
		     ts + (i + 1) * NS_PER_MS);
	}
}

/* The longest holders are listed, the others are added up, however many there are. */
static void only_some_threads_are_listed(void **state)
{
	enum { THREADS = 12 };
	uint64_t total;

	begin_threads(THREADS);
	take_turns(THREADS);
	kill_process(SIM_PID, 10 * NS_PER_S);
	finish();
	last = found->processes[0].last;
	assert_int_equal(last->count, LAST_THREADS_MAX);
	assert_int_equal(last->others, THREADS - LAST_THREADS_MAX);
	for (uint32_t i = 0; i < last->count; i++) {
		assert_int_equal(last->threads[i].thread->tid, SIM_PID + THREADS - 1 - i);
		assert_int_equal(last->threads[i].held_ns, (THREADS - i) * NS_PER_MS);
		assert_int_equal(last->threads[i].stack, SIM_PID + THREADS - 1 - i);
	}
	/* they end within some ns of each other */
	total = state_sums_total(&last->other_states);
	assert_in_range(total, last->others * (last->end - last->start) - 100,
			last->others * (last->end - last->start));
}

/* What was long before is not told, but where it was seen last is. */
static void what_was_before_does_not_count(void **state)
{
	begin_threads(2);
	take_turns(2);
	kill_process(SIM_PID, THREAD_S * NS_PER_S);
	finish();
	last = found->processes[0].last;
	assert_in_range(last->end - last->start, NS_PER_S, SECOND_AND_PART);
	assert_int_equal(last->threads[0].held_ns, 0);
	assert_int_equal(last->threads[0].stack, last->threads[0].thread->tid);
	assert_in_range(last->threads[0].ts_stack, 9 * NS_PER_S, 10 * NS_PER_S);
}

static void work(uint32_t tid, uint64_t from, uint64_t to)
{
	feed((union event){.take = {.hdr = {.type = EV_TAKE, .tid = tid}}}, from);
	feed((union event){.drop = {.hdr = {.type = EV_DROP, .tid = tid}}}, to);
}

/* More threads than have their sums at a time: what is not kept of one is unknown. */
static void what_there_is_no_room_for_is_unknown(void **state)
{
	const uint64_t end = 10 * NS_PER_S, tenth = NS_PER_S / 10;

	begin_threads(2);
	work(SIM_PID, 2 * NS_PER_S, 2 * NS_PER_S + 1);
	work(SIM_PID, end - 8 * tenth, end - 7 * tenth);
	for (uint32_t i = 0; i < LAST_THREADS_AT_ONCE; i++)
		work(1000 + i, end - 6 * tenth + 1000 * i, end - 6 * tenth + 1000 * i + 500);
	for (uint32_t i = 0; i < LAST_THREADS_AT_ONCE; i++)
		feed((union event){.thread_exit = {.hdr = {.type = EV_THREAD_EXIT,
							   .tid = 1000 + i}}},
		     end - 4 * tenth);
	work(SIM_PID, end - 3 * tenth, end - 2 * tenth);
	kill_process(SIM_PID, end);
	finish();
	assert_int_equal(builder->last_count, LAST_THREADS_AT_ONCE);
	last = found->processes[0].last;
	assert_int_equal(last->threads[0].thread->tid, SIM_PID);
	assert_int_equal(last->threads[0].held_ns, tenth);
	assert_in_range(last->threads[0].states.ns[TS_UNKNOWN], 3 * tenth, 4 * tenth);
	assert_in_range(last->end - last->start, NS_PER_S, SECOND_AND_PART);
}

/* One that lives has none. */
static void who_lives_has_no_last_second(void **state)
{
	begin_threads(2);
	take_turns(2);
	world_end(world, 11 * NS_PER_S);
	finish();
	assert_null(found->processes[0].last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_last_second_is_that_of_the_intervals, teardown),
		cmocka_unit_test_teardown(also_with_contended_transitions_alone, teardown),
		cmocka_unit_test_teardown(only_some_threads_are_listed, teardown),
		cmocka_unit_test_teardown(what_was_before_does_not_count, teardown),
		cmocka_unit_test_teardown(what_there_is_no_room_for_is_unknown, teardown),
		cmocka_unit_test_teardown(who_lives_has_no_last_second, teardown),
	};

	return cmocka_run_group_tests_name("analysis_last", tests, NULL, NULL);
}
