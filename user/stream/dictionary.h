/* SPDX-License-Identifier: MIT */
/*
 * dictionary.h - keeps what a stream defines (functions, stacks, texts), for whoever meets their numbers later.
 *
 * Memory is bounded by the DEFINE_…_MAX of stream.h. What it returns lives as long as the dictionary.
 */
#ifndef GILSCOPE_STREAM_DICTIONARY_H
#define GILSCOPE_STREAM_DICTIONARY_H

#include "stream/stream.h"

struct dictionary;

/* NULL when memory is short. */
struct dictionary *dictionary_new(void);
void dictionary_free(struct dictionary *dictionary);

/*
 * Keeps a copy. 0, -ENOMEM, or -EBADMSG: the id is not the next one of its kind, a limit is passed, or a frame's function is not defined (which only a
 * damaged recording does).
 */
int dictionary_define(struct dictionary *dictionary, const struct definition *definition);

/* NULL for an id that is not defined, 0 included. */
const struct definition *dictionary_find(const struct dictionary *dictionary, enum definition_kind kind, uint32_t id);
uint32_t dictionary_count(const struct dictionary *dictionary, enum definition_kind kind);
uint64_t dictionary_bytes(const struct dictionary *dictionary); /* memory it takes, roughly */

/* A stage that keeps the definitions and passes everything on. Owns neither. */
struct dictionary_stage {
	struct dictionary *dictionary;
	struct stream_sink next;
};
struct stream_sink dictionary_sink(struct dictionary_stage *stage);

#endif
