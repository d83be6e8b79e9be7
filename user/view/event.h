/* SPDX-License-Identifier: MIT */
/*
 * event.h - what `gilscope watch` tells as it happens: one line of JSON for each event, schema
 * gilscope.event/1 (docs/event.schema.json).
 */
#ifndef GILSCOPE_VIEW_EVENT_H
#define GILSCOPE_VIEW_EVENT_H

#include <stdio.h>

#include "analysis/report.h"
#include "diagnosis/findings.h"

enum event_kind {
	EVENT_STALL,
	EVENT_FREEZE,
	EVENT_DEATH,
	EVENT_FINDING,
	EVENT_PROCESS,	 /* it is observed from now on, or has ended */
	EVENT_RECORDING, /* it was written, or could not be */
	EVENT_LOSS,	 /* of what was to be seen, or to be told */
	EVENT_WATCH,	 /* the observation itself */
	EVENT_KINDS
};
enum event_state { EVENT_BEGAN, EVENT_ONGOING, EVENT_ENDED, EVENT_FAILED, EVENT_STATES };

struct told_event {
	enum event_kind kind;
	enum event_state state;
	uint64_t ts;			/* when, CLOCK_MONOTONIC */
	const struct text_buffer *text; /* for people, one line */
	const struct report *report;	/* names, and the time of day */
	/* What it is about; NULL, 0: it does not have that. */
	const struct process *process;
	const struct loop *loop;
	const char *recording; /* the file that has it, or will have it */
	const struct stall *stall;
	const struct freeze *freeze;
	const char *finding; /* of view_event_finding() */
	uint64_t began;	     /* of a finding: since when it is one */
	struct {
		uint64_t start, end, bytes;
	} recorded;
	uint64_t lost, untold; /* of a loss: records of the kernel's, or events like this one */
};

/* A finding as an event has it, which may be told after the report it was made from is gone. The
 * caller frees it. NULL when memory is short. */
char *view_event_finding(const struct report *report, const struct finding *finding);
/* Writes the line. 0, -ENOMEM, or -errno of a failed write. */
int view_event_json(FILE *file, const struct told_event *event);

#endif
