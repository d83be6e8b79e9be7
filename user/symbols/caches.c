/* SPDX-License-Identifier: MIT */
#include "symbols/symbols_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

/* ── hashes ──────────────────────────────────────────────────────────────── */

/* The probes remember the last 16384 hashes that they sent (bpf/pywalk.bpf.h, `sent`), roughly by
 * recent use. Everything that they remember must be known here. */
#define ID_CACHE_MAX	   (8u * 16384)
#define ID_CACHE_ENDED_MAX (2u * 16384) /* of processes that are gone */

struct cached_id {
	uint64_t hash;
	uint32_t id;
	bool ended;
	struct cached_id *prev, *next;		   /* in by_use or ended */
	struct id_owner *owner;			   /* NULL: none, or it is gone */
	struct cached_id *prev_owned, *next_owned; /* of that */
	UT_hash_handle hh;
};

static struct cached_id **use_list(struct id_cache *cache, const struct cached_id *entry)
{
	return entry->ended ? &cache->ended : &cache->by_use;
}

/* It is not in a list any more. */
static void cached_id_free(struct id_cache *cache, struct cached_id *entry)
{
	if (entry->owner)
		DL_DELETE2(entry->owner->list, entry, prev_owned, next_owned);
	free(entry);
	cache->bytes -= sizeof(*entry);
}

static void cached_id_forget(struct id_cache *cache, struct cached_id *entry)
{
	struct cached_id **list = use_list(cache, entry);

	DL_DELETE(*list, entry);
	cache->ended_count -= entry->ended;
	HASH_DEL(cache->known, entry);
	cached_id_free(cache, entry);
}

void id_cache_free(struct id_cache *cache)
{
	struct cached_id *entry, *next;

	if (!cache)
		return;
	HASH_ITER(hh, cache->known, entry, next)
	cached_id_forget(cache, entry);
	free(cache);
}

bool id_cache_find(struct id_cache *cache, uint64_t hash, uint32_t *ret_id)
{
	struct cached_id *entry, **list;

	HASH_FIND(hh, cache->known, &hash, sizeof(hash), entry);
	if (!entry)
		return false;
	list = use_list(cache, entry);
	DL_DELETE(*list, entry);
	DL_APPEND(*list, entry);
	*ret_id = entry->id;
	return true;
}

int id_cache_keep(struct id_cache *cache, uint64_t hash, uint32_t id, struct id_owner *owner)
{
	struct cached_id *entry = calloc(1, sizeof(*entry)), *former;

	if (!entry)
		return -ENOMEM;
	HASH_FIND(hh, cache->known, &hash, sizeof(hash), former);
	if (former)
		cached_id_forget(cache, former);
	if (HASH_COUNT(cache->known) == ID_CACHE_MAX)
		cached_id_forget(cache, cache->ended ? cache->ended : cache->by_use);
	cache->bytes += sizeof(*entry);
	entry->hash = hash;
	entry->id = id;
	HASH_ADD(hh, cache->known, hash, sizeof(hash), entry);
	if (HASH_FAILED(entry)) {
		cached_id_free(cache, entry);
		return -ENOMEM;
	}
	DL_APPEND(cache->by_use, entry);
	entry->owner = owner;
	if (owner)
		DL_APPEND2(owner->list, entry, prev_owned, next_owned);
	return 0;
}

void id_cache_end(struct id_cache *cache, struct id_owner *owner)
{
	struct cached_id *entry, *next;

	DL_FOREACH_SAFE2(owner->list, entry, next, next_owned)
	{
		DL_DELETE(cache->by_use, entry);
		DL_APPEND(cache->ended, entry);
		entry->ended = true;
		entry->owner = NULL;
		cache->ended_count++;
	}
	owner->list = NULL;
	while (cache->ended_count > ID_CACHE_ENDED_MAX)
		cached_id_forget(cache, cache->ended);
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
