/* SPDX-License-Identifier: MIT */
/*
 * stage.h - what a stream flows through: a list of stages with one interface, built by appending.
 *
 * Every stage is fed everything, in the order in which they were appended; the first error wins,
 * and the stages after it are then not fed. So what must have an event before others have seen it
 * (a file, whose disk may be full) comes first.
 */
#ifndef GILSCOPE_STREAM_STAGE_H
#define GILSCOPE_STREAM_STAGE_H

#include <stdint.h>
#include "stream/stream.h"

struct stage {
	void *self;		 /* argument of the functions below */
	struct stream_sink sink; /* any of its functions may be NULL: it is not interested */
	/* Everything older than `ts_known` has been fed, and nothing older will be; NULL: time
	 * without events means nothing to it. 0 or -errno. */
	int (*advance)(void *self, uint64_t ts_known);
	/* Puts out what it holds back, as far as it is whole; NULL: nothing. 0 or -errno. */
	int (*flush)(void *self);
	void (*free)(void *self); /* NULL: it belongs to somebody else */
};

/* All zero: none. */
struct stages {
	struct stage *list;
	uint32_t count;
	struct stream_sink *takers; /* sinks of the stages that take events … */
	uint32_t taker_count;	    /* … of which there are so many */
};

/* From then on the stage belongs to the list. 0, or -ENOMEM: then it has been freed. */
int stages_append(struct stages *stages, struct stage stage);

/* Feeds all stages, those included that are appended later. */
struct stream_sink stages_sink(struct stages *stages);
int stages_advance(const struct stages *stages, uint64_t ts_known);
int stages_flush(const struct stages *stages);

/* Frees the stages, the last one first. */
void stages_done(struct stages *stages);

#endif
