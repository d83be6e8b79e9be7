/* SPDX-License-Identifier: MIT */
#include "cmd/watch/freezes.h"

#include <errno.h>
#include <stdlib.h>

#include "base/duration.h"
#include "words/words.h"

struct open_freeze {
	const struct loop *loop; /* to be compared: it may have been freed */
	uint32_t tid;
	struct freeze freeze;
};

int freezes_add(struct freezes *freezes, const struct loop *loop, const struct stall *stall)
{
	struct open_freeze *grown;

	if (stall->ongoing || stall->freeze.stalls < 2)
		return 0;
	for (uint32_t i = 0; i < freezes->count; i++)
		if (freezes->list[i].loop == loop &&
		    freezes->list[i].freeze.start == stall->freeze.start) {
			freezes->list[i].freeze = stall->freeze;
			return 0;
		}
	grown = reallocarray(freezes->list, freezes->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	freezes->list = grown;
	grown[freezes->count++] = (struct open_freeze){
		.loop = loop, .tid = loop->thread->tid, .freeze = stall->freeze};
	return 0;
}

/* NULL: it is there no longer. */
static const struct loop *loop_still(const struct world *world, const struct open_freeze *open)
{
	uint32_t position = 0;
	struct thread *thread;

	while ((thread = world_next_thread(world, &position)))
		if (thread->loop == open->loop && thread->tid == open->tid)
			return open->loop;
	return NULL;
}

/* The next stall may be in progress. With its thread a loop's freeze is over, and is told while the
 * model still has them. */
static bool goes_on(const struct freezes *freezes, const struct open_freeze *open,
		    const struct loop *loop, uint64_t ts)
{
	uint64_t latest = open->freeze.end + freezes->gap_ns;

	return ts != UINT64_MAX && loop && !loop->thread->gone &&
	       (ts <= latest || (loop->in_turn && loop->ts_turn <= latest));
}

static int tell_freeze(const struct freezes *freezes, const struct report *report,
		       const struct open_freeze *open, const struct loop *loop)
{
	const struct freeze *freeze = &open->freeze;
	struct text_buffer text = {0};
	const struct told_event event = {.kind = EVENT_FREEZE,
					 .state = EVENT_ENDED,
					 .ts = freeze->end,
					 .text = &text,
					 .report = report,
					 .process = loop ? loop->thread->process : NULL,
					 .loop = loop,
					 .freeze = freeze};

	text_add_time(&text, report, freeze->start);
	text_add(&text, "  ");
	text_add_duration(&text, freeze->end - freeze->start);
	text_add(&text, "  frozen by ");
	text_add_number_of(&text, freeze->stalls, "stall", "stalls");
	text_add(&text, " one after another");
	return freezes->tell(freezes->ctx, &event);
}

int freezes_tick(struct freezes *freezes, const struct world *world, const struct report *report,
		 uint64_t ts)
{
	int err = 0;

	for (uint32_t i = freezes->count; i-- > 0 && !err;) {
		const struct loop *loop = loop_still(world, &freezes->list[i]);

		if (goes_on(freezes, &freezes->list[i], loop, ts))
			continue;
		err = tell_freeze(freezes, report, &freezes->list[i], loop);
		freezes->list[i] = freezes->list[--freezes->count];
	}
	return err;
}

void freezes_done(struct freezes *freezes)
{
	free(freezes->list);
}
