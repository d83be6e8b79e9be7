// SPDX-License-Identifier: Dual MIT/GPL
/*
 * sched.bpf.c - the scheduler: when a traced thread runs, sleeps, is woken or waits for a CPU, and
 * which task has that CPU.
 */
#include "entry.bpf.h"
#include "file.bpf.h"
#include "handoff.bpf.h"
#include "pystack.bpf.h"

const volatile bool have_task_regs =
	false; /* bpf_task_pt_regs and bpf_get_current_task_btf: 5.15 */
const volatile bool have_cookies = false;
const volatile __u32 stack_bytes = 0; /* of a kernel stack, for kernels without them */
const volatile __u32 wake_bytes = 0;
const volatile __u32 mode = 0;
const volatile __u32 ns_inum = 0;
__u32 ns_level = 0;
int enabled = 0;
unsigned int sleepers[16] __attribute__((aligned(64))) = {0};
__u64 target_bits[SHARED_TARGET_BITS / 64] = {0};

static __always_inline void emit_queued(__u64 ts, __u32 cpu, __u32 tid, __u32 tgid, __u64 since)
{
	struct ev_queued record = {.hdr = HDR(QUEUED, ts, tid, cpu, 0), .since = since};

	emit_of(tgid, &record, sizeof(record));
}

/*
 * When the current thread got this CPU, by the kernel's own notes; 0 if they do not say, or it has
 * had one more than once since it left the last one. Says as well since when it had been queued.
 */
static __always_inline __u64 arrival(__u64 ts, __u32 cpu, const struct cpu_note *note, __u32 tid)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	const struct thread_note *thread = bpf_map_lookup_elem(&notes, &tid);
	__u64 arrived;

	if (!bpf_core_field_exists(task->sched_info.last_arrival) || !thread || !note->clock_ahead)
		return 0;
	arrived = BPF_CORE_READ(task, sched_info.last_arrival) + note->clock_ahead;
	if (BPF_CORE_READ(task, sched_info.pcount) != thread->arrivals + 1 || arrived < note->ts ||
	    arrived > ts)
		return 0;
	emit_queued(ts, cpu, tid, LOSS_MINE,
		    arrived - (BPF_CORE_READ(task, sched_info.run_delay) - thread->run_delay));
	return arrived;
}

__noinline int report_gap(__u64 ts, __u32 cpu, __u32 tid)
{
	struct ev_gap record = {.hdr = HDR(GAP, ts, tid, cpu, 0)};
	struct cpu_note *note = cpu_note_of(cpu);

	if (!note)
		return 0;
	record.since = arrival(ts, cpu, note, tid);
	if (!record.since)
		record.since = note->ts;
	note->tid = tid;
	note->tgid = my_ids() >> 32;
	note->traced = true;
	note->reported = false;
	note->ts = ts;
	stop_waiting(bpf_map_lookup_elem(&notes, &tid));
	emit(&record, sizeof(record));
	return 0;
}

/* Reports who has the CPU, or with `end` that it is no longer reported. A traced thread is not
 * reported so: its SWITCH_IN says where it runs. The note has the name that the task had when it
 * came there. Returns 0. */
__noinline int report_run(__u64 ts, __u32 cpu, __u32 end)
{
	struct cpu_note *note = cpu_note_of(cpu);

	if (!note)
		return 0;

	struct ev_run record = {.hdr = HDR(RUN, ts, note->tid, cpu, end ? EVF_RUN_END : 0),
				.pid = note->tgid};

	if (!end && note->tid)
		emit_comm(ts, note->tid, note->tgid, note->comm);
	emit_of(SHARED_LOSS_RUNS, &record, sizeof(record));
	note->reported = !end;
	return 0;
}

/* The thread starts to wait for a CPU. `thread` may be NULL if there is no room for notes; then it
 * is not reported who has the CPU meanwhile. */
static __always_inline struct cpu_note *wait_for_cpu(struct thread_note *thread, __u32 cpu)
{
	struct cpu_note *note = cpu_note_of(cpu);

	if (!note || !thread || thread->cpu)
		return 0;
	thread->cpu = cpu + 1;
	__sync_fetch_and_add(&note->waiting, 1);
	return note;
}

/* The same for a CPU that another task may have. If it is idle, the thread will get it in a moment,
 * which is not worth a record. */
static __always_inline void wait_for_other_cpu(__u64 ts, struct thread_note *thread, __u32 cpu)
{
	struct cpu_note *note = wait_for_cpu(thread, cpu);

	if (note && !note->reported && !note->traced && note->tid)
		report_run(ts, cpu, false);
}

/* A thread that leaves its CPU: the current one, for the probe runs in its context. */
struct leaver {
	__u32 tgid, tid;
	struct thread_note *note; /* NULL if there is no room for one */
	__u64 address;		  /* where it is in user space */
	__u64 argument, second;	  /* of its system call, if it is `in_syscall` */
	__s64 sysno;
	__u64 tstate; /* its PyThreadState; 0: it has none, or was not asked for it */
	bool runnable, in_syscall, idle;
	bool holds_gil; /* as observed: holds_gil() */
	__u8 stop;	/* stop_of() */
};

enum { LEAVES_RUNNABLE = 1 << 8, LEAVES_THROTTLED = 1 << 9 };

/* The thread waits for its own event loop: it is idle, and its stack is of no interest. */
static __always_inline bool is_idle(const struct leaver *leaver)
{
	struct shared_loop_key key = {.tgid = leaver->tgid, .epfd = (__u32)leaver->argument};

	if (!leaver->in_syscall || !is_epoll_wait(leaver->sysno) || !leaver->note ||
	    !bpf_map_lookup_elem(&loop_fds, &key))
		return false;
	leaver->note->runs_loop = 1;
	return true;
}

/* Not inline: the stacks of a chain of calls must fit into 512 bytes, and this one is none of those
 * that lead to a Python stack. */
static __noinline int look_at_leaver(struct leaver *leaver, __u32 how)
{
	__u64 me = my_ids();
	struct kernel_entry entry = entry_regs();

	leaver->tgid = me >> 32;
	leaver->tid = (__u32)me;
	leaver->note = bpf_map_lookup_elem(&notes, &leaver->tid);
	leaver->runnable = how & LEAVES_RUNNABLE;
	leaver->stop = (__u8)how;
	leaver->address = entry.address;
	leaver->argument = entry.argument;
	leaver->second = entry.second;
	leaver->sysno = (__s64)entry.sysno;
	leaver->in_syscall = in_syscall(&entry);
	leaver->idle = is_idle(leaver);
	return 0;
}

/*
 * What the thread is to Python. One that waits for the GIL has none. In modes other than exact a
 * thread's state is made known for when it is found to have the GIL (pystack_owner()); that of a
 * loop which is idle is the one that it had before.
 */
static __always_inline void look_at_python(__u64 ts, struct leaver *leaver)
{
	bool exact = mode == SHARED_MODE_EXACT;
	__u64 seen = 0;

	if (!leaver->note || leaver->note->wait_cond || (exact && leaver->idle))
		return;
	if (!exact)
		seen = pystack_observe(
			ts, (leaver->runnable || leaver->stop ? PYSTACK_PREEMPTED : 0) |
				    (leaver->idle && leaver->note->tstate ? PYSTACK_KNOWN : 0));
	leaver->tstate = seen & ~(__u64)PYSTACK_HOLDS;
	if (!leaver->tstate && (!exact || stack_kinds))
		leaver->tstate = pystack_current(ts, 0);
	leaver->holds_gil = seen & PYSTACK_HOLDS;
}

static __always_inline bool holds_gil(const struct leaver *leaver)
{
	return mode == SHARED_MODE_EXACT ? pystack_holds_gil(leaver->tstate) : leaver->holds_gil;
}

/*
 * Sends the stack of a thread that goes to sleep, or of one that loses its CPU if others wait for
 * it: it holds the GIL or runs an event loop. A thread that waits for the GIL does not move, and
 * its stack was sent when the wait began.
 */
static __always_inline void send_stack_of(__u64 ts, const struct leaver *leaver)
{
	bool runnable = leaver->runnable;

	if (!(stack_kinds & (runnable ? EVF_STACK_PREEMPT : EVF_STACK_SLEEP)) || !leaver->tstate ||
	    leaver->idle || (runnable && !leaver->note->runs_loop && !holds_gil(leaver)))
		return;
	/* a thread that loses its CPU ran just now, so the time before belongs to where it was */
	if (runnable)
		pystack_send(ts, leaver->tstate, EVF_STACK_PREEMPT, 0, leaver->address);
	else
		pystack_send(ts, leaver->tstate, EVF_STACK_SLEEP, 0, 0);
}

/* These are not inline, as look_at_leaver() is not. */
static __noinline int report_file(__u64 ts, __u32 tid, __s32 sysno, __u64 argument, __u64 second)
{
	send_file(ts, tid, sysno, argument, second);
	return 0;
}

static __noinline int report_wait(__u64 ts, __u32 tid, __u32 tgid, struct thread_note *note,
				  __u32 epfd)
{
	report_missed_wait(ts, tid, target_of(tgid), note, epfd);
	return 0;
}

/* `held_up`: others may have to wait for it. A thread that sleeps because the world is stopped is
 * reported as well, and however short that is. */
static __noinline int report_futex(__u64 ts, const struct leaver *leaver, bool held_up)
{
	struct ev_park park = {.hdr = {.ts = ts, .tid = leaver->tid}};

	look_at_park(&park, leaver->argument, leaver->tstate);
	if (!leaver->note || (!held_up && !(park.hdr.flags & EVF_PARK_SUSPENDED)))
		return 0;
	sleep_on_futex(ts, leaver->note, leaver->tid, leaver->argument, leaver->second);
	if (park.hdr.flags & EVF_PARK_SUSPENDED)
		leaver->note->ts_futex = 0;
	if (park.hdr.type)
		emit(&park, sizeof(park));
	return 0;
}

/* What a thread sleeps on, if others may have to wait for it. `gil`: with the flags of a GIL's
 * futex. */
static __always_inline void send_sleep(const struct ev_switch_out *record,
				       const struct leaver *leaver, __u64 gil)
{
	struct thread_note *note = leaver->note;
	__u64 ts = record->hdr.ts;
	__u32 tid = record->hdr.tid;
	__u8 both = EVF_SWITCH_OUT_GIL_MUTEX | EVF_SWITCH_OUT_HANDOVER;

	if (note && mode != SHARED_MODE_EXACT)
		note->words = note->takes = 0;
	if (!note || leaver->idle)
		return;
	if (mode == SHARED_MODE_FUTEX && (record->hdr.flags & both) == both) {
		begin_wait(ts, note, tid, gil, record->gil, leaver->argument);
		return;
	}
	if (mode != SHARED_MODE_EXACT && !note->wait_cond &&
	    (record->hdr.flags & both) == EVF_SWITCH_OUT_GIL_MUTEX) {
		sleep_on_mutex(ts, note, leaver->tstate, gil, leaver->argument);
		return;
	}
	if (note->wait_cond) {
		/* it is watched since its WAIT, and until its WAIT_END: what is counted in two
		 * places at once would be counted wrong */
		if (mode != SHARED_MODE_EXACT && waits_on_futex(record->sysno, leaver->second))
			note->futex = leaver->argument;
		return;
	}
	if (note->runs_loop)
		report_file(ts, tid, record->sysno, leaver->argument, leaver->second);
	if (!waits_on_futex(record->sysno, leaver->second) ||
	    record->hdr.flags & (EVF_SWITCH_OUT_GIL_MUTEX | EVF_SWITCH_OUT_HANDOVER))
		return;
	report_futex(ts, leaver, note->runs_loop || holds_gil(leaver));
}

static __always_inline bool is_waiting(const struct leaver *leaver)
{
	if (mode == SHARED_MODE_FUTEX)
		return waits_with_limit(leaver->second);
	return leaver->note && leaver->note->wait_cond;
}

static __noinline int emit_switch_out(__u64 ts, __u32 cpu, const struct leaver *leaver,
				      bool throttled)
{
	struct ev_switch_out record = {.hdr = HDR(SWITCH_OUT, ts, leaver->tid, cpu, leaver->stop)};
	__u64 gil = 0;
	bool in_syscall = !leaver->stop && leaver->in_syscall,
	     sleeps = in_syscall && !leaver->runnable;

	if (in_syscall) {
		record.hdr.flags |= EVF_SWITCH_OUT_SYSCALL;
		record.sysno = (__s32)leaver->sysno;
	}
	if (sleeps && is_futex(record.sysno))
		mark_gil_futex(&record, leaver->tgid, leaver->argument, is_waiting(leaver), &gil);
	if (sleeps && is_epoll_wait(record.sysno))
		report_wait(ts, record.hdr.tid, leaver->tgid, leaver->note,
			    (__u32)leaver->argument);
	if (leaver->runnable) {
		record.hdr.flags |= EVF_SWITCH_OUT_RUNNABLE;
		if (throttled)
			record.hdr.flags |= EVF_SWITCH_OUT_THROTTLED;
	}
	emit(&record, sizeof(record));
	if (sleeps)
		send_sleep(&record, leaver, gil);
	return 0;
}

/*
 * What is to be said of the current thread, which leaves its CPU; `how`: LEAVES_… and stop_of().
 * Returns 0. A global function: the verifier goes through it once, and not once for each way in
 * which the rest of on_switch may have gone. That took 80 of 240 ms in which all programs were
 * loaded. It looks for its own notes, as only numbers may be passed to it.
 */
__noinline int leave_cpu(__u64 ts, __u32 cpu, __u32 how)
{
	struct leaver leaver = {};

	look_at_leaver(&leaver, how);
	if (leaver.note && !leaver.runnable)
		leaver.note->dropped = 0;
	look_at_python(ts, &leaver);
	send_stack_of(ts, &leaver);
	emit_switch_out(ts, cpu, &leaver, how & LEAVES_THROTTLED);
	return 0;
}

static __always_inline void occupy(struct cpu_note *note, struct task_struct *task, bool traced)
{
	__u64 ids = ids_of_any(task);

	note->traced = traced;
	note->tid = (__u32)ids;
	note->tgid = ids >> 32;
	__builtin_memcpy(note->comm, task->comm, sizeof(note->comm));
}

/*
 * Whether the switch, between tasks that are not observed, matters to nobody, as nearly always. Its
 * time is wanted only if such a task's next switch is not reported (check_presence()), and need not
 * be exact then, only not too late. Reading the clock is most of what a program costs that does so
 * little; so it is read at the first such switch of each tick of the kernel.
 */
static __always_inline bool pass_by(struct cpu_note *note)
{
	__u64 tick = bpf_jiffies64();

	if (note->waiting > 0 || note->reported)
		return false;
	if (note->tick != tick) {
		note->tick = tick;
		note->ts = bpf_ktime_get_ns();
	}
	return true;
}

/*
 * The kernel's own notes of a task's way to its CPU tell what it does not report. The probe runs
 * after update_rq_clock() and before sched_info_arrive() (kernel/sched/core.c, __schedule() and
 * prepare_task_switch()).
 *
 * The pointers are followed by reads of memory, here and elsewhere: for each one that a program
 * follows directly the verifier looks through the names of all of the kernel's types, which takes
 * milliseconds (kernel/bpf/verifier.c, type_is_rcu()).
 */
static __noinline __u64 rq_clock(struct task_struct *task)
{
	if (!bpf_core_field_exists(task->sched_info.last_queued) ||
	    !bpf_core_field_exists(task->se.cfs_rq->rq))
		return 0;
	return BPF_CORE_READ(task, se.cfs_rq, rq, clock);
}

static __always_inline void keep_arrivals(struct thread_note *leaving, struct task_struct *task)
{
	if (!leaving || !bpf_core_field_exists(task->sched_info.last_queued))
		return;
	leaving->run_delay = task->sched_info.run_delay;
	leaving->arrivals = task->sched_info.pcount;
}

/* A wake-up that is reported, like a preemption, makes the thread wait for a CPU (wait_for_cpu()).
 * If it does not wait for one that it gets, the kernel did not report it. */
static __always_inline void check_wake(__u64 ts, __u32 cpu, __u64 now, struct task_struct *task,
				       const struct thread_note *thread)
{
	__u64 since, waited;

	if (!thread || thread->cpu || !now || task->sched_info.pcount != thread->arrivals)
		return;
	since = task->sched_info.last_queued;
	/* on this CPU, and before it was migrated to it */
	waited = now - since + (task->sched_info.run_delay - thread->run_delay);
	if (since && since <= now && waited < ts)
		emit_queued(ts, cpu, tid_of(task), tgid_of(task), ts - waited);
}

/* A traced thread gets the CPU. */
static __always_inline void come(__u64 ts, __u32 cpu, struct cpu_note *note, __u64 now,
				 struct task_struct *task)
{
	struct thread_note *thread = note_of(tid_of(task));

	note->reported = false;
	check_wake(ts, cpu, now, task, thread);
	stop_waiting(thread);
	if (thread && mode == SHARED_MODE_FUTEX)
		thread->wait_cond = 0;
	if (thread && !thread->wait_cond)
		leave_futex(thread);
}

/* Run once, by user space itself: its own process is in its PID namespace, and in none below. */
SEC("raw_tp")
int find_level(void *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	ns_level = BPF_CORE_READ(task, thread_pid, level);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct cpu_note *note = cpu_note_of(cpu);
	bool out = is_target(tgid_of(prev)), in = is_target(tgid_of(next)), runnable;
	struct thread_note *leaving = 0;
	__u64 ts, state, now;

	/* The compiler must not know that it is a pointer: clang 19 makes one question of the two
	 * by or-ing them, which the verifier does not allow. */
	barrier_var(in);
	if (!enabled || !note)
		return 0;
	if (!out && !in) {
		occupy(note, next, false);
		if (pass_by(note))
			return 0;
	}
	ts = bpf_ktime_get_ns();
	state = task_state(prev);
	runnable = preempt || !state;
	if (out) {
		check_presence(ts, cpu, note, tid_of(prev));
		/* of one that has exited there is none any more, nor will there be */
		leaving = state & STATE_DEAD ? 0 : note_of(tid_of(prev));
		keep_arrivals(leaving, prev);
	}

	now = out || in ? rq_clock(next) : 0;
	if (now)
		note->clock_ahead = ts - now;
	note->ts = ts;
	occupy(note, next, in);
	if (in)
		come(ts, cpu, note, now, next);
	if (out && runnable)
		wait_for_cpu(leaving, cpu);
	/* before the threads' own records, so that a wait that ends or begins here finds the
	 * occupant reported up to this instant */
	if (!in && note->waiting > 0)
		report_run(ts, cpu, false);
	else if (note->reported)
		report_run(ts, cpu, true);

	if (out)
		leave_cpu(ts, cpu,
			  runnable ? LEAVES_RUNNABLE | (is_throttled(prev) ? LEAVES_THROTTLED : 0)
				   : stop_of(prev, state));
	if (in) {
		struct ev_switch_in record = {.hdr = HDR(SWITCH_IN, ts, tid_of(next), cpu, 0)};
		emit_of(tgid_of(next), &record, sizeof(record));
	}
	return 0;
}

static __always_inline int wake(struct task_struct *task, __u8 flags)
{
	__u64 ts;
	__u32 cpu;

	/* a task that is woken before it has gone to sleep just keeps running */
	if (!is_target(tgid_of(task)) || task->on_cpu)
		return 0;
	ts = bpf_ktime_get_ns();
	cpu = task_cpu(task);
	if (is_throttled(task))
		flags |= EVF_WAKE_THROTTLED;
	wait_for_other_cpu(ts, note_of(tid_of(task)), cpu);

	struct ev_wake record = {.hdr = HDR(WAKE, ts, tid_of(task), cpu, flags)};
	emit_of(tgid_of(task), &record, sizeof(record));
	return 0;
}

/* sched_wakeup rather than sched_waking: on every kernel it follows the task's switch to sleep, and
 * the CPU on which the task will wait is known. */
SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *task)
{
	return wake(task, 0);
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_wakeup_new, struct task_struct *task)
{
	return wake(task, EVF_WAKE_NEW);
}

/* The address of the futex that the current task wakes the sleepers of; 0: it does not. */
static __always_inline __u64 woken_futex(void)
{
	struct kernel_entry entry = entry_regs();

	return in_syscall(&entry) && wakes_futex((__s32)entry.sysno, entry.second) ? entry.argument
										   : 0;
}

static __always_inline void wake_waiter(__u64 ts, struct task_struct *task, __u64 me,
					bool same_process, struct thread_note *note)
{
	__u64 futex = same_process ? woken_futex() : 0;

	if (!futex || !tell_drop(ts, me, futex, note))
		tell_other_wake(ts, tid_of(task), tgid_of(task));
}

/* sched_waking, unlike sched_wakeup, is always reported where the waker runs. */
SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *task)
{
	struct thread_note *note;
	bool same_process;
	__u64 ts, address, me;
	__u32 tid;

	if (!sleepers[0] || !may_be_target(tgid_of(task)))
		return 0;
	tid = tid_of(task);
	me = my_ids();
	note = bpf_map_lookup_elem(&notes, &tid);
	if (!enabled || !note || !note->futex)
		return 0;
	ts = bpf_ktime_get_ns();
	same_process = me >> 32 == tgid_of(task);
	if (mode != SHARED_MODE_EXACT && note->wait_cond) {
		wake_waiter(ts, task, me, same_process, note);
		return 0;
	}
	address = note->futex;
	if (mode != SHARED_MODE_EXACT && note->words && address == note->mutex) {
		wake_on_mutex(note, tgid_of(task), same_process);
		return 0;
	}
	if (!same_process || ts - note->ts_futex < HELD_UP_NS)
		return 0;
	if (woken_futex() != address)
		return 0;
	leave_futex(note);
	tell_waker(ts, tid, address);
	return 0;
}

SEC("tp_btf/sched_migrate_task")
int BPF_PROG(on_migrate, struct task_struct *task, int cpu)
{
	__u64 ts;
	__u32 tid = tid_of(task);
	struct thread_note *thread;

	if (!is_target(tgid_of(task)))
		return 0;
	ts = bpf_ktime_get_ns();
	thread = bpf_map_lookup_elem(&notes, &tid);
	/* a sleeping task is being placed for its wake-up, which follows and names the CPU */
	if (!thread || !thread->cpu)
		return 0;
	stop_waiting(thread);
	wait_for_other_cpu(ts, thread, cpu);

	struct ev_migrate record = {.hdr = HDR(MIGRATE, ts, tid, cpu, 0)};
	emit_of(tgid_of(task), &record, sizeof(record));
	return 0;
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
