/* SPDX-License-Identifier: MIT */
/* A process that was killed, crashed, or gave up: by what, by whom, and what its loop was in. */
#include <signal.h>

#include "base/duration.h"
#include "base/size.h"
#include "diagnosis/diagnosis.h"
#include "diagnosis/rule.h"
#include "words/names.h"
#include "words/stall.h"
#include "words/words.h"

enum {
	COMMAND_COLUMNS = 48,
	TOGETHER_NS = 100 * NS_PER_MS, /* the threads of a process that is killed end within that */
};
#define ANSWER_NS (60 * NS_PER_S) /* what it exits for came not longer before */

/* These ask a process to end. */
static bool asks_to_end(uint16_t signal)
{
	return signal == SIGTERM || signal == SIGINT || signal == SIGHUP;
}

/* What supervisors send to end a process, one way or the other. */
static bool may_end(uint16_t signal)
{
	return asks_to_end(signal) || signal == SIGQUIT || signal == SIGABRT;
}

/* Whether it exited because of the last signal. */
static bool was_told(const struct process *process)
{
	return process->sent.number && process->death.ts - process->sent.ts < ANSWER_NS;
}

/* A process has sent the signal that ended it. */
static bool was_killed(const struct process *process)
{
	return process->death.signal && process->sent.number == process->death.signal &&
	       process->sent.sender;
}

/* The out-of-memory killer also marks processes that are ending anyway. */
static bool was_too_large(const struct process *process)
{
	return process->death.oom && process->death.signal == SIGKILL && !was_killed(process);
}

static bool is_crash(const struct process *process)
{
	int number = process->death.signal;

	return (number == SIGSEGV || number == SIGBUS || number == SIGILL || number == SIGFPE ||
		number == SIGSYS || number == SIGTRAP || number == SIGABRT) &&
	       !was_killed(process);
}

/* What the thread that crashed ran is known. */
static bool has_place(const struct process *process)
{
	const struct crash *crash = &process->crash;

	return is_crash(process) && crash->signal == process->death.signal &&
	       (crash->stack || crash->native);
}

bool death_is_trouble(const struct process *process, bool serves)
{
	const struct death *death = &process->death;

	if (!death->known)
		return false;
	if (death->signal)
		return !asks_to_end(death->signal);
	if (was_told(process) && may_end(process->sent.number))
		return death->status && process->sent.number == SIGABRT;
	/* programs that exit with an error are nothing unusual; servers are */
	return death->status && serves;
}

/* The longest of the stalls in which its loops ended; NULL: none. One that ended before is whole,
 * if its begin was seen. */
static const struct stall *last_stall(const struct process_report *process)
{
	const struct stall *longest = NULL;

	for (uint32_t i = 0; i < process->loop_count; i++) {
		const struct loop_report *loop = &process->loops[i];
		const struct stall *last = loop->stall_count ? &loop->stalls[loop->stall_count - 1]
							     : NULL;

		if (last && !last->whole && last->end + TOGETHER_NS >= process->process->death.ts &&
		    (!longest || last->end - last->start > longest->end - longest->start))
			longest = last;
	}
	return longest;
}

/* Those that are not reported one by one. What their loops were in is not known any more. */
static void ended_died(struct collector *collector, const struct report *report,
		       const struct process_report *all)
{
	for (uint32_t i = 0; i < report->ended_death_count; i++) {
		const struct ended_death *death = &report->ended_deaths[i];

		if (!death_is_trouble(&death->process, death->served))
			continue;
		collector_add_death(collector, &(struct finding){.id = FINDING_WORKER_DIED,
								 .subject = SUBJECT_PROCESS,
								 .process = all,
								 .died = &death->report,
								 .sysno = SYSNO_UNKNOWN,
								 .count = death->count});
	}
}

static void process_died(struct collector *collector, const struct report *report,
			 const struct process_report *process)
{
	struct finding finding = {.id = FINDING_WORKER_DIED,
				  .subject = SUBJECT_PROCESS,
				  .process = process,
				  .died = process,
				  .sysno = SYSNO_UNKNOWN,
				  .count = 1};

	if (process->process->stands_for)
		ended_died(collector, report, process);
	if (!death_is_trouble(process->process, process->loop_count) ||
	    process->process->death.ts < report->window.start) /* of a live view's past */
		return;
	if (has_place(process->process))
		finding.handler = process->crashed;
	finding.stall = last_stall(process);
	if (finding.stall) {
		finding.ns = finding.stall->end - finding.stall->start;
		finding.handler = finding.stall->handler;
	}
	collector_add_death(collector, &finding);
}

/* ── in words ────────────────────────────────────────────────────────────── */

static void add_sender(struct text_buffer *text, const struct signal_sent *sent)
{
	char title[PROCESS_TITLE_MAX];

	if (!sent->sender) {
		text_add(text, " from the kernel");
		return;
	}
	text_add(text, " from ");
	text_add_pid(text, "process", sent->sender);
	if (!sent->from && !*sent->comm)
		return;
	text_add(text, " (");
	text_add_name(text, sent->from ? process_title(sent->from, title) : sent->comm,
		      COMMAND_COLUMNS);
	text_add(text, ")");
}

static void add_how(struct text_buffer *text, const struct process *process)
{
	const struct signal_sent *sent = &process->sent;

	if (was_too_large(process)) {
		text_add(text, "killed by the kernel for lack of memory");
		return;
	}
	text_add(text, is_crash(process) ? "ended by a crash, " : "killed by ");
	text_add_signal(text, process->death.signal);
	if (!is_crash(process) && sent->number == process->death.signal)
		add_sender(text, sent);
}

/* "exited with status 1, 1.02 s after SIGABRT from process 4700 (gunicorn app:app)" */
static void add_status(struct text_buffer *text, const struct process *process)
{
	text_add(text, " exited with status %u", process->death.status);
	if (!was_told(process) || !may_end(process->sent.number))
		return;
	text_add(text, ", ");
	text_add_duration(text, process->death.ts - process->sent.ts);
	text_add(text, " after ");
	text_add_signal(text, process->sent.number);
	add_sender(text, &process->sent);
}

void text_add_death(struct text_buffer *text, const struct process *process, bool many)
{
	if (process->death.signal) {
		text_add(text, many ? " were " : " was ");
		add_how(text, process);
	} else {
		add_status(text, process);
	}
}

static void add_place(struct text_buffer *text, const struct report *report,
		      const struct process_report *process)
{
	const struct crash *crash = &process->process->crash;

	if (process->crashed.role != HANDLER_NONE) {
		text_add(text, ", in ");
		text_add_handler(text, report, &process->crashed);
	}
	text_add_innermost(text, report, crash->stack, &process->crashed);
	if (crash->native) {
		text_add(text, ", at work in ");
		text_add_native(text, report, crash->native);
	}
}

static void add_stall(struct text_buffer *text, const struct report *report,
		      const struct stall *stall)
{
	text_add(text, "; its event loop had been stalled for ");
	text_add_duration(text, stall->end - stall->start);
	if (stall->handler.role == HANDLER_NONE)
		return;
	text_add(text, ", in ");
	text_add_frame(text, report, &stall->handler.frame);
}

static void text_died(struct text_buffer *text, const struct report *report,
		      const struct finding *finding)
{
	const struct process *process = finding->died->process;
	char title[PROCESS_TITLE_MAX];

	if (finding->count > 1)
		text_add_number_of(text, finding->count, "process", "processes");
	else
		text_add(text, "Process %u", process->info.pid);
	if (finding->count == 1) {
		text_add(text, " (");
		text_add_name(text, process_title(process, title), COMMAND_COLUMNS);
		text_add(text, ")");
	}
	text_add_death(text, process, finding->count > 1);
	text_add(text, finding->count > 1 ? ", the last one, %u, at " : " at ", process->info.pid);
	text_add_time(text, report, process->death.ts);
	if (has_place(process))
		add_place(text, report, finding->died);
	if (finding->stall)
		add_stall(text, report, finding->stall);
	if (finding->count == 1 && finding->died->last)
		text_add_last_moments(text, report, finding->died->last);
}

/* Its parent ended it, or told it to abort, which it did. */
static bool by_supervisor(const struct process *process)
{
	if (!process->sent.from || process->sent.from != process->parent)
		return false;
	return process->death.signal ? was_killed(process)
				     : was_told(process) && process->sent.number == SIGABRT;
}

static void advise_died(struct text_buffer *text, const struct report *report,
			const struct finding *finding)
{
	const struct process *process = finding->died->process;
	char size[SIZE_TEXT_MAX];

	if (was_too_large(process)) {
		if (process->death.peak)
			text_add(text, "It had %s resident at most. ",
				 size_text(process->death.peak * 1024, size));
		text_add(text, "Raise the memory limit, run fewer workers, or find out with a "
			       "memory profiler (memray) what it is used for.");
	} else if (is_crash(process)) {
		text_add(text, "Python or a module of machine code crashed. Run it with "
			       "`python -X faulthandler`, which prints the Python stack of every "
			       "thread when it does.");
	} else if (by_supervisor(process) && finding->stall) {
		text_add(text, "Supervisors replace workers that do not answer in time (gunicorn's "
			       "--timeout, 5" NBSP "s with uvicorn). Find out from the other "
			       "findings what kept it.");
	} else if (by_supervisor(process)) {
		text_add(text, "Its parent ended it: its log may say why.");
	}
}

const struct rule rule_worker_died = {
	.process = process_died, .text = text_died, .advice = advise_died};
