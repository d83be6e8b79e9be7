/* SPDX-License-Identifier: MIT */
/* Whom a finding is about: the callback, the application's innermost function, the call. */
#include <string.h>

#include "diagnosis/calls.h"
#include "diagnosis/rule.h"
#include "words/names.h"
#include "words/words.h"

/* What the application's innermost function calls: the outermost known frame inside it. */
static const struct library_call *call_inside(const struct report *report,
					      const struct definition *stack, uint32_t inner,
					      enum call_use use)
{
	for (uint32_t i = inner; i-- > 0;) {
		struct frame_names words = frame_names(report, &stack->stack.frames[i]);
		const struct library_call *call =
			words.function ? library_call_find(words.file, words.function, use) : NULL;

		if (call)
			return call->what ? call : NULL;
	}
	return NULL;
}

const struct library_call *call_of_stack(const struct report *report, uint32_t id,
					 enum call_use use)
{
	const struct definition *stack = report->finder ? stack_of(report, id) : NULL;
	struct handler handler;
	uint32_t inner;

	if (!stack || handler_unsure(report->finder, report->names, id))
		return NULL;
	handler = handler_find(report->finder, report->names, id);
	if (handler.role == HANDLER_NONE)
		return call_inside(report, stack, stack->stack.count, use);
	if (!handler_inner(report->finder, report->names, id, &handler, &inner))
		return NULL;
	return call_inside(report, stack, inner, use);
}

static enum call_use use_of(const struct finding *finding)
{
	return finding->id == FINDING_BLOCKING_CALL || finding->id == FINDING_HELD_ASLEEP ||
			       finding->id == FINDING_LOCK_HELD_BY
		       ? CALL_SLEPT
		       : CALL_RAN;
}

/* Without a function of the application: which package was at work, and for whom. */
static void set_library(struct finding *finding, const struct report *report,
			const struct definition *stack)
{
	uint32_t index, caller;

	if (!handler_library(report->finder, report->names, stack->id, &index, &caller))
		return;
	finding->inner = stack->stack.frames[index];
	if (caller != UINT32_MAX)
		finding->caller = stack->stack.frames[caller];
	finding->call = call_inside(report, stack, (caller == UINT32_MAX ? index : caller) + 1,
				    use_of(finding));
}

void set_stack(struct finding *finding, const struct report *report, uint32_t id)
{
	const struct definition *stack = report->finder ? stack_of(report, id) : NULL;
	uint32_t inner;

	finding->stack = id;
	finding->handler = stack ? handler_find(report->finder, report->names, id)
				 : (struct handler){.role = HANDLER_NONE};
	if (finding->handler.role == HANDLER_NONE) {
		finding->handler = (struct handler){.role = HANDLER_NONE};
		if (stack && !handler_unsure(report->finder, report->names, id))
			set_library(finding, report, stack);
		return;
	}
	if (!handler_inner(report->finder, report->names, id, &finding->handler, &inner))
		return;
	finding->call = call_inside(report, stack, inner, use_of(finding));
	if (inner != finding->handler.index)
		finding->inner = stack->stack.frames[inner];
}

/* How long the blocker computed in that call. */
static uint64_t python_ns_in(const struct report *report, const struct blocker *blocker,
			     const struct library_call *call)
{
	uint64_t ns = 0;

	for (uint32_t i = 0; i < blocker->stack_count; i++)
		if (call_of_stack(report, blocker->stacks[i].stack, CALL_RAN) == call)
			ns += blocker->stacks[i].states.ns[TS_PYTHON];
	return ns;
}

void set_blocker(struct finding *finding, const struct report *report,
		 const struct blocker *blocker)
{
	set_stack(finding, report, stack_share_largest(blocker->stacks, blocker->stack_count));
	if (finding->call &&
	    python_ns_in(report, blocker, finding->call) < state_sums_total(&blocker->states) / 2)
		finding->call = NULL;
	/* the handler has the most time, but maybe not in the largest stack */
	if (blocker->handler.role == HANDLER_NONE ||
	    blocker->handler.frame.function != finding->handler.frame.function)
		finding->inner.function = finding->caller.function = 0;
	finding->handler = blocker->handler;
	memset(finding->natives, 0, sizeof(finding->natives));
	for (uint32_t i = 0; i < blocker->stack_count; i++)
		natives_add(finding->natives, blocker->stacks[i].natives);
}

struct finding finding_of_stack(const struct stall_view *view, enum finding_id id, uint32_t stack)
{
	struct finding finding = {.id = id,
				  .subject = SUBJECT_FUNCTION,
				  .process = view->process,
				  .thread = view->loop->loop->thread,
				  .sysno = SYSNO_UNKNOWN};

	set_stack(&finding, view->report, stack);
	return finding;
}

void for_each_stack(struct collector *collector, const struct stall_view *view, enum finding_id id,
		    void (*each)(struct collector *collector, const struct stall_view *view,
				 enum finding_id id, const struct stack_share *share))
{
	const struct breakdown *what = &view->stall->what;
	struct stack_share rest = {.states = what->states,
				   .gc_ns = what->gc_ns,
				   .sysno = what->syscall_count ? what->syscalls[0].sysno
								: SYSNO_UNKNOWN};

	for (uint32_t i = 0; i < what->stack_count; i++) {
		const struct stack_share *share = &what->stacks[i];

		if (!share->stack)
			continue;
		each(collector, view, id, share);
		rest.gc_ns -= share->gc_ns < rest.gc_ns ? share->gc_ns : rest.gc_ns;
		for (int s = 0; s < TS_COUNT; s++)
			rest.states.ns[s] -= share->states.ns[s] < rest.states.ns[s]
						     ? share->states.ns[s]
						     : rest.states.ns[s];
	}
	each(collector, view, id, &rest);
}

static void add_inner(struct text_buffer *text, const struct report *report,
		      const struct finding *finding)
{
	if (!finding->inner.function)
		return;
	text_add(text, ", in ");
	text_add_frame(text, report, &finding->inner);
}

static void add_caller(struct text_buffer *text, const struct report *report,
		       const struct finding *finding)
{
	if (!finding->caller.function)
		return;
	text_add(text, ", called by ");
	text_add_frame(text, report, &finding->caller);
	text_add(text, ",");
}

void add_function(struct text_buffer *text, const struct report *report,
		  const struct finding *finding)
{
	if (finding->handler.role == HANDLER_NONE && finding->inner.function) {
		text_add_frame(text, report, &finding->inner);
		add_caller(text, report, finding);
		return;
	}
	if (finding->handler.role == HANDLER_NONE) {
		text_add(text, "An unknown function");
		return;
	}
	text_add_handler(text, report, &finding->handler);
	add_inner(text, report, finding);
	if (text_role(finding->handler.role) || finding->inner.function)
		text_add(text, ",");
}

void add_function_in(struct text_buffer *text, const struct report *report,
		     const struct finding *finding, const struct thread *thread)
{
	struct finding function = *finding;
	bool comma = false;

	/* the thread says that */
	if (finding->handler.role == HANDLER_EXECUTOR || finding->handler.role == HANDLER_THREAD)
		function.handler.role = HANDLER_FRAME;
	if (finding->handler.role != HANDLER_NONE || finding->inner.function) {
		add_function(text, report, &function);
		comma = text->length && text->bytes[text->length - 1] == ',';
		text_add(text, " in ");
	}
	if (finding->many_threads)
		text_add(text, "several %sthreads",
			 finding->handler.role == HANDLER_EXECUTOR ? "worker " : "");
	else if (finding->handler.role == HANDLER_EXECUTOR)
		text_add(text, "worker thread" NBSP "%u", thread->tid);
	else
		text_add_thread(text, report, thread);
	text_add(text, comma ? "," : "");
}

bool add_native(struct text_buffer *text, const struct report *report,
		const struct finding *finding, enum thread_state state)
{
	struct native_share most = {0};

	for (int i = 0; i < NATIVES_MAX_OF_SHARE; i++)
		if (finding->natives[i].state == state && finding->natives[i].ns > most.ns)
			most = finding->natives[i];
	if (!most.ns || most.ns < finding->ns / 2)
		return false;
	text_add(text, ", mostly in ");
	text_add_native(text, report, most.function);
	return true;
}

void add_figures(struct text_buffer *text, const struct finding *finding)
{
	text_add_duration(text, finding->ns);
	if (finding->count == 1) {
		text_add(text, " in one stall");
	} else {
		text_add(text, " in ");
		text_add_number_of(text, finding->count, "stall", "stalls");
		if (finding->process_count > 1) {
			text_add(text, " of ");
			text_add_number_of(text, finding->process_count, "process", "processes");
		}
		text_add(text, ", longest ");
		text_add_duration(text, finding->worst_ns);
	}
}
