/* SPDX-License-Identifier: MIT */
/* Writes a recording of the simulated application. `make_trace EVENTS FILE` */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/duration.h"
#include "simulation.h"
#include "stream/trace.h"

/* gilscope record flushes once a second of its clock, which cuts chunks short; so does this, of the simulated one. */
struct recording {
	struct trace_writer *writer;
	struct stream_sink sink;
	uint64_t flushed;
};

static int record_process(void *ctx, const struct process_info *info)
{
	return sink_process(&((struct recording *)ctx)->sink, info);
}

static int record_event(void *ctx, const union event *event)
{
	struct recording *recording = ctx;
	int err = 0;

	if (event->hdr.ts - recording->flushed >= NS_PER_S) {
		err = trace_writer_flush(recording->writer);
		recording->flushed = event->hdr.ts;
	}
	return err ? err : sink_event(&recording->sink, event);
}

int main(int argc, char **argv)
{
	struct stream_head head = {.version = "bench", .mode = "exact", .monotonic_ns = 1000 * NS_PER_S};
	uint64_t events = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
	_cleanup_(fclosep) FILE *file = events ? fopen(argv[2], "we") : NULL;
	struct recording recording = {.flushed = 1000 * NS_PER_S};
	struct diag diag = {0};
	int err;

	if (!file) {
		fprintf(stderr, events ? "make_trace: cannot write %s\n" : "usage: make_trace EVENTS FILE\n", events ? argv[2] : "");
		return 2;
	}
	err = trace_writer_new(file, &head, &diag, &recording.writer);
	if (!err) {
		recording.sink = trace_writer_sink(recording.writer);
		err = simulate(events, (struct stream_sink){record_process, record_event, &recording, NULL});
	}
	if (!err)
		err = trace_writer_finish(recording.writer, &diag);
	trace_writer_free(recording.writer);
	if (err)
		fprintf(stderr, "make_trace: %s\n", diag.what[0] ? diag.what : strerror(-err));
	return err ? 1 : 0;
}
