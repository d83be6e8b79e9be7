/* SPDX-License-Identifier: MIT */
#include "words/words.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/duration.h"
#include "base/sysname.h"
#include "words/names.h"

#define THREAD_COLUMNS	  64
#define FUNCTION_COLUMNS  48
#define PATH_COLUMNS	  26
#define DECORATOR_COLUMNS 64
#define FILE_COLUMNS	  32

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

	if (thread->stands_for) {
		text_add(text, !thread->process->stands_for ? "threads that have ended"
			       : thread->loop		    ? "processes that have ended"
					      : "threads of processes that have ended");
		return;
	}
	if (!*name) {
		text_add(text, "thread" NBSP "%u", thread->tid);
		return;
	}
	text_add(text, "'");
	text_add_name(text, name, THREAD_COLUMNS);
	text_add(text, "'" NBSP "(%u)", thread->tid);
}

void text_add_gil(struct text_buffer *text, const struct process_report *process,
		  const struct gil_report *gil)
{
	if (gil->gil->stands_for) {
		text_add(text, gil->gil->stands_for == 1 ? "GIL of " : "GILs of ");
		text_add_number_of(text, gil->gil->stands_for, "interpreter", "interpreters");
		text_add(text, " that ended");
	} else {
		text_add(text, process->gil_count > 1 ? "GIL of interpreter %u" : "GIL",
			 gil->gil->interpreter);
	}
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
		text_add(text, "%s",
			 frame->line == STACK_GAP_LINE ? "… frames of a deep stack are left out …"
						       : "a function that could not be read");
		return;
	}
	text_add_function(text, report, frame, FUNCTION_COLUMNS);
	text_add(text, NBSP "(");
	text_add_place(text, report, frame, PATH_COLUMNS);
	text_add(text, ")");
}

void text_add_decorator(struct text_buffer *text, const struct report *report, uint32_t function,
			unsigned columns)
{
	const char *decorator = source_of(report, function, 0);

	if (decorator)
		text_add_name(text, decorator,
			      columns < DECORATOR_COLUMNS ? columns : DECORATOR_COLUMNS);
}

void text_add_short_place(struct text_buffer *text, const struct report *report,
			  const struct stack_frame *frame, unsigned columns)
{
	struct frame_names names = frame_names(report, frame);
	const char *slash = strrchr(names.file, '/');

	text_add_name(text, slash ? slash + 1 : *names.file ? names.file : "?", columns);
	if (names.line)
		text_add(text, ":%u", names.line);
}

void text_add_source(struct text_buffer *text, const struct report *report,
		     const struct stack_frame *frame, unsigned columns)
{
	const char *source = frame->line ? source_of(report, frame->function, frame->line) : NULL;

	if (!source)
		return;
	text_add(text, "> ");
	text_add_name(text, source, columns - 2);
}

void text_add_sources(struct text_buffer *text, const struct report *report,
		      const struct handler *handler, const struct stack_frame *inner,
		      unsigned columns)
{
	const struct stack_frame *frame = inner->function ? inner : &handler->frame;
	size_t before = text->length;

	if (handler->role != HANDLER_NONE)
		text_add_decorator(text, report, handler->frame.function, columns);
	if (!frame->line || !source_of(report, frame->function, frame->line))
		return;
	text_add(text, "%s", text->length > before ? " · " : "");
	text_add_short_place(text, report, frame, FILE_COLUMNS);
	text_add(text, " ");
	text_add_source(text, report, frame, columns);
}

/* The folder below site-packages or dist-packages, without the suffix that auditwheel gives to the
 * one with a wheel's libraries; *ret_length 0: there is none. */
static const char *package_of(const char *path, int *ret_length)
{
	const char *found = strstr(path, "-packages/"), *name = path, *end;

	for (; found; found = strstr(name, "-packages/"))
		name = found + strlen("-packages/");
	end = strchr(name, '/');
	*ret_length = end && name > path ? (int)(end - name) : 0;
	if (*ret_length > 5 && strncmp(end - 5, ".libs", 5) == 0)
		*ret_length -= 5;
	return name;
}

void text_add_module(struct text_buffer *text, const char *file)
{
	const char *slash = strrchr(file, '/'), *package;
	char name[NAME_MAX + 1];
	int length;

	text_add_name(text, slash ? slash + 1 : file, FUNCTION_COLUMNS);
	package = package_of(file, &length);
	if (!length || length > NAME_MAX)
		return;
	snprintf(name, sizeof(name), "%.*s", length, package);
	text_add(text, " (");
	text_add_name(text, name, FUNCTION_COLUMNS);
	text_add(text, ")");
}

void text_add_native(struct text_buffer *text, const struct report *report, uint32_t function)
{
	struct frame_names names = frame_names(report, &(struct stack_frame){.function = function});
	const char *symbol = names.function;

	/* _Z…, _R…: names of C++ and Rust, encoded with their types */
	if (symbol && *symbol && strncmp(symbol, "_Z", 2) != 0 && strncmp(symbol, "_R", 2) != 0) {
		text_add_name(text, symbol, FUNCTION_COLUMNS);
		text_add(text, " in ");
	}
	text_add_module(text, names.file);
}

const char *text_role(enum handler_role role)
{
	static const char *const words[HANDLER_ROLES] = {
#define ROLE_LABEL(NAME, text, page) [HANDLER_##NAME] = text,
#include "words/labels.def"
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

#define ROLE_LABEL(NAME, text, page) +1
_Static_assert(0
#include "words/labels.def"
		       == HANDLER_ROLES,
	       "every role has a label");
#define CALL_LABEL(NAME, text, page) +1
_Static_assert(0
#include "words/labels.def"
		       == -SYSNO_FIRST,
	       "everything that a thread sleeps in has a label");

static const char *call_label(int32_t sysno)
{
	switch (sysno) {
#define CALL_LABEL(NAME, text, page)                                                               \
	case SYSNO_##NAME:                                                                         \
		return text;
#include "words/labels.def"
	default:
		return NULL;
	}
}

const char *text_stop(enum stop_kind kind)
{
	return call_label(SYSNO_STOPPED - (int)kind);
}

void text_add_signal(struct text_buffer *text, int number)
{
	const char *name = sigabbrev_np(number);

	if (name)
		text_add(text, "SIG%s", name);
	else
		text_add(text, "signal %d", number);
}

void text_add_syscall(struct text_buffer *text, const struct process *process, int32_t sysno)
{
	const char *name = sysname(process->info.machine, sysno);

	if (!name)
		name = call_label(sysno);
	if (!name)
		text_add(text, "system call %d", sysno);
	else
		text_add(text, sysno_is_stop(sysno) ? "no system call (%s)" : "%s", name);
}

void text_add_has(struct text_buffer *text, uint64_t had_ns)
{
	text_add(text, had_ns ? " had " : " has");
	if (!had_ns)
		return;
	text_add_duration(text, had_ns);
	text_add(text, " ago");
}

void text_add_pid(struct text_buffer *text, const char *what, uint32_t pid)
{
	text_add(text, "%s%s%u%s", what, *what ? NBSP : "", pid & ~ID_OUTSIDE,
		 pid & ID_OUTSIDE ? " of the host" : "");
}

void text_add_occupant(struct text_buffer *text, const struct process *process,
		       const struct cpu_share *share)
{
	if (!share->tid) {
		text_add(text, "nobody");
	} else if (share->tid == TID_OTHERS) {
		text_add(text, "many others");
	} else {
		bool own = process && share->pid == process->info.pid;

		if (own)
			text_add(text, "another thread of this process (%u)", share->tid);
		else if (!share->comm[0])
			text_add_pid(text, "process", share->pid);
		else {
			text_add_name(text, share->comm, 64);
			text_add(text, NBSP "(");
			text_add_pid(text, "", share->pid);
			text_add(text, ")");
		}
	}
}

/* False when the time of day is unknown. */
static bool time_of_day(const struct report *report, uint64_t ts, struct tm *ret_time)
{
	time_t seconds = (time_t)((report->realtime_ns + ts) / NS_PER_S);

	return report->realtime_ns && localtime_r(&seconds, ret_time);
}

void text_add_time(struct text_buffer *text, const struct report *report, uint64_t ts)
{
	uint64_t after = ts - report->window.start;
	struct tm tm;

	if (time_of_day(report, ts, &tm))
		text_add(text, "%02d:%02d:%02d.%03u", tm.tm_hour, tm.tm_min, tm.tm_sec,
			 (unsigned)((report->realtime_ns + ts) / NS_PER_MS % 1000));
	else
		text_add(text, "+%llu.%03llu" NBSP "s", (unsigned long long)(after / NS_PER_S),
			 (unsigned long long)(after / NS_PER_MS % 1000));
}

void text_add_day(struct text_buffer *text, const struct report *report, uint64_t ts)
{
	char day[64];
	struct tm tm;

	if (time_of_day(report, ts, &tm) &&
	    strftime(day, sizeof(day), "%Y-%m-%d" NBSP "%H:%M:%S" NBSP "%z", &tm))
		text_add(text, "%s", day);
}

uint64_t text_window_ns(const struct report *report)
{
	return report->window.end > report->window.start ? report->window.end - report->window.start
							 : 1;
}
