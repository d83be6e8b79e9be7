/* SPDX-License-Identifier: MIT */
/* loss.c - losses: what is forgotten when events are missing, of one process or of all, and when
 * evidence begins again. */
#include "model/loss.h"
#include "model/turn.h"

void process_touch(struct world *w, struct process_entry *process)
{
	if (process->touched_link)
		return;
	process->touched_link = true;
	DL_APPEND2(w->touched, process, prev_touched, next_touched);
}

void process_untouch(struct world *w, struct process_entry *process)
{
	if (process->touched_link)
		DL_DELETE2(w->touched, process, prev_touched, next_touched);
	process->touched_link = false;
}

void evidence_settle(struct world *w, struct process_entry *process)
{
	uint64_t ts = facts_from(w, process);

	if (!w->begun || w->now < ts || !is_blind(w, process))
		return;
	process->ts_evidence = ts;
	if (!process->awaiting)
		return;
	while (process->awaiting)
		loop_evidence(w, process->awaiting, ts);
	world_settle(w, ts);
}

/* Evidence that ends now may have begun unseen. What no event has touched since the last loss is
 * unknown already. */
static void forget(struct world *w, struct process_entry *process, uint64_t ts)
{
	struct thread_machine *t;
	struct gil_machine *g;

	evidence_settle(w, process);
	DL_FOREACH2(process->touched_gils, g, next_touched)
	{
		if (g->pub.holder)
			thread_cut(w, machine_of(g->pub.holder), ts);
	}
	DL_FOREACH2(process->touched, t, next_touched)
	{
		thread_cut(w, t, ts);
	}
	while ((g = process->touched_gils)) {
		gil_unknown(w, g, ts);
		sites_forget(g);
		g->touched = false;
		DL_DELETE2(process->touched_gils, g, prev_touched, next_touched);
	}
	while (process->touched)
		thread_forget(w, process->touched, ts);
	threads_derive(w, ts);
	process_untouch(w, process);
}

/* The process that a LOST is about; NULL: any. */
static struct process_entry *process_of_loss(struct world *w, uint32_t tid)
{
	struct process_entry *process = tid ? process_latest(w, tid) : NULL;

	return process || !tid ? process : thread_process(w, tid);
}

static void loss_ends_at(struct loss_end *end, uint64_t ts, uint64_t count)
{
	if (ts > end->ts)
		*end = (struct loss_end){.ts = ts, .count = count};
}

static void lose_all(struct world *w, const struct loss *loss, uint64_t end)
{
	w->lost_anywhere += loss->count;
	while (w->touched)
		forget(w, w->touched, loss->start);
	loss_ends_at(&w->loss, end, loss->count);
}

static void lose_of(struct world *w, struct process_entry *process, const struct loss *loss,
		    uint64_t end)
{
	process->pub.lost += loss->count;
	forget(w, process, loss->start);
	loss_ends_at(&process->loss, end, loss->count);
}

/* Events of [ts, last_ts] are missing. A fact at last_ts may have come before a missing one, so
 * facts count only after last_ts. */
void loss_feed(struct world *w, const struct fact *fact)
{
	const struct ev_lost *event = &fact->event->lost;
	unsigned int flags = event->hdr.flags;
	struct process_entry *process = process_of_loss(w, event->hdr.tid);
	struct loss loss = {.process = process ? &process->pub : NULL,
			    .start = fact->ts,
			    .end = event->last_ts > fact->ts ? event->last_ts : fact->ts,
			    .count = event->count,
			    .runs = flags & EVF_LOST_RUNS};
	uint64_t end = loss.end < UINT64_MAX ? loss.end + 1 : loss.end;

	w->lost += event->count;
	w->late += flags & EVF_LOST_LATE ? event->count : 0;
	w->missed += flags & EVF_LOST_MISSED ? event->count : 0;
	cpu_forget(w, loss.start);
	loss_ends_at(&w->any_loss, end, loss.count);
	if (loss.runs)
		w->lost_runs += loss.count;
	else if (process)
		lose_of(w, process, &loss, end);
	else
		lose_all(w, &loss, end);
	if (w->begun && w->sink.loss)
		w->sink.loss(w->sink.ctx, &loss);
}

void loss_before(struct world *w, uint64_t ts)
{
	loss_ends_at(&w->loss, ts, 0);
	loss_ends_at(&w->any_loss, ts, 0);
}
