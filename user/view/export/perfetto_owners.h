/* SPDX-License-Identifier: MIT */
/* perfetto_owners.h - the processes, threads, GILs and loops that have tracks in a trace. */
#ifndef GILSCOPE_VIEW_EXPORT_PERFETTO_OWNERS_H
#define GILSCOPE_VIEW_EXPORT_PERFETTO_OWNERS_H

#include "base/hash.h"
#include "view/export/perfetto.h"

/* Frames, preceded by a mark if the stack was cut or is unknown. */
#define FRAMES_MAX (DEFINE_FRAMES_MAX + 1)

/* The slices of a thread's stack that are open. */
struct open_frames {
	uint64_t end; /* end of the open stack */
	uint32_t count, task;
	struct stack_frame
		open[FRAMES_MAX]; /* outermost first; function MARK_…: not a frame but a mark */
};

/* The tracks of a process, thread, GIL or loop. */
enum {
	TRACK_FIRST,
	TRACK_FRAMES = 1,
	TRACK_WAITERS = 1,
	TRACK_STALLS = 1,
	TRACK_TURN_LENGTH,
	TRACKS
};
struct owner {
	UT_hash_handle hh;
	const void *of;
	uint64_t tracks; /* the first; 0: could not be created */
	/* of a thread */
	/* its name when that was interned … */
	char comm[sizeof(((struct thread *)0)->comm)];
	uint32_t python_name;
	bool renamed;		      /* … which has changed once */
	uint64_t name, waited_for_by; /* interned */
	struct open_frames *frames;   /* NULL: none yet */
	/* of losses: the latest one, merged with those that overlap it; count 0: none */
	struct loss loss;
};

/* The owner with this address. A new one has its track numbers, and must still be described. NULL
 * if memory is short. */
struct owner *owner_of(struct perfetto *perfetto, struct owner **owners, const void *of,
		       bool *ret_new);
/* Removes those of which that is true. */
void tracks_forget(struct owner **owners, bool (*leaves)(const void *of));
void tracks_free(struct owner **owners);

#endif
