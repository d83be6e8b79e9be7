/* SPDX-License-Identifier: MIT */
/* heirs.c - the threads and loops that stand for others, which have ended. */
#include "analysis/ended/ended.h"

#include <errno.h>
#include <stdlib.h>

/* A process that leaves has its heirs in the one that stands for it. */
static struct process *process_of_heirs(struct report_builder *builder, const struct thread *thread,
					struct heirs **ret_heirs)
{
	struct process_fold *fold;

	if (thread->process->leaves) {
		*ret_heirs = &builder->ended->heirs;
		return &builder->ended->process;
	}
	fold = process_fold(builder, thread->process);
	*ret_heirs = fold ? &fold->heirs : NULL;
	return thread->process;
}

static struct heir *heir_new(struct report_builder *builder, const struct thread *thread,
			     bool had_loop, uint32_t pool)
{
	struct heirs *heirs;
	struct process *process = process_of_heirs(builder, thread, &heirs);
	struct heir *heir = heirs ? calloc(1, sizeof(*heir)) : NULL;

	if (heir) {
		heir->pool = pool;
		heir->thread = (struct thread){.process = process,
					       .index = UINT32_MAX,
					       .python = thread->python,
					       .gone = true,
					       .sysno = SYSNO_NONE,
					       .cpu = CPU_NONE,
					       .comm = "(ended)"};
	}
	if (!heir || !thread_fold_new(builder, &heir->thread)) {
		free(heir);
		check(builder, -ENOMEM);
		return NULL;
	}
	((struct thread_fold *)heir->thread.data)->had_loop = had_loop;
	((struct thread_fold *)heir->thread.data)->was_pool = pool;
	return heirs->list[heirs->count++] = heir;
}

static struct heir *heir_of(struct report_builder *builder, const struct thread *thread)
{
	const struct thread_fold *fold = thread->data;
	bool had_loop = fold && fold->had_loop;
	uint32_t pool = fold && !had_loop ? fold->was_pool : 0;
	struct heirs *heirs;

	process_of_heirs(builder, thread, &heirs);
	if (!heirs)
		return NULL;
	/* there is always room for those of no pool: one with a loop, one of Python, one other */
	if (heirs->count + 3 > HEIRS_MAX)
		pool = 0;
	for (uint32_t i = 0; i < heirs->count; i++) {
		const struct thread *known = &heirs->list[i]->thread;

		if (known->python == thread->python && heirs->list[i]->pool == pool &&
		    ((struct thread_fold *)known->data)->had_loop == had_loop)
			return heirs->list[i];
	}
	return heir_new(builder, thread, had_loop, pool);
}

struct thread *ended_heir(struct report_builder *builder, const struct thread *thread)
{
	struct heir *heir = heir_of(builder, thread);

	return heir ? &heir->thread : NULL;
}

struct loop_fold *ended_loop_heir(struct report_builder *builder, const struct loop *loop)
{
	struct heir *heir = heir_of(builder, loop->thread);
	struct loop_fold *fold;

	if (!heir)
		return NULL;
	if (!heir->thread.loop) {
		heir->loop = (struct loop){
			.thread = &heir->thread, .epfd = EPFD_UNKNOWN, .kind = loop->kind};
		heir->thread.loop = &heir->loop;
	}
	heir->loop.by_behaviour |= loop->by_behaviour;
	if (heir->loop.kind != loop->kind)
		heir->loop.kind = LOOP_UNKNOWN;
	fold = loop_fold(builder, &heir->loop);
	if (fold)
		fold->ts_ended = UINT64_MAX; /* each was told in its time */
	return fold;
}

void heirs_done(struct heirs *heirs)
{
	for (uint32_t i = 0; i < heirs->count; i++)
		free(heirs->list[i]);
	heirs->count = 0;
}
