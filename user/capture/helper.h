/* SPDX-License-Identifier: MIT */
/*
 * helper.h - a process beside the observer that keeps the privileges of the beginning. It examines
 * processes that have begun since, and sets their uprobes; the observer, which reads what these
 * processes have written, has given up the privileges for that (cmd/pipeline/confine.h).
 *
 * It is asked for one process at a time, by its number and nothing else, or which processes are
 * wanted besides, and answers without being waited for. It is told which image's probes are being
 * removed. It ends with the observer.
 */
#ifndef GILSCOPE_CAPTURE_HELPER_H
#define GILSCOPE_CAPTURE_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/diag.h"
#include "capture/capture.h"
#include "capture/probes.h"
#include "python/process/bounded.h"
#include "python/target.h"

struct source_reader;

#define HELPER_SEARCH UINT32_MAX /* instead of a process: those that are wanted */

struct probe_helper {
	int line; /* -1: there is none */
	pid_t child;
	uint32_t asked; /* the process that it examines now, or HELPER_SEARCH; 0: none */
	struct bounded_answer answer;
};

/* What it has found. */
struct helper_finding {
	uint32_t pid;
	int err; /* target_open()'s, or of setting uprobes; then `diag` says it */
	struct diag diag;
	/* also with an error, as others may have its image: */
	uint32_t image; /* number of the image whose uprobes it uses (images.h); 0: none */
	struct image_id image_id;
	struct uprobes shared; /* the image's, if they have been set for this answer */
	/* with `err` 0: */
	struct target *target;	       /* the caller's, like the rest */
	struct uprobes uprobes;	       /* its own */
	struct source_reader *sources; /* of its application; NULL: none */
	/* of a search, for which all but `pid` and `err` is empty: the caller's */
	uint32_t *found;
	uint32_t found_count;
};

/* The uprobes that a target needed, and its image. */
struct helper_probes {
	uint32_t image;
	struct uprobes shared, own;
};

/* How it sets the uprobes of a target, in the helper itself. */
struct helper_work {
	int (*set_uprobes)(void *ctx, struct target *target, struct helper_probes *ret_probes,
			   struct diag *diag);
	/* The probes of this image are in place no longer. */
	void (*forget_image)(void *ctx, uint32_t image);
	void *ctx;
	struct capture_search search;
	int programs[BOUNDED_KEEP_MAX]; /* descriptors that this needs */
	uint32_t program_count;
	bool sources; /* start a reader of sources too */
};

/* Starts it, before confining. `work` need not outlive the call. 0 or -errno. */
int helper_start(struct probe_helper *helper, const struct helper_work *work);
void helper_end(struct probe_helper *helper);

/* Asks about a process, or for HELPER_SEARCH. False: it is busy, or has ended. */
bool helper_ask(struct probe_helper *helper, uint32_t pid);
/* Says so. False: it cannot be told now. Not while it is asked, as it may just use them. */
bool helper_forget_image(struct probe_helper *helper, uint32_t image);
/* Takes over the descriptors of uprobes, which the observer closes as well. */
void helper_remove_uprobes(struct probe_helper *helper, struct uprobes *uprobes);
/* Takes the answer without waiting for it. False: there is none yet. When the helper has ended, the
 * answer is -EPIPE and there is no helper any more. */
bool helper_take(struct probe_helper *helper, struct helper_finding *ret_finding);

#endif
