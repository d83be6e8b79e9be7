/* SPDX-License-Identifier: MIT */
/*
 * The cost of each stage per event: the simulated application's events go through the reorder
 * stage, the trace writer, the trace reader, the model, and the model with the report's fold.
 * `stages EVENTS` prints a line for each stage: name, nanoseconds of CPU per event.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analysis/report.h"
#include "base/cleanup.h"
#include "base/diag.h"
#include "base/duration.h"
#include "simulation.h"
#include "stream/reorder.h"
#include "stream/trace/trace.h"

#define STALL_NS (50 * NS_PER_MS)

static struct process_info process;

struct events {
	union event *items;
	uint64_t length, room;
};

static int keep_process(void *ctx, const struct process_info *info)
{
	process = *info;
	return 0;
}

static int keep_event(void *ctx, const union event *event)
{
	struct events *events = ctx;

	events->items[events->length++] = *event;
	return 0;
}

struct count {
	uint64_t events, inversions, ts;
};

static int count_process(void *ctx, const struct process_info *info)
{
	return 0;
}

static int count_event(void *ctx, const union event *event)
{
	struct count *count = ctx;

	count->events++;
	count->inversions += event->hdr.ts < count->ts;
	count->ts = event->hdr.ts;
	return 0;
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void show(const char *what, uint64_t since_ns, uint64_t events)
{
	printf("%s %.1f\n", what, (double)(cpu_ns() - since_ns) / (double)events);
}

static int feed(const struct events *events, const struct stream_sink *sink)
{
	int err = sink_process(sink, &process);

	for (uint64_t i = 0; i < events->length && !err; i++)
		err = sink_event(sink, &events->items[i]);
	return err;
}

static int run_trace(const struct events *events)
{
	struct stream_head head = {.version = "bench", .mode = MODE_EXACT};
	_cleanup_(fclosep) FILE *file = tmpfile();
	struct trace_outcome outcome = {0};
	struct trace_writer *writer;
	struct count count = {0};
	struct stream_sink sink;
	struct diag diag = {0};
	uint64_t since = cpu_ns();
	int err;

	if (!file || trace_writer_new(file, &head, &diag, &writer))
		return -1;
	sink = trace_writer_sink(writer);
	err = feed(events, &sink);
	if (!err)
		err = trace_writer_finish(writer, &diag);
	trace_writer_free(writer);
	if (err)
		return err;
	show("write", since, events->length);
	rewind(file);
	since = cpu_ns();
	err = trace_read(file, NULL, NULL,
			 (struct stream_sink){count_process, count_event, &count, NULL}, &diag,
			 &outcome);
	show("read", since, events->length);
	return err || !outcome.complete || count.events != events->length ? -1 : 0;
}

static int run_model(const struct events *events)
{
	struct world *world = world_new((struct model_sink){0}, MODE_EXACT);
	struct stream_sink sink;
	uint64_t since = cpu_ns();
	int err;

	if (!world)
		return -1;
	sink = world_sink(world);
	err = feed(events, &sink);
	show("model", since, events->length);
	err |= world_window(world).contradictions != 0;
	world_free(world);
	return err;
}

static int run_fold(const struct events *events)
{
	struct stream_head head = {.version = "bench", .mode = MODE_EXACT};
	struct report_builder *builder = report_builder_new(STALL_NS, &head, NULL, NULL);
	struct world *world = builder ? world_new(report_builder_sink(builder), MODE_EXACT) : NULL;
	const struct report *report;
	struct stream_sink sink;
	uint64_t since = cpu_ns();
	int err;

	if (!world)
		return -1;
	sink = world_sink(world);
	err = feed(events, &sink);
	if (!err)
		err = report_builder_finish(builder, world, false, &report);
	show("model+fold", since, events->length);
	report_builder_free(builder);
	world_free(world);
	return err;
}

/* Swaps events as two CPUs do: one in eight arrives some places too late, one in 65536 a hundred
 * places. */
static void shuffle(const struct events *events)
{
	uint64_t random = 88172645463325252u;

	for (uint64_t i = 1024; i < events->length; i++) {
		uint64_t places = i % 65536 == 0 ? 100 : i % 8 == 0 ? random % 8 : 0;
		union event early = events->items[i - places];

		memmove(&events->items[i - places], &events->items[i - places + 1],
			places * sizeof(early));
		events->items[i] = early;
		random = random * 6364136223846793005u + 1442695040888963407u;
	}
}

static int run_reorder(const struct events *events)
{
	struct count count = {0};
	struct reorder *reorder = reorder_new(
		(struct stream_sink){count_process, count_event, &count, NULL}, REORDER_WINDOW_NS,
		1 << 20);
	uint64_t since = cpu_ns(), late;
	struct stream_sink sink;

	if (!reorder)
		return -1;
	sink = reorder_sink(reorder);
	for (uint64_t i = 0; i < events->length; i++) {
		sink_event(&sink, &events->items[i]);
		if (i % 4096 == 0)
			reorder_advance(reorder, events->items[i].hdr.ts);
	}
	reorder_flush(reorder);
	show("reorder", since, events->length);
	late = reorder_late(reorder);
	reorder_free(reorder);
	return late || count.inversions || count.events != events->length ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct events events = {.room = argc == 2 ? strtoull(argv[1], NULL, 10) : 0};
	int err;

	events.items = events.room ? malloc(events.room * sizeof(*events.items)) : NULL;
	if (!events.items) {
		fprintf(stderr, "usage: stages EVENTS\n");
		return 2;
	}
	err = simulate(events.room, (struct stream_sink){keep_process, keep_event, &events, NULL});
	if (!err)
		err = run_trace(&events);
	if (!err)
		err = run_model(&events);
	if (!err)
		err = run_fold(&events);
	shuffle(&events);
	if (!err)
		err = run_reorder(&events);
	if (err)
		fprintf(stderr, "stages: something is wrong: events were lost, contradict each "
				"other or came out of order\n");
	free(events.items);
	return err ? 1 : 0;
}
