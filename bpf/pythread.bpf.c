// SPDX-License-Identifier: Dual MIT/GPL
/*
 * pythread.bpf.c - finds the PyThreadState of the current thread.
 *
 * The interpreter's list is searched once per thread; what was found is verified at every use.
 */
#include "pystack.bpf.h"

enum {
	STATES_MAX = 288, /* thread states and interpreters read by one search; new ones are at the
			     front */
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

/*
 * PyThreadState.thread_id is pthread_self(). On x86 that is the thread pointer itself. On arm64
 * libc keeps its descriptor of the thread right below the thread pointer; its size varies, but no
 * other thread's descriptor is as near.
 */
static __always_inline bool is_thread(const struct shared_python *python, __u64 tstate,
				      __u64 pointer)
{
	__u64 id = read_word(tstate + python->layout.tstate_thread_id);

#if defined(__TARGET_ARCH_x86)
	return id == pointer;
#else
	return id && pointer - id <= 8192;
#endif
}

/* One step of the search, whose progress is in the thread's note; non-zero when it is over. A clock
 * tick in between may run a search of its own on the same note, which does no harm. */
__noinline int pystack_search(void)
{
	__u64 me = bpf_get_current_pid_tgid();
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
	if (is_thread(python, tstate, note->pointer)) {
		if (!note->tstate)
			note->tstate = tstate;
		if (first_frame(python, tstate)) {
			note->tstate = tstate;
			return 1;
		}
	}
	note->search_tstate = read_word(tstate + python->layout.tstate_next);
	return 0;
}

/* A thread that has been in several interpreters has several states. Takes the newest that has
 * frames, else the newest. */
static __always_inline void find_state(const struct shared_python *python, struct thread_note *note)
{
	note->tstate = 0;
	note->search_tstate = 0;
	note->search_interp = read_word(python->layout.runtime +
					python->layout.runtime_interpreters);
	for (int i = 0; i < STATES_MAX; i++)
		if (pystack_search())
			break;
}

__noinline __u64 pystack_current(__u64 ts, __u32 insist)
{
	__u64 me = bpf_get_current_pid_tgid();
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
	if (note->tstate && is_thread(python, note->tstate, note->pointer))
		return note->tstate;
	if (!insist && note->asked && ts - note->asked < note->retry_ns)
		return 0;
	find_state(python, note);
	note->asked = ts;
	if (note->tstate || !note->retry_ns)
		note->retry_ns = RETRY_NS_FIRST;
	else if (note->retry_ns < RETRY_NS_MAX)
		note->retry_ns *= 2;
	return note->tstate;
}

__noinline int pystack_holds_gil(__u64 tstate)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &tgid);
	__u32 locked = 0;

	if (!python || !tstate || read_word(python->gil + python->gil_layout.last_holder) != tstate)
		return 0;
	bpf_probe_read_user(&locked, sizeof(locked),
			    (void *)(python->gil + python->gil_layout.locked));
	return locked == 1;
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
