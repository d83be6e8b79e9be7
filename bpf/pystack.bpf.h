/* SPDX-License-Identifier: Dual MIT/GPL */
/*
 * pystack.bpf.h - takes Python stacks for the probes, and sends them as samples.
 *
 * The functions are global, so the kernel verifies each once per program, however often it is
 * called. They read the memory of the current task's process, the only one that can be read.
 */
#ifndef GILSCOPE_PYSTACK_BPF_H
#define GILSCOPE_PYSTACK_BPF_H

#include "common.bpf.h"

extern const volatile __u32
	stack_kinds; /* EVF_STACK_SLEEP, _PREEMPT, _WAIT, _HOLDER, _CLOCK: the kinds that are taken;
			the code for the others is not even loaded */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32); /* tgid */
	__type(value, struct shared_python);
	__uint(max_entries, SHARED_MAX_TARGETS);
} pythons SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct shared_loop_key);
	__type(value, __u8);
	__uint(max_entries, SHARED_MAX_LOOPS);
} loop_fds SEC(".maps") __weak;

/* Modes other than exact: the owners of thread states, and the state by which a thread is in there.
 * User space puts in those that it reads; the others are met. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct shared_state_key);
	__type(value, struct shared_state);
	__uint(max_entries, SHARED_MAX_THREADS);
} states SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u32); /* tid */
	__type(value, struct shared_state_key);
	__uint(max_entries, SHARED_MAX_THREADS);
} thread_states SEC(".maps") __weak;

/* The thread has exited. */
static __always_inline void forget_state(__u32 tid)
{
	struct shared_state_key *state = bpf_map_lookup_elem(&thread_states, &tid), key;
	const struct shared_state *owner;

	if (!state)
		return;
	key = *state;
	owner = bpf_map_lookup_elem(&states, &key);
	if (owner && owner->tid == tid)
		bpf_map_delete_elem(&states, &key);
	bpf_map_delete_elem(&thread_states, &tid);
}

/* ── pythread.bpf.c ──────────────────────────────────────────────────────── */

/*
 * The current thread's PyThreadState, or 0 if it has none. For a thread that had none, the search
 * is repeated after a back-off that doubles up to one second, and at once with `insist`.
 */
extern __u64 pystack_current(__u64 ts, __u32 insist);

/* Whether the thread with this state holds the main interpreter's GIL. (The GIL of another
 * interpreter is not recognized.) */
extern int pystack_holds_gil(__u64 tstate);

/*
 * Modes other than exact: the lock word of every GIL of the process, as the current thread finds it
 * (OBSERVE). `flags`: EVF_OBSERVE_CLOCK, and PYSTACK_…. Returns what pystack_current() would, with
 * PYSTACK_HOLDS if the thread has one of the GILs; but 0 in place of a state that must be searched
 * for. It does not do that itself: until 6.12 the stacks of a chain of calls must fit into 512
 * bytes.
 */
extern __u64 pystack_observe(__u64 ts, __u32 flags);
enum {
	PYSTACK_PREEMPTED = 1 << 16, /* the thread may be about to change it */
	PYSTACK_KNOWN = 1 << 17,     /* its state need not be verified once more */
	PYSTACK_HOLDS = 1,	     /* states are aligned */
};

/* The living thread whose PyThreadState this is; 0: not known. */
extern __u32 pystack_owner(__u64 tstate);

/* ── pystack.bpf.c ───────────────────────────────────────────────────────── */

/*
 * Takes the stack of a PyThreadState of the current process and sends it, before the record that
 * the caller sends with the same `ts`. `flags` are those of STACK; with EVF_STACK_HOLDER the thread
 * may be running meanwhile. `address`: shared_sample.address. Returns 0.
 */
extern int pystack_send(__u64 ts, __u64 tstate, __u32 flags, __u32 gil, __u64 address);

/* A record whose loss falsifies nothing. */
static __always_inline void emit_sample(void *sample, __u32 size)
{
	if (bpf_ringbuf_output(&ring, sample, size, wakeup()))
		__sync_fetch_and_add(&unsampled, 1);
}

static __always_inline __u64 read_word(__u64 address)
{
	__u64 word;

	return bpf_probe_read_user(&word, sizeof(word), (void *)address) ? 0 : word;
}

/*
 * PyThreadState.thread_id is pthread_self(). On x86 that is the thread pointer itself. On arm64
 * libc keeps its descriptor of the thread right below the thread pointer; its size varies, but no
 * other thread's descriptor is as near.
 */
static __always_inline bool is_thread(const struct shared_python *python, __u64 tstate,
				      __u64 pointer)
{
	__u64 id = read_word(tstate + python->layout.tstate_thread_id);

#if defined(__TARGET_ARCH_x86)
	return id == pointer;
#else
	return id && pointer - id <= 8192;
#endif
}

/* The innermost frame of a thread state, Python's or a shim; 0: it has none. */
static __always_inline __u64 first_frame(const struct shared_python *python, __u64 tstate)
{
	__u64 frame = read_word(tstate + python->layout.tstate_frame);

	if (python->layout.cframe_current != STACK_NONE && frame)
		frame = read_word(frame + python->layout.cframe_current);
	return frame;
}

#endif
