/* SPDX-License-Identifier: MIT */
/*
 * dictionary.h - stores what a stream defines (functions, stacks, texts, lines of source), to look
 * it up later.
 *
 * Memory is bounded by the DEFINE_…_MAX of stream.h: some 40 MB for an application of a million
 * lines; 750 MB if every name and every stack had its maximal length, as only a hostile trace
 * would. What it returns lives as long as the dictionary.
 */
#ifndef GILSCOPE_STREAM_DICTIONARY_H
#define GILSCOPE_STREAM_DICTIONARY_H

#include "stream/stream.h"

struct dictionary;

/* NULL when memory is short. */
struct dictionary *dictionary_new(void);
void dictionary_free(struct dictionary *dictionary);

/*
 * Stores a copy, with long texts cut. 0, -ENOMEM, or -EBADMSG for what definition_fault() rejects;
 * readers of recordings have rejected that before, so then the source has a bug.
 */
int dictionary_define(struct dictionary *dictionary, const struct definition *definition);

/* NULL for an id that is not defined, 0 included. */
const struct definition *dictionary_find(const struct dictionary *dictionary,
					 enum definition_kind kind, uint32_t id);
/*
 * A line of source as it is in the file, without the blanks around it; with line 0 the function's
 * decorator, that of its route before others. NULL if it is not known.
 */
const char *dictionary_source(const struct dictionary *dictionary, uint32_t function,
			      uint32_t line);
uint32_t dictionary_count(const struct dictionary *dictionary, enum definition_kind kind);
uint64_t dictionary_bytes(const struct dictionary *dictionary); /* approximate memory use */

/* Keeps the definitions of a stream: the sink of a stage (stage.h). It takes nothing else. */
struct stream_sink dictionary_sink(struct dictionary *dictionary);

#endif
