/* SPDX-License-Identifier: MIT */
/* The world was stopped: in free-threaded Pythons one thread suspends all others, to collect
 * garbage, say. */
#include "diagnosis/rule.h"
#include "words/words.h"

static void stall_world(struct collector *collector, const struct stall_view *view)
{
	const struct breakdown *what = &view->stall->what;

	for (uint32_t i = 0; i < what->lock_count; i++) {
		const struct lock_wait *wait = &what->locks[i];
		struct finding finding;

		if (wait->kind != LOCK_WORLD || wait->with_gil)
			continue;
		finding = finding_of_stack(view, FINDING_WORLD_STOPPED, wait->by_stack);
		finding.thread = wait->by;
		collector_add(collector, &finding, wait->ns);
	}
}

static void text_world(struct text_buffer *text, const struct report *report,
		       const struct finding *finding)
{
	add_function_in(text, report, finding, finding->thread);
	text_add(text, " stopped the world, and with it the event loop: ");
	add_figures(text, finding);
}

static void advise_world(struct text_buffer *text, const struct report *report,
			 const struct finding *finding)
{
	text_add(text, "All threads of a free-threaded Python are suspended while one collects "
		       "garbage, forks, or sets a trace or profile function. Collect when nobody "
		       "waits, less often (gc.set_threshold), or with fewer objects (gc.freeze).");
}

const struct rule rule_world_stopped = {
	.stall = stall_world, .text = text_world, .advice = advise_world};
