/* SPDX-License-Identifier: MIT */
/*
 * Sets empty programs and leaves them in place until its standard input is closed. `trap PID` sets
 * them at the take and drop sites of a process's GIL, in the same way as gilscope sets its own
 * (user/capture/kernel/uprobes.c), and prints "ready multi" or "ready single" when they are set;
 * `trap scheduler`, at the scheduler's tracepoints, and prints "ready".
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

static void choose_programs(struct trap_bpf *skeleton, bool scheduler)
{
	bpf_program__set_autoload(skeleton->progs.trap_take, !scheduler);
	bpf_program__set_autoload(skeleton->progs.trap_drop, !scheduler);
	bpf_program__set_autoload(skeleton->progs.on_empty_switch, scheduler);
	bpf_program__set_autoload(skeleton->progs.on_empty_waking, scheduler);
	bpf_program__set_autoload(skeleton->progs.on_empty_wakeup, scheduler);
}

static int set_at_scheduler(void)
{
	struct trap_bpf *skeleton = trap_bpf__open();
	int err;

	if (!skeleton)
		return -errno;
	choose_programs(skeleton, true);
	err = trap_bpf__load(skeleton);
	return err ? err : trap_bpf__attach(skeleton);
}

static int set(const struct target *target, bool multi)
{
	int (*const set_sites)(const struct target *, const struct bpf_program *,
			       enum site_kind) = multi ? set_together : set_one_by_one;
	struct trap_bpf *skeleton = trap_bpf__open();
	int err;

	if (!skeleton)
		return -errno;
	choose_programs(skeleton, false);
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

/* Returns how they are set, NULL after an error that it has reported. */
static const char *set_at_process(pid_t pid)
{
	struct target *target;
	struct diag diag = {0};
	int err;

	if (target_open(pid, &diag, &target)) {
		fprintf(stderr, "trap: %s\n", diag.what);
		return NULL;
	}
	if (!set(target, true))
		return "ready multi";
	err = set(target, false);
	if (!err)
		return "ready single";
	fprintf(stderr, "trap: cannot set the probes: %s\n", strerror(-err));
	return NULL;
}

int main(int argc, char **argv)
{
	const char *ready;

	if (argc != 2) {
		fprintf(stderr, "usage: trap PID|scheduler\n");
		return 2;
	}
	libbpf_set_print(quiet);
	if (strcmp(argv[1], "scheduler"))
		ready = set_at_process(atoi(argv[1]));
	else
		ready = set_at_scheduler() ? NULL : "ready";
	if (!ready)
		return 1;
	puts(ready);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
