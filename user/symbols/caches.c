/* SPDX-License-Identifier: MIT */
#include "symbols/symbols_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

/* ── hashes ──────────────────────────────────────────────────────────────── */

/* The probes remember the last 16384 hashes that they sent (bpf/pywalk.bpf.h, `sent`), roughly by
 * recent use. Everything that they remember must be known here. */
#define ID_CACHE_MAX (8u * 16384)

struct cached_id {
	uint64_t hash;
	uint32_t id;
	struct cached_id *prev, *next;
	UT_hash_handle hh;
};

static void cached_id_free(struct id_cache *cache, struct cached_id *entry)
{
	free(entry);
	cache->bytes -= sizeof(*entry);
}

void id_cache_free(struct id_cache *cache)
{
	struct cached_id *entry, *next;

	if (!cache)
		return;
	HASH_ITER(hh, cache->known, entry, next)
	{
		HASH_DEL(cache->known, entry);
		cached_id_free(cache, entry);
	}
	free(cache);
}

bool id_cache_find(struct id_cache *cache, uint64_t hash, uint32_t *ret_id)
{
	struct cached_id *entry;

	HASH_FIND(hh, cache->known, &hash, sizeof(hash), entry);
	if (!entry)
		return false;
	DL_DELETE(cache->by_use, entry);
	DL_APPEND(cache->by_use, entry);
	*ret_id = entry->id;
	return true;
}

int id_cache_keep(struct id_cache *cache, uint64_t hash, uint32_t id)
{
	struct cached_id *entry = calloc(1, sizeof(*entry)), *oldest = cache->by_use;

	if (!entry)
		return -ENOMEM;
	if (HASH_COUNT(cache->known) == ID_CACHE_MAX) {
		DL_DELETE(cache->by_use, oldest);
		HASH_DEL(cache->known, oldest);
		cached_id_free(cache, oldest);
	}
	cache->bytes += sizeof(*entry);
	entry->hash = hash;
	entry->id = id;
	HASH_ADD(hh, cache->known, hash, sizeof(hash), entry);
	if (HASH_FAILED(entry)) {
		cached_id_free(cache, entry);
		return -ENOMEM;
	}
	DL_APPEND(cache->by_use, entry);
	return 0;
}

/* ── code objects ────────────────────────────────────────────────────────── */

#define LINES_BYTES_MAX (64u << 20) /* of all line tables together */

static void code_free(struct codes *codes, struct kept_code *code)
{
	codes->bytes -= sizeof(*code) + code->lines_bytes;
	codes->lines_bytes -= code->lines_bytes;
	free(code->lines);
	free(code);
}

static void code_forget(struct codes *codes, struct kept_code *code)
{
	DL_DELETE(codes->by_use, code);
	HASH_DEL(codes->known, code);
	code_free(codes, code);
}

void codes_done(struct codes *codes)
{
	struct kept_code *code, *next;

	HASH_ITER(hh, codes->known, code, next)
	code_forget(codes, code);
}

void codes_forget(struct codes *codes, uint32_t pid)
{
	struct kept_code *code, *next;

	HASH_ITER(hh, codes->known, code, next)
	if (code->key.pid == pid)
		code_forget(codes, code);
}

static struct kept_code *code_find(const struct codes *codes, const struct code_key *key)
{
	struct kept_code *code;

	HASH_FIND(hh, codes->known, key, sizeof(*key), code);
	return code;
}

const struct kept_code *codes_find(struct codes *codes, const struct code_key *key, uint32_t check)
{
	struct kept_code *code = code_find(codes, key);

	if (!code || code->check != check)
		return NULL;
	DL_DELETE(codes->by_use, code);
	DL_APPEND(codes->by_use, code);
	return code;
}

int codes_keep(struct codes *codes, const struct code_key *key, uint32_t check, uint32_t function,
	       struct code *code, const struct kept_code **ret_kept)
{
	struct kept_code *kept = calloc(1, sizeof(*kept)), *former = code_find(codes, key);

	if (!kept) {
		free(code->lines);
		return -ENOMEM;
	}
	if (former)
		code_forget(codes, former);
	while (codes->known && (HASH_COUNT(codes->known) >= SYMBOLS_CODES_MAX ||
				codes->lines_bytes + code->lines_bytes > LINES_BYTES_MAX))
		code_forget(codes, codes->by_use);
	kept->key = *key;
	kept->check = check;
	kept->function = function;
	kept->first_line = code->first_line;
	kept->lines_known = code->lines_known;
	kept->trampoline = code_is_trampoline(code);
	kept->lines = code->lines;
	kept->lines_bytes = code->lines_bytes;
	codes->bytes += sizeof(*kept) + kept->lines_bytes;
	codes->lines_bytes += kept->lines_bytes;
	HASH_ADD(hh, codes->known, key, sizeof(kept->key), kept);
	if (HASH_FAILED(kept)) {
		code_free(codes, kept);
		return -ENOMEM;
	}
	DL_APPEND(codes->by_use, kept);
	*ret_kept = kept;
	return 0;
}
