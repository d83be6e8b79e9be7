/* SPDX-License-Identifier: MIT */
/* loss.h - since when facts about a process count: losses, and the window's begin. */
#ifndef GILSCOPE_MODEL_LOSS_H
#define GILSCOPE_MODEL_LOSS_H

#include "model/private.h"

/* Facts about the process count from here on. */
static inline uint64_t facts_from(const struct world *w, const struct process_entry *process)
{
	return process->loss.ts > w->loss.ts ? process->loss.ts : w->loss.ts;
}

/* They do: the window has begun, and no loss covers this instant. */
static inline bool facts_count(const struct world *w, const struct process_entry *process,
			       uint64_t ts)
{
	return w->begun && ts >= facts_from(w, process);
}

/* What was read of the thread at some instant from `since` on counts: it has had no fact since. */
static inline bool snapshot_counts(const struct world *w, const struct thread_machine *t,
				   uint64_t since)
{
	return facts_count(w, process_of(t), since) && t->ts_fact < since;
}

/* A loss, or the time before the window, is not over for the process. */
static inline bool is_blind(const struct world *w, const struct process_entry *process)
{
	return process->ts_evidence != facts_from(w, process);
}

void loss_feed(struct world *w, const struct fact *fact); /* LOST */
/* Nothing is known from before `ts`, where the window begins. */
void loss_before(struct world *w, uint64_t ts);
/* Evidence of the process begins, if a loss is over by now. Called before anything becomes known of
 * it. */
void evidence_settle(struct world *w, struct process_entry *process);
/* It has something on its lists of what is touched, or nothing any more. */
void process_touch(struct world *w, struct process_entry *process);
void process_untouch(struct world *w, struct process_entry *process);

#endif
