// SPDX-License-Identifier: Dual MIT/GPL
/*
 * clock.bpf.c - samples of the threads on CPUs: one software clock per CPU, which does not tick
 * while the CPU is idle.
 */
#include "entry.bpf.h"
#include "pystack.bpf.h"

extern unsigned int sleepers[16]; /* lock.bpf.h */

/* The current task is a thread of C code. What it does matters only while others may wait for it
 * (lock.bpf.h). */
static __always_inline void native_send(__u64 ts, __u32 tid, __u64 address)
{
	struct shared_native record = {.hdr = {.ts = ts, .tid = tid, .type = RING_NATIVE},
				       .address = address};

	emit_sample(&record, sizeof(record));
}

/*
 * Where takes are not traced, the GIL of a new interpreter shows itself only to a thread that waits
 * for it, and where they are, one that has the address of an earlier one's does not show itself at
 * all. New interpreters are at the front of the list. `locked` is negative until the GIL is
 * created. The id is part of the key: each is reported once. Not inline, since the chain of calls
 * to a search for a thread's state has no room for what it keeps.
 */
static __noinline int look_for_gil(__u64 ts, __u64 me)
{
	struct shared_gil_key key = {.tgid = me >> 32};
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &key.tgid);
	const struct shared_gil *known;
	__u64 interp, gil;
	__s32 locked = -1;
	__u32 id;

	if (!python || !python->layout.interp_gil)
		return 0;
	interp = read_word(python->layout.runtime + python->layout.runtime_interpreters);
	gil = read_word(interp + python->layout.interp_gil);
	id = (__u32)read_word(interp + python->layout.interp_id);
	key.condition = gil + python->gil_layout.cond;
	known = find_gil(&key);
	if (!gil || (known && known->interpreter >= id) || gil == python->gil)
		return 0;
	key.spare = id;
	bpf_probe_read_user(&locked, sizeof(locked), (void *)(gil + python->gil_layout.locked));
	if (locked >= 0)
		emit_unknown_gil(&key, CONDITION_COND, ts, (__u32)me);
	return 0;
}

SEC("perf_event")
int on_clock(void *ctx)
{
	__u64 ts = bpf_ktime_get_ns(), me = my_ids(), tstate;

	if (!is_target(me >> 32))
		return 0;
	check_current(ts, (__u32)me);
	look_for_gil(ts, me);
	tstate = pystack_current(ts, 0);
	/* before the stack, so that the time up to here has the state that is found here */
	if (tstate && mode != SHARED_MODE_EXACT)
		pystack_observe(ts, EVF_OBSERVE_CLOCK | PYSTACK_PREEMPTED | PYSTACK_KNOWN);
	if (!stack_kinds)
		return 0;
	if (tstate)
		pystack_send(ts, tstate, EVF_STACK_CLOCK, 0, entry_regs().address);
	else if (sleepers[0])
		native_send(ts, (__u32)me, entry_regs().address);
	return 0;
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
