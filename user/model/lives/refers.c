/* SPDX-License-Identifier: MIT */
/* refers.c - which definitions a world refers to. */
#include "model/private.h"

static void visit_crash(const struct definition_visit *visit, const struct crash *crash)
{
	visit_definition(visit, DEFINE_STACK, crash->stack);
	visit_definition(visit, DEFINE_FUNCTION, crash->native);
}

static void visit_stack(const struct definition_visit *visit, const struct ev_stack *stack)
{
	visit_definition(visit, DEFINE_STACK, stack->stack);
	visit_definition(visit, DEFINE_TEXT, stack->task);
	visit_definition(visit, DEFINE_FUNCTION, stack->native);
}

void process_refers(const struct process *process, const struct definition_visit *visit)
{
	visit_crash(visit, &process->crash);
	for (uint32_t i = 0; i < process->child_count; i++)
		visit_definition(visit, DEFINE_TEXT, process->children[i].text);
}

static void thread_refers(const struct thread_machine *t, const struct definition_visit *visit)
{
	visit_definition(visit, DEFINE_TEXT, t->pub.python_name);
	visit_definition(visit, DEFINE_TEXT, t->file);
	visit_definition(visit, DEFINE_TEXT, t->open.file);
	visit_definition(visit, DEFINE_STACK, t->wakes_stack);
	visit_definition(visit, DEFINE_STACK, t->own_stack);
	visit_stack(visit, &t->off_stack);
	visit_stack(visit, &t->wait_stack);
}

void world_refers(const struct world *world, const struct definition_visit *visit)
{
	for (uint32_t i = 0; i < world->processes.count; i++)
		process_refers(&process_at(world, i)->pub, visit);
	for (uint32_t i = 0; i < world->threads.count; i++)
		thread_refers(world->threads.items[i], visit);
	visit_crash(visit, &world->sample);
}
