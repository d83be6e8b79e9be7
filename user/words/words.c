/* SPDX-License-Identifier: MIT */
#include "words/words.h"

#include <stdio.h>
#include <string.h>

#include "base/sysname.h"
#include "words/names.h"

#define THREAD_COLUMNS	 64
#define FUNCTION_COLUMNS 48
#define PATH_COLUMNS	 26

/* Linux cuts a thread's name to 15 bytes; since 3.14 Python sets the kernel's name, too. */
static bool is_same_name(const char *python, const char *comm)
{
	return !*comm || !strncmp(python, comm, strlen(comm) < 15 ? strlen(comm) + 1 : 15);
}

static bool has_two_names(const struct report *report, const struct thread *thread)
{
	const char *name = thread_name(report, thread);

	return name != thread->comm && !is_same_name(name, thread->comm);
}

void text_add_thread(struct text_buffer *text, const struct report *report,
		     const struct thread *thread)
{
	const char *name = thread_name(report, thread);

	if (!*name) {
		text_add(text, "thread" NBSP "%u", thread->tid);
		return;
	}
	text_add(text, "'");
	text_add_name(text, name, THREAD_COLUMNS);
	text_add(text, "'" NBSP "(");
	if (has_two_names(report, thread)) {
		text_add_name(text, thread->comm, THREAD_COLUMNS);
		text_add(text, "," NBSP);
	}
	text_add(text, "%u)", thread->tid);
}

void text_add_thread_name(struct text_buffer *text, const struct report *report,
			  const struct thread *thread, unsigned columns, bool both)
{
	const char *name = thread_name(report, thread);

	text_add_name(text, *name ? name : "?", columns);
	if (both && has_two_names(report, thread)) {
		text_add(text, "/");
		text_add_name(text, thread->comm, 16);
	}
}

void text_add_place(struct text_buffer *text, const struct report *report,
		    const struct stack_frame *frame, unsigned columns)
{
	struct frame_names words = frame_names(report, frame);
	char line[16] = "";

	if (words.line)
		snprintf(line, sizeof(line), ":%u", words.line);
	text_add_path(text, *words.file ? words.file : "?", columns - (unsigned)strlen(line));
	text_add(text, "%s", line);
}

void text_add_function(struct text_buffer *text, const struct report *report,
		       const struct stack_frame *frame, unsigned columns)
{
	struct frame_names words = frame_names(report, frame);

	text_add_name(text, words.function ? words.function : "?", columns);
}

void text_add_frame(struct text_buffer *text, const struct report *report,
		    const struct stack_frame *frame)
{
	if (!frame_names(report, frame).function) {
		text_add(text, "a function that could not be read");
		return;
	}
	text_add_function(text, report, frame, FUNCTION_COLUMNS);
	text_add(text, NBSP "(");
	text_add_place(text, report, frame, PATH_COLUMNS);
	text_add(text, ")");
}

const char *text_role(enum handler_role role)
{
	static const char *const words[HANDLER_ROLES] = {
		[HANDLER_ROUTE] = "route",
		[HANDLER_DEPENDENCY] = "dependency",
		[HANDLER_MIDDLEWARE] = "middleware",
		[HANDLER_BACKGROUND] = "background task",
		[HANDLER_EXECUTOR] = "in a thread pool",
		[HANDLER_THREAD] = "target of a thread",
		[HANDLER_TASK] = "task",
		[HANDLER_CALLBACK] = "callback",
	};

	return role < HANDLER_ROLES ? words[role] : NULL;
}

void text_add_handler(struct text_buffer *text, const struct report *report,
		      const struct handler *handler)
{
	const char *role = text_role(handler->role);

	text_add_frame(text, report, &handler->frame);
	if (role)
		text_add(text, ", %s", role);
}

const char *text_stop(enum stop_kind kind)
{
	static const char *const words[STOP_KINDS] = {
		[STOP_SIGNAL] = "stopped from outside, by a signal",
		[STOP_TRACER] = "stopped from outside, by a debugger or tracer",
		[STOP_FREEZER] = "frozen from outside, with its cgroup or the system",
	};

	return words[kind];
}

void text_add_syscall(struct text_buffer *text, const struct process *process, int32_t sysno)
{
	const char *name = sysname(process->info.machine, sysno);

	if (name)
		text_add(text, "%s", name);
	else if (sysno_is_stop(sysno))
		text_add(text, "no system call (%s)", text_stop(stop_kind_of(sysno)));
	else if (sysno == SYSNO_GIL)
		text_add(text, "the GIL's own mutex");
	else if (sysno == SYSNO_NONE)
		text_add(text, "no system call (a page fault, say)");
	else if (sysno == SYSNO_UNKNOWN)
		text_add(text, "an unknown system call");
	else
		text_add(text, "system call %d", sysno);
}

void text_add_occupant(struct text_buffer *text, const struct process *process,
		       const struct cpu_share *share)
{
	if (!share->tid) {
		text_add(text, "nobody");
	} else if (share->tid == TID_OTHERS) {
		text_add(text, "many others");
	} else {
		bool own = share->pid == process->info.pid;

		text_add(text, own ? "its own thread '" : "'");
		text_add_name(text, share->comm[0] ? share->comm : "?", 64);
		text_add(text, "'" NBSP "(%u)", own ? share->tid : share->pid);
	}
}

uint64_t text_window_ns(const struct report *report)
{
	return report->window.end > report->window.start ? report->window.end - report->window.start
							 : 1;
}
