/* SPDX-License-Identifier: MIT */
/*
 * reorder.h - sorts the events of several CPUs by timestamp, in bounded memory.
 *
 * A record is stamped before its place in the ring is reserved, so neighbours may be swapped:
 * usually by microseconds, at worst by the length of a preemption. The stage holds events until the
 * source promises, with reorder_advance(), that it has delivered everything up to a time; events
 * older than that time minus the window are then passed on. An event that is older than one already
 * passed on is late. It can no longer be used, so it is counted, and a LOST event with the `late`
 * flag takes its place, for the model must know that something is missing, and of whom. A LOST
 * event that is late is not counted: it is moved to the stage's current time.
 */
#ifndef GILSCOPE_STREAM_REORDER_H
#define GILSCOPE_STREAM_REORDER_H

#include "stream/stream.h"

/* Covers a preemption between stamping and reserving; costs only latency, and 40 bytes per event
 * held. */
#define REORDER_WINDOW_NS (20 * 1000 * 1000)

struct reorder;

/* `max_events` bounds the memory: beyond it, the oldest events are passed on early. NULL if memory
 * is short. */
struct reorder *reorder_new(struct stream_sink next, uint64_t window_ns, uint32_t max_events);
void reorder_free(struct reorder *reorder);

/* The stage as a sink. Processes and definitions are passed on at once. */
struct stream_sink reorder_sink(struct reorder *reorder);

/* Promises that all events up to `ts` have been pushed (except those in flight, which the window
 * covers). 0 or the next sink's error. */
int reorder_advance(struct reorder *reorder, uint64_t ts);

/* Passes everything on; at the end of a stream. */
int reorder_flush(struct reorder *reorder);

/*
 * Everything older than this has been passed on: an event with an older timestamp will be late.
 * Advances with reorder_advance(), even when there are no events; 0 before the first call.
 */
uint64_t reorder_reached(const struct reorder *reorder);

/* Number of late events so far. */
uint64_t reorder_late(const struct reorder *reorder);

#endif
