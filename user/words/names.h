/* SPDX-License-Identifier: MIT */
/*
 * names.h - what the numbers of a report stand for: frames, threads, tasks, processes. Internal to
 * the room.
 *
 * All texts are the target's: hostile, and valid UTF-8 or not. A view escapes them in the way of
 * its format. They live as long as the report.
 */
#ifndef GILSCOPE_WORDS_NAMES_H
#define GILSCOPE_WORDS_NAMES_H

#include "analysis/report.h"

/* A frame in words. */
struct frame_names {
	const char *function; /* NULL: the frame is there, but its code could not be read */
	const char *file;     /* "" with a function that is NULL */
	uint32_t line;	      /* 0: not known */
	uint32_t defined;     /* line of the function's definition */
};
struct frame_names frame_names(const struct report *report, const struct stack_frame *frame);

/* The definition of a stack, or NULL. */
const struct definition *stack_of(const struct report *report, uint32_t stack);
/* Where in a stack most of a share of time was spent is the application's business: its innermost
 * frame of the application, or NULL. */
const struct stack_frame *stack_innermost_of_application(const struct report *report,
							 const struct definition *stack);

/* The stack with the largest share, of those that are known; 0 when there is none. */
uint32_t stack_share_largest(const struct stack_share *shares, uint32_t count);

/* What stands in formats for SYSNO_NONE and the like (a `sysno` below 0). */
const char *sysno_word(int32_t sysno);

/* A text by its number; NULL when there is none. */
const char *text_of(const struct report *report, uint32_t text);
/* The thread's name in Python, else the kernel's; "" when neither is known. */
const char *thread_name(const struct report *report, const struct thread *thread);
/* Name of the asyncio task in which a stack was taken, with the largest share of `what`; NULL when
 * there is none. */
const char *task_of(const struct report *report, const struct breakdown *what, uint32_t stack);

/* "/usr/bin/python3 /usr/bin/uvicorn app:app" and "python3 -m uvicorn app:app" are known to people
 * as "uvicorn app:app". */
const char *command_of(const struct process_info *info);

/* How finely what ran in a stall was told apart: 0 when nothing in it was sampled, else the period
 * of the sampling clock; all of it without a clock. */
uint64_t stall_resolution_ns(const struct report *report, const struct stall *stall);

#endif
