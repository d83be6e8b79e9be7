/* SPDX-License-Identifier: MIT */
/* One stall in words: what ran, who held the GIL, which calls it slept in, who had the CPU. */
#include "words/stall.h"

#include "words/names.h"
#include "words/palette.h"

#define SHOWN_PARTS 3
#define INDENT	    "      "

/* Less than a hundredth of the stall explains nothing. */
static bool matters(uint64_t ns, const struct stall *stall)
{
	return ns && ns >= (stall->end - stall->start) / 100;
}

/* The states that matter, largest first, without `except` (TS_COUNT: all of them). */
void text_add_states(struct text_buffer *text, const struct state_sums *sums,
		     const struct stall *stall, enum thread_state except)
{
	bool used[TS_COUNT + 1] = {false};
	size_t before = text->length;

	used[except] = true;
	for (;;) {
		int next = -1;

		for (int i = 0; i < TS_COUNT; i++)
			if (!used[i] && matters(sums->ns[i], stall) &&
			    (next < 0 || sums->ns[i] > sums->ns[next]))
				next = i;
		if (next < 0)
			return;
		used[next] = true;
		text_add(text, "%s%s" NBSP, text->length > before ? ", " : "",
			 palette_of((enum thread_state)next)->label);
		text_add_duration(text, sums->ns[next]);
	}
}

static void add_more(struct text_buffer *text, uint32_t count)
{
	if (count)
		text_add(text, ", %u" NBSP "more", count);
}

/* C code that had a tenth of the stall or more. */
static void add_c_code(struct text_buffer *text, const struct report *report,
		       const struct stack_share *shares, uint32_t count, const struct stall *stall)
{
	struct native_share most = natives_largest(shares, count);

	if (!most.ns || most.ns < (stall->end - stall->start) / 10)
		return;
	text_separate(text, "; ");
	text_add(text, "C code: ");
	text_add_native(text, report, most.function);
	text_add(text, NBSP);
	text_add_duration(text, most.ns);
}

/* What the loop's own thread did: "in render (app.py:12), route, of task 'Task-7' → dumps
 * (…)". */
static void add_own(struct text_buffer *text, const struct report *report,
		    const struct stall *stall)
{
	const char *task = task_of(report, &stall->what, stall->stack);

	/* where the loop itself waited for the GIL is of no interest */
	if (stall->handler.role == HANDLER_NONE && stall->cause == TS_GIL_WAIT)
		return;
	if (stall->handler.role != HANDLER_NONE) {
		text_add(text, "in ");
		text_add_handler(text, report, &stall->handler);
	}
	if (stall->handler.role != HANDLER_NONE && task) {
		text_add(text, ", of task '");
		text_add_name(text, task, 48);
		text_add(text, "'");
	}
	text_add_innermost(text, report, stall->stack, &stall->handler);
	add_c_code(text, report, stall->what.stacks, stall->what.stack_count, stall);
}

static void add_garbage(struct text_buffer *text, const struct stall *stall)
{
	const struct breakdown *what = &stall->what;

	if (!matters(what->gc_ns, stall))
		return;
	text_add(text, "garbage collection ");
	text_add_duration(text, what->gc_ns);
	text_add(text, " of it%s", what->gc_sampled ? " (by samples)" : "");
}

static void add_blockers(struct text_buffer *text, const struct report *report,
			 const struct breakdown *what, const struct stall *stall)
{
	enum stop_kind kind;
	uint32_t i;

	for (i = 0; i < what->blocker_count && i < SHOWN_PARTS &&
		    matters(state_sums_total(&what->blockers[i].states), stall);
	     i++) {
		const struct blocker *blocker = &what->blockers[i];

		text_add(text, i ? "; " : "GIL held by ");
		if (blocker->handler.role != HANDLER_NONE) {
			text_add_frame(text, report, &blocker->handler.frame);
			text_add(text, " in ");
		}
		if (blocker->handler.role == HANDLER_EXECUTOR)
			text_add(text, "worker thread" NBSP "%u", blocker->thread->tid);
		else
			text_add_thread(text, report, blocker->thread);
		text_add(text, ": ");
		text_add_states(text, &blocker->states, stall, TS_COUNT);
		if (blocker_is_stopped(blocker, &kind))
			text_add(text, ", %s", text_stop(kind));
		if (matters(blocker->gc_ns, stall)) {
			text_add(text, ", garbage collection ");
			text_add_duration(text, blocker->gc_ns);
		}
		text_add_innermost(text, report,
				   stack_share_largest(blocker->stacks, blocker->stack_count),
				   &blocker->handler);
		add_c_code(text, report, blocker->stacks, blocker->stack_count, stall);
	}
	if (i)
		add_more(text, what->blocker_count - i);
}

static void add_syscalls(struct text_buffer *text, const struct process *process,
			 const struct breakdown *what, const struct stall *stall)
{
	uint32_t i, shown = 0, stops = 0;

	for (i = 0;
	     i < what->syscall_count && shown < SHOWN_PARTS && matters(what->syscalls[i].ns, stall);
	     i++) {
		if (sysno_is_stop(what->syscalls[i].sysno)) { /* see add_stops() */
			stops++;
			continue;
		}
		text_add(text, shown++ ? ", " : "blocked in ");
		text_add_syscall(text, process, what->syscalls[i].sysno);
		text_add(text, " for" NBSP);
		text_add_duration(text, what->syscalls[i].ns);
	}
	if (shown)
		add_more(text, what->syscall_count - shown - stops);
}

static void add_inner_place(struct text_buffer *text, const struct report *report, uint32_t stack)
{
	const struct definition *definition = stack_of(report, stack);
	const struct stack_frame *frame = definition ? stack_innermost_of_application(report,
										      definition)
						     : NULL;

	if (!frame)
		return;
	text_add(text, " in ");
	text_add_frame(text, report, frame);
}

/* Who released the thread that slept on a futex, and which threads of C code ran meanwhile. */
static void add_locks(struct text_buffer *text, const struct report *report,
		      const struct breakdown *what, const struct stall *stall)
{
	uint64_t ran = 0, count = 0;

	for (uint32_t i = 0;
	     i < what->lock_count && i < SHOWN_PARTS && matters(what->locks[i].ns, stall); i++) {
		text_separate(text, "; ");
		text_add_thread(text, report, what->locks[i].by);
		text_add(text, what->locks[i].kind == LOCK_WORLD ? " stopped the world and let "
								 : " woke ");
		text_add_thread(text, report, what->locks[i].thread);
		text_add(text, what->locks[i].kind == LOCK_WORLD ? " go on" : "");
		add_inner_place(text, report, what->locks[i].by_stack);
		text_add(text, ", after" NBSP);
		text_add_duration(text, what->locks[i].ns);
	}
	for (uint32_t i = 0; i < what->helper_count; i++) {
		ran += what->helpers[i].ns;
		count += what->helpers[i].ns != 0; /* some were only ready to run */
	}
	if (!matters(ran, stall))
		return;
	text_separate(text, "; ");
	text_add(text, "meanwhile ");
	text_add_number_of(text, count, "thread of C code ran ", "threads of C code ran ");
	text_add_duration(text, ran);
}

/* What the last of a chain sleeps in, who holds up all others. */
static void add_end_of_chain(struct text_buffer *text, const struct report *report,
			     const struct stall *stall)
{
	const struct chain_link *last = &stall->chain[stall->chain_count - 1];

	if (stall->deadlock < stall->chain_count || !thread_state_sleeps(last->state) ||
	    !last->ns || stall->chain[stall->chain_count - 2].had_ns)
		return;
	text_separate(text, "; ");
	text_add_thread(text, report, last->thread);
	if (sysno_is_stop(last->sysno)) {
		text_add(text, " has been %s,", text_stop(stop_kind_of(last->sysno)));
	} else {
		text_add(text, " has slept in ");
		text_add_syscall(text, last->thread->process, last->sysno);
	}
	text_add(text, " for ");
	text_add_duration(text, last->ns);
}

/* Of an ongoing stall. */
static void add_chain(struct text_buffer *text, const struct report *report,
		      const struct stall *stall)
{
	for (uint32_t i = 0; i + 1 < stall->chain_count ||
			     (i < stall->chain_count && stall->deadlock < stall->chain_count);
	     i++) {
		const struct chain_link *link = &stall->chain[i];
		uint32_t next = i + 1 < stall->chain_count ? i + 1 : stall->deadlock;

		text_separate(text, "; ");
		text_add_thread(text, report, link->thread);
		text_add(text, " has waited ");
		text_add_duration(text, link->ns);
		text_add(text, " for %s that ", link->state == TS_GIL_WAIT ? "the GIL" : "a mutex");
		text_add_thread(text, report, stall->chain[next].thread);
		text_add_has(text, link->had_ns);
	}
	if (stall->chain_count > 1)
		add_end_of_chain(text, report, stall);
}

static void add_stops(struct text_buffer *text, const struct breakdown *what,
		      const struct stall *stall)
{
	for (int i = 0; i < STOP_KINDS; i++)
		if (matters(what->stop_ns[i], stall)) {
			text_separate(text, "; ");
			text_add(text, "%s" NBSP, text_stop((enum stop_kind)i));
			text_add_duration(text, what->stop_ns[i]);
		}
}

static void add_occupants(struct text_buffer *text, const struct process *process,
			  const struct breakdown *what, const struct stall *stall)
{
	uint32_t i;

	for (i = 0; i < what->preempted_by_count && i < SHOWN_PARTS &&
		    matters(what->preempted_by[i].ns, stall);
	     i++) {
		if (i)
			text_add(text, ", ");
		else
			text_add(text, "CPU used meanwhile by ");
		text_add_occupant(text, process, &what->preempted_by[i]);
		text_add(text, NBSP);
		text_add_duration(text, what->preempted_by[i].ns);
	}
	if (i)
		add_more(text, what->preempted_by_count - i);
	if (matters(what->throttled_ns, stall)) {
		text_separate(text, "; ");
		text_add(text, "CPU quota of its cgroup used up for ");
		text_add_duration(text, what->throttled_ns);
	}
}

static void show_detail(const struct canvas *canvas, struct text_buffer *text)
{
	if (text->length)
		canvas_paragraph(canvas, INDENT, sizeof(INDENT) - 1, text);
	*text = (struct text_buffer){0};
}

/* A whole stack, innermost frame first. */
static void show_stack(const struct canvas *canvas, const struct report *report, uint32_t id,
		       const char *whose)
{
	const struct definition *stack = stack_of(report, id);
	struct text_buffer text = {0};

	if (!stack)
		return;
	text_add(&text, "stack%s, innermost frame first:", whose);
	show_detail(canvas, &text);
	for (uint32_t i = 0; i < stack->stack.count; i++) {
		text_add_frame(&text, report, &stack->stack.frames[i]);
		canvas_paragraph(canvas, INDENT "  ", sizeof(INDENT) + 1, &text);
		text = (struct text_buffer){0};
		text_add_source(&text, report, &stack->stack.frames[i], canvas->columns - 12);
		if (text.length)
			canvas_paragraph(canvas, INDENT "    ", sizeof(INDENT) + 3, &text);
		text = (struct text_buffer){0};
	}
	if (stack->stack.cut) {
		text_add(&text, "… and more");
		canvas_paragraph(canvas, INDENT "  ", sizeof(INDENT) + 1, &text);
	}
}

void canvas_stall_details(const struct canvas *canvas, const struct report *report,
			  const struct process *process, const struct stall *stall)
{
	struct text_buffer text = {0};

	add_own(&text, report, stall);
	show_detail(canvas, &text);
	text_add_parts(&text, report, stall);
	show_detail(canvas, &text);
	add_garbage(&text, stall);
	show_detail(canvas, &text);
	add_blockers(&text, report, &stall->what, stall);
	show_detail(canvas, &text);
	add_stops(&text, &stall->what, stall);
	show_detail(canvas, &text);
	add_syscalls(&text, process, &stall->what, stall);
	show_detail(canvas, &text);
	add_locks(&text, report, &stall->what, stall);
	show_detail(canvas, &text);
	add_chain(&text, report, stall);
	show_detail(canvas, &text);
	add_occupants(&text, process, &stall->what, stall);
	show_detail(canvas, &text);
}

void canvas_stall_stacks(const struct canvas *canvas, const struct report *report,
			 const struct stall *stall)
{
	show_stack(canvas, report, stall->stack, "");
	for (uint32_t i = 0; i < stall->what.blocker_count && i < SHOWN_PARTS; i++)
		show_stack(canvas, report,
			   stack_share_largest(stall->what.blockers[i].stacks,
					       stall->what.blockers[i].stack_count),
			   " of the GIL's holder");
}
