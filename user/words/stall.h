/* SPDX-License-Identifier: MIT */
/*
 * stall.h - a stall as people read it, for all views that speak: what is behind its largest state,
 * what ran, where it is now, and its details as paragraphs.
 */
#ifndef GILSCOPE_WORDS_STALL_H
#define GILSCOPE_WORDS_STALL_H

#include "words/canvas.h"
#include "words/words.h"

/* Adds ", mostly held by 'AnyIO worker thread' (4718)": who or what stands behind the state that
 * most of the stalled time went to. */
void text_add_culprit(struct text_buffer *text, const struct report *report,
		      const struct process *process, enum thread_state state,
		      const struct breakdown *what);
/*
 * Adds "; innermost dumps (…/json/encoder.py:200)" behind a handler, else "in dumps (…)": where a
 * stack ends, unless that is in the handler itself, or the stack is another handler's.
 */
void text_add_innermost(struct text_buffer *text, const struct report *report, uint32_t stack,
			const struct handler *handler);
/* Adds what ran in a stall's turn when it was more than one thing: "10 callbacks: tick
 * (app.py:10) 96.0 ms in 8, ...". */
void text_add_parts(struct text_buffer *text, const struct report *report,
		    const struct stall *stall);
/* Adds "python 20.0 ms, blocked 1.20 ms": the states that took at least a hundredth of the stall,
 * largest first, without `except` (TS_COUNT: all of them). */
void text_add_states(struct text_buffer *text, const struct state_sums *sums,
		     const struct stall *stall, enum thread_state except);

/* What stands below one stall: what ran, who held the GIL, what it slept in, who had the CPU. */
void canvas_stall_details(const struct canvas *canvas, const struct report *report,
			  const struct process *process, const struct stall *stall);
/* Where its thread was most of the time, and those who held the GIL meanwhile. */
void canvas_stall_stacks(const struct canvas *canvas, const struct report *report,
			 const struct stall *stall);

/* Adds what a stall that lasts was mostly, and what goes on now if that is another thing. */
void text_add_ongoing(struct text_buffer *text, const struct ongoing *ongoing);
/*
 * A stall that lasts, in one line: where, since when, what most of it was and what goes on now if
 * that is another thing. And when it is over (as long as the stall is kept): how long it was. 0 or
 * -errno.
 */
int print_ongoing(FILE *file, const struct ongoing *ongoing);
int print_resumed(FILE *file, const struct report *report, const struct loop *loop,
		  const struct stall *stall);

#endif
