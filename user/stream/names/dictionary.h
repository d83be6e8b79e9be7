/* SPDX-License-Identifier: MIT */
/*
 * dictionary.h - stores definitions (functions, stacks, texts, lines of source) to look them up
 * later, and forgets those that nobody refers to.
 *
 * It has every content once, under an id of its own, however often a stream defines it and under
 * whichever numbers. So what is counted by id stays one row, when a stream has defined a function
 * anew. An id is 1, 2, … for as long as nothing is forgotten. The id of what is forgotten is not
 * found any more, and comes again only after thousands of others at its place: a name can be
 * missing, it cannot be another one's.
 *
 * At most DEFINE_…_MAX (stream.h) of a kind are stored. When one more comes, a quarter of them is
 * forgotten, those not used for longest, provided that anybody has said what must stay
 * (dictionary_forgets()); if there is nothing to forget, the new one is refused. A stack keeps its
 * functions, and a function its lines of source.
 *
 * So memory is bounded: some 50 MB for an application of a million lines; 750 MB if every name and
 * every stack had its maximal length, as only a hostile trace would.
 */
#ifndef GILSCOPE_STREAM_NAMES_DICTIONARY_H
#define GILSCOPE_STREAM_NAMES_DICTIONARY_H

#include "stream/stream.h"

struct dictionary;

/* NULL when memory is short. */
struct dictionary *dictionary_new(void);
void dictionary_free(struct dictionary *dictionary);

/* ── of a stream: by number ──────────────────────────────────────────────── */

/*
 * Stores what a stream defines. 0, also if it is refused; -ENOMEM; or -EBADMSG for what
 * definition_fault() rejects; readers of recordings have rejected that before, so then the source
 * has a bug.
 */
int dictionary_define(struct dictionary *dictionary, const struct definition *definition);

/* The event with ids in place of the stream's numbers, 0 for what is not known (any more): the
 * event itself, if it has none, or *copy. All that it refers to has been used now. */
const union event *dictionary_translate(struct dictionary *dictionary, const union event *event,
					union event *copy);

/* The id of a number of the stream; 0: it is not known (any more). */
uint32_t dictionary_id(const struct dictionary *dictionary, enum definition_kind kind,
		       uint32_t number);

/* Keeps the definitions of a stream: the sink of a stage (stage.h). It takes nothing else. */
struct stream_sink dictionary_sink(struct dictionary *dictionary);

/* ── by content ──────────────────────────────────────────────────────────── */

/*
 * Stores a copy, with long texts cut; functions are named by id, and definition->id is ignored. A
 * line of source replaces that of the same place. *ret_id is 0 if it is refused. 0 or -ENOMEM.
 */
int dictionary_intern(struct dictionary *dictionary, const struct definition *definition,
		      uint32_t *ret_id);

/* ── by id ───────────────────────────────────────────────────────────────── */

/* NULL for an id that is not known (any more), 0 included. What is returned is good until the next
 * definition. */
const struct definition *dictionary_find(const struct dictionary *dictionary,
					 enum definition_kind kind, uint32_t id);
/* Its place, 0 … dictionary_places(), for arrays; another id may have had it before. */
uint32_t dictionary_place(enum definition_kind kind, uint32_t id);
/*
 * A line of source as it is in the file, without the blanks around it; with line 0 the function's
 * decorator, that of its route before others. NULL if it is not known.
 */
const char *dictionary_source(const struct dictionary *dictionary, uint32_t function,
			      uint32_t line);
/* The next line of source of the function; NULL begins, and ends. */
const struct definition *dictionary_next_source(const struct dictionary *dictionary,
						uint32_t function, const struct definition *source);
/* How many there are now; how many were made so far; and how many were refused. */
uint32_t dictionary_count(const struct dictionary *dictionary, enum definition_kind kind);
uint64_t dictionary_made(const struct dictionary *dictionary, enum definition_kind kind);
uint64_t dictionary_refused(const struct dictionary *dictionary, enum definition_kind kind);
uint64_t dictionary_bytes(const struct dictionary *dictionary); /* approximate memory use */

/* ── forgetting ──────────────────────────────────────────────────────────── */

/* It has been used now. */
void dictionary_use(struct dictionary *dictionary, enum definition_kind kind, uint32_t id);

/* Whoever keeps ids. Both functions may be NULL; they are called when something is to be forgotten,
 * that is, inside dictionary_define() and dictionary_intern(). */
struct dictionary_user {
	/* dictionary_keep() of all that must stay. */
	void (*refers)(void *ctx, struct dictionary *dictionary);
	/* What dictionary_forgotten() names is found for the last time. */
	void (*forget)(void *ctx, const struct dictionary *dictionary);
	void *ctx;
};
/* From now on it forgets. 0 or -ENOMEM. */
int dictionary_forgets(struct dictionary *dictionary, struct dictionary_user user);

void dictionary_keep(struct dictionary *dictionary, enum definition_kind kind, uint32_t id);
/* The same for all that a stream_state refers to, and the like: ctx is the dictionary. */
struct definition_visit dictionary_keeping(struct dictionary *dictionary);
/* The same for all that has been used since dictionary_now() was this. */
void dictionary_keep_used(struct dictionary *dictionary, uint64_t since);
uint64_t dictionary_now(const struct dictionary *dictionary);
bool dictionary_forgotten(const struct dictionary *dictionary, enum definition_kind kind,
			  uint32_t id);

#endif
