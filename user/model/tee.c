/* SPDX-License-Identifier: MIT */
#include "model/tee.h"

#define TELL(tee, callback, ...)                                                                   \
	do {                                                                                       \
		if ((tee)->first.callback)                                                         \
			(tee)->first.callback((tee)->first.ctx, __VA_ARGS__);                      \
		if ((tee)->second.callback)                                                        \
			(tee)->second.callback((tee)->second.ctx, __VA_ARGS__);                    \
	} while (0)

#define FORWARD(callback, type)                                                                    \
	static void on_##callback(void *ctx, type *what)                                           \
	{                                                                                          \
		struct model_tee *tee = ctx;                                                       \
                                                                                                   \
		TELL(tee, callback, what);                                                         \
	}

FORWARD(thread, struct thread)
FORWARD(loop, struct loop)
FORWARD(interval, const struct interval)
FORWARD(sample, const struct sample)
FORWARD(hold, const struct hold)
FORWARD(wait, const struct gil_wait)
FORWARD(contention, const struct contention)
FORWARD(loss, const struct loss)
FORWARD(run, const struct run)
FORWARD(turn_begin, struct loop)
FORWARD(turn, const struct turn)
FORWARD(turn_cancel, struct loop)

static void on_waiters(void *ctx, const struct gil *gil, uint64_t ts)
{
	struct model_tee *tee = ctx;

	TELL(tee, waiters, gil, ts);
}

struct model_sink model_tee_sink(struct model_tee *tee)
{
	return (struct model_sink){
		.thread = on_thread,
		.loop = on_loop,
		.interval = on_interval,
		.sample = on_sample,
		.hold = on_hold,
		.wait = on_wait,
		.contention = on_contention,
		.waiters = on_waiters,
		.loss = on_loss,
		.run = on_run,
		.turn_begin = on_turn_begin,
		.turn = on_turn,
		.turn_cancel = on_turn_cancel,
		.ctx = tee,
	};
}
