/* SPDX-License-Identifier: Dual MIT/GPL */
/*
 * handoff.bpf.h - the drop of a GIL that somebody waits for, seen without a probe on drop_gil.
 *
 * drop_gil signals gil->cond with the GIL's mutex held (Python/ceval_gil.h, drop_gil). When a
 * thread sleeps there, pthread_cond_signal() wakes it by a futex call, in whose context
 * sched_waking is reported. Somebody else's wake-up of a waiter is something else: a timer's ends
 * the switch interval; the mutex's, with which the wait ends, has another futex; a waiter that
 * passes a signal on (nptl/pthread_cond_wait.c) waits itself.
 *
 * A waiter that is on its way into its sleep, or out of it, is not woken, and the drop is not seen
 * (docs/model.md#partial-gils-mode-edges).
 */
#ifndef GILSCOPE_HANDOFF_BPF_H
#define GILSCOPE_HANDOFF_BPF_H

#include "lock.bpf.h"

enum { GIL_FUTEX_PLACE = 8 }; /* find_gil_futex(): above the flags of an event */

/* gil.bpf.c */
extern __u32 find_gil_futex(__u32 tgid, __u64 address, bool waits);

/* A sleep on a futex of a GIL's: sets its flags, and *ret_gil, the address of that GIL (else 0). */
static __always_inline void mark_gil_futex(struct ev_switch_out *record, __u32 tgid, __u64 address,
					   bool waits, __u64 *ret_gil)
{
	__u32 found = find_gil_futex(tgid, address, waits), place = found >> GIL_FUTEX_PLACE;
	struct shared_gil_list *list;

	*ret_gil = 0;
	if (!found)
		return;
	list = bpf_map_lookup_elem(&gil_lists, &tgid);
	if (!list || place >= SHARED_GIL_LIST_MAX)
		return;
	record->hdr.flags |= (__u8)found;
	record->gil = list->gils[place].index;
	*ret_gil = list->gils[place].address;
}

/* Whether a drop request is set for the thread that is dropping this GIL (and still is
 * last_holder). */
static __always_inline bool drop_requested(const struct shared_gil *gil)
{
	__u64 tstate = 0, word = gil->drop_request;
	__u32 request = 0;

	if (gil->drop_request_kind == DROP_REQUEST_UNKNOWN)
		return false;
	if (gil->drop_request_kind != DROP_REQUEST_ADDRESS) {
		if (bpf_probe_read_user(&tstate, sizeof(tstate),
					(void *)(gil->address + gil->layout.last_holder)))
			return false;
		if (gil->drop_request_kind == DROP_REQUEST_INTERP &&
		    bpf_probe_read_user(&tstate, sizeof(tstate),
					(void *)(tstate + gil->tstate_interp)))
			return false;
		word += tstate;
	}
	if (bpf_probe_read_user(&request, sizeof(request), (void *)word))
		return false;
	return request & 1;
}

/*
 * Whether a wake-up on this futex is the GIL's condition variable's, and not its mutex's, with
 * which a wait ends. Where the C library keeps the futex outside of the GIL, it must be the one
 * that the waiter sleeps on. A waiter may be woken before its sleep was noted.
 */
static __always_inline bool wakes_condition(const struct shared_gil *gil, __u64 futex,
					    __u64 slept_on)
{
	__u64 offset = futex - gil->address;

	if (offset >= gil->layout.size)
		return futex == slept_on;
	return offset >= gil->layout.cond && offset < gil->layout.mutex;
}

/* The current task, inside a call that wakes the sleepers of `futex`, wakes a thread that waits for
 * a GIL. False: that is no drop. */
static __always_inline bool tell_drop(__u64 ts, __u64 me, __u64 futex, struct thread_note *waiter)
{
	struct shared_gil_key key = {.condition = waiter->wait_cond, .tgid = me >> 32};
	struct shared_gil *gil = find_gil(&key);
	__u32 tid = (__u32)me;
	struct thread_note *note = bpf_map_lookup_elem(&notes, &tid);
	bool requested = false;

	if (!gil || !wakes_condition(gil, futex, waiter->futex) || (note && note->wait_cond))
		return false;
	check_current(ts, tid);
	if (note)
		note->dropped = 1;
	if (gil->pending || mode == SHARED_MODE_FUTEX) {
		requested = drop_requested(gil);
		gil->pending = 0;
	}

	struct ev_drop record = {
		.hdr = HDR(DROP, ts, tid, gil->index, requested ? EVF_DROP_REQUESTED : 0)};
	emit(&record, sizeof(record));
	return true;
}

/*
 * Something else wakes it, perhaps not even this process. From here on no drop does. It may take
 * some tens of microseconds until it is on a run queue, and sched_wakeup says so.
 */
static __always_inline void tell_other_wake(__u64 ts, __u32 tid, __u32 tgid)
{
	struct ev_wake record = {.hdr = HDR(WAKE, ts, tid, 0, EVF_WAKE_BEGINS)};

	emit_of(tgid, &record, sizeof(record));
}

/* ── retries on the mutex ────────────────────────────────────────────────────────────────────── */

/*
 * A thread that is woken on the GIL's mutex, and waits for the GIL still.
 *
 * take_gil begins by locking that mutex. A thread that sleeps there is woken when it is free, may
 * find it taken again, and sleep again; or it gets the mutex, finds the GIL taken, and comes to
 * WAIT. Whether it has had the GIL in between, no probe shows, but the GIL does (take_gil in
 * Python/ceval_gil.h, with the mutex held):
 *
 *	locked = 1;
 *	if (last_holder != tstate) {
 *		last_holder = tstate;
 *		++switch_number;
 *	}
 *
 * If another thread was the last holder while this one slept, its own take would be counted. So it
 * has not had the GIL if the number is still the same. Nor has it if the number is greater by one,
 * and another thread is the last holder: that one's take would be counted, too.
 *
 * The two are read by the thread that wakes it, for until then they change most. What it finds
 * later, it reads itself. Another thread may then be between the two stores; not with the mutex
 * held (WAIT), nor if the mutex was free after `last_holder` was read and before the number was.
 * And the last holder's state must not be at the address of the one that this thread waits with: it
 * may have taken the GIL, deleted its state, and left that memory to another thread's.
 */

/* The thread with this note sleeps on the mutex, and the current thread is of the same process. */
static __always_inline void note_takes(struct thread_note *note, const struct shared_python *python)
{
	struct shared_gil_words words;

	if (!bpf_probe_read_user(&words, sizeof(words), (void *)note->words))
		note->takes = is_thread(python, words.last_holder, note->pointer)
				      ? 0
				      : words.switch_number;
}

/* The current thread, with this state, goes to sleep on the mutex of the GIL at `gil`. In a build
 * whose GIL can be switched off, a thread may have gone on without it. */
static __always_inline void sleep_on_mutex(__u64 ts, struct thread_note *note, __u64 tstate,
					   __u64 gil, __u64 futex)
{
	__u32 tgid = my_ids() >> 32;
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &tgid);

	if (!python || !tstate || python->gil_layout.enabled != GIL_NO_FIELD)
		return;
	note->words = gil + python->gil_layout.last_holder;
	note->mutex = futex;
	note->state = tstate;
	/* it may be woken on another CPU before it is watched: then this is as good */
	note_takes(note, python);
	watch_futex(ts, note, futex);
}

/* Another thread wakes the one with this note, which sleeps on the mutex. */
static __always_inline void wake_on_mutex(struct thread_note *note, __u32 tgid, bool same_process)
{
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &tgid);

	if (same_process && python)
		note_takes(note, python);
	leave_futex(note);
}

/*
 * Whether the current thread waits for the GIL still, whose `words` it has read from `at`. Without
 * `definite` it is not between the two stores itself.
 */
static __always_inline bool waits_still(const struct shared_python *python,
					const struct thread_note *note, __u64 at,
					const struct shared_gil_words *words, bool definite)
{
	__u64 number = words->switch_number;
	__u32 mutex = 1;

	if (!note->takes || note->words != at)
		return false;
	if (number == note->takes)
		return true;
	if (number != note->takes + 1 || words->last_holder == note->state)
		return false;
	if (definite) /* it is locked, and not by this thread */
		return true;
	if (is_thread(python, words->last_holder, note->pointer))
		return false;
	bpf_probe_read_user(&mutex, sizeof(mutex), (void *)note->mutex);
	return !mutex &&
	       read_word(at + __builtin_offsetof(struct shared_gil_words, switch_number)) == number;
}

/* ── mode futex: no uprobe says that a thread waits ──────────────────────────────────────────── */

/* glibc waits with a limit by FUTEX_WAIT_BITSET (sysdeps/nptl/futex-internal.c), as take_gil does;
 * what pthread_cond_signal() waits for has none. */
static __always_inline bool waits_with_limit(__u64 operation)
{
	return (operation & FUTEX_COMMAND) == FUTEX_WAIT_BITSET;
}

/* The current task goes to sleep on the condition variable of this GIL, until it has a CPU again.
 * Who has the GIL is read without its mutex. */
static __always_inline void begin_wait(__u64 ts, struct thread_note *note, __u32 tid, __u64 gil,
				       __u32 index, __u64 futex)
{
	__u32 tgid = my_ids() >> 32, locked = 0;
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &tgid);
	struct ev_observe record = {.hdr = HDR(OBSERVE, ts, tid, index, EVF_OBSERVE_LOCKED)};
	__u64 holder;

	if (!python)
		return;
	note->wait_cond = gil + python->gil_layout.cond;
	watch_futex(ts, note, futex);
	if (bpf_probe_read_user(&locked, sizeof(locked),
				(void *)(gil + python->gil_layout.locked)) ||
	    locked != 1)
		return;
	holder = read_word(gil + python->gil_layout.last_holder);
	record.holder = pystack_owner(holder);
	if (!record.holder)
		return;
	emit(&record, sizeof(record));
	if (stack_kinds & EVF_STACK_HOLDER)
		pystack_send(ts, holder, EVF_STACK_HOLDER, index, 0);
}

#endif
