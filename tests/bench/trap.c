/* SPDX-License-Identifier: MIT */
/*
 * Sets empty programs at the take and drop sites of a process's GIL, in the same way as gilscope
 * sets its own (user/capture/kernel/uprobes.c), and leaves them there until its standard input is
 * closed. `trap PID` prints "ready multi" or "ready single" when they are set.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/diag.h"
#include "python/target.h"
#include "trap.skel.h"

#define ATTACH_UPROBE_MULTI 48
struct uprobe_multi_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t count, multi_flags, pid, spare;
};

static int set_together(const struct target *target, const struct bpf_program *program,
			enum site_kind kind)
{
	uint64_t *offsets = calloc(target->site_count, sizeof(*offsets));
	struct uprobe_multi_attr attr = {
		.prog_fd = (uint32_t)bpf_program__fd(program),
		.attach_type = ATTACH_UPROBE_MULTI,
		.path = (uintptr_t)target->image_path,
		.offsets = (uintptr_t)offsets,
		.pid = target->info.pid,
	};
	int fd;

	if (!offsets)
		return -ENOMEM;
	for (uint32_t i = 0; i < target->site_count; i++)
		if (target->sites[i].kind == kind)
			offsets[attr.count++] = target->sites[i].offset;
	/* stays open until exit */
	fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	free(offsets);
	return fd < 0 ? -errno : 0;
}

static int set_one_by_one(const struct target *target, const struct bpf_program *program,
			  enum site_kind kind)
{
	for (uint32_t i = 0; i < target->site_count; i++)
		if (target->sites[i].kind == kind &&
		    !bpf_program__attach_uprobe(program, false, (pid_t)target->info.pid,
						target->image_path, target->sites[i].offset))
			return -errno;
	return 0;
}

static int set(const struct target *target, bool multi)
{
	int (*const set_sites)(const struct target *, const struct bpf_program *,
			       enum site_kind) = multi ? set_together : set_one_by_one;
	struct trap_bpf *skeleton = trap_bpf__open();
	int err;

	if (!skeleton)
		return -errno;
	if (multi) {
		bpf_program__set_expected_attach_type(skeleton->progs.trap_take,
						      (enum bpf_attach_type)ATTACH_UPROBE_MULTI);
		bpf_program__set_expected_attach_type(skeleton->progs.trap_drop,
						      (enum bpf_attach_type)ATTACH_UPROBE_MULTI);
	}
	err = trap_bpf__load(skeleton);
	if (!err)
		err = set_sites(target, skeleton->progs.trap_take, SITE_TAKE);
	if (!err)
		err = set_sites(target, skeleton->progs.trap_drop, SITE_DROP);
	if (err)
		trap_bpf__destroy(skeleton);
	return err;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

int main(int argc, char **argv)
{
	struct target *target;
	struct diag diag = {0};
	bool multi = true;
	int err;

	if (argc != 2) {
		fprintf(stderr, "usage: trap PID\n");
		return 2;
	}
	if (target_open(atoi(argv[1]), &diag, &target)) {
		fprintf(stderr, "trap: %s\n", diag.what);
		return 1;
	}
	libbpf_set_print(quiet);
	err = set(target, multi);
	if (err) {
		multi = false;
		err = set(target, multi);
	}
	if (err) {
		fprintf(stderr, "trap: cannot set the probes: %s\n", strerror(-err));
		return 1;
	}
	printf("ready %s\n", multi ? "multi" : "single");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
