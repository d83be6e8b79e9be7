/* SPDX-License-Identifier: MIT */
/*
 * private.h - the parts of struct symbols: symbols.c resolves; registry.c gives numbers to what is defined, each thing once; kept.c keeps what may be
 * forgotten again: code objects that were read, and what the probes' hashes stand for.
 */
#ifndef GILSCOPE_SYMBOLS_PRIVATE_H
#define GILSCOPE_SYMBOLS_PRIVATE_H

#include "symbols/code.h"
#include "symbols/symbols.h"

#define HASH_NONFATAL_OOM	     1
#define uthash_nonfatal_oom(element) ((void)(element)) /* HASH_FAILED() sees it */
#include <uthash.h>
#define HASH_FAILED(element) (!(element)->hh.tbl)

/* ── definitions: for ever ───────────────────────────────────────────────────────────────────────────────────────── */

struct registry {
	struct stream_sink sink;
	struct interned *known[DEFINE_KINDS]; /* by content */
	uint64_t bytes;
};

void registry_done(struct registry *registry);
uint32_t registry_count(const struct registry *registry, enum definition_kind kind);
/* Defines these, unless they are defined already. ret_id is 0 when there is no room. 0, -ENOMEM or the sink's error. */
int registry_function(struct registry *registry, const char *name, const char *file, uint32_t line, uint32_t *ret_id);
int registry_stack(struct registry *registry, const struct stack_frame *frames, uint32_t count, bool cut, uint32_t *ret_id);
int registry_text(struct registry *registry, const char *text, uint32_t *ret_id);

/* ── what may be forgotten: the oldest first that was not used lately ("second chance") ──────────────────────────────────── */

/* From a hash of the probes to the definition. */
struct numbers {
	struct number *known; /* by hash */
	uint64_t bytes;
};

void numbers_done(struct numbers *numbers);
bool numbers_find(const struct numbers *numbers, uint64_t hash, uint32_t *ret_id);
int numbers_keep(struct numbers *numbers, uint64_t hash, uint32_t id);

struct code_key {
	uint64_t address;
	uint32_t pid, check;
};

struct kept_code {
	struct code_key key;
	uint32_t function;
	uint32_t first_line, lines_bytes;
	bool lines_known, used;
	uint8_t *lines;
	UT_hash_handle hh;
};

struct codes {
	struct kept_code *known; /* by key */
	uint64_t bytes, lines_bytes;
};

void codes_done(struct codes *codes);
const struct kept_code *codes_find(struct codes *codes, const struct code_key *key);
/* Takes over code->lines in any case. 0 or -ENOMEM. */
int codes_keep(struct codes *codes, const struct code_key *key, uint32_t function, struct code *code, const struct kept_code **ret_kept);
void codes_forget(struct codes *codes, uint32_t pid);

#endif
