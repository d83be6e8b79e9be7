/* SPDX-License-Identifier: MIT */
/* The process that was observed is not the one that serves. */
#include "diagnosis/diagnosis.h"
#include "diagnosis/rule.h"
#include "words/names.h"
#include "words/words.h"

enum { CMDLINE_COLUMNS = 60 };

static bool has_workers(const struct process_report *process)
{
	return process->process->child_count &&
	       (!process->loop_count || process->process->supervisor);
}

bool is_observed(const struct report *report, uint32_t pid)
{
	for (uint32_t p = 0; p < report->process_count; p++)
		if (report->processes[p].process->info.pid == pid)
			return true;
	return false;
}

static bool was_observed(const struct report *report, const struct child *child)
{
	return child->freed || is_observed(report, child->pid);
}

uint32_t supervisor_unobserved(const struct report *report, const struct process_report *process)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < process->process->child_count && has_workers(process); i++)
		count += !was_observed(report, &process->process->children[i]);
	return count;
}

/* Its stack, or children that run loops while it runs none, show that it is their supervisor.
 * Without, it may have work of its own: it has none if it hardly ran. */
static bool supervises(const struct report *report, const struct process_report *process)
{
	const uint64_t *ns = process->states.ns;

	if (!has_workers(process) ||
	    supervisor_unobserved(report, process) < process->process->child_count)
		return false;
	if (process->process->supervisor)
		return true;
	for (uint32_t i = 0; i < process->process->child_count; i++)
		if (process->process->children[i].loop)
			return true;
	return ns[TS_PYTHON] + ns[TS_NATIVE] < text_window_ns(report) / 10;
}

static void process_supervisor(struct collector *collector, const struct report *report,
			       const struct process_report *process)
{
	if (supervisor_unobserved(report, process))
		collector_add_whole(collector, &(struct finding){.id = FINDING_SUPERVISOR,
								 .subject = SUBJECT_PROCESS,
								 .process = process,
								 .sysno = SYSNO_UNKNOWN});
}

static void text_supervisor(struct text_buffer *text, const struct report *report,
			    const struct finding *finding)
{
	const struct process *process = finding->process->process;
	uint32_t loops = 0;

	for (uint32_t i = 0; i < process->child_count && !finding->process->loop_count; i++)
		loops += process->children[i].loop;
	if (loops == process->child_count)
		text_add(text, "Process %u runs no event loop, and ", process->info.pid);
	text_add(text, process->child_count < SUPERVISED_MAX ? "" : "at least ");
	text_add_number_of(text, process->child_count, "process", "processes");
	if (loops == process->child_count)
		text_add(text, " below it %s: ", loops == 1 ? "does" : "do");
	else
		text_add(text, " below process %u %s: ", process->info.pid,
			 process->child_count == 1 ? "serves" : "serve");
	for (uint32_t i = 0; i < process->child_count; i++) {
		const char *cmdline = text_of(report, process->children[i].text);

		text_separate(text, i ? ", " : "");
		text_add(text, "%u", process->children[i].pid);
		if (cmdline) {
			text_add(text, " (");
			text_add_name(text, cmdline, CMDLINE_COLUMNS);
			text_add(text, ")");
		}
	}
}

static void advise_supervisor(struct text_buffer *text, const struct report *report,
			      const struct finding *finding)
{
	const struct process *process = finding->process->process;
	uint32_t unobserved = supervisor_unobserved(report, finding->process);

	if (unobserved == process->child_count)
		text_add(text, "This report says nothing about them. Observe them instead");
	else if (unobserved == 1)
		text_add(text, "This report says nothing about one of them. Observe that, too");
	else
		text_add(text, "This report says nothing about %u of them. Observe those, too",
			 unobserved);
	text_add(text, " (gilscope attach");
	for (uint32_t i = 0; i < process->child_count; i++)
		if (!was_observed(report, &process->children[i]))
			text_add(text, " %u", process->children[i].pid);
	text_add(text, ").");
}

bool diagnosis_applies(const struct report *report)
{
	for (uint32_t p = 0; p < report->process_count; p++)
		if (supervises(report, &report->processes[p]))
			return false;
	return true;
}

const struct rule rule_supervisor = {
	.process = process_supervisor, .text = text_supervisor, .advice = advise_supervisor};
