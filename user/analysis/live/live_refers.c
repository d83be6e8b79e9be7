/* SPDX-License-Identifier: MIT */
/* live_refers.c - which definitions a live view refers to. */
#include "analysis/live/live_private.h"
#include "analysis/refers/refers.h"

static void live_starved_refer(const struct live_starved *list, uint32_t count,
			       const struct definition_visit *visit)
{
	for (uint32_t i = 0; i < count; i++)
		starvation_refers(&list[i].starved, visit);
}

static void step_refers(const struct step *step, const struct definition_visit *visit)
{
	for (uint32_t i = 0; i < step->blame_count; i++)
		handler_refers(&step->blame[i].blame.handler, visit);
	for (uint32_t i = 0; i < step->pool_count; i++)
		pool_refers(&step->pools[i], visit);
	live_starved_refer(step->starved, step->starved_count, visit);
	for (uint32_t i = 0; i < step->wait_count; i++) {
		visit_definition(visit, DEFINE_STACK, step->waits[i].waiter_stack);
		visit_definition(visit, DEFINE_STACK, step->waits[i].holder_stack);
	}
}

void live_refers(const struct live *live, const struct definition_visit *visit)
{
	for (const struct live_stall *stall = live->all; stall; stall = stall->next) {
		stall_refers(&stall->stall, visit);
		visit_definition(visit, DEFINE_STACK, stall->ongoing.stack);
		visit_definition(visit, DEFINE_STACK, stall->ongoing.holder_stack);
		handler_refers(&stall->ongoing.handler, visit);
		handler_refers(&stall->ongoing.holder_handler, visit);
	}
	for (uint32_t i = 0; i < live->blame.count; i++)
		handler_refers(
			&((const struct handler_entry *)table_at(&live->blame, i))->blame.handler,
			visit);
	for (uint32_t i = 0; i < live->step_count; i++)
		step_refers(&live->steps[i], visit);
	live_starved_refer(live->waiting, live->waiting_count, visit);
}
