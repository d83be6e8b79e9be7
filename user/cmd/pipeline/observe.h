/* SPDX-License-Identifier: MIT */
/*
 * observe.h - what the live commands share: examines the targets, attaches the probes, and moves
 * events into a pipeline until it is time to stop.
 */
#ifndef GILSCOPE_CMD_PIPELINE_OBSERVE_H
#define GILSCOPE_CMD_PIPELINE_OBSERVE_H

#include "capture/capture.h"
#include "cmd/pipeline/pipeline.h"

#define OBSERVE_PIDS_MAX 1024

/* Whom to observe and how. */
struct observe_options {
	uint32_t pids[OBSERVE_PIDS_MAX];
	uint32_t pid_count;
	/* What --match found, and supervisors of what a name or a port means: observed as well if
	 * they can be. */
	uint32_t also[OBSERVE_PIDS_MAX];
	uint32_t also_count;
	uint64_t dur_ns;     /* 0: until Ctrl-C or the targets' end */
	uint32_t ring_bytes; /* 0: the default */
	uint32_t rate_hz;    /* of the sampling clock; 0: none */
	bool no_stacks;
	bool no_source;	      /* lines of source are not read */
	bool no_follow;	      /* none below these, and no supervisors */
	bool matched;	      /* `also` is by --match, and not only supervisors */
	uint32_t stack_kinds; /* capture.h; 0: all */
	enum evidence_mode mode;
	bool quiet;   /* no progress line, no announcements of stalls */
	int ready_fd; /* reports here that the observation has begun (ready.h); 0: no */
};

/* Fills the head of a stream that is observed with these options. */
void observe_head(const struct observe_options *options, struct stream_head *head);

struct observation {
	const struct observe_options *options;
	struct pipeline *pipeline; /* complete; fed while observing */
	/*
	 * Called ten times a second while observing, unless NULL. Everything older than `ts_known`
	 * has been fed to the pipeline, and nothing older will come. A negative result ends the
	 * observation as a failure, a positive one as Ctrl-C does.
	 */
	int (*tick)(void *ctx, uint64_t ts_known);
	void *tick_ctx;
	uint64_t snapshot_ns; /* interval of snapshots, for commands that keep only a history
				   window; 0: none */
	struct capture_search search; /* of what to wait for when all targets have ended (capture.h)
				       */
	bool for_instant; /* the result is about the end only, and not shown if the targets have
			     ended: that is for the command to say */
	struct capture_status status; /* out: as of the latest tick, and at last of the end */
	uint64_t late;		      /* out: events that came too late */
};

/*
 * On the first Ctrl-C (or SIGTERM, or SIGHUP unless nohup has it ignored) observe() returns with
 * what it has. On the second one, or on the first one while there is nothing to show yet, the
 * process exits with status 130 at once, after calling `last` in the signal handler unless that is
 * NULL; the kernel removes the probes.
 */
void observe_catch_signals(void (*last)(void));
/* Has there been a first one? */
bool observe_interrupted(void);
/* To be called before the result is printed. From then on the first signal ends the process, since
 * the reader of the output may have stopped reading. */
void observe_shown_now(void);

/*
 * Sets everything up and observes. Prints progress on a terminal, and on stderr what a reader of
 * the result must know (targets that ended, losses). 0, or -errno with a diag; then the pipeline
 * holds what was observed before the failure.
 */
int observe(struct observation *observation, struct diag *diag);

#endif
