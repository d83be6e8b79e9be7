/* SPDX-License-Identifier: MIT */
/*
 * keep.h - the history window of a live command: a sink that keeps a stream's latest events in
 * memory, and can be written out as a recording of what has just happened at any time.
 *
 * Kept are the events of the last `window_ns`, packed; and the state as of their begin, so far as
 * events can describe it (stream_state). Definitions are the dictionary's, and the events refer to
 * them by its ids. Memory is bounded: when the events of the window do not fit, the window is
 * shorter.
 */
#ifndef GILSCOPE_STREAM_KEEP_H
#define GILSCOPE_STREAM_KEEP_H

#include <stddef.h>
#include "stream/names/dictionary.h"

struct keep;

/*
 * Keeps `window_ns`, unless its events take more than `max_bytes` (at least KEEP_BYTES_MIN).
 * `state` is fed what is older, and belongs to the window. The dictionary, which stays the
 * caller's, forgets nothing of what is kept; NULL: definitions are not written. NULL when memory is
 * short, or when state.sink.ctx is NULL already.
 */
#define KEEP_BYTES_MIN 65536
struct keep *keep_new(uint64_t window_ns, size_t max_bytes, struct stream_state state,
		      struct dictionary *dictionary);
void keep_free(struct keep *keep);

/* Belongs behind the reorder stage: events come in order. */
struct stream_sink keep_sink(struct keep *keep);

/* Time has come so far without an event (reorder_reached()): what is older than the window is let
 * go. 0 or the state's error (-ENOMEM). */
int keep_advance(struct keep *keep, uint64_t ts_known);

/* The begin of what is kept, at which keep_write() begins the recording; 0 when the stream's own
 * window has not begun yet. */
uint64_t keep_begin(const struct keep *keep);

/*
 * Pushes what is kept as a whole stream into `to`: the state as of its begin with WINDOW, the
 * events, and WINDOW(end) at the latest time that is known; definitions where they are needed. 0,
 * -EAGAIN when the stream's own window has not begun yet, or the sink's error.
 */
int keep_write(const struct keep *keep, const struct stream_sink *to);

#endif
