/* SPDX-License-Identifier: MIT */
/*
 * words.h - threads, functions and system calls as people read them, for every view that prints
 * text. Each function appends to a text; what comes from the target is escaped, and cut if long.
 */
#ifndef GILSCOPE_WORDS_WORDS_H
#define GILSCOPE_WORDS_WORDS_H

#include "analysis/report.h"
#include "words/text_buffer.h"

/* "GIL", "GIL of interpreter 2" or "GILs of 23 interpreters that ended". */
void text_add_gil(struct text_buffer *text, const struct process_report *process,
		  const struct gil_report *gil);

/* Adds a thread as 'name' (tid), or as "thread 4711" when its name is unknown. */
void text_add_thread(struct text_buffer *text, const struct report *report,
		     const struct thread *thread);
/* The same without quotes and tid, in about `columns`; `both`: with the kernel's name, too. */
void text_add_thread_name(struct text_buffer *text, const struct report *report,
			  const struct thread *thread, unsigned columns, bool both);
/* Adds a frame as "function (file:line)". */
void text_add_frame(struct text_buffer *text, const struct report *report,
		    const struct stack_frame *frame);
/* The parts of that: the function, and "file:line", each in at most `columns`. */
void text_add_function(struct text_buffer *text, const struct report *report,
		       const struct stack_frame *frame, unsigned columns);
void text_add_place(struct text_buffer *text, const struct report *report,
		    const struct stack_frame *frame, unsigned columns);
/* Adds "app.py:83": the file without its folders, cut to `columns`, and the line if it is known. */
void text_add_short_place(struct text_buffer *text, const struct report *report,
			  const struct stack_frame *frame, unsigned columns);
/* Adds the function's decorator in at most `columns`, the route's before others:
 * `@app.get("/orders/{id}")`; nothing if none is known. */
void text_add_decorator(struct text_buffer *text, const struct report *report, uint32_t function,
			unsigned columns);
/* Adds the line of source of a frame in at most `columns`, "> total += 1"; nothing if it is not
 * known. */
void text_add_source(struct text_buffer *text, const struct report *report,
		     const struct stack_frame *frame, unsigned columns);
/* Adds what is known of a handler's source, for lines of `columns`: its decorator, and the line of
 * `inner`, a function inside it, or of itself if that is function 0:
 * `@app.get("/") · app.py:83 > time.sleep(1)`. */
void text_add_sources(struct text_buffer *text, const struct report *report,
		      const struct handler *handler, const struct stack_frame *inner,
		      unsigned columns);
/* Adds a handler (not HANDLER_NONE) as "function (file:line), route". */
void text_add_handler(struct text_buffer *text, const struct report *report,
		      const struct handler *handler);
/* Adds a file of machine code, as "_rust.abi3.so (tokenizers)": the package that it was installed
 * with, if there is one. */
void text_add_module(struct text_buffer *text, const char *file);
/* Adds machine code by its definition, as "encode in _rust.abi3.so (tokenizers)": the symbol,
 * unless it is one that only linkers read, the module, and the package that it was installed with.
 */
void text_add_native(struct text_buffer *text, const struct report *report, uint32_t function);
/* What a handler's role is called; NULL for the roles that need no mention. */
const char *text_role(enum handler_role role);
/* "stopped from outside, by a signal" */
const char *text_stop(enum stop_kind kind);
/* Adds the name of a signal, "SIGKILL"; "signal 40" for one without a name. */
void text_add_signal(struct text_buffer *text, int number);
/* Adds the name of a system call, "system call 999" without one, or what a negative number stands
 * for: "a page fault". */
void text_add_syscall(struct text_buffer *text, const struct process *process, int32_t sysno);
/* Adds that a thread has a mutex, or had it so long before: " has", " had 1.20 ms ago". */
void text_add_has(struct text_buffer *text, uint64_t had_ns);
/* Adds "WHAT 4711", and that the number is the host's if the process is not in gilscope's own PID
 * namespace. */
void text_add_pid(struct text_buffer *text, const char *what, uint32_t pid);
/* Adds the task that had the CPU while a thread of `process` (NULL: of several) waited for one;
 * "nobody" if it was idle. */
void text_add_occupant(struct text_buffer *text, const struct process *process,
		       const struct cpu_share *share);
/* Adds when that was: the local time of day, "09:06:03.131", or where that is unknown the time
 * since the window began, "+3.131 s". */
void text_add_time(struct text_buffer *text, const struct report *report, uint64_t ts);
/* Adds the day of an instant and its UTC offset, "2026-11-29 09:06:03 +0100"; nothing when it is
 * unknown. */
void text_add_day(struct text_buffer *text, const struct report *report, uint64_t ts);
/* The length of the observed window; at least 1, so that it can be divided by. */
uint64_t text_window_ns(const struct report *report);

#endif
