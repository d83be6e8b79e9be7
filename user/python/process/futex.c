/* SPDX-License-Identifier: MIT */
#include "python/process/futex.h"

#include <linux/futex.h>

#include "python/process/memory.h"

/* bpf/lock.bpf.h, which does the same while it happens, says where the C libraries have these. */
struct futex_words {
	uint32_t value, second;
};
struct mutex_words {
	uint32_t owner, users, kind;
};
struct musl_words {
	uint32_t kind, value, waiters;
};
enum { WAITED_FOR = 2, FUTEX_WAITERS_MAX = 1 << 16, TID_MAX = 1 << 22, KIND_MAX = 1 << 10 };
enum { KIND_RECURSIVE = 1, KIND_ERRORCHECK = 2, KIND_SHARED = 128 };
#define VALUE_WAITED_FOR (1u << 31)

static void look_at_musl(pid_t pid, struct ev_futex *event)
{
	struct musl_words words;
	uint32_t kind, owner;

	if (memory_read(pid, event->address - sizeof(words.kind), &words, sizeof(words)) ||
	    !words.waiters || words.waiters >= FUTEX_WAITERS_MAX)
		return;
	kind = words.kind & ~(uint32_t)KIND_SHARED;
	owner = words.value & ~VALUE_WAITED_FOR;
	if (words.value == VALUE_WAITED_FOR || words.value == UINT32_MAX) {
		event->hdr.flags |= EVF_FUTEX_SEMAPHORE;
	} else if ((kind == KIND_RECURSIVE || kind == KIND_ERRORCHECK) && owner &&
		   owner <= TID_MAX) {
		event->hdr.flags |= EVF_FUTEX_MUTEX;
		event->other = owner;
	}
}

void futex_look(pid_t pid, uint64_t address, uint64_t operation, bool musl, struct ev_futex *event)
{
	struct futex_words words;
	struct mutex_words mutex;

	event->address = address;
	if (musl) {
		look_at_musl(pid, event);
		return;
	}
	if (memory_read(pid, address, &words, sizeof(words)))
		return;
	if (!words.value && words.second && words.second < FUTEX_WAITERS_MAX && address % 8 == 0)
		event->hdr.flags |= EVF_FUTEX_SEMAPHORE;
	if (words.value != WAITED_FOR || (operation & FUTEX_CMD_MASK) != FUTEX_WAIT ||
	    memory_read(pid, address + sizeof(words), &mutex, sizeof(mutex)))
		return;
	if (!mutex.owner || mutex.owner > TID_MAX || !mutex.users || mutex.kind >= KIND_MAX)
		return;
	event->hdr.flags |= EVF_FUTEX_MUTEX;
	event->other = mutex.owner;
}
