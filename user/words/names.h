/* SPDX-License-Identifier: MIT */
/*
 * names.h - what the ids in a report stand for: frames, threads, tasks, processes.
 *
 * All texts come from the target: hostile, and valid UTF-8 or not. Every view escapes them as its
 * format requires. They live as long as the report.
 */
#ifndef GILSCOPE_WORDS_NAMES_H
#define GILSCOPE_WORDS_NAMES_H

#include "analysis/report.h"

/* A frame by its names. */
struct frame_names {
	const char *function; /* NULL: the frame exists, but its code could not be read */
	const char *file;     /* "" with a function that is NULL */
	uint32_t line;	      /* 0: unknown */
	uint32_t defined;     /* line of the function's definition */
};
struct frame_names frame_names(const struct report *report, const struct stack_frame *frame);

/* A line of a function's source, without the blanks around it; of line 0 its decorator. NULL if it
 * is not known. */
const char *source_of(const struct report *report, uint32_t function, uint32_t line);

/* The definition of a stack, or NULL. */
const struct definition *stack_of(const struct report *report, uint32_t stack);
/* The innermost application frame of a stack, or NULL. */
const struct stack_frame *stack_innermost_of_application(const struct report *report,
							 const struct definition *stack);

/* The stack with the largest share, of those that are known; 0 if there is none. */
uint32_t stack_share_largest(const struct stack_share *shares, uint32_t count);

/* How machine-readable formats name SYSNO_NONE and the like (a `sysno` below 0). */
const char *sysno_word(int32_t sysno);

/* A text by its id; NULL if there is none. */
const char *text_of(const struct report *report, uint32_t text);
/* The thread's name in Python, else the kernel's; "" when neither is known. */
const char *thread_name(const struct report *report, const struct thread *thread);
/* Name of the asyncio task in which a stack was taken, the one with the largest share of `what`;
 * NULL if there is none. */
const char *task_of(const struct report *report, const struct breakdown *what, uint32_t stack);

/* The command line as people call it: "uvicorn app:app" for "/usr/bin/python3 /usr/bin/uvicorn
 * app:app" and for "python3 -m uvicorn app:app". */
const char *command_of(const struct process_info *info);

#define PROCESS_TITLE_MAX (sizeof(((struct process_info *)0)->cmdline) + 256)
/*
 * What a process is called: its command, or "worker 2 of uvicorn app:app" if it has its parent's
 * command line, or that of a process that multiprocessing started, and the parent is part of the
 * recording; "child 1 of worker 2 of …" if that parent runs an event loop itself, as where a route
 * has a pool of processes. Returns `title`.
 */
char *process_title(const struct process *process, char title[static PROCESS_TITLE_MAX]);

/* How precisely the functions of a stall are known: 0 if nothing in it was sampled, else the period
 * of the sampling clock, or the whole stall without a clock. */
uint64_t stall_resolution_ns(const struct report *report, const struct stall *stall);

#endif
