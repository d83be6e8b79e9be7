/* SPDX-License-Identifier: MIT */
/* No CPU: the quota of the cgroup, or others that had the CPU. */
#include "diagnosis/rule.h"
#include "words/words.h"

static struct finding finding_of_process(const struct stall_view *view, enum finding_id id,
					 enum subject_kind subject)
{
	return (struct finding){.id = id,
				.subject = subject,
				.process = view->process,
				.sysno = SYSNO_UNKNOWN,
				.states = view->stall->what.states};
}

static uint64_t waited_ns(const struct breakdown *what)
{
	return what->states.ns[TS_RUNNABLE] + what->states.ns[TS_HELD_RUNNABLE];
}

static void stall_quota(struct collector *collector, const struct stall_view *view)
{
	struct finding finding = finding_of_process(view, FINDING_QUOTA, SUBJECT_PROCESS);

	collector_add(collector, &finding, view->stall->what.throttled_ns);
}

static void stall_no_cpu(struct collector *collector, const struct stall_view *view)
{
	const struct breakdown *what = &view->stall->what;
	struct finding finding = finding_of_process(view, FINDING_NO_CPU, SUBJECT_NEIGHBOUR);
	uint64_t ns = waited_ns(what);

	for (uint32_t i = 0; i < what->preempted_by_count; i++)
		if (finding.neighbour_count < NEIGHBOURS_MAX)
			finding.neighbours[finding.neighbour_count++] = what->preempted_by[i];
		else
			finding.more_neighbours++;
	collector_add(collector, &finding, ns > what->throttled_ns ? ns - what->throttled_ns : 0);
}

/* "needs 302 ms of CPU, and waited 1.19 s for it" */
static void add_need(struct text_buffer *text, const struct finding *finding)
{
	text_add(text, "The event loop needed ");
	text_add_duration(text, finding->states.ns[TS_PYTHON] + finding->states.ns[TS_NATIVE]);
	text_add(text, " of CPU, and waited for it ");
	add_figures(text, finding);
}

static void text_quota(struct text_buffer *text, const struct report *report,
		       const struct finding *finding)
{
	add_need(text, finding);
	text_add(text, ", because the cgroup's CPU quota was used up");
}

static void advise_quota(struct text_buffer *text, const struct report *report,
			 const struct finding *finding)
{
	text_add(text, "Raise the quota (cpu.max, a container's CPU limit), or run fewer workers "
		       "and threads in it.");
}

/* Who had it "mostly" had half of it or more; else there are many, and the first is one of them. */
static void text_no_cpu(struct text_buffer *text, const struct report *report,
			const struct finding *finding)
{
	const struct cpu_share *first = &finding->neighbours[0];
	uint64_t total = 0;

	for (uint32_t i = 0; i < finding->neighbour_count; i++)
		total += finding->neighbours[i].ns;
	add_need(text, finding);
	if (!total || !first->tid || first->tid == TID_OTHERS)
		return;
	if (first->ns * 2 >= total) {
		text_add(text, finding->neighbour_count > 1 ? "; mostly " : "; ");
		text_add_occupant(text, one_process(finding), first);
		text_add(text, " used it");
		return;
	}
	text_add(text, "; ");
	text_add_number_of(text, finding->neighbour_count + finding->more_neighbours, "other",
			   "others");
	text_add(text, " used it, ");
	text_add_occupant(text, one_process(finding), first);
	text_add(text, " for ");
	text_add_share(text, first->ns, total);
}

static void advise_no_cpu(struct text_buffer *text, const struct report *report,
			  const struct finding *finding)
{
	const struct cpu_share *first = finding->neighbour_count ? &finding->neighbours[0] : NULL;

	if (first && first->tid && one_process(finding) &&
	    first->pid == one_process(finding)->info.pid)
		text_add(text, "Run fewer threads, or give the process more CPUs.");
	else if (first && first->tid && is_observed(report, first->pid))
		text_add(text, "Processes of the service compete with each other: run fewer, or "
			       "give it more CPUs.");
	else
		text_add(text, "Give the process more CPU, or isolate it (cpuset, nice).");
}

const struct rule rule_quota = {.stall = stall_quota, .text = text_quota, .advice = advise_quota};
const struct rule rule_no_cpu = {
	.stall = stall_no_cpu, .text = text_no_cpu, .advice = advise_no_cpu};
