/* SPDX-License-Identifier: Dual MIT/GPL */
/*
 * entry.bpf.h - where the current task was in user space, and the system call that it is in.
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

#endif
