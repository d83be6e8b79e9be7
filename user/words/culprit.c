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

void text_add_culprit(struct text_buffer *text, const struct report *report,
		      const struct process *process, enum thread_state state,
		      const struct breakdown *what)
{
	if (state == TS_GIL_WAIT && what->blocker_count && !breakdown_holders_known(what)) {
		text_add(text, ", held by threads that are not known for most of it");
	} else if (state == TS_GIL_WAIT && what->blocker_count) {
		text_add(text, what->blocker_count > 1 ? ", mostly held by " : ", held by ");
		add_blocker(text, report, &what->blockers[0]);
	} else if ((state == TS_BLOCKED || state == TS_HELD_BLOCKED) && what->syscall_count) {
		if (sysno_is_stop(what->syscalls[0].sysno)) {
			text_add(text, ", %s", text_stop(stop_kind_of(what->syscalls[0].sysno)));
			return;
		}
		text_add(text, what->syscall_count > 1 ? ", mostly in " : ", in ");
		text_add_syscall(text, process, what->syscalls[0].sysno);
	} else if ((state == TS_RUNNABLE || state == TS_HELD_RUNNABLE) &&
		   what->throttled_ns * 2 > what->states.ns[state]) {
		text_add(text, ", throttled by its cgroup's CPU quota");
	} else if ((state == TS_RUNNABLE || state == TS_HELD_RUNNABLE) &&
		   what->preempted_by_count && what->preempted_by[0].tid) {
		text_add(text, what->preempted_by_count > 1 ? " that mostly " : " that ");
		text_add_occupant(text, process, &what->preempted_by[0]);
		text_add(text, " had");
	}
}
