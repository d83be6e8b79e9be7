/* SPDX-License-Identifier: MIT */
/* Of a stall: who released what it waited for, which threads ran meanwhile, who waits for whom. */
#include <inttypes.h>
#include <stdio.h>

#include "view/json/json_parts.h"
#include "words/names.h"

const char *json_lock_kind(enum lock_kind kind)
{
	static const char *const names[] = {
		[LOCK_UNKNOWN] = "unknown",	[LOCK_MUTEX] = "mutex",
		[LOCK_SEMAPHORE] = "semaphore", [LOCK_PARKED] = "parked",
		[LOCK_PYMUTEX] = "pymutex",	[LOCK_CRITICAL] = "critical_section",
		[LOCK_WORLD] = "world_stopped"};

	return names[kind];
}

static json_t *parked_json(uint64_t address)
{
	char text[32];

	if (!address)
		return JSON_LEFT_OUT;
	snprintf(text, sizeof(text), "0x%" PRIx64, address);
	return json_string(text);
}

static json_t *lock_json(const struct report *report, const struct process *process,
			 const struct lock_wait *wait)
{
	const struct syscall_share slept = {.sysno = wait->by_sysno, .ns = wait->by_slept_ns};

	return JSON_NEW(
		report_lock, .tid = json_integer(wait->thread->tid),
		.thread = json_text(thread_name(report, wait->thread)),
		.with_gil = json_boolean(wait->with_gil),
		.kind = json_string(json_lock_kind(wait->kind)),
		.address = parked_json(wait->parked), .ns = json_uint(wait->ns),
		.stack = json_stack(report, wait->stack), .by_tid = json_integer(wait->by->tid),
		.by = json_text(thread_name(report, wait->by)),
		.by_stack = json_stack(report, wait->by_stack),
		.by_slept = slept.ns ? json_syscall(&slept, process->info.machine) : json_null(),
		.by_slept_stack = json_stack(report, wait->by_slept));
}

json_t *json_locks(const struct report *report, const struct process *process,
		   const struct breakdown *what)
{
	json_t *list = what->lock_count ? json_array() : JSON_LEFT_OUT;

	for (uint32_t i = 0; i < what->lock_count; i++)
		json_array_append_new(list, lock_json(report, process, &what->locks[i]));
	return list;
}

static json_t *helper_json(const struct report *report, const struct helper *helper)
{
	const struct native_share *most = &helper->natives[0];

	for (int i = 1; i < NATIVES_MAX_OF_SHARE; i++)
		if (helper->natives[i].ns > most->ns)
			most = &helper->natives[i];
	return JSON_NEW(report_helper, .tid = json_integer(helper->thread->tid),
			.thread = json_text(helper->thread->comm), .ns = json_uint(helper->ns),
			.native = json_native(report, most));
}

json_t *json_helpers(const struct report *report, const struct breakdown *what)
{
	json_t *list = what->helper_count ? json_array() : JSON_LEFT_OUT;

	for (uint32_t i = 0; i < what->helper_count; i++)
		json_array_append_new(list, helper_json(report, &what->helpers[i]));
	return list;
}

json_t *json_chain(const struct report *report, const struct stall *stall)
{
	json_t *list = stall->chain_count ? json_array() : JSON_LEFT_OUT;

	for (uint32_t i = 0; i < stall->chain_count; i++) {
		const struct chain_link *link = &stall->chain[i];
		const char *machine = link->thread->process->info.machine;

		json_array_append_new(
			list,
			JSON_NEW(report_waiter, .tid = json_integer(link->thread->tid),
				 .thread = json_text(thread_name(report, link->thread)),
				 .state = json_string(thread_state_name(link->state)),
				 .lock = json_text_or_null(link->lock.address
								   ? json_lock_kind(link->lock.kind)
								   : NULL),
				 .had_ns = link->had_ns ? json_uint(link->had_ns) : JSON_LEFT_OUT,
				 .syscall = thread_state_sleeps(link->state)
						    ? json_call(link->sysno, machine)
						    : JSON_LEFT_OUT,
				 .ns = json_uint(link->ns),
				 .stack = json_stack(report, link->stack)));
	}
	return list;
}
