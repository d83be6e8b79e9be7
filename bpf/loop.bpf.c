// SPDX-License-Identifier: Dual MIT/GPL
/*
 * loop.bpf.c - the waits of event loops: when a thread enters epoll_wait, epoll_pwait or
 * epoll_pwait2, and when it closes the descriptor. Seen in one of two ways:
 *
 * Uprobes in the C library of the process (user/python/elf/libc.h). Nobody else pays for them.
 * They report no return (EPOLL_ENTER `alone`): of a wait that slept the wake-up says when it ended,
 * and one that did not is over at once.
 *
 * Without such a library, the tracepoints of all system calls of the machine, filtered by number
 * first. They are attached in one of two ways. Raw tracepoints need no tracefs and cost other calls
 * a few nanoseconds. But a tracing program does not nest on a CPU (kernel/trace/bpf_trace.c,
 * __bpf_trace_run), and since 7.2 preemption stays enabled while it runs
 * (include/linux/tracepoint.h, tracepoint_srcu): thread A is preempted inside the program, thread B
 * makes a system call on the same CPU, and B's events are skipped and only counted
 * (bpf_prog_info.recursion_misses). The perf events of the same tracepoints disable preemption
 * (include/trace/perf.h); those of individual calls do not (trace_call_bpf_faultable). On such
 * kernels the perf events are used, if tracefs says what their numbers are.
 */
#include "entry.bpf.h"
#include "pystack.bpf.h"
#include "file.bpf.h"

#if defined(__TARGET_ARCH_x86)
enum { SYS_CLOSE = 3, SYS_DUP2 = 33, SYS_DUP3 = 292 };
#define ARG0(regs)  ((regs)->di)
#define ARG3(regs)  ((regs)->r10)
#define SYSNO(regs) ((long)(regs)->orig_ax)
#else
enum { SYS_CLOSE = 57, SYS_DUP2 = -2, SYS_DUP3 = 24 };
#define ARG0(regs)  ((regs)->orig_x0)
#define ARG3(regs)  ((regs)->regs[3])
#define SYSNO(regs) ((long)(regs)->syscallno)
#endif

static __always_inline __s32 timeout_ms(long sysno, __u64 argument)
{
	/* epoll_pwait2 has a pointer to a timespec: not worth a read of user memory */
	return sysno == SYS_EPOLL_PWAIT2 ? TIMEOUT_UNKNOWN : (__s32)argument;
}

/* The thread closes a descriptor: reported if it is an event loop's, or the one that the thread
 * waited on last. Both are forgotten here, so each is reported once. */
static __always_inline int close_descriptor(__u32 fd)
{
	__u64 ts = bpf_ktime_get_ns(), me = my_ids();
	struct shared_loop_key key = {.tgid = me >> 32, .epfd = fd};
	struct thread_note *note;
	bool waited;

	if (!enabled || !is_target(me >> 32))
		return 0;
	note = note_of((__u32)me);
	waited = note && note->waited_epfd == fd + 1;
	if (waited)
		note->waited_epfd = note->epfd = 0;
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

static __always_inline void enter_wait(__u64 ts, __u64 me, __u32 epfd, __s32 timeout, __u8 flags)
{
	struct thread_note *note;

	check_current(ts, (__u32)me);
	note = note_of((__u32)me);
	if (note) {
		note->epfd = note->waited_epfd = epfd + 1;
		note_loop(note, me >> 32, epfd);
	}
	emit_enter(ts, (__u32)me, epfd, timeout, flags);
}

/* ── seen by system calls ────────────────────────────────────────────────── */

/* A target whose waits are not seen otherwise. */
static __always_inline bool is_traced(__u32 tgid)
{
	const struct shared_target *target = enabled ? bpf_map_lookup_elem(&targets, &tgid) : 0;

	return target && !target->waits_probed;
}

static __always_inline int leave_wait(__u64 epfd, long ret)
{
	__u64 ts = bpf_ktime_get_ns(), me = my_ids();
	struct thread_note *note;

	if (!is_traced(me >> 32))
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
	__u64 ts, me;

	if (!is_epoll_wait(sysno) && sysno != SYS_CLOSE)
		return 0;
	ts = bpf_ktime_get_ns();
	me = my_ids();
	if (!is_traced(me >> 32))
		return 0;
	if (sysno == SYS_CLOSE)
		return close_descriptor((__u32)argument0);
	enter_wait(ts, me, (__u32)argument0, timeout_ms(sysno, argument3), 0);
	return 0;
}

/* dup2 and dup3 close the descriptor whose number they return, unless both numbers are the same.
 * Reported on success only. */
static __always_inline int leave(long sysno, __u64 argument0, long ret)
{
	if (is_epoll_wait(sysno))
		return leave_wait(argument0, ret);
	if ((sysno != SYS_DUP2 && sysno != SYS_DUP3) || ret < 0 || (__u32)ret == (__u32)argument0 ||
	    !is_traced(my_ids() >> 32))
		return 0;
	return close_descriptor((__u32)ret);
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

/* ── seen in the C library ───────────────────────────────────────────────── */

static __always_inline bool is_open_epoll(__u32 fd)
{
	static const char epoll[12] = "[eventpoll]";
	struct file *file = file_of(fd);
	char name[sizeof(epoll)] = {};

	if (!file)
		return false;
	bpf_probe_read_kernel_str(name, sizeof(name),
				  BPF_CORE_READ(file, f_path.dentry, d_name.name));
	for (__u32 i = 0; i < sizeof(epoll); i++)
		if (name[i] != epoll[i])
			return false;
	return true;
}

static __always_inline bool is_of_loop(__u64 me, __u32 fd)
{
	struct shared_loop_key key = {.tgid = me >> 32, .epfd = fd};
	const struct thread_note *note = note_of((__u32)me);

	return (note && note->waited_epfd == fd + 1) || bpf_map_lookup_elem(&loop_fds, &key);
}

/*
 * dup2, dup3 and syscall. On x86-64 they are probed behind the system call, where its result and
 * its arguments are in registers (but not the number of the call that syscall() has made, so the
 * descriptor is looked at: libuv closes its own that way). On arm64 the first argument is where the
 * result is, so they are probed where they begin.
 */
#if defined(__TARGET_ARCH_x86)
static __always_inline int dup_called(struct pt_regs *ctx)
{
	bool closes = (long)ctx->ax >= 0 && (__u32)ctx->di != (__u32)ctx->si;

	return closes ? close_descriptor((__u32)ctx->si) : 0;
}

static __always_inline int syscall_called(struct pt_regs *ctx, __u64 me)
{
	__u32 fd = (__u32)ctx->di;

	return ctx->ax || !is_of_loop(me, fd) || is_open_epoll(fd) ? 0 : close_descriptor(fd);
}
#else
static __always_inline int dup_called(struct pt_regs *ctx)
{
	__u32 old = (__u32)PT_REGS_PARM1(ctx), new = (__u32)PT_REGS_PARM2(ctx);

	return old != new && file_of(old) ? close_descriptor(new) : 0;
}

static __always_inline int syscall_called(struct pt_regs *ctx, __u64 me)
{
	return PT_REGS_PARM1(ctx) == SYS_CLOSE ? close_descriptor((__u32)PT_REGS_PARM2(ctx)) : 0;
}
#endif

SEC("uprobe")
int libc_called(struct pt_regs *ctx)
{
	__u64 ts = bpf_ktime_get_ns(), me = my_ids(), ip = PT_REGS_IP(ctx);
	const struct shared_target *target;
	__u32 tgid = me >> 32;

	target = target_of(tgid);
	if (!target)
		return 0;
	if (ip == target->calls[LIBC_EPOLL_WAIT] || ip == target->calls[LIBC_EPOLL_PWAIT])
		enter_wait(ts, me, (__u32)PT_REGS_PARM1(ctx), (__s32)PT_REGS_PARM4(ctx),
			   EVF_EPOLL_ENTER_ALONE);
	else if (ip == target->calls[LIBC_EPOLL_PWAIT2])
		enter_wait(ts, me, (__u32)PT_REGS_PARM1(ctx), TIMEOUT_UNKNOWN,
			   EVF_EPOLL_ENTER_ALONE);
	else if (ip == target->calls[LIBC_CLOSE])
		close_descriptor((__u32)PT_REGS_PARM1(ctx));
	else if (ip == target->calls[LIBC_DUP2] || ip == target->calls[LIBC_DUP3])
		dup_called(ctx);
	else if (ip == target->calls[LIBC_SYSCALL])
		syscall_called(ctx, me);
	return 0;
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
