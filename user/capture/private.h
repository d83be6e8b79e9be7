/* SPDX-License-Identifier: MIT */
/* private.h - what capture's own files share. */
#ifndef GILSCOPE_CAPTURE_PRIVATE_H
#define GILSCOPE_CAPTURE_PRIVATE_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <uthash.h>

#include "bpf/shared.h"
#include "capture/capture.h"
#include "capture/uprobes.h"
#include "gilscope.skel.h"

#define EPFD_SEEN_MAX 4096 /* descriptors above it are looked up every time */

/* A target in the capture. */
struct tracee {
	struct target *target;
	uint16_t *gil_index;	/* the stream's index of target->gils[i] */
	struct uprobes uprobes;
	unsigned char epfd_seen[EPFD_SEEN_MAX / 8];
	bool gone;
	bool look_again;	/* a snapshot is due */
	bool look_for_gils;	/* an unknown GIL was passed */
};

/* Which tracee a thread belongs to. */
struct member {
	uint32_t tid;
	struct tracee *tracee;
	UT_hash_handle hh;
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
	struct capture_status status;
	int error;		  /* of the sink, remembered across the ring's callbacks */
	bool multi;		  /* uprobes are set by program, not by site */
};

/* The sites' uprobes. */
int tracee_attach(struct capture *capture, struct tracee *tracee, struct diag *diag);
/* Hands the GILs target->gils[from …] to the probes and declares them in the stream at `ts`. */
int tracee_declare_gils(struct capture *capture, struct tracee *tracee, uint32_t from, uint64_t ts);
/* Every thread and descriptor as it is now. With `identity_only` the states are left out: they cannot be used before the probes tell. */
int tracee_snapshot(struct capture *capture, struct tracee *tracee, bool identity_only);
void tracee_free(struct tracee *tracee);

/* Records and losses into the reorder stage. */
int capture_drain(struct capture *capture);
int capture_handle_record(void *ctx, void *data, size_t size);
struct member *member_add(struct capture *capture, uint32_t tid, struct tracee *tracee);

#endif
