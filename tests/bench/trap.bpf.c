// SPDX-License-Identifier: Dual MIT/GPL
/* Two empty programs, to measure the cost of the traps themselves. */
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

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
