/* SPDX-License-Identifier: MIT */
#include "symbols/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * uthash keeps its elements in the order they were added, so the first one is the oldest. When one has to go, elements that were used since they were
 * added are added again, at the end, until there is one that was not.
 */

/* ── hashes ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

struct number {
	uint64_t hash;
	uint32_t id;
	bool used;
	UT_hash_handle hh;
};

/* The probes remember the last 16384 hashes that they sent (bpf/), roughly in order of use: what they still remember must be known here. */
#define NUMBERS_MAX (8u * 16384)

static void number_free(struct numbers *numbers, struct number *number)
{
	free(number);
	numbers->bytes -= sizeof(*number);
}

void numbers_done(struct numbers *numbers)
{
	struct number *number, *next;

	HASH_ITER(hh, numbers->known, number, next) {
		HASH_DEL(numbers->known, number);
		number_free(numbers, number);
	}
}

bool numbers_find(const struct numbers *numbers, uint64_t hash, uint32_t *ret_id)
{
	struct number *number;

	HASH_FIND(hh, numbers->known, &hash, sizeof(hash), number);
	if (!number)
		return false;
	number->used = true;
	*ret_id = number->id;
	return true;
}

static void numbers_forget_one(struct numbers *numbers)
{
	struct number *oldest = numbers->known;
	bool used = oldest->used;

	HASH_DEL(numbers->known, oldest);
	while (used) {
		oldest->used = false;
		HASH_ADD(hh, numbers->known, hash, sizeof(oldest->hash), oldest);
		if (HASH_FAILED(oldest))
			break;
		oldest = numbers->known;
		used = oldest->used;
		HASH_DEL(numbers->known, oldest);
	}
	number_free(numbers, oldest);
}

int numbers_keep(struct numbers *numbers, uint64_t hash, uint32_t id)
{
	struct number *number = calloc(1, sizeof(*number));

	if (!number)
		return -ENOMEM;
	if (HASH_COUNT(numbers->known) == NUMBERS_MAX)
		numbers_forget_one(numbers);
	numbers->bytes += sizeof(*number);
	number->hash = hash;
	number->id = id;
	HASH_ADD(hh, numbers->known, hash, sizeof(hash), number);
	if (HASH_FAILED(number)) {
		number_free(numbers, number);
		return -ENOMEM;
	}
	return 0;
}

/* ── code objects ────────────────────────────────────────────────────────────────────────────────────────────────── */

#define LINES_BYTES_MAX (64u << 20) /* of all line tables together */

static void code_free(struct codes *codes, struct kept_code *code)
{
	codes->bytes -= sizeof(*code) + code->lines_bytes;
	codes->lines_bytes -= code->lines_bytes;
	free(code->lines);
	free(code);
}

void codes_done(struct codes *codes)
{
	struct kept_code *code, *next;

	HASH_ITER(hh, codes->known, code, next) {
		HASH_DEL(codes->known, code);
		code_free(codes, code);
	}
}

void codes_forget(struct codes *codes, uint32_t pid)
{
	struct kept_code *code, *next;

	HASH_ITER(hh, codes->known, code, next) {
		if (code->key.pid != pid)
			continue;
		HASH_DEL(codes->known, code);
		code_free(codes, code);
	}
}

const struct kept_code *codes_find(struct codes *codes, const struct code_key *key)
{
	struct kept_code *code;

	HASH_FIND(hh, codes->known, key, sizeof(*key), code);
	if (code)
		code->used = true;
	return code;
}

static void codes_forget_one(struct codes *codes)
{
	struct kept_code *oldest = codes->known;
	bool used = oldest->used;

	HASH_DEL(codes->known, oldest);
	while (used) {
		oldest->used = false;
		HASH_ADD(hh, codes->known, key, sizeof(oldest->key), oldest);
		if (HASH_FAILED(oldest))
			break;
		oldest = codes->known;
		used = oldest->used;
		HASH_DEL(codes->known, oldest);
	}
	code_free(codes, oldest);
}

int codes_keep(struct codes *codes, const struct code_key *key, uint32_t function, struct code *code, const struct kept_code **ret_kept)
{
	struct kept_code *kept = calloc(1, sizeof(*kept));

	if (!kept) {
		free(code->lines);
		return -ENOMEM;
	}
	while (codes->known && (HASH_COUNT(codes->known) >= SYMBOLS_CODES_MAX || codes->lines_bytes + code->lines_bytes > LINES_BYTES_MAX))
		codes_forget_one(codes);
	kept->key = *key;
	kept->function = function;
	kept->first_line = code->first_line;
	kept->lines_known = code->lines_known;
	kept->lines = code->lines;
	kept->lines_bytes = code->lines_bytes;
	codes->bytes += sizeof(*kept) + kept->lines_bytes;
	codes->lines_bytes += kept->lines_bytes;
	HASH_ADD(hh, codes->known, key, sizeof(kept->key), kept);
	if (HASH_FAILED(kept)) {
		code_free(codes, kept);
		return -ENOMEM;
	}
	*ret_kept = kept;
	return 0;
}
