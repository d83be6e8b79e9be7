/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "python/elf/decoder.h"
#include "python/elf/elf_scan.h"
#include "python/elf/functions.h"

enum {
	CODE_BYTES_MAX = 256 << 20,
	CALLS_MAX = 4096, /* Python has about a dozen; an application in the same file may have some
			     of its own */
};

struct found {
	struct call call;
	struct function function; /* the call lies in */
	bool in_take;		  /* that function is take_gil */
};

struct scan {
	const struct elf_image *image;
	struct functions functions;
	struct machine_code codes[ELF_LOADS_MAX];
	uint32_t code_count;
	struct places slots, stubs;
	struct found *found;
	uint32_t found_count;
	bool tail_signal;
	bool wait_apart; /* take_gil waits in a function of its own */
};

static void scan_done(struct scan *scan)
{
	for (uint32_t i = 0; i < scan->code_count; i++)
		free((void *)scan->codes[i].bytes);
	free(scan->found);
	functions_done(&scan->functions);
}

static int codes_read(struct scan *scan)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < scan->image->load_count; i++) {
		const struct elf_load *load = &scan->image->loads[i];
		uint8_t *bytes;
		int err;

		if (!load->executable || !load->file_size)
			continue;
		total += load->file_size;
		if (load->file_size > CODE_BYTES_MAX || total > CODE_BYTES_MAX)
			return -EFBIG;
		bytes = malloc(load->file_size);
		if (!bytes)
			return -ENOMEM;
		scan->codes[scan->code_count++] = (struct machine_code){bytes, load->file_size,
									load->vaddr};
		err = elf_image_read(scan->image, load->vaddr, bytes, load->file_size);
		if (err)
			return err;
	}
	return 0;
}

static int slot_found(void *ctx, const char *name, uint64_t slot)
{
	struct places *slots = ctx;

	if (strcmp(name, "pthread_cond_timedwait") == 0)
		places_add(slots, slot, IMPORT_TIMEDWAIT);
	else if (strcmp(name, "pthread_cond_signal") == 0)
		places_add(slots, slot, IMPORT_SIGNAL);
	return 0;
}

static int call_found(void *ctx, const struct call *call)
{
	struct scan *scan = ctx;
	struct found found = {.call = *call};

	/* Code lies in functions; the same bytes elsewhere are data, and probing them would corrupt
	 * it. */
	if (functions_find(&scan->functions, call->vaddr, &found.function))
		return 0;
	/* take_gil and drop_gil unlock the GIL's mutex after each of these calls, so a tail call is
	 * not one of theirs. */
	if (call->jump) {
		scan->tail_signal = true;
		return 0;
	}
	if (scan->found_count == CALLS_MAX)
		return -E2BIG;
	scan->found[scan->found_count++] = found;
	return 0;
}

static int calls_find(struct scan *scan)
{
	scan->found = calloc(CALLS_MAX, sizeof(*scan->found));
	if (!scan->found)
		return -ENOMEM;
	elf_image_imports(scan->image, slot_found, &scan->slots);
	for (uint32_t i = 0; i < scan->code_count; i++)
		DECODER.stubs(&scan->codes[i], &scan->slots, &scan->stubs);
	if (places_full(&scan->slots) || places_full(&scan->stubs))
		return -E2BIG;
	for (uint32_t i = 0; i < scan->code_count; i++) {
		int err = DECODER.calls(&scan->codes[i], &scan->slots, &scan->stubs, call_found,
					scan);

		if (err)
			return err;
	}
	return 0;
}

enum { JUMPS_COST = 32, JUMPS_LEAST = 16 }; /* CPython needs some thousands of such bytes */

static bool jumps(const struct scan *scan, uint64_t from, uint64_t from_end, uint64_t to,
		  uint64_t to_end)
{
	/* ranges of functions may overlap in a hostile file, and each be all of its code; decoding
	 * a byte takes as long as reading some */
	if (!elf_image_spend(scan->image, (from_end - from + JUMPS_LEAST) * JUMPS_COST))
		return false;
	for (uint32_t i = 0; i < scan->code_count; i++)
		if (DECODER.jumps(&scan->codes[i], from, from_end, to, to_end))
			return true;
	return false;
}

/* `part` was split off `function` by the compiler, as a cold part: jumped into, and jumping back
 * behind the start, where no tail call goes. */
static bool is_part_of(const struct scan *scan, const struct function *part,
		       const struct function *function)
{
	return jumps(scan, function->start, function->end, part->start, part->end) &&
	       jumps(scan, part->start, part->end, function->start + 1, function->end);
}

static bool same_function(const struct scan *scan, const struct function *a,
			  const struct function *b)
{
	return a->start == b->start || is_part_of(scan, a, b) || is_part_of(scan, b, a);
}

/* All calls in this function, or in a part of it, are take_gil's. True when it signals anything. */
static bool take_gil_mark(struct scan *scan, const struct function *take_gil)
{
	bool signals = false;

	for (uint32_t i = 0; i < scan->found_count && !elf_budget_spent(scan->image->budget); i++) {
		struct found *found = &scan->found[i];

		if (!same_function(scan, take_gil, &found->function))
			continue;
		found->in_take = true;
		signals |= found->call.import == IMPORT_SIGNAL;
	}
	return signals;
}

static int caller_found(void *ctx, const struct call *call)
{
	struct scan *scan = ctx;
	struct function caller;

	if (!call->jump && functions_find(&scan->functions, call->vaddr, &caller) == 0)
		scan->wait_apart |= take_gil_mark(scan, &caller);
	return 0;
}

/*
 * The function that waits is take_gil. Without inlining (debug builds, -O0) it is PyCOND_TIMEDWAIT
 * (Python/condvar.h), and take_gil is its only caller that signals.
 */
static int take_gil_find(struct scan *scan)
{
	const struct places no_slots = {0};
	struct places waiting = {0};
	bool signals = false;
	int err = 0;

	for (uint32_t i = 0; i < scan->found_count; i++) {
		const struct found *found = &scan->found[i];

		if (found->call.import != IMPORT_TIMEDWAIT)
			continue;
		signals |= take_gil_mark(scan, &found->function);
		places_add(&waiting, found->function.start, IMPORT_TIMEDWAIT);
	}
	if (places_full(&waiting))
		return -E2BIG;
	for (uint32_t i = 0; i < scan->code_count && !signals && !err; i++)
		err = DECODER.calls(&scan->codes[i], &no_slots, &waiting, caller_found, scan);
	return err;
}

static int site_compare(const void *a, const void *b)
{
	const struct gil_site *x = a, *y = b;

	return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

static int sites_make(const struct scan *scan, struct elf_sites *ret_sites)
{
	struct elf_sites sites = {.list = calloc(scan->found_count + 1, sizeof(*sites.list)),
				  .doubtful = scan->tail_signal,
				  .wait_apart = scan->wait_apart};

	if (!sites.list)
		return -ENOMEM;
	for (uint32_t i = 0; i < scan->found_count; i++) {
		const struct found *found = &scan->found[i];
		struct gil_site *site = &sites.list[sites.count++];

		site->kind = found->call.import == IMPORT_TIMEDWAIT ? SITE_WAIT
			     : found->in_take			    ? SITE_TAKE
								    : SITE_DROP;
		site->vaddr = found->call.vaddr;
		site->offset = elf_image_offset(scan->image, site->vaddr);
		site->after = site->offset + found->call.length;
		sites.number[site->kind]++;
	}
	qsort(sites.list, sites.count, sizeof(*sites.list), site_compare);
	*ret_sites = sites;
	return 0;
}

void elf_sites_done(struct elf_sites *sites)
{
	free(sites->list);
	*sites = (struct elf_sites){0};
}

/*
 * Symbols only confirm the scan: take_gil's sites must be in a function of that name, with any
 * suffix of the compiler's, and no DROP may be. WAIT is exempt if it is in a function of its own.
 */
static int symbol_check(void *ctx, const char *name, const GElf_Sym *symbol)
{
	static const char take[] = "take_gil";
	struct elf_sites *sites = ctx;

	if (GELF_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF ||
	    symbol->st_size == 0)
		return 0;
	for (uint32_t i = 0; i < sites->count; i++) {
		const struct gil_site *site = &sites->list[i];
		char next = strncmp(name, take, sizeof(take) - 1) == 0 ? name[sizeof(take) - 1]
								       : 'x';
		bool is_take = next == 0 || next == '.';

		if (sites->wait_apart && site->kind == SITE_WAIT)
			continue;
		if (site->vaddr - symbol->st_value < symbol->st_size &&
		    is_take != (site->kind != SITE_DROP))
			sites->doubtful = true;
	}
	return 0;
}

static int scan_run(struct scan *scan, struct elf_sites *ret_sites)
{
	int err = functions_read(scan->image, &scan->functions);

	if (!err)
		err = codes_read(scan);
	if (!err)
		err = calls_find(scan);
	if (!err)
		err = take_gil_find(scan);
	return err ? err : sites_make(scan, ret_sites);
}

int elf_scan(const struct elf_image *image, struct diag *diag, struct elf_sites *ret_sites)
{
	_cleanup_(scan_done) struct scan scan = {.image = image};
	_cleanup_(elf_sites_done) struct elf_sites sites = {0};
	int err = scan_run(&scan, &sites);

	if (err == -ENODATA)
		return diag_set(diag, EXIT_UNSUPPORTED, -ENOTSUP,
				"the Python image has no .eh_frame_hdr: its functions cannot be "
				"distinguished");
	if (err == -E2BIG)
		return diag_set(
			diag, EXIT_UNSUPPORTED, -ENOTSUP,
			"the Python image has more than %d waits for and signals of conditions",
			CALLS_MAX);
	if (err == -ENOMEM)
		return diag_set(diag, EXIT_FAILED, err,
				"not enough memory to scan the Python image");
	if (err)
		return diag_set(diag, EXIT_UNSUPPORTED, -ENOTSUP,
				"the Python image cannot be scanned for its GIL sites: %s",
				strerror(-err));
	if (!scan.slots.count)
		return diag_set(diag, EXIT_UNSUPPORTED, -ENOTSUP,
				"the Python image does not import pthread_cond_timedwait: it is "
				"linked fully statically");
	if (!sites.number[SITE_WAIT] || !sites.number[SITE_TAKE] || !sites.number[SITE_DROP])
		return diag_set(diag, EXIT_UNSUPPORTED, -ENOTSUP,
				"the Python image does not look like CPython's GIL: %u places wait "
				"for it, %u take it, %u drop it",
				sites.number[SITE_WAIT], sites.number[SITE_TAKE],
				sites.number[SITE_DROP]);
	elf_image_symbols(image, SHT_SYMTAB, symbol_check, &sites);
	*ret_sites = STEAL(sites, (struct elf_sites){0});
	return 0;
}
