/* SPDX-License-Identifier: MIT */
/*
 * sites.c - are the GIL's sites really that? They were found in machine code, and the GIL's parts
 * by a layout. If one of these is wrong, part of what a GIL does is never traced, and the rest
 * looks plausible. So facts that no CPython could bring about are counted.
 */
#include "model/private.h"

enum {
	FACTS_ENOUGH = 3, /* of one kind with none of the other: the begin and the end of evidence
			     explain only one */
	MOVES_ENOUGH = 3, /* of a thread, which then certainly ran Python */
};

/* From now on nothing is known of the process's GILs, nor of its threads' relations to them. */
static void sites_fail(struct world *w, struct process_entry *process, enum sites_fault fault,
		       uint64_t ts)
{
	process->pub.sites_fault = fault;
	for (struct gil_machine *g = process->gil_list; g; g = g->next)
		gil_unknown(w, g, ts);
	for (struct thread_machine *t = process->threads; t; t = t->sibling) {
		thread_doubt(w, t);
		relation_leave(w, t, ts);
		relation_set(w, t, REL_UNKNOWN);
	}
}

void sites_fact(struct world *w, const struct fact *fact)
{
	unsigned int type = fact->event->hdr.type, flags = fact->event->hdr.flags;
	struct gil_machine *g = fact->gil;
	struct process_entry *process = gil_process(g);

	if (process->pub.sites_fault ||
	    (g->takes && g->drops)) /* nothing can change that, but for a loss */
		return;
	g->takes += type == EV_TAKE;
	g->drops += type == EV_DROP;
	g->ends += type == EV_WAIT_END && !(flags & (EVF_WAIT_END_LOCKED | EVF_WAIT_END_OFF));
	process->passed |= g->takes || g->drops || g->ends;
	if (!g->takes && (g->drops >= FACTS_ENOUGH || g->ends >= FACTS_ENOUGH))
		sites_fail(w, process, SITES_NO_TAKE, fact->ts);
	else if (!g->drops && g->takes >= FACTS_ENOUGH)
		sites_fail(w, process, SITES_NO_DROP, fact->ts);
}

void sites_forget(struct gil_machine *g)
{
	g->takes = g->drops = g->ends = 0;
	gil_process(g)->passed = false;
}

void sites_forget_thread(struct thread_machine *t)
{
	process_of(t)->ran -= t->moves >= MOVES_ENOUGH;
	t->own_stack = t->moves = 0;
}

void sites_stack(struct world *w, const struct fact *fact)
{
	const struct ev_stack *event = &fact->event->stack;
	struct thread_machine *t = fact->thread;
	struct process_entry *process = process_of(t);

	if (process->partial || !event->stack || event->hdr.flags & EVF_STACK_TORN)
		return;
	if (t->own_stack && t->own_stack != event->stack && t->moves < MOVES_ENOUGH)
		process->ran += ++t->moves == MOVES_ENOUGH;
	t->own_stack = event->stack;
	/* with several GILs, or with none, several threads run Python without a hand-over */
	if (t->moves != MOVES_ENOUGH || process->gils != 1 || !process->pub.info.gil_enabled ||
	    process->pub.sites_fault || process->passed)
		return;
	if (process->ran >= 2)
		sites_fail(w, process, SITES_NO_HIT, fact->ts);
}
