// SPDX-License-Identifier: Dual MIT/GPL
/*
 * pythread.bpf.c - finds the PyThreadState of the current thread.
 *
 * The interpreter's list is searched once per thread; what was found is verified at every use.
 */
#include "handoff.bpf.h"

enum {
	STATES_MAX = 288,  /* thread states and interpreters read by one search; new ones are at the
			      front */
	OBSERVED_MAX = 16, /* GILs that are read one after the other */
	STATES_PART = 16,  /* of them: see pystack.bpf.c */
	RETRY_NS_FIRST = 20000, /* a new thread may sleep before its state has its id, and again
				   right after */
	RETRY_NS_MAX = 1000000000,
};

static __always_inline __u64 thread_pointer(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(task, thread.fsbase);
#else
	return BPF_CORE_READ(task, thread.uw.tp_value);
#endif
}

static __always_inline bool bit_of(__u64 tstate, __u16 number)
{
	__u8 byte = 0;

	bpf_probe_read_user(&byte, sizeof(byte), (void *)(tstate + number / 8));
	return byte >> number % 8 & 1;
}

/* A thread that has been in several interpreters has several states, one of which counts. Before
 * 3.12 none says so. */
static __always_inline bool is_current(const struct shared_python *python, __u64 tstate,
				       __u64 pointer)
{
	__u16 bound = python->layout.tstate_bound;

	return is_thread(python, tstate, pointer) && (bound == STACK_NONE || bit_of(tstate, bound));
}

/* One step of the search, whose progress is in the thread's note; non-zero when it is over. A clock
 * tick in between may run a search of its own on the same note, which does no harm. */
__noinline int pystack_search(void)
{
	__u64 me = my_ids();
	__u32 tgid = me >> 32, tid = (__u32)me;
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &tgid);
	struct thread_note *note = bpf_map_lookup_elem(&notes, &tid);
	__u64 tstate;

	if (!python || !note)
		return 1;
	tstate = note->search_tstate;
	if (!tstate) {
		if (!note->search_interp)
			return 1;
		note->search_tstate = read_word(note->search_interp +
						python->layout.interp_threads);
		note->search_interp = read_word(note->search_interp + python->layout.interp_next);
		return 0;
	}
	if (is_current(python, tstate, note->pointer)) {
		if (!note->tstate)
			note->tstate = tstate;
		if (python->layout.tstate_bound != STACK_NONE || first_frame(python, tstate)) {
			note->tstate = tstate;
			return 1;
		}
	}
	note->search_tstate = read_word(tstate + python->layout.tstate_next);
	return 0;
}

__noinline int pystack_search_on(void)
{
	int over = 0;

	for (int i = 0; i < STATES_PART && !over; i++)
		over = pystack_search();
	return over;
}

/* Takes the state that counts, or where none says so the newest that has frames, else the newest.
 */
static __always_inline void find_state(const struct shared_python *python, struct thread_note *note)
{
	note->tstate = 0;
	note->search_tstate = 0;
	note->search_interp = read_word(python->layout.runtime +
					python->layout.runtime_interpreters);
	for (int i = 0; i < STATES_MAX / STATES_PART; i++)
		if (pystack_search_on())
			break;
}

static __always_inline bool is_known(const struct shared_python *python,
				     const struct thread_note *note)
{
	return note->tstate && is_current(python, note->tstate, note->pointer);
}

/* Makes it known whose the state is. */
static __always_inline void note_state(__u64 me, const struct thread_note *note)
{
	struct shared_state_key key = {.tstate = note->tstate, .tgid = me >> 32};
	struct shared_state owner = {.pointer = note->pointer, .tid = (__u32)me};

	bpf_map_update_elem(&states, &key, &owner, BPF_ANY);
	bpf_map_update_elem(&thread_states, &owner.tid, &key, BPF_ANY);
}

__noinline __u64 pystack_current(__u64 ts, __u32 insist)
{
	__u64 me = my_ids();
	__u32 tgid = me >> 32;
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &tgid);
	struct thread_note *note;

	if (!python)
		return 0;
	note = note_of((__u32)me);
	if (!note)
		return 0;
	if (!note->pointer)
		note->pointer = thread_pointer();
	if (!note->pointer)
		return 0;
	if (is_known(python, note))
		return note->tstate;
	if (!insist && note->asked && ts - note->asked < note->retry_ns)
		return 0;
	find_state(python, note);
	if (mode != SHARED_MODE_EXACT && note->tstate)
		note_state(me, note);
	note->asked = ts;
	if (note->tstate || !note->retry_ns)
		note->retry_ns = RETRY_NS_FIRST;
	else if (note->retry_ns < RETRY_NS_MAX)
		note->retry_ns *= 2;
	return note->tstate;
}

__noinline int pystack_holds_gil(__u64 tstate)
{
	__u32 tgid = my_ids() >> 32;
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &tgid);
	__u32 locked = 0;

	if (!python || !tstate || read_word(python->gil + python->gil_layout.last_holder) != tstate)
		return 0;
	bpf_probe_read_user(&locked, sizeof(locked),
			    (void *)(python->gil + python->gil_layout.locked));
	return locked == 1;
}

/* ── the lock word, in modes other than exact ────────────────────────────── */

__noinline __u32 pystack_owner(__u64 tstate)
{
	struct shared_state_key key = {.tstate = tstate, .tgid = my_ids() >> 32};
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &key.tgid);
	const struct shared_state *owner = bpf_map_lookup_elem(&states, &key);

	/* the memory may have become another thread's state since; the entries of threads that have
	 * exited are removed */
	return python && owner && is_thread(python, tstate, owner->pointer) ? owner->tid : 0;
}

/* The current thread's tid as its process knows it. */
__noinline __u32 pystack_own_tid(void)
{
	struct pid *pid = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), thread_pid);
	__u32 level = BPF_CORE_READ(pid, level), tid = 0;

	bpf_probe_read_kernel(&tid, sizeof(tid),
			      (char *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid));
	return tid;
}

/*
 * take_gil sets `locked` before `last_holder`, with the GIL's mutex held. In between a thread that
 * is preempted would seem not to have the GIL. It would also, if its wait has ended and it is about
 * to set `locked`. So while it has the mutex, only what names it counts. In glibc the mutex's owner
 * is set once it is locked, and cleared before it is unlocked: at either time the GIL is as it was,
 * or as it will be. In musl such a mutex is its kind and its lock, and nobody notes the owner; so
 * while anybody has it, this thread may.
 *
 * A thread whose drop was seen, and that has not waited since, has none while `locked` is 0. With
 * one CPU that is where nearly all lose it: drop_gil wakes the next one with the mutex held.
 */
static __always_inline bool in_transition(const struct shared_python *python, __u64 gil)
{
	struct {
		__u32 lock, count_or_lock, owner;
	} mutex;

	if (bpf_probe_read_user(&mutex, sizeof(mutex), (void *)(gil + python->gil_layout.mutex)))
		return true;
	if (python->gil_layout.waiters != GIL_NO_FIELD)
		return mutex.count_or_lock;
	return mutex.lock && mutex.owner == pystack_own_tid();
}

static __always_inline void observe_gil(__u64 ts, __u32 tid, const struct shared_python *python,
					struct thread_note *note, __u64 gil, __u16 index,
					__u32 flags)
{
	struct ev_observe record = {.hdr = HDR(OBSERVE, ts, tid, index,
					       flags & (EVF_OBSERVE_CLOCK | EVF_OBSERVE_ONLY))};
	__u64 at = gil + python->gil_layout.last_holder;
	struct shared_gil_words words;

	if (bpf_probe_read_user(&words, sizeof(words), (void *)at))
		return;
	if (words.locked == 1 && words.last_holder &&
	    is_thread(python, words.last_holder, note->pointer)) {
		record.hdr.flags |= EVF_OBSERVE_LOCKED;
		record.holder = tid;
		note->holds_by = words.last_holder;
	} else if (flags & PYSTACK_PREEMPTED && (words.locked || !note->dropped) &&
		   in_transition(python, gil)) {
		return;
	} else if (words.locked == 1) {
		record.hdr.flags |= EVF_OBSERVE_LOCKED | EVF_OBSERVE_OTHER;
	}
	if (!(flags & PYSTACK_PREEMPTED) && waits_still(python, note, at, &words, false))
		record.hdr.flags |= EVF_OBSERVE_WAITS;
	emit(&record, sizeof(record));
}

/* Another GIL than the process's first one, which nearly all have only. A function of its own,
 * which the verifier goes through once and not once for each of them. */
__noinline int pystack_observe_other(__u64 ts, __u32 flags, __u32 place)
{
	__u64 me = my_ids();
	__u32 tgid = me >> 32, tid = (__u32)me;
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &tgid);
	const struct shared_gil_list *list = bpf_map_lookup_elem(&gil_lists, &tgid);
	struct thread_note *note = bpf_map_lookup_elem(&notes, &tid);

	if (!python || !list || !note || place >= SHARED_GIL_LIST_MAX)
		return 0;
	observe_gil(ts, tid, python, note, list->gils[place].address, list->gils[place].index,
		    flags);
	return 1;
}

/*
 * Of several GILs a thread can have only that of the interpreter that its state belongs to. A
 * thread that enters another one takes that one's GIL before the state counts (Python/pystate.c,
 * _PyThreadState_Attach()); it may lose its CPU there, and until then none of its states is active.
 * 0: that cannot be said, and all GILs must be read.
 */
__noinline int pystack_observe_only(__u64 ts, __u32 flags)
{
	__u64 me = my_ids(), gil;
	struct shared_gil_key key = {.tgid = me >> 32};
	__u32 tid = (__u32)me;
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &key.tgid);
	struct thread_note *note = bpf_map_lookup_elem(&notes, &tid);
	const struct shared_gil *known;

	if (!python || !note || !is_known(python, note) ||
	    (flags & PYSTACK_PREEMPTED && !bit_of(note->tstate, python->layout.tstate_active)))
		return 0;
	gil = read_word(read_word(note->tstate + python->layout.tstate_interp) +
			python->layout.interp_gil);
	key.condition = gil + python->gil_layout.cond;
	known = find_gil(&key);
	if (!known)
		return 0;
	observe_gil(ts, tid, python, note, gil, known->index, flags | EVF_OBSERVE_ONLY);
	return 1;
}

/* Several GILs: see above. A function of its own, so that both are gone through once. */
static __noinline int observe_several(__u64 ts, __u32 flags)
{
	if (flags & PYSTACK_KNOWN || pystack_current(ts, 0))
		return pystack_observe_only(ts, flags);
	return 0;
}

__noinline __u64 pystack_observe(__u64 ts, __u32 flags)
{
	__u64 me = my_ids(), holds;
	__u32 tgid = me >> 32;
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &tgid);
	const struct shared_gil_list *list = bpf_map_lookup_elem(&gil_lists, &tgid);
	struct thread_note *note = note_of((__u32)me);

	if (!python || !list || !note)
		return 0;
	if (!note->pointer)
		note->pointer = thread_pointer();
	if (!note->pointer)
		return 0;
	note->holds_by = 0;
	if (list->count > 1 && python->layout.tstate_bound != STACK_NONE &&
	    observe_several(ts, flags))
		return note->tstate | (note->holds_by ? PYSTACK_HOLDS : 0);
	if (list->count)
		observe_gil(ts, (__u32)me, python, note, list->gils[0].address, list->gils[0].index,
			    flags);
	for (__u32 i = 1; i < OBSERVED_MAX && i < list->count; i++)
		pystack_observe_other(ts, flags, i);
	holds = note->holds_by ? PYSTACK_HOLDS : 0;
	if (flags & PYSTACK_KNOWN || (holds && note->holds_by == note->tstate) ||
	    is_known(python, note))
		return note->tstate | holds;
	return holds;
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
