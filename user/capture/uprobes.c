/* SPDX-License-Identifier: MIT */
#include "capture/uprobes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* linux/bpf.h of kernel 6.6, which the system's headers may lack: enum bpf_attach_type, and the part of union bpf_attr for BPF_LINK_CREATE */
#define ATTACH_UPROBE_MULTI 48
struct uprobe_multi_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t count, multi_flags, pid, spare;
};

/* A program and where in the image it goes. */
struct placement {
	struct bpf_program *program;
	uint64_t *offsets;
	uint64_t *semaphores; /* where it has any: of each offset, 0 = none */
	uint32_t count, room;
	bool at_return;
};
enum { AT_TAKE, AT_DROP, AT_WAIT, AT_WAIT_END, AT_GC_BEGIN, AT_GC_END, AT_GC_RETURN, AT_CODE_GONE, PLACEMENTS };
#define MULTI_RETURN 1 /* BPF_F_UPROBE_MULTI_RETURN */

static void list_programs(const struct gilscope_bpf *skeleton, struct placement places[PLACEMENTS])
{
	places[AT_TAKE].program = skeleton->progs.gil_take;
	places[AT_DROP].program = skeleton->progs.gil_drop;
	places[AT_WAIT].program = skeleton->progs.gil_wait;
	places[AT_WAIT_END].program = skeleton->progs.gil_wait_end;
	places[AT_GC_BEGIN].program = skeleton->progs.gc_begin;
	places[AT_GC_END].program = skeleton->progs.gc_end;
	places[AT_GC_RETURN].program = skeleton->progs.gc_end;
	places[AT_GC_RETURN].at_return = true;
	places[AT_CODE_GONE].program = skeleton->progs.code_gone;
}

void uprobes_prepare(struct gilscope_bpf *skeleton, bool multi)
{
	struct placement places[PLACEMENTS] = {0};

	list_programs(skeleton, places);
	for (int i = 0; multi && i < PLACEMENTS; i++)
		bpf_program__set_expected_attach_type(places[i].program, (enum bpf_attach_type)ATTACH_UPROBE_MULTI);
}

static int place(struct placement *where, uint64_t offset, uint64_t semaphore)
{
	if (where->count >= where->room)
		return -E2BIG;
	where->semaphores[where->count] = semaphore;
	where->offsets[where->count++] = offset;
	return 0;
}

static int place_site(struct placement places[PLACEMENTS], const struct gil_site *site)
{
	int err;

	switch (site->kind) {
	case SITE_TAKE:
		return place(&places[AT_TAKE], site->offset, 0);
	case SITE_DROP:
		return place(&places[AT_DROP], site->offset, 0);
	case SITE_WAIT:
		err = place(&places[AT_WAIT], site->offset, 0);
		return err ? err : place(&places[AT_WAIT_END], site->after, 0);
	case SITE_KINDS:
		break;
	}
	return -EINVAL;
}

static int place_sites(struct placement places[PLACEMENTS], const struct target *target, bool stacks)
{
	int err = 0;

	for (uint32_t i = 0; i < target->site_count && !err; i++)
		err = place_site(places, &target->sites[i]);
	for (uint32_t i = 0; i < target->gc_site_count && !err; i++) {
		const struct gc_site *site = &target->gc_sites[i];

		err = place(&places[!site->end ? AT_GC_BEGIN : site->at_return ? AT_GC_RETURN : AT_GC_END], site->offset, site->semaphore);
	}
	if (!err && stacks && target->code_gone)
		err = place(&places[AT_CODE_GONE], target->code_gone, 0);
	return err;
}

static int set_together(struct uprobes *uprobes, const struct placement *where, const struct target *target)
{
	struct uprobe_multi_attr attr = {
		.prog_fd = (uint32_t)bpf_program__fd(where->program),
		.attach_type = ATTACH_UPROBE_MULTI,
		.path = (uintptr_t)target->image_path,
		.offsets = (uintptr_t)where->offsets,
		.ref_ctr_offsets = (uintptr_t)where->semaphores,
		.count = where->count,
		.multi_flags = where->at_return ? MULTI_RETURN : 0,
		.pid = target->info.pid,
	};
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	if (fd < 0)
		return -errno;
	uprobes->fds[uprobes->fd_count++] = fd;
	return 0;
}

static int set_one_by_one(struct uprobes *uprobes, const struct placement *where, const struct target *target)
{
	for (uint32_t i = 0; i < where->count; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, options, .retprobe = where->at_return, .ref_ctr_offset = where->semaphores[i]);
		struct bpf_link *link =
			bpf_program__attach_uprobe_opts(where->program, (pid_t)target->info.pid, target->image_path, where->offsets[i], &options);

		if (!link)
			return -errno;
		uprobes->links[uprobes->link_count++] = link;
	}
	return 0;
}

int uprobes_set(struct uprobes *uprobes, const struct gilscope_bpf *skeleton, const struct target *target, bool stacks, bool multi)
{
	size_t most = (size_t)target->site_count + target->gc_site_count + 1;
	_cleanup_(freep) uint64_t *room = calloc(2 * PLACEMENTS * most, sizeof(*room));
	struct placement places[PLACEMENTS] = {0};
	int err = 0;

	uprobes->fds = calloc(PLACEMENTS, sizeof(*uprobes->fds));
	uprobes->links = calloc(PLACEMENTS * most, sizeof(struct bpf_link *));
	if (!room || !uprobes->fds || !uprobes->links)
		return -ENOMEM;
	list_programs(skeleton, places);
	for (size_t i = 0; i < PLACEMENTS; i++) {
		places[i].offsets = room + 2 * i * most;
		places[i].semaphores = places[i].offsets + most;
		places[i].room = (uint32_t)most;
	}
	err = place_sites(places, target, stacks);
	for (int i = 0; i < PLACEMENTS && !err; i++)
		if (places[i].count)
			err = multi ? set_together(uprobes, &places[i], target) : set_one_by_one(uprobes, &places[i], target);
	return err;
}

void uprobes_done(struct uprobes *uprobes)
{
	for (uint32_t i = 0; i < uprobes->fd_count; i++)
		close(uprobes->fds[i]);
	for (uint32_t i = 0; i < uprobes->link_count; i++)
		bpf_link__destroy(uprobes->links[i]);
	free(uprobes->fds);
	free(uprobes->links);
	*uprobes = (struct uprobes){0};
}
