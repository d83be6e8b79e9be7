/* SPDX-License-Identifier: MIT */
/*
 * who.h - who is who and what everybody is doing, as of an instant of a stream: all that a
 * recording which begins there has to say first. Internal to the room.
 *
 * Only what facts told is known; after a loss nothing is known of what threads do until the next
 * fact.
 */
#ifndef GILSCOPE_STREAM_WHO_H
#define GILSCOPE_STREAM_WHO_H

#include "stream/stream.h"

struct who;

/* `partial`: takes and drops of the GIL are told only where somebody waits (mode "edges"), so
 * nothing is remembered of who has it. */
struct who *who_new(bool partial);
void who_free(struct who *who);

/* The next of the stream, in order. 0 or -ENOMEM. */
int who_process(struct who *who, const struct process_info *info);
int who_event(struct who *who, const union event *event);

/* What everybody does is not known any more. */
void who_forget(struct who *who);

/*
 * Pushes it as the beginning of a stream whose next event is later than `ts`: processes,
 * declarations, WINDOW at `ts`, and as facts of `ts` and snapshots of ts + 1 what everybody is
 * doing. 0 or the sink's error.
 */
int who_write(const struct who *who, uint64_t ts, const struct stream_sink *to);

#endif
