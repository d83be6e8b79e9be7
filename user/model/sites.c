/* SPDX-License-Identifier: MIT */
/*
 * sites.c - are the GIL's sites what they were taken for? They were found in machine code, and the
 * GIL's parts by a layout: where one of these is wrong, some of what a GIL does is never seen, and
 * what is seen looks sound. So facts are counted that no CPython could bring about.
 */
#include "model/private.h"

enum {
	FACTS_ENOUGH = 3, /* of one kind without any of the other: begin and end of the evidence
			     account for one */
	MOVES_ENOUGH = 3, /* of a thread, to be sure that it ran Python */
};

/* Nothing is known of its GILs any more, nor what its threads have to do with them. */
static void sites_accuse(struct world *w, struct process_entry *process, enum sites_fault fault,
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
	struct process_entry *process = (struct process_entry *)g->pub.process;

	if (process->pub.sites_fault || (g->takes && g->drops)) /* for good, or until a loss */
		return;
	g->takes += type == EV_TAKE;
	g->drops += type == EV_DROP;
	g->ends += type == EV_WAIT_END && !(flags & (EVF_WAIT_END_LOCKED | EVF_WAIT_END_OFF));
	process->passed |= g->takes || g->drops || g->ends;
	if (!g->takes && (g->drops >= FACTS_ENOUGH || g->ends >= FACTS_ENOUGH))
		sites_accuse(w, process, SITES_NO_TAKE, fact->ts);
	else if (!g->drops && g->takes >= FACTS_ENOUGH)
		sites_accuse(w, process, SITES_NO_DROP, fact->ts);
}

void sites_forget(struct gil_machine *g)
{
	g->takes = g->drops = g->ends = 0;
	((struct process_entry *)g->pub.process)->passed = false;
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
	/* with several GILs, or none, several threads run Python without a hand-over */
	if (t->moves != MOVES_ENOUGH || process->gils != 1 || !process->pub.info.gil_enabled ||
	    process->pub.sites_fault || process->passed)
		return;
	if (process->ran >= 2)
		sites_accuse(w, process, SITES_NO_HIT, fact->ts);
}
