/* SPDX-License-Identifier: MIT */
/*
 * facts.h - what a recording says about its own data, as types with one table of names each.
 *
 * Traces, scripts and the JSON report spell a fact by its name. 0 is "unknown" in all of them and
 * spelled "": the recording does not say, because it is older than the field or because a person
 * wrote it. A name that is in no table is refused (describe.h), never carried along.
 */
#ifndef GILSCOPE_STREAM_FACTS_H
#define GILSCOPE_STREAM_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which transitions of a GIL are traced. */
enum evidence_mode {
	MODE_UNKNOWN, /* nothing may be concluded from a transition that is missing, as in EDGES */
	MODE_EXACT,   /* every take and drop */
	MODE_EDGES,   /* contended ones; the others are known by observations */
	MODE_FUTEX,   /* none: no uprobes, only scheduling and observations */
};

/* Takes and drops that nobody waits for are not traced, for certain. */
static inline bool mode_is_cheap(enum evidence_mode mode)
{
	return mode == MODE_EDGES || mode == MODE_FUTEX;
}

/* How the call sites of the GIL were found in the image. */
enum site_method { METHOD_UNKNOWN, METHOD_SYMBOLS, METHOD_SCAN, METHOD_FUTEX };

enum confidence { CONFIDENCE_UNKNOWN, CONFIDENCE_EXACT, CONFIDENCE_APPROXIMATE };

/* How garbage collections are seen. */
enum gc_evidence {
	GC_NONE,    /* not at all */
	GC_PROBES,  /* GC_BEGIN and GC_END */
	GC_SAMPLES, /* STACK with `gc` */
};

/* The names of one such enum, by value. */
struct fact_names {
	const char *const *list;
	uint32_t count;
};
extern const struct fact_names mode_names, method_names, confidence_names, gc_names;

/* "" for what is unknown. `value` is one of the enum's. */
static inline const char *fact_name(const struct fact_names *names, uint32_t value)
{
	return names->list[value];
}

/* The value with this name, or -1. */
int fact_find(const struct fact_names *names, const char *name);

/* "exact, edges, futex": the names that can be given, for a message. */
const char *fact_choices(const struct fact_names *names, char *to, size_t size);

#endif
