/* SPDX-License-Identifier: MIT */
/* One page with the whole recording: spans are added to columns while it is read; the report and
 * the meaning of ids are added at the end. */
#include "base/hash.h"
#include "view/page/page_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "view/assets.h"

struct state_entry {
	uint64_t start, end;
	int32_t sysno;
	unsigned char byte;
};
struct stack_entry {
	uint64_t start, end;
	uint32_t stack, task;
};
/* The latest entries are held back: spans may differ in something that a lane does not show. */
struct thread_lanes {
	struct page_lane states, stacks, clock;
	struct state_entry state;
	struct stack_entry stack;
};

/* The lane of a GIL or a loop. */
struct object_lane {
	UT_hash_handle hh;
	const void *object;
	struct page_lane lane;
};
struct object_lanes {
	struct object_lane *table, *latest;
};

struct drawing {
	FILE *file;
	struct stream_head head;
	const struct dictionary *names;
	struct handler_finder *finder;
	struct span_sink sink;
	struct thread_lanes **threads; /* by thread.index */
	uint32_t thread_room;
	struct object_lanes gils, loops;
	struct page_pools pools;
	struct numbering stacks, texts;
	bool syscalls[PAGE_SYSCALLS];
	int error;
};

static int keep_error(struct drawing *drawing, int err)
{
	if (err < 0 && !drawing->error)
		drawing->error = err;
	return err;
}

/* ── lanes ───────────────────────────────────────────────────────────────── */

static struct thread_lanes *thread_lanes(struct drawing *drawing, const struct thread *thread)
{
	uint32_t room = drawing->thread_room ? drawing->thread_room : 16;

	while (room <= thread->index)
		room *= 2;
	if (room > drawing->thread_room) {
		struct thread_lanes **grown = reallocarray(drawing->threads, room, sizeof(*grown));

		if (!grown) {
			keep_error(drawing, -ENOMEM);
			return NULL;
		}
		for (uint32_t i = drawing->thread_room; i < room; i++)
			grown[i] = NULL;
		drawing->threads = grown;
		drawing->thread_room = room;
	}
	if (!drawing->threads[thread->index])
		drawing->threads[thread->index] = calloc(1, sizeof(**drawing->threads));
	if (!drawing->threads[thread->index])
		keep_error(drawing, -ENOMEM);
	return drawing->threads[thread->index];
}

static struct page_lane *object_find(const struct object_lanes *lanes, const void *object)
{
	struct object_lane *found;

	HASH_FIND_PTR(lanes->table, &object, found);
	return found ? &found->lane : NULL;
}

static struct page_lane *object_lane(struct drawing *drawing, struct object_lanes *lanes,
				     const void *object)
{
	struct object_lane *found = lanes->latest;

	if (found && found->object == object)
		return &found->lane;
	HASH_FIND_PTR(lanes->table, &object, found);
	if (!found && (found = calloc(1, sizeof(*found)))) {
		found->object = object;
		HASH_ADD_PTR(lanes->table, object, found);
		if (HASH_FAILED(found)) {
			free(found);
			found = NULL;
		}
	}
	if (!found) {
		keep_error(drawing, -ENOMEM);
		return NULL;
	}
	lanes->latest = found;
	return &found->lane;
}

/* Starts an entry of a lane whose first column has the gaps. */
static int begin_behind_gap(struct page_lane *lane, uint64_t start, uint64_t end)
{
	uint64_t before = lane->end, count = lane->count;
	int err;

	if (count && start > before)
		lane->end = start;
	err = page_lane_next(lane, start, end);
	return err || !count ? err : column_add(&lane->columns[0], start - before);
}

/* ── spans ───────────────────────────────────────────────────────────────── */

static int put_state(struct drawing *drawing, struct page_lane *lane,
		     const struct state_entry *entry)
{
	enum thread_state state = (enum thread_state)(entry->byte & PAGE_STATE_MASK);
	int err = page_lane_next(lane, entry->start, entry->end);

	if (!err)
		err = column_add_byte(&lane->columns[0], entry->byte);
	if (!err)
		err = column_add(&lane->columns[1], entry->end - entry->start);
	if (err || !thread_state_sleeps(state))
		return err;
	if (entry->sysno >= 0 && entry->sysno < PAGE_SYSCALLS)
		drawing->syscalls[entry->sysno] = true;
	return column_add(&lane->columns[2], (uint64_t)((int64_t)entry->sysno - SYSNO_FIRST));
}

static void on_state(void *ctx, const struct interval *span)
{
	const int flags = (span->gc ? PAGE_STATE_GC : 0) |
			  (span->throttled ? PAGE_STATE_THROTTLED : 0) |
			  (span->sampled ? PAGE_STATE_SAMPLED : 0);
	const struct state_entry entry = {.start = span->start,
					  .end = span->end,
					  .sysno = thread_state_sleeps(span->state) ? span->sysno
										    : SYSNO_NONE,
					  .byte = (unsigned char)((int)span->state | flags)};
	struct drawing *drawing = ctx;
	struct thread_lanes *lanes = thread_lanes(drawing, span->thread);

	if (!lanes)
		return;
	if (lanes->state.end == entry.start && lanes->state.byte == entry.byte &&
	    lanes->state.sysno == entry.sysno) {
		lanes->state.end = entry.end;
		return;
	}
	if (lanes->state.start < lanes->state.end)
		keep_error(drawing, put_state(drawing, &lanes->states, &lanes->state));
	lanes->state = entry;
}

static int put_stack(struct page_lane *lane, const struct stack_entry *entry)
{
	int err = page_lane_next(lane, entry->start, entry->end);

	if (!err)
		err = column_add(&lane->columns[0], entry->end - entry->start);
	if (!err)
		err = column_add(&lane->columns[1], entry->stack);
	return err ? err : column_add(&lane->columns[2], entry->task);
}

static void on_stack(void *ctx, const struct stack_span *span)
{
	struct stack_entry entry = {.start = span->start, .end = span->end};
	struct drawing *drawing = ctx;
	struct thread_lanes *lanes = thread_lanes(drawing, span->thread);

	if (!lanes ||
	    keep_error(drawing, numbering_get(&drawing->stacks, drawing->names, DEFINE_STACK,
					      span->stack, &entry.stack)) < 0 ||
	    keep_error(drawing, numbering_get(&drawing->texts, drawing->names, DEFINE_TEXT,
					      span->task, &entry.task)) < 0)
		return;
	if (lanes->stack.end == entry.start && lanes->stack.stack == entry.stack &&
	    lanes->stack.task == entry.task) {
		lanes->stack.end = entry.end;
		return;
	}
	if (lanes->stack.start < lanes->stack.end)
		keep_error(drawing, put_stack(&lanes->stacks, &lanes->stack));
	lanes->stack = entry;
}

static void on_clock(void *ctx, const struct stack_span *span)
{
	struct drawing *drawing = ctx;
	struct thread_lanes *lanes = thread_lanes(drawing, span->thread);
	uint32_t stack;

	if (!lanes ||
	    keep_error(drawing, numbering_get(&drawing->stacks, drawing->names, DEFINE_STACK,
					      span->stack, &stack)) < 0 ||
	    keep_error(drawing, begin_behind_gap(&lanes->clock, span->end, span->end)) < 0)
		return;
	keep_error(drawing, column_add(&lanes->clock.columns[1], stack));
}

static void on_hold(void *ctx, const struct hold *hold)
{
	struct drawing *drawing = ctx;
	struct page_lane *lane = object_lane(drawing, &drawing->gils, hold->gil);
	int flags = (hold->whole ? PAGE_HOLD_WHOLE : 0) |
		    (hold->requested ? PAGE_HOLD_REQUESTED : 0) |
		    (hold->handoff ? PAGE_HOLD_HANDOFF : 0);

	if (!lane || keep_error(drawing, begin_behind_gap(lane, hold->start, hold->end)) < 0)
		return;
	keep_error(drawing, column_add(&lane->columns[1], hold->end - hold->start));
	/* until the report's indices are known */
	keep_error(drawing, column_add(&lane->columns[2], hold->thread->index));
	keep_error(drawing, column_add_byte(&lane->columns[3], (unsigned char)flags));
}

static void on_turn(void *ctx, const struct turn *turn)
{
	struct drawing *drawing = ctx;
	struct page_lane *lane = object_lane(drawing, &drawing->loops, turn->loop);
	int flags = (turn->whole ? PAGE_TURN_WHOLE : 0) | (turn->ongoing ? PAGE_TURN_ONGOING : 0);

	if (!lane || keep_error(drawing, begin_behind_gap(lane, turn->start, turn->end)) < 0)
		return;
	keep_error(drawing, column_add(&lane->columns[1], turn->end - turn->start));
	keep_error(drawing, column_add_byte(&lane->columns[2], (unsigned char)flags));
}

static void on_pool(void *ctx, const struct pool_step *step)
{
	struct drawing *drawing = ctx;

	keep_error(drawing, page_pools_add(&drawing->pools, step));
}

static void thread_lanes_free(struct thread_lanes *lanes)
{
	if (!lanes)
		return;
	page_lane_done(&lanes->states);
	page_lane_done(&lanes->stacks);
	page_lane_done(&lanes->clock);
	free(lanes);
}

static void object_forget(struct object_lanes *lanes, const void *object)
{
	struct object_lane *found;

	HASH_FIND_PTR(lanes->table, &object, found);
	if (!found)
		return;
	HASH_DEL(lanes->table, found);
	page_lane_done(&found->lane);
	free(found);
	lanes->latest = NULL;
}

/* A loop is known by its lane only. */
static void forget_loops(struct object_lanes *loops)
{
	struct object_lane *lane, *next;

	HASH_ITER(hh, loops->table, lane, next)
	{
		if (((const struct loop *)lane->object)->thread->leaves)
			object_forget(loops, lane->object);
	}
}

static void on_forget(void *ctx, const struct world *world)
{
	struct drawing *drawing = ctx;
	const struct thread *thread;
	const struct gil *gil;

	forget_loops(&drawing->loops);
	for (uint32_t position = 0; (gil = world_next_gil(world, &position));)
		if (gil->leaves)
			object_forget(&drawing->gils, gil);
	for (uint32_t position = 0; (thread = world_next_thread(world, &position));) {
		if (!thread->leaves || thread->index >= drawing->thread_room)
			continue;
		thread_lanes_free(drawing->threads[thread->index]);
		drawing->threads[thread->index] = NULL;
	}
}

/* ── begin and end ───────────────────────────────────────────────────────── */

static struct drawing *page_begin(FILE *file, const struct stream_head *head,
				  const struct dictionary *names, struct handler_finder *finder)
{
	struct drawing *drawing = calloc(1, sizeof(*drawing));

	if (!drawing)
		return NULL;
	*drawing = (struct drawing){.file = file, .head = *head, .names = names, .finder = finder};
	drawing->sink = (struct span_sink){.state = on_state,
					   .stack = on_stack,
					   .clock = on_clock,
					   .hold = on_hold,
					   .turn = on_turn,
					   .pool = on_pool,
					   .forget = on_forget,
					   .ctx = drawing};
	return drawing;
}

static struct span_sink page_sink(struct drawing *drawing)
{
	return drawing->sink;
}

static void object_lanes_done(struct object_lanes *lanes)
{
	struct object_lane *lane, *next;

	HASH_ITER(hh, lanes->table, lane, next)
	{
		HASH_DEL(lanes->table, lane);
		page_lane_done(&lane->lane);
		free(lane);
	}
}

static void page_free(struct drawing *drawing)
{
	if (!drawing)
		return;
	for (uint32_t i = 0; i < drawing->thread_room; i++)
		thread_lanes_free(drawing->threads[i]);
	free(drawing->threads);
	object_lanes_done(&drawing->gils);
	object_lanes_done(&drawing->loops);
	page_pools_done(&drawing->pools);
	numbering_done(&drawing->stacks);
	numbering_done(&drawing->texts);
	free(drawing);
}

/* What is needed to write the page. */
struct ending {
	struct drawing *drawing;
	const struct report *report;
	struct page_stacks stacks;
	uint32_t *numbers; /* indices of the report's threads, by thread.index */
};

static int write_report(FILE *file, const struct report *report)
{
	FILE *blob = page_blob_begin(file, "report");
	int shown, err;

	if (!blob)
		return -ENOMEM;
	shown = view_json.show(blob, report,
			       &(struct view_options){.origin_ns = report->window.start});
	err = page_blob_end(blob);
	return err ? err : shown;
}

static int write_head(FILE *file, const struct ending *ending)
{
	const struct drawing *drawing = ending->drawing;
	const struct page_head head = {.head = &drawing->head,
				       .report = ending->report,
				       .names = drawing->names,
				       .finder = drawing->finder,
				       .functions = &ending->stacks.functions,
				       .texts = &drawing->texts,
				       .syscalls = drawing->syscalls};

	return page_head_write(file, &head);
}

static int write_thread(FILE *file, const struct drawing *drawing, const struct thread *thread,
			uint32_t number, uint64_t origin)
{
	static const struct thread_lanes none;
	const struct thread_lanes *found = thread->index < drawing->thread_room
						   ? drawing->threads[thread->index]
						   : NULL,
				  *lanes = found ? found : &none;
	const struct page_lane *list[PAGE_THREAD_LANES] = {
		[PAGE_LANE_STATES] = &lanes->states,
		[PAGE_LANE_STACKS] = &lanes->stacks,
		[PAGE_LANE_CLOCK] = &lanes->clock,
	};
	int err = 0;

	for (uint32_t i = 0; !err && i < PAGE_THREAD_LANES; i++)
		err = page_lane_write(file, page_lane_of_thread(number) + i, list[i], NULL, origin);
	return err;
}

/* Replaces holders by their indices in the report. All are there, since holders of a GIL are Python
 * threads. */
static int number_holders(const struct ending *ending, struct page_lane *lane)
{
	struct column numbered = {0};
	int err = 0;

	for (size_t at = 0; !err && at < lane->columns[2].length;)
		err = column_add(&numbered, ending->numbers[column_next(&lane->columns[2], &at)]);
	column_done(&lane->columns[2]);
	lane->columns[2] = numbered;
	return err;
}

static int write_objects(FILE *file, const struct ending *ending,
			 const struct process_report *process, const struct page_counts *counts,
			 uint32_t *gil, uint32_t *loop)
{
	static const struct page_lane none;
	const struct drawing *drawing = ending->drawing;
	uint64_t origin = ending->report->window.start;
	int err = 0;

	for (uint32_t i = 0; !err && i < process->gil_count; i++, (*gil)++) {
		struct page_lane *lane = object_find(&drawing->gils, process->gils[i].gil);

		if (lane)
			err = number_holders(ending, lane);
		if (!err)
			err = page_lane_write(file, page_lane_of_gil(counts, *gil),
					      lane ? lane : &none, NULL, origin);
	}
	for (uint32_t i = 0; !err && i < process->loop_count; i++, (*loop)++) {
		const struct page_lane *lane = object_find(&drawing->loops, process->loops[i].loop);

		err = page_lane_write(file, page_lane_of_loop(counts, *loop), lane ? lane : &none,
				      NULL, origin);
	}
	return err;
}

static int write_pools(FILE *file, const struct ending *ending, const struct process *process,
		       const struct page_counts *counts, uint32_t *pool)
{
	const struct report *report = ending->report;
	int err = 0;

	for (uint32_t i = 0; !err && i < report->pool_count; i++)
		if (report->pools[i].process == process)
			err = page_pool_write(file, &ending->drawing->pools, &report->pools[i],
					      page_lane_of_pool(counts, (*pool)++),
					      &report->window);
	return err;
}

static int write_data(FILE *file, void *ctx)
{
	const struct ending *ending = ctx;
	const struct report *report = ending->report;
	const struct page_counts counts = page_counts(report);
	uint32_t thread = 0, gil = 0, loop = 0, pool = 0;
	int err = page_text_write(file, report);

	if (!err)
		err = write_report(file, report);
	if (!err)
		err = write_head(file, ending);
	if (!err)
		err = page_stacks_write(file, &ending->stacks);
	for (uint32_t p = 0; !err && p < report->process_count; p++) {
		const struct process_report *process = &report->processes[p];

		for (uint32_t i = 0; !err && i < process->thread_count; i++)
			err = write_thread(file, ending->drawing, process->threads[i].thread,
					   thread++, report->window.start);
		if (!err)
			err = write_objects(file, ending, process, &counts, &gil, &loop);
		if (!err)
			err = write_pools(file, ending, process->process, &counts, &pool);
	}
	return err;
}

static void put_rest(struct drawing *drawing)
{
	for (uint32_t i = 0; i < drawing->thread_room; i++) {
		struct thread_lanes *lanes = drawing->threads[i];

		if (lanes && lanes->state.start < lanes->state.end)
			keep_error(drawing, put_state(drawing, &lanes->states, &lanes->state));
		if (lanes && lanes->stack.start < lanes->stack.end)
			keep_error(drawing, put_stack(&lanes->stacks, &lanes->stack));
	}
}

static int number_threads(struct ending *ending)
{
	const struct report *report = ending->report;
	uint32_t number = 0;

	ending->numbers = calloc(ending->drawing->thread_room + 1, sizeof(*ending->numbers));
	if (!ending->numbers)
		return -ENOMEM;
	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->processes[p].thread_count; i++, number++) {
			uint32_t index = report->processes[p].threads[i].thread->index;

			if (index < ending->drawing->thread_room)
				ending->numbers[index] = number;
		}
	return 0;
}

static int page_finish(struct drawing *drawing, const struct report *report)
{
	struct ending ending = {.drawing = drawing, .report = report};
	int err;

	put_rest(drawing);
	err = drawing->error;
	if (!err)
		err = page_stacks_make(&drawing->stacks, drawing->names, drawing->finder,
				       &ending.stacks);
	if (!err)
		err = number_threads(&ending);
	if (!err)
		err = page_write(drawing->file, "page.html", write_data, &ending);
	if (!err && fflush(drawing->file))
		err = -errno;
	page_stacks_done(&ending.stacks);
	free(ending.numbers);
	return err;
}

const struct drawing_kind drawing_page = {"page", page_begin, page_sink, page_finish, page_free};
