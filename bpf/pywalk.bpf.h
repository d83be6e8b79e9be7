/* SPDX-License-Identifier: Dual MIT/GPL */
/* pywalk.bpf.h - a stack while it is read, for the files that do it. */
#ifndef GILSCOPE_PYWALK_BPF_H
#define GILSCOPE_PYWALK_BPF_H

#include "pystack.bpf.h"

enum {
	WALKS = 4, /* walks that may be under way on one CPU: one that was preempted, and those that
		      came between */
	SPAN_WORDS = 16,
	WINDOW_WORDS = 256, /* room for a window of frames and one frame */
};

/* A walk under way. Too large for the stack, so each CPU has some. */
struct walk {
	struct shared_python python; /* a copy: looking it up for every frame would take longer */
	__u32 users;		     /* 1: whoever counted it up has it */
	__u32 count;		     /* of frames */
	__u64 next;		     /* frame to read */
	__u64 root;
	__u32 root_index; /* of the frame that is the root */
	__u32 first;	  /* frames inside of this one have changed meanwhile */
	__u64 window;	  /* address of `words` */
	__u64 window_bytes;
	__u64 loaded;		   /* address of the piece of the frame that was looked at last, */
	__u64 base;		   /* and where in `words` it is */
	__u64 words[WINDOW_WORDS]; /* of frames */
	__u64 span[SPAN_WORDS];	   /* of a code object */
	__u64 address[SHARED_FRAMES_MAX];
	__u64 previous[SHARED_FRAMES_MAX];
	struct shared_stack stack;
	struct shared_text text;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct walk);
	__uint(max_entries, WALKS);
} walks SEC(".maps") __weak;

/* What was sent already, by hash. */
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
 * Sends a stack or a text unless that was done before, and wakes the reader, who must read code
 * objects before they vanish. Two CPUs may both send it; what matters is that it is in the ring
 * before the first sample that names it. False: no room.
 */
static __always_inline bool send_once(__u64 hash, void *record, __u32 size)
{
	__u8 value = 1;

	if (bpf_map_lookup_elem(&sent, &hash))
		return true;
	if (bpf_ringbuf_output(&ring, record, size, BPF_RB_FORCE_WAKEUP))
		return false;
	bpf_map_update_elem(&sent, &hash, &value, BPF_ANY);
	return true;
}

/* ── pytask.bpf.c ────────────────────────────────────────────────────────── */

/* Hash of the name of the task that runs in the thread, which has been sent; 0: none runs, or its
 * name cannot be had. */
extern __u64 pystack_task(__u32 slot, __u64 ts, __u64 tstate);

#endif
