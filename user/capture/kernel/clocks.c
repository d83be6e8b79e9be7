/* SPDX-License-Identifier: MIT */
#include "capture/kernel/clocks.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int clock_open(int cpu, uint32_t rate_hz)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = rate_hz,
		.freq = 1,
		.disabled = 1,
		.exclude_idle = 1,
	};
	long fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

int clocks_set(struct clocks *clocks, const struct bpf_program *program, int cpu_count,
	       uint32_t rate_hz)
{
	clocks->links = calloc((size_t)cpu_count, sizeof(*clocks->links));
	if (!clocks->links)
		return -ENOMEM;
	for (int cpu = 0; cpu < cpu_count; cpu++) {
		int fd = clock_open(cpu, rate_hz);
		struct bpf_link *link;

		if (fd == -ENODEV)
			continue;
		if (fd < 0)
			return fd;
		/* the link owns the descriptor from here on, and starts the clock */
		link = bpf_program__attach_perf_event(program, fd);
		if (!link) {
			int err = -errno;

			close(fd);
			return err;
		}
		clocks->links[clocks->count++] = link;
	}
	return 0;
}

void clocks_done(struct clocks *clocks)
{
	for (uint32_t i = 0; i < clocks->count; i++)
		bpf_link__destroy(clocks->links[i]);
	free(clocks->links);
}
