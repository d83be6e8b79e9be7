/* SPDX-License-Identifier: MIT */
/*
 * symbols_internal.h - the parts of struct symbols: symbols.c resolves stacks; definitions.c gives
 * every distinct definition an id; caches.c holds what may be evicted: code objects that were read,
 * and the ids for the hashes of the probes.
 */
#ifndef GILSCOPE_SYMBOLS_INTERNAL_H
#define GILSCOPE_SYMBOLS_INTERNAL_H

#include "base/hash.h"
#include "stream/names/issue.h"
#include "symbols/code.h"
#include "symbols/sources/sources.h"
#include "symbols/symbols.h"

/* ── definitions ─────────────────────────────────────────────────────────── */

/*
 * What has been defined, by content; when there is too much, what was not used for longest is
 * forgotten. Everything in the room refers to it by its ids; only symbols.c makes numbers of the
 * stream out of them, for the moment.
 */
struct definitions {
	struct issue issue;
};

/* 0 or -ENOMEM; in any case definitions_done() is to follow. */
int definitions_begin(struct definitions *definitions, struct stream_sink sink);
void definitions_done(struct definitions *definitions);
/* So far, the forgotten ones included. */
uint64_t definitions_made(const struct definitions *definitions, enum definition_kind kind);
/* Whether it is known still. 0 is. */
bool definitions_has(const struct definitions *definitions, enum definition_kind kind, uint32_t id);
/* The number by which the stream knows it from now on. 0, -ENOMEM or the sink's error. */
int definitions_number(struct definitions *definitions, enum definition_kind kind, uint32_t id,
		       uint32_t *ret_number);
/* Define a function, a stack or a text, unless the same one is defined already. ret_id is 0 if
 * there is no room. 0, -ENOMEM or the sink's error. */
int definitions_function(struct definitions *definitions, const char *name, const char *file,
			 uint32_t line, uint32_t *ret_id);
int definitions_stack(struct definitions *definitions, const struct stack_frame *frames,
		      uint32_t count, bool cut, uint32_t *ret_id);
int definitions_text(struct definitions *definitions, const char *text, uint32_t *ret_id);
/*
 * What one process says of a line of source (0: of the decorator), "" if it cannot tell. If another
 * one says anything else, nothing is known of it: a function that several processes have counts as
 * one, though their files may differ. 0, -ENOMEM or the sink's error.
 */
int definitions_source(struct definitions *definitions, uint32_t function, uint32_t line,
		       const char *text);

/* ── machine code: native.c ──────────────────────────────────────────────── */

/* What is known of a process's machine code: ranges that do not overlap, by address. Full, it
 * begins anew. */
#define NATIVES_MAX 4096
struct natives {
	struct native_range {
		uint64_t start, end;
		uint32_t function;
	} *list;
	uint32_t count, room;
};

bool natives_find(const struct natives *natives, uint64_t address, uint32_t *ret_function);
/* What overlaps the range is forgotten. 0 or -ENOMEM. */
int natives_keep(struct natives *natives, const struct native_range *range);
void natives_done(struct natives *natives);

/* ── caches: evicted by least recent use ─────────────────────────────────── */

/* Ids of definitions, by the hashes of the probes. */
struct id_cache {
	struct cached_id *known;  /* by hash */
	struct cached_id *by_use; /* the least recently used first */
	struct cached_id *ended;  /* not in by_use, of processes that are gone; likewise */
	uint32_t ended_count;
	uint64_t bytes;
};
/* Those of a process. */
struct id_owner {
	struct cached_id *list;
};

void id_cache_free(struct id_cache *cache); /* accepts NULL */
bool id_cache_find(struct id_cache *cache, uint64_t hash, uint32_t *ret_id);
/* In place of what was there. `owner`: the process that the hash is of; NULL: of none. 0 or
 * -ENOMEM.
 */
int id_cache_keep(struct id_cache *cache, uint64_t hash, uint32_t id, struct id_owner *owner);
/* The process is gone. Its hashes may come again, when another one has its PID, as long as the
 * probes remember that they have sent them; no longer. */
void id_cache_end(struct id_cache *cache, struct id_owner *owner);

/* One code object is cached per address. If thousands succeeded each other at one address, their
 * 32-bit checks could no longer distinguish all of them. */
struct code_key {
	uint64_t address;
	uint64_t pid;
};

struct kept_code {
	struct code_key key;
	uint32_t check, function;
	uint32_t first_line, lines_bytes;
	uint8_t *lines;
	bool lines_known;
	bool trampoline; /* the interpreter's own, no frame of the program */
	struct kept_code *prev, *next;
	UT_hash_handle hh;
};

struct codes {
	struct kept_code *known, *by_use; /* as above */
	uint64_t bytes, lines_bytes;
};

void codes_done(struct codes *codes);
/* NULL: not cached, or it is a different one. */
const struct kept_code *codes_find(struct codes *codes, const struct code_key *key, uint32_t check);
/* Takes ownership of code->lines in any case. 0 or -ENOMEM. */
int codes_keep(struct codes *codes, const struct code_key *key, uint32_t check, uint32_t function,
	       struct code *code, const struct kept_code **ret_kept);
void codes_forget(struct codes *codes, uint32_t pid);

#endif
