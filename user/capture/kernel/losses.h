/* SPDX-License-Identifier: MIT */
/* losses.h - what the probes count when a record finds no room in the ring: by process. */
#ifndef GILSCOPE_CAPTURE_KERNEL_LOSSES_H
#define GILSCOPE_CAPTURE_KERNEL_LOSSES_H

#include "capture/probes.h"

struct gilscope_bpf;

struct losses {
	struct shared_loss *counts; /* one per CPU, a buffer */
	int cpu_count;
	uint64_t taken; /* of the probes' loss_count */
};

/* Before the probes are attached. 0 or -errno. */
int losses_begin(struct losses *losses, struct gilscope_bpf *skeleton, int cpu_count);
void losses_done(struct losses *losses);

/* Those of this process have a count of their own from now on, or not any more. Without room for it
 * they are lost of nobody knows whom. */
void losses_add(const struct losses *losses, const struct gilscope_bpf *skeleton, uint32_t whose);
void losses_remove(const struct gilscope_bpf *skeleton, uint32_t whose);

/* As struct probes says. */
int losses_take(struct losses *losses, struct gilscope_bpf *skeleton, probes_loss *loss, void *arg);

#endif
