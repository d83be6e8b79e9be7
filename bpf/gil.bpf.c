// SPDX-License-Identifier: Dual MIT/GPL
/*
 * gil.bpf.c - the GIL's sites: uprobes on the `call` instructions of take_gil and drop_gil (user/target/target.h says which and why).
 *
 * At those calls the first argument is a condition variable inside the GIL, so the GIL's address needs no register or version knowledge. It counts
 * only when user space knows it as a GIL of this process: a library in the same file may use condition variables of its own.
 */
#include "pystack.bpf.h"
#include "../user/target/gil_layout.h"

/* An address that is no known GIL: told once, so that user space can look whether a new interpreter has come. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct shared_gil_key);
	__type(value, __u8);
	__uint(max_entries, 1024);
} unknown_gils SEC(".maps");

static __always_inline void tell_unknown(struct shared_gil_key *key, __u64 ts, __u32 tid)
{
	__u8 told = 1;

	if (!is_target(key->tgid) || bpf_map_update_elem(&unknown_gils, key, &told, BPF_NOEXIST))
		return;

	struct ev_unknown_gil record = {.hdr = HDR(UNKNOWN_GIL, ts, tid, 0, 0), .address = key->address};
	emit(&record, sizeof(record));
}

static __always_inline struct shared_gil *gil_at(__u64 address, __u64 ts, __u64 pid_tgid)
{
	struct shared_gil_key key = {.address = address, .tgid = pid_tgid >> 32};
	struct shared_gil *gil;

	if (!enabled)
		return 0;
	gil = bpf_map_lookup_elem(&gils, &key);
	if (gil)
		check_current(ts, (__u32)pid_tgid);
	else
		tell_unknown(&key, ts, (__u32)pid_tgid);
	return gil;
}

SEC("uprobe")
int BPF_KPROBE(gil_take, __u64 switch_cond)
{
	__u64 ts = bpf_ktime_get_ns(), me = bpf_get_current_pid_tgid();
	struct shared_gil *gil = gil_at(switch_cond - GIL_SWITCH_COND, ts, me);

	if (gil) {
		struct ev_take record = {.hdr = HDR(TAKE, ts, (__u32)me, gil->index, 0)};
		emit(&record, sizeof(record));
	}
	return 0;
}

/* Is a drop request set for the thread that drops this GIL now? (It is still last_holder.) */
static __always_inline bool drop_requested(struct shared_gil *gil, __u64 address)
{
	__u64 tstate = 0, word = gil->drop_request;
	__u32 request = 0;

	if (gil->drop_request_kind == DROP_REQUEST_UNKNOWN)
		return false;
	if (gil->drop_request_kind != DROP_REQUEST_ADDRESS) {
		if (bpf_probe_read_user(&tstate, sizeof(tstate), (void *)(address + GIL_LAST_HOLDER)))
			return false;
		if (gil->drop_request_kind == DROP_REQUEST_INTERP &&
		    bpf_probe_read_user(&tstate, sizeof(tstate), (void *)(tstate + gil->tstate_interp)))
			return false;
		word += tstate;
	}
	if (bpf_probe_read_user(&request, sizeof(request), (void *)word))
		return false;
	return request & 1;
}

SEC("uprobe")
int BPF_KPROBE(gil_drop, __u64 cond)
{
	__u64 ts = bpf_ktime_get_ns(), me = bpf_get_current_pid_tgid(), address = cond - GIL_COND;
	struct shared_gil *gil = gil_at(address, ts, me);
	bool requested = false;

	if (!gil)
		return 0;
	if (gil->pending) {
		requested = drop_requested(gil, address);
		gil->pending = 0;
	}

	struct ev_drop record = {.hdr = HDR(DROP, ts, (__u32)me, gil->index, requested ? EVF_DROP_REQUESTED : 0)};
	emit(&record, sizeof(record));
	return 0;
}

/*
 * Whom a thread waits for, and doing what: its own stack when the wait begins, the holder's every time. The GIL's mutex is held here, so the holder
 * cannot give the GIL up while it is looked at.
 */
static __always_inline void tell_stacks(__u64 ts, __u64 address, __u16 index, bool first)
{
	__u64 holder = 0;

	if (first && stack_kinds & EVF_STACK_WAIT)
		pystack_tell(ts, pystack_current(ts, 1), EVF_STACK_WAIT, index);
	if (stack_kinds & EVF_STACK_HOLDER) {
		bpf_probe_read_user(&holder, sizeof(holder), (void *)(address + GIL_LAST_HOLDER));
		pystack_tell(ts, holder, EVF_STACK_HOLDER, index);
	}
}

SEC("uprobe")
int BPF_KPROBE(gil_wait, __u64 cond)
{
	__u64 ts = bpf_ktime_get_ns(), me = bpf_get_current_pid_tgid(), address = cond - GIL_COND;
	struct shared_gil *gil = gil_at(address, ts, me);
	struct thread_note *note;

	if (!gil)
		return 0;
	note = note_of((__u32)me);
	if (note) {
		note->wait_gil = address;
		note->wait_index = gil->index;
	}
	tell_stacks(ts, address, gil->index, !note || !note->wait_goes_on);

	struct ev_wait record = {.hdr = HDR(WAIT, ts, (__u32)me, gil->index, 0)};
	emit(&record, sizeof(record));
	return 0;
}

/* The instruction behind WAIT's call: the GIL's mutex is held again, so `locked` is definite. */
SEC("uprobe")
int gil_wait_end(struct pt_regs *ctx)
{
	__u64 ts = bpf_ktime_get_ns(), me = bpf_get_current_pid_tgid();
	__u32 tid = (__u32)me, locked = 1;
	struct thread_note *note = bpf_map_lookup_elem(&notes, &tid);

	if (!enabled || !note || !note->wait_gil)
		return 0;
	check_current(ts, tid);
	if (bpf_probe_read_user(&locked, sizeof(locked), (void *)(note->wait_gil + GIL_LOCKED)))
		return 0;
	if (locked) {
		struct shared_gil_key key = {.address = note->wait_gil, .tgid = me >> 32};
		struct shared_gil *gil = bpf_map_lookup_elem(&gils, &key);

		if (gil)
			gil->pending = 1;
	}

	struct ev_wait_end record = {.hdr = HDR(WAIT_END, ts, tid, note->wait_index, locked ? EVF_WAIT_END_LOCKED : 0)};
	emit(&record, sizeof(record));
	note->wait_gil = 0;
	note->wait_goes_on = locked;
	return 0;
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
