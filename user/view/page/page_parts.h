/* SPDX-License-Identifier: MIT */
/*
 * page_parts.h - the parts of the page, which page.c puts together (page.h has the format).
 */
#ifndef GILSCOPE_VIEW_PAGE_PAGE_PARTS_H
#define GILSCOPE_VIEW_PAGE_PAGE_PARTS_H

#include "view/page/page.h"

/* ── columns (page_lane.c) ───────────────────────────────────────────────── */

/* A sequence of varints or bytes. A zeroed one is empty. Adding returns 0 or -ENOMEM. */
struct column {
	unsigned char *bytes;
	size_t length, room;
};
int column_add_byte(struct column *column, unsigned char value);
int column_add(struct column *column, uint64_t value);
/* The number at `*at`, which advances to the next one. */
uint64_t column_next(const struct column *column, size_t *at);
/* Writes it; errors are left in `file`. */
void column_write(FILE *file, const struct column *column);
void column_done(struct column *column);

/*
 * A lane of entries ordered by time. The start of its first entry is relative to an origin that is
 * still unknown, so it is kept separately, and written as the first gap or before the columns.
 */
struct page_lane {
	uint64_t count, first, end; /* ns; `end` of the latest entry */
	struct column columns[4];
};
/* Counts one more entry, behind the one before without a gap; or -EBADMSG: nothing that could be
 * drawn, which never occurs. */
int page_lane_next(struct page_lane *lane, uint64_t start, uint64_t end);
/* Writes the blob "lane-NUMBER"; `last`: one more column, or NULL. 0 or -errno. */
int page_lane_write(FILE *file, uint32_t number, const struct page_lane *lane,
		    const struct column *last, uint64_t origin);
void page_lane_done(struct page_lane *lane);

/* ── numbers in order of appearance (page_stacks.c) ──────────────────────── */

struct numbering {
	uint32_t *numbers; /* by id; 0: none yet */
	uint32_t *ids;	   /* by number - 1 */
	uint32_t count, number_room, id_room;
};
/* The number of a dictionary entry with this id: 1, 2, …; 0 if there is none. 0 or -ENOMEM. */
int numbering_get(struct numbering *numbering, const struct dictionary *names,
		  enum definition_kind kind, uint32_t id, uint32_t *ret_number);
void numbering_done(struct numbering *numbering);

/* ── stacks (page_stacks.c) ──────────────────────────────────────────────── */

struct page_stacks {
	struct numbering functions;
	uint32_t node_count;
	struct column parents, node_functions, lines;
	uint32_t stack_count;
	struct column nodes, cut, handlers, roles;
};
/* Writes the blob "stacks". 0 or -ENOMEM. */
int page_stacks_make(const struct numbering *stacks, const struct dictionary *names,
		     struct handler_finder *finder, struct page_stacks *ret_stacks);
int page_stacks_write(FILE *file, const struct page_stacks *stacks);
void page_stacks_done(struct page_stacks *stacks);

/* ── pools (page_pools.c) ────────────────────────────────────────────────── */

/* A zeroed one is empty. */
struct page_pools {
	struct pool_lane *lanes; /* by pool_step.pool */
	uint32_t room;
};
/* 0, -ENOMEM or -EBADMSG. */
int page_pools_add(struct page_pools *pools, const struct pool_step *step);
/* Ends the pool's lane, and writes it as blob "lane-NUMBER". 0 or -errno. */
int page_pool_write(FILE *file, struct page_pools *pools, const struct pool_report *report,
		    uint32_t number, const struct world_window *window);
void page_pools_done(struct page_pools *pools);

/* ── text (page_text.c) ──────────────────────────────────────────────────── */

/* Writes what `report --all` prints, for browsers without JavaScript; of a report with very many
 * stalls what `report` prints, which has the longest ones and how many there are. 0 or -errno. */
int page_text_write(FILE *file, const struct report *report);

/* ── head (page_head.c) ──────────────────────────────────────────────────── */

#define PAGE_SYSCALLS 1024 /* higher numbers have no name on any machine */

struct page_head {
	const struct stream_head *head;
	const struct report *report;
	const struct dictionary *names;
	struct handler_finder *finder; /* NULL: whose code a function is, is not known */
	const struct numbering *functions, *texts;
	const bool *syscalls; /* by number: has occurred */
};

/* The numbers of lanes: three for each thread, then those of the GILs, of the loops and of the
 * pools, all process by process in the report's order. */
struct page_counts {
	uint32_t threads, gils, loops;
};
struct page_counts page_counts(const struct report *report);
enum { PAGE_LANE_STATES, PAGE_LANE_STACKS, PAGE_LANE_CLOCK, PAGE_THREAD_LANES };
/* The first of a thread's lanes, which are in the order of the enum. */
static inline uint32_t page_lane_of_thread(uint32_t thread)
{
	return PAGE_THREAD_LANES * thread;
}
static inline uint32_t page_lane_of_gil(const struct page_counts *counts, uint32_t gil)
{
	return page_lane_of_thread(counts->threads) + gil;
}
static inline uint32_t page_lane_of_loop(const struct page_counts *counts, uint32_t loop)
{
	return page_lane_of_gil(counts, counts->gils) + loop;
}
static inline uint32_t page_lane_of_pool(const struct page_counts *counts, uint32_t pool)
{
	return page_lane_of_loop(counts, counts->loops) + pool;
}

/* Puts what numbers stand for behind the lists (page_names.c). */
struct json_out;
void page_names_put(struct json_out *out, const struct page_head *head);

/* Writes the blob "head". 0 or -errno. */
int page_head_write(FILE *file, const struct page_head *head);

#endif
