/* SPDX-License-Identifier: MIT */
/* Writes a recording of the simulated application. `make_trace EVENTS FILE [stacks]`: with `stacks`
 * also the stacks that sampling and waits would add. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/duration.h"
#include "simulation.h"
#include "stream/trace/trace.h"

/* gilscope record flushes once a second, which cuts chunks short; this flushes once a second of
 * simulated time. */
struct recording {
	struct trace_writer *writer;
	struct stream_sink sink;
	uint64_t flushed;
	bool stacks;
	uint64_t random;
	uint32_t holder;
	uint64_t ts_clock[256]; /* time of the latest clock sample, by the last byte of the tid */
};

/* ── stacks ──────────────────────────────────────────────────────────────── */

#define FUNCTIONS 600
#define STACKS	  3000
#define RATE_HZ	  199

static uint32_t chance(struct recording *recording, uint32_t below)
{
	recording->random = recording->random * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(recording->random >> 33) % below;
}

/* Deep stacks with a common trunk, like a framework's. Every fourth function, and those without a
 * caller, are the application's. */
static int define_stacks(struct recording *recording)
{
	int err = 0;

	for (uint32_t id = 1; id <= FUNCTIONS && !err; id++) {
		char name[32], file[48];

		snprintf(name, sizeof(name), "Class%u.method_%u", id % 40, id);
		snprintf(file, sizeof(file),
			 id % 4 ? "/usr/lib/python3/dist-packages/library/part_%u.py"
				: "/srv/app/part_%u.py",
			 id % 60);
		err = sink_define(&recording->sink,
				  &(struct definition){.kind = DEFINE_FUNCTION,
						       .id = id,
						       .function = {name, file, 10 * id}});
	}
	for (uint32_t id = 1; id <= STACKS && !err; id++) {
		struct stack_frame frames[40];
		uint32_t depth = 12 + chance(recording, 28);

		for (uint32_t i = 0; i < depth; i++) {
			uint32_t function = i + 10 > depth ? 1 + (depth - i)
							   : 1 + chance(recording, FUNCTIONS);

			frames[i] = (struct stack_frame){function,
							 10 * function + 1 + chance(recording, 4)};
		}
		err = sink_define(&recording->sink,
				  &(struct definition){.kind = DEFINE_STACK,
						       .id = id,
						       .stack = {frames, depth, false}});
	}
	return err;
}

static int send_stack(struct recording *recording, const union event *at, uint32_t tid,
		      unsigned int flags)
{
	/* a few stacks are most of the samples */
	union event event = {
		.stack = {.hdr = {.ts = at->hdr.ts,
				  .tid = tid,
				  .type = EV_STACK,
				  .flags = (wire_u8)flags},
			  .stack = 1 + chance(recording, 1 + chance(recording, STACKS))}};

	return sink_event(&recording->sink, &event);
}

/* The stacks that accompany an event. */
static int record_stacks(struct recording *recording, const union event *event)
{
	uint64_t *clock = &recording->ts_clock[event->hdr.tid & 255];
	int err = 0;

	switch (event->hdr.type) {
	case EV_TAKE:
		recording->holder = event->hdr.tid;
		return 0;
	case EV_WAIT:
		err = send_stack(recording, event, event->hdr.tid, EVF_STACK_WAIT);
		return err || !recording->holder
			       ? err
			       : send_stack(recording, event, recording->holder, EVF_STACK_HOLDER);
	case EV_SWITCH_OUT:
		return send_stack(recording, event, event->hdr.tid,
				  event->hdr.flags & EVF_SWITCH_OUT_RUNNABLE ? EVF_STACK_PREEMPT
									     : EVF_STACK_SLEEP);
	case EV_DROP:
		recording->holder = 0;
		if (event->hdr.ts - *clock < NS_PER_S / RATE_HZ)
			return 0;
		*clock = event->hdr.ts;
		return send_stack(recording, event, event->hdr.tid, EVF_STACK_CLOCK);
	default:
		return 0;
	}
}

/* ── the recording ───────────────────────────────────────────────────────── */

static int record_process(void *ctx, const struct process_info *info)
{
	struct recording *recording = ctx;
	int err = sink_process(&recording->sink, info);

	return err || !recording->stacks ? err : define_stacks(recording);
}

static int record_event(void *ctx, const union event *event)
{
	struct recording *recording = ctx;
	int err = 0;

	if (event->hdr.ts - recording->flushed >= NS_PER_S) {
		err = trace_writer_flush(recording->writer);
		recording->flushed = event->hdr.ts;
	}
	if (!err && recording->stacks)
		err = record_stacks(recording, event);
	return err ? err : sink_event(&recording->sink, event);
}

int main(int argc, char **argv)
{
	struct stream_head head = {
		.version = "bench", .mode = MODE_EXACT, .monotonic_ns = 1000 * NS_PER_S};
	bool stacks = argc == 4 && !strcmp(argv[3], "stacks");
	uint64_t events = argc == 3 || stacks ? strtoull(argv[1], NULL, 10) : 0;
	_cleanup_(fclosep) FILE *file = events ? fopen(argv[2], "we") : NULL;
	struct recording recording = {.flushed = 1000 * NS_PER_S, .stacks = stacks, .random = 1};
	struct diag diag = {0};
	int err;

	head.stacks = stacks;
	head.rate_hz = stacks ? RATE_HZ : 0;
	if (!file) {
		fprintf(stderr,
			events ? "make_trace: cannot write %s\n"
			       : "usage: make_trace EVENTS FILE [stacks]\n",
			events ? argv[2] : "");
		return 2;
	}
	err = trace_writer_new(file, &head, &diag, &recording.writer);
	if (!err) {
		recording.sink = trace_writer_sink(recording.writer);
		err = simulate(events, (struct stream_sink){record_process, record_event,
							    &recording, NULL});
	}
	if (!err)
		err = trace_writer_finish(recording.writer, &diag);
	trace_writer_free(recording.writer);
	if (err)
		fprintf(stderr, "make_trace: %s\n", diag.what[0] ? diag.what : strerror(-err));
	return err ? 1 : 0;
}
