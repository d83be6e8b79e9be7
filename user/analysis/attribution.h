/* SPDX-License-Identifier: MIT */
/*
 * attribution.h - which Python stack a stretch of a thread's time belongs to. The one owner of that
 * rule: a stage between the model and everything that adds up or draws its intervals.
 *
 * The model emits intervals (what state a thread was in) and samples (where in Python it was at an
 * instant). This stage passes both on, and makes stretches of them: so much time of one thread,
 * and the stack it belongs to. Those who receive stretches only add them up.
 *
 * Off the CPU, and while it waits for the GIL, a thread stands still, so its stack is a fact. On a
 * CPU its stack between two samples is unknown, and the caller chooses which sample stands for the
 * time: the policies below (docs/evidence/accuracy.md, "Where the time of a stack comes from").
 *
 * Memory is bounded by the threads: for each, one stretch per policy that still waits for its
 * sample, and ATTRIBUTION_EARLY_MAX intervals of a holder that was not sampled yet.
 */
#ifndef GILSCOPE_ANALYSIS_ATTRIBUTION_H
#define GILSCOPE_ANALYSIS_ATTRIBUTION_H

#include "model/model.h"

/* A sample, as something that time can be added to. All 0: no stack is known. */
struct stack_ref {
	uint32_t stack, task; /* definitions; 0 = unknown */
	uint32_t native; /* the machine code that ran, on a CPU; 0 = the interpreter's, or unknown
			  */
	uint64_t root;
	bool gc; /* the collector was at work */
};

/*
 * On a CPU, too much time for one sample of a clock of this rate belongs to none: more than four
 * periods. Bounded policies keep to that.
 */
enum attribution_policy {
	/* Off the CPU, or waiting for the GIL: the stack that was taken when that began, good until
	 * the thread has run again. Exact. Of one that is stopped from outside: none, for it is
	 * nothing that its code does. */
	ATTRIBUTION_STILL,
	/* On a CPU, in order of time, without gaps: the next sample of any kind; what is behind the
	 * last one before the thread leaves the CPU belongs to that. Bounded. */
	ATTRIBUTION_LANE,
	/* On a CPU, inside a turn of the thread's loop: the next sample of any kind in the turn.
	 * What is behind the last one is attribution_turn_rest(). Bounded. */
	ATTRIBUTION_TURN,
	/* On a CPU, over the window: each sample of the clock stands for all since the one before.
	 * One stretch for every sample of the clock. */
	ATTRIBUTION_CLOCK,
	/* With the GIL while others wait for it: the latest sample of the thread since it has the
	 * GIL. Not known before the first one … */
	ATTRIBUTION_HOLD,
	/* … and once that is there, the same stretch again, with its stack. */
	ATTRIBUTION_HOLD_EARLIER,
};
#define ATTRIBUTION_BIT(policy) (1u << (policy))

/* Time of a stretch in one state, inside turns or outside of them. */
struct stretch_part {
	enum thread_state state;
	bool in_turn;
	uint64_t ns;
	uint64_t gc_ns;	  /* of `ns`: collecting garbage */
	uint64_t samples; /* ATTRIBUTION_CLOCK: 1 in the part that the sample was taken in */
};

struct stretch {
	enum attribution_policy policy;
	struct thread *thread;
	uint64_t start, end;
	const struct stack_ref *ref;
	/* What lies between start and end. That may be less than all of it: under
	 * ATTRIBUTION_TURN and ATTRIBUTION_CLOCK only the time on a CPU. */
	const struct stretch_part *parts;
	uint32_t part_count;
	/* The model's interval that the stretch is; NULL where it is made of several. */
	const struct interval *interval;
};

/* All may be NULL. For one event the model's callback comes first, then the stretches that follow
 * from it; those of ATTRIBUTION_HOLD before the intervals of the waiters. */
struct stretch_sink {
	struct model_sink model; /* what the model emits, as it is */
	void (*stretch)(void *ctx, const struct stretch *stretch);
	uint32_t policies; /* those that it wants, ATTRIBUTION_BIT() of each */
	void *ctx;
};

#define ATTRIBUTION_EARLY_MAX 16

struct attribution;

/* `rate_hz`: of the recording's clock, 0 = none. NULL when memory is short. */
struct attribution *attribution_new(uint32_t rate_hz);
void attribution_free(struct attribution *attribution);
/* One more to receive the stretches; before the first event. 0 or -ENOMEM. */
int attribution_add(struct attribution *attribution, struct stretch_sink sink);
/* The stage as the sink of a model; after all have been added. */
struct model_sink attribution_sink(struct attribution *attribution);
/* Emits what ATTRIBUTION_LANE still holds back; after world_end(). */
void attribution_finish(struct attribution *attribution);
/* 0, or -ENOMEM when memory was short so far: then stretches are missing. */
int attribution_error(const struct attribution *attribution);

/* Visits the definitions that it refers to. */
void attribution_refers(const struct attribution *attribution,
			const struct definition_visit *visit);

/* Where the thread stands, while it is off the CPU or waits for the GIL. */
struct stack_ref attribution_still(const struct attribution *attribution,
				   const struct thread *thread);
/* Where the holder of a GIL was seen last since it has the GIL; stack 0: not yet. */
struct stack_ref attribution_hold(const struct attribution *attribution,
				  const struct thread *thread);
/* Where the thread of a loop in a turn, on a CPU, is, according to samples. */
struct stack_ref attribution_turn_latest(const struct attribution *attribution,
					 const struct thread *thread);

#define STRETCH_PARTS_MAX 4

/*
 * The rest of the turn in progress (or the one that is just ending), as if it ended now: the time
 * on a CPU behind the last sample in it. False: there is none. Removes nothing, so that it can
 * be asked for while the turn lasts. The stretch points to `parts` and *ref.
 */
bool attribution_turn_rest(const struct attribution *attribution, struct thread *thread,
			   struct stretch *ret_stretch, struct stack_ref *ref,
			   struct stretch_part parts[STRETCH_PARTS_MAX]);

/*
 * How much of `ns` in this state is collecting garbage: by the traced begins and ends (`traced`),
 * or in a process whose collections are seen by samples alone, by the sample that the time belongs
 * to. (The collector's flag is the interpreter's, so only who has the GIL can be at it.)
 */
static inline uint64_t gc_share(const struct process *process, bool traced,
				const struct stack_ref *ref, enum thread_state state, uint64_t ns)
{
	if (process->info.gc == GC_SAMPLES)
		return ref && ref->gc && thread_state_holds(state) ? ns : 0;
	return traced ? ns : 0;
}

#endif
