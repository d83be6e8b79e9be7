/* SPDX-License-Identifier: Dual MIT/GPL */
/* comm.bpf.h - the kernel's names of tasks, each sent to user space once. */
#ifndef GILSCOPE_COMM_BPF_H
#define GILSCOPE_COMM_BPF_H

#include "common.bpf.h"

#define TASK_PID(task) ((__u32)(task)->pid)

/* Names that user space has been sent. */
struct comm_note {
	__u64 comm[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u32); /* tid */
	__type(value, struct comm_note);
	__uint(max_entries, 4096);
} names SEC(".maps") __weak;

static __always_inline void emit_comm(__u64 ts, __u32 tid, __u32 tgid, const __u64 comm[2])
{
	struct comm_note *known = bpf_map_lookup_elem(&names, &tid),
			 now = {.comm = {comm[0], comm[1]}};

	if (known && known->comm[0] == now.comm[0] && known->comm[1] == now.comm[1])
		return;
	bpf_map_update_elem(&names, &tid, &now, BPF_ANY);

	struct ev_comm record = {.hdr = HDR(COMM, ts, tid, 0, 0), .pid = tgid};
	__builtin_memcpy(&record.comm, comm, sizeof(record.comm));
	emit(&record, sizeof(record));
}

#endif
