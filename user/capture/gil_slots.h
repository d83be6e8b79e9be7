/* SPDX-License-Identifier: MIT */
/*
 * gil_slots.h - which slots of the probes' map of GILs are in use (bpf/shared.h, struct
 * shared_gil_slot). Pure; whoever writes the map asks here first.
 */
#ifndef GILSCOPE_CAPTURE_GIL_SLOTS_H
#define GILSCOPE_CAPTURE_GIL_SLOTS_H

#include <stdint.h>
#include "bpf/shared.h"

/* Begins as all zeros. */
struct gil_slots {
	struct shared_gil_key keys[SHARED_GIL_SLOTS];
};

/* The slot of a condition variable, which is given one if it has none. 0, or -E2BIG: all those that
 * the probes would look into are in use. */
int gil_slots_take(struct gil_slots *slots, const struct shared_gil_key *key, uint32_t *ret_slot);

/* Frees its slot. 0, or -ENOENT: it has none. */
int gil_slots_free(struct gil_slots *slots, const struct shared_gil_key *key, uint32_t *ret_slot);

#endif
