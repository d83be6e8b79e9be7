/* SPDX-License-Identifier: MIT */
/*
 * sites.c - are the GIL's sites what they were taken for? They were found in machine code, and the GIL's parts by a layout: where one of these is wrong, some
 * of what a GIL does is never seen, and what is seen looks sound. So facts are counted that no CPython could bring about.
 */
#include "model/private.h"

enum {
	FACTS_ENOUGH = 3, /* of one kind without any of the other: begin and end of the evidence account for one */
	MOVES_ENOUGH = 3, /* of a thread, to be sure that it ran Python */
};

/* Nothing is known of its GILs any more, nor what its threads have to do with them. */
static void doubt(struct world *w, struct process_entry *process, enum sites_fault fault, uint64_t ts)
{
	process->pub.sites_fault = fault;
	for (uint32_t i = 0; i < w->gils.count; i++)
		if (gil_at(w, i)->pub.process == &process->pub)
			gil_unknown(w, gil_at(w, i), ts);
	for (struct thread_machine *t = process->threads; t; t = t->sibling) {
		thread_doubt(t);
		relation_leave(w, t, ts);
		t->relation = REL_UNKNOWN;
		thread_update(w, t, ts);
	}
}

void sites_fact(struct world *w, struct gil_machine *g, unsigned int type, unsigned int flags, uint64_t ts)
{
	struct process_entry *process = (struct process_entry *)g->pub.process;

	g->takes += type == EV_TAKE;
	g->drops += type == EV_DROP;
	g->ends += type == EV_WAIT_END && !(flags & (EVF_WAIT_END_LOCKED | EVF_WAIT_END_OFF));
	if (!g->takes && (g->drops >= FACTS_ENOUGH || g->ends >= FACTS_ENOUGH))
		doubt(w, process, SITES_NO_TAKE, ts);
	else if (!g->drops && g->takes >= FACTS_ENOUGH)
		doubt(w, process, SITES_NO_DROP, ts);
}

void sites_forget(struct world *w, struct gil_machine *g)
{
	struct process_entry *process = (struct process_entry *)g->pub.process;

	g->takes = g->drops = g->ends = 0;
	for (struct thread_machine *t = process->threads; t; t = t->sibling)
		t->own_stack = t->moves = 0;
}

static bool passed(struct world *w, const struct process_entry *process)
{
	for (uint32_t i = 0; i < w->gils.count; i++) {
		const struct gil_machine *g = gil_at(w, i);

		if (g->pub.process == &process->pub && (g->takes || g->drops || g->ends))
			return true;
	}
	return false;
}

void sites_stack(struct world *w, struct thread_machine *t, const struct ev_stack *event, uint64_t ts)
{
	struct process_entry *process = process_of(t);
	uint32_t ran = 0;

	if (w->partial || !event->stack || event->hdr.flags & EVF_STACK_TORN)
		return;
	t->moves += t->own_stack && t->own_stack != event->stack;
	t->own_stack = event->stack;
	/* with several GILs, or none, several threads run Python without a hand-over */
	if (t->moves != MOVES_ENOUGH || process->gils != 1 || !process->pub.info.gil_enabled || process->pub.sites_fault || passed(w, process))
		return;
	for (const struct thread_machine *other = process->threads; other; other = other->sibling)
		ran += other->moves >= MOVES_ENOUGH;
	if (ran >= 2)
		doubt(w, process, SITES_NO_HIT, ts);
}
