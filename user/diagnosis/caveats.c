/* SPDX-License-Identifier: MIT */
/* What the report does not know. */
#include "diagnosis/diagnosis.h"

#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "symbols/owner.h"
#include "words/names.h"

struct caveats {
	const struct report *report;
	const struct paragraph_sink *sink;
};

static void caveat_emit(const struct caveats *caveats, const struct text_buffer *text)
{
	caveats->sink->put(caveats->sink->ctx, text);
}

/* Losses of a special kind, in parentheses; `*opened`: another kind came before. */
static void add_kind_of_loss(struct text_buffer *text, uint64_t count, const char *what,
			     bool *opened)
{
	if (!count)
		return;
	text_add(text, *opened ? "; " : " (");
	text_add_count(text, count);
	text_add(text, " of them ");
	text_add(text, "%s", what);
	*opened = true;
}

#define LOSERS_SHOWN  3
#define LOSER_COLUMNS 40

/* Of whom most events were lost, most first. Returns of how many some were; `*ret_rest`: how many
 * events of those that are not shown. */
static uint32_t find_losers(const struct report *report, const struct process **losers,
			    uint64_t *ret_rest)
{
	uint32_t count = 0;

	*ret_rest = 0;
	for (uint32_t p = 0; p < report->process_count; p++) {
		const struct process *process = report->processes[p].process, *other;

		count += process->lost > 0;
		for (int i = 0; i < LOSERS_SHOWN && process && process->lost; i++) {
			if (losers[i] && losers[i]->lost >= process->lost)
				continue;
			other = losers[i];
			losers[i] = process;
			process = other;
		}
		*ret_rest += process ? process->lost : 0;
	}
	return count;
}

static void add_loser(struct text_buffer *text, const struct process *process)
{
	char title[PROCESS_TITLE_MAX];

	text_add_count(text, process->lost);
	text_add(text, process->lost == 1 ? " was about " : " were about ");
	text_add_name(text, process_title(process, title), LOSER_COLUMNS);
	if (!process->stands_for)
		text_add(text, " (%u)", process->info.pid);
}

/* Of several processes: whose events they were. */
static void add_losers(struct text_buffer *text, const struct report *report)
{
	const struct process *losers[LOSERS_SHOWN] = {NULL};
	uint64_t rest;
	uint32_t count = find_losers(report, losers, &rest);

	for (uint32_t i = 0; i < LOSERS_SHOWN && losers[i]; i++) {
		text_add(text, i ? ", " : " Of them ");
		add_loser(text, losers[i]);
	}
	if (count > LOSERS_SHOWN) {
		text_add(text, ", ");
		text_add_count(text, rest);
		text_add(text, " about ");
		text_add_number_of(text, count - LOSERS_SHOWN, "more process", "more processes");
	}
	if (count)
		text_add(text, ".");
	if (!report->window.lost_anywhere)
		return;
	text_add(text, " Which process ");
	text_add_count(text, report->window.lost_anywhere);
	text_add(text, " of them were about is unknown, so all are affected.");
}

static void emit_losses(const struct caveats *caveats)
{
	const struct report *report = caveats->report;
	struct text_buffer text = {0};
	bool opened = false;

	if (report->window.lost) {
		text_add_number_of(&text, report->window.lost, "event was", "events were");
		text_add(&text, " lost");
		add_kind_of_loss(&text, report->window.late, "came too late to be put in order",
				 &opened);
		add_kind_of_loss(&text, report->window.missed,
				 "because the kernel skipped the probe", &opened);
		add_kind_of_loss(&text, report->window.lost_runs, "only said which task had a CPU",
				 &opened);
		text_add(&text, opened ? "): " : ": ");
		text_add_share(&text, report->unknown_ns, report->thread_ns);
		text_add(&text, " of the threads' time is unknown.");
		if (report->process_count > 1)
			add_losers(&text, report);
		text_add(&text, " Everything else is unaffected by the loss.");
		caveat_emit(caveats, &text);
	} else if (report->unknown_ns > report->thread_ns / 100) {
		text_add_share(&text, report->unknown_ns, report->thread_ns);
		text_add(&text, " of the threads' time is unknown although no event was lost: a "
				"thread is unknown until its first event, and where events "
				"contradict each other.");
		caveat_emit(caveats, &text);
	}
}

static void emit_unwhole(const struct caveats *caveats)
{
	const struct report *report = caveats->report;
	struct text_buffer text = {0};
	uint32_t count = 0;

	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->processes[p].loop_count; i++)
			for (uint32_t n = 0; n < report->processes[p].loops[i].stall_count; n++)
				count += !report->processes[p].loops[i].stalls[n].whole &&
					 !report->processes[p].loops[i].stalls[n].ongoing;
	if (!count)
		return;
	text_add_number_of(&text, count, "stall was", "stalls were");
	text_add(&text, " seen only in part, because data begins or ends inside: marked ≥.");
	caveat_emit(caveats, &text);
}

static void emit_left_out(const struct caveats *caveats)
{
	const struct report *report = caveats->report;
	struct text_buffer text = {0};
	uint64_t count = 0;

	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->processes[p].loop_count; i++)
			count += report->processes[p].loops[i].stalls_left_out;
	if (!count)
		return;
	text_add_number_of(&text, count, "stall is", "stalls are");
	text_add(&text, " not listed, none longer than ");
	text_add_duration(&text, report->left_out_ns);
	text_add(&text, ": the report lists the longest; the sums include all.");
	caveat_emit(caveats, &text);
}

static void emit_ended(const struct caveats *caveats)
{
	const struct report *report = caveats->report;
	const struct process_report *last = report->process_count
						    ? &report->processes[report->process_count - 1]
						    : NULL;
	struct text_buffer text = {0};
	uint64_t stalls = 0;

	if (!last || !last->process->stands_for)
		return;
	for (uint32_t i = 0; i < last->loop_count; i++)
		stalls += loop_stall_count(&last->loops[i]);
	text_add_number_of(&text, last->process->stands_for, "process that has ended is",
			   "processes that have ended are");
	text_add(&text, " not listed one by one, but as their sum: ");
	if (stalls)
		text_add_number_of(&text, stalls, "stall", "stalls");
	else
		text_add(&text, "without a stall");
	text_add(&text, ". Sums and findings include them; their lanes in a timeline are empty.");
	caveat_emit(caveats, &text);
}

/* Of processes that are listed. */
static void emit_ended_threads(const struct caveats *caveats)
{
	const struct report *report = caveats->report;
	struct text_buffer text = {0};
	uint64_t count = 0;

	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->processes[p].thread_count; i++)
			if (!report->processes[p].process->stands_for)
				count += report->processes[p].threads[i].thread->stands_for;
	if (!count)
		return;
	text_add_number_of(&text, count, "thread that has ended is", "threads that have ended are");
	text_add(&text, " not listed one by one, but as a sum, \"(ended)\". Sums and findings "
			"include them; their lanes in a timeline are empty.");
	caveat_emit(caveats, &text);
}

static void emit_ended_gils(const struct caveats *caveats)
{
	const struct report *report = caveats->report;
	struct text_buffer text = {0};
	uint64_t count = 0;

	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->processes[p].gil_count; i++)
			if (!report->processes[p].process->stands_for)
				count += report->processes[p].gils[i].gil->stands_for;
	if (!count)
		return;
	text_add_number_of(&text, count, "GIL of a sub-interpreter that has ended is",
			   "GILs of sub-interpreters that have ended are");
	text_add(&text, " not listed one by one, but as a sum. Sums and findings include them; "
			"they have no lanes in a timeline.");
	caveat_emit(caveats, &text);
}

/* Switches and wake-ups that the kernel itself did not report. */
static void emit_missed(const struct caveats *caveats)
{
	const struct world_window *window = &caveats->report->window;
	struct text_buffer text = {0};

	if (window->gaps) {
		text_add(&text, "The kernel missed ");
		text_add_number_of(&text, window->gaps, "context switch", "context switches");
		text_add(&text, "; the threads concerned are unknown from the switch before on "
				"that CPU, about a millisecond each.");
		caveat_emit(caveats, &text);
	}
	if (window->contradictions) {
		text = (struct text_buffer){0};
		text_add_number_of(&text, window->contradictions, "time", "times");
		text_add(&text, " an earlier event of a thread must have been missed; that "
				"thread's time up to there is unknown.");
		caveat_emit(caveats, &text);
	}
}

static void emit_contradictions(const struct caveats *caveats)
{
	const struct report *report = caveats->report;
	uint64_t violations = 0;

	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->processes[p].gil_count; i++)
			violations += report->processes[p].gils[i].gil->violations;
	if (violations) {
		struct text_buffer text = {0};

		text_add_number_of(&text, violations, "time", "times");
		text_add(&text, " events of the GIL contradicted each other; its holder is unknown "
				"from there to the next certain event.");
		caveat_emit(caveats, &text);
	}
	if (report->window.foreign) {
		struct text_buffer text = {0};

		text_add_number_of(&text, report->window.foreign, "event", "events");
		text_add(&text, " concerned an unknown GIL, perhaps a sub-interpreter's; "
				"its threads' states rest on the scheduler alone.");
		caveat_emit(caveats, &text);
	}
}

static void emit_sites(const struct caveats *caveats)
{
	static const char *const sayings[] = {
		[SITES_NO_TAKE] =
			" was released or waited for again and again, but never seen to be taken",
		[SITES_NO_DROP] = " was taken again and again, but never seen to be released",
		[SITES_NO_HIT] = " was never seen to be taken or released, although several of its "
				 "threads ran Python",
	};

	for (uint32_t p = 0; p < caveats->report->process_count; p++) {
		const struct process *process = caveats->report->processes[p].process;
		struct text_buffer text = {0};

		if (!process->sites_fault)
			continue;
		text_add(&text,
			 "The GIL of process %u%s. gilscope does not know this Python build, so "
			 "who holds the GIL is unknown; please report it with the "
			 "output of gilscope doctor %u.",
			 process->info.pid, sayings[process->sites_fault], process->info.pid);
		caveat_emit(caveats, &text);
	}
}

/* What is not traced in a mode other than exact. */
static void emit_mode(const struct caveats *caveats)
{
	const struct report *report = caveats->report;
	struct text_buffer text = {0};

	if (!mode_is_cheap(report->mode) && !report->sampled_ns)
		return;
	text_add(&text, "Takes and drops of the GIL that nobody waits for are not traced");
	if (mode_is_cheap(report->mode))
		text_add(&text, " (mode %s; --mode exact traces all)",
			 fact_name(&mode_names, report->mode));
	if (report->sampled_ns) {
		text_add(&text, ": samples distinguish Python and C code for ");
		text_add_share(&text, report->sampled_ns, report->thread_ns);
		text_add(&text, " of the threads' time");
	}
	text_add(&text, ".");
	if (report->mode == MODE_FUTEX)
		text_add(&text, " A wait for the GIL counts only while the thread sleeps in it.");
	caveat_emit(caveats, &text);
}

static void emit_method(const struct caveats *caveats)
{
	const struct report *report = caveats->report;

	for (uint32_t p = 0; p < report->process_count; p++) {
		const struct process_info *info = &report->processes[p].process->info;
		struct text_buffer text = {0};

		if (info->confidence != CONFIDENCE_APPROXIMATE)
			continue;
		text_add(&text, "The GIL of process %u was found by an approximate method (",
			 info->pid);
		text_add(&text, "%s", fact_name(&method_names, info->method));
		text_add(&text, "); its figures may be off.");
		caveat_emit(caveats, &text);
	}
}

static void emit_stack_losses(const struct caveats *caveats)
{
	const struct report *report = caveats->report;
	uint64_t missing = report->stack_evidence.missing, torn = report->stack_evidence.torn;
	struct text_buffer text = {0};

	if (missing) {
		text_add_number_of(&text, missing, "Python stack", "Python stacks");
		text_add(&text, " of ");
		text_add_count(&text, report->stack_evidence.taken);
		text_add(&text, " could not be read; %s time is attributed to no function.",
			 missing == 1 ? "its" : "their");
		caveat_emit(caveats, &text);
	}
	if (torn) {
		text = (struct text_buffer){0};
		text_add_number_of(&text, torn, "stack", "stacks");
		text_add(&text, " changed while being read; %s innermost frames are omitted.",
			 torn == 1 ? "its" : "their");
		caveat_emit(caveats, &text);
	}
	if (report->stack_evidence.unsure) {
		text = (struct text_buffer){0};
		text_add_number_of(&text, report->stack_evidence.unsure, "stack", "stacks");
		text_add(&text,
			 " could be read only in part: which callback ran is unknown there.");
		caveat_emit(caveats, &text);
	}
	if (report->stack_evidence.full) {
		text = (struct text_buffer){0};
		text_add(&text, "There were more distinct stacks than the ");
		text_add_count(&text, DEFINE_STACKS_MAX);
		text_add(&text, " that are kept; what ran in the later ones is unknown.");
		caveat_emit(caveats, &text);
	}
}

/* dictionary.h */
static void emit_refused(const struct caveats *caveats, enum definition_kind kind, const char *what,
			 uint32_t limit, const char *missing)
{
	const struct dictionary *names = caveats->report->names;
	struct text_buffer text = {0};

	if (!names || !dictionary_refused(names, kind))
		return;
	text_add(&text, "There were more different %s than the ", what);
	text_add_count(&text, limit);
	text_add(&text, " that are kept, so later ones are missing%s.", missing);
	caveat_emit(caveats, &text);
}

static void emit_unnamed(const struct caveats *caveats)
{
	emit_refused(caveats, DEFINE_TEXT, "names", DEFINE_TEXTS_MAX,
		     ": those of tasks, of threads, and of what calls waited for");
	emit_refused(caveats, DEFINE_FUNCTION, "functions", DEFINE_FUNCTIONS_MAX, "");
}

/* Whatever would have been read there is missing. */
static void emit_unread(const struct caveats *caveats)
{
	struct text_buffer text = {0};

	if (!caveats->report->window.unread)
		return;
	text_add_number_of(&text, caveats->report->window.unread, "time", "times");
	text_add(&text, " memory of the process was not read, because its supplier may never "
			"answer (FUSE, userfaultfd) or took too long. Functions, thread names and "
			"the state of event loops may be missing.");
	caveat_emit(caveats, &text);
}

/* What slept without its stack has no function; what ran has it from another sample, if that is not
 * far away. */
static void emit_unsampled(const struct caveats *caveats)
{
	uint64_t count = caveats->report->window.unsampled;
	struct text_buffer text = {0};

	if (!count)
		return;
	text_add(&text, "Up to ");
	text_add_number_of(&text, count, "sample", "samples");
	text_add(&text, count == 1 ? " is" : " are");
	text_add(&text, " missing: some time has no function, or that of the sample beside it.");
	caveat_emit(caveats, &text);
}

static bool any_stall(const struct report *report)
{
	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->processes[p].loop_count; i++)
			if (report->processes[p].loops[i].stall_count)
				return true;
	return false;
}

/* How complete and precise the functions are. */
static void emit_stacks(const struct caveats *caveats)
{
	const struct report *report = caveats->report;
	struct text_buffer text = {0};

	if (!report->stacks) {
		text_add(&text,
			 "No Python stacks were taken: functions, files and lines are missing.");
		caveat_emit(caveats, &text);
		return;
	}
	emit_stack_losses(caveats);
	if (!report->blame_count && !any_stall(report))
		return;
	if (report->rate_hz) {
		text_add(&text, "On-CPU functions are sampled at %u" NBSP "Hz (±", report->rate_hz);
		text_add_duration(&text, NS_PER_S / report->rate_hz);
		text_add(&text, " each); sleeps and GIL waits are exact.");
	} else {
		text_add(&text, "Sampling was off: on-CPU functions are known only where they then "
				"slept or waited.");
	}
	caveat_emit(caveats, &text);
}

/* Of the stacks in which a package may be the application, the one with the most time: its
 * function. 0: there is none. */
static uint32_t largest_candidate(const struct report *report)
{
	uint32_t largest = 0;
	uint64_t most = 0;

	for (uint32_t i = 0; i < report->flame_count; i++) {
		const struct flame *flame = &report->flames[i];
		uint32_t function = flame->stack && flame->ns > most
					    ? handler_candidate(report->finder, report->names,
								flame->stack)
					    : 0;

		if (function) {
			largest = function;
			most = flame->ns;
		}
	}
	return largest;
}

/* All code that ran is installed: nothing says which package is the application. */
static void emit_installed(const struct caveats *caveats)
{
	const struct report *report = caveats->report;
	struct stack_frame frame = {.function = 0};
	struct text_buffer text = {0};
	char root[1024];
	const char *file;

	if (!report->stacks || !report->finder || report->blame_count)
		return;
	frame.function = largest_candidate(report);
	if (!frame.function)
		return;
	file = frame_names(report, &frame).file;
	text_add(&text,
		 "No function of the application was recognized, because all code that ran is "
		 "among the installed packages. If one of them is the application, name it: "
		 "--app-root ");
	snprintf(root, sizeof(root), "%.*s", (int)owner_package(file), file);
	text_add_name(&text, root, sizeof(root));
	caveat_emit(caveats, &text);
}

static void emit_guessed_loops(const struct caveats *caveats)
{
	const struct report *report = caveats->report;
	struct text_buffer text = {0};

	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->processes[p].loop_count; i++) {
			const struct loop *loop = report->processes[p].loops[i].loop;

			if (!loop->by_behaviour)
				continue;
			text_separate(&text, ", ");
			text_add_thread(&text, report, loop->thread);
		}
	if (!text.length)
		return;
	text_add(&text,
		 ": recognised as an event loop by its epoll waits; asyncio's own state could not "
		 "be read.");
	caveat_emit(caveats, &text);
}

void caveats_paragraphs(const struct report *report, const struct paragraph_sink *sink)
{
	const struct caveats caveats = {.report = report, .sink = sink};

	if (report->window.full) {
		struct text_buffer text = {0};

		text_add(&text,
			 "There were more than %u %s, the most that a report can have; it ends at ",
			 report->window.limit, report->window.full);
		text_add_duration(&text, text_window_ns(report));
		text_add(&text, ".");
		caveat_emit(&caveats, &text);
	} else if (report->truncated) {
		struct text_buffer text = {0};

		text_add(&text, "The recording is truncated at ");
		text_add_duration(&text, text_window_ns(report));
		text_add(&text, ": its writer was stopped, or the disk was full.");
		caveat_emit(&caveats, &text);
	}
	emit_losses(&caveats);
	emit_unwhole(&caveats);
	emit_left_out(&caveats);
	emit_ended(&caveats);
	emit_ended_threads(&caveats);
	emit_ended_gils(&caveats);
	emit_missed(&caveats);
	emit_contradictions(&caveats);
	emit_sites(&caveats);
	emit_mode(&caveats);
	emit_method(&caveats);
	emit_guessed_loops(&caveats);
	emit_unread(&caveats);
	emit_unnamed(&caveats);
	emit_unsampled(&caveats);
	emit_stacks(&caveats);
	emit_installed(&caveats);
}
