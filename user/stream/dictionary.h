/* SPDX-License-Identifier: MIT */
/*
 * dictionary.h - keeps what a stream defines (functions, stacks, texts), for whoever meets their
 * numbers later.
 *
 * Memory is bounded by the DEFINE_…_MAX of stream.h: some 40 MB for all that an application of a
 * million lines has; 750 MB if every name and every stack were as long as they may be, which is
 * only a hostile trace's. What it returns lives as long as the dictionary.
 */
#ifndef GILSCOPE_STREAM_DICTIONARY_H
#define GILSCOPE_STREAM_DICTIONARY_H

#include "stream/stream.h"

struct dictionary;

/* NULL when memory is short. */
struct dictionary *dictionary_new(void);
void dictionary_free(struct dictionary *dictionary);

/*
 * Keeps a copy; texts that are too long are cut. 0, -ENOMEM, or -EBADMSG for what
 * definition_fault() finds, which the readers of recordings have refused before: then the source is
 * at fault.
 */
int dictionary_define(struct dictionary *dictionary, const struct definition *definition);

/* NULL for an id that is not defined, 0 included. */
const struct definition *dictionary_find(const struct dictionary *dictionary,
					 enum definition_kind kind, uint32_t id);
uint32_t dictionary_count(const struct dictionary *dictionary, enum definition_kind kind);
uint64_t dictionary_bytes(const struct dictionary *dictionary); /* memory it takes, roughly */

/* A stage that keeps the definitions and passes everything on. Owns neither. */
struct dictionary_stage {
	struct dictionary *dictionary;
	struct stream_sink next;
};
struct stream_sink dictionary_sink(struct dictionary_stage *stage);

#endif
