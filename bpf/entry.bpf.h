/* SPDX-License-Identifier: Dual MIT/GPL */
/*
 * entry.bpf.h - where the current task was in user space, and the system call that it is in.
 */
#ifndef GILSCOPE_ENTRY_BPF_H
#define GILSCOPE_ENTRY_BPF_H

#include "kernel.bpf.h"
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

#endif
