// SPDX-License-Identifier: Dual MIT/GPL
/*
 * loop.bpf.c - the waits of event loops: entering and leaving epoll_wait, epoll_pwait and epoll_pwait2; and their end, when the descriptor is closed.
 *
 * The raw tracepoints of all system calls, sifted by number first, because they need no tracefs and cost a few nanoseconds for the other calls. (The perf
 * tracepoints of single system calls skip hits in the same way from 7.2 on: kernel/trace/bpf_trace.c, trace_call_bpf_faultable.)
 */
#include "pystack.bpf.h"

#if defined(__TARGET_ARCH_x86)
enum { SYS_CLOSE = 3, SYS_EPOLL_WAIT = 232, SYS_EPOLL_PWAIT = 281, SYS_EPOLL_PWAIT2 = 441 };
#define ARG0(regs) ((regs)->di)
#define SYSNO(regs) ((long)(regs)->orig_ax)
#else
enum { SYS_CLOSE = 57, SYS_EPOLL_WAIT = -2, SYS_EPOLL_PWAIT = 22, SYS_EPOLL_PWAIT2 = 441 };
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

/*
 * A hit that the kernel skips. Since 6.13 these two tracepoints leave preemption on, while a tracing program still runs once on a CPU at a time
 * (kernel/trace/bpf_trace.c, __bpf_trace_run): thread A is preempted inside of the program, and until A runs again whatever thread B passes on that CPU is
 * skipped and only counted (bpf_prog_info.recursion_misses). So where they are like that each program is there three times, in this order; who finds
 * the hit told already returns. A hit is lost only while one thread is preempted in each of them, and then it is known that it may be (capture.c).
 */
enum { FIRST, SECOND, THIRD };

/* Has another one told that the thread entered (or left) the wait? */
static __always_inline bool is_told(struct thread_note *note, __u32 which, __u8 place)
{
	return which != FIRST && note && note->epoll == place;
}

/* Who closes a descriptor of a loop's has it told no more than once: it is forgotten here. */
static __always_inline int enter_close(__u32 fd)
{
	__u64 ts = bpf_ktime_get_ns(), me = bpf_get_current_pid_tgid();
	struct shared_loop_key key = {.tgid = me >> 32, .epfd = fd};
	struct thread_note *note;
	bool waited;

	if (!is_target(me >> 32))
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

static __always_inline int enter(struct pt_regs *regs, long sysno, __u32 which)
{
	struct thread_note *note;
	__u64 ts, me;

	if (!enabled)
		return 0;
	if (sysno == SYS_CLOSE)
		return enter_close(ARG0(regs));
	if (!is_epoll_wait(sysno))
		return 0;
	ts = bpf_ktime_get_ns();
	me = bpf_get_current_pid_tgid();
	if (!is_target(me >> 32))
		return 0;
	note = note_of((__u32)me);
	if (is_told(note, which, EPOLL_INSIDE))
		return 0;
	check_current(ts, (__u32)me);
	if (note) {
		note->epfd = note->waited_epfd = ARG0(regs) + 1;
		note->epoll = EPOLL_INSIDE;
	}

	struct ev_epoll_enter record = {.hdr = HDR(EPOLL_ENTER, ts, (__u32)me, 0, 0), .epfd = ARG0(regs), .timeout_ms = timeout_ms(regs, sysno)};
	emit(&record, sizeof(record));
	return 0;
}

static __always_inline int leave(struct pt_regs *regs, long ret, __u32 which)
{
	struct thread_note *note;
	__u64 ts, me;

	if (!is_epoll_wait(SYSNO(regs)) || !enabled)
		return 0;
	ts = bpf_ktime_get_ns();
	me = bpf_get_current_pid_tgid();
	if (!is_target(me >> 32))
		return 0;
	note = note_of((__u32)me);
	if (is_told(note, which, EPOLL_OUTSIDE))
		return 0;
	check_current(ts, (__u32)me);
	if (note) {
		note->epfd = 0;
		note->epoll = EPOLL_OUTSIDE;
	}

	struct ev_epoll_exit record = {.hdr = HDR(EPOLL_EXIT, ts, (__u32)me, 0, 0), .epfd = ARG0(regs), .ret = (__s32)ret};
	emit(&record, sizeof(record));
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs *regs, long sysno)
{
	return enter(regs, sysno, FIRST);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter_2, struct pt_regs *regs, long sysno)
{
	return enter(regs, sysno, SECOND);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter_3, struct pt_regs *regs, long sysno)
{
	return enter(regs, sysno, THIRD);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	return leave(regs, ret, FIRST);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit_2, struct pt_regs *regs, long ret)
{
	return leave(regs, ret, SECOND);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit_3, struct pt_regs *regs, long ret)
{
	return leave(regs, ret, THIRD);
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
