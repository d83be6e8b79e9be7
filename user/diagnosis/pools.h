/* SPDX-License-Identifier: MIT */
/*
 * pools.h - thread pools in words.
 */
#ifndef GILSCOPE_DIAGNOSIS_POOLS_H
#define GILSCOPE_DIAGNOSIS_POOLS_H

#include "diagnosis/diagnosis.h"

/* Whose pool one is, by its kind, the name of its threads and what calls its jobs. */
struct pool_owner {
	enum pool_kind kind;
	const char *name;      /* of the threads, without their numbers; NULL: any */
	const char *directory; /* in the path of the file of its jobs' outermost function; NULL:
				  any */
	const char *what;      /* in words; NULL: by the name of its threads */
	bool shared; /* it serves requests, or everybody: no job keeps its threads for good */
	const char *advice; /* when it is full */
};
/* There is always one. */
const struct pool_owner *pool_owner_of(const struct report *report, const struct pool_report *pool);

/* "AnyIO's pool", "the executor 'batch'" */
void text_add_pool(struct text_buffer *text, const struct report *report,
		   const struct pool_report *pool);
/* "; 20 jobs began as soon as a thread was free", or nothing. */
void text_add_back_to_back(struct text_buffer *text, const struct pool_report *pool);
/* What each pool of the process did, in a sentence. */
void pools_paragraphs(const struct report *report, const struct process_report *process,
		      const struct paragraph_sink *sink);

#endif
