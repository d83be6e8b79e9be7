/* SPDX-License-Identifier: MIT */
/*
 * named.h - small streams through the model and the fold, with a dictionary and a simple finder of
 * handlers: the innermost frame of a file below /srv. Sums that must agree are checked in every
 * report.
 */
#ifndef TESTS_SIM_NAMED_H
#define TESTS_SIM_NAMED_H

#include "tests/sim/emitted.h"

#include "analysis/report.h"

#define MS UINT64_C(1000000)

/* Functions, and stacks of them (the innermost first), by number. */
enum { SELECT = 1, ALPHA, BETA, JOB, DUMPS };
enum { IN_SELECT = 1, IN_ALPHA, IN_ALPHA_DUMPS, IN_BETA, IN_JOB, IN_JOB_LATER, IN_DUMPS };

static struct dictionary *names;
static struct report_builder *builder;
static const struct report *found;

struct handler handler_find(struct handler_finder *finder, const struct dictionary *dictionary,
			    uint32_t stack)
{
	const struct definition *definition = dictionary_find(dictionary, DEFINE_STACK, stack);

	for (uint32_t i = 0; definition && i < definition->stack.count; i++) {
		struct stack_frame frame = definition->stack.frames[i];

		if (!strncmp(dictionary_find(dictionary, DEFINE_FUNCTION, frame.function)
				     ->function.file,
			     "/srv/", 5))
			return (struct handler){.role = HANDLER_FRAME, .index = i, .frame = frame};
	}
	return (struct handler){0};
}

void handler_note(struct handler_finder *finder, const struct dictionary *dictionary,
		  uint32_t stack, uint64_t root)
{
}

/* Functions that were on the stack of all these. */
bool handler_unsure(struct handler_finder *finder, const struct dictionary *dictionary,
		    uint32_t stack)
{
	return false;
}

static inline void define_function(uint32_t id, const char *name, const char *file, uint32_t line)
{
	struct definition definition = {
		.kind = DEFINE_FUNCTION, .id = id, .function = {name, file, line}};

	assert_int_equal(dictionary_define(names, &definition), 0);
}

static inline void define_stack(uint32_t id, struct stack_frame inner, struct stack_frame outer)
{
	struct stack_frame frames[] = {inner, outer};
	struct definition definition = {
		.kind = DEFINE_STACK,
		.id = id,
		.stack = {.frames = frames, .count = outer.function ? 2 : 1}};

	assert_int_equal(dictionary_define(names, &definition), 0);
}

static inline void define_all(void)
{
	const struct stack_frame none = {0};

	names = dictionary_new();
	assert_non_null(names);
	define_function(SELECT, "select", "/usr/lib/python3/selectors.py", 400);
	define_function(ALPHA, "alpha", "/srv/app.py", 10);
	define_function(BETA, "beta", "/srv/app.py", 20);
	define_function(JOB, "job", "/srv/jobs.py", 5);
	define_function(DUMPS, "dumps", "/usr/lib/python3/json/__init__.py", 180);
	define_stack(IN_SELECT, (struct stack_frame){SELECT, 452}, none);
	define_stack(IN_ALPHA, (struct stack_frame){ALPHA, 11}, none);
	define_stack(IN_ALPHA_DUMPS, (struct stack_frame){DUMPS, 231},
		     (struct stack_frame){ALPHA, 12});
	define_stack(IN_BETA, (struct stack_frame){BETA, 21}, none);
	define_stack(IN_JOB, (struct stack_frame){JOB, 6}, none);
	define_stack(IN_JOB_LATER, (struct stack_frame){JOB, 7}, none);
	define_stack(IN_DUMPS, (struct stack_frame){DUMPS, 231}, none);
}

/* A runs the loop, without the GIL, and its turn begins at 10 ms; B is another thread. Each runs on
 * a CPU of its own. */
static inline void begin_at(uint32_t rate_hz, enum gc_evidence gc)
{
	const struct stream_head head = {
		.version = "0.1.0", .mode = MODE_EXACT, .stacks = true, .rate_hz = rate_hz};
	struct process_info info = {.pid = PID, .gil_enabled = true};
	struct stream_sink sink;

	define_all();
	builder = report_builder_new(50 * MS, &head, names, (struct handler_finder *)names);
	assert_non_null(builder);
	world = world_new(report_builder_sink(builder), MODE_EXACT);
	assert_non_null(world);
	sink = world_sink(world);
	info.gc = gc;
	assert_int_equal(sink_process(&sink, &info), 0);
	FEED(GIL, gil, 0, PID, 0, 0, .address = 0x1000);
	descriptor(0, EPFD);
	thread(0, A, EVF_THREAD_PYTHON);
	thread(0, B, EVF_THREAD_PYTHON);
	thread(0, C, EVF_THREAD_PYTHON);
	window(1, false);
	in(2, A, 0);
	in(2, B, 1);
	in(2, C, 2);
	for (uint32_t tid = A; tid <= C; tid++) {
		take(tid * 10, tid);
		drop(tid * 10 + 1, tid);
	}
	enter(100, A, EPFD);
	leave(10 * MS, A, EPFD);
}

static inline void begin_names(void)
{
	begin_at(200, GC_PROBES); /* a sample is valid for 20 ms */
}

static inline int teardown(void **state)
{
	report_builder_free(builder);
	world_free(world);
	dictionary_free(names);
	builder = NULL;
	world = NULL;
	names = NULL;
	return 0;
}

/* ── the report ──────────────────────────────────────────────────────────── */

static inline void add_states(struct state_sums *sums, const struct state_sums *from)
{
	for (int i = 0; i < TS_COUNT; i++)
		sums->ns[i] += from->ns[i];
}

#define ASSERT_STATES(a, b) assert_memory_equal(&(a), &(b), sizeof(struct state_sums))

static inline void check_shares(const struct stack_share *shares, uint32_t count,
				const struct state_sums *states, uint64_t gc_ns)
{
	struct state_sums sum = {0};
	uint64_t sum_gc = 0;

	for (uint32_t i = 0; i < count; i++) {
		add_states(&sum, &shares[i].states);
		sum_gc += shares[i].gc_ns;
		assert_true(shares[i].gc_ns <= state_sums_total(&shares[i].states));
		assert_true(!i || state_sums_total(&shares[i].states) <=
					  state_sums_total(&shares[i - 1].states));
	}
	ASSERT_STATES(sum, *states);
	assert_int_equal(sum_gc, gc_ns);
}

static inline uint64_t share_ns(const struct stack_share *shares, uint32_t count, uint32_t stack,
				enum thread_state state)
{
	uint64_t ns = 0;

	for (uint32_t i = 0; i < count; i++)
		ns += shares[i].stack == stack ? shares[i].states.ns[state] : 0;
	return ns;
}

#define SHARE(list, stack, state) share_ns((list)->stacks, (list)->stack_count, stack, state)

static inline void check_stall(const struct stall *stall)
{
	struct state_sums parts = {0};

	assert_int_equal(state_sums_total(&stall->what.states), stall->end - stall->start);
	check_shares(stall->what.stacks, stall->what.stack_count, &stall->what.states,
		     stall->what.gc_ns);
	for (uint32_t i = 0; i < stall->what.blocker_count; i++) {
		const struct blocker *blocker = &stall->what.blockers[i];

		check_shares(blocker->stacks, blocker->stack_count, &blocker->states,
			     blocker->gc_ns);
	}
	assert_true(stall->part_count <= TURN_PARTS_MAX);
	for (uint32_t i = 0; i < stall->part_count; i++) {
		add_states(&parts, &stall->parts[i].states);
		assert_true(!i || stall->parts[i].start >= stall->parts[i - 1].start);
		assert_true(stall->start <= stall->parts[i].start &&
			    stall->parts[i].end <= stall->end);
		assert_true(state_sums_total(&stall->parts[i].states) <=
			    stall->parts[i].end - stall->parts[i].start);
	}
	ASSERT_STATES(parts, stall->what.states);
}

/* The flames of a thread add up to its states, and its waits by holder to its waits. */
static inline void check_thread(const struct report *report, const struct thread_report *thread)
{
	struct state_sums sum = {0};
	uint64_t waited = 0;

	for (uint32_t i = 0; i < report->flame_count; i++)
		if (report->flames[i].thread == thread->thread)
			sum.ns[report->flames[i].state] += report->flames[i].ns;
	ASSERT_STATES(sum, thread->states);
	for (uint32_t i = 0; i < report->wait_flame_count; i++)
		if (report->wait_flames[i].waiter == thread->thread)
			waited += report->wait_flames[i].ns;
	assert_int_equal(waited, thread->states.ns[TS_GIL_WAIT]);
}

static inline void check_report(const struct report *report)
{
	for (uint32_t p = 0; p < report->process_count; p++) {
		const struct process_report *process = &report->processes[p];

		for (uint32_t i = 0; i < process->thread_count; i++)
			check_thread(report, &process->threads[i]);
		for (uint32_t l = 0; l < process->loop_count; l++)
			for (uint32_t s = 0; s < process->loops[l].stall_count; s++)
				check_stall(&process->loops[l].stalls[s]);
	}
}

static inline const struct report *finish(void)
{
	assert_int_equal(report_builder_finish(builder, world, false, &found), 0);
	check_report(found);
	return found;
}

/* Ends the window during the turn; returns its only stall. */
static inline const struct stall *stall_until(uint64_t ts)
{
	const struct loop_report *loop;

	enter(ts, A, EPFD);
	window(ts + MS, true);
	finish();
	assert_int_equal(found->processes[0].loop_count, 1);
	loop = &found->processes[0].loops[0];
	assert_int_equal(loop->stall_count, 1);
	return &loop->stalls[0];
}

static inline uint64_t flame_ns(uint32_t tid, uint32_t stack, enum thread_state state, bool in_turn)
{
	uint64_t ns = 0;

	for (uint32_t i = 0; i < found->flame_count; i++) {
		const struct flame *flame = &found->flames[i];

		if (flame->thread->tid == tid && flame->stack == stack && flame->state == state &&
		    flame->in_turn == in_turn)
			ns += flame->ns;
	}
	return ns;
}

static inline const struct blame *blame_of(uint32_t function)
{
	for (uint32_t i = 0; i < found->blame_count; i++)
		if (found->blame[i].handler.frame.function == function)
			return &found->blame[i];
	return NULL;
}

#define CLOCK	EVF_STACK_CLOCK
#define SLEEP	EVF_STACK_SLEEP
#define PREEMPT EVF_STACK_PREEMPT
#define WAITS	EVF_STACK_WAIT
#define HOLDER	EVF_STACK_HOLDER

static inline void sample(uint64_t ts, uint32_t tid, uint8_t flags, uint32_t id, uint32_t task,
			  uint64_t root)
{
	FEED(STACK, stack, ts, tid, 0, flags, .stack = id, .task = task, .root = root);
}

#endif
