/* SPDX-License-Identifier: MIT */
/* What the loop's own thread slept in, with and without the GIL, and who stopped it. */
#include "diagnosis/calls.h"
#include "diagnosis/rule.h"
#include "words/names.h"
#include "words/words.h"

#define FILE_COLUMNS 64

/* A thread that is stopped from outside has no stack that is to blame (ATTRIBUTION_STILL). */
static uint64_t without_stops(const struct breakdown *what, const struct stack_share *share,
			      uint64_t ns)
{
	uint64_t stopped = share->stack ? 0 : breakdown_stopped_ns(what);

	return ns > stopped ? ns - stopped : 0;
}

static void collect_asleep(struct collector *collector, const struct stall_view *view,
			   enum finding_id id, const struct stack_share *share)
{
	enum thread_state state = id == FINDING_HELD_ASLEEP ? TS_HELD_BLOCKED : TS_BLOCKED;
	struct finding finding = finding_of_stack(view, id, share->stack);

	uint64_t reported = state == TS_BLOCKED ? locks_reported(view, share->stack) : 0,
		 ns = without_stops(&view->stall->what, share, share->states.ns[state]);

	finding.sysno = share->sysno;
	finding.file = share->file;
	collector_add(collector, &finding, ns > reported ? ns - reported : 0);
}

static void stall_blocked(struct collector *collector, const struct stall_view *view)
{
	for_each_stack(collector, view, FINDING_BLOCKING_CALL, collect_asleep);
}

static void stall_held_asleep(struct collector *collector, const struct stall_view *view)
{
	for_each_stack(collector, view, FINDING_HELD_ASLEEP, collect_asleep);
}

/* The thread that had the GIL may have been stopped alone, as debuggers do; where the process was,
 * the loop's thread was, too. */
static void stall_stopped(struct collector *collector, const struct stall_view *view)
{
	const struct breakdown *what = &view->stall->what;
	struct finding finding = {
		.id = FINDING_STOPPED, .process = view->process, .sysno = SYSNO_UNKNOWN};

	for (int kind = 0; kind < STOP_KINDS; kind++) {
		finding.stop = (enum stop_kind)kind;
		finding.subject = SUBJECT_PROCESS;
		finding.thread = NULL;
		collector_add(collector, &finding, what->stop_ns[kind]);
		finding.subject = SUBJECT_THREAD;
		for (uint32_t i = 0; i < what->blocker_count; i++) {
			uint64_t ns = what->blockers[i].stop_ns[kind];

			finding.thread = what->blockers[i].thread;
			collector_add(collector, &finding,
				      ns > what->stop_ns[kind] ? ns - what->stop_ns[kind] : 0);
		}
	}
}

/* "TCP 10.0.0.5:5432, where PostgreSQL usually listens" */
static void add_file(struct text_buffer *text, const char *file)
{
	const char *listener = usual_listener(file);

	text_add_name(text, file, FILE_COLUMNS);
	if (listener)
		text_add(text, ", where %s usually listens", listener);
}

/* "poll (pipe)", "requests (recvfrom, TCP 10.0.0.5:443, where HTTPS usually listens)" */
static void add_what(struct text_buffer *text, const struct report *report,
		     const struct finding *finding)
{
	const char *file = text_of(report, finding->file);
	bool in_call = finding->call && finding->sysno != SYSNO_UNKNOWN;

	if (finding->call)
		text_add(text, in_call ? "%s (" : "%s", finding->call->what);
	if (!finding->call || in_call)
		text_add_syscall(text, finding->process->process, finding->sysno);
	if (file) {
		text_add(text, in_call ? ", " : " (");
		add_file(text, file);
	}
	if (file || in_call)
		text_add(text, ")");
}

static void text_blocked(struct text_buffer *text, const struct report *report,
			 const struct finding *finding)
{
	add_function(text, report, finding);
	text_add(text, " blocked the event loop in ");
	add_what(text, report, finding);
	text_add(text, " for ");
	add_figures(text, finding);
}

static void advise_blocked(struct text_buffer *text, const struct report *report,
			   const struct finding *finding)
{
	const char *advice = sleep_advice(finding->process->process, finding->sysno);

	if (finding->call)
		text_add(text, "%s", finding->call->advice[CALL_SLEPT]);
	else if (advice)
		text_add(text, "%s.", advice);
	else if (finding->sysno == SYSNO_NONE)
		text_add(text, "The thread slept outside of system calls, as with page faults on "
			       "memory that has to be read from disk or swap: give the process "
			       "more memory, or touch mapped files in a thread.");
	else
		text_add(text, "Use the async equivalent of that call, or call it in a thread "
			       "(asyncio.to_thread).");
}

static void text_held_asleep(struct text_buffer *text, const struct report *report,
			     const struct finding *finding)
{
	add_function(text, report, finding);
	text_add(text, " slept in ");
	add_what(text, report, finding);
	text_add(text, " with the GIL, so that no thread could run, for ");
	add_figures(text, finding);
}

static void advise_held_asleep(struct text_buffer *text, const struct report *report,
			       const struct finding *finding)
{
	text_add(text, finding->sysno == SYSNO_GIL
			       ? "Others that want the GIL had its mutex: run fewer threads, or "
				 "give the process more CPU."
			       : "If you own the extension, release the GIL around the call "
				 "(Py_BEGIN_ALLOW_THREADS); only then does a worker thread help. "
				 "Otherwise run it in another process.");
}

static void text_stopped(struct text_buffer *text, const struct report *report,
			 const struct finding *finding)
{
	if (finding->thread) {
		text_add_thread(text, report, finding->thread);
		text_add(text, " had the GIL and was");
	} else {
		text_add(text, "The process was");
	}
	text_add(text, " %s, for ", text_stop(finding->stop));
	add_figures(text, finding);
}

static void advise_stopped(struct text_buffer *text, const struct report *report,
			   const struct finding *finding)
{
	static const char *const who[STOP_KINDS] = {
		[STOP_SIGNAL] = "It was stopped from outside, by nothing that its code did: look "
				"for who sent SIGSTOP or "
				"SIGTSTP, such as a supervisor, a script that pauses it, or "
				"Ctrl-Z in a terminal.",
		[STOP_TRACER] = "It was stopped from outside, by nothing that its code did: gdb, "
				"strace or the like traces "
				"it (TracerPid in /proc/PID/status while it lasts).",
		[STOP_FREEZER] = "It was stopped from outside, by nothing that its code did: look "
				 "for docker pause, "
				 "systemctl freeze, cgroup.freeze or a suspended system.",
	};

	text_add(text, "%s", who[finding->stop]);
}

const struct rule rule_blocking_call = {
	.stall = stall_blocked, .text = text_blocked, .advice = advise_blocked};
const struct rule rule_held_asleep = {
	.stall = stall_held_asleep, .text = text_held_asleep, .advice = advise_held_asleep};
const struct rule rule_stopped = {
	.stall = stall_stopped, .text = text_stopped, .advice = advise_stopped};
