/* SPDX-License-Identifier: MIT */
#include "capture/kernel/uprobes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "python/process/bounded.h"

/* linux/bpf.h of kernel 6.6, which the system's headers may lack: enum bpf_attach_type, and the
 * part of union bpf_attr for BPF_LINK_CREATE */
#define ATTACH_UPROBE_MULTI 48
struct uprobe_multi_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t count, multi_flags, pid, spare;
};

/* A program and its sites in a file. */
struct placement {
	struct bpf_program *program;
	const char *path;
	uint64_t *offsets;
	uint64_t *semaphores; /* of each offset; 0 = it has none */
	uint32_t count, room;
	bool at_return;
};
enum {
	AT_TAKE,
	AT_DROP,
	AT_WAIT,
	AT_WAIT_END,
	AT_GC_BEGIN,
	AT_GC_END,
	AT_GC_RETURN,
	AT_CODE_GONE,
	AT_LIBC,
	PLACEMENTS
};
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
	places[AT_LIBC].program = skeleton->progs.libc_called;
}

void uprobes_prepare(struct gilscope_bpf *skeleton, bool multi)
{
	struct placement places[PLACEMENTS] = {0};

	list_programs(skeleton, places);
	for (int i = 0; multi && i < PLACEMENTS; i++)
		bpf_program__set_expected_attach_type(places[i].program,
						      (enum bpf_attach_type)ATTACH_UPROBE_MULTI);
}

/* Programs that this mode does without are not loaded, and their sites not probed. */
static bool is_loaded(const struct placement *where)
{
	return bpf_program__fd(where->program) >= 0;
}

static int place(struct placement *where, uint64_t offset, uint64_t semaphore)
{
	if (!is_loaded(where))
		return 0;
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

static int place_in_image(struct placement places[PLACEMENTS], const struct target *target)
{
	int err = 0;

	for (uint32_t i = 0; i < target->site_count && !err; i++)
		err = place_site(places, &target->sites[i]);
	for (uint32_t i = 0; i < target->gc_site_count && !err; i++) {
		const struct gc_site *site = &target->gc_sites[i];
		int end = site->at_return ? AT_GC_RETURN : AT_GC_END;

		err = place(&places[site->end ? end : AT_GC_BEGIN], site->offset, site->semaphore);
	}
	return err;
}

/*
 * The C library is everybody's, and its functions are called all the time: only this process shall
 * pay for probes there. Where code objects end was read from the process's memory, which may lie; a
 * probe in the wrong place would harm others that have the file.
 */
static int place_own(struct placement places[PLACEMENTS], const struct target *target, bool stacks)
{
	int err = 0;

	if (stacks && target->code_gone)
		err = place(&places[AT_CODE_GONE], target->code_gone, 0);
	for (int i = 0; i < LIBC_CALLS && !err && target->libc.waits; i++)
		if (target->libc.offsets[i])
			err = place(&places[AT_LIBC], target->libc.offsets[i], 0);
	return err;
}

static int place_all(struct placement places[PLACEMENTS], const struct uprobes_wanted *wanted)
{
	int err = wanted->part == UPROBES_OWN ? 0 : place_in_image(places, wanted->target);

	if (!err && wanted->part != UPROBES_IMAGE)
		err = place_own(places, wanted->target, wanted->stacks);
	return err;
}

/* ── in a child ──────────────────────────────────────────────────────────── */

/*
 * Reads into the page cache what the kernel is going to read of the file. When it sets a probe, it
 * reads the code there and changes a probe point's counter while it holds locks of the target's
 * memory, and one that every fork() of the system waits for (kernel/events/uprobes.c,
 * register_for_each_vma()). It must not wait there for a file system that does not answer.
 */
static void bring_in(int fd, uint64_t offset)
{
	enum { INSTRUCTION_MAX = 16 };
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), first = offset & ~(page - 1);

	/* never unmapped: the child is about to exit */
	(void)!mmap(NULL, offset + INSTRUCTION_MAX - first, PROT_READ, MAP_PRIVATE | MAP_POPULATE,
		    fd, (off_t)first);
}

static int bring_all_in(int fd, const struct placement *where)
{
	for (uint32_t i = 0; i < where->count; i++) {
		bring_in(fd, where->offsets[i]);
		if (where->semaphores[i])
			bring_in(fd, where->semaphores[i]);
	}
	return 0;
}

struct setting {
	struct placement *places;
	const struct uprobes_wanted *wanted;
};

/* 0: every process that has the file */
static uint32_t pid_of(const struct uprobes_wanted *wanted)
{
	return wanted->part == UPROBES_IMAGE ? 0 : wanted->target->info.pid;
}

static int set_together(int line, const struct placement *where,
			const struct uprobes_wanted *wanted)
{
	_cleanup_(freep) uint64_t *cookies = calloc(where->count, sizeof(*cookies));
	struct uprobe_multi_attr attr = {
		.prog_fd = (uint32_t)bpf_program__fd(where->program),
		.attach_type = ATTACH_UPROBE_MULTI,
		.path = (uintptr_t)where->path,
		.offsets = (uintptr_t)where->offsets,
		.ref_ctr_offsets = (uintptr_t)where->semaphores,
		.cookies = (uintptr_t)cookies,
		.count = where->count,
		.multi_flags = where->at_return ? MULTI_RETURN : 0,
		.pid = pid_of(wanted),
	};
	int fd;

	if (!cookies)
		return -ENOMEM;
	for (uint32_t i = 0; i < where->count; i++)
		cookies[i] = wanted->image;
	fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return fd < 0 ? -errno : bounded_send_fd(line, fd);
}

/* Each descriptor keeps its probe in place: it is the perf event itself, or from kernel 5.15 on a
 * link that holds the event. */
static int set_one_by_one(int line, const struct placement *where,
			  const struct uprobes_wanted *wanted)
{
	uint32_t pid = pid_of(wanted);

	for (uint32_t i = 0; i < where->count; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, options, .retprobe = where->at_return,
			    .ref_ctr_offset = where->semaphores[i], .bpf_cookie = wanted->image);
		struct bpf_link *link = bpf_program__attach_uprobe_opts(
			where->program, pid ? (pid_t)pid : -1, where->path, where->offsets[i],
			&options);
		int err = link ? bounded_send_fd(line, bpf_link__fd(link)) : -errno;

		if (err)
			return err;
	}
	return 0;
}

static bool is_in_image(const struct placement *places, const struct placement *where)
{
	return where != &places[AT_LIBC];
}

/*
 * The file is opened once, and leads to itself from then on: the process may have become another
 * program, and its path to another file, in which these offsets are anywhere. -ESTALE then.
 */
static int open_file(const struct setting *setting, struct placement *where, char path[64])
{
	const struct image_id *id = &setting->wanted->target->image_id;
	int fd = open(where->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat))
		return -errno;
	if (is_in_image(setting->places, where) &&
	    (stat.st_dev != id->device || stat.st_ino != id->inode ||
	     (uint64_t)stat.st_size != id->size ||
	     (uint64_t)stat.st_mtim.tv_sec * NS_PER_S + (uint64_t)stat.st_mtim.tv_nsec !=
		     id->modified_ns))
		return -ESTALE;
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	where->path = path;
	return bring_all_in(fd, where);
}

/*
 * A fatal signal while the kernel sets a probe would keep it from removing it again: it gives up
 * reading the target's memory then (mm/gup.c), and leaks the probe ("uprobe: … failed to
 * unregister", uprobe_unregister_nosync()), with the breakpoints that are in place already.
 */
static int set_all(void *ctx, int line)
{
	const struct setting *setting = ctx;
	char paths[PLACEMENTS][64]; /* what is open is never closed: the child is about to exit */
	int err = 0;

	for (int i = 0; i < PLACEMENTS && !err; i++)
		if (setting->places[i].count)
			err = open_file(setting, &setting->places[i], paths[i]);
	if (err)
		return err;
	bounded_unbroken();
	for (int i = 0; i < PLACEMENTS && !err; i++) {
		const struct placement *where = &setting->places[i];

		if (where->count)
			err = setting->wanted->multi ? set_together(line, where, setting->wanted)
						     : set_one_by_one(line, where, setting->wanted);
	}
	return err;
}

/* ── outside ─────────────────────────────────────────────────────────────── */

uint32_t uprobes_programs(const struct gilscope_bpf *skeleton, int *ret_fds, uint32_t most)
{
	struct placement places[PLACEMENTS] = {0};
	uint32_t count = 0;

	list_programs(skeleton, places);
	for (size_t i = 0; i < PLACEMENTS; i++)
		if (is_loaded(&places[i]) && count < most)
			ret_fds[count++] = bpf_program__fd(places[i].program);
	return count;
}

static bool are_none(const struct placement places[PLACEMENTS])
{
	for (int i = 0; i < PLACEMENTS; i++)
		if (places[i].count)
			return false;
	return true;
}

int uprobes_set(struct uprobes *uprobes, const struct gilscope_bpf *skeleton,
		const struct uprobes_wanted *wanted)
{
	const struct target *target = wanted->target;
	size_t most = (size_t)target->site_count + target->gc_site_count + LIBC_CALLS;
	_cleanup_(freep) uint64_t *room = calloc(2 * PLACEMENTS * most, sizeof(*room));
	_cleanup_(bounded_answer_done) struct bounded_answer answer = {0};
	struct placement places[PLACEMENTS] = {0};
	struct setting setting = {.places = places, .wanted = wanted};
	int programs[PLACEMENTS], err;
	uint32_t program_count = uprobes_programs(skeleton, programs, PLACEMENTS);

	if (!room)
		return -ENOMEM;
	list_programs(skeleton, places);
	for (size_t i = 0; i < PLACEMENTS; i++) {
		places[i].offsets = room + 2 * i * most;
		places[i].semaphores = places[i].offsets + most;
		places[i].room = (uint32_t)most;
		places[i].path = i == AT_LIBC ? target->libc.path : target->image_path;
	}
	err = place_all(places, wanted);
	if (err || are_none(places))
		return err;
	err = bounded_run(set_all, &setting, programs, program_count, &answer);
	if (!err)
		err = answer.err;
	if (err)
		return err;
	uprobes->fds = STEAL(answer.fds, NULL);
	uprobes->fd_count = STEAL(answer.fd_count, 0);
	return 0;
}

void uprobes_done(struct uprobes *uprobes)
{
	for (uint32_t i = 0; i < uprobes->fd_count; i++)
		close(uprobes->fds[i]);
	free(uprobes->fds);
	*uprobes = (struct uprobes){0};
}
