/* SPDX-License-Identifier: MIT */
/*
 * private.h - the parts of struct symbols: symbols.c resolves; registry.c gives numbers to what is
 * defined, each thing once; kept.c keeps what may be forgotten again: code objects that were read,
 * and what the probes' hashes stand for.
 */
#ifndef GILSCOPE_SYMBOLS_PRIVATE_H
#define GILSCOPE_SYMBOLS_PRIVATE_H

#include "base/hash.h"
#include "symbols/code.h"
#include "symbols/symbols.h"

/* ── definitions: for ever ───────────────────────────────────────────────── */

struct registry {
	struct stream_sink sink;
	struct interned *known[DEFINE_KINDS]; /* by content */
	uint64_t bytes;
};

void registry_done(struct registry *registry);
uint32_t registry_count(const struct registry *registry, enum definition_kind kind);
/* Defines these, unless they are defined already. ret_id is 0 when there is no room. 0, -ENOMEM or
 * the sink's error. */
int registry_function(struct registry *registry, const char *name, const char *file, uint32_t line,
		      uint32_t *ret_id);
int registry_stack(struct registry *registry, const struct stack_frame *frames, uint32_t count,
		   bool cut, uint32_t *ret_id);
int registry_text(struct registry *registry, const char *text, uint32_t *ret_id);

/* ── what may be forgotten: the longest unused first ─────────────────────── */

/* From a hash of the probes to the definition. */
struct numbers {
	struct number *known;  /* by hash */
	struct number *by_use; /* the longest unused first */
	uint64_t bytes;
};

void numbers_free(struct numbers *numbers); /* accepts NULL */
bool numbers_find(struct numbers *numbers, uint64_t hash, uint32_t *ret_id);
int numbers_keep(struct numbers *numbers, uint64_t hash, uint32_t id);

/* One code object is kept for an address: where thousands follow each other at one, their checks of
 * 32 bits would no longer tell them all apart. */
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
	struct kept_code *prev, *next;
	UT_hash_handle hh;
};

struct codes {
	struct kept_code *known, *by_use; /* as above */
	uint64_t bytes, lines_bytes;
};

void codes_done(struct codes *codes);
/* NULL: not known, or it was another one. */
const struct kept_code *codes_find(struct codes *codes, const struct code_key *key, uint32_t check);
/* Takes over code->lines in any case. 0 or -ENOMEM. */
int codes_keep(struct codes *codes, const struct code_key *key, uint32_t check, uint32_t function,
	       struct code *code, const struct kept_code **ret_kept);
void codes_forget(struct codes *codes, uint32_t pid);

#endif
