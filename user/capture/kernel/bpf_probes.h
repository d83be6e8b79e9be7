/* SPDX-License-Identifier: MIT */
/*
 * bpf_probes.h - the BPF programs, their maps and their ring. This folder is the only code that
 * knows libbpf; the rest of capture/ uses them through `struct probes`.
 */
#ifndef GILSCOPE_CAPTURE_KERNEL_BPF_PROBES_H
#define GILSCOPE_CAPTURE_KERNEL_BPF_PROBES_H

#include <stdbool.h>
#include <stdint.h>
#include "capture/capture.h"
#include "capture/probes.h"

struct kernel_probes;

/*
 * Loads the programs; nothing is attached. The ring's records go to `record`, whose non-zero result
 * ends a probes_consume(). 0, or the diag says what is wrong.
 */
int kernel_probes_load(const struct features *features, const struct capture_options *options,
		       int (*record)(void *ctx, void *data, size_t size), void *ctx,
		       struct diag *diag, struct kernel_probes **ret_kernel);
/* Stops and removes all of them. NULL is fine. */
void kernel_probes_free(struct kernel_probes *kernel);

/* Valid as long as `kernel`. */
struct probes kernel_probes_interface(struct kernel_probes *kernel);
/* The descriptors of the programs that set_uprobes() needs. */
uint32_t kernel_probes_programs(const struct kernel_probes *kernel, int *ret_fds, uint32_t most);

/* Attaches the raw tracepoints, those of system calls only with `syscalls`, and the sampling clock.
 * On failure some may stay attached. 0 or -errno with a diag. */
int kernel_probes_attach(struct kernel_probes *kernel, bool syscalls, struct diag *diag);
/* Switches all probes on or off. One that is running meanwhile may still send its record. */
void kernel_probes_enable(struct kernel_probes *kernel, bool enabled);

/* Waits up to `timeout_ms` for the ring to fill up or for a signal. 0 or -errno. */
int kernel_probes_wait(const struct kernel_probes *kernel, int timeout_ms);

/* What arrives at this descriptor ends such a wait, too, until it is closed. 0 or -errno. */
int kernel_probes_watch(const struct kernel_probes *kernel, int fd);

/* See capture_may_go_on(). */
bool kernel_probes_usable(const struct kernel_probes *kernel);

#endif
