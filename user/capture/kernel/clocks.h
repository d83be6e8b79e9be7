/* SPDX-License-Identifier: MIT */
/*
 * clocks.h - the sampling clock: a software perf event of each CPU (PERF_COUNT_SW_CPU_CLOCK, a
 * timer that does not tick while the CPU idles), which needs no hardware counters and so works in
 * virtual machines.
 */
#ifndef GILSCOPE_CAPTURE_CLOCKS_H
#define GILSCOPE_CAPTURE_CLOCKS_H

#include <bpf/libbpf.h>
#include <stdint.h>

struct clocks {
	struct bpf_link **links;
	uint32_t count;
};

/* Opens one, not yet ticking. File descriptor or -errno: -ENODEV when the CPU is off. */
int clock_open(int cpu, uint32_t rate_hz);

/*
 * Makes `program` run `rate_hz` times a second on every CPU that is on now. On failure (-errno)
 * some may be set; clocks_done() removes them. -EINVAL: the kernel's limit
 * (kernel.perf_event_max_sample_rate) is lower.
 */
int clocks_set(struct clocks *clocks, const struct bpf_program *program, int cpu_count,
	       uint32_t rate_hz);
void clocks_done(struct clocks *clocks);

#endif
