/* SPDX-License-Identifier: MIT */
/*
 * The timeline page: its blobs are decoded following the description in page.h, without any code of
 * page.c, and must contain the spans that went in and the figures of the report.
 *
 * PAGE_SEED=n runs one seed, PAGE_SEEDS=n that many of each kind.
 */
#include "tests/sim/spanned.h"

#include <stdlib.h>

#include "page_reader.h"

/* ── making one ──────────────────────────────────────────────────────────── */

/* The input, to compare with: stretches by thread and stack, clock samples. */
enum { THREADS = 256, STACKS = SIM_PID + SIM_TIDS, CLOCKS = 1 << 12 };
static struct fed {
	struct span_sink to;
	uint64_t stack_ns[THREADS][STACKS], task_ns[THREADS][STACKS], gc_ns[THREADS],
		throttled_ns[THREADS], sysno_ns[THREADS];
	struct stack_span clocks[CLOCKS];
	uint32_t clock_count;
} fed;

static void on_state(void *ctx, const struct interval *span)
{
	bool asleep = span->state == TS_BLOCKED || span->state == TS_HELD_BLOCKED ||
		      span->state == TS_IDLE;
	uint64_t ns = span->end - span->start;

	assert_true(span->thread->index < THREADS);
	fed.gc_ns[span->thread->index] += span->gc ? ns : 0;
	fed.throttled_ns[span->thread->index] += span->throttled ? ns : 0;
	fed.sysno_ns[span->thread->index] += asleep ? ns * (uint64_t)(span->sysno - SYSNO_FIRST)
						    : 0;
	fed.to.state(fed.to.ctx, span);
}

static void on_stack(void *ctx, const struct stack_span *span)
{
	fed.stack_ns[span->thread->index][span->stack] += span->end - span->start;
	fed.task_ns[span->thread->index][span->task] += span->end - span->start;
	fed.to.stack(fed.to.ctx, span);
}

static void on_clock(void *ctx, const struct stack_span *sample)
{
	assert_true(fed.clock_count < CLOCKS);
	fed.clocks[fed.clock_count++] = *sample;
	fed.to.clock(fed.to.ctx, sample);
}

static void on_hold(void *ctx, const struct hold *hold)
{
	fed.to.hold(fed.to.ctx, hold);
}

static void on_turn(void *ctx, const struct turn *turn)
{
	fed.to.turn(fed.to.ctx, turn);
}

/* Feeds the world and draws it. The caller finishes `*s`. */
static void draw(struct spanned *s, const struct sim *sim, bool partial, struct page *page)
{
	FILE *file = open_memstream(&page->text, &page->length);
	struct drawing *drawing = drawing_page.begin(file, &spanned_head, s->names, s->finder);

	assert_non_null(drawing);
	memset(&fed, 0, sizeof(fed));
	fed.to = drawing_page.sink(drawing);
	spanned_begin(s,
		      (struct span_sink){.state = on_state,
					 .stack = on_stack,
					 .clock = on_clock,
					 .hold = on_hold,
					 .turn = on_turn},
		      partial);
	spanned_feed(s, sim, 0);
	assert_int_equal(drawing_page.finish(drawing, s->report), 0);
	drawing_page.free(drawing);
	assert_int_equal(fclose(file), 0);
	page_open(page);
}

/* ── what stacks mean ────────────────────────────────────────────────────── */

static const char *function_name(const struct page *page, uint64_t function)
{
	return json_string_value(json_array_get(
		json_array_get(json_object_get(page->head, "functions"), function), 0));
}

/* A stack's id (tests/sim/spanned.h), from the name of its innermost function; all frames must be
 * those of that id. */
static uint32_t stack_id(const struct page *page, const struct stacks *stacks,
			 const struct spanned *s, uint64_t stack)
{
	const struct definition *definition;
	struct handler handler;
	uint32_t id = 0, depth = 0;

	if (!stack)
		return 0;
	assert_true(stack <= stacks->count);
	assert_int_equal(
		sscanf(function_name(page, stacks->functions[stacks->nodes[stack - 1] - 1]),
		       "function_%u", &id),
		1);
	definition = dictionary_find(s->names, DEFINE_STACK, id);
	for (uint64_t node = stacks->nodes[stack - 1]; node;
	     node = stacks->parents[node - 1], depth++) {
		const struct stack_frame *frame = &definition->stack.frames[depth];

		assert_true(depth < definition->stack.count && stacks->parents[node - 1] < node);
		assert_string_equal(
			function_name(page, stacks->functions[node - 1]),
			dictionary_find(s->names, DEFINE_FUNCTION, frame->function)->function.name);
		assert_int_equal(stacks->lines[node - 1], frame->line);
	}
	assert_int_equal(depth, definition->stack.count);
	assert_int_equal(stacks->cut[stack - 1], definition->stack.cut);
	handler = handler_find(s->finder, s->names, id);
	assert_int_equal(stacks->roles[stack - 1], handler.role);
	if (handler.role != HANDLER_NONE)
		assert_string_equal(
			function_name(page, stacks->handlers[stack - 1]),
			dictionary_find(s->names, DEFINE_FUNCTION, handler.frame.function)
				->function.name);
	else
		assert_int_equal(stacks->handlers[stack - 1], 0);
	return id;
}

/* A frame is a single node below its caller, however many stacks have it. */
static void no_node_twice(const struct stacks *stacks)
{
	for (uint64_t a = 0; a < stacks->node_count; a++)
		for (uint64_t b = 0; b < a; b++)
			assert_false(stacks->parents[a] == stacks->parents[b] &&
				     stacks->functions[a] == stacks->functions[b] &&
				     stacks->lines[a] == stacks->lines[b]);
}

/* ── lanes against the report ────────────────────────────────────────────── */

static struct totals {
	uint64_t states, stacks, tasks, clocks, holds, turns, sampled_ns, gc_ns, syscalls, handoffs;
} totals;

static bool has_call(unsigned char byte)
{
	enum thread_state state = (enum thread_state)(byte & PAGE_STATE_MASK);

	return state == TS_BLOCKED || state == TS_HELD_BLOCKED || state == TS_IDLE;
}

static void check_states(const struct page *page, const struct spanned *s, const json_t *entry,
			 const struct thread_report *report)
{
	struct blob blob = lane_of(page, entry, "states");
	struct state_sums sums = {0};
	uint64_t count = varint(&blob), at = count ? varint(&blob) : 0, sampled = 0, gc = 0,
		 throttled = 0, calls = 0;
	unsigned char *byte = bytes(&blob, count);
	uint64_t *length = varints(&blob, count);

	for (uint64_t i = 0; i < count; i++) {
		assert_true((byte[i] & PAGE_STATE_MASK) < TS_COUNT && length[i]);
		sums.ns[byte[i] & PAGE_STATE_MASK] += length[i];
		sampled += byte[i] & PAGE_STATE_SAMPLED ? length[i] : 0;
		gc += byte[i] & PAGE_STATE_GC ? length[i] : 0;
		throttled += byte[i] & PAGE_STATE_THROTTLED ? length[i] : 0;
		at += length[i];
		if (has_call(byte[i]))
			calls += varint(&blob) * length[i];
	}
	all_read(&blob);
	assert_memory_equal(&sums, &report->states, sizeof(sums));
	assert_int_equal(sampled, report->sampled_ns);
	assert_int_equal(gc, fed.gc_ns[report->thread->index]);
	assert_int_equal(throttled, fed.throttled_ns[report->thread->index]);
	assert_int_equal(calls, fed.sysno_ns[report->thread->index]);
	assert_true(!count || at == s->report->window.end - s->report->window.start ||
		    (report->thread->gone && at < s->report->window.end - s->report->window.start));
	totals.states += count;
	totals.sampled_ns += sampled;
	totals.gc_ns += gc;
	totals.syscalls += calls;
	free(byte);
	free(length);
}

static void check_stacks(const struct page *page, const struct stacks *stacks,
			 const struct spanned *s, const json_t *entry,
			 const struct thread_report *report)
{
	struct blob blob = lane_of(page, entry, "stacks");
	uint64_t count = varint(&blob), ns[STACKS] = {0}, tasks[STACKS] = {0}, total = 0;
	uint64_t *length, *stack, *task;

	if (count)
		varint(&blob);
	length = varints(&blob, count);
	stack = varints(&blob, count);
	task = varints(&blob, count);
	all_read(&blob);
	for (uint64_t i = 0; i < count; i++) {
		const char *text = json_string_value(
			json_array_get(json_object_get(page->head, "texts"), task[i]));
		uint32_t id = 0;

		assert_non_null(text);
		assert_int_equal(task[i] ? sscanf(text, "function_%u", &id) : (int)strlen(text),
				 task[i] ? 1 : 0);
		tasks[id] += length[i];
		ns[stack_id(page, stacks, s, stack[i])] += length[i];
		total += length[i];
		assert_false(i && stack[i] == stack[i - 1] && task[i] == task[i - 1]);
		totals.tasks += task[i] != 0;
	}
	assert_memory_equal(ns, fed.stack_ns[report->thread->index], sizeof(ns));
	assert_memory_equal(tasks, fed.task_ns[report->thread->index], sizeof(tasks));
	assert_int_equal(total, state_sums_total(&report->states));
	totals.stacks += count;
	free(length);
	free(stack);
	free(task);
}

static void check_clock(const struct page *page, const struct stacks *stacks,
			const struct spanned *s, const json_t *entry, const struct thread *thread)
{
	struct blob blob = lane_of(page, entry, "clock");
	uint64_t count = varint(&blob), at = s->report->window.start, i = 0;
	uint64_t *gap = varints(&blob, count), *stack = varints(&blob, count);

	all_read(&blob);
	for (uint32_t n = 0; n < fed.clock_count; n++) {
		if (fed.clocks[n].thread != thread)
			continue;
		assert_true(i < count);
		at += gap[i];
		assert_int_equal(at, fed.clocks[n].end);
		assert_int_equal(stack_id(page, stacks, s, stack[i++]), fed.clocks[n].stack);
	}
	assert_int_equal(i, count);
	totals.clocks += count;
	free(gap);
	free(stack);
}

static uint32_t index_of_thread(const struct process_report *process, const struct thread *thread)
{
	uint32_t i = 0;

	while (process->threads[i].thread != thread)
		assert_true(++i < process->thread_count);
	return i;
}

/* Where takes and drops that nobody waits for are not traced, the lane shows what is known of who
 * has the GIL, and not single holds. */
static void check_holds(const struct page *page, const struct process_report *process,
			const json_t *entry, const struct gil_report *report, uint64_t *holds)
{
	struct blob blob = lane_of(page, entry, "holds");
	uint64_t count = varint(&blob), held = 0, handoffs = 0, forced = 0, whole = 0, end = 0;
	uint64_t *gap = varints(&blob, count), *length = varints(&blob, count),
		 *thread = varints(&blob, count);
	unsigned char *flags = bytes(&blob, count);

	all_read(&blob);
	for (uint64_t i = 0; i < count; i++) {
		assert_true(length[i] && thread[i] < process->thread_count);
		end += gap[i] + length[i];
		held += length[i];
		handoffs += flags[i] & PAGE_HOLD_HANDOFF ? 1 : 0;
		forced += flags[i] & PAGE_HOLD_REQUESTED ? 1 : 0;
		whole += flags[i] & PAGE_HOLD_WHOLE ? 1 : 0;
		holds[thread[i]]++;
	}
	assert_true(end <= (uint64_t)number(page->head, "end_ns"));
	assert_int_equal(held, report->held_ns);
	if (!mode_is_cheap(report->gil->mode)) {
		assert_int_equal(handoffs, report->handoffs);
		assert_int_equal(forced, report->forced);
		assert_int_equal(whole, report->hold.count);
	}
	totals.holds += count;
	totals.handoffs += handoffs;
	free(gap);
	free(length);
	free(thread);
	free(flags);
}

static void check_turns(const struct page *page, const json_t *entry,
			const struct loop_report *report, uint64_t origin)
{
	struct blob blob = lane_of(page, entry, "turns");
	uint64_t count = varint(&blob), at = origin, longest = 0, whole = 0, stalls = 0;
	uint64_t *gap = varints(&blob, count), *length = varints(&blob, count);
	unsigned char *flags = bytes(&blob, count);

	all_read(&blob);
	for (uint64_t i = 0; i < count; i++) {
		at += gap[i];
		longest = length[i] > longest ? length[i] : longest;
		whole += (flags[i] & (PAGE_TURN_WHOLE | PAGE_TURN_ONGOING)) == PAGE_TURN_WHOLE;
		if (stalls < report->stall_count && report->stalls[stalls].start == at) {
			assert_int_equal(length[i],
					 report->stalls[stalls].end - report->stalls[stalls].start);
			assert_int_equal(report->stalls[stalls].ongoing,
					 (flags[i] & PAGE_TURN_ONGOING) != 0);
			stalls++;
		}
		at += length[i];
	}
	assert_int_equal(stalls, report->stall_count);
	assert_int_equal(whole, report->turn.count);
	assert_int_equal(longest, report->longest_ns);
	totals.turns += count;
	free(gap);
	free(length);
	free(flags);
}

static void check_page(const struct page *page, const struct spanned *s)
{
	const struct process_report *process = &s->report->processes[0];
	const json_t *threads = json_object_get(page->head, "threads"),
		     *gils = json_object_get(page->head, "gils"),
		     *loops = json_object_get(page->head, "loops");
	struct stacks stacks = stacks_of(page);
	bool cheap = process->gil_count && mode_is_cheap(process->gils[0].gil->mode);
	uint64_t holds[THREADS] = {0};

	no_node_twice(&stacks);
	assert_int_equal(strtoull(string(page->head, "origin_ns"), NULL, 10),
			 s->report->window.start);
	assert_int_equal(number(page->head, "end_ns"),
			 s->report->window.end - s->report->window.start);
	assert_int_equal(json_array_size(threads), process->thread_count);
	assert_int_equal(json_array_size(gils), process->gil_count);
	assert_int_equal(json_array_size(loops), process->loop_count);
	for (uint32_t i = 0; i < process->thread_count; i++) {
		const json_t *entry = json_array_get(threads, i);

		assert_int_equal(number(entry, "tid"), process->threads[i].thread->tid);
		assert_int_equal(json_is_true(json_object_get(entry, "gone")),
				 process->threads[i].thread->gone);
		check_states(page, s, entry, &process->threads[i]);
		check_stacks(page, &stacks, s, entry, &process->threads[i]);
		check_clock(page, &stacks, s, entry, process->threads[i].thread);
	}
	for (uint32_t i = 0; i < process->gil_count; i++)
		check_holds(page, process, json_array_get(gils, i), &process->gils[i], holds);
	for (uint32_t i = 0; i < process->thread_count; i++)
		assert_true(cheap || holds[i] == process->threads[i].holds);
	for (uint32_t i = 0; i < process->loop_count; i++) {
		assert_int_equal(number(json_array_get(loops, i), "thread"),
				 index_of_thread(process, process->loops[i].loop->thread));
		check_turns(page, json_array_get(loops, i), &process->loops[i],
			    s->report->window.start);
	}
	stacks_done(&stacks);
}

static void run_seeds(bool partial, uint32_t losses)
{
	static struct sim sim;
	const struct sim_seeds seeds = sim_seeds("PAGE_SEED", "PAGE_SEEDS", 20);

	memset(&totals, 0, sizeof(totals));
	for (uint64_t seed = seeds.first; seed < seeds.first + seeds.count; seed++) {
		struct spanned s;
		struct page page;

		sim_init(&sim, seed, partial);
		sim_run(&sim, 1200, 30);
		sim_lose(&sim, losses ? sim_random(&sim, losses) : 0);
		spanned_names(&s);
		draw(&s, &sim, partial, &page);
		check_page(&page, &s);
		page_done(&page);
		spanned_done(&s);
		sim_done(&sim);
	}
	if (seeds.single)
		return;
	assert_true(totals.states > seeds.count && totals.stacks > seeds.count &&
		    totals.tasks > seeds.count && totals.clocks > seeds.count &&
		    totals.holds > seeds.count);
	assert_true(totals.turns > seeds.count && totals.gc_ns > seeds.count &&
		    totals.syscalls > seeds.count && (partial || totals.handoffs > seeds.count));
	assert_int_equal(totals.sampled_ns > 0, partial);
}

static void lanes_are_the_report(void **state)
{
	run_seeds(false, 0);
}

static void lanes_are_the_report_with_losses(void **state)
{
	run_seeds(false, 12);
}

static void lanes_are_the_report_with_contended_transitions_alone(void **state)
{
	run_seeds(true, 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lanes_are_the_report),
		cmocka_unit_test(lanes_are_the_report_with_losses),
		cmocka_unit_test(lanes_are_the_report_with_contended_transitions_alone),
	};

	return cmocka_run_group_tests_name("view_page", tests, NULL, NULL);
}
