/* SPDX-License-Identifier: MIT */
#include "diagnosis/diagnosis.h"

#include <string.h>

#include "base/sysname.h"

/* What a blocking call usually means in Python code, by the system call that it ends in. */
static const struct blocking {
	const char *names; /* blank-separated */
	const char *remedy;
} BLOCKING[] = {
	{"futex futex_wait futex_waitv", "a lock, a queue or another thread's result is waited "
					 "for: use asyncio's own primitives, or wait in a thread"},
	{"clock_nanosleep nanosleep", "time.sleep() in a handler: use `await asyncio.sleep()`"},
	{"fsync fdatasync sync syncfs msync sync_file_range",
	 "a handler waits for the disk to have written: do it in a thread (asyncio.to_thread)"},
	{"read pread64 readv preadv preadv2 write pwrite64 writev pwritev pwritev2 openat open "
	 "stat newfstatat statx getdents64 unlink unlinkat rename "
	 "renameat renameat2 mkdir mkdirat ftruncate sendfile copy_file_range splice",
	 "a handler reads or writes a file or a pipe: do it in a thread (asyncio.to_thread)"},
	{"poll ppoll select pselect6 recvfrom recvmsg recvmmsg sendto sendmsg sendmmsg connect "
	 "accept accept4",
	 "a blocking client or driver in a handler: use its async counterpart, or call it in a "
	 "thread (asyncio.to_thread)"},
	{"wait4 waitid",
	 "a handler waits for a child process: use asyncio.create_subprocess_exec()"},
	{"flock fcntl", "a handler waits for a file lock: wait in a thread (asyncio.to_thread)"},
	{"epoll_wait epoll_pwait epoll_pwait2",
	 "a handler waits in a poll of its own: await instead, or run it in a thread"},
};

/* Without the GIL, PyMutex and stop-the-world wait by the same futexes as locks (CPython's
 * Python/parking_lot.c). */
static const char FUTEX_WITHOUT_GIL[] =
	"a lock, a queue or another thread's result is waited for, or, with the GIL off, an object "
	"that another thread changes, or a garbage collection that stops "
	"all threads. For the former use asyncio's own primitives, or wait in a thread; for the "
	"latter share fewer objects with other threads";

static bool listed(const char *names, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = names; (at = strstr(at, name)); at += length)
		if ((at == names || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return true;
	return false;
}

/* NULL: no advice for such calls. */
static const char *blocking_remedy(const struct process *process, const char *name)
{
	if (strncmp(name, "futex", 5) == 0 && !process->info.gil_enabled)
		return FUTEX_WITHOUT_GIL;
	for (size_t i = 0; i < sizeof(BLOCKING) / sizeof(BLOCKING[0]); i++)
		if (listed(BLOCKING[i].names, name))
			return BLOCKING[i].remedy;
	return NULL;
}

/* The handler may have had most of the stall without being its cause. */
static bool handler_did_it(const struct stall *stall)
{
	uint64_t ns = 0;

	for (uint32_t i = 0; i < stall->part_count; i++)
		if (stall->parts[i].handler.role == stall->handler.role &&
		    stall->parts[i].handler.frame.function == stall->handler.frame.function)
			ns += stall->parts[i].states.ns[stall->cause];
	return stall->handler.role != HANDLER_NONE && ns * 2 >= stall->what.states.ns[stall->cause];
}

static void add_subject(struct text_buffer *text, const struct report *report,
			const struct stall *stall)
{
	if (handler_did_it(stall))
		text_add_frame(text, report, &stall->handler.frame);
	else
		text_add(text, "A handler");
}

static void add_in_handler(struct text_buffer *text, const struct report *report,
			   const struct stall *stall)
{
	if (!handler_did_it(stall))
		return;
	text_add(text, " in ");
	text_add_frame(text, report, &stall->handler.frame);
}

static void add_blocked(struct text_buffer *text, const struct report *report,
			const struct process *process, const struct stall *stall)
{
	const struct breakdown *what = &stall->what;
	int32_t sysno = what->syscall_count ? what->syscalls[0].sysno : SYSNO_UNKNOWN;
	const char *name = sysname(process->info.machine, sysno);
	const char *remedy = name ? blocking_remedy(process, name) : NULL;

	if (remedy) {
		text_add(text, "%s", name);
		add_in_handler(text, report, stall);
		text_add(text, ": %s.", remedy);
		return;
	}
	if (sysno == SYSNO_NONE) {
		text_add(text, "The loop slept outside of system calls: page faults on memory that "
			       "had to be read from disk or swap. Give the process more "
			       "memory, or touch mapped files in a thread.");
		return;
	}
	add_subject(text, report, stall);
	text_add(text, " makes a blocking call (");
	text_add_syscall(text, process, sysno);
	text_add(text, "): use the async equivalent, or call it in a thread (asyncio.to_thread).");
}

/* Nothing in the process is to blame, so there is nothing to change in it: the reader has to find
 * out who stopped it, and why. */
static void add_stopped(struct text_buffer *text, enum stop_kind kind, uint64_t ns)
{
	static const char *const who[STOP_KINDS] = {
		[STOP_SIGNAL] = "by a signal (SIGSTOP, SIGTSTP): look for who sent it, such as a "
				"supervisor, a script that pauses it, or Ctrl-Z in a terminal",
		[STOP_TRACER] = "by whoever traces it (gdb, strace or the like; TracerPid in "
				"/proc/PID/status while it lasts)",
		[STOP_FREEZER] = "by the freezer (docker pause, systemctl freeze, cgroup.freeze, a "
				 "suspended system)",
	};

	text_add(text, " was stopped from outside for ");
	text_add_duration(text, ns);
	text_add(text, " %s. It is nothing that its code did.", who[kind]);
}

static void add_gil_wait(struct text_buffer *text, const struct report *report,
			 const struct breakdown *what)
{
	struct state_sums by_state = {0};
	enum stop_kind kind;

	for (uint32_t i = 0; i < what->blocker_count; i++)
		for (int s = 0; s < TS_COUNT; s++)
			by_state.ns[s] += what->blockers[i].states.ns[s];
	/* a thread that had it for a part must not be blamed for the whole */
	if (!breakdown_holders_known(what)) {
		text_add(text, "Other threads had the GIL; which ones is not known%s.",
			 what->blocker_count ? " for most of that time" : "");
		return;
	}
	if (blocker_is_stopped(&what->blockers[0], &kind)) {
		text_add_thread(text, report, what->blockers[0].thread);
		text_add(text, " had the GIL and");
		add_stopped(text, kind, what->blockers[0].stop_ns[kind]);
		return;
	}
	if (what->blockers[0].handler.role != HANDLER_NONE) {
		text_add_frame(text, report, &what->blockers[0].handler.frame);
		text_add(text, " in ");
	}
	text_add_thread(text, report, what->blockers[0].thread);
	switch (state_sums_largest(&by_state)) {
	case TS_HELD_BLOCKED:
		text_add(text, " kept the GIL while it slept: release it around that call "
			       "(Py_BEGIN_ALLOW_THREADS), or move the work to another process.");
		break;
	case TS_HELD_RUNNABLE:
		text_add(text, " had the GIL but no CPU: give the process more CPU, or run fewer "
			       "threads than CPUs.");
		break;
	case TS_UNKNOWN:
		text_add(text, " had the GIL all the while; whether it ran or slept is not known, "
			       "for the kernel did not tell all of its switches. If that code "
			       "sleeps, release the GIL around the call (Py_BEGIN_ALLOW_THREADS); "
			       "if it computes, move it to a process pool.");
		break;
	default:
		text_add(text, " ran Python, or C code that keeps the GIL, while the loop waited: "
			       "move that work to a process pool, take smaller steps, or "
			       "release the GIL in the extension. More threads make it worse.");
	}
}

static void add_no_cpu(struct text_buffer *text, const struct process *process,
		       const struct breakdown *what)
{
	const struct cpu_share *first = what->preempted_by_count && what->preempted_by[0].tid
						? &what->preempted_by[0]
						: NULL;
	uint64_t waited = what->states.ns[TS_RUNNABLE] + what->states.ns[TS_HELD_RUNNABLE];

	if (what->throttled_ns * 2 > waited) {
		text_add(text, "The cgroup's CPU quota was used up: raise it (cpu.max, a "
			       "container's CPU limit), or run fewer workers and threads in it.");
		return;
	}
	text_add(text, "The loop was ready and got no CPU");
	if (first && first->tid != TID_OTHERS) {
		text_add(text, "; ");
		text_add_occupant(text, process, first);
		text_add(text, " had it");
	}
	if (first && first->pid == process->info.pid)
		text_add(text, ": run fewer threads, or give the process more CPUs.");
	else
		text_add(text, ": give the process more CPU, or keep its neighbours off it "
			       "(cpuset, nice).");
}

static void add_garbage(struct text_buffer *text, const struct stall *stall)
{
	if (stall->what.gc_ns * 2 > stall->end - stall->start)
		text_add(text, " Most of it was garbage collection: call gc.freeze() when "
			       "everything is loaded, raise gc.set_threshold(), or make "
			       "fewer objects that refer to each other.");
}

static void add_native(struct text_buffer *text, const struct report *report,
		       const struct process *process, const struct stall *stall)
{
	add_subject(text, report, stall);
	if (process->info.gil_enabled) {
		text_add(text, " ran C code without the GIL, or a long system call, on the loop: "
			       "call that through run_in_executor() (asyncio.to_thread), "
			       "it then runs beside the loop.");
		return;
	}
	text_add(text, " ran too long on the loop: split it up with awaits, or call it "
		       "through run_in_executor() (asyncio.to_thread); with the "
		       "GIL off, Python code runs beside the loop, too.");
	add_garbage(text, stall);
}

static void add_held_blocked(struct text_buffer *text, const struct report *report,
			     const struct process *process, const struct stall *stall)
{
	const struct breakdown *what = &stall->what;

	if (what->syscall_count && what->syscalls[0].sysno == SYSNO_GIL) {
		text_add(text, "The loop could not let go of the GIL, for others that want it "
			       "had its mutex: run fewer threads, or give the process more CPU.");
		return;
	}
	text_add_syscall(text, process,
			 what->syscall_count ? what->syscalls[0].sysno : SYSNO_UNKNOWN);
	add_in_handler(text, report, stall);
	text_add(text, ": a call slept with the GIL, so no thread could run. The extension "
		       "must release the GIL around it "
		       "(Py_BEGIN_ALLOW_THREADS); only then does it help to move the call "
		       "to a thread.");
}

void remedy_add(struct text_buffer *text, const struct report *report,
		const struct process *process, const struct stall *stall)
{
	const struct breakdown *what = &stall->what;
	enum stop_kind kind;

	if (breakdown_is_stopped(what, &kind)) {
		text_add(text, "The process");
		add_stopped(text, kind, what->stop_ns[kind]);
		return;
	}
	switch (stall->cause) {
	case TS_PYTHON:
		add_subject(text, report, stall);
		text_add(text, " ran Python, or C code that keeps the GIL, for too long: split it "
			       "up with awaits, or move it to a process pool. A thread would "
			       "only move the stall to the wait for the GIL.");
		add_garbage(text, stall);
		break;
	case TS_NATIVE:
		add_native(text, report, process, stall);
		break;
	case TS_GIL_WAIT:
		add_gil_wait(text, report, what);
		break;
	case TS_HELD_BLOCKED:
		add_held_blocked(text, report, process, stall);
		break;
	case TS_HELD_RUNNABLE:
	case TS_RUNNABLE:
		add_no_cpu(text, process, what);
		break;
	case TS_BLOCKED:
		add_blocked(text, report, process, stall);
		break;
	default:
		if (process->sites_fault)
			text_add(text, "The GIL was not seen as it must be, and would not be "
				       "another time; how to report that is below.");
		else
			text_add(text, "Evidence is missing: observe again, with less load on the "
				       "machine or for a shorter time.");
	}
}
