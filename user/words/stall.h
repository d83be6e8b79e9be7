/* SPDX-License-Identifier: MIT */
/*
 * stall.h - a stall in words, for every view that prints text: what is behind its largest state,
 * what ran, what it is doing now, and its details as paragraphs.
 */
#ifndef GILSCOPE_WORDS_STALL_H
#define GILSCOPE_WORDS_STALL_H

#include "words/canvas.h"
#include "words/words.h"

/* Adds ", mostly held by 'AnyIO worker thread' (4718)": the thread, call or process behind the
 * state that most of the stalled time was spent in. */
void text_add_culprit(struct text_buffer *text, const struct report *report,
		      const struct process *process, enum thread_state state,
		      const struct breakdown *what);
/*
 * Adds " → price (app.py:12), in json.dumps" after a handler, as far as that is more than
 * the handler itself: the application's innermost function in the stack, and what it calls. Nothing
 * if the stack is another handler's, or the function is unknown. Without a handler "in send
 * (…/httpx/_client.py:900), called by fetch (…/shop/x.py:7)": the innermost package and its caller;
 * after a comma unless it is the first of the text.
 */
void text_add_innermost(struct text_buffer *text, const struct report *report, uint32_t stack,
			const struct handler *handler);
/* Adds what ran in the stalled iteration if it was more than one thing: "10 callbacks: tick
 * (app.py:10) 96.0 ms in 8, ...". */
void text_add_parts(struct text_buffer *text, const struct report *report,
		    const struct stall *stall);
/* Adds "python 20.0 ms, blocked 1.20 ms": the states with at least a hundredth of the stall,
 * largest first, without `except` (TS_COUNT: all of them). */
void text_add_states(struct text_buffer *text, const struct state_sums *sums,
		     const struct stall *stall, enum thread_state except);

/* Prints the details of a stall: what ran, who held the GIL, which calls it slept in, who had the
 * CPU. */
void canvas_stall_details(const struct canvas *canvas, const struct report *report,
			  const struct process *process, const struct stall *stall);
/* Prints where its thread was most of the time, and the threads that held the GIL meanwhile. */
void canvas_stall_stacks(const struct canvas *canvas, const struct report *report,
			 const struct stall *stall);

/* Adds what most of an ongoing stall was, and what its thread does now if that is something
 * else. */
void text_add_ongoing(struct text_buffer *text, const struct ongoing *ongoing);
/* Adds a stall as one line: "09:06:03.131   438 ms  price app.py:83  clock_nanosleep": its begin,
 * its length, the function that took most of it, or held the GIL, and what that did. `many_loops`:
 * it says which loop. For a terminal of `columns` (0: for none) files have no folders; if it is
 * wider, it has no line of source, and is cut. */
void text_add_stall_line(struct text_buffer *text, const struct report *report,
			 const struct loop *loop, const struct stall *stall, bool many_loops,
			 unsigned columns);

#endif
