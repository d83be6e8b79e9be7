/* SPDX-License-Identifier: Dual MIT/GPL */
/*
 * epoll.bpf.h - the system calls in which event loops wait, and the record of such a wait, for the
 * probes that see it begin (loop.bpf.c) and the one that sees it sleep (sched.bpf.c).
 */
#ifndef GILSCOPE_EPOLL_BPF_H
#define GILSCOPE_EPOLL_BPF_H

#include "pystack.bpf.h"

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
	if (!target->waits_probed || !note || note->epfd == epfd + 1)
		return;
	note->waited_epfd = epfd + 1;
	emit_enter(ts, tid, epfd, TIMEOUT_UNKNOWN, EVF_EPOLL_ENTER_ALONE | EVF_EPOLL_ENTER_ASLEEP);
}

#endif
