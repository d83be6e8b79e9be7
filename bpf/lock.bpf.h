/* SPDX-License-Identifier: Dual MIT/GPL */
/*
 * lock.bpf.h - who had the lock: on which futex a thread sleeps that holds others up, since it runs
 * an event loop or has the GIL, and who wakes it there. Part of sched.bpf.c.
 *
 * A wake-up counts only if the waker is inside a system call that wakes the sleepers of that very
 * futex. Time-outs, signals and interrupts do not: the task that happens to run then has nothing
 * to do with it.
 */
#ifndef GILSCOPE_LOCK_BPF_H
#define GILSCOPE_LOCK_BPF_H

#include "pystack.bpf.h"

enum { HELD_UP_NS = 1000000 }; /* shorter sleeps are not described further */

/* Threads whose notes have a futex: the first number. While there are none, as nearly always, a
 * wake-up on this machine costs one comparison. It is written with every such sleep, so it has a
 * cache line of its own; `enabled`, say, is read by every probe on every CPU. */
extern unsigned int sleepers[16];

/* linux/futex.h */
enum {
	FUTEX_COMMAND = 0x7f,
	FUTEX_WAIT = 0,
	FUTEX_WAKE = 1,
	FUTEX_REQUEUE = 3,
	FUTEX_CMP_REQUEUE = 4,
	FUTEX_WAKE_OP = 5,
	FUTEX_LOCK_PI = 6,
	FUTEX_UNLOCK_PI = 7,
	FUTEX_WAIT_BITSET = 9,
	FUTEX_WAKE_BITSET = 10,
	FUTEX_LOCK_PI2 = 13
};
#if defined(__TARGET_ARCH_x86)
enum { SYS_FUTEX = 202 };
#else
enum { SYS_FUTEX = 98 };
#endif
enum { SYS_FUTEX_WAKE = 454, SYS_FUTEX_WAIT = 455 }; /* since 6.7, on all architectures */

static __always_inline bool has_musl(__u32 tgid)
{
	const struct shared_target *target = target_of(tgid);

	return target && target->gil.waiters != GIL_NO_FIELD;
}

static __always_inline bool is_futex(__s32 sysno)
{
	return sysno == SYS_FUTEX || sysno == SYS_FUTEX_WAIT;
}

static __always_inline bool waits_on_futex(__s32 sysno, __u64 operation)
{
	__u32 command = operation & FUTEX_COMMAND;

	if (sysno != SYS_FUTEX)
		return sysno == SYS_FUTEX_WAIT;
	return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET || command == FUTEX_LOCK_PI ||
	       command == FUTEX_LOCK_PI2;
}

static __always_inline bool wakes_futex(__s32 sysno, __u64 operation)
{
	__u32 command = operation & FUTEX_COMMAND;

	if (sysno != SYS_FUTEX)
		return sysno == SYS_FUTEX_WAKE;
	return command == FUTEX_WAKE || command == FUTEX_WAKE_BITSET || command == FUTEX_WAKE_OP ||
	       command == FUTEX_REQUEUE || command == FUTEX_CMP_REQUEUE ||
	       command == FUTEX_UNLOCK_PI;
}

/*
 * What glibc keeps at a futex. A mutex (sysdeps/nptl/bits/struct_mutex.h) begins with its lock
 * word, 2 when somebody waits, the depth of recursion, the owner's gettid(), a count of users and
 * its kind. A semaphore (sysdeps/nptl/internaltypes.h) is its value and the number of waiters,
 * aligned to 8 bytes. Who waits for a mutex without a limit does so by FUTEX_WAIT.
 */
static __always_inline void look_at_futex(struct ev_futex *record, __u64 operation)
{
	struct {
		__u32 value, second;
	} words = {};
	struct {
		__u32 owner, users, kind;
	} mutex = {};

	if (bpf_probe_read_user(&words, sizeof(words), (void *)record->address))
		return;
	if (!words.value && words.second && words.second < 1 << 16 && !(record->address % 8))
		record->hdr.flags |= EVF_FUTEX_SEMAPHORE;
	if (words.value != 2 || (operation & FUTEX_COMMAND) != FUTEX_WAIT ||
	    bpf_probe_read_user(&mutex, sizeof(mutex), (void *)(record->address + sizeof(words))))
		return;
	if (!mutex.owner || mutex.owner > 1 << 22 || !mutex.users || mutex.kind >= 1 << 10)
		return;
	record->hdr.flags |= EVF_FUTEX_MUTEX;
	record->other = mutex.owner;
}

/*
 * The same for musl (src/internal/pthread_impl.h). While somebody waits, the value of a semaphore
 * is INT_MIN (up to 1.2.3: -1). The futex of a mutex is its second word, between its kind and the
 * number of waiters: if it is recursive or checks for errors, the owner's gettid(), with a flag
 * above it unless the mutex was handed on. Other mutexes have no owner.
 */
enum { MUSL_RECURSIVE = 1, MUSL_ERRORCHECK = 2, MUSL_SHARED = 128 };
#define MUSL_WAITED_FOR (1u << 31)

static __always_inline void look_at_musl_futex(struct ev_futex *record)
{
	struct {
		__u32 kind, value, waiters;
	} words = {};
	__u32 kind, owner;

	if (bpf_probe_read_user(&words, sizeof(words),
				(void *)(record->address - sizeof(words.kind))) ||
	    !words.waiters || words.waiters >= 1 << 16)
		return;
	kind = words.kind & ~MUSL_SHARED;
	owner = words.value & ~MUSL_WAITED_FOR;
	if (words.value == MUSL_WAITED_FOR || words.value == ~0u) {
		record->hdr.flags |= EVF_FUTEX_SEMAPHORE;
	} else if ((kind == MUSL_RECURSIVE || kind == MUSL_ERRORCHECK) && owner &&
		   owner <= 1 << 22) {
		record->hdr.flags |= EVF_FUTEX_MUTEX;
		record->other = owner;
	}
}

/* Who wakes the thread on this futex is of interest from now on. */
static __always_inline void watch_futex(__u64 ts, struct thread_note *note, __u64 address)
{
	if (!note->futex)
		__sync_fetch_and_add(sleepers, 1);
	/* before the address, which on_waking on another CPU goes by */
	note->ts_futex = ts;
	asm volatile("" ::: "memory");
	note->futex = address;
}

/* The current task goes to sleep on a futex. */
static __always_inline void sleep_on_futex(__u64 ts, struct thread_note *note, __u32 tid,
					   __u64 address, __u64 operation)
{
	struct ev_futex record = {.hdr = HDR(FUTEX, ts, tid, 0, 0), .address = address};

	watch_futex(ts, note, address);
	if (has_musl(my_ids() >> 32))
		look_at_musl_futex(&record);
	else
		look_at_futex(&record, operation);
	emit(&record, sizeof(record));
}

/*
 * Python's own locks (Python/lock.c) are a byte; who waits for one sleeps on a semaphore in an
 * entry on its own stack (Python/parking_lot.c, _PyParkingLot_Park()):
 *
 *	struct wait_entry {
 *		void *park_arg;
 *		uintptr_t addr;		what it waits for
 *		_PySemaphore sema;	a sem_t, 32 bytes, whose first word is the futex
 *		struct llist_node node;	next, prev
 *		bool is_unparking;
 *	};
 *
 * That the neighbours in the list point back to it proves that this is one; other semaphores are
 * in no such list. Not while the list changes: then the sleep is that of any semaphore.
 */
static __always_inline __u64 parked_on(__u64 futex)
{
	struct {
		__u64 next, prev;
	} node = {};
	__u64 at = futex + 32;

	if (futex % 8 || bpf_probe_read_user(&node, sizeof(node), (void *)at) ||
	    read_word(node.prev) != at || read_word(node.next + 8) != at)
		return 0;
	return read_word(futex - 8);
}

/*
 * A thread that waits to enter a critical section has pushed it, without its mutex
 * (Python/critical_section.c, _PyCriticalSection_BeginSlow(); the low two bits of the pointer are
 * tags).
 */
static __always_inline bool enters_critical(const struct shared_python *python, __u64 tstate)
{
	__u64 section = read_word(tstate + python->layout.tstate_critical) & ~3ull, mutex = 1;

	return section && !bpf_probe_read_user(&mutex, sizeof(mutex), (void *)(section + 8)) &&
	       !mutex;
}

/* The current thread, with this state, goes to sleep on a futex. What of PARK is to be said of it;
 * its type is 0 if nothing is. */
static __always_inline void look_at_park(struct ev_park *record, __u64 futex, __u64 tstate)
{
	__u32 tgid = my_ids() >> 32;
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &tgid);
	__u8 bits = 0;

	if (!python || !python->layout.parks)
		return;
	record->address = parked_on(futex);
	if (!record->address)
		return;
	record->hdr.type = EV_PARK;
	if (python->layout.tstate_state != STACK_NONE && tstate) {
		if (record->address == tstate + python->layout.tstate_state)
			record->hdr.flags = EVF_PARK_SUSPENDED;
		else if (enters_critical(python, tstate))
			record->hdr.flags = EVF_PARK_CRITICAL;
	}
	bpf_probe_read_user(&bits, sizeof(bits), (void *)record->address);
	if (!(record->hdr.flags & EVF_PARK_SUSPENDED) && (bits & 3) == 3)
		record->hdr.flags |= EVF_PARK_MUTEX;
}

/* The thread does not sleep on a futex any more, if it did. `note` may be NULL. */
static __always_inline void leave_futex(struct thread_note *note)
{
	if (!note || !note->futex)
		return;
	note->futex = 0;
	__sync_fetch_and_add(sleepers, -1);
}

/* The current task wakes the thread with this note. */
static __always_inline void tell_waker(__u64 ts, __u32 tid, __u64 address)
{
	__u32 me = (__u32)my_ids();
	struct ev_futex record = {
		.hdr = HDR(FUTEX, ts, tid, 0, EVF_FUTEX_WOKEN), .address = address, .other = me};
	__u64 tstate;

	check_current(ts, me);
	if (stack_kinds & EVF_STACK_WAKES) {
		tstate = pystack_current(ts, 0);
		if (tstate)
			pystack_send(ts, tstate, EVF_STACK_WAKES, 0, 0);
	}
	emit(&record, sizeof(record));
}

#endif
