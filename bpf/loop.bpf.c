// SPDX-License-Identifier: Dual MIT/GPL
/*
 * loop.bpf.c - the waits of event loops: entering and leaving epoll_wait, epoll_pwait and epoll_pwait2.
 *
 * The raw tracepoints of all system calls, sifted by number first, because they need no tracefs and cost a few nanoseconds for the other calls.
 */
#include "pystack.bpf.h"

#if defined(__TARGET_ARCH_x86)
enum { SYS_EPOLL_WAIT = 232, SYS_EPOLL_PWAIT = 281, SYS_EPOLL_PWAIT2 = 441 };
#define ARG0(regs) ((regs)->di)
#define SYSNO(regs) ((long)(regs)->orig_ax)
#else
enum { SYS_EPOLL_WAIT = -2, SYS_EPOLL_PWAIT = 22, SYS_EPOLL_PWAIT2 = 441 };
#define ARG0(regs) ((regs)->orig_x0)
#define SYSNO(regs) ((long)(regs)->syscallno)
#endif

static __always_inline bool is_epoll_wait(long sysno)
{
	return sysno == SYS_EPOLL_WAIT || sysno == SYS_EPOLL_PWAIT || sysno == SYS_EPOLL_PWAIT2;
}

static __always_inline __s32 timeout_ms(struct pt_regs *regs, long sysno)
{
	if (sysno == SYS_EPOLL_PWAIT2)
		return -2; /* a pointer to a timespec: not worth a read of user memory */
#if defined(__TARGET_ARCH_x86)
	return (__s32)regs->r10;
#else
	return (__s32)regs->regs[3];
#endif
}

/* Remembers the wait that a thread is in, so that its sleep there is told from others. */
static __always_inline void note_wait(__u32 tid, __u32 epfd)
{
	struct thread_note *note = stack_kinds & EVF_STACK_SLEEP ? note_of(tid) : 0;

	if (note)
		note->epfd = epfd;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs *regs, long sysno)
{
	__u64 ts, me;

	if (!is_epoll_wait(sysno) || !enabled)
		return 0;
	ts = bpf_ktime_get_ns();
	me = bpf_get_current_pid_tgid();
	if (!is_target(me >> 32))
		return 0;
	check_current(ts, (__u32)me);
	note_wait((__u32)me, ARG0(regs) + 1);

	struct ev_epoll_enter record = {.hdr = HDR(EPOLL_ENTER, ts, (__u32)me, 0, 0), .epfd = ARG0(regs), .timeout_ms = timeout_ms(regs, sysno)};
	emit(&record, sizeof(record));
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	__u64 ts, me;
	__u32 tid;

	if (!is_epoll_wait(SYSNO(regs)) || !enabled)
		return 0;
	ts = bpf_ktime_get_ns();
	me = bpf_get_current_pid_tgid();
	tid = (__u32)me;
	if (!is_target(me >> 32))
		return 0;
	check_current(ts, tid);
	note_wait(tid, 0);

	struct ev_epoll_exit record = {.hdr = HDR(EPOLL_EXIT, ts, tid, 0, 0), .epfd = ARG0(regs), .ret = (__s32)ret};
	emit(&record, sizeof(record));
	return 0;
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
