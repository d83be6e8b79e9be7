/* SPDX-License-Identifier: MIT */
/*
 * service.h - a report's processes as one service: how long its event loops were held up, and which
 * of its processes worst. Pure.
 */
#ifndef GILSCOPE_VIEW_SERVICE_H
#define GILSCOPE_VIEW_SERVICE_H

#include "analysis/report.h"

/* All loops of the report as one. */
struct unresponsive {
	uint64_t ns, stalls, longest_ns, gc_ns, stopped_ns;
	uint64_t observed_ns; /* of all loops together */
	uint32_t loops;
	bool bounded; /* a lower bound: some stall is longer than what was seen of it */
	struct freeze freeze;
	struct state_sums states;
};

struct unresponsive unresponsive_of(const struct report *report);

/* Of one process: its stalls, for how long together, the longest iteration, and how long some
 * thread had a GIL. */
uint64_t process_stall_count(const struct process_report *process);
uint64_t process_stalled_ns(const struct process_report *process);
uint64_t process_longest_ns(const struct process_report *process);
uint64_t process_held_ns(const struct process_report *process);

/* The processes, those whose event loops were held up most first; the caller's to free. NULL: no
 * memory. */
const struct process_report **service_sort(const struct report *report);

/* How many processes the report is about, those included that are not listed one by one. */
uint32_t service_process_count(const struct report *report);

#endif
