/* SPDX-License-Identifier: MIT */
/*
 * reorder.h - puts events of several CPUs into the order of their timestamps, in bounded memory.
 *
 * Records are stamped before their place in the ring is reserved, so neighbours may be exchanged:
 * by microseconds usually, by as long as a preemption at worst. The stage holds events until the
 * source promises by reorder_advance() that it has delivered all there was up to a time; then
 * whatever is older than that time minus the window goes on. An event that is older than what has
 * gone on already is late: its fact can no longer be used, so it is counted and a LOST event with
 * its `late` flag takes its place, for the model must not go on as if it had not been. A LOST event
 * that is late itself is none of these: it begins where the stage is.
 */
#ifndef GILSCOPE_STREAM_REORDER_H
#define GILSCOPE_STREAM_REORDER_H

#include "stream/stream.h"

/* Window that covers a preemption between stamping and reserving; costs only latency and 40 bytes
 * an event held. */
#define REORDER_WINDOW_NS (20 * 1000 * 1000)

struct reorder;

/* `max_events` bounds the memory: when that many are held, the oldest go on early. NULL when memory
 * is short. */
struct reorder *reorder_new(struct stream_sink next, uint64_t window_ns, uint32_t max_events);
void reorder_free(struct reorder *reorder);

/* The stage as a sink. Descriptions of processes and definitions pass at once. */
struct stream_sink reorder_sink(struct reorder *reorder);

/* All events up to `ts` have been pushed (but for those in flight, which the window covers). 0 or
 * the next sink's error. */
int reorder_advance(struct reorder *reorder, uint64_t ts);

/* Lets everything go on; at the end of a stream. */
int reorder_flush(struct reorder *reorder);

/*
 * Everything older than this has gone on: an event that comes with an older stamp is late. It
 * advances with reorder_advance(), also while no event comes; 0 before the first.
 */
uint64_t reorder_reached(const struct reorder *reorder);

/* Number of late events so far. */
uint64_t reorder_late(const struct reorder *reorder);

#endif
