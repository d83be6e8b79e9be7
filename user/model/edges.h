/* SPDX-License-Identifier: MIT */
/*
 * edges.h - what is different with partial GILs, for the other files of the model: edges.c explains
 * it.
 */
#ifndef GILSCOPE_MODEL_EDGES_H
#define GILSCOPE_MODEL_EDGES_H

#include "model/private.h"

/* Nobody was observed with it: it is gone. */
void edges_end_gil(struct world *w, struct gil_machine *g);
/* A GIL was declared or is gone. What is known of a thread that can act depends on whether the
 * process is partial: which list it belongs to, and its state. */
void edges_derive_partial(struct world *w, struct process_entry *process);
/* The relation to derive a state from; *ret_sampled is set if it is only the last observation. */
unsigned int edges_relation(const struct thread_machine *t, bool *ret_sampled);
/* Notes that the GIL was observed with `holder`, or (NULL) without one. */
void edges_sample_holder(struct world *w, struct gil_machine *g, struct thread_machine *holder);
/* Notes that the thread was observed without a GIL. */
void edges_sample_none(struct world *w, struct thread_machine *t);
/* What was observed of the thread says nothing any more. */
void edges_sample_forget(struct world *w, struct thread_machine *t);
/* Takes back what was certain only while the thread could not act, if it can now. */
void edges_decay(struct world *w, struct thread_machine *t, uint64_t ts);
void edges_off(struct world *w, struct thread_machine *t, uint64_t ts); /* it left the CPU */
void edges_on(struct world *w, struct thread_machine *t);		/* it has one again */
/* The threads of a process that may wait for a GIL, as far as is known, may have changed. */
void edges_may_wait(struct world *w, struct process_entry *process);
/* It begins or ceases to wait, to sleep, or to sleep on the GIL's mutex. */
void edges_recount(struct world *w, struct thread_machine *t);
/* It waits, and is known to do so only as long as it sleeps. */
bool edges_ends_wait(const struct thread_machine *t);
void edges_feed(struct world *w, const struct fact *fact);
/* This wait ends now; it may turn out to go on. */
void retry_begin(struct thread_machine *t, const struct gil_wait *wait);
/* It has not gone on: emits it, if there is one. */
void retry_over(struct world *w, struct thread_machine *t);
/* It has gone on until `ts`, unless there is none. */
bool retry_waited(struct world *w, struct gil_machine *g, struct thread_machine *t, uint64_t ts);
/* A wait that begins at `ts`: if it is that one, *wait has it from its begin on. Returns since when
 * the thread waits that has seemed not to. */
uint64_t retry_resume(struct world *w, struct thread_machine *t, const struct gil_machine *g,
		      uint64_t ts, struct gil_wait *wait);
void edges_observe(struct world *w, const struct fact *fact, struct thread_machine *holder);

#endif
