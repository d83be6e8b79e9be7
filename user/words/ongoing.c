/* SPDX-License-Identifier: MIT */
/* What a stalled loop is doing. */
#include "words/stall.h"

#include "words/names.h"
#include "words/palette.h"

/* "blocked in clock_nanosleep", "waiting for the GIL, held by 'worker' (4712)": the state, and the
 * largest item behind it. */
static void add_doing(struct text_buffer *text, const struct report *report,
		      const struct process *process, enum thread_state state,
		      const struct breakdown *what)
{
	enum stop_kind kind;

	if (breakdown_is_stopped(what, &kind)) {
		text_add(text, "%s", text_stop(kind));
	} else if ((state == TS_BLOCKED || state == TS_HELD_BLOCKED) && what->syscall_count) {
		text_add(text, "%s", state == TS_BLOCKED ? "blocked in " : "asleep in ");
		text_add_syscall(text, process, what->syscalls[0].sysno);
		text_add(text, "%s", state == TS_BLOCKED ? "" : " with the GIL");
	} else {
		text_add(text, "%s", palette_of(state)->doing);
		text_add_culprit(text, report, process, state, what);
	}
}

/* ", in render (app.py:12), route → dumps (…)". Where a thread waited for the GIL outside
 * any handler is of no interest. */
static void add_place(struct text_buffer *text, const struct report *report,
		      enum thread_state state, uint32_t stack, const struct handler *handler)
{
	if (handler->role == HANDLER_NONE && (state == TS_GIL_WAIT || !stack))
		return;
	if (handler->role != HANDLER_NONE) {
		text_add(text, ", in ");
		text_add_handler(text, report, handler);
	}
	text_add_innermost(text, report, stack, handler);
}

static void add_cause(struct text_buffer *text, const struct report *report,
		      const struct process *process, const struct stall *stall)
{
	add_doing(text, report, process, stall->cause, &stall->what);
	add_place(text, report, stall->cause, stall->stack, &stall->handler);
}

static uint32_t innermost_function(const struct report *report, uint32_t id)
{
	const struct definition *stack = stack_of(report, id);

	return stack ? stack->stack.frames[0].function : 0;
}

static bool same_handler(const struct ongoing *ongoing)
{
	return !ongoing->stack ||
	       ongoing->handler.frame.function == ongoing->stall.handler.frame.function;
}

static bool same_place(const struct ongoing *ongoing)
{
	return same_handler(ongoing) &&
	       innermost_function(ongoing->report, ongoing->stack) ==
		       innermost_function(ongoing->report, ongoing->stall.stack);
}

static bool is_elsewhere(const struct ongoing *ongoing)
{
	enum stop_kind kind;

	return ongoing->state != ongoing->stall.cause ||
	       sysno_is_stop(ongoing->sysno) != breakdown_is_stopped(&ongoing->stall.what, &kind) ||
	       !same_handler(ongoing);
}

/* What the thread does now, if that differs. */
static void add_now(struct text_buffer *text, const struct ongoing *ongoing)
{
	struct syscall_share syscall = {.sysno = ongoing->sysno};
	struct blocker blocker = {.thread = ongoing->holder, .handler = ongoing->holder_handler};
	struct breakdown what = {.syscalls = &syscall,
				 .syscall_count = 1,
				 .blockers = &blocker,
				 .blocker_count = ongoing->holder != NULL};

	if (sysno_is_stop(ongoing->sysno))
		what.stop_ns[stop_kind_of(ongoing->sysno)] = 1;
	text_add(text, "; now ");
	add_doing(text, ongoing->report, ongoing->loop->thread->process, ongoing->state, &what);
	if (!same_place(ongoing))
		add_place(text, ongoing->report, ongoing->state, ongoing->stack, &ongoing->handler);
}

void text_add_ongoing(struct text_buffer *text, const struct ongoing *ongoing)
{
	const struct stall *stall = &ongoing->stall;

	text_add(text, "%s", is_elsewhere(ongoing) ? "mostly " : "");
	add_cause(text, ongoing->report, ongoing->loop->thread->process, stall);
	if (is_elsewhere(ongoing))
		add_now(text, ongoing);
}
