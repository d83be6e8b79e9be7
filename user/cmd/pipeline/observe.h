/* SPDX-License-Identifier: MIT */
/*
 * observe.h - the live part that attach and record share: find the targets, set the probes, run
 * until it is time to stop.
 */
#ifndef GILSCOPE_CMD_PIPELINE_OBSERVE_H
#define GILSCOPE_CMD_PIPELINE_OBSERVE_H

#include "capture/capture.h"
#include "cmd/pipeline/pipeline.h"

#define OBSERVE_PIDS_MAX 64

/* Whom to observe and how. */
struct observe_options {
	uint32_t pids[OBSERVE_PIDS_MAX];
	uint32_t pid_count;
	uint64_t dur_ns;     /* 0: until Ctrl-C or the targets' end */
	uint32_t ring_bytes; /* 0: the default */
	uint32_t rate_hz;    /* of the sampling clock; 0: none */
	bool no_stacks;
	uint32_t stack_kinds; /* capture.h; 0: all */
	bool quiet;	      /* no progress, and no stalls while they last */
	int ready_fd;	      /* where it is reported that the observation has begun; 0: nowhere */
};

/* The head of a stream that is observed with these options. */
void observe_head(const struct observe_options *options, struct stream_head *head);

struct observation {
	const struct observe_options *options;
	struct pipeline *pipeline; /* with its front; fed while observing */
	/*
	 * Called ten times a second while observing, if not NULL: everything older than `ts_known`
	 * has been fed, and nothing older will be. An error ends the observation as a failure; a
	 * positive value ends it as Ctrl-C would.
	 */
	int (*tick)(void *ctx, uint64_t ts_known);
	void *tick_ctx;
	uint64_t look_again_ns; /* take a new snapshot of the targets so often, for what keeps only
				   the last while; 0: never */
	struct capture_status status; /* out */
	uint64_t late;		      /* out: events that came too late */
};

/*
 * First Ctrl-C (or SIGTERM, or SIGHUP unless it was ignored before, by nohup): observe() returns
 * with what it has. Second, or a first one while there is nothing yet to show: the process ends
 * with 130 at once, after `last`, which may be NULL and is called in the signal handler; the kernel
 * removes the probes.
 */
void observe_catch_signals(void (*last)(void));
/* Has there been one? */
bool observe_interrupted(void);
/* All that was observed has been worked out and is printed now: from here on the first signal ends
 * the process, for whoever reads it may have stopped. */
void observe_shown_now(void);

/*
 * Sets everything up and observes. Prints progress on a terminal, and what a reader of the result
 * must know (targets that ended, losses) on stderr. 0, or -errno with a diag: then the pipeline
 * holds what had been gathered before the failure.
 */
int observe(struct observation *observation, struct diag *diag);

#endif
