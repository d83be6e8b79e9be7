/* SPDX-License-Identifier: MIT */
/* json_parts.h - objects that several files of this view write. */
#ifndef GILSCOPE_VIEW_JSON_PARTS_H
#define GILSCOPE_VIEW_JSON_PARTS_H

#include "diagnosis/findings.h"
#include "view/json_out.h"

#define JSON_TABLE "view/json/report.def"
#include "view/json_table.h"

/* Each returns a new reference. */
json_t *json_frame(const struct report *report, const struct stack_frame *frame);
/* An empty list for an unknown stack. */
json_t *json_stack(const struct report *report, uint32_t stack);
/* The name of a system call, or of one of SYSNO_…. */
json_t *json_call(int32_t sysno, const char *machine);
json_t *json_states(const struct state_sums *sums);
/* The name of a fact about a recording; "unknown" for 0. */
json_t *json_fact(const struct fact_names *names, uint32_t value);
/* json_death.c: a point in time. */
json_t *json_time(const struct view_options *options, uint64_t ts);
/* Whether the ID is another PID namespace's. Left out where everything is in one, or gilscope in
 * the kernel's own. */
json_t *json_outside(uint32_t pid);
/* JSON_LEFT_OUT if it did not end, or that was not seen. */
json_t *json_death(const struct report *report, const struct view_options *options,
		   const struct process_report *process);
/* null for HANDLER_NONE. */
json_t *json_handler(const struct report *report, const struct handler *handler);
/* The processes below this one that run event loops. */
json_t *json_children(const struct report *report, const struct process *process);
/* Those of a process; left out if there are none. */
json_t *json_pools(const struct report *report, const struct process *process);
json_t *json_occupant(const struct cpu_share *share);
json_t *json_syscall(const struct syscall_share *share, const char *machine);
/* json_locks.c: "mutex", … */
const char *json_lock_kind(enum lock_kind kind);
/* json_locks.c: lists, or JSON_LEFT_OUT if there is nothing in them. */
json_t *json_locks(const struct report *report, const struct process *process,
		   const struct breakdown *what);
json_t *json_helpers(const struct report *report, const struct breakdown *what);
/* JSON_LEFT_OUT if there is no function. */
json_t *json_native(const struct report *report, const struct native_share *share);
json_t *json_chain(const struct report *report, const struct stall *stall);
json_t *json_finding(const struct report *report, const struct finding *finding);

#endif
