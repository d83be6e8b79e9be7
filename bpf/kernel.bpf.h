/* SPDX-License-Identifier: Dual MIT/GPL */
/*
 * kernel.bpf.h - the few kernel types and fields that the probes read. Only the named fields
 * matter: preserve_access_index lets libbpf find their real offsets in the running kernel's BTF. So
 * this replaces a generated vmlinux.h, and shows at a glance what gilscope depends on.
 *
 * Integers are unsigned wherever the kernel's value is never negative: libbpf adapts a load to a
 * field that has become narrower or wider only if both sides are unsigned; with any other mismatch
 * the kernel refuses the program. A flag that may become a bit field is read with
 * BPF_CORE_READ_BITFIELD.
 */
#ifndef GILSCOPE_KERNEL_BPF_H
#define GILSCOPE_KERNEL_BPF_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

/* makes bpf_tracing.h use the kernel's register names */
#define __VMLINUX_H__

#define bool  _Bool
#define true  1
#define false 0

enum { BPF_ANY = 0, BPF_NOEXIST = 1 };
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27
};
enum { BPF_F_USER_STACK = 1 << 8 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2, BPF_RB_AVAIL_DATA = 0 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r10, cx, dx, si, di, ax, orig_ax, ip;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31];
	__u64 pc;
};
struct pt_regs {
	__u64 regs[31];
	__u64 pc;
	__u64 pstate;
	__u64 orig_x0;
	__s32 syscallno;
};
#endif

struct mm_struct;

struct signal_struct {
	struct {
		int counter;
	} live;
	unsigned long maxrss;	  /* most pages ever resident; set when the last thread exits */
	struct mm_struct *oom_mm; /* the out-of-memory killer has chosen the process */
};

struct kernel_siginfo {
	int si_code; /* positive: from the kernel itself */
};

struct rq {
	__u64 clock; /* of this CPU: as of its last update, which a switch begins with */
};

struct cfs_rq {
	int throttle_count; /* this queue and those above it that have used up their quota */
	struct rq *rq; /* with CONFIG_FAIR_GROUP_SCHED; tasks of other classes have it as well */
};

/* a task's way to its CPUs, with CONFIG_SCHED_INFO; by rq->clock */
struct sched_info {
	unsigned long pcount; /* how often it got one */
	__u64 run_delay;      /* how long it was on run queues before that, in total */
	__u64 last_arrival;
	__u64 last_queued; /* until it gets the CPU */
};

struct sched_entity {
	struct cfs_rq *cfs_rq;
};

struct thread_info {
	__u32 cpu; /* since 5.16 (bcf9033e5449 "sched: move CPU field back into thread_info") */
};

/* the thread pointer (the register behind libc's pthread_self()), as of the last switch */
struct thread_struct {
#if defined(__TARGET_ARCH_x86)
	unsigned long fsbase;
#elif defined(__TARGET_ARCH_arm64)
	struct {
		unsigned long tp_value;
	} uw;
#endif
};

/* what a descriptor is */
struct inode {
	unsigned short i_mode;
	unsigned int i_rdev;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct qstr d_name;
};

struct path {
	struct dentry *dentry;
};

struct file {
	struct inode *f_inode;
	struct path f_path;
	void *private_data; /* of a socket: its struct socket */
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct in6_addr {
	__u8 bytes[16];
};

struct sock_common {
	__be32 skc_daddr;
	__be16 skc_dport;
	unsigned short skc_family;
	struct in6_addr skc_v6_daddr;
};

struct sock {
	struct sock_common __sk_common;
};

struct socket {
	short type;
	struct sock *sk;
};

struct ns_common {
	unsigned int inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1]; /* one for each level */
};

struct task_struct {
	struct thread_info thread_info;
	struct thread_struct thread;
	unsigned int __state; /* since 5.14 (2f064a59a11f "sched: Change task_struct::state") */
	unsigned int on_cpu;  /* int at first, u8 in 7.2 */
	unsigned int flags;   /* PF_… */
	unsigned long jobctl; /* JOBCTL_… */
	void *stack;	      /* its kernel stack */
	unsigned frozen : 1;  /* counts as stopped along with its cgroup (v2), since 5.2 */
	int pid;	      /* tid, initial namespace */
	int tgid;
	int exit_code;
	char comm[16];
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct signal_struct *signal;
	struct files_struct *files;
	struct sched_entity se;
	struct sched_info sched_info;
	bool throttled; /* since 6.18: tasks are throttled one by one on their way to user space; a
			   flag, see above */
};

struct task_struct___before_5_14 {
	long state;
};

struct task_struct___before_5_16 {
	unsigned int cpu;
};

#pragma clang attribute pop

#endif
