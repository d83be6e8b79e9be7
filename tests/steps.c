/* SPDX-License-Identifier: MIT */
/*
 * steps.c - counts how much a program does, without a clock: in a build with
 * -fsanitize-coverage=trace-pc every basic block calls it. With STEPS_FD set the count is written
 * to that descriptor at the end. Libraries are not counted.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void __sanitizer_cov_trace_pc(void);

static uint64_t steps;

void __sanitizer_cov_trace_pc(void)
{
	steps++;
}

__attribute__((destructor)) static void write_count(void)
{
	const char *fd = getenv("STEPS_FD");

	if (fd && dprintf(atoi(fd), "%" PRIu64 "\n", steps) < 0)
		abort();
}
