/* SPDX-License-Identifier: Dual MIT/GPL */
/*
 * entry.bpf.h - where the current task was in user space, and the system call that it is in; what
 * the scheduler has it, or another one, in.
 */
#ifndef GILSCOPE_ENTRY_BPF_H
#define GILSCOPE_ENTRY_BPF_H

#include "common.bpf.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* sched.bpf.c */
extern const volatile bool have_task_regs;
extern const volatile __u32 stack_bytes;

/* What the entry of a system call leaves in the registers, and what distinguishes it from an
 * exception's frame. */
#if defined(__TARGET_ARCH_x86)
struct kernel_entry {
	unsigned long argument, second, sysno, return_address, address, result;
};
#define ENTRY(read, regs)                                                                          \
	{read(regs, di), read(regs, si), read(regs, orig_ax),                                      \
	 read(regs, cx), read(regs, ip), read(regs, ax)}
#else
struct kernel_entry {
	__u64 argument, second, mode, address;
	__s32 sysno;
};
#define ENTRY(read, regs)                                                                          \
	{read(regs, orig_x0), read(regs, regs[1]), read(regs, pstate), read(regs, pc),             \
	 read(regs, syscallno)}
#endif
#define DIRECTLY(regs, field) ((regs)->field)

/*
 * The registers with which the current task came from user space last, by a system call, an
 * exception or an interrupt. Kernels before 5.15 (dd6e10fbd9fb "bpf: Add bpf_task_pt_regs()
 * helper") have no helper: they are read from where task_pt_regs() finds them, at the very end of
 * the task's kernel stack.
 */
static __always_inline struct kernel_entry entry_regs(void)
{
	struct task_struct *task;
	struct pt_regs *regs;

	if (have_task_regs) {
		regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
		return (struct kernel_entry)ENTRY(DIRECTLY, regs);
	}
	task = (struct task_struct *)bpf_get_current_task();
	regs = (struct pt_regs *)((char *)BPF_CORE_READ(task, stack) + stack_bytes -
				  bpf_core_type_size(struct pt_regs));
	return (struct kernel_entry)ENTRY(BPF_CORE_READ, regs);
}

/*
 * The system call that the current task is in. An exception's frame looks alike, with an error code
 * in place of the number, but only a system call bears the marks of its entry. On x86, `syscall`
 * leaves the return address in rcx, and the entry code sets rax to -ENOSYS until the call returns.
 * On arm64, every other entry from user space (mode 0) sets syscallno to NO_SYSCALL, -1
 * (arch/arm64/kernel/entry.S, kernel_entry).
 */
static __always_inline bool in_syscall(const struct kernel_entry *entry)
{
#if defined(__TARGET_ARCH_x86)
	return (long)entry->sysno >= 0 && entry->return_address == entry->address &&
	       entry->result == (unsigned long)-38;
#else
	return entry->sysno >= 0 && !(entry->mode & 0xf);
#endif
}

/*
 * The system calls in which event loops wait, and the record of such a wait, for the probes that
 * see it begin (loop.bpf.c) and the one that sees it sleep (sched.bpf.c).
 */
#if defined(__TARGET_ARCH_x86)
enum { SYS_EPOLL_WAIT = 232, SYS_EPOLL_PWAIT = 281, SYS_EPOLL_PWAIT2 = 441 };
#else
enum { SYS_EPOLL_WAIT = -2, SYS_EPOLL_PWAIT = 22, SYS_EPOLL_PWAIT2 = 441 };
#endif
#define TIMEOUT_UNKNOWN -2

static __always_inline bool is_epoll_wait(long sysno)
{
	return sysno == SYS_EPOLL_WAIT || sysno == SYS_EPOLL_PWAIT || sysno == SYS_EPOLL_PWAIT2;
}

static __always_inline void emit_enter(__u64 ts, __u32 tid, __u32 epfd, __s32 timeout_ms,
				       __u8 flags)
{
	struct ev_epoll_enter record = {
		.hdr = HDR(EPOLL_ENTER, ts, tid, 0, flags), .epfd = epfd, .timeout_ms = timeout_ms};
	emit(&record, sizeof(record));
}

/*
 * The current task goes to sleep in a wait that was not seen to begin: when the probes were set it
 * was inside already, or it makes the system call without the C library. The note stays without the
 * descriptor, so it is reported again whenever it sleeps there.
 */
static __always_inline void report_missed_wait(__u64 ts, __u32 tid,
					       const struct shared_target *target,
					       struct thread_note *note, __u32 epfd)
{
	if (!target || !target->waits_probed || !note || note->epfd == epfd + 1)
		return;
	note->waited_epfd = epfd + 1;
	emit_enter(ts, tid, epfd, TIMEOUT_UNKNOWN, EVF_EPOLL_ENTER_ALONE | EVF_EPOLL_ENTER_ASLEEP);
}

/* ── what the scheduler has a task in ────────────────────────────────────── */

static __noinline __attribute__((unused)) bool is_throttled(struct task_struct *task)
{
	if (bpf_core_field_exists(task->throttled))
		return BPF_CORE_READ_BITFIELD(task, throttled);
	if (bpf_core_field_exists(struct cfs_rq, throttle_count))
		return BPF_CORE_READ(task, se.cfs_rq, throttle_count) > 0;
	return false;
}

/* include/linux/sched.h */
enum {
	STATE_STOPPED = 0x4,
	STATE_TRACED = 0x8,
	STATE_DEAD = 0x80,
	STATE_FROZEN = 0x8000 /* since 6.1 */,
	FLAG_FROZEN = 0x10000 /* until 6.0 */
};
enum { JOBCTL_TRAP_FREEZE = 1 << 23 }; /* include/linux/sched/jobctl.h, since 5.2 */

static __always_inline __u64 task_state(struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return ((struct task_struct___before_5_14 *)task)->state;
}

/*
 * The flag of SWITCH_OUT for what stops a task from outside, as the task goes to sleep; 0 when
 * nothing does. The freezer comes in three forms: a state of its own (since 6.1, f5d39b020809
 * "freezer,sched: Rewrite core freezer logic"); before that, a flag, for the system's freezer and
 * cgroup v1's (later that bit means nothing for user-space tasks); and for cgroup v2 a trap on the
 * way back to user space (kernel/signal.c, do_freezer_trap()), in which the task looks like any
 * other sleeper.
 *
 * `frozen` alone does not mean that somebody froze the task: one that waits for a vfork child
 * counts as frozen all the time (kernel/fork.c, wait_for_vfork_done()).
 */
static __always_inline __u8 stop_of(struct task_struct *task, __u64 state)
{
	if (state & STATE_STOPPED)
		return EVF_SWITCH_OUT_STOPPED;
	if (state & STATE_TRACED)
		return EVF_SWITCH_OUT_TRACED;
	if (state & STATE_FROZEN || task->flags & FLAG_FROZEN)
		return EVF_SWITCH_OUT_FROZEN;
	if (bpf_core_field_exists(task->frozen) && BPF_CORE_READ_BITFIELD(task, frozen) &&
	    task->jobctl & JOBCTL_TRAP_FREEZE)
		return EVF_SWITCH_OUT_FROZEN;
	return 0;
}

static __always_inline __u32 task_cpu(struct task_struct *task)
{
	if (bpf_core_field_exists(task->thread_info.cpu))
		return task->thread_info.cpu;
	return ((struct task_struct___before_5_16 *)task)->cpu;
}

#endif
