/* SPDX-License-Identifier: MIT */
/*
 * firefox.h - the tables of a profile for the Firefox Profiler (processed profile format, version
 * 70: github.com/firefox-devtools/profiler, src/types/profile.ts) that all threads share: strings,
 * functions, frames, and stacks as a tree of frames.
 *
 * The innermost frame of every stack is the thread's state, in the category of that state, so that
 * graphs have the states' colours and every stack says what the thread was doing there.
 */
#ifndef GILSCOPE_VIEW_FIREFOX_FIREFOX_H
#define GILSCOPE_VIEW_FIREFOX_FIREFOX_H

#include "base/table.h"
#include "view/json_out.h"

struct firefox_tables {
	const struct report *report;
	struct table frames, stacks; /* an index is the place in the table */
	struct table known;	     /* tree nodes of recorded stacks */
	int err;
};

/* The first names of the string table, before those of states and functions. */
enum firefox_name {
	FIREFOX_UNREADABLE, /* a frame whose code could not be read */
	FIREFOX_CUT,	    /* frames that a deep stack leaves out */
	FIREFOX_HOLD,
	FIREFOX_WAIT,
	FIREFOX_STALL,
	FIREFOX_LOSS,
	FIREFOX_NAMES
};

void firefox_tables_begin(struct firefox_tables *tables, const struct report *report);
void firefox_tables_done(struct firefox_tables *tables);

/* The stack (0: unknown) with the state as its innermost frame: an index into the stack table. */
uint32_t firefox_stack(struct firefox_tables *tables, uint32_t stack, enum thread_state state);

/* Writes the value of the profile's key "shared". */
void firefox_put_shared(struct firefox_tables *tables, struct json_out *out);
/* Writes the value of meta's key "categories": the default one, and the states in their order. */
void firefox_put_categories(struct json_out *out);

#endif
