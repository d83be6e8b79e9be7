/* SPDX-License-Identifier: MIT */
/* What is wrong now, in words; what a stall is about, in half a line. */
#include "view/tui/tui_private.h"

#include "base/duration.h"
#include "words/names.h"
#include "words/palette.h"

const struct process *tui_process_of(const struct live_stall *stall)
{
	return stall->loop->thread->process;
}

const char *tui_cause(enum thread_state state)
{
	const struct palette *palette = palette_of(state);

	return state == TS_BLOCKED ? palette->label : palette->column;
}

static uint64_t length_of(const struct stall *stall)
{
	return stall->end - stall->start;
}

bool tui_alarming(const struct live_view *view)
{
	for (uint32_t i = 0; i < view->loop_count; i++)
		if (view->loops[i].ongoing)
			return true;
	return false;
}

static void add_seconds(struct text_buffer *text, uint64_t ns)
{
	text_add(text, "%llu" NBSP "s", (unsigned long long)((ns + NS_PER_S / 2) / NS_PER_S));
}

/* The longest ongoing stall; they come first in the view. */
static const struct live_stall *ongoing_of(const struct live_view *view)
{
	const struct live_stall *longest = NULL;

	for (uint32_t i = 0; i < view->stall_count; i++)
		if (view->stalls[i]->stall.ongoing &&
		    (!longest || view->stalls[i]->stall.start < longest->stall.start))
			longest = view->stalls[i];
	return longest;
}

static void add_ongoing(struct text_buffer *text, const struct live_view *view,
			const struct live_stall *live)
{
	struct ongoing ongoing = live->ongoing;
	uint32_t others = 0;

	ongoing.report = &view->about;
	ongoing.loop = live->loop;
	ongoing.stall = live->stall;
	text_add(text, "STALLED for ");
	text_add_duration(text, length_of(&live->stall));
	if (view->loop_count > 1) {
		text_add(text, ", ");
		text_add_thread(text, &view->about, live->loop->thread);
	}
	text_add(text, ": ");
	text_add_ongoing(text, &ongoing);
	text_add(text, ".");
	for (uint32_t i = 0; i < view->loop_count; i++)
		others += view->loops[i].ongoing && view->loops[i].loop != live->loop;
	if (others) {
		text_add(text, " ");
		text_add_number_of(text, others, "other loop is", "other loops are");
		text_add(text, " stalled, too.");
	}
}

/* The function to which most of the stalled time is charged. */
static const struct blame *worst_culprit(const struct live_view *view)
{
	const struct blame *worst = NULL;

	for (uint32_t i = 0; i < view->blame_count; i++)
		if (view->blame[i].handler.role && view->blame[i].stall_ns &&
		    (!worst || view->blame[i].stall_ns > worst->stall_ns))
			worst = &view->blame[i];
	return worst;
}

static void add_stalls(struct text_buffer *text, const struct live_view *view, uint32_t stalls)
{
	const struct blame *culprit = worst_culprit(view);
	struct state_sums states = {0};
	uint64_t total = 0, worst = 0;
	enum thread_state cause;

	for (uint32_t i = 0; i < view->loop_count; i++) {
		const struct live_loop *loop = &view->loops[i];

		total += loop->stall_ns;
		worst = loop->worst_ns > worst ? loop->worst_ns : worst;
		for (int s = 0; s < TS_COUNT; s++)
			states.ns[s] += loop->stalled.ns[s];
	}
	cause = state_sums_largest(&states);
	text_add_number_of(text, stalls, "stall", "stalls");
	text_add(text, " in the last ");
	add_seconds(text, view->while_ns);
	text_add(text, ", ");
	text_add_duration(text, total);
	if (stalls > 1) {
		text_add(text, " total, longest ");
		text_add_duration(text, worst);
	}
	text_add(text, "; ");
	text_add_share(text, states.ns[cause], state_sums_total(&states));
	text_add(text, " of that %s.", palette_of(cause)->doing);
	if (!culprit)
		return;
	if (culprit->stalls < stalls)
		text_add(text, " %llu" NBSP "by ", (unsigned long long)culprit->stalls);
	else
		text_add(text, stalls > 1 ? " All by " : " By ");
	text_add_handler(text, &view->about, &culprit->handler);
	text_add(text, ".");
}

static void add_no_stall(struct text_buffer *text, const struct live_view *view)
{
	uint64_t longest = 0;

	for (uint32_t i = 0; i < view->loop_count; i++)
		longest = view->loops[i].turn.max_ns > longest ? view->loops[i].turn.max_ns
							       : longest;
	text_add(text, "No stalls (≥" NBSP);
	text_add_duration(text, view->about.stall_ns);
	text_add(text, ") in the last ");
	add_seconds(text, view->while_ns);
	if (longest) {
		text_add(text, "; longest iteration ");
		text_add_duration(text, longest);
	}
	text_add(text, ".");
	if (view->unknown_ns > view->thread_ns / 100) {
		text_add(text, " But ");
		text_add_share(text, view->unknown_ns, view->thread_ns);
		text_add(text, " of the threads' time is unknown, and a stall may hide there.");
	}
}

static bool gil_off(const struct live_view *view)
{
	for (uint32_t i = 0; i < view->process_count; i++)
		if (view->processes[i]->info.gil_enabled)
			return false;
	return view->process_count > 0;
}

/* No thread runs an event loop for certain, so what counts is who waits for the GIL. */
static bool without_loops(const struct live_view *view)
{
	for (uint32_t i = 0; i < view->process_count; i++)
		if (!view->processes[i]->loops_known)
			return false;
	return view->process_count && !view->loop_count;
}

void tui_add_verdict(struct text_buffer *text, const struct tui_page *page)
{
	const struct live_view *view = &page->view;
	const struct live_stall *ongoing = ongoing_of(view);
	uint32_t stalls = 0;

	for (uint32_t i = 0; i < view->loop_count; i++)
		stalls += view->loops[i].stalls;
	if (gil_off(view))
		text_add(text, "The GIL was off at first (free-threaded Python). ");
	if (!stalls && view->loop_count && tui_has_finding(page))
		text_add(text, "The event loop did not stall, but: ");
	if (page->findings && !stalls && (tui_has_finding(page) || without_loops(view)))
		tui_add_finding(text, page);
	else if (!view->loop_count)
		text_add(text, "No event loop found so far: either there is none, or it has been "
			       "busy or blocked all the time.");
	else if (ongoing)
		add_ongoing(text, view, ongoing);
	else if (stalls)
		add_stalls(text, view, stalls);
	else
		add_no_stall(text, view);
}

#define PLACE_COLUMNS 13 /* of a file and a line, at least */

void tui_add_frame(struct text_buffer *text, const struct report *report,
		   const struct stack_frame *frame, unsigned columns)
{
	size_t before = text->length;
	unsigned used;

	text_add_function(text, report, frame,
			  columns > PLACE_COLUMNS + 8 ? columns - PLACE_COLUMNS : 8);
	used = text_width(text->bytes + before) + 1;
	if (columns < used + 6)
		return;
	text_add(text, " ");
	text_add_place(text, report, frame, columns - used < 40 ? columns - used : 40);
}

/* Where the loop itself was: its handler, else the innermost function of its stack; NULL: unknown.
 */
static const struct stack_frame *own_frame(const struct report *report, const struct stall *stall)
{
	const struct definition *stack = stack_of(report, stall->stack);

	if (stall->handler.role != HANDLER_NONE)
		return &stall->handler.frame;
	return stack ? &stack->stack.frames[0] : NULL;
}

static void add_own(struct text_buffer *text, const struct report *report,
		    const struct stall *stall, unsigned columns)
{
	const struct stack_frame *frame = own_frame(report, stall);

	if (frame)
		tui_add_frame(text, report, frame, columns);
}

/* The same before something else of so many columns, which gives way to the function's name. */
static void add_own_before(struct text_buffer *text, const struct report *report,
			   const struct stall *stall, unsigned columns, unsigned after)
{
	const struct stack_frame *frame = own_frame(report, stall);
	struct text_buffer name = {0};
	unsigned least;

	if (!frame)
		return;
	text_add_function(&name, report, frame, columns);
	least = text_width(name.bytes) + 1 + PLACE_COLUMNS;
	if (columns > least + after)
		least = columns - after;
	tui_add_frame(text, report, frame, least < columns ? least : columns);
}

#define NARROW 40 /* columns that have no room for a thread's name */

static void add_holder(struct text_buffer *text, const struct report *report,
		       const struct breakdown *what, unsigned columns)
{
	const struct blocker *blocker = &what->blockers[0];

	if (!breakdown_holders_known(what)) {
		text_add(text, "who had the GIL is unknown");
		return;
	}
	if (blocker->handler.role != HANDLER_NONE) {
		tui_add_frame(text, report, &blocker->handler.frame, columns);
		if (columns <= NARROW) /* the details have the thread */
			return;
		text_add(text, " in ");
	} else {
		text_add(text, "GIL held by ");
	}
	text_add_thread_name(text, report, blocker->thread, 32, false);
}

static void add_no_cpu(struct text_buffer *text, const struct process *process,
		       const struct stall *stall)
{
	const struct breakdown *what = &stall->what;

	if (what->throttled_ns * 2 > what->states.ns[stall->cause]) {
		text_add(text, "its cgroup's CPU quota was used up");
		return;
	}
	if (!what->preempted_by_count) {
		text_add(text, "who had the CPU is unknown");
		return;
	}
	text_add(text, "no CPU, taken by ");
	text_add_occupant(text, process, &what->preempted_by[0]);
}

void tui_add_stall(struct text_buffer *text, const struct live_view *view,
		   const struct live_stall *live, unsigned columns)
{
	const struct breakdown *what = &live->stall.what;
	const struct process *process = tui_process_of(live);
	unsigned own = columns > 60 ? columns - 20 : columns;
	struct text_buffer call = {0};
	enum stop_kind kind;

	if (breakdown_is_stopped(what, &kind)) {
		text_add(text, "%s", text_stop(kind));
		return;
	}
	switch (live->stall.cause) {
	case TS_GIL_WAIT:
		add_holder(text, &view->about, what, own);
		return;
	case TS_BLOCKED:
	case TS_HELD_BLOCKED:
		text_add_syscall(&call, process,
				 what->syscall_count ? what->syscalls[0].sysno : SYSNO_UNKNOWN);
		add_own_before(text, &view->about, &live->stall, columns,
			       text_width(call.bytes) + 2);
		text_separate(text, ", ");
		text_add(text, "%s", call.bytes);
		return;
	case TS_RUNNABLE:
	case TS_HELD_RUNNABLE:
		add_no_cpu(text, process, &live->stall);
		return;
	default:
		add_own(text, &view->about, &live->stall, own);
		if (!text->length)
			text_add(text, "in which function is unknown");
	}
}
