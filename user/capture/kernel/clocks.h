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

/* Opens one that does not tick yet. Returns its descriptor or -errno; -ENODEV: the CPU is offline.
 */
int clock_open(int cpu, uint32_t rate_hz);

/*
 * Makes `program` run `rate_hz` times a second on every CPU that is online now. On failure (-errno)
 * some clocks may be set; clocks_done() removes them. -EINVAL: the rate exceeds the kernel's limit
 * (kernel.perf_event_max_sample_rate).
 */
int clocks_set(struct clocks *clocks, const struct bpf_program *program, int cpu_count,
	       uint32_t rate_hz);
void clocks_done(struct clocks *clocks);

#endif
