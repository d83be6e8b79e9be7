/* SPDX-License-Identifier: MIT */
#include "words/stall.h"

#include "words/names.h"

/* "sync_cpu (app.py:12) in 'AnyIO worker thread' (4718)" */
static void add_blocker(struct text_buffer *text, const struct report *report,
			const struct blocker *blocker)
{
	if (blocker->handler.role != HANDLER_NONE) {
		text_add_frame(text, report, &blocker->handler.frame);
		text_add(text, " in ");
	}
	text_add_thread(text, report, blocker->thread);
}

/* "mostly" is half or more. With less, the share of the first of several is stated. */
static bool has_most(uint64_t first, uint64_t total)
{
	return first >= total - first;
}

static void add_share_of(struct text_buffer *text, uint64_t first, uint64_t total)
{
	text_add(text, " for ");
	text_add_share(text, first, total);
}

static void add_gil_owners(struct text_buffer *text, const struct report *report,
			   const struct breakdown *what)
{
	const struct blocker *blockers = what->blockers;
	uint64_t total = 0, first = state_sums_total(&blockers[0].states);

	for (uint32_t i = 0; i < what->blocker_count; i++)
		total += state_sums_total(&blockers[i].states);
	if (has_most(first, total)) {
		text_add(text, what->blocker_count > 1 ? ", mostly held by " : ", held by ");
		add_blocker(text, report, &blockers[0]);
		return;
	}
	text_add(text, ", held by ");
	text_add_number_of(text, what->blocker_count, "thread", "threads");
	text_add(text, ", ");
	add_blocker(text, report, &blockers[0]);
	add_share_of(text, first, total);
}

static void add_calls(struct text_buffer *text, const struct process *process,
		      const struct breakdown *what)
{
	const struct syscall_share *calls = what->syscalls;
	uint64_t total = 0;

	for (uint32_t i = 0; i < what->syscall_count; i++)
		total += calls[i].ns;
	if (has_most(calls[0].ns, total)) {
		text_add(text, what->syscall_count > 1 ? ", mostly in " : ", in ");
		text_add_syscall(text, process, calls[0].sysno);
		return;
	}
	text_add(text, ", ");
	text_add_share(text, calls[0].ns, total);
	text_add(text, " of it in ");
	text_add_syscall(text, process, calls[0].sysno);
}

static void add_rivals(struct text_buffer *text, const struct process *process,
		       const struct breakdown *what)
{
	const struct cpu_share *shares = what->preempted_by;
	uint64_t total = 0;

	for (uint32_t i = 0; i < what->preempted_by_count; i++)
		total += shares[i].ns;
	if (has_most(shares[0].ns, total)) {
		text_add(text, what->preempted_by_count > 1 ? ", taken mostly by " : ", taken by ");
		text_add_occupant(text, process, &shares[0]);
		return;
	}
	text_add(text, ", taken by ");
	text_add_number_of(text, what->preempted_by_count, "other", "others");
	text_add(text, ", ");
	text_add_occupant(text, process, &shares[0]);
	add_share_of(text, shares[0].ns, total);
}

void text_add_culprit(struct text_buffer *text, const struct report *report,
		      const struct process *process, enum thread_state state,
		      const struct breakdown *what)
{
	bool runnable = state == TS_RUNNABLE || state == TS_HELD_RUNNABLE;

	if (state == TS_GIL_WAIT && what->blocker_count && !breakdown_holders_known(what)) {
		text_add(text, ", held by unknown threads for most of it");
	} else if (state == TS_GIL_WAIT && what->blocker_count) {
		add_gil_owners(text, report, what);
	} else if ((state == TS_BLOCKED || state == TS_HELD_BLOCKED) && what->syscall_count) {
		if (sysno_is_stop(what->syscalls[0].sysno))
			text_add(text, ", %s", text_stop(stop_kind_of(what->syscalls[0].sysno)));
		else
			add_calls(text, process, what);
	} else if (runnable && what->throttled_ns * 2 > what->states.ns[state]) {
		text_add(text, ", throttled by its cgroup's CPU quota");
	} else if (runnable && what->preempted_by_count && what->preempted_by[0].tid) {
		add_rivals(text, process, what);
	}
}
