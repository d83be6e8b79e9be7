/* SPDX-License-Identifier: MIT */
/*
 * ended.h - processes that have ended and are not reported one by one any more. Internal to the
 * room.
 *
 * A service that restarts its workers has few of them at a time and any number in the end. So the
 * builder keeps all that live, and ENDED_KEPT of those that have ended: the ones with trouble
 * first, then the latest. The others become one: a process, a few threads, a GIL and a loop that
 * stand for them (struct process.stands_for), with all of their sums and listed stalls. So whatever
 * is added up over processes stays exact, and memory is bounded by what lives.
 */
#ifndef GILSCOPE_ANALYSIS_ENDED_ENDED_H
#define GILSCOPE_ANALYSIS_ENDED_ENDED_H

#include "analysis/fold.h"

#define ENDED_HEIRS_MAX	 32
#define ENDED_DEATHS_MAX 64

/* A thread that stands for others: those of a pool, of loops, of Python, or of none of these. */
struct heir {
	struct thread thread;
	uint32_t pool; /* thread_fold.was_pool */
};

struct ended {
	struct process process;
	struct gil gil;
	struct loop loop;
	bool has_gil, has_loop;
	struct heir *heirs[ENDED_HEIRS_MAX];
	uint32_t heir_count;
	uint64_t observed_ns;
	struct ended_death deaths[ENDED_DEATHS_MAX];
	uint32_t death_count;
};

/* model_sink.choose() and .forget() of the builder. */
bool ended_choose(void *ctx, const struct world *world, struct world_ended gone);
void ended_forget(void *ctx, const struct world *world);

/* The thread that stands for this one, which leaves; made when first needed. NULL when memory is
 * short. */
struct thread *ended_heir(struct report_builder *builder, const struct thread *thread);
/* move.c: the sums of what leaves become part of its heir's. */
void ended_move_loop(struct report_builder *builder, struct loop_fold *loop);
void ended_move_gil(struct report_builder *builder, struct gil *gil);
void ended_move_thread(struct report_builder *builder, struct thread_fold *thread);
void ended_move_tables(struct report_builder *builder);
/* Pools get new places, which threads know them by. */
void ended_move_pools(struct report_builder *builder);

void ended_free(struct ended *ended);

#endif
