/* SPDX-License-Identifier: MIT */
/*
 * ended.h - processes, threads and GILs that have ended and are not reported one by one any more.
 * Internal to the room.
 *
 * A service that restarts its workers has few of them at a time and any number in the end, and so
 * has a process that begins a thread for each request. So the builder keeps all that live, and some
 * of those that have ended. Of processes these are the ones with trouble first, then the latest;
 * the others become one: a process, a few threads, a GIL and a loop that stand for them (struct
 * process.stands_for), with all of their sums and listed stalls. Of the threads of a process that
 * lives they are those that a listed stall or anything in progress refers to, and the latest; the
 * others become a few of that process (struct thread.stands_for). Of the GILs of its
 * sub-interpreters that have ended the latest are kept; nothing refers to the others, which become
 * one (struct gil.stands_for). So whatever is added up stays
 * exact, and memory is bounded by what lives.
 */
#ifndef GILSCOPE_ANALYSIS_ENDED_ENDED_H
#define GILSCOPE_ANALYSIS_ENDED_ENDED_H

#include "analysis/fold.h"

#define ENDED_DEATHS_MAX 64
/* Threads are smaller than processes: so many times as many are kept. */
#define ENDED_THREADS_TIMES 4
/* Of GILs no more than so many stay because they ended not long ago: a process that makes one after
 * the other shall not fill the world. */
#define ENDED_GILS_MAX (WORLD_GILS_MAX / 4)

/* A thread that stands for others: those of a pool, of loops, of Python, or of none of these. */
struct heir {
	struct thread thread;
	uint32_t pool;	  /* thread_fold.was_pool */
	struct loop loop; /* stands for theirs; unless there is none: thread.loop is NULL */
};

struct ended {
	struct process process;
	struct gil gil; /* stands for theirs, if they had any */
	struct heirs heirs;
	uint64_t observed_ns;
	struct ended_death deaths[ENDED_DEATHS_MAX];
	uint32_t death_count;
};

/* model_sink.choose() and .forget() of the builder. */
bool ended_choose(void *ctx, const struct world *world, struct world_ended gone);
void ended_forget(void *ctx, const struct world *world);

/* spare.c: threads of processes that live, but for those that something refers to. False: none. */
bool ended_choose_threads(struct report_builder *builder, const struct world *world, uint32_t gone);

/* gils.c: GILs of processes that live. False: none. */
bool ended_choose_gils(struct report_builder *builder, const struct world *world, uint32_t gone);
/* What leaves, and of these processes what stands for others, becomes part of what stands for it.
 */
void ended_move_gils(struct report_builder *builder, const struct world *world);

/* Takes back that a thread, or those that are referred to, may go. */
void ended_spare(const struct thread *thread); /* NULL is fine */
void ended_spare_breakdown(const struct breakdown *what);
void ended_spare_stall(const struct stall *stall);

/* heirs.c: the thread that stands for this one, which leaves; made when first needed. NULL when
 * memory is short. */
struct thread *ended_heir(struct report_builder *builder, const struct thread *thread);
static inline const struct thread *heir_or_self(struct report_builder *builder,
						const struct thread *thread)
{
	return thread && thread->leaves ? ended_heir(builder, thread) : thread;
}
/* The same of a loop. */
struct loop_fold *ended_loop_heir(struct report_builder *builder, const struct loop *loop);
void heirs_done(struct heirs *heirs);

/* What leaves may stand for others itself. */
static inline uint32_t how_many(uint32_t stands_for)
{
	return stands_for ? stands_for : 1;
}

/* move.c: the sums of what leaves become part of its heir's. */
void ended_move_loop(struct report_builder *builder, struct loop_fold *loop);
void ended_move_thread(struct report_builder *builder, struct thread_fold *thread);
/* What a thread that stays remembers of those that leave. */
void ended_redirect(struct report_builder *builder, struct thread_fold *thread);
/* tables.c: what is added up by thread; and pools, which get new places that threads know them
 * by. */
void ended_move_tables(struct report_builder *builder);
void ended_move_pools(struct report_builder *builder);

void ended_free(struct ended *ended);

#endif
