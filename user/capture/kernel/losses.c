/* SPDX-License-Identifier: MIT */
/*
 * losses.c - reading them while the probes go on counting.
 *
 * The probes count in one of two halves; this makes them use the other one, then reads the first. A
 * probe that was interrupted since it looked which half is used may count too late to be seen
 * there. Its loss is in the sum of all that is counted last, and is then of nobody knows whom.
 */
#include "capture/kernel/losses.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gilscope.skel.h"

static size_t bytes_of(const struct losses *losses)
{
	return sizeof(*losses->counts) * (size_t)losses->cpu_count;
}

int losses_begin(struct losses *losses, struct gilscope_bpf *skeleton, int cpu_count)
{
	losses->cpu_count = cpu_count;
	losses->counts = calloc((size_t)cpu_count, sizeof(*losses->counts));
	if (!losses->counts)
		return -ENOMEM;
	skeleton->bss->loss_epoch = 1; /* entries are of none yet */
	losses_add(losses, skeleton, SHARED_LOSS_ALL);
	losses_add(losses, skeleton, SHARED_LOSS_RUNS);
	return 0;
}

void losses_done(struct losses *losses)
{
	free(losses->counts);
}

void losses_add(const struct losses *losses, const struct gilscope_bpf *skeleton, uint32_t whose)
{
	memset(losses->counts, 0, bytes_of(losses));
	for (uint32_t half = 0; half < 2; half++) {
		const struct shared_loss_key key = {.whose = whose, .half = half};

		(void)bpf_map__update_elem(skeleton->maps.losses, &key, sizeof(key), losses->counts,
					   bytes_of(losses), BPF_NOEXIST);
	}
}

void losses_remove(const struct gilscope_bpf *skeleton, uint32_t whose)
{
	for (uint32_t half = 0; half < 2; half++) {
		const struct shared_loss_key key = {.whose = whose, .half = half};

		(void)bpf_map__delete_elem(skeleton->maps.losses, &key, sizeof(key), 0);
	}
}

static int take_of(struct losses *losses, const struct gilscope_bpf *skeleton,
		   const struct shared_loss_key *key, uint32_t epoch, probes_loss *loss, void *arg)
{
	int err = bpf_map__lookup_elem(skeleton->maps.losses, key, sizeof(*key), losses->counts,
				       bytes_of(losses), 0);

	for (int cpu = 0; cpu < losses->cpu_count && !err; cpu++) {
		const struct shared_loss *count = &losses->counts[cpu];

		if (count->epoch != epoch || !count->count)
			continue;
		losses->taken += count->count;
		err = loss(arg, key->whose, (uint16_t)cpu, count);
	}
	return err;
}

int losses_take(struct losses *losses, struct gilscope_bpf *skeleton, probes_loss *loss, void *arg)
{
	uint64_t count = __atomic_load_n(&skeleton->bss->loss_count, __ATOMIC_SEQ_CST);
	uint32_t epoch = skeleton->bss->loss_epoch;
	struct shared_loss rest = {0};
	struct shared_loss_key key, *previous = NULL;
	int err = 0;

	if (count == losses->taken)
		return 0;
	__atomic_store_n(&skeleton->bss->loss_epoch, epoch + 1, __ATOMIC_SEQ_CST);
	while (!err && !bpf_map__get_next_key(skeleton->maps.losses, previous, &key, sizeof(key))) {
		if (key.half == (epoch & 1))
			err = take_of(losses, skeleton, &key, epoch, loss, arg);
		previous = &key;
	}
	if (err || count <= losses->taken)
		return err;
	rest.count = count - losses->taken;
	losses->taken = count;
	return loss(arg, SHARED_LOSS_ALL, 0, &rest);
}
