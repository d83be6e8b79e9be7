/* SPDX-License-Identifier: MIT */
/*
 * cut.h - a part of a stream, as a stream of its own.
 *
 * What comes before the part is fed to a state (stream_state), which describes at its begin what
 * every thread is doing; then the events follow, and WINDOW(end). A thread, hold or iteration that
 * began before is in progress at the begin.
 */
#ifndef GILSCOPE_STREAM_CUT_H
#define GILSCOPE_STREAM_CUT_H

#include "stream/stream.h"

/* An instant: of the stream's clock, or ns since the begin of its window. All zero: the begin, or
 * as the end of a part, the end. */
struct cut_bound {
	bool given, absolute;
	uint64_t ns;
};

struct cut_range {
	struct cut_bound from, to;
};

struct cut;

/* Events that come out of order, as in a script, are sorted first. `state` belongs to the cut. NULL
 * when memory is short, or when state.sink.ctx is NULL already. */
struct cut *cut_new(const struct cut_range *range, struct stream_state state,
		    struct stream_sink to);
void cut_free(struct cut *cut);

struct stream_sink cut_sink(struct cut *cut);

/* At the end of the stream. 0, -ERANGE if the part has nothing of the window, or an error of the
 * sink. */
int cut_finish(struct cut *cut);

#endif
