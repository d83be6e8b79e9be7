/* SPDX-License-Identifier: Dual MIT/GPL */
/*
 * common.bpf.h - what the probes share: settings made before loading, maps, and how a record leaves
 * the kernel.
 *
 * Probes stamp facts: they filter by process, take the time first, write one small record, and
 * never judge. Records for which the ring has no room are counted per process and CPU, with the
 * span of time that they fall in.
 */
#ifndef GILSCOPE_COMMON_BPF_H
#define GILSCOPE_COMMON_BPF_H

#include "kernel.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "wire.h"
#include "shared.h"

extern const volatile __u32 mode; /* SHARED_MODE_…; code for the others is not even loaded */
extern int enabled;		  /* nothing is sent before all probes are in place */
extern const volatile __u32
	wake_bytes; /* the reader is woken from this many unread bytes on: a quarter of the ring */
extern __u64 target_bits[SHARED_TARGET_BITS / 64]; /* see shared.h */
extern __u64 unsampled;				   /* samples for which the ring had no room */

/*
 * PIDs and TIDs are those of gilscope's own PID namespace: user space finds them in its /proc.
 * Nearly always that is the kernel's own, and a task has them at hand. Elsewhere, in a container,
 * they are looked up at the level of that namespace; a task that is not in it has none.
 */
extern const volatile __u32 ns_inum; /* of gilscope's PID namespace; 0: the kernel's own */
extern __u32 ns_level;		     /* how deep it lies; set before `enabled` (sched.bpf.c) */

static __always_inline __u32 id_inside(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	struct upid *upid;

	if (!pid || BPF_CORE_READ(pid, level) < ns_level)
		return 0;
	upid = (struct upid *)((char *)pid + bpf_core_field_offset(struct pid, numbers) +
			       ns_level * bpf_core_type_size(struct upid));
	return BPF_CORE_READ(upid, ns, ns.inum) == ns_inum ? (__u32)BPF_CORE_READ(upid, nr) : 0;
}

static __noinline __attribute__((unused)) __u64 ids_inside(struct task_struct *task)
{
	__u64 tid = id_inside(task);

	return tid ? (__u64)id_inside(BPF_CORE_READ(task, group_leader)) << 32 | tid : 0;
}

/* The PID and, in the lower half, the TID of a task. 0: it is idle, or not in the namespace. */
static __always_inline __u64 ids_of(struct task_struct *task)
{
	return ns_inum ? ids_inside(task) : (__u64)task->tgid << 32 | (__u32)task->pid;
}

static __always_inline __u32 tgid_of(struct task_struct *task)
{
	return ids_of(task) >> 32;
}

static __always_inline __u32 tid_of(struct task_struct *task)
{
	return (__u32)ids_of(task);
}

/* The same, and the kernel's own with ID_OUTSIDE of one that is not in the namespace. */
static __always_inline __u64 ids_of_any(struct task_struct *task)
{
	__u64 ids = ids_of(task);

	if (!ids && task->pid)
		ids = (__u64)(ID_OUTSIDE | task->tgid) << 32 | ID_OUTSIDE | task->pid;
	return ids;
}

/* Those of the current thread. */
static __always_inline __u64 my_ids(void)
{
	return ns_inum ? ids_inside((struct task_struct *)bpf_get_current_task())
		       : bpf_get_current_pid_tgid();
}

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
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32); /* shared_gil_slot() */
	__type(value, struct shared_gil_slot);
	__uint(max_entries, SHARED_GIL_SLOTS);
} gils SEC(".maps") __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32); /* tgid */
	__type(value, struct shared_gil_list);
	__uint(max_entries, SHARED_MAX_TARGETS);
} gil_lists SEC(".maps") __weak;

/* Condition variables of no known GIL, each reported once, so that user space can look for a new
 * interpreter. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct shared_gil_key);
	__type(value, __u8);
	__uint(max_entries, 1024);
} unknown_gils SEC(".maps") __weak;

/* What is remembered of a thread between two probes. */
struct thread_note {
	__u64 wait_cond; /* condition variable of the GIL whose wait it is in, or 0 */
	__u64 tstate;	 /* its PyThreadState when last looked for, or 0 */
	__u64 pointer;	 /* its thread pointer; 0: not asked yet */
	__u64 holds_by;	 /* the PyThreadState by which it had a GIL when last observed, or 0 */
	__u64 search_tstate, search_interp; /* progress of a search for tstate: what to read next */
	__u64 asked;			    /* when tstate was last searched for */
	__u64 futex;	/* address of the one that it sleeps on while it holds others up, or 0 … */
	__u64 ts_futex; /* … since then */
	/* modes other than exact: its last sleep on a GIL's mutex (handoff.bpf.h) */
	__u64 words;	   /* that GIL's shared_gil_words; 0: it has done something else since */
	__u64 mutex;	   /* the futex */
	__u64 state;	   /* tstate then */
	__u64 takes;	   /* switch_number while it slept; 0: not known, or it had the GIL last */
	__u64 run_delay;   /* task->sched_info when it left its CPU … */
	__u64 arrivals;	   /* … its pcount */
	__u32 retry_ns;	   /* back-off before tstate is searched for again */
	__u32 epfd;	   /* descriptor + 1 of the epoll wait it is in, or 0; where returns are not
			      traced, of the last one */
	__u32 waited_epfd; /* … of its last one, until the thread closes that */
	__u16 cpu;	   /* CPU + 1 that it waits for, or 0 */
	__u8 wait_goes_on; /* the last WAIT_END did not end its wait for the GIL: a WAIT follows */
	__u8 runs_loop;	   /* it has waited on a loop's descriptor */
	__u8 dropped;	   /* its drop was seen, and it has neither slept nor waited since */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32); /* tid */
	__type(value, struct thread_note);
	__uint(max_entries, SHARED_MAX_THREADS);
} notes SEC(".maps") __weak;

/* A few instructions, which are enough for nearly all processes that are not observed. */
static __always_inline bool may_be_target(__u32 tgid)
{
	__u32 bit = tgid % SHARED_TARGET_BITS;

	return target_bits[bit / 64] >> bit % 64 & 1;
}

static __always_inline const struct shared_target *target_of(__u32 tgid)
{
	return may_be_target(tgid) && enabled ? bpf_map_lookup_elem(&targets, &tgid) : 0;
}

static __always_inline bool is_target(__u32 tgid)
{
	return target_of(tgid);
}

extern const volatile bool have_cookies; /* bpf_get_attach_cookie: 5.15 */

/*
 * The probes of an image are hit by every process that has the file. They count only for processes
 * that were examined with that image: one file may have two, where container file systems show it
 * under two names (docs/decisions/probes.md#one-set-of-uprobes-for-an-image).
 */
static __always_inline bool is_own_probe(void *ctx, __u32 image)
{
	return !have_cookies || (__u32)bpf_get_attach_cookie(ctx) == image;
}

/* The GIL to which the condition variable belongs; NULL if unknown. */
static __always_inline struct shared_gil *find_gil(const struct shared_gil_key *key)
{
	for (__u32 i = 0; i < SHARED_GIL_TRIES; i++) {
		__u32 number = shared_gil_slot(key, i);
		struct shared_gil_slot *slot = bpf_map_lookup_elem(&gils, &number);

		if (slot && slot->key.condition == key->condition && slot->key.tgid == key->tgid)
			return &slot->gil;
	}
	return 0;
}

/* The thread's note, created if missing; NULL only if the map is full. */
static __always_inline struct thread_note *note_of(__u32 tid)
{
	static const struct thread_note empty = {0}; /* too large for the stack */
	struct thread_note *note = bpf_map_lookup_elem(&notes, &tid);

	if (note)
		return note;
	bpf_map_update_elem(&notes, &tid, &empty, BPF_NOEXIST);
	return bpf_map_lookup_elem(&notes, &tid);
}

/* lives.bpf.c: a record had no room. Returns 0. A global function, as every probe may call it. */
enum { LOSS_MINE = 0x7ffffffe };
extern int count_loss(__u64 ts, __u32 whose);

/* Whether a record that is sent now wakes the reader, because a quarter of the ring is full. */
static __always_inline __u64 wakeup(void)
{
	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > wake_bytes ? BPF_RB_FORCE_WAKEUP
									: BPF_RB_NO_WAKEUP;
}

/*
 * Sends a record without waking the reader: an interrupt on the target's CPU for every handful of
 * records would be most of the cost of probing. The reader polls every few milliseconds.
 *
 * `whose` is the process that the record is about, or SHARED_LOSS_…: who knows too little if it has
 * no room. False: it had none. `size` is a constant wherever this is inlined. Reserving and filling
 * costs a third less than bpf_ringbuf_output().
 */
static __always_inline bool emit_of(__u32 whose, void *record, __u32 size)
{
	__u64 flags = wakeup();
	void *place = bpf_ringbuf_reserve(&ring, size, 0);

	if (!place) {
		count_loss(((struct event_hdr *)record)->ts, whose);
		return false;
	}
	/* without the known alignment, the copy goes byte by byte */
	__builtin_memcpy(__builtin_assume_aligned(place, 8), record, size);
	bpf_ringbuf_submit(place, flags);
	return true;
}

/* The same, of the current process. */
static __always_inline void emit(void *record, __u32 size)
{
	emit_of(LOSS_MINE, record, size);
}

/*
 * What a CPU is doing: kept for all tasks, reported only while a traced thread waits for it. Every
 * switch writes it and every probe reads its own CPU's, so no two share a cache line: the values of
 * an array follow each other, aligned to 8 bytes only.
 */
struct cpu_note {
	__s32 waiting;	/* traced threads that wait for this CPU */
	__u16 reported; /* its task has been reported to user space by a RUN */
	__u16 traced;	/* its task is a traced thread, and has reported that itself */
	__u32 tid, tgid;
	__u64 comm[2];
	__u64 ts;   /* of the last switch, or of one before in the same tick; 0: none seen yet */
	__u64 tick; /* jiffies when ts was last set by a switch between others */
	__u64 clock_ahead; /* what ktime was ahead of rq->clock at a traced thread's last switch */
	__u64 apart[9];
};
_Static_assert(sizeof(struct cpu_note) == 128, "two lines, wherever the first one begins");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct cpu_note);
	__uint(max_entries, SHARED_MAX_CPUS); /* reduced to the machine's CPUs before loading */
} cpus SEC(".maps") __weak;

static __always_inline struct cpu_note *cpu_note_of(__u32 cpu)
{
	return bpf_map_lookup_elem(&cpus, &cpu);
}

/* The thread stops waiting for a CPU, if it did. */
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

static __always_inline void emit_unknown_gil(struct shared_gil_key *key, __u16 condition, __u64 ts,
					     __u32 tid)
{
	const struct shared_target *target = bpf_map_lookup_elem(&targets, &key->tgid);
	__u8 reported = 1;

	if (!target || bpf_map_update_elem(&unknown_gils, key, &reported, BPF_NOEXIST))
		return;

	struct ev_unknown_gil record = {.hdr = HDR(UNKNOWN_GIL, ts, tid, 0, 0)};
	record.address = key->condition - (condition == CONDITION_SWITCH ? target->gil.switch_cond
									 : target->gil.cond);
	emit(&record, sizeof(record));
}

/* sched.bpf.c: the current thread has this CPU, and the kernel did not report the switch. Returns
 * 0. A global function, like that of a stack, as nearly every probe may call it. */
extern int report_gap(__u64 ts, __u32 cpu, __u32 tid);

/*
 * A thread that acts on a CPU must be the one that the last switch put there. If it is not, the
 * kernel did not report a switch, as happens now and then in some virtual machines
 * (docs/decisions/probes.md#switches-that-the-kernel-does-not-report). The thread's state is then
 * unknown since it got the CPU, or if that is not known either, since that last switch.
 */
static __always_inline void check_presence(__u64 ts, __u32 cpu, const struct cpu_note *note,
					   __u32 tid)
{
	if (note->tid != tid && note->ts)
		report_gap(ts, cpu, tid);
}

/* The same for the current thread, in a probe that it has run into. */
static __always_inline void check_current(__u64 ts, __u32 tid)
{
	__u32 cpu = bpf_get_smp_processor_id();
	const struct cpu_note *note = cpu_note_of(cpu);

	if (note)
		check_presence(ts, cpu, note, tid);
}

/* ── the kernel's names of tasks, each sent to user space once ───────────────────────────────── */

/* Names that user space has been sent. */
struct comm_note {
	__u64 comm[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u32); /* tid */
	__type(value, struct comm_note);
	__uint(max_entries, 4096);
} names SEC(".maps") __weak;

static __always_inline void emit_comm(__u64 ts, __u32 tid, __u32 tgid, const __u64 comm[2])
{
	struct comm_note *known = bpf_map_lookup_elem(&names, &tid),
			 now = {.comm = {comm[0], comm[1]}};

	if (known && known->comm[0] == now.comm[0] && known->comm[1] == now.comm[1])
		return;

	struct ev_comm record = {.hdr = HDR(COMM, ts, tid, 0, 0), .pid = tgid};
	__builtin_memcpy(&record.comm, comm, sizeof(record.comm));
	if (emit_of(SHARED_LOSS_RUNS, &record, sizeof(record)))
		bpf_map_update_elem(&names, &tid, &now, BPF_ANY);
}

#endif
