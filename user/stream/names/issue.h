/* SPDX-License-Identifier: MIT */
/*
 * issue.h - the other way round: makes a stream of what refers to a dictionary by id. Whatever is
 * referred to is defined when it is first needed, and again, under a new number, when its number
 * has become too old (definition_renewal()); a function's lines of source follow it.
 */
#ifndef GILSCOPE_STREAM_NAMES_ISSUE_H
#define GILSCOPE_STREAM_NAMES_ISSUE_H

#include "stream/definition.h"
#include "stream/names/dictionary.h"

/* All zero but for the first two. */
struct issue {
	struct dictionary *dictionary;
	struct stream_sink to;
	struct definition_counts counts;
	struct issued {
		uint32_t id, number;
	} *issued[DEFINE_KINDS]; /* by place */
	uint32_t room[DEFINE_KINDS];
};

void issue_done(struct issue *issue);

/* The number by which the stream knows this id, which has been used now; 0 if it is not known (any
 * more). 0, -ENOMEM or the sink's error. */
int issue_number(struct issue *issue, enum definition_kind kind, uint32_t id, uint32_t *ret_number);
/* Defines a line of source of a function that the stream knows, because it is new or has changed.
 * Errors as above. */
int issue_source(struct issue *issue, uint32_t function, uint32_t line);

/* The event, which has ids, to the sink. Errors as above. */
int issue_event(struct issue *issue, const union event *event);
/* A sink for such a stream; there must be no definitions in it. */
struct stream_sink issue_sink(struct issue *issue);

#endif
