/* SPDX-License-Identifier: MIT */
/*
 * capture.h - the live source: loads the probes, attaches them to targets, and pushes what they
 * report into a reorder stage. The only room that knows libbpf.
 *
 * Call the functions in this order: capture_new (load), capture_add (once per target),
 * capture_start, then after confining capture_poll (repeatedly), capture_stop, capture_free.
 * Everything attached is held by file descriptors of this process and its helper (helper.h). When
 * it dies, for whatever reason, the kernel removes every probe.
 */
#ifndef GILSCOPE_CAPTURE_CAPTURE_H
#define GILSCOPE_CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/diag.h"
#include "capture/kernel/features.h"
#include "stream/reorder.h"
#include "python/target.h"

struct capture;

#define CAPTURE_RING_BYTES (8u << 20) /* seconds of the fastest GIL */

/* Of the sampling clock. A prime, so that it does not run in step with timers of programs. */
#define CAPTURE_RATE_HZ	 199
#define CAPTURE_RATE_MAX 10000

/*
 * Processes that are wanted whenever they appear, though no target started them: a service that
 * has ended is started again. `find` runs in the helper, with the privileges of the beginning, and
 * returns how many PIDs it wrote; those that are targets already do no harm.
 */
struct capture_search {
	uint32_t (*find)(void *ctx, uint32_t *pids, uint32_t most); /* NULL: none are wanted */
	void *ctx;
};
#define CAPTURE_SEARCH_MAX 1024 /* `most` */

struct capture_options {
	/* 0 = CAPTURE_RING_BYTES; rounded up to a power of two of pages */
	uint32_t ring_bytes;
	bool stacks;  /* take Python stacks */
	bool sources; /* with stacks: read the application's lines of source (source_reader.h) */
	/* of the sampling clock; 0 = off. It takes stacks, so it is off without `stacks` too */
	uint32_t rate_hz;
	/* which stacks are taken: EVF_STACK_SLEEP, _PREEMPT, _WAIT, _HOLDER; 0 = all of them. To
	 * measure what each costs */
	uint32_t stack_kinds;
	enum evidence_mode mode; /* which transitions of a GIL are traced; MODE_UNKNOWN = exact */
	bool follow; /* processes below the targets become targets, too, also later ones */
	struct capture_search search; /* only with `follow` */
};

/* Loads the programs. The caller keeps the reorder stage. 0 or -errno with a diag, as all below
 * that take one. */
int capture_new(const struct features *features, const struct capture_options *options,
		struct reorder *to, struct diag *diag, struct capture **ret_capture);

/* Removes the probes and frees everything, the targets passed to capture_add included. NULL is
 * fine. */
void capture_free(struct capture *capture);

/* Attaches the probes of the GIL and of the garbage collector to a target. The capture owns the
 * target from then on, even on failure. */
int capture_add(struct capture *capture, struct target *target, struct diag *diag);

/* Attaches the system-wide probes, declares processes, GILs and threads, begins the window, and
 * takes a snapshot of what every thread is doing. */
int capture_start(struct capture *capture, struct diag *diag);

/*
 * Waits up to `timeout_ms` for records (0: not at all), moves all of them into the reorder stage
 * and lets it advance. Then reads the targets where the records call for it: a snapshot after a
 * loss, a descriptor or an interpreter that is new, a process that has begun. After 10 ms it
 * finishes the read in progress and leaves the rest to the next poll. 0, or the error of the
 * stage's next sink.
 */
int capture_poll(struct capture *capture, int timeout_ms);

/* Requests a new snapshot of every target, which the following polls take. For a stream of which
 * only a history window is kept. */
void capture_request_snapshots(struct capture *capture);
/* The same for who has the mutexes that threads sleep on. The end of the window does so itself. */
void capture_request_locks(struct capture *capture);

/* Ends the window: disables the probes, moves the remaining records, sends WINDOW(end) and flushes
 * the stage. 0, or the error of the stage's next sink. */
int capture_stop(struct capture *capture);

/* The socket on which messages are exchanged once the observer is confined; -1: none. */
int capture_helper_line(const struct capture *capture);

/* False if the kernel refuses, with the capabilities that this process has now, to let it use the
 * maps and programs that an observation needs. */
bool capture_may_go_on(const struct capture *capture);

struct capture_status {
	uint64_t events; /* records moved */
	uint64_t lost;	 /* records that found no room */
	uint64_t missed; /* probe hits that the kernel skipped (recursion); losses in the stream */
	unsigned int targets;  /* that have not ended */
	unsigned int followed; /* targets that were none when the observation began */
	unsigned int awaited;  /* processes below that have just begun, and may be Pythons soon */
	/* processes below that are Pythons and cannot be observed, and why the last of them cannot
	 */
	unsigned int refused;
	struct diag refusal;
	bool execed; /* a target became another program */
	struct {
		uint64_t taken; /* samples of Python stacks that arrived */
		/* samples without a stack: it could not be read, or there was no room for it */
		uint64_t missing;
		uint64_t distinct; /* stacks defined */
		/* frames of distinct stacks whose code object could not be read */
		uint64_t frames_missing;
	} stacks;
};
struct capture_status capture_status(const struct capture *capture);

#endif
