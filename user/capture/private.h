/* SPDX-License-Identifier: MIT */
/* private.h - what capture's own files share. */
#ifndef GILSCOPE_CAPTURE_PRIVATE_H
#define GILSCOPE_CAPTURE_PRIVATE_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "base/hash.h"
#include "bpf/shared.h"
#include "capture/capture.h"
#include "capture/clocks.h"
#include "capture/uprobes.h"
#include "gilscope.skel.h"
#include "symbols/symbols.h"

#define EPFD_SEEN_MAX 4096 /* what descriptors above it are is not known */

/* A target in the capture. */
struct tracee {
	struct target *target;
	uint16_t *gil_index; /* the stream's index of target->gils[i] */
	struct uprobes uprobes;
	unsigned char epfd_seen[EPFD_SEEN_MAX / 8];
	unsigned char epfd_loop[EPFD_SEEN_MAX / 8]; /* those that watch a wake-up channel */
	uint64_t names_due; /* when the threads' Python names are to be read; 0: not */
	bool gone;
	bool look_again;    /* a snapshot is due */
	bool look_for_gils; /* an unknown GIL was passed */
};

/* Which tracee a thread belongs to. */
struct member {
	uint32_t tid;
	uint32_t name; /* text: what was told as its Python name */
	struct tracee *tracee;
	uint64_t loop_asked; /* when it was asked whether it runs a loop; 0: not yet */
	bool runs_loop;
	UT_hash_handle hh;
};

/* Probe hits that the kernel has skipped up to `ts`, because a program was running already on that
 * CPU; those of the sampling clock are only samples. */
struct misses {
	uint64_t ts, hits, samples;
};

struct capture {
	struct gilscope_bpf *skeleton;
	struct ring_buffer *ring;
	struct reorder *reorder;
	struct stream_sink sink; /* of the reorder stage */
	struct tracee **tracees;
	uint32_t tracee_count;
	struct member *members;
	uint16_t next_gil;
	int cpu_count;
	struct shared_loss *loss; /* one per CPU, a buffer */
	struct symbols *symbols;
	struct capture_options options;
	struct clocks clocks;
	struct capture_status status;
	uint64_t horizon;     /* up to where the drain in progress empties the ring */
	struct misses misses; /* as of the last look */
	uint64_t unread;      /* pages_unread() that the stream knows of */
	int error;	      /* of the sink, remembered across the ring's callbacks */
	bool multi;	      /* uprobes are set by program, not by site */
};

/* The sites' uprobes. */
int tracee_attach(struct capture *capture, struct tracee *tracee, struct diag *diag);
/* Hands the GILs target->gils[from …] to the probes and declares them in the stream at `ts`. */
int tracee_declare_gils(struct capture *capture, struct tracee *tracee, uint32_t from, uint64_t ts);
/* Every thread and descriptor as it is now. With `identity_only` the states are left out: they
 * cannot be used before the probes tell. */
int tracee_snapshot(struct capture *capture, struct tracee *tracee, bool identity_only);
/* The process has ended or become another program: takes away everything that the probes know by
 * its PID, its uprobes and its threads. */
void tracee_gone(struct capture *capture, struct tracee *tracee);
void tracee_free(struct tracee *tracee);

/*
 * What target/ tells of a process, on its way into the stream: the capture takes note of threads,
 * of loops and of their descriptors. With `identity_only` states go no further.
 */
struct tracee_stage {
	struct capture *capture;
	struct tracee *tracee;
	bool identity_only;
};
struct stream_sink tracee_sink(struct tracee_stage *stage);

/* Hands the probes what they need for the process's stacks and garbage collections. */
int tracee_declare_stacks(struct capture *capture, struct tracee *tracee);
void tracee_forget_gc_sites(struct capture *capture, struct tracee *tracee);
/* Asks whether a thread that waits on a loop's descriptor runs a loop, unless that is known or was
 * asked a moment ago. */
int tracee_ask_loop(struct capture *capture, struct tracee *tracee, struct member *member);
/* Tells the threads' names in Python, as far as they have changed. */
int tracee_names(struct capture *capture, struct tracee *tracee);

/* Records that are no events: 0, -EPROTO for one that this build's probes do not send, or the
 * sink's error. */
int capture_handle_stack(struct capture *capture, const struct shared_stack *stack, size_t size);
int capture_handle_text(struct capture *capture, const struct shared_text *text, size_t size);
int capture_handle_sample(struct capture *capture, const struct shared_sample *sample, size_t size);

/* Records and losses into the reorder stage, which then goes on to `horizon`: the time of the call
 * or an earlier one. */
int capture_drain(struct capture *capture, uint64_t horizon);
/* Hits that were skipped before the window are of no interest. */
void capture_begin_misses(struct capture *capture);
int capture_handle_record(void *ctx, void *data, size_t size);
struct member *member_find(const struct capture *capture, uint32_t tid);
struct member *member_add(struct capture *capture, uint32_t tid, struct tracee *tracee);

#endif
