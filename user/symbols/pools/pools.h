/* SPDX-License-Identifier: MIT */
/*
 * pools.h - what a stack says about a thread of a pool: which kind of pool it belongs to, and
 * whether it is at work. Only frames decide, never a thread's name.
 */
#ifndef GILSCOPE_SYMBOLS_POOLS_POOLS_H
#define GILSCOPE_SYMBOLS_POOLS_POOLS_H

#include "stream/names/dictionary.h"

enum pool_kind {
	POOL_NONE,
#define POOL(NAME, name, file, root, calls, waits, limit, doc) POOL_##NAME,
#include "symbols/pools/pools.def"
	POOL_KINDS
};
/* The identifier in reports ("anyio"); NULL for POOL_NONE. */
const char *pool_kind_name(enum pool_kind kind);

#define LIMIT_FIXED UINT32_MAX
#define LIMIT_OWN   0
/* Its `limit` in pools.def. */
uint32_t pool_limit(enum pool_kind kind);

enum pool_place {
	PLACE_QUEUE,   /* it takes a job from the queue: idle when it is asleep there */
	PLACE_BETWEEN, /* in the pool's own code: the last job is over, the next has not begun */
	PLACE_JOB,     /* in a job */
};

struct pool_stack {
	enum pool_kind kind; /* POOL_NONE: no thread of a pool; the rest means nothing then */
	enum pool_place place;
	uint32_t job; /* PLACE_JOB: the job's own, outermost function (definition); 0: it is a C
			 function, or could not be read, or the pool runs other code of a job, too
			 (`waits` in pools.def) */
};

/*
 * `stack` 0 or unknown: POOL_NONE. A job that takes from a queue.Queue of its own, passed to AnyIO,
 * waitress or cheroot as that bound method, looks like an idle thread: no frame of the application
 * is there.
 */
struct pool_stack pool_stack_of(const struct dictionary *dictionary, uint32_t stack);

#endif
