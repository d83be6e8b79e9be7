/* SPDX-License-Identifier: MIT */
/* No rule applied. That is not an all clear: it says what was looked at. */
#include "diagnosis/diagnosis.h"
#include "diagnosis/rule.h"
#include "words/words.h"

void nothing_found(struct collector *collector, const struct report *report)
{
	struct finding finding = {.id = FINDING_NOTHING_FOUND,
				  .process = report->process_count == 1 ? &report->processes[0]
									: NULL,
				  .sysno = SYSNO_UNKNOWN};

	collector_add_whole(collector, &finding);
}

static void add_seen(struct text_buffer *text, const struct process_report *process)
{
	for (uint32_t i = 0; i < process->loop_count; i++) {
		text_separate(text, "; ");
		text_add_number_of(text, process->loops[i].turn.count, "iteration", "iterations");
		text_add(text, ", the longest ");
		text_add_duration(text, process->loops[i].longest_ns);
	}
}

static uint64_t unknown_of_loops(const struct process_report *process)
{
	uint64_t ns = 0;

	for (uint32_t i = 0; i < process->loop_count; i++) {
		const struct loop_report *loop = &process->loops[i];

		/* a thread that has run several counts once */
		if (loop->loop->thread->loop == loop->loop)
			ns += loop->unknown_ns;
	}
	return ns;
}

static bool is_alone(const struct report *report)
{
	return report->process_count == 1 && report->processes[0].thread_count == 1;
}

/* A thread alone waits for no other one's GIL. */
static void text_alone(struct text_buffer *text, const struct report *report)
{
	const uint64_t *ns = report->processes[0].states.ns;

	text_add(text, "The only Python thread of the process was asleep for ");
	text_add_share(text, ns[TS_BLOCKED] + ns[TS_HELD_BLOCKED], text_window_ns(report));
	text_add(text, " of ");
	text_add_duration(text, text_window_ns(report));
	text_add(text, ", and ran, or was ready to, for ");
	text_add_share(text, ns[TS_PYTHON] + ns[TS_NATIVE] + ns[TS_HELD_RUNNABLE] + ns[TS_RUNNABLE],
		       text_window_ns(report));
	text_add(text, "; there is no other one to wait for the GIL");
	if (ns[TS_UNKNOWN] < report->stall_ns)
		return;
	text_add(text, ". What it did is unknown for ");
	text_add_share(text, ns[TS_UNKNOWN], text_window_ns(report));
}

/* Without loops there are no stalls; what was looked at is who waited for the GIL. */
static void text_no_wait(struct text_buffer *text, const struct report *report)
{
	uint64_t waited = 0, longest = 0, unknown = 0, held = 0;
	bool cut = false;

	for (uint32_t p = 0; p < report->process_count; p++) {
		const struct process_report *process = &report->processes[p];

		waited += process->states.ns[TS_GIL_WAIT];
		unknown += process->states.ns[TS_UNKNOWN];
		for (uint32_t i = 0; i < process->gil_count; i++) {
			const struct gil_report *gil = &process->gils[i];

			held += gil->held_ns;
			if (gil->longest_wait_ns <= longest)
				continue;
			longest = gil->longest_wait_ns;
			cut = gil->longest_wait_cut;
		}
	}
	if (report->process_count == 1 && !report->processes[0].process->info.gil_enabled &&
	    !held) {
		text_add(text, "No thread can have waited for the GIL, which is off; nothing else "
			       "was looked for");
		return;
	}
	text_add(text, "No function %s other threads wait for the GIL for ",
		 unknown < report->stall_ns ? "made" : "was seen to make");
	text_add_duration(text, contention_much_ns(report));
	text_add(text, " or more in ");
	text_add_duration(text, text_window_ns(report));
	text_add(text, ": threads waited ");
	text_add_duration(text, waited);
	if (waited) {
		text_add(text, " in total, the longest wait %s", cut ? "≥" NBSP : "");
		text_add_duration(text, longest);
	}
	if (unknown < report->stall_ns)
		return;
	text_add(text, ". But ");
	text_add_duration(text, unknown);
	text_add(text, " of the threads' time is unknown, and waits may hide there");
}

static void text_nothing(struct text_buffer *text, const struct report *report,
			 const struct finding *finding)
{
	uint64_t unknown = 0;
	struct text_buffer seen = {0};

	if (report_without_loops(report) && is_alone(report)) {
		text_alone(text, report);
		return;
	}
	if (report_without_loops(report)) {
		text_no_wait(text, report);
		return;
	}
	for (uint32_t p = 0; p < report->process_count; p++) {
		add_seen(&seen, &report->processes[p]);
		unknown += unknown_of_loops(&report->processes[p]);
	}
	if (!seen.length) {
		text_add(text, "No event loop was seen in ");
		text_add_duration(text, text_window_ns(report));
		text_add(text, ", so nothing can be said about stalls");
		return;
	}
	text_add(text, "No stalls (≥" NBSP);
	text_add_duration(text, report->stall_ns);
	text_add(text, ") in ");
	text_add_duration(text, text_window_ns(report));
	text_add(text, ": %s", seen.bytes);
	if (unknown < report->stall_ns)
		return;
	text_add(text, ". But ");
	text_add_duration(text, unknown);
	text_add(text, " of the loops' time is unknown, and a stall may hide there");
}

static void advise_nothing(struct text_buffer *text, const struct report *report,
			   const struct finding *finding)
{
	text_add(text,
		 "Not looked at: %swhat requests wait for outside the process, such as a "
		 "database, another service, or a queue in front of the server. If clients "
		 "waited meanwhile, look there, or observe while they do.",
		 report_without_loops(report) ? "what the threads slept in, and " : "");
}

static void stall_unexplained(struct collector *collector, const struct stall_view *view)
{
	collector_add(collector,
		      &(struct finding){.id = FINDING_UNEXPLAINED,
					.subject = SUBJECT_PROCESS,
					.process = view->process,
					.sysno = SYSNO_UNKNOWN},
		      view->stall->what.states.ns[TS_UNKNOWN]);
}

static void text_unexplained(struct text_buffer *text, const struct report *report,
			     const struct finding *finding)
{
	text_add(text, "What the event loop did is unknown, because data is missing: ");
	add_figures(text, finding);
}

static void advise_unexplained(struct text_buffer *text, const struct report *report,
			       const struct finding *finding)
{
	text_add(text, finding->process->process->sites_fault
			       ? "Not all takes and drops of the GIL can be traced in this "
				 "Python; how to report that is below."
			       : "Record again, with less load or for a shorter time.");
}

const struct rule rule_unexplained = {
	.stall = stall_unexplained, .text = text_unexplained, .advice = advise_unexplained};
const struct rule rule_nothing_found = {.text = text_nothing, .advice = advise_nothing};
