/* SPDX-License-Identifier: Dual MIT/GPL */
/*
 * common.bpf.h - what the probes share: knobs set before loading, maps, and the way a record leaves
 * the kernel.
 *
 * Probes stamp facts. They filter by process, stamp the time first, write one small record, and
 * never judge. A record that finds no room is counted per CPU with the span of time it belongs to.
 */
#ifndef GILSCOPE_COMMON_BPF_H
#define GILSCOPE_COMMON_BPF_H

#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "wire.h"
#include "shared.h"

extern int enabled; /* nothing is told before all probes are in place */
extern const volatile __u32
	wake_bytes; /* so many unread bytes wake the reader: a quarter of the ring */
extern unsigned int
	loss_slot; /* which half of `losses` counts now; user space flips it and reads the other */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} ring SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32); /* tgid */
	__type(value, struct shared_target);
	__uint(max_entries, SHARED_MAX_TARGETS);
} targets SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct shared_gil_key);
	__type(value, struct shared_gil);
	__uint(max_entries, SHARED_MAX_GILS);
} gils SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32); /* tgid */
	__type(value, struct shared_gil_list);
	__uint(max_entries, SHARED_MAX_TARGETS);
} gil_lists SEC(".maps") __weak;

/* What is remembered of a thread between two probes. */
struct thread_note {
	__u64 wait_cond; /* condition variable of the GIL whose wait it is in, or 0 */
	__u64 tstate;	 /* its PyThreadState when last looked for, or 0 */
	__u64 pointer;	 /* its thread pointer; 0: not asked yet */
	__u64 search_tstate,
		search_interp; /* how far a search for tstate is: the next to look at */
	__u64 asked;	       /* when tstate was looked for */
	__u32 patience;	       /* ns until it is looked for again */
	__u32 epfd;	       /* descriptor + 1 of the epoll wait it is in, or 0 */
	__u32 waited_epfd;     /* … and of its last one, until it closes that */
	__u16 cpu;	       /* CPU + 1 it waits for, or 0 */
	__u8 wait_goes_on;     /* the wait for the GIL that WAIT_END ended did not end it: a WAIT
				  follows */
	__u8 runs_loop;	       /* it has slept on a loop's descriptor */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32); /* tid */
	__type(value, struct thread_note);
	__uint(max_entries, SHARED_MAX_THREADS);
} notes SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32); /* loss_slot */
	__type(value, struct shared_loss);
	__uint(max_entries, 2);
} losses SEC(".maps") __weak;

static __always_inline bool is_target(__u32 tgid)
{
	return enabled && bpf_map_lookup_elem(&targets, &tgid);
}

/* The thread's note, made when missing; NULL only when the map is full. */
static __always_inline struct thread_note *note_of(__u32 tid)
{
	struct thread_note *note = bpf_map_lookup_elem(&notes, &tid);
	struct thread_note empty = {};

	if (note)
		return note;
	bpf_map_update_elem(&notes, &tid, &empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(&notes, &tid);
}

static __always_inline void count_loss(__u64 ts)
{
	__u32 slot = loss_slot & 1;
	struct shared_loss *loss = bpf_map_lookup_elem(&losses, &slot);

	if (!loss)
		return;
	if (!loss->count++)
		loss->first_ts = ts;
	loss->last_ts = ts;
}

/*
 * Sends a record. The reader is not woken for it (an interrupt on the target's CPU for every
 * handful of records would be the largest part of what probing costs): it looks by itself every few
 * milliseconds, and is woken only when the ring is a quarter full. `size` is a constant where this
 * is inlined; reserving and filling is a third cheaper than bpf_ringbuf_output().
 */
static __always_inline void emit(void *record, __u32 size)
{
	__u64 flags = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > wake_bytes ? BPF_RB_FORCE_WAKEUP
									       : BPF_RB_NO_WAKEUP;
	void *place = bpf_ringbuf_reserve(&ring, size, 0);

	if (!place) {
		count_loss(((struct event_hdr *)record)->ts);
		return;
	}
	/* else it is copied byte by byte */
	__builtin_memcpy(__builtin_assume_aligned(place, 8), record, size);
	bpf_ringbuf_submit(place, flags);
}

/* What a CPU is doing; kept for all tasks, told only while a traced thread waits for the CPU. */
struct cpu_note {
	__s32 waiting; /* traced threads that wait for this CPU */
	__u32 told;    /* user space knows who has it */
	__u32 tid, tgid;
	__u64 comm[2];
	__u64 ts; /* of the last switch; 0 = none was seen yet */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct cpu_note);
	__uint(max_entries, SHARED_MAX_CPUS); /* cut to the machine's number before loading */
} cpus SEC(".maps") __weak;

static __always_inline struct cpu_note *cpu_note_of(__u32 cpu)
{
	return bpf_map_lookup_elem(&cpus, &cpu);
}

/* A thread no longer waits for the CPU it waited for, if it did. */
static __always_inline void stop_waiting(struct thread_note *thread)
{
	struct cpu_note *note = thread && thread->cpu ? cpu_note_of(thread->cpu - 1) : 0;

	if (thread)
		thread->cpu = 0;
	if (note)
		__sync_fetch_and_add(&note->waiting, -1);
}

#define HDR(event, when, who, small, bits)                                                         \
	{.ts = (when), .tid = (who), .type = EV_##event, .flags = (bits), .aux = (small)}

/*
 * Whoever acts on a CPU is whom the last switch on it has put there. If not, a switch was not told:
 * some virtual machines' kernels leave out one now and then (docs/decisions.md). Then the thread's
 * state is unknown since that last switch, and no longer.
 */
static __always_inline void check_presence(__u64 ts, __u32 cpu, struct cpu_note *note, __u32 tid)
{
	struct ev_gap record = {.hdr = HDR(GAP, ts, tid, cpu, 0)};

	if (note->tid == tid || !note->ts)
		return;
	record.since = note->ts;
	note->tid = tid;
	note->ts = ts;
	stop_waiting(bpf_map_lookup_elem(&notes, &tid));
	emit(&record, sizeof(record));
}

/* … for the current thread, in a probe it has run into */
static __always_inline void check_current(__u64 ts, __u32 tid)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct cpu_note *note = cpu_note_of(cpu);

	if (note)
		check_presence(ts, cpu, note, tid);
}

#endif
