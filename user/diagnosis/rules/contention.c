/* SPDX-License-Identifier: MIT */
/* Who had the GIL while other threads wanted it, in a process whose requests are served by threads:
 * there is no loop that could stall, and what is slow is what waits for the GIL. */
#include <stdlib.h>

#include "diagnosis/calls.h"
#include "diagnosis/rule.h"
#include "words/names.h"
#include "words/words.h"

/* Less than this part of the window is what any busy process has. */
#define PARTS_OF_WINDOW 20

uint64_t contention_much_ns(const struct report *report)
{
	uint64_t part = text_window_ns(report) / PARTS_OF_WINDOW;

	return part > report->stall_ns ? part : report->stall_ns;
}

/* What one thread waited for one subject: a function of the application, else a holder. */
struct part {
	const struct wait_flame *wait;
	uint32_t function; /* the handler's; 0: none */
};

static int by_subject(const struct part *x, const struct part *y)
{
	const struct thread *a = x->wait->holder, *b = y->wait->holder;

	if (x->function != y->function)
		return x->function < y->function ? -1 : 1;
	if (x->function || a == b)
		return 0;
	return !a || (b && a->index < b->index) ? -1 : 1;
}

static int by_subject_and_waiter(const void *a, const void *b)
{
	const struct part *x = a, *y = b;
	int order = by_subject(x, y);

	if (order)
		return order;
	return (x->wait->waiter->index > y->wait->waiter->index) -
	       (x->wait->waiter->index < y->wait->waiter->index);
}

struct waited {
	uint64_t ns;  /* all that the process's threads waited */
	bool is_long; /* one waited as long as a stall at a time */
};

static struct waited waited_by(const struct report *report, const struct process_report *process)
{
	struct waited waited = {.ns = process->states.ns[TS_GIL_WAIT]};

	for (uint32_t i = 0; i < process->gil_count; i++)
		waited.is_long |= process->gils[i].longest_wait_ns >= report->stall_ns;
	return waited;
}

/* Much waiting in total, or most of the waiting where single waits were long. Waiting for unknown
 * holders is reported only if it is most of it. */
static bool matters(const struct report *report, const struct waited *waited,
		    const struct finding *finding)
{
	bool most = finding->ns >= waited->ns / 2;

	if (finding->ns < report->stall_ns ||
	    (finding->subject == SUBJECT_THREAD && !finding->thread && !most))
		return false;
	return (waited->is_long && most) || finding->ns >= contention_much_ns(report);
}

static struct handler handler_at(const struct report *report, uint32_t stack)
{
	struct handler handler = {0};

	if (report->finder && stack)
		handler = handler_find(report->finder, report->names, stack);
	return handler.role == HANDLER_NONE ? (struct handler){0} : handler;
}

/* The parts of one subject, sorted by waiter, as a finding. */
static struct finding add_up(const struct report *report, const struct process_report *process,
			     const struct part *parts, uint32_t count)
{
	struct finding finding = {
		.id = FINDING_GIL_CONTENDED_BY, .process = process, .sysno = SYSNO_UNKNOWN};
	uint64_t of_waiter = 0, most = 0;
	uint32_t stack = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct wait_flame *wait = parts[i].wait;
		bool next = i && wait->waiter == parts[i - 1].wait->waiter;

		of_waiter = next ? of_waiter + wait->ns : wait->ns;
		finding.count += !next;
		finding.worst_ns = of_waiter > finding.worst_ns ? of_waiter : finding.worst_ns;
		finding.ns += wait->ns;
		finding.states.ns[TS_HELD_BLOCKED] += wait->asleep_ns;
		finding.states.ns[TS_HELD_RUNNABLE] += wait->no_cpu_ns;
		finding.states.ns[TS_PYTHON] += wait->ns - wait->asleep_ns - wait->no_cpu_ns;
		if (wait->holder_stack && wait->ns > most) {
			most = wait->ns;
			stack = wait->holder_stack;
		}
	}
	set_stack(&finding, report, stack);
	finding.handler = handler_at(report, parts[0].wait->holder_stack);
	finding.subject = finding.handler.frame.function ? SUBJECT_FUNCTION : SUBJECT_THREAD;
	finding.thread = finding.handler.frame.function ? NULL : parts[0].wait->holder;
	return finding;
}

static uint32_t parts_of(const struct report *report, const struct process_report *process,
			 struct part *parts)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < report->wait_flame_count; i++) {
		const struct wait_flame *wait = &report->wait_flames[i];

		if (wait->waiter->process != process->process)
			continue;
		parts[count++] = (struct part){
			.wait = wait,
			.function = handler_at(report, wait->holder_stack).frame.function};
	}
	return count;
}

static void process_contention(struct collector *collector, const struct report *report,
			       const struct process_report *process)
{
	struct waited waited = waited_by(report, process);
	struct part *parts;
	uint32_t count, end;

	if (process->loop_count)
		return;
	parts = calloc(report->wait_flame_count + 1, sizeof(*parts));
	if (!parts) {
		collector_fail(collector);
		return;
	}
	count = parts_of(report, process, parts);
	qsort(parts, count, sizeof(*parts), by_subject_and_waiter);
	for (uint32_t i = 0; i < count; i = end) {
		struct finding finding;

		for (end = i + 1; end < count && !by_subject(&parts[i], &parts[end]);)
			end++;
		finding = add_up(report, process, &parts[i], end - i);
		if (matters(report, &waited, &finding))
			collector_add_whole(collector, &finding);
	}
	free(parts);
}

static void add_waits(struct text_buffer *text, const struct finding *finding)
{
	text_add_number_of(text, finding->count, "thread", "threads");
	text_add(text, " waited ");
	text_add_duration(text, finding->ns);
	if (finding->count == 1)
		return;
	text_add(text, " in total, one of them ");
	text_add_duration(text, finding->worst_ns);
}

static void text_contention(struct text_buffer *text, const struct report *report,
			    const struct finding *finding)
{
	bool known = finding->handler.role != HANDLER_NONE || finding->inner.function;

	if (!known && !finding->thread) {
		/* it was free, and who was woken for it waited for a CPU; or data is missing */
		text_add(text, "Threads waited for the GIL while none is known to have held it: ");
		add_waits(text, finding);
		return;
	}
	if (finding->thread)
		add_function_in(text, report, finding, finding->thread);
	else
		add_function(text, report, finding);
	text_add(text, " held the GIL while other threads waited for it: ");
	add_waits(text, finding);
}

/* What it ran comes first if it would be much by itself: that can be changed. */
static void advise_contention(struct text_buffer *text, const struct report *report,
			      const struct finding *finding)
{
	const uint64_t *ns = finding->states.ns;
	enum thread_state largest = state_sums_largest(&finding->states);
	bool ran = ns[TS_PYTHON] >= contention_much_ns(report);

	if (!finding->thread && finding->handler.role == HANDLER_NONE)
		return;
	if (!ran && largest != TS_PYTHON) {
		add_gil_advice(text, report, finding);
		return;
	}
	if (finding->call)
		text_add(text, "%s ", finding->call->advice[CALL_RAN]);
	text_add(text, "Serve with more processes instead of threads, move that work to a process "
		       "pool, or release the GIL in the extension: only one thread of a process "
		       "runs Python at a time, however many CPUs there are.");
	add_gil_parts(text, finding, contention_much_ns(report), TS_PYTHON);
}

const struct rule rule_gil_contended_by = {
	.process = process_contention, .text = text_contention, .advice = advise_contention};
