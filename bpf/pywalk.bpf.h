/* SPDX-License-Identifier: Dual MIT/GPL */
/* pywalk.bpf.h - a stack while it is being read, for the files that do so. */
#ifndef GILSCOPE_PYWALK_BPF_H
#define GILSCOPE_PYWALK_BPF_H

#include "pystack.bpf.h"

enum {
	WALKS = 4, /* walks in progress on one CPU: those that were preempted or interrupted, and
		      the latest */
	SPAN_WORDS = 16,
	WINDOW_WORDS = 256, /* a window of frames, and one frame more */
};

/* A walk in progress. Too large for the BPF stack, so every CPU has some. */
struct walk {
	struct shared_python python; /* a copy: a lookup for every frame would take longer */
	__u32 users;		     /* the claimer is the one that sees 1 after incrementing it */
	__u32 count;		     /* of frames; during the walk, those left out included */
	__u64 next;		     /* frame to read */
	__u64 root;
	__u32 root_index; /* index of the root frame */
	__u32 first;	  /* frames inside this index have changed since they were read */
	__u32 fresh;	  /* it has met a code object that no stack is known to have had before */
	__u32 spare;
	__u64 window; /* address of `words` */
	__u64 window_bytes;
	__u64 loaded;		   /* address of the part of a frame that was read last, … */
	__u64 base;		   /* … and its index in `words` */
	__u64 words[WINDOW_WORDS]; /* of frames */
	__u64 span[SPAN_WORDS];	   /* of a code object */
	__u64 address[SHARED_FRAMES_MAX];
	__u64 previous[SHARED_FRAMES_MAX];
	struct { /* what is moved */
		struct shared_frame frame[SHARED_FRAMES_OUTER];
		__u64 address[SHARED_FRAMES_OUTER], previous[SHARED_FRAMES_OUTER];
	} outer;
	struct shared_stack stack;
	struct shared_text text;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct walk);
	__uint(max_entries, WALKS);
} walks SEC(".maps") __weak;

/* Hashes of stacks and texts that have been sent. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u64);
	__type(value, __u8);
	__uint(max_entries, 16384);
} sent SEC(".maps") __weak;

static __always_inline struct walk *walk_at(__u32 slot)
{
	return bpf_map_lookup_elem(&walks, &slot);
}

/*
 * Sends a stack or a text unless it has been sent before. `urgent`: wakes the reader, which must
 * read code objects before they are freed. Two CPUs may both send it; what matters is that it is in
 * the ring before the first sample that refers to it. Returns false if there is no room.
 */
static __always_inline bool send_once(__u64 hash, void *record, __u32 size, bool urgent)
{
	__u8 value = 1;

	if (bpf_map_lookup_elem(&sent, &hash))
		return true;
	if (bpf_ringbuf_output(&ring, record, size, urgent ? BPF_RB_FORCE_WAKEUP : wakeup()))
		return false;
	bpf_map_update_elem(&sent, &hash, &value, BPF_ANY);
	return true;
}

/* ── pytask.bpf.c ────────────────────────────────────────────────────────── */

/* Hash of the name of the task that runs in the thread; the name has been sent. 0: no task runs, or
 * its name cannot be read. */
extern __u64 pystack_task(__u32 slot, __u64 ts, __u64 tstate);

#endif
