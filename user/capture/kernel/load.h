/* SPDX-License-Identifier: MIT */
/* load.h - loads the BPF programs into the kernel, and reports why it refuses them. */
#ifndef GILSCOPE_CAPTURE_LOAD_H
#define GILSCOPE_CAPTURE_LOAD_H

#include <stdbool.h>

struct capture_options;
struct diag;
struct features;
struct gilscope_bpf;

/*
 * Keeps libbpf from printing, and raises the resource limits that loading can exceed as far as
 * permitted. A limit that cannot be raised is not an error here: only kernels before 5.11 count
 * maps against RLIMIT_MEMLOCK.
 */
void load_prepare(void);

/* Opens and loads the programs for `cpu_count` CPUs; nothing is attached. The skeleton is the
 * caller's: gilscope_bpf__destroy(). */
int load_programs(const struct features *features, const struct capture_options *options,
		  int cpu_count, struct diag *diag, struct gilscope_bpf **ret_skeleton);

/* Whether gilscope_bpf__attach() attaches the programs of system calls. */
void load_attach_syscalls(struct gilscope_bpf *skeleton, bool attach);

/* Loads all of them, as an observation with default options does, and unloads them. 0 or -errno
 * with a diag. */
int load_try(const struct features *features, struct diag *diag);

/* libbpf's last warning, its first line, for a diag. */
const char *load_last_words(void);

#endif
