/* SPDX-License-Identifier: MIT */
#include "python/process/futex.h"

#include <linux/futex.h>

#include "python/process/memory.h"

/* bpf/lock.bpf.h, which does the same while it happens, says where glibc has these. */
struct futex_words {
	uint32_t value, second;
};
struct mutex_words {
	uint32_t owner, users, kind;
};
enum { WAITED_FOR = 2, SEMAPHORE_WAITERS_MAX = 1 << 16, TID_MAX = 1 << 22, KIND_MAX = 1 << 10 };

void futex_look(pid_t pid, uint64_t address, uint64_t operation, struct ev_futex *event)
{
	struct futex_words words;
	struct mutex_words mutex;

	event->address = address;
	if (memory_read(pid, address, &words, sizeof(words)))
		return;
	if (!words.value && words.second && words.second < SEMAPHORE_WAITERS_MAX &&
	    address % 8 == 0)
		event->hdr.flags |= EVF_FUTEX_SEMAPHORE;
	if (words.value != WAITED_FOR || (operation & FUTEX_CMD_MASK) != FUTEX_WAIT ||
	    memory_read(pid, address + sizeof(words), &mutex, sizeof(mutex)))
		return;
	if (!mutex.owner || mutex.owner > TID_MAX || !mutex.users || mutex.kind >= KIND_MAX)
		return;
	event->hdr.flags |= EVF_FUTEX_MUTEX;
	event->other = mutex.owner;
}
