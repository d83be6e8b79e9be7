/* SPDX-License-Identifier: MIT */
/*
 * capture.h - the live source: loads the probes, sets them on targets, and pushes what they tell
 * into a reorder stage. The only room that knows libbpf.
 *
 * The verbs in order are the phases: capture_new (load), capture_add (probes of a target),
 * capture_start, capture_poll …, capture_stop, capture_free. Everything attached hangs on file
 * descriptors of this process: when it dies, however it dies, the kernel removes every probe.
 */
#ifndef GILSCOPE_CAPTURE_CAPTURE_H
#define GILSCOPE_CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include "capture/kernel/features.h"
#include "stream/reorder.h"
#include "python/target.h"

struct diag;
struct capture;

#define CAPTURE_RING_BYTES (8u << 20) /* seconds of the fastest GIL */

#define CAPTURE_RATE_HZ                                                                            \
	199 /* of the sampling clock: no multiple of what programs do by their own clocks */
#define CAPTURE_RATE_MAX 10000

struct capture_options {
	uint32_t
		ring_bytes; /* 0 = CAPTURE_RING_BYTES, else rounded up to a power of two of pages */
	bool stacks;	    /* take Python stacks */
	uint32_t rate_hz; /* of the sampling clock; 0 = off; it takes stacks, so without `stacks` it
			     is off too */
	uint32_t stack_kinds; /* which stacks are taken: EVF_STACK_SLEEP, _PREEMPT, _WAIT, _HOLDER;
				 0 = all of them. To measure what each costs */
};

/* Loads the programs. The reorder stage stays the caller's. */
int capture_new(const struct features *features, const struct capture_options *options,
		struct reorder *to, struct diag *diag, struct capture **ret_capture);

/* Stops the probes and frees all; the targets passed to capture_add are freed too. NULL is fine. */
void capture_free(struct capture *capture);

/* Sets the GIL's and the garbage collector's probes on a target, which then belongs to the capture
 * (also on failure). */
int capture_add(struct capture *capture, struct target *target, struct diag *diag);

/* Sets the system's probes, declares processes, GILs and threads, begins the window, and tells what
 * every thread is doing right now. */
int capture_start(struct capture *capture, struct diag *diag);

/*
 * Waits up to `timeout_ms` for records (0: not at all), then moves all there are into the reorder
 * stage and lets it advance. Looks at the targets again where that became necessary: after losses,
 * for a descriptor or an interpreter seen first. 0, or the error of the stage's next sink.
 */
int capture_poll(struct capture *capture, int timeout_ms);

/* The next poll takes a new snapshot of every target: for a stream of which only the last while is
 * kept. */
void capture_look_again(struct capture *capture);

/* Ends the window: no probe tells any more, all records are moved, WINDOW(end) is sent, the stage
 * is flushed. */
int capture_stop(struct capture *capture);

/* False when the kernel refuses, with the rights of the moment, what observing goes on doing with
 * its own maps and programs. */
bool capture_may_go_on(const struct capture *capture);

struct capture_status {
	uint64_t events; /* records moved */
	uint64_t lost;	 /* records that found no room */
	uint64_t missed; /* probe hits that the kernel did not run (recursion); a loss in the stream
			  */
	unsigned int targets; /* still there */
	bool execed;	      /* a target became another program */
	struct {
		uint64_t taken;	   /* samples */
		uint64_t missing;  /* … of them without a stack: it could not be read, or there was
				      no room for it or for the sample */
		uint64_t distinct; /* stacks defined */
		uint64_t refused; /* stacks for which there was no room any more (DEFINE_STACKS_MAX)
				   */
		uint64_t
			frames_missing; /* frames of distinct stacks whose code could not be read */
	} stacks;
};
struct capture_status capture_status(const struct capture *capture);

#endif
