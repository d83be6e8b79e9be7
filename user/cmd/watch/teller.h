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
	int fd;	       /* the standard output … */
	bool opened;   /* … opened anew */
	char *waiting; /* lines, of which those from `begin` on are not written yet */
	size_t begin, length, room;
	int refused;	   /* -errno of the latest write, unless it could be made; 0: it could */
	uint64_t left_out; /* events that found no room, … */
	uint64_t left_out_told; /* … and of these, those that are told of */
};

/* Before privileges are dropped. */
void teller_begin(struct teller *teller, bool json);
/* Those about `watch` itself are told in any case. 0, or -ENOMEM. */
int teller_tell(struct teller *teller, const struct told_event *event);
/* Writes what can be written at once; a full disk is one more reader that does not keep up. 0, or
 * -errno: the reader has gone. */
int teller_flush(struct teller *teller);
/* Writes the rest, waiting for the reader up to `timeout_ms` at a time. 0 or -errno; -ETIMEDOUT. */
int teller_finish(struct teller *teller, int timeout_ms);
void teller_done(struct teller *teller);

#endif
