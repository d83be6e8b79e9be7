// SPDX-License-Identifier: Dual MIT/GPL
/*
 * clock.bpf.c - samples of the threads on CPUs: one software clock per CPU, which does not tick
 * while the CPU is idle.
 */
#include "pystack.bpf.h"

SEC("perf_event")
int on_clock(void *ctx)
{
	__u64 ts = bpf_ktime_get_ns(), me = bpf_get_current_pid_tgid(), tstate;

	if (!is_target(me >> 32))
		return 0;
	tstate = pystack_current(ts, 0);
	if (tstate)
		pystack_send(ts, tstate, EVF_STACK_CLOCK, 0);
	return 0;
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
