/* SPDX-License-Identifier: MIT */
/*
 * probes.h - the loaded probes as capture/ drives them while it observes: the ring, the counters of
 * what was lost, the maps, the uprobes of a process. An interface, so that all that is decided
 * above it is built and tested without libbpf and without a kernel. kernel/bpf_probes.h has the
 * real ones.
 */
#ifndef GILSCOPE_CAPTURE_PROBES_H
#define GILSCOPE_CAPTURE_PROBES_H

#include <stdbool.h>
#include <stdint.h>
#include "bpf/shared.h"

struct target;

/* The maps that capture/ writes while probes run, and the types of their keys and values. */
enum probes_map {
	PROBES_TARGETS,	      /* uint32_t pid → struct shared_target */
	PROBES_PYTHONS,	      /* uint32_t pid → struct shared_python */
	PROBES_GILS,	      /* struct shared_gil_key → struct shared_gil */
	PROBES_GIL_LISTS,     /* uint32_t pid → struct shared_gil_list */
	PROBES_LOOP_FDS,      /* struct shared_loop_key → uint8_t 1 */
	PROBES_GC_SITES,      /* struct shared_gc_key → struct shared_gc */
	PROBES_STATES,	      /* struct shared_state_key → struct shared_state */
	PROBES_THREAD_STATES, /* uint32_t tid → struct shared_state_key */
	PROBES_FAMILY,	      /* uint32_t pid → uint8_t 1 */
	PROBES_MAPS
};

/* Which uprobes of a target, and who hits them. */
enum uprobes_part {
	UPROBES_IMAGE, /* those in its Python image, in every process that has this file */
	UPROBES_OWN,   /* the others, in this process alone */
	UPROBES_ALL,   /* all of them, in this process alone */
};

/* Uprobes that were set together. Each descriptor is a link or a perf event, which ends with it. */
struct uprobes {
	int *fds;
	uint32_t fd_count;
};

/* Probe hits that the kernel has skipped so far, because a program was already running on that CPU.
 * Skipped hits of the sampling clock are counted as samples, as are samples that found no room. */
struct misses {
	uint64_t hits, samples;
};

/* Records that were lost on one CPU, of a process or SHARED_LOSS_…. first_ts 0: it is not known
 * when. Non-zero ends it. */
typedef int probes_loss(void *arg, uint32_t whose, uint16_t cpu, const struct shared_loss *loss);

struct probes {
	/* Passes the ring's records on, oldest first, to the function given when the ring was
	 * opened, until that returns non-zero or the ring is empty. A record is out of the ring
	 * when the function returns, whatever it returns. */
	void (*consume)(void *ctx);
	/* Passes on what found no room in the ring since the last call. 0, -errno or what `loss`
	 * returned. */
	int (*take_losses)(void *ctx, probes_loss *loss, void *arg);
	struct misses (*misses)(void *ctx);

	/* Adds or replaces an entry of a map. 0 or -errno (-E2BIG: the map is full). */
	int (*set)(void *ctx, enum probes_map map, const void *key, const void *value);
	/* Does nothing if there is no such entry. */
	void (*remove)(void *ctx, enum probes_map map, const void *key);

	/* Sets uprobes of a process; none on failure. `image`: their cookie, with UPROBES_IMAGE. 0
	 * or -errno, see uprobes_set(). */
	int (*set_uprobes)(void *ctx, const struct target *target, enum uprobes_part part,
			   uint32_t image, struct uprobes *ret_uprobes);
	/* Removes them; does nothing if there are none. */
	void (*remove_uprobes)(void *ctx, struct uprobes *uprobes);
	void *ctx;
};

static inline void probes_consume(const struct probes *probes)
{
	probes->consume(probes->ctx);
}

static inline int probes_take_losses(const struct probes *probes, probes_loss *loss, void *arg)
{
	return probes->take_losses(probes->ctx, loss, arg);
}

static inline struct misses probes_misses(const struct probes *probes)
{
	return probes->misses(probes->ctx);
}

static inline int probes_set(const struct probes *probes, enum probes_map map, const void *key,
			     const void *value)
{
	return probes->set(probes->ctx, map, key, value);
}

static inline void probes_remove(const struct probes *probes, enum probes_map map, const void *key)
{
	probes->remove(probes->ctx, map, key);
}

static inline int probes_set_uprobes(const struct probes *probes, const struct target *target,
				     enum uprobes_part part, uint32_t image,
				     struct uprobes *ret_uprobes)
{
	return probes->set_uprobes(probes->ctx, target, part, image, ret_uprobes);
}

static inline void probes_remove_uprobes(const struct probes *probes, struct uprobes *uprobes)
{
	probes->remove_uprobes(probes->ctx, uprobes);
}

#endif
