/* SPDX-License-Identifier: MIT */
/*
 * The recording as a profile for the Firefox Profiler (profiler.firefox.com, "load a profile from
 * file"): for every thread a sample for each stretch in one state with one stack, weighted by its
 * length, and markers for GIL holds, waits for the GIL and stalls; losses are markers of the first
 * thread. The format wants columns, so spans are kept in memory until the end, in a bounded number.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/duration.h"
#include "base/hash.h"
#include "view/drawing.h"
#include "view/firefox/firefox.h"
#include "words/names.h"
#include "words/palette.h"
#include "words/stall.h"

#define FIREFOX_VERSION	  70	     /* of the processed profile format */
#define FIREFOX_SPANS_MAX (8u << 20) /* 24 bytes each */

struct firefox_span {
	uint64_t start, end;
	uint32_t what; /* a state, a stack, or flags of a hold */
};
enum { HOLD_FORCED = 1, HOLD_HANDOFF = 2, SPAN_CUT = 4 };

struct firefox_list {
	struct firefox_span *spans;
	size_t count, room;
};

struct firefox_thread {
	UT_hash_handle hh;
	const struct thread *of;
	struct firefox_list states, stacks, holds, waits;
};

struct drawing {
	struct json_out out;
	struct stream_head head;
	struct firefox_thread *threads; /* by address */
	struct firefox_list losses;
	uint32_t spans;
	int err;
};

/* ── gathering ───────────────────────────────────────────────────────────── */

static void add_span(struct drawing *drawing, struct firefox_list *list, struct firefox_span span)
{
	size_t room = list->room ? list->room * 2 : 64;
	struct firefox_span *spans;

	if (drawing->err)
		return;
	if (drawing->spans == FIREFOX_SPANS_MAX) {
		drawing->err = -EFBIG;
		return;
	}
	if (list->count == list->room) {
		spans = reallocarray(list->spans, room, sizeof(*spans));
		if (!spans) {
			drawing->err = -ENOMEM;
			return;
		}
		list->spans = spans;
		list->room = room;
	}
	drawing->spans++;
	list->spans[list->count++] = span;
}

/* NULL when memory is short. */
static struct firefox_thread *firefox_thread_of(struct drawing *drawing,
						const struct thread *thread)
{
	struct firefox_thread *found;

	HASH_FIND_PTR(drawing->threads, &thread, found);
	if (found)
		return found;
	found = calloc(1, sizeof(*found));
	if (found) {
		found->of = thread;
		HASH_ADD_PTR(drawing->threads, of, found);
	}
	if (!found || HASH_FAILED(found)) {
		drawing->err = -ENOMEM;
		free(found);
		return NULL;
	}
	return found;
}

static void on_state(void *ctx, const struct interval *span)
{
	struct firefox_thread *thread = firefox_thread_of(ctx, span->thread);

	if (thread)
		add_span(ctx, &thread->states,
			 (struct firefox_span){span->start, span->end, span->state});
}

static void on_stack(void *ctx, const struct stack_span *span)
{
	struct firefox_thread *thread = firefox_thread_of(ctx, span->thread);

	if (thread && span->stack)
		add_span(ctx, &thread->stacks,
			 (struct firefox_span){span->start, span->end, span->stack});
}

static void on_hold(void *ctx, const struct hold *hold)
{
	struct firefox_thread *thread = firefox_thread_of(ctx, hold->thread);
	uint32_t flags = (hold->requested ? HOLD_FORCED : 0u) |
			 (hold->handoff ? HOLD_HANDOFF : 0u) | (hold->whole ? 0u : SPAN_CUT);

	if (thread)
		add_span(ctx, &thread->holds, (struct firefox_span){hold->start, hold->end, flags});
}

static void on_wait(void *ctx, const struct gil_wait *wait)
{
	struct firefox_thread *thread = firefox_thread_of(ctx, wait->thread);

	if (thread)
		add_span(ctx, &thread->waits,
			 (struct firefox_span){wait->start, wait->end, wait->whole ? 0 : SPAN_CUT});
}

static void firefox_thread_free(struct firefox_thread *thread)
{
	free(thread->states.spans);
	free(thread->stacks.spans);
	free(thread->holds.spans);
	free(thread->waits.spans);
	free(thread);
}

static void on_forget(void *ctx, const struct world *world)
{
	struct firefox_thread *thread, *next;
	struct drawing *drawing = ctx;

	(void)world;
	HASH_ITER(hh, drawing->threads, thread, next)
	{
		if (!thread->of->leaves)
			continue;
		HASH_DEL(drawing->threads, thread);
		drawing->spans -= (uint32_t)(thread->states.count + thread->stacks.count +
					     thread->holds.count + thread->waits.count);
		firefox_thread_free(thread);
	}
}

static void on_loss(void *ctx, const struct loss *loss)
{
	struct drawing *drawing = ctx;

	add_span(drawing, &drawing->losses, (struct firefox_span){loss->start, loss->end, 0});
}

/* ── samples ─────────────────────────────────────────────────────────────── */

/* Milliseconds since the window's begin, to the nanosecond. */
static void put_ms(struct json_out *out, uint64_t ns)
{
	fprintf(out->file, "%" PRIu64 ".%06" PRIu64, ns / NS_PER_MS, ns % NS_PER_MS);
}

static uint64_t offset_of(const struct report *report, uint64_t ts)
{
	return ts > report->window.start ? ts - report->window.start : 0;
}

static const struct firefox_list NO_SPANS;

/* The stretches of a thread in one state with one stack; `stacks` has gaps. */
static void make_samples(struct drawing *drawing, const struct firefox_thread *thread,
			 struct firefox_tables *tables, struct firefox_list *samples)
{
	const struct firefox_list *states = &thread->states, *stacks = &thread->stacks;
	size_t at = 0;

	drawing->spans = 0; /* what was gathered is bounded, and so is this */
	for (size_t i = 0; i < states->count; i++) {
		const struct firefox_span *state = &states->spans[i];

		for (uint64_t ts = state->start, end; ts < state->end; ts = end) {
			const struct firefox_span *stack;

			while (at < stacks->count && stacks->spans[at].end <= ts)
				at++;
			stack = at < stacks->count ? &stacks->spans[at] : NULL;
			end = state->end;
			if (stack && stack->start > ts && stack->start < end)
				end = stack->start;
			else if (stack && stack->start <= ts && stack->end < end)
				end = stack->end;
			add_span(
				drawing, samples,
				(struct firefox_span){
					ts, end,
					firefox_stack(tables,
						      stack && stack->start <= ts ? stack->what : 0,
						      (enum thread_state)state->what)});
		}
	}
}

static void put_samples(struct json_out *out, const struct report *report,
			const struct firefox_list *samples)
{
	fprintf(out->file, "{\"length\": %zu, \"weightType\": \"tracing-ms\",\n\"stack\": [",
		samples->count);
	for (size_t i = 0; i < samples->count; i++)
		fprintf(out->file, "%s%u", i ? "," : "", samples->spans[i].what);
	json_put(out, "],\n\"time\": [");
	for (size_t i = 0; i < samples->count; i++) {
		json_put(out, i ? "," : "");
		put_ms(out, offset_of(report, samples->spans[i].start));
	}
	json_put(out, "],\n\"weight\": [");
	for (size_t i = 0; i < samples->count; i++) {
		json_put(out, i ? "," : "");
		put_ms(out, samples->spans[i].end - samples->spans[i].start);
	}
	json_put(out, "]}");
}

/* ── markers ─────────────────────────────────────────────────────────────── */

struct firefox_marker {
	uint64_t start, end;
	enum firefox_name name;
	uint32_t flags;
	const struct stall *stall;
};

struct marker_list {
	struct firefox_marker *list;
	size_t count;
};

static void add_markers(struct marker_list *markers, const struct firefox_list *spans,
			enum firefox_name name)
{
	for (size_t i = 0; i < spans->count; i++)
		markers->list[markers->count++] = (struct firefox_marker){
			.start = spans->spans[i].start,
			.end = spans->spans[i].end,
			.name = name,
			.flags = spans->spans[i].what};
}

static int by_start(const void *a, const void *b)
{
	const struct firefox_marker *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

static json_t *marker_data(const struct report *report, const struct firefox_marker *marker)
{
	json_t *stack = NULL;

	if (marker->name == FIREFOX_HOLD)
		return json_pack(
			"{s:s, s:s, s:s, s:s}", "type", "gilscope-hold", "released",
			marker->flags & HOLD_FORCED ? "on request" : "voluntarily", "previous",
			marker->flags & HOLD_HANDOFF ? "another thread" : "same, or unknown",
			"seen", marker->flags & SPAN_CUT ? "in part" : "whole");
	if (marker->name == FIREFOX_WAIT)
		return json_pack("{s:s, s:s}", "type", "gilscope-wait", "seen",
				 marker->flags & SPAN_CUT ? "in part" : "whole");
	if (marker->name == FIREFOX_LOSS)
		return json_pack("{s:s}", "type", "gilscope-loss");
	stack = json_text("");
	if (marker->stall->handler.role != HANDLER_NONE) {
		struct text_buffer handler = {0};

		json_decref(stack);
		text_add_frame(&handler, report, &marker->stall->handler.frame);
		stack = json_words(&handler);
	}
	return json_pack("{s:s, s:s, s:o, s:s}", "type", "gilscope-stall", "cause",
			 palette_of(marker->stall->cause)->label, "function", stack, "seen",
			 marker->stall->whole ? "whole" : "in part");
}

static void put_marker_numbers(struct json_out *out, const struct report *report,
			       const struct marker_list *markers)
{
	json_put(out, "],\n\"name\": [");
	for (size_t i = 0; i < markers->count; i++)
		fprintf(out->file, "%s%u", i ? "," : "", markers->list[i].name);
	json_put(out, "],\n\"startTime\": [");
	for (size_t i = 0; i < markers->count; i++) {
		json_put(out, i ? "," : "");
		put_ms(out, offset_of(report, markers->list[i].start));
	}
	json_put(out, "],\n\"endTime\": [");
	for (size_t i = 0; i < markers->count; i++) {
		json_put(out, i ? "," : "");
		put_ms(out, offset_of(report, markers->list[i].end));
	}
	json_put(out, "],\n\"phase\": [");
	for (size_t i = 0; i < markers->count; i++)
		json_put(out, i ? ",1" : "1"); /* an interval */
	json_put(out, "],\n\"category\": [");
	for (size_t i = 0; i < markers->count; i++) {
		const struct firefox_marker *marker = &markers->list[i];

		fprintf(out->file, "%s%d", i ? "," : "",
			marker->name == FIREFOX_HOLD	? TS_PYTHON + 1
			: marker->name == FIREFOX_WAIT	? TS_GIL_WAIT + 1
			: marker->name == FIREFOX_STALL ? (int)marker->stall->cause + 1
							: TS_UNKNOWN + 1);
	}
	json_put(out, "]}");
}

static void put_markers(struct json_out *out, const struct report *report,
			const struct marker_list *markers)
{
	fprintf(out->file, "{\"length\": %zu,\n\"data\": [", markers->count);
	for (size_t i = 0; i < markers->count; i++) {
		json_put_next(out, (uint32_t)i);
		json_put_value(out, marker_data(report, &markers->list[i]), JSON_COMPACT);
	}
	put_marker_numbers(out, report, markers);
}

/* ── threads ─────────────────────────────────────────────────────────────── */

static const struct loop_report *loop_of_thread(const struct process_report *process,
						const struct thread *thread)
{
	for (uint32_t i = 0; i < process->loop_count; i++)
		if (process->loops[i].loop->thread == thread)
			return &process->loops[i];
	return NULL;
}

static void put_thread_markers(struct drawing *drawing, const struct report *report,
			       const struct firefox_thread *thread,
			       const struct process_report *process, bool first)
{
	const struct loop_report *loop = loop_of_thread(process, thread->of);
	const struct firefox_list *losses = first ? &drawing->losses : &NO_SPANS;
	uint32_t stalls = loop ? loop->stall_count : 0;
	struct marker_list markers = {
		calloc(thread->holds.count + thread->waits.count + losses->count + stalls + 1,
		       sizeof(*markers.list)),
		0};

	if (!markers.list) {
		drawing->err = -ENOMEM;
		return;
	}
	add_markers(&markers, &thread->holds, FIREFOX_HOLD);
	add_markers(&markers, &thread->waits, FIREFOX_WAIT);
	add_markers(&markers, losses, FIREFOX_LOSS);
	for (uint32_t i = 0; i < stalls; i++)
		markers.list[markers.count++] = (struct firefox_marker){
			.start = loop->stalls[i].start,
			.end = loop->stalls[i].end,
			.name = FIREFOX_STALL,
			.stall = &loop->stalls[i]};
	qsort(markers.list, markers.count, sizeof(*markers.list), by_start);
	put_markers(&drawing->out, report, &markers);
	free(markers.list);
}

static void put_thread(struct drawing *drawing, const struct report *report,
		       struct firefox_tables *tables, const struct process_report *process,
		       const struct thread *thread, uint32_t index)
{
	struct firefox_thread unseen = {.of = thread};
	const struct process_info *info = &process->process->info;
	struct firefox_list samples = {0};
	struct firefox_thread *gathered;
	struct text_buffer command = {0};
	char title[PROCESS_TITLE_MAX], pid[16];

	HASH_FIND_PTR(drawing->threads, &thread, gathered);
	if (!gathered)
		gathered = &unseen;
	json_put_next(&drawing->out, index);
	make_samples(drawing, gathered, tables, &samples);
	snprintf(pid, sizeof(pid), "%u", info->pid);
	text_add_name(&command, process_title(process->process, title), 80);
	json_put(&drawing->out, "{");
	json_put_value(&drawing->out,
		       json_pack("{s:s, s:i, s:n, s:i, s:n, s:[], s:o, s:b, s:o, s:s, s:i, s:b}",
				 "processType", "default", "processStartupTime", 0,
				 "processShutdownTime", "registerTime", 0, "unregisterTime",
				 "pausedRanges", "name", json_text(thread_name(report, thread)),
				 "isMainThread", thread->tid == info->pid, "processName",
				 json_words(&command), "pid", pid, "tid", (int)thread->tid,
				 "showMarkersInTimeline", 1),
		       JSON_EMBED);
	json_put(&drawing->out, ",\n\"samples\": ");
	put_samples(&drawing->out, report, &samples);
	json_put(&drawing->out, ",\n\"markers\": ");
	put_thread_markers(drawing, report, gathered, process, !index);
	json_put(&drawing->out, "}");
	free(samples.spans);
}

/* Threads with a loop are selected when the profile is opened. */
static uint32_t put_threads(struct drawing *drawing, const struct report *report,
			    struct firefox_tables *tables, uint32_t *ret_selected)
{
	uint32_t count = 0;

	*ret_selected = 0;
	for (uint32_t p = 0; p < report->process_count; p++) {
		const struct process_report *process = &report->processes[p];

		for (uint32_t i = 0; i < process->thread_count; i++, count++) {
			if (loop_of_thread(process, process->threads[i].thread))
				*ret_selected = count;
			put_thread(drawing, report, tables, process, process->threads[i].thread,
				   count);
		}
	}
	return count;
}

/* ── the profile ─────────────────────────────────────────────────────────── */

/* A marker's type: its fields are strings, with a label each. */
static json_t *marker_schema(const char *name, const char *label, const char *const fields[][2],
			     size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "key", fields[i][0],
						      "label", fields[i][1], "format", "string"));
	return json_pack("{s:s, s:s, s:s, s:s, s:[s,s,s], s:o}", "name", name, "tooltipLabel",
			 label, "tableLabel", label, "chartLabel", label, "display", "marker-chart",
			 "marker-table", "timeline-overview", "fields", list);
}

static json_t *marker_schemas(void)
{
	static const char *const hold[][2] = {
		{"released", "Released"}, {"previous", "Previous holder"}, {"seen", "Seen"}};
	static const char *const wait[][2] = {{"seen", "Seen"}};
	static const char *const stall[][2] = {
		{"cause", "Cause"}, {"function", "Function"}, {"seen", "Seen"}};

	return json_pack("[o, o, o, o]", marker_schema("gilscope-hold", "GIL held", hold, 3),
			 marker_schema("gilscope-wait", "waiting for the GIL", wait, 1),
			 marker_schema("gilscope-stall",
				       "stall: {marker.data.cause} {marker.data.function}", stall,
				       3),
			 marker_schema("gilscope-loss", "events lost", NULL, 0));
}

static void put_meta(struct drawing *drawing, const struct report *report, uint32_t selected,
		     uint32_t threads)
{
	struct json_out *out = &drawing->out;
	double interval = drawing->head.rate_hz ? 1000.0 / drawing->head.rate_hz : 1.0;
	uint64_t start = report->realtime_ns ? report->realtime_ns + report->window.start : 0;

	json_put(out, "{");
	json_put_value(out,
		       json_pack("{s:f, s:i, s:i, s:i, s:s, s:i, s:o, s:s, s:b, s:b, s:b, s:b, "
				 "s:{s:s, s:s, s:s}}",
				 "interval", interval, "processType", 0, "version", 36,
				 "preprocessedProfileVersion", FIREFOX_VERSION, "product",
				 "gilscope", "stackwalk", 1, "markerSchema", marker_schemas(),
				 "importedFrom", "gilscope " GILSCOPE_VERSION, "symbolicated", 1,
				 "usesOnlyOneStackType", 1, "sourceCodeIsNotOnSearchfox", 1,
				 "keepProfileThreadOrder", 1, "sampleUnits", "time", "ms",
				 "eventDelay", "ms", "threadCPUDelta", "ns"),
		       JSON_EMBED);
	json_put(out, ",\n\"startTime\": ");
	put_ms(out, start);
	fprintf(out->file, ",\n\"startTimeAsClockMonotonicNanosecondsSinceBoot\": %" PRIu64,
		report->window.start);
	json_put(out, ",\n\"profilingStartTime\": 0, \"profilingEndTime\": ");
	put_ms(out, report->window.end - report->window.start);
	if (threads)
		fprintf(out->file, ",\n\"initialSelectedThreads\": [%u]", selected);
	json_put(out, ",\n\"categories\": ");
	firefox_put_categories(out);
	json_put(out, "}");
}

static int finish(struct drawing *drawing, const struct report *report)
{
	struct json_out *out = &drawing->out;
	struct firefox_tables tables;
	uint32_t threads, selected;
	int err;

	if (drawing->err)
		return drawing->err;
	firefox_tables_begin(&tables, report);
	json_put(out, "{\"libs\": [],\n\"threads\": [");
	threads = put_threads(drawing, report, &tables, &selected);
	json_put(out, "],\n\"shared\": ");
	firefox_put_shared(&tables, out);
	json_put(out, ",\n\"meta\": ");
	put_meta(drawing, report, selected, threads);
	json_put(out, "}\n");
	firefox_tables_done(&tables);
	err = json_out_finish(out);
	return drawing->err ? drawing->err : err;
}

static struct drawing *begin(FILE *file, const struct stream_head *head,
			     const struct dictionary *names, struct handler_finder *finder)
{
	struct drawing *drawing = calloc(1, sizeof(*drawing));

	if (!drawing)
		return NULL;
	drawing->out.file = file;
	drawing->head = *head;
	return drawing;
}

static struct span_sink sink(struct drawing *drawing)
{
	return (struct span_sink){.state = on_state,
				  .stack = on_stack,
				  .hold = on_hold,
				  .wait = on_wait,
				  .loss = on_loss,
				  .forget = on_forget,
				  .ctx = drawing};
}

static void free_drawing(struct drawing *drawing)
{
	struct firefox_thread *thread, *next;

	if (!drawing)
		return;
	HASH_ITER(hh, drawing->threads, thread, next)
	{
		HASH_DEL(drawing->threads, thread);
		firefox_thread_free(thread);
	}
	free(drawing->losses.spans);
	free(drawing);
}

const struct drawing_kind drawing_firefox = {.name = "Firefox profile",
					     .begin = begin,
					     .sink = sink,
					     .finish = finish,
					     .free = free_drawing};
