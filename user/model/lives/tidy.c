/* SPDX-License-Identifier: MIT */
/* tidy.c - frees the processes, threads and GILs that have ended and that the sink does not need
 * any more, so that a world is as large as what lives, however long it is fed. */
#include "model/loss.h"
#include "model/turn.h"

#include <stdlib.h>

/* ── lists ───────────────────────────────────────────────────────────────── */

static bool thread_leaves(const void *item)
{
	return ((const struct thread_machine *)item)->pub.leaves;
}

static bool gil_leaves(const void *item)
{
	return ((const struct gil_machine *)item)->pub.leaves;
}

static bool loop_leaves(const void *item)
{
	return ((const struct loop_machine *)item)->pub.thread->leaves;
}

static bool process_leaves(const void *item)
{
	return ((const struct process_entry *)item)->pub.leaves;
}

/* Takes what leaves out of the list; the rest stays in order. */
static void list_drop(struct world *w, struct list *list, bool (*leaves)(const void *item),
		      void (*drop)(struct world *w, void *item))
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < list->count; i++)
		if (!leaves(list->items[i]))
			list->items[kept++] = list->items[i];
		else if (drop)
			drop(w, list->items[i]);
	list->count = kept;
}

/* ── objects ─────────────────────────────────────────────────────────────── */

static void loop_drop(struct world *w, void *item)
{
	struct loop_machine *l = item;

	loop_await_no_more(l);
	HASH_DEL(w->loop_by_key, l);
	free(l);
	w->object_count--;
}

static void gil_drop(struct world *w, void *item)
{
	struct gil_machine *g = item;

	if (!g->pub.gone)
		w->gil_by_index[g->pub.index] = NULL;
	gil_process(g)->gone_gils -= g->pub.gone;
	w->gone.gils -= g->pub.gone && !g->pub.process->gone;
	free(g);
	w->object_count--;
}

static void thread_drop(struct world *w, void *item)
{
	struct thread_machine *t = item, *latest;
	uint32_t tid = t->pub.tid;

	HASH_FIND(hh, w->by_tid, &tid, sizeof(tid), latest);
	if (latest == t)
		HASH_DEL(w->by_tid, t);
	if (w->cache[tid % CACHE_SIZE] == t)
		w->cache[tid % CACHE_SIZE] = NULL;
	process_of(t)->gone_threads--;
	w->gone.threads -= !t->pub.process->gone;
	index_give(&w->indices, t->pub.index);
	free(t);
	w->object_count--;
}

static void explanations_drop(struct world *w, const struct process_entry *process)
{
	for (uint32_t i = w->unexplained_count; i-- > 0;)
		if (w->unexplained[i].process == process)
			w->unexplained[i] = w->unexplained[--w->unexplained_count];
}

static void process_drop(struct world *w, void *item)
{
	struct process_entry *process = item, *latest;
	uint32_t pid = process->pub.info.pid;
	struct descriptor *d, *next;

	HASH_ITER(hh, process->descriptors, d, next)
	descriptor_free(w, process, d);
	HASH_FIND(hh, w->by_pid, &pid, sizeof(pid), latest);
	if (latest == process)
		HASH_DEL(w->by_pid, process);
	explanations_drop(w, process);
	process_untouch(w, process);
	w->orphans -= w->orphans && process_is_orphan(process);
	w->gone.processes--;
	free(process);
}

/* ── what points to them ─────────────────────────────────────────────────── */

/* Those of a process that leaves are not looked at any more. */
static void unlink_gils(const struct world *w)
{
	for (uint32_t i = 0; i < w->processes.count; i++) {
		struct gil_machine **link = &process_at(w, i)->gil_list;

		while (!process_at(w, i)->pub.leaves && *link)
			if ((*link)->pub.leaves)
				*link = (*link)->next;
			else
				link = &(*link)->next;
	}
}

/* Who has a mutex, or had the GIL before, and which GIL that was: of the same process. */
static void forget_owners(const struct world *w)
{
	for (uint32_t i = 0; i < w->threads.count; i++) {
		struct thread_machine *t = w->threads.items[i];

		if (t->pub.lock.owner && t->pub.lock.owner->leaves)
			t->pub.lock.owner = NULL;
		if (t->pub.gil && t->pub.gil->leaves)
			t->pub.gil = NULL;
	}
	for (uint32_t i = 0; i < w->gils.count; i++)
		if (gil_at(w, i)->previous && gil_at(w, i)->previous->leaves)
			gil_at(w, i)->previous = NULL;
}

static bool pid_leaves(const struct world *w, uint32_t pid)
{
	const struct process_entry *process;

	HASH_FIND(hh, w->by_pid, &pid, sizeof(pid), process);
	return process && process->pub.leaves;
}

static void forget_relatives(struct world *w)
{
	for (uint32_t i = 0; i < w->processes.count; i++) {
		struct process_entry *process = process_at(w, i);

		for (uint32_t n = 0; n < process->pub.child_count; n++)
			process->pub.children[n].freed |= pid_leaves(w,
								     process->pub.children[n].pid);

		if (process->pub.parent && process->pub.parent->leaves) {
			process->pub.parent = NULL;
			process->parent_freed = true;
		}
		if (process->pub.sent.from && process->pub.sent.from->leaves)
			process->pub.sent.from = NULL;
	}
}

/* Of a process that lives, who has a mutex that a thread sleeps on, and who had the GIL before. */
static void spare(const struct thread *thread)
{
	if (thread && !thread->process->leaves)
		((struct thread *)thread)->leaves = false;
}

static void spare_owners(const struct world *w)
{
	for (uint32_t i = 0; i < w->threads.count; i++)
		spare(((const struct thread_machine *)w->threads.items[i])->pub.lock.owner);
	for (uint32_t i = 0; i < w->gils.count; i++)
		spare(gil_at(w, i)->previous);
}

/* Threads and GILs of a process leave with it. What lives does not leave, whatever is marked. */
static void mark(const struct world *w)
{
	for (uint32_t i = 0; i < w->processes.count; i++)
		process_at(w, i)->pub.leaves &= process_at(w, i)->pub.gone;
	for (uint32_t i = 0; i < w->threads.count; i++) {
		struct thread *thread = &((struct thread_machine *)w->threads.items[i])->pub;

		thread->leaves = thread->process->leaves || (thread->leaves && thread->gone);
	}
	for (uint32_t i = 0; i < w->gils.count; i++) {
		struct gil *gil = &gil_at(w, i)->pub;

		gil->leaves = gil->process->leaves || (gil->leaves && gil->gone);
	}
	spare_owners(w);
}

/* It looks at everything, so only after so many have ended that each costs little. */
#define OBJECTS_PER_END 16

void world_tidy(struct world *w)
{
	if (w->ended || !w->sink.choose || w->ends < w->object_count / OBJECTS_PER_END)
		return;
	w->ends = 0;
	if (!w->sink.choose(w->sink.ctx, w, w->gone))
		return;
	mark(w);
	if (w->sink.forget)
		w->sink.forget(w->sink.ctx, w);
	forget_relatives(w);
	list_drop(w, &w->moved, thread_leaves, NULL);
	forget_owners(w);
	unlink_gils(w);
	list_drop(w, &w->loops, loop_leaves, loop_drop);
	list_drop(w, &w->gils, gil_leaves, gil_drop);
	list_drop(w, &w->threads, thread_leaves, thread_drop);
	list_drop(w, &w->processes, process_leaves, process_drop);
	for (uint32_t i = 0; i < w->processes.count; i++)
		process_at(w, i)->pub.index = i;
}
