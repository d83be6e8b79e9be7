/* SPDX-License-Identifier: MIT */
/*
 * teller.h - tells events on the standard output, as lines for people or as JSON. A reader that
 * does not keep up never blocks the observation: lines wait in memory, up to a bound, and what is
 * beyond is counted and told later.
 */
#ifndef GILSCOPE_CMD_WATCH_TELLER_H
#define GILSCOPE_CMD_WATCH_TELLER_H

#include <stdbool.h>
#include <stddef.h>

#include "view/event.h"

#define TELLER_BYTES_MAX (4u << 20)

struct teller {
	bool json;
	char *waiting; /* lines that are not written yet */
	size_t length, room;
	uint64_t left_out;	/* events that found no room, … */
	uint64_t left_out_told; /* … and of these, those that are told of */
};

/* 0, or -ENOMEM. */
int teller_tell(struct teller *teller, const struct told_event *event);
/* Writes what can be written at once. 0, or -errno: the reader has gone, or the file is full. */
int teller_flush(struct teller *teller);
/* Writes the rest, waiting for the reader up to `timeout_ms` at a time. 0 or -errno; -ETIMEDOUT. */
int teller_finish(struct teller *teller, int timeout_ms);
void teller_done(struct teller *teller);

#endif
