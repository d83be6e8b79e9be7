// SPDX-License-Identifier: Dual MIT/GPL
/* Empty programs, to measure what the kernel takes to call one: at a trap, and at the scheduler's
 * tracepoints that bpf/sched.bpf.c uses for every switch and wake-up. */
#include "../../bpf/kernel.bpf.h"
#include <bpf/bpf_helpers.h>

SEC("uprobe")
int trap_take(struct pt_regs *ctx)
{
	return 0;
}

SEC("uprobe")
int trap_drop(struct pt_regs *ctx)
{
	return 0;
}

SEC("tp_btf/sched_switch")
int on_empty_switch(void *ctx)
{
	return 0;
}

SEC("tp_btf/sched_waking")
int on_empty_waking(void *ctx)
{
	return 0;
}

SEC("tp_btf/sched_wakeup")
int on_empty_wakeup(void *ctx)
{
	return 0;
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
