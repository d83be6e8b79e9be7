/* SPDX-License-Identifier: MIT */
/*
 * words.h - threads, functions, system calls as people read them, for all views that speak.
 * Internal to the room.
 *
 * What comes from the target is escaped, and cut when it is long.
 */
#ifndef GILSCOPE_WORDS_WORDS_H
#define GILSCOPE_WORDS_WORDS_H

#include "words/canvas.h"

/* Adds a thread as 'name' (tid), with the kernel's name where Python has another, or as "thread
 * 4711" when its name is not known. */
void text_add_thread(struct text_buffer *text, const struct report *report,
		     const struct thread *thread);
/* The same without quotes and number, in about so many columns; `both`: with the kernel's name. */
void text_add_thread_name(struct text_buffer *text, const struct report *report,
			  const struct thread *thread, unsigned columns, bool both);
/* Adds a frame as "function (file:line)". */
void text_add_frame(struct text_buffer *text, const struct report *report,
		    const struct stack_frame *frame);
/* Its parts: the function, and "file:line", in at most so many columns. */
void text_add_function(struct text_buffer *text, const struct report *report,
		       const struct stack_frame *frame, unsigned columns);
void text_add_place(struct text_buffer *text, const struct report *report,
		    const struct stack_frame *frame, unsigned columns);
/* Adds a handler, which is one, as "function (file:line), route". */
void text_add_handler(struct text_buffer *text, const struct report *report,
		      const struct handler *handler);
/* What a role is called; NULL for those that say nothing. */
const char *text_role(enum handler_role role);
/* Adds what a system call is called, for people: its name, "system call 999", "a page fault". */
/* "stopped from outside, by a signal" */
const char *text_stop(enum stop_kind kind);
void text_add_syscall(struct text_buffer *text, const struct process *process, int32_t sysno);
/* Adds the task that had a CPU for which a thread of `process` waited; "nobody" for an idle one. */
void text_add_occupant(struct text_buffer *text, const struct process *process,
		       const struct cpu_share *share);
/* Time of the window, not 0. */
uint64_t text_window_ns(const struct report *report);

#endif
