/* SPDX-License-Identifier: MIT */
/*
 * fold.h - what the fold keeps while the model runs. Internal to the room; fold.c writes it, report.c makes the report of it.
 *
 * Every object of the model carries its part in `data`. The builder owns the parts and frees them through its lists, so it may outlive the world.
 */
#ifndef GILSCOPE_ANALYSIS_FOLD_H
#define GILSCOPE_ANALYSIS_FOLD_H

#include "analysis/breakdown.h"
#include "analysis/report.h"

struct thread_fold {
	struct thread_fold *next;
	struct thread_report report;
};

struct gil_fold {
	struct gil_fold *next;
	struct gil_report report;
};

struct loop_fold {
	struct loop *loop;
	/* the turn in progress */
	bool in_turn;
	uint64_t ts_turn;
	uint64_t ts_preempted; /* who had the CPU is known up to here */
	struct breakdown now;
	struct breakdown meanwhile; /* who had the CPU during the interval that is open, if it proves to be one of waiting for it */
	/* finished turns; the array has room for one stall more, the one that is going on while a report is made */
	struct loop_report report;
	uint32_t stall_room;
	struct stall ongoing; /* of the latest report */
};

struct process_fold {
	struct process_fold *next;
	struct loop_fold **loops; /* typically one; pointers, because loop->data points to them */
	uint32_t loop_count, loop_room;
};

struct report_builder {
	uint64_t stall_ns;
	int error; /* the first, -ENOMEM: the callbacks cannot return it */
	struct thread_fold *threads;
	struct gil_fold *gils;
	struct process_fold *processes;
	struct report report; /* the latest */
};

/* Makes sure that there is room for two more entries in the loop's stalls: one to keep, one spare. 0 or -ENOMEM. */
int loop_fold_reserve(struct loop_fold *loop);

#endif
