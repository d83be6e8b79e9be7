/* SPDX-License-Identifier: MIT */
/* load.h - the BPF programs into the kernel, and why not when it refuses them. */
#ifndef GILSCOPE_CAPTURE_LOAD_H
#define GILSCOPE_CAPTURE_LOAD_H

struct capture_options;
struct diag;
struct features;
struct gilscope_bpf;

/*
 * Keeps libbpf from printing, and raises the limits that loading runs into as far as that is
 * allowed. What cannot be raised is no error here: before 5.11 maps count against RLIMIT_MEMLOCK,
 * later kernels do not care.
 */
void load_prepare(void);

/* Opens and loads the programs for `cpu_count` CPUs; nothing is attached. The skeleton is the
 * caller's: gilscope_bpf__destroy(). */
int load_programs(const struct features *features, const struct capture_options *options,
		  int cpu_count, struct diag *diag, struct gilscope_bpf **ret_skeleton);

/* Loads all of them, as an observation with its default options does, and drops them again. */
int load_try(const struct features *features, struct diag *diag);

/* libbpf's last warning, one line, for a diag. */
const char *load_last_words(void);

#endif
