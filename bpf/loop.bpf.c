// SPDX-License-Identifier: Dual MIT/GPL
/*
 * loop.bpf.c - the waits of event loops: entry to and exit from epoll_wait, epoll_pwait and
 * epoll_pwait2, and the closing of their descriptors.
 *
 * The tracepoints of all system calls, filtered by number first, are attached in one of two ways.
 * Raw tracepoints need no tracefs and cost other calls a few nanoseconds. But a tracing program
 * does not nest on a CPU (kernel/trace/bpf_trace.c, __bpf_trace_run), and since 7.2 preemption
 * stays enabled while it runs (include/linux/tracepoint.h, tracepoint_srcu): thread A is preempted
 * inside the program, thread B makes a system call on the same CPU, and B's events are skipped and
 * only counted (bpf_prog_info.recursion_misses). The perf events of the same tracepoints disable
 * preemption (include/trace/perf.h); those of individual calls do not (trace_call_bpf_faultable).
 * On such kernels the perf events are used, if tracefs says what their numbers are.
 */
#include "pystack.bpf.h"

#if defined(__TARGET_ARCH_x86)
enum {
	SYS_CLOSE = 3,
	SYS_DUP2 = 33,
	SYS_DUP3 = 292,
	SYS_EPOLL_WAIT = 232,
	SYS_EPOLL_PWAIT = 281,
	SYS_EPOLL_PWAIT2 = 441
};
#define ARG0(regs)  ((regs)->di)
#define ARG3(regs)  ((regs)->r10)
#define SYSNO(regs) ((long)(regs)->orig_ax)
#else
enum {
	SYS_CLOSE = 57,
	SYS_DUP2 = -2,
	SYS_DUP3 = 24,
	SYS_EPOLL_WAIT = -2,
	SYS_EPOLL_PWAIT = 22,
	SYS_EPOLL_PWAIT2 = 441
};
#define ARG0(regs)  ((regs)->orig_x0)
#define ARG3(regs)  ((regs)->regs[3])
#define SYSNO(regs) ((long)(regs)->syscallno)
#endif

static __always_inline bool is_epoll_wait(long sysno)
{
	return sysno == SYS_EPOLL_WAIT || sysno == SYS_EPOLL_PWAIT || sysno == SYS_EPOLL_PWAIT2;
}

static __always_inline __s32 timeout_ms(long sysno, __u64 argument)
{
	/* epoll_pwait2 has a pointer to a timespec: not worth a read of user memory */
	return sysno == SYS_EPOLL_PWAIT2 ? -2 : (__s32)argument;
}

/* The thread closes a descriptor: reported if it is an event loop's, or the one that the thread
 * waited on last. Both are forgotten here, so each is reported once. */
static __always_inline int close_descriptor(__u32 fd)
{
	__u64 ts = bpf_ktime_get_ns(), me = bpf_get_current_pid_tgid();
	struct shared_loop_key key = {.tgid = me >> 32, .epfd = fd};
	struct thread_note *note;
	bool waited;

	if (!enabled || !is_target(me >> 32))
		return 0;
	note = note_of((__u32)me);
	waited = note && note->waited_epfd == fd + 1;
	if (waited)
		note->waited_epfd = 0;
	if (bpf_map_delete_elem(&loop_fds, &key) && !waited)
		return 0;
	check_current(ts, (__u32)me);

	struct ev_epoll_close record = {.hdr = HDR(EPOLL_CLOSE, ts, (__u32)me, 0, 0), .epfd = fd};
	emit(&record, sizeof(record));
	return 0;
}

/* A loop that always has something to do never sleeps in its wait, which is where sched.bpf.c finds
 * out that the thread runs it. */
static __always_inline void note_loop(struct thread_note *note, __u32 tgid, __u32 epfd)
{
	struct shared_loop_key key = {.tgid = tgid, .epfd = epfd};

	if (!note->runs_loop && bpf_map_lookup_elem(&loop_fds, &key))
		note->runs_loop = 1;
}

static __always_inline int enter_wait(long sysno, __u64 epfd, __u64 timeout)
{
	struct thread_note *note;
	__u64 ts, me;

	if (!enabled)
		return 0;
	ts = bpf_ktime_get_ns();
	me = bpf_get_current_pid_tgid();
	if (!is_target(me >> 32))
		return 0;
	check_current(ts, (__u32)me);
	note = note_of((__u32)me);
	if (note) {
		note->epfd = note->waited_epfd = (__u32)epfd + 1;
		note_loop(note, me >> 32, (__u32)epfd);
	}

	struct ev_epoll_enter record = {.hdr = HDR(EPOLL_ENTER, ts, (__u32)me, 0, 0),
					.epfd = (__u32)epfd,
					.timeout_ms = timeout_ms(sysno, timeout)};
	emit(&record, sizeof(record));
	return 0;
}

static __always_inline int leave_wait(__u64 epfd, long ret)
{
	struct thread_note *note;
	__u64 ts, me;

	if (!enabled)
		return 0;
	ts = bpf_ktime_get_ns();
	me = bpf_get_current_pid_tgid();
	if (!is_target(me >> 32))
		return 0;
	check_current(ts, (__u32)me);
	note = note_of((__u32)me);
	if (note)
		note->epfd = 0;

	struct ev_epoll_exit record = {.hdr = HDR(EPOLL_EXIT, ts, (__u32)me, 0, 0),
				       .epfd = (__u32)epfd,
				       .ret = (__s32)ret};
	emit(&record, sizeof(record));
	return 0;
}

static __always_inline int enter(long sysno, __u64 argument0, __u64 argument3)
{
	if (is_epoll_wait(sysno))
		return enter_wait(sysno, argument0, argument3);
	return sysno == SYS_CLOSE ? close_descriptor((__u32)argument0) : 0;
}

/* dup2 and dup3 close the descriptor whose number they return, unless both numbers are the same.
 * Reported on success only. */
static __always_inline int leave(long sysno, __u64 argument0, long ret)
{
	if (is_epoll_wait(sysno))
		return leave_wait(argument0, ret);
	return (sysno == SYS_DUP2 || sysno == SYS_DUP3) && ret >= 0 &&
			       (__u32)ret != (__u32)argument0
		       ? close_descriptor((__u32)ret)
		       : 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs *regs, long sysno)
{
	return enter(sysno, ARG0(regs), ARG3(regs));
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	return leave(SYSNO(regs), ARG0(regs), ret);
}

/* Contents of the perf events: events/raw_syscalls/sys_enter/format and sys_exit/format in
 * tracefs. */
struct sys_enter_event {
	__u64 common;
	long sysno;
	__u64 arguments[6];
};

struct sys_exit_event {
	__u64 common;
	long sysno, ret;
};

SEC("tp/raw_syscalls/sys_enter")
int on_sys_enter_event(const struct sys_enter_event *event)
{
	return enter(event->sysno, event->arguments[0], event->arguments[3]);
}

SEC("tp/raw_syscalls/sys_exit")
int on_sys_exit_event(const struct sys_exit_event *event)
{
	const struct pt_regs *regs;

	if (!is_epoll_wait(event->sysno) && event->sysno != SYS_DUP2 && event->sysno != SYS_DUP3)
		return 0;
	regs = (const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	return leave(event->sysno, ARG0(regs), event->ret);
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
