/* SPDX-License-Identifier: MIT */
/*
 * keep.h - the last while of a stream, in memory: a sink that can be written out as a recording at any time, of what has just happened.
 *
 * Kept are the descriptions of processes and, for all that is still there, who is who (threads, names, GILs, loops), as of the begin of what is kept; and the
 * events of the last while. Definitions are the dictionary's. Memory is bounded: when the events of the while do not fit, the while is shorter.
 */
#ifndef GILSCOPE_STREAM_KEEP_H
#define GILSCOPE_STREAM_KEEP_H

#include "stream/dictionary.h"

struct keep;

/* Keeps at least `while_ns`, unless that takes more than `max_bytes`. NULL when memory is short. */
struct keep *keep_new(uint64_t while_ns, size_t max_bytes);
void keep_free(struct keep *keep);

/* Belongs behind the reorder stage: events come in order. */
struct stream_sink keep_sink(struct keep *keep);

/* How long what is kept reaches back: the time of its begin; 0 when nothing is kept yet. */
uint64_t keep_begin(const struct keep *keep);

/*
 * Pushes what is kept as a whole stream, from the descriptions to WINDOW(end), into `to`: definitions first. What a thread was doing at the begin is unknown until
 * its first event, or the first snapshot in what is kept. 0, or the sink's error.
 */
int keep_write(const struct keep *keep, const struct dictionary *dictionary, const struct stream_sink *to);

#endif
