/* SPDX-License-Identifier: MIT */
#include "diagnosis/diagnosis.h"

#include "base/duration.h"
#include "words/palette.h"
#include "words/stall.h"

static void add_loop(struct text_buffer *text, const struct report *report,
		     const struct loop_report *loop)
{
	text_add(text, "the event loop of ");
	text_add_thread(text, report, loop->loop->thread);
}

/* What the sentences need to know of a loop's stalls. */
struct stalls_seen {
	uint64_t longest;
	bool longest_began_before; /* its length is a lower bound */
	bool began_before;	   /* that of any is */
	bool since_before;	   /* one had begun when the window did */
	bool ongoing;
};

static struct stalls_seen see_stalls(const struct report *report, const struct loop_report *loop)
{
	struct stalls_seen seen = {0};

	for (uint32_t i = 0; i < loop->stall_count; i++) {
		const struct stall *stall = &loop->stalls[i];

		if (stall->end - stall->start > seen.longest) {
			seen.longest = stall->end - stall->start;
			seen.longest_began_before = stall->earlier;
		}
		seen.began_before |= stall->earlier;
		seen.since_before |= stall->earlier && stall->start == report->window.start;
		seen.ongoing |= stall->ongoing;
	}
	if (!loop->stall_count)
		seen.longest = loop->longest_ns;
	return seen;
}

static void add_length(struct text_buffer *text, uint64_t ns, bool began_before)
{
	text_add(text, "%s", began_before ? "≥" NBSP : "");
	text_add_duration(text, ns);
}

/* " had one stall of 1.20 s", " has been stalled since before gilscope attached, for ≥ 1.20 s" */
static void add_one(struct text_buffer *text, const struct stalls_seen *seen, uint64_t total)
{
	if (seen->since_before)
		text_add(text,
			 seen->ongoing
				 ? " has been stalled since before gilscope attached, for "
				 : " had one stall, which began before gilscope attached, of ");
	else
		text_add(text, " had one stall of ");
	add_length(text, total, seen->began_before);
}

static void add_many(struct text_buffer *text, const struct stalls_seen *seen, uint64_t count,
		     uint64_t total)
{
	text_add(text, " had ");
	text_add_count(text, count);
	text_add(text, " stalls totalling ");
	add_length(text, total, seen->began_before);
}

static void add_longest(struct text_buffer *text, const struct stalls_seen *seen)
{
	text_add(text, ", the longest ");
	add_length(text, seen->longest, seen->longest_began_before);
	if (seen->since_before)
		text_add(text, "; the first began before gilscope attached");
}

static void add_freeze(struct text_buffer *text, const struct loop_report *loop)
{
	if (!loop->freeze.stalls)
		return;
	text_add(text, "; longest freeze ");
	text_add_duration(text, loop->freeze.end - loop->freeze.start);
	text_add(text, ", ");
	text_add_number_of(text, loop->freeze.stalls, "stall", "stalls");
	text_add(text, " in a row");
}

/* The second largest state, if it is more than a sixth. */
static void add_second(struct text_buffer *text, const struct report *report,
		       const struct process *process, enum thread_state first,
		       const struct breakdown *what)
{
	struct state_sums others = what->states;
	enum thread_state second;

	others.ns[first] = 0;
	second = state_sums_largest(&others);
	if (others.ns[second] < state_sums_total(&what->states) / 6)
		return;
	text_add(text, ", and ");
	text_add_share(text, others.ns[second], state_sums_total(&what->states));
	text_add(text, " %s", palette_of(second)->doing);
	text_add_culprit(text, report, process, second, what);
}

static void add_stalls(struct text_buffer *text, const struct report *report,
		       const struct process_report *observed, const struct loop_report *loop)
{
	const struct process *process = observed->process;
	const struct breakdown *what = &loop->stalled;
	uint64_t observed_ns = process_observed_ns(report, observed);
	enum thread_state state = state_sums_largest(&what->states);
	uint64_t total = state_sums_total(&what->states), count = loop_stall_count(loop);
	struct stalls_seen seen = see_stalls(report, loop);
	enum stop_kind kind;

	add_loop(text, report, loop);
	if (count == 1)
		add_one(text, &seen, total);
	else
		add_many(text, &seen, count, total);
	text_add(text, " (");
	text_add_share(text, total, observed_ns);
	text_add(text, " of the time)");
	if (count > 1)
		add_longest(text, &seen);
	add_freeze(text, loop);
	if (seen.ongoing && !(count == 1 && seen.since_before))
		text_add(text, "; it was stalled when observation ended");
	text_add(text, ". ");
	if (breakdown_is_stopped(what, &kind)) {
		text_add_share(text, breakdown_stopped_ns(what), total);
		text_add(text, " of that %s.", text_stop(kind));
		return;
	}
	text_add_share(text, what->states.ns[state], total);
	text_add(text, " of that %s", palette_of(state)->doing);
	text_add_culprit(text, report, process, state, what);
	if (what->states.ns[state] < total / 10 * 7)
		add_second(text, report, process, state, what);
	text_add(text, ".");
}

static uint64_t unknown_of(const struct process_report *process, const struct thread *thread)
{
	for (uint32_t i = 0; i < process->thread_count; i++)
		if (process->threads[i].thread == thread)
			return process->threads[i].states.ns[TS_UNKNOWN];
	return 0;
}

static void add_iterations(struct text_buffer *text, uint64_t count, uint64_t longest_ns,
			   bool in_part)
{
	text_add(text, " in ");
	text_add_number_of(text, count, in_part ? "complete iteration" : "iteration",
			   in_part ? "complete iterations" : "iterations");
	text_add(text, ", the longest ");
	text_add_duration(text, longest_ns);
	text_add(text, ".");
}

static void add_no_stall(struct text_buffer *text, const struct report *report,
			 const struct process_report *process, const struct loop_report *loop)
{
	uint64_t unknown = unknown_of(process, loop->loop->thread);

	add_loop(text, report, loop);
	text_add(text, " %s no stalls (≥" NBSP,
		 unknown >= report->stall_ns ? "was seen to have" : "had");
	text_add_duration(text, report->stall_ns);
	text_add(text, ")");
	if (loop->longest_ns)
		add_iterations(text, loop->turn.count, loop->longest_ns, unknown != 0);
	else
		text_add(text, unknown ? ", and no complete iteration." : ": it was idle.");
	if (unknown >= report->stall_ns) {
		text_add(text, " But ");
		text_add_share(text, unknown, text_window_ns(report));
		text_add(text, " of its time is unknown, and a stall may hide there.");
	}
}

/* ── many loops ──────────────────────────────────────────────────────────── */

/* Of more than that many loops of which nothing else is to be said than that they had no stall, one
 * is told, and the others together: a service may begin one for each request. */
#define CALM_TOLD 4

struct calm {
	uint64_t loops, turns, longest_ns;
	bool in_part; /* some of their time is unknown */
};

static bool is_calm(const struct report *report, const struct process_report *process,
		    const struct loop_report *loop)
{
	return !process->process->stands_for && !loop_stall_count(loop) &&
	       unknown_of(process, loop->loop->thread) < report->stall_ns;
}

/* Which of them is told by itself; NULL: they stand for others. */
static const struct loop_report *busiest_of(const struct report *report,
					    const struct process_report *process)
{
	const struct loop_report *busiest = NULL;

	for (uint32_t i = 0; i < process->loop_count; i++) {
		const struct loop_report *loop = &process->loops[i];

		if (is_calm(report, process, loop) && !loop->stands_for &&
		    (!busiest || loop->turn.sum_ns > busiest->turn.sum_ns))
			busiest = loop;
	}
	return busiest;
}

static struct calm calm_but(const struct report *report, const struct process_report *process,
			    const struct loop_report *told)
{
	struct calm calm = {0};

	for (uint32_t i = 0; i < process->loop_count; i++) {
		const struct loop_report *loop = &process->loops[i];

		if (loop == told || !is_calm(report, process, loop))
			continue;
		calm.loops += loop->stands_for ? loop->stands_for : 1;
		calm.turns += loop->turn.count;
		calm.in_part |= unknown_of(process, loop->loop->thread) != 0;
		if (loop->longest_ns > calm.longest_ns)
			calm.longest_ns = loop->longest_ns;
	}
	return calm;
}

static void put_calm(const struct report *report, const struct calm *calm, bool others_told,
		     const struct paragraph_sink *sink)
{
	struct text_buffer text = {0};

	text_add_count(&text, calm->loops);
	text_add(&text, "%s event loops", others_told ? " other" : "");
	text_add(&text, " had no stalls (≥" NBSP);
	text_add_duration(&text, report->stall_ns);
	text_add(&text, ")");
	if (calm->longest_ns)
		add_iterations(&text, calm->turns, calm->longest_ns, calm->in_part);
	else
		text_add(&text, calm->in_part ? ", and no complete iteration." : ": idle.");
	sink->put(sink->ctx, &text);
}

static void put_loops(const struct report *report, const struct process_report *process,
		      const struct paragraph_sink *sink)
{
	const struct loop_report *told = busiest_of(report, process);
	const struct calm others = calm_but(report, process, told);
	bool any = false;

	for (uint32_t i = 0; i < process->loop_count; i++) {
		const struct loop_report *loop = &process->loops[i];
		struct text_buffer text = {0};

		if (others.loops >= CALM_TOLD && loop != told && is_calm(report, process, loop))
			continue;
		any = true;
		if (loop_stall_count(loop))
			add_stalls(&text, report, process, loop);
		else
			add_no_stall(&text, report, process, loop);
		if (text.bytes[0] == 't')
			text.bytes[0] = 'T';
		sink->put(sink->ctx, &text);
	}
	if (others.loops >= CALM_TOLD)
		put_calm(report, &others, any, sink);
}

static void add_no_loop(struct text_buffer *text)
{
	text_add(text, "No event loop found. Either the process runs none (a supervisor? try its "
		       "workers), or the loop was busy or blocked all the time: see its threads "
		       "below.");
}

bool process_without_loops(const struct process_report *process)
{
	return !process->loop_count && process->process->loops_known;
}

bool report_without_loops(const struct report *report)
{
	for (uint32_t p = 0; p < report->process_count; p++)
		if (!process_without_loops(&report->processes[p]))
			return false;
	return report->process_count > 0;
}

/* Sums over several, which may exceed the window. */
static void put_ended_gils(const struct process_report *process, const struct gil_report *gil,
			   const struct paragraph_sink *sink)
{
	bool one = gil->gil->stands_for == 1;
	struct text_buffer text = {0};

	text_add(&text, "The ");
	text_add_gil(&text, process, gil);
	text_add(&text, one ? " was held for " : " were held for ");
	text_add_duration(&text, gil->held_ns);
	text_add(&text, " in total, and threads waited for %s for ", one ? "it" : "them");
	text_add_duration(&text, gil->waited_ns);
	if (gil->unknown_ns) {
		text_add(&text, ". Whether %s held is unknown for ", one ? "it was" : "they were");
		text_add_duration(&text, gil->unknown_ns);
	}
	text_add(&text, ".");
	sink->put(sink->ctx, &text);
}

/* Of a process without loops. */
static void put_gil(const struct report *report, const struct process_report *process,
		    const struct gil_report *gil, const struct paragraph_sink *sink)
{
	struct text_buffer text = {0};
	bool unsure = gil->unknown_ns >= report->stall_ns;

	if (gil->gil->stands_for) {
		put_ended_gils(process, gil, sink);
		return;
	}
	text_add(&text, "The ");
	text_add_gil(&text, process, gil);
	if (gil_is_unseen(report, gil)) {
		text_add(&text, " was not seen to be taken or waited for, so whether it was held "
				"is unknown.");
		sink->put(sink->ctx, &text);
		return;
	}
	text_add(&text, " was held for ");
	text_add_share(&text, gil->held_ns, text_window_ns(report));
	text_add(&text, " of the time, and ");
	if (gil->contended_ns) {
		text_add(&text, "threads waited for it during ");
		text_add_share(&text, gil->contended_ns, text_window_ns(report));
		text_add(&text, ", ");
		text_add_duration(&text, gil->waited_ns);
		text_add(&text, " in total.");
	} else {
		text_add(&text, "no thread %s for it.", unsure ? "was seen to wait" : "waited");
	}
	if (unsure) {
		text_add(&text, " Whether it was held is unknown for ");
		text_add_share(&text, gil->unknown_ns, text_window_ns(report));
		text_add(&text, " of the time.");
	}
	sink->put(sink->ctx, &text);
}

/* The GIL may not have stayed off: importing an extension module switches it on for a while, or for
 * good (PEP 703). */
static void add_gil_off(struct text_buffer *text, const struct report *report,
			const struct process_report *process)
{
	uint64_t held = 0;

	for (uint32_t i = 0; i < process->gil_count; i++)
		held += process->gils[i].held_ns;
	if (!held) {
		text_add(text, "The GIL is off in this process (free-threaded Python): no thread "
			       "holds it or waits for it. Python code counts as native.");
		return;
	}
	text_add(text, "The GIL of this process was off at first (free-threaded Python), and then "
		       "held for ");
	text_add_share(text, held, text_window_ns(report));
	text_add(text, " of the time: importing an extension module switches it on, for good "
		       "unless the module declares that it needs none.");
}

static void add_children(struct text_buffer *text, const struct process *process,
			 uint32_t unobserved)
{
	if (unobserved == process->child_count) {
		text_add(text, "The processes below this one that serve are not part of this "
			       "report.");
		return;
	}
	text_add(text, "The supervisor of %s",
		 process->child_count < SUPERVISED_MAX ? "" : "at least ");
	text_add_number_of(text, process->child_count, "process", "processes");
	for (uint32_t i = 0; i < process->child_count; i++)
		text_add(text, "%s%u", i ? ", " : ": ", process->children[i].pid);
	text_add(text, ".");
	if (unobserved == 1)
		text_add(text, " One of them is not part of this report.");
	else if (unobserved)
		text_add(text, " %u of them are not part of this report.", unobserved);
}

void verdict_paragraphs(const struct report *report, const struct process_report *process,
			const struct paragraph_sink *sink)
{
	if (!process->process->info.gil_enabled) {
		struct text_buffer text = {0};

		add_gil_off(&text, report, process);
		sink->put(sink->ctx, &text);
	}
	if (process->process->child_count &&
	    (!process->loop_count || process->process->supervisor)) {
		struct text_buffer text = {0};

		add_children(&text, process->process, supervisor_unobserved(report, process));
		sink->put(sink->ctx, &text);
	} else if (process_without_loops(process)) {
		for (uint32_t i = 0; i < process->gil_count; i++)
			if (process->gils[i].held_ns || process->process->info.gil_enabled)
				put_gil(report, process, &process->gils[i], sink);
	} else if (!process->loop_count) {
		struct text_buffer text = {0};

		add_no_loop(&text);
		sink->put(sink->ctx, &text);
	}
	put_loops(report, process, sink);
}
