/* SPDX-License-Identifier: MIT */
/*
 * uprobes.h - the uprobes of a target: one link for all sites of a program where the kernel can,
 * else one perf event for each site. They are set by a child process (python/process/bounded.h),
 * because the kernel reads the file for it.
 */
#ifndef GILSCOPE_CAPTURE_KERNEL_UPROBES_H
#define GILSCOPE_CAPTURE_KERNEL_UPROBES_H

#include <stdbool.h>
#include "capture/probes.h"
#include "gilscope.skel.h"
#include "python/target.h"

/* Must be called before loading, when the kernel has to know how a program will be attached. */
void uprobes_prepare(struct gilscope_bpf *skeleton, bool multi);

struct uprobes_wanted {
	const struct target *target;
	enum uprobes_part part;
	uint32_t image; /* UPROBES_IMAGE: the cookie */
	bool stacks;	/* those as well that stacks need */
	bool multi;	/* as prepared */
};

/* Sets the probes; none on failure (-errno). -ETIMEDOUT: the file does not answer; -ESTALE: the
 * image is not the file any more that was scanned. */
int uprobes_set(struct uprobes *uprobes, const struct gilscope_bpf *skeleton,
		const struct uprobes_wanted *wanted);
void uprobes_done(struct uprobes *uprobes);
/* The descriptors of the programs that are set so, at most `most`. */
uint32_t uprobes_programs(const struct gilscope_bpf *skeleton, int *ret_fds, uint32_t most);

#endif
