/* SPDX-License-Identifier: MIT */
#include "view/service.h"

#include <stdlib.h>

/* ── of one process ──────────────────────────────────────────────────────── */

uint64_t process_stalled_ns(const struct process_report *process)
{
	uint64_t ns = 0;

	for (uint32_t i = 0; i < process->loop_count; i++)
		ns += state_sums_total(&process->loops[i].stalled.states);
	return ns;
}

uint64_t process_longest_ns(const struct process_report *process)
{
	uint64_t ns = 0;

	for (uint32_t i = 0; i < process->loop_count; i++)
		ns = process->loops[i].longest_ns > ns ? process->loops[i].longest_ns : ns;
	return ns;
}

uint64_t process_stall_count(const struct process_report *process)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < process->loop_count; i++)
		count += loop_stall_count(&process->loops[i]);
	return count;
}

uint64_t process_held_ns(const struct process_report *process)
{
	uint64_t ns = 0;

	for (uint32_t i = 0; i < process->gil_count; i++)
		ns += process->gils[i].held_ns;
	return ns;
}

static int by_trouble(const void *a, const void *b)
{
	const struct process_report *x = *(const struct process_report *const *)a,
				    *y = *(const struct process_report *const *)b;
	uint64_t first[] = {process_stalled_ns(x), x->loop_count != 0, process_longest_ns(x),
			    process_held_ns(x)},
		 second[] = {process_stalled_ns(y), y->loop_count != 0, process_longest_ns(y),
			     process_held_ns(y)};

	/* what stands for others is no process, and comes last */
	if (!x->process->stands_for != !y->process->stands_for)
		return x->process->stands_for ? 1 : -1;
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (first[i] != second[i])
			return first[i] > second[i] ? -1 : 1;
	return x->process->info.pid < y->process->info.pid ? -1 : 1;
}

const struct process_report **service_sort(const struct report *report)
{
	const struct process_report **list = calloc(report->process_count, sizeof(*list));

	for (uint32_t i = 0; list && i < report->process_count; i++)
		list[i] = &report->processes[i];
	if (list)
		qsort(list, report->process_count, sizeof(*list), by_trouble);
	return list;
}

uint32_t service_process_count(const struct report *report)
{
	uint32_t count = report->process_count;

	for (uint32_t i = 0; i < report->process_count; i++)
		if (report->processes[i].process->stands_for)
			count += report->processes[i].process->stands_for - 1;
	return count;
}

/* ── of all ──────────────────────────────────────────────────────────────── */

static void count_loop(struct unresponsive *all, const struct loop_report *loop)
{
	all->loops += loop->stands_for ? loop->stands_for : 1;
	all->observed_ns += loop->observed_ns;
	all->stalls += loop_stall_count(loop);
	all->ns += state_sums_total(&loop->stalled.states);
	all->gc_ns += loop->stalled.gc_ns;
	all->stopped_ns += breakdown_stopped_ns(&loop->stalled);
	if (loop->freeze.end - loop->freeze.start > all->freeze.end - all->freeze.start)
		all->freeze = loop->freeze;
	for (int s = 0; s < TS_COUNT; s++)
		all->states.ns[s] += loop->stalled.states.ns[s];
	for (uint32_t i = 0; i < loop->stall_count; i++) {
		const struct stall *stall = &loop->stalls[i];

		all->bounded |= stall->earlier || stall->ongoing;
		if (stall->end - stall->start > all->longest_ns)
			all->longest_ns = stall->end - stall->start;
	}
}

struct unresponsive unresponsive_of(const struct report *report)
{
	struct unresponsive all = {0};

	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->processes[p].loop_count; i++)
			count_loop(&all, &report->processes[p].loops[i]);
	return all;
}
