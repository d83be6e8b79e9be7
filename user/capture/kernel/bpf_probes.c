/* SPDX-License-Identifier: MIT */
#include "capture/kernel/bpf_probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "capture/gil_slots.h"
#include "capture/kernel/clocks.h"
#include "capture/kernel/load.h"
#include "capture/kernel/losses.h"
#include "capture/kernel/uprobes.h"
#include "gilscope.skel.h"

struct kernel_probes {
	struct gilscope_bpf *skeleton;
	struct ring_buffer *ring;
	struct clocks clocks;
	struct bpf_map *maps[PROBES_MAPS];
	struct gil_slots gil_slots;
	struct losses losses;
	int cpu_count;
	uint32_t rate_hz;
	bool stacks, multi; /* multi: uprobes are set by program, not by site */
};

DEFINE_CLEANUP(kernel_probes_free, struct kernel_probes *, kernel_probes_free, NULL)

/* ── loading and attaching ───────────────────────────────────────────────────────────────────── */

static void list_maps(struct kernel_probes *kernel)
{
	struct gilscope_bpf *skeleton = kernel->skeleton;

	kernel->maps[PROBES_TARGETS] = skeleton->maps.targets;
	kernel->maps[PROBES_PYTHONS] = skeleton->maps.pythons;
	kernel->maps[PROBES_GILS] = skeleton->maps.gils;
	kernel->maps[PROBES_GIL_LISTS] = skeleton->maps.gil_lists;
	kernel->maps[PROBES_LOOP_FDS] = skeleton->maps.loop_fds;
	kernel->maps[PROBES_STATES] = skeleton->maps.states;
	kernel->maps[PROBES_THREAD_STATES] = skeleton->maps.thread_states;
	kernel->maps[PROBES_GC_SITES] = skeleton->maps.gc_sites;
	kernel->maps[PROBES_FAMILY] = skeleton->maps.family;
}

int kernel_probes_load(const struct features *features, const struct capture_options *options,
		       int (*record)(void *ctx, void *data, size_t size), void *ctx,
		       struct diag *diag, struct kernel_probes **ret_kernel)
{
	_cleanup_(kernel_probes_freep) struct kernel_probes *kernel = calloc(1, sizeof(*kernel));
	int err;

	if (!kernel)
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
	kernel->cpu_count = libbpf_num_possible_cpus();
	if (kernel->cpu_count < 1)
		return diag_set(diag, EXIT_FAILED, kernel->cpu_count,
				"cannot determine the number of CPUs");
	kernel->stacks = options->stacks;
	kernel->rate_hz = options->rate_hz;
	kernel->multi = features_have(features, FEATURE_UPROBE_MULTI);
	err = load_programs(features, options, kernel->cpu_count, diag, &kernel->skeleton);
	if (err)
		return err;
	list_maps(kernel);
	if (losses_begin(&kernel->losses, kernel->skeleton, kernel->cpu_count))
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
	kernel->ring = ring_buffer__new(bpf_map__fd(kernel->skeleton->maps.ring), record, ctx,
					NULL);
	if (!kernel->ring) {
		err = -errno;
		return diag_set(diag, EXIT_FAILED, err, "cannot map the ring buffer: %s",
				strerror(-err));
	}
	*ret_kernel = STEAL(kernel, NULL);
	return 0;
}

void kernel_probes_free(struct kernel_probes *kernel)
{
	if (!kernel)
		return;
	if (kernel->skeleton && kernel->skeleton->bss)
		kernel->skeleton->bss->enabled = 0;
	clocks_done(&kernel->clocks);
	ring_buffer__free(kernel->ring);
	gilscope_bpf__destroy(kernel->skeleton);
	losses_done(&kernel->losses);
	free(kernel);
}

/* libbpf attaches the raw tracepoints and skips the uprobes, whose sections name no place. */
static int attach_tracepoints(struct kernel_probes *kernel, bool syscalls, struct diag *diag)
{
	int err;

	load_attach_syscalls(kernel->skeleton, syscalls);
	err = gilscope_bpf__attach(kernel->skeleton);

	if (!err)
		return 0;
	diag_set(diag, err == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED, err,
		 "cannot attach to the kernel's tracepoints: %s (%s)", strerror(-err),
		 load_last_words());
	diag_hint(diag, "see gilscope doctor");
	return err;
}

static int set_clocks(struct kernel_probes *kernel, struct diag *diag)
{
	uint32_t rate_hz = kernel->rate_hz;
	int err = rate_hz ? clocks_set(&kernel->clocks, kernel->skeleton->progs.on_clock,
				       kernel->cpu_count, rate_hz)
			  : 0;

	if (!err)
		return 0;
	diag_set(diag, err == -EPERM || err == -EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED, err,
		 "cannot set a sampling clock of %u Hz: %s", rate_hz, strerror(-err));
	diag_hint(diag, err == -EINVAL ? "sysctl kernel.perf_event_max_sample_rate is the limit; a "
					 "lower --rate, or 0 for none, will do"
				       : "see gilscope doctor");
	return err;
}

int kernel_probes_attach(struct kernel_probes *kernel, bool syscalls, struct diag *diag)
{
	int err = attach_tracepoints(kernel, syscalls, diag);

	return err ? err : set_clocks(kernel, diag);
}

void kernel_probes_enable(struct kernel_probes *kernel, bool enabled)
{
	__atomic_store_n(&kernel->skeleton->bss->enabled, enabled, __ATOMIC_SEQ_CST);
}

uint32_t kernel_probes_programs(const struct kernel_probes *kernel, int *ret_fds, uint32_t most)
{
	return uprobes_programs(kernel->skeleton, ret_fds, most);
}

int kernel_probes_wait(const struct kernel_probes *kernel, int timeout_ms)
{
	struct epoll_event ready;
	int count = epoll_wait(ring_buffer__epoll_fd(kernel->ring), &ready, 1, timeout_ms);

	return count < 0 && errno != EINTR ? -errno : 0;
}

int kernel_probes_watch(const struct kernel_probes *kernel, int fd)
{
	/* once for what arrives: its end would end every wait */
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	return epoll_ctl(ring_buffer__epoll_fd(kernel->ring), EPOLL_CTL_ADD, fd, &event) ? -errno
											 : 0;
}

bool kernel_probes_usable(const struct kernel_probes *kernel)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info), pid = 0;
	struct shared_target value;
	int err = bpf_map__lookup_elem(kernel->maps[PROBES_TARGETS], &pid, sizeof(pid), &value,
				       sizeof(value), 0);

	if (err && err != -ENOENT)
		return false;
	return !bpf_obj_get_info_by_fd(bpf_program__fd(kernel->skeleton->progs.on_switch), &info,
				       &size);
}

/* ── struct probes ───────────────────────────────────────────────────────────────────────────── */

static void consume(void *ctx)
{
	const struct kernel_probes *kernel = ctx;

	/* its result is the callback's, whose reason the capture has kept */
	(void)ring_buffer__consume(kernel->ring);
}

static int take_losses(void *ctx, probes_loss *loss, void *arg)
{
	struct kernel_probes *kernel = ctx;

	return losses_take(&kernel->losses, kernel->skeleton, loss, arg);
}

/* bpf_prog_info.recursion_misses, from kernel 5.12 on; older kernels do not count them. */
static uint64_t misses_of(const struct bpf_program *program)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	int fd = bpf_program__fd(program);

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.recursion_misses;
}

static struct misses misses(void *ctx)
{
	const struct kernel_probes *kernel = ctx;
	const struct gilscope_bpf *skeleton = kernel->skeleton;
	struct misses sum = {.samples = misses_of(skeleton->progs.on_clock) +
					skeleton->bss->unsampled};
	struct bpf_program *program;

	bpf_object__for_each_program(program, skeleton->obj)
	{
		if (program != skeleton->progs.on_clock)
			sum.hits += misses_of(program);
	}
	return sum;
}

static uint64_t *target_bit(const struct kernel_probes *kernel, uint32_t pid, uint64_t *ret_mask)
{
	uint32_t bit = pid % SHARED_TARGET_BITS;

	*ret_mask = 1ull << bit % 64;
	return (uint64_t *)&kernel->skeleton->bss->target_bits[bit / 64];
}

/* Whether the map has a target with the bit of this PID, which may be another one. */
static bool bit_is_needed(const struct bpf_map *targets, uint32_t pid)
{
	uint32_t other, *previous = NULL;

	for (uint32_t i = 0; i <= SHARED_MAX_TARGETS; i++) {
		if (bpf_map__get_next_key(targets, previous, &other, sizeof(other)))
			return false;
		if (other % SHARED_TARGET_BITS == pid % SHARED_TARGET_BITS)
			return true;
		previous = &other;
	}
	return true;
}

static int update(const struct bpf_map *map, const void *key, const void *value)
{
	return bpf_map__update_elem(map, key, bpf_map__key_size(map), value,
				    bpf_map__value_size(map), BPF_ANY);
}

static int set_gil(struct kernel_probes *kernel, const struct shared_gil_key *key,
		   const struct shared_gil *gil)
{
	struct shared_gil_slot entry = {.gil = *gil};
	const struct bpf_map *gils = kernel->maps[PROBES_GILS];
	uint32_t slot;
	int err = gil_slots_take(&kernel->gil_slots, key, &slot);

	/* the key last: a probe that finds it reads the rest */
	if (!err)
		err = update(gils, &slot, &entry);
	entry.key = *key;
	return err ? err : update(gils, &slot, &entry);
}

static void remove_gil(struct kernel_probes *kernel, const struct shared_gil_key *key)
{
	const struct bpf_map *gils = kernel->maps[PROBES_GILS];
	struct shared_gil_slot entry = {0};
	uint32_t slot;

	if (gil_slots_free(&kernel->gil_slots, key, &slot))
		return;
	/* the key alone: a probe that has found it may be reading the rest */
	(void)bpf_map__lookup_elem(gils, &slot, sizeof(slot), &entry, sizeof(entry), 0);
	entry.key = (struct shared_gil_key){0};
	(void)update(gils, &slot, &entry);
}

static int set_target(const struct kernel_probes *kernel, const uint32_t *pid,
		      const struct shared_target *target)
{
	uint64_t mask, *word = target_bit(kernel, *pid, &mask);
	int err = update(kernel->maps[PROBES_TARGETS], pid, target);

	if (err)
		return err;
	losses_add(&kernel->losses, kernel->skeleton, *pid);
	__atomic_fetch_or(word, mask, __ATOMIC_SEQ_CST);
	return 0;
}

static void remove_target(const struct kernel_probes *kernel, const uint32_t *pid)
{
	uint64_t mask, *word = target_bit(kernel, *pid, &mask);
	const struct bpf_map *targets = kernel->maps[PROBES_TARGETS];

	(void)bpf_map__delete_elem(targets, pid, sizeof(*pid), 0);
	losses_remove(kernel->skeleton, *pid);
	if (!bit_is_needed(targets, *pid))
		__atomic_fetch_and(word, ~mask, __ATOMIC_SEQ_CST);
}

static int set(void *ctx, enum probes_map map, const void *key, const void *value)
{
	struct kernel_probes *kernel = ctx;

	if (map == PROBES_GILS)
		return set_gil(kernel, key, value);
	if (map == PROBES_TARGETS)
		return set_target(kernel, key, value);
	return update(kernel->maps[map], key, value);
}

static void remove_entry(void *ctx, enum probes_map map, const void *key)
{
	struct kernel_probes *kernel = ctx;
	const struct bpf_map *where = kernel->maps[map];

	if (map == PROBES_GILS)
		remove_gil(kernel, key);
	else if (map == PROBES_TARGETS)
		remove_target(kernel, key);
	else
		(void)bpf_map__delete_elem(where, key, bpf_map__key_size(where), 0);
}

static int set_uprobes(void *ctx, const struct target *target, enum uprobes_part part,
		       uint32_t image, struct uprobes *ret_uprobes)
{
	const struct kernel_probes *kernel = ctx;
	const struct uprobes_wanted wanted = {.target = target,
					      .part = part,
					      .image = image,
					      .stacks = kernel->stacks,
					      .multi = kernel->multi};

	return uprobes_set(ret_uprobes, kernel->skeleton, &wanted);
}

static void remove_uprobes(void *ctx, struct uprobes *uprobes)
{
	uprobes_done(uprobes);
}

struct probes kernel_probes_interface(struct kernel_probes *kernel)
{
	return (struct probes){
		.consume = consume,
		.take_losses = take_losses,
		.misses = misses,
		.set = set,
		.remove = remove_entry,
		.set_uprobes = set_uprobes,
		.remove_uprobes = remove_uprobes,
		.ctx = kernel,
	};
}
