/* SPDX-License-Identifier: MIT */
/*
 * checkpoint.h - the state of a world at an instant, as events: the beginning of a recording that
 * has only what comes later.
 *
 * A world that is fed these events, and then what followed the instant in the first world's stream,
 * says of the time from there on what the first one says, or "unknown"; never anything else. It may
 * say "unknown" until a thread's next event where no event could state a fact of the past as one of
 * the present: a thread that runs without the GIL, or that was woken in its loop's wait. A turn,
 * hold or wait in progress begins at the instant and is not whole.
 */
#ifndef GILSCOPE_MODEL_CHECKPOINT_H
#define GILSCOPE_MODEL_CHECKPOINT_H

#include "model/model.h"

/*
 * Pushes the state of `world`, whose window has begun and which has been fed all events up to `ts`
 * and none later, into `to`: processes, declarations (GILs, threads, names, loops and their
 * descriptors), WINDOW at `ts`, then as facts of `ts` and snapshots of ts + 1 what every thread,
 * GIL and CPU is doing, and as snapshots of ts + 2 what the sleepers sleep on; or, when `ts` lies
 * within a loss, the rest of that loss. 0 or the sink's error.
 */
int world_checkpoint(const struct world *world, uint64_t ts, const struct stream_sink *to);

/*
 * A world that is followed only for its checkpoints, as the state of a stream (stream/stream.h),
 * which the caller owns. Its memory is bounded by the objects that live: now and then it is
 * replaced by a new one made from its checkpoint. `mode` as for world_new(). When memory is
 * short, sink.ctx is NULL.
 */
struct stream_state checkpoint_state(enum evidence_mode mode);

#endif
