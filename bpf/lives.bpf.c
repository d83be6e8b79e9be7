// SPDX-License-Identifier: Dual MIT/GPL
/*
 * lives.bpf.c - threads and processes that begin, change their names, become other programs, and
 * exit; of processes, also those below the traced ones. And what is lost of each process.
 */
#include "entry.bpf.h"
#include "handoff.bpf.h"

/* Processes that user space follows: those that it has put here, and all that these make. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32); /* tgid */
	__type(value, __u8);
	__uint(max_entries, SHARED_MAX_FAMILY);
} family SEC(".maps");

/* One that begins wakes the reader, which has to examine it soon. */
static __always_inline void emit_family(__u32 tgid, __u8 what)
{
	struct shared_family record = {
		.hdr = {.ts = bpf_ktime_get_ns(), .tid = tgid, .type = RING_FAMILY, .flags = what}};

	if (bpf_ringbuf_output(&ring, &record, sizeof(record),
			       what == SHARED_FAMILY_EXIT ? wakeup() : BPF_RB_FORCE_WAKEUP))
		count_loss(record.hdr.ts, LOSS_MINE);
}

/* The last signal of a target that was reported. */
struct sent {
	__u64 ts;
	__u32 signal, sender;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u32); /* tgid */
	__type(value, struct sent);
	__uint(max_entries, SHARED_MAX_TARGETS);
} signals SEC(".maps");

/* While nothing is enabled yet as well: user space takes note before it begins. */
static __always_inline bool is_family(__u32 tgid)
{
	return bpf_map_lookup_elem(&family, &tgid);
}

static __always_inline void note_child(__u32 parent, __u32 child)
{
	__u8 yes = 1;

	if (!is_family(parent) || bpf_map_update_elem(&family, &child, &yes, BPF_ANY))
		return;
	emit_family(child, SHARED_FAMILY_FORK);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u64 ts = bpf_ktime_get_ns(), comm[2];

	if (tgid_of(child) != tgid_of(parent)) {
		note_child(tgid_of(parent), tgid_of(child));
		return 0;
	}
	if (!is_target(tgid_of(child)))
		return 0;

	struct ev_thread record = {.hdr = HDR(THREAD, ts, tid_of(child), 0, EVF_THREAD_NEW),
				   .pid = tgid_of(child)};
	emit(&record, sizeof(record));
	__builtin_memcpy(comm, child->comm, sizeof(comm));
	emit_comm(ts, tid_of(child), tgid_of(child), comm);
	return 0;
}

SEC("tp_btf/task_rename")
int BPF_PROG(on_rename, struct task_struct *task, const char *name)
{
	__u64 ts = bpf_ktime_get_ns(), comm[2] = {};

	if (!is_target(tgid_of(task)))
		return 0;
	bpf_probe_read_kernel_str(comm, sizeof(comm), name);
	emit_comm(ts, tid_of(task), tgid_of(task), comm);
	return 0;
}

/* Nothing that is known of the thread holds any more. */
static __always_inline void forget_thread(__u32 tid)
{
	struct thread_note *note = bpf_map_lookup_elem(&notes, &tid);

	stop_waiting(note);
	leave_futex(note);
	bpf_map_delete_elem(&notes, &tid);
	bpf_map_delete_elem(&names, &tid);
	if (mode != SHARED_MODE_EXACT)
		forget_state(tid);
}

/* It has ended, or has a new address space: no address that is known of it holds any more, and the
 * number may be another process's soon. User space removes the rest later. */
static __always_inline void forget_process(__u32 tgid)
{
	bpf_map_delete_elem(&targets, &tgid);
	bpf_map_delete_elem(&pythons, &tgid);
	bpf_map_delete_elem(&gil_lists, &tgid);
}

/* ── how processes end ───────────────────────────────────────────────────────────────────────── */

enum {
	REPEATS_NS = 100000000,
	/* Signal numbers of all architectures with BPF but MIPS, and the results of sending one:
	   include/uapi/asm-generic/signal.h, include/trace/events/signal.h. */
	SIGNAL_DELIVERED = 0,
	SIGNALS_HARMLESS = 1 << (17 - 1) /* CHLD */ | 1 << (18 - 1) /* CONT */ |
			   1 << (19 - 1) /* STOP */ | 1 << (20 - 1) /* TSTP */ |
			   1 << (21 - 1) /* TTIN */ | 1 << (22 - 1) /* TTOU */ |
			   1 << (23 - 1) /* URG */ | 1 << (28 - 1) /* WINCH */,
	/* what a thread does to itself */
	SIGNALS_OF_CRASHES = 1 << (4 - 1) /* ILL */ | 1 << (5 - 1) /* TRAP */ |
			     1 << (6 - 1) /* ABRT */ | 1 << (7 - 1) /* BUS */ |
			     1 << (8 - 1) /* FPE */ | 1 << (11 - 1) /* SEGV */ |
			     1u << (31 - 1) /* SYS */,
	SIGNALS_OF_TIMERS = 1 << (14 - 1) /* ALRM */ | 1 << (26 - 1) /* VTALRM */ |
			    1 << (27 - 1) /* PROF */,
	/* codes of what arises in an interrupt, where `current` is anybody (asm-generic/siginfo.h)
	 */
	SI_TIMER = -2,
	SI_SIGIO = -5,
	SIGNAL_MASK = 0x7f, /* of task_struct.exit_code: as wait() has it */
	SIGNAL_DUMPED = 0x80,
};
const volatile __u32 page_kb = 4; /* size of a page, in KiB */

/* The process that sends a signal; 0: the kernel does. `info` may be no pointer (SEND_SIG_NOINFO,
 * SEND_SIG_PRIV: include/linux/sched/signal.h), and counts as none for the verifier since 6.12. */
static __always_inline __u32 sender_of(struct kernel_siginfo *info)
{
	if ((unsigned long)info == 1 /* SEND_SIG_PRIV */)
		return 0;
	if (info) {
		int code = BPF_CORE_READ(info, si_code);

		if (code > 0 || (code <= SI_TIMER && code >= SI_SIGIO))
			return 0;
	}
	if (ns_inum && !my_ids())
		return ID_OUTSIDE | bpf_get_current_pid_tgid() >> 32;
	return my_ids() >> 32;
}

static __always_inline void name_sender(__u64 ts, __u32 sender)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 comm[2] = {};

	BPF_CORE_READ_STR_INTO(&comm, task, group_leader, comm);
	emit_comm(ts, sender, sender, comm);
}

/* Of the current thread, while it can still be read: its memory is gone when it exits. */
static __always_inline void tell_crash(__u64 ts, int number)
{
	__u32 tid = (__u32)my_ids();
	struct ev_crash record = {.hdr = HDR(CRASH, ts, tid, (__u16)number, 0)};
	__u64 tstate;

	if (stack_kinds) {
		tstate = pystack_current(ts, 0);
		if (tstate)
			pystack_send(ts, tstate, EVF_STACK_CLOCK, 0, entry_regs().address);
	}
	emit(&record, sizeof(record));
}

SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal, int number, struct kernel_siginfo *info, struct task_struct *task,
	     int group, int result)
{
	struct sent now = {.ts = bpf_ktime_get_ns(), .signal = (__u32)number};
	__u32 tgid = tgid_of(task);
	struct sent *last;

	if (result != SIGNAL_DELIVERED || !is_target(tgid))
		return 0;
	if (number <= 31 && SIGNALS_HARMLESS & 1u << (number - 1))
		return 0;
	if (number <= 31 && SIGNALS_OF_CRASHES & 1u << (number - 1) &&
	    (__u32)my_ids() == tid_of(task))
		tell_crash(now.ts, number);
	now.sender = sender_of(info);
	if (now.sender == tgid)
		return 0;
	if (!now.sender && number <= 31 && SIGNALS_OF_TIMERS & 1u << (number - 1))
		return 0;
	last = bpf_map_lookup_elem(&signals, &tgid);
	if (last && last->signal == now.signal && last->sender == now.sender &&
	    now.ts - last->ts < REPEATS_NS)
		return 0;
	bpf_map_update_elem(&signals, &tgid, &now, BPF_ANY);
	if (now.sender)
		name_sender(now.ts, now.sender);

	struct ev_signal record = {.hdr = HDR(SIGNAL, now.ts, tgid, (__u16)number, 0),
				   .sender = now.sender};
	emit_of(tgid, &record, sizeof(record));
	return 0;
}

static __always_inline void emit_death(__u64 ts, struct task_struct *task)
{
	__u32 code = task->exit_code;
	struct ev_death record = {.hdr = HDR(DEATH, ts, tgid_of(task), code & SIGNAL_MASK, 0),
				  .status = code >> 8 & 0xff,
				  .peak = BPF_CORE_READ(task, signal, maxrss) * page_kb};

	/* set by mark_oom_victim() in mm/oom_kill.c */
	if (BPF_CORE_READ(task, signal, oom_mm))
		record.hdr.flags |= EVF_DEATH_OOM;
	if (code & SIGNAL_DUMPED)
		record.hdr.flags |= EVF_DEATH_CORE;
	emit(&record, sizeof(record));
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u64 ts = bpf_ktime_get_ns();
	__u32 tid = tid_of(task), tgid = tgid_of(task);
	int live = BPF_CORE_READ(task, signal, live.counter);

	/* do_exit() has counted this thread down before it gets here */
	if (live == 0 && is_family(tgid)) {
		bpf_map_delete_elem(&family, &tgid);
		emit_family(tgid, SHARED_FAMILY_EXIT);
	}
	if (!is_target(tgid)) {
		/* of its process another thread may have been the last one here */
		if (bpf_map_lookup_elem(&notes, &tid))
			forget_thread(tid);
		return 0;
	}
	forget_thread(tid);

	struct ev_thread_exit record = {.hdr = HDR(THREAD_EXIT, ts, tid, 0, 0)};
	emit(&record, sizeof(record));
	if (live == 0) {
		emit_death(ts, task);

		struct ev_process_exit last = {.hdr = HDR(PROCESS_EXIT, ts, tgid, 0, 0)};
		emit(&last, sizeof(last));
		forget_process(tgid);
	}
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	__u64 ts = bpf_ktime_get_ns();
	__u32 tgid = tgid_of(task);

	if (is_family(tgid))
		emit_family(tgid, SHARED_FAMILY_EXEC);
	if (!is_target(tgid))
		return 0;
	/* the address space is new: all known addresses are stale */
	forget_thread(tid_of(task));
	forget_process(tgid);

	struct ev_process_exit record = {
		.hdr = HDR(PROCESS_EXIT, ts, tgid, 0, EVF_PROCESS_EXIT_EXEC)};
	emit(&record, sizeof(record));
	return 0;
}

/* ── what is lost ────────────────────────────────────────────────────────────────────────────── */

unsigned int loss_epoch = 0; /* its lowest bit is the half that the probes count losses in */
__u64 loss_count = 0;	     /* of all of them: behind the entry that it is counted in */
__u64 unsampled = 0;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__type(key, struct shared_loss_key);
	__type(value, struct shared_loss);
	__uint(max_entries, SHARED_LOSSES);
} losses SEC(".maps");

static __always_inline struct shared_loss *loss_of(__u32 whose, __u32 half)
{
	struct shared_loss_key key = {.whose = whose, .half = half};
	struct shared_loss *loss = bpf_map_lookup_elem(&losses, &key);

	if (loss)
		return loss;
	key.whose = SHARED_LOSS_ALL;
	return bpf_map_lookup_elem(&losses, &key);
}

__noinline int count_loss(__u64 ts, __u32 whose)
{
	__u32 epoch = loss_epoch;
	struct shared_loss *loss = loss_of(whose == LOSS_MINE ? my_ids() >> 32 : whose, epoch & 1);

	if (loss && loss->epoch != epoch) {
		loss->count = 0;
		loss->first_ts = loss->last_ts = ts;
		loss->epoch = epoch;
	}
	if (loss) {
		if (ts < loss->first_ts)
			loss->first_ts = ts;
		if (ts > loss->last_ts)
			loss->last_ts = ts;
		__sync_fetch_and_add(&loss->count, 1);
	}
	__sync_fetch_and_add(&loss_count, 1);
	return 0;
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
