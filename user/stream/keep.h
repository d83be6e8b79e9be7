/* SPDX-License-Identifier: MIT */
/*
 * keep.h - the last while of a stream, in memory: a sink that can be written out as a recording at
 * any time, of what has just happened.
 *
 * Kept are the events of the last while, packed; and as of their begin, for all that was there
 * then, the descriptions of processes, who is who (threads, names, GILs, loops' descriptors and
 * which thread waits on them) and what every thread was doing, so far as events told. Definitions
 * are the dictionary's. Memory is bounded: when the events of the while do not fit, the while is
 * shorter.
 */
#ifndef GILSCOPE_STREAM_KEEP_H
#define GILSCOPE_STREAM_KEEP_H

#include <stddef.h>
#include "stream/dictionary.h"

struct keep;

/*
 * Keeps `while_ns`, unless its events take more than `max_bytes` (at least KEEP_BYTES_MIN).
 * `partial` as for world_new(): mode "edges". NULL when memory is short.
 */
#define KEEP_BYTES_MIN 65536
struct keep *keep_new(uint64_t while_ns, size_t max_bytes, bool partial);
void keep_free(struct keep *keep);

/* Belongs behind the reorder stage: events come in order. */
struct stream_sink keep_sink(struct keep *keep);

/* Time has come so far without an event (reorder_reached()): what is older than the while is let
 * go. 0 or -ENOMEM. */
int keep_advance(struct keep *keep, uint64_t ts_known);

/* How long what is kept reaches back: the time of its begin, at which keep_write() begins the
 * window; 0 when no window has begun yet. */
uint64_t keep_begin(const struct keep *keep);

/*
 * Pushes what is kept as a whole stream into `to`: the dictionary's definitions, processes and who
 * is who, WINDOW, what the threads were doing, the events, and WINDOW(end) at the latest time that
 * is known. A thread whose doing is not known at the begin is unknown until its first event or
 * snapshot. 0, -EAGAIN when no window has begun yet, or the sink's error.
 */
int keep_write(const struct keep *keep, const struct dictionary *dictionary,
	       const struct stream_sink *to);

#endif
