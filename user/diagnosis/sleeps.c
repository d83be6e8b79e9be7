/* SPDX-License-Identifier: MIT */
/* What a sleep usually means in Python code, where the system call is all that is known. */
#include <string.h>

#include "base/sysname.h"
#include "diagnosis/rule.h"

/* What a blocking call usually means in Python code, by the system call that it ends in. */
static const struct blocking {
	const char *names; /* blank-separated */
	const char *advice;
} BLOCKING[] = {
	{"futex futex_wait futex_waitv",
	 "It waits for a lock, a queue or another thread's "
	 "result: use asyncio's own primitives, or wait in a thread"},
	/* time.sleep() is C code, too, and no Python frame distinguishes it from a busy handler */
	{"clock_nanosleep nanosleep",
	 "time.sleep(), or C code that sleeps, such as sqlite3 while another connection has its "
	 "lock: use `await asyncio.sleep()`, or make that call in a thread (asyncio.to_thread)"},
	{"fsync fdatasync sync syncfs msync sync_file_range",
	 "It waits for the disk to have written: do it in a thread (asyncio.to_thread)"},
	{"read pread64 readv preadv preadv2 write pwrite64 writev pwritev pwritev2 openat open "
	 "stat newfstatat statx getdents64 unlink unlinkat rename "
	 "renameat renameat2 mkdir mkdirat ftruncate sendfile copy_file_range splice",
	 "It reads or writes a file or a pipe: do it in a thread (asyncio.to_thread)"},
	{"poll ppoll select pselect6 recvfrom recvmsg recvmmsg sendto sendmsg sendmmsg connect "
	 "accept accept4",
	 "A blocking client or driver: use its async counterpart, or call it in a "
	 "thread (asyncio.to_thread)"},
	{"wait4 waitid", "It waits for a child process: use asyncio.create_subprocess_exec()"},
	{"flock fcntl", "It waits for a file lock: wait in a thread (asyncio.to_thread)"},
	{"epoll_wait epoll_pwait epoll_pwait2",
	 "It waits in a poll of its own: await instead, or run it in a thread"},
};

/* Without the GIL, PyMutex and stop-the-world wait by the same futexes as locks (CPython's
 * Python/parking_lot.c). */
static const char FUTEX_WITHOUT_GIL[] =
	"It waits for a lock, a queue or another thread's result, or, with the GIL off, for an "
	"object that another thread changes, or a garbage collection that stops all threads. For "
	"the former use asyncio's own primitives, or wait in a thread; for the "
	"latter share fewer objects with other threads";

static bool listed(const char *names, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = names; (at = strstr(at, name)); at += length)
		if ((at == names || at[-1] == ' ') && (at[length] == ' ' || !at[length]))
			return true;
	return false;
}

const char *sleep_advice(const struct process *process, int32_t sysno)
{
	const char *name = sysno >= 0 ? sysname(process->info.machine, sysno) : NULL;

	if (!name)
		return NULL;
	if (strncmp(name, "futex", 5) == 0 && !process->info.gil_enabled)
		return FUTEX_WITHOUT_GIL;
	for (size_t i = 0; i < sizeof(BLOCKING) / sizeof(BLOCKING[0]); i++)
		if (listed(BLOCKING[i].names, name))
			return BLOCKING[i].advice;
	return NULL;
}
