// SPDX-License-Identifier: Dual MIT/GPL
/*
 * gil.bpf.c - the GIL's sites: uprobes on `call` instructions in take_gil and drop_gil
 * (user/python/target.h says which, and why).
 *
 * The first argument of those calls is a condition variable inside the GIL, which identifies the
 * GIL and distinguishes TAKE from DROP. Calls whose argument does not belong to a known GIL of the
 * process are ignored: a library in the same file may have condition variables of its own.
 */
#include "handoff.bpf.h"

/* The GIL to which the condition variable belongs; NULL if unknown. `kind` is the one that the
 * calling site usually passes. */
static __always_inline struct shared_gil *gil_with(void *ctx, __u64 condition, __u16 kind, __u64 ts,
						   __u64 pid_tgid)
{
	struct shared_gil_key key = {.condition = condition, .tgid = pid_tgid >> 32};
	struct shared_gil *gil;

	if (!enabled)
		return 0;
	gil = find_gil(&key);
	if (!gil) {
		emit_unknown_gil(&key, kind, ts, (__u32)pid_tgid);
		return 0;
	}
	if (!is_own_probe(ctx, gil->image))
		return 0;
	check_current(ts, (__u32)pid_tgid);
	return gil;
}

/* The same, but NULL if the condition variable is not of this kind. */
static __always_inline struct shared_gil *gil_of_condition(void *ctx, __u64 condition, __u16 kind,
							   __u64 ts, __u64 pid_tgid)
{
	struct shared_gil *gil = gil_with(ctx, condition, kind, ts, pid_tgid);

	return gil && gil->condition == kind ? gil : 0;
}

/*
 * take_gil signals `switch_cond` when it has the GIL. In a free-threaded build it signals `cond`,
 * for the other waiters, when it finds that the GIL has been switched off; a thread that until then
 * slept only on the GIL's mutex never passed WAIT.
 */
SEC("uprobe")
int BPF_KPROBE(gil_take, __u64 condition)
{
	__u64 me = my_ids(), ts;
	struct shared_gil *gil;

	if (!may_be_target(me >> 32))
		return 0;
	ts = bpf_ktime_get_ns();
	gil = gil_with(ctx, condition, CONDITION_SWITCH, ts, me);
	if (gil && gil->condition == CONDITION_SWITCH) {
		struct ev_take record = {.hdr = HDR(TAKE, ts, (__u32)me, gil->index, 0)};
		emit(&record, sizeof(record));
	} else if (gil) {
		struct ev_wait_end record = {
			.hdr = HDR(WAIT_END, ts, (__u32)me, gil->index, EVF_WAIT_END_OFF)};
		emit(&record, sizeof(record));
	}
	return 0;
}

SEC("uprobe")
int BPF_KPROBE(gil_drop, __u64 cond)
{
	__u64 me = my_ids(), ts;
	struct shared_gil *gil;
	bool requested = false;

	if (!may_be_target(me >> 32))
		return 0;
	ts = bpf_ktime_get_ns();
	gil = gil_of_condition(ctx, cond, CONDITION_COND, ts, me);
	if (!gil)
		return 0;
	if (gil->pending) {
		requested = drop_requested(gil);
		gil->pending = 0;
	}

	struct ev_drop record = {
		.hdr = HDR(DROP, ts, (__u32)me, gil->index, requested ? EVF_DROP_REQUESTED : 0)};
	emit(&record, sizeof(record));
	return 0;
}

/*
 * Sends the stacks of a wait: the waiter's own when the wait begins, the holder's at every WAIT.
 * The GIL's mutex is held here, so the holder cannot release the GIL while its stack is being read.
 */
static __always_inline void send_wait_stacks(__u64 ts, const struct shared_gil *gil, bool first)
{
	__u64 holder = 0;

	if (first && stack_kinds & EVF_STACK_WAIT)
		pystack_send(ts, pystack_current(ts, 1), EVF_STACK_WAIT, gil->index, 0);
	if (stack_kinds & EVF_STACK_HOLDER) {
		bpf_probe_read_user(&holder, sizeof(holder),
				    (void *)(gil->address + gil->layout.last_holder));
		pystack_send(ts, holder, EVF_STACK_HOLDER, gil->index, 0);
	}
}

/* Who has the GIL, for certain: its mutex is held here, and it is locked. */
static __always_inline void observe_holder(__u64 ts, const struct shared_gil *gil, __u32 tid)
{
	struct ev_observe record = {.hdr = HDR(OBSERVE, ts, tid, gil->index,
					       EVF_OBSERVE_LOCKED | EVF_OBSERVE_DEFINITE)};

	record.holder = pystack_owner(read_word(gil->address + gil->layout.last_holder));
	if (!record.holder)
		record.hdr.flags |= EVF_OBSERVE_OTHER;
	emit(&record, sizeof(record));
}

/* Whether the thread that comes to WAIT was on its way there since it was woken on the mutex. */
static __always_inline bool has_waited(struct thread_note *note, const struct shared_gil *gil)
{
	__u64 at = gil->address + gil->layout.last_holder;
	struct shared_gil_words words;
	bool waited = note->takes && !bpf_probe_read_user(&words, sizeof(words), (void *)at) &&
		      waits_still(0, note, at, &words, true);

	note->words = note->takes = 0;
	return waited;
}

/* Its WAIT_END must not be taken for that of a wait for a known GIL: waits_before(). */
static __always_inline void wait_elsewhere(__u64 cond, __u64 pid_tgid)
{
	struct thread_note *note;

	if (!enabled || !target_of(pid_tgid >> 32))
		return;
	note = note_of((__u32)pid_tgid);
	if (note)
		note->wait_cond = cond;
}

SEC("uprobe")
int BPF_KPROBE(gil_wait, __u64 cond)
{
	__u64 me = my_ids(), ts;
	const struct shared_gil *gil;
	struct thread_note *note;
	bool waited = false;

	if (!may_be_target(me >> 32))
		return 0;
	ts = bpf_ktime_get_ns();
	gil = gil_of_condition(ctx, cond, CONDITION_COND, ts, me);
	if (!gil) {
		wait_elsewhere(cond, me);
		return 0;
	}
	note = note_of((__u32)me);
	if (note) {
		if (mode != SHARED_MODE_EXACT)
			waited = has_waited(note, gil);
		note->wait_cond = cond;
		note->dropped = 0;
		/* a drop may wake it before its sleep is noted */
		if (mode != SHARED_MODE_EXACT)
			watch_futex(ts, note, cond);
	}
	if (mode == SHARED_MODE_EXACT)
		send_wait_stacks(ts, gil, !note || !note->wait_goes_on);

	struct ev_wait record = {
		.hdr = HDR(WAIT, ts, (__u32)me, gil->index, waited ? EVF_WAIT_WAITED : 0)};
	emit(&record, sizeof(record));
	if (mode == SHARED_MODE_EXACT)
		return 0;
	/* the holder is certain while somebody waits, so it is told after the wait; and then its
	 * stack */
	pystack_current(ts, 1);
	observe_holder(ts, gil, (__u32)me);
	send_wait_stacks(ts, gil, !note || !note->wait_goes_on);
	return 0;
}

/* Whether the GIL is switched off. It is read with the mutex held and the GIL free; only a holder
 * switches it off. */
static __always_inline bool is_off(const struct shared_gil *gil)
{
	__u32 on = 1;

	if (gil->layout.enabled != GIL_NO_FIELD)
		bpf_probe_read_user(&on, sizeof(on), (void *)(gil->address + gil->layout.enabled));
	return !on;
}

/* A wait that was not seen to begin, for it began before WAIT was traced: the condition variable
 * of the only GIL that its process has; 0 if there are several. */
static __always_inline __u64 waits_before(__u32 tgid)
{
	const struct shared_gil_list *list = bpf_map_lookup_elem(&gil_lists, &tgid);
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &tgid);

	return list && python && list->count == 1 ? list->gils[0].address + python->gil_layout.cond
						  : 0;
}

/* The instruction after WAIT's call: the GIL's mutex is held again, so `locked` is definite. */
SEC("uprobe")
int gil_wait_end(struct pt_regs *ctx)
{
	__u64 me = my_ids(), ts;
	__u32 tid = (__u32)me, locked = 1;
	struct shared_gil_key key = {.tgid = me >> 32};
	struct thread_note *note;
	struct shared_gil *gil;
	bool begun;

	if (!may_be_target(key.tgid) || !enabled)
		return 0;
	ts = bpf_ktime_get_ns();
	note = bpf_map_lookup_elem(&notes, &tid);
	if (!note)
		return 0;
	begun = note->wait_cond;
	key.condition = begun ? note->wait_cond : waits_before(key.tgid);
	gil = find_gil(&key);
	if (gil && !is_own_probe(ctx, gil->image))
		return 0;
	note->wait_cond = 0;
	check_current(ts, tid);
	if (!gil || bpf_probe_read_user(&locked, sizeof(locked),
					(void *)(gil->address + gil->layout.locked)))
		return 0;
	if (locked)
		gil->pending = 1;

	struct ev_wait_end record = {.hdr = HDR(WAIT_END, ts, tid, gil->index,
						locked	      ? EVF_WAIT_END_LOCKED
						: is_off(gil) ? EVF_WAIT_END_OFF
							      : 0)};
	emit(&record, sizeof(record));
	if (mode != SHARED_MODE_EXACT)
		leave_futex(note);
	/* of one that was not seen to begin, the next WAIT sends the stack */
	note->wait_goes_on = locked && begun;
	return 0;
}

/* musl: whether the thread that sleeps on this futex is in the list of waiters that begins at
 * `list`. It is among the first, unless others came between its entry and its sleep. */
__noinline __u32 musl_waits(__u64 list, __u64 futex)
{
	__u64 at = read_word(list), node = futex - __builtin_offsetof(struct musl_waiter, barrier);

	for (__u32 i = 0; i < MUSL_WAITERS_MAX && at; i++) {
		if (at == node)
			return 1;
		at = read_word(at + __builtin_offsetof(struct musl_waiter, next));
	}
	return 0;
}

/* Whether the words there are those of a waiter asleep. */
static __always_inline bool is_musl_waiter(const struct shared_target *target, __u64 futex)
{
	struct {
		__u32 state, barrier;
	} words;

	return target && target->gil.waiters != GIL_NO_FIELD &&
	       !bpf_probe_read_user(&words, sizeof(words), (void *)(futex - sizeof(__u32))) &&
	       words.state == MUSL_WAITING && words.barrier == MUSL_BARRED;
}

/* The offset of the condition variable that it waits for, if that is part of the GIL at `gil`. */
static __always_inline __u64 musl_condition(const struct gil_layout *layout, __u64 gil, __u64 futex)
{
	if (musl_waits(gil + layout->cond + layout->waiters, futex))
		return layout->cond;
	if (musl_waits(gil + layout->switch_cond + layout->waiters, futex))
		return layout->switch_cond;
	return ~0ull;
}

/*
 * A sleep on a futex: is it part of a GIL, and which flags does it get? On the condition variable,
 * which is in front of the mutex, the thread waits if its WAIT says so; else it has dropped the
 * GIL, and pthread_cond_signal() at the end of drop_gil waits for earlier waiters to leave. With
 * musl the condition variable's list says that it waits.
 * Returns 0, or the flags with the GIL's place in the list above them. A function of its own, as
 * the verifier goes through all that follows once for each way out of the loop.
 */
__noinline __u32 find_gil_futex(__u32 tgid, __u64 address, bool waits)
{
	struct shared_gil_list *list = bpf_map_lookup_elem(&gil_lists, &tgid);
	const struct shared_target *target = target_of(tgid);
	bool listed = is_musl_waiter(target, address);
	__u32 flags = 0;

	for (__u32 i = 0; list && i < SHARED_GIL_LIST_MAX && i < list->count; i++) {
		__u64 gil = list->gils[i].address, offset = address - gil;
		/* the lock of a condition variable looks like a waiter, too */
		bool by_list = listed && offset >= list->gils[i].size;

		if (by_list)
			offset = musl_condition(&target->gil, gil, address);

		bool on_cond = offset < list->gils[i].mutex;
		bool in_handover = offset >= list->gils[i].handover;

		if (offset >= list->gils[i].size)
			continue;
		if (on_cond || in_handover)
			flags |= EVF_SWITCH_OUT_HANDOVER;
		if (on_cond ? waits || by_list : !in_handover)
			flags |= EVF_SWITCH_OUT_GIL_MUTEX;
		return i << GIL_FUTEX_PLACE | flags;
	}
	return 0;
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
