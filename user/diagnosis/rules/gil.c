/* SPDX-License-Identifier: MIT */
/* Who had the GIL while the loop wanted it, and who collected garbage. */
#include "diagnosis/calls.h"
#include "diagnosis/rule.h"
#include "words/names.h"
#include "words/words.h"

static struct finding finding_of_blocker(const struct stall_view *view, enum finding_id id,
					 const struct blocker *blocker)
{
	struct finding finding = {.id = id,
				  .subject = SUBJECT_THREAD,
				  .process = view->process,
				  .thread = blocker->thread,
				  .sysno = SYSNO_UNKNOWN,
				  .states = blocker->states};

	set_blocker(&finding, view->report, blocker);
	return finding;
}

static uint64_t blocker_stopped_ns(const struct blocker *blocker)
{
	uint64_t ns = 0;

	for (int kind = 0; kind < STOP_KINDS; kind++)
		ns += blocker->stop_ns[kind];
	return ns;
}

static uint64_t less(uint64_t from, uint64_t ns)
{
	return from > ns ? from - ns : 0;
}

/* The loop's own threads are blockers of each other, too. What the collector did in another thread
 * is counted separately, and so is the time in which the process was stopped. */
static void stall_gil(struct collector *collector, const struct stall_view *view)
{
	const struct breakdown *what = &view->stall->what;
	uint64_t known = 0;

	for (uint32_t i = 0; i < what->blocker_count; i++) {
		const struct blocker *blocker = &what->blockers[i];
		uint64_t ns = state_sums_total(&blocker->states);
		struct finding finding = finding_of_blocker(view, FINDING_GIL_HELD_BY, blocker);

		known += ns;
		set_release(&finding, view, blocker->thread,
			    blocker->states.ns[TS_HELD_BLOCKED] + blocker->states.ns[TS_UNKNOWN]);
		collector_add(collector, &finding,
			      less(less(ns, blocker->gc_ns), blocker_stopped_ns(blocker)));
	}
	collector_add(collector,
		      &(struct finding){.id = FINDING_GIL_HELD_BY,
					.subject = SUBJECT_THREAD,
					.process = view->process,
					.sysno = SYSNO_UNKNOWN},
		      less(what->states.ns[TS_GIL_WAIT], known));
}

static void stall_gc(struct collector *collector, const struct stall_view *view)
{
	const struct breakdown *what = &view->stall->what;
	struct finding own = {.id = FINDING_GARBAGE_COLLECTION,
			      .subject = SUBJECT_THREAD,
			      .process = view->process,
			      .thread = view->loop->loop->thread,
			      .sysno = SYSNO_UNKNOWN,
			      .evidence = what->gc_sampled ? EVIDENCE_SAMPLED : EVIDENCE_TRACED};

	collector_add(collector, &own, what->gc_ns);
	for (uint32_t i = 0; i < what->blocker_count; i++) {
		struct finding other = own;

		other.thread = what->blockers[i].thread;
		collector_add(collector, &other, what->blockers[i].gc_ns);
	}
}

static void text_gil(struct text_buffer *text, const struct report *report,
		     const struct finding *finding)
{
	bool comma;

	if (!finding->thread) {
		text_add(text, "The event loop waited for the GIL, and which threads held it is "
			       "unknown: ");
		add_figures(text, finding);
		return;
	}
	add_function_in(text, report, finding, finding->thread);
	text_add(text, " held the GIL");
	if (finding->call)
		text_add(text, " in %s", finding->call->what);
	comma = add_native(text, report, finding, TS_PYTHON);
	text_add(text, "%s while the event loop waited for it: ", comma ? "," : "");
	add_figures(text, finding);
	if (!finding->release.thread)
		return;
	text_add(text, finding->count > 1 ? "; in the longest it waited for "
					  : "; meanwhile it waited for ");
	add_release(text, report, finding);
}

/* A part that would be a stall by itself, and is more than a trifle of all. */
static uint64_t much_ns(const struct report *report, const struct finding *finding)
{
	uint64_t tenth = state_sums_total(&finding->states) / 10;

	return tenth > report->stall_ns ? tenth : report->stall_ns;
}

void add_gil_parts(struct text_buffer *text, const struct finding *finding, uint64_t much,
		   enum thread_state except)
{
	static const char *const parts[TS_COUNT] = {
		[TS_PYTHON] = "it computed with the GIL",
		[TS_HELD_BLOCKED] = "it slept with the GIL",
		[TS_HELD_RUNNABLE] = "it held the GIL but had no CPU",
		[TS_UNKNOWN] = "whether it ran or slept is unknown",
	};

	for (int i = 0; i < TS_COUNT; i++) {
		if (!parts[i] || i == (int)except || finding->states.ns[i] < much)
			continue;
		text_add(text, " For ");
		text_add_duration(text, finding->states.ns[i]);
		text_add(text, " of that %s.", parts[i]);
	}
}

/* What the program did comes first if it is much by itself: that can be changed. */
static enum thread_state part_to_change(const struct finding *finding, uint64_t much)
{
	const uint64_t *ns = finding->states.ns;
	enum thread_state own = ns[TS_HELD_BLOCKED] > ns[TS_PYTHON] ? TS_HELD_BLOCKED : TS_PYTHON;

	return ns[own] >= much ? own : state_sums_largest(&finding->states);
}

void add_gil_advice(struct text_buffer *text, const struct report *report,
		    const struct finding *finding)
{
	uint64_t much = much_ns(report, finding);
	enum thread_state part = part_to_change(finding, much);

	switch (part) {
	case TS_HELD_BLOCKED:
		text_add(text,
			 "It slept with the GIL: if you own the extension, release the GIL around "
			 "the call (Py_BEGIN_ALLOW_THREADS), otherwise run it in another process.");
		break;
	case TS_HELD_RUNNABLE:
		text_add(text, "It held the GIL but had no CPU: give the process more CPU, or run "
			       "fewer threads than CPUs.");
		break;
	case TS_UNKNOWN:
		text_add(text, "Whether it ran or slept is unknown: if that code sleeps, release "
			       "the GIL around the call (Py_BEGIN_ALLOW_THREADS); if it computes, "
			       "move it to a process pool.");
		break;
	default:
		if (finding->call)
			text_add(text, "%s ", finding->call->advice[CALL_RAN]);
		text_add(text, "Move that work to a process pool, take smaller steps, or release "
			       "the GIL in the extension. More threads would make it worse.");
	}
	add_gil_parts(text, finding, much, part);
}

static void advise_gil(struct text_buffer *text, const struct report *report,
		       const struct finding *finding)
{
	if (finding->thread)
		add_gil_advice(text, report, finding);
}

static void text_gc(struct text_buffer *text, const struct report *report,
		    const struct finding *finding)
{
	text_add(text, "Garbage collection in ");
	text_add_thread(text, report, finding->thread);
	text_add(text, " blocked the event loop for ");
	add_figures(text, finding);
}

static void advise_gc(struct text_buffer *text, const struct report *report,
		      const struct finding *finding)
{
	text_add(text, "Call gc.freeze() when everything is loaded, raise gc.set_threshold(), or "
		       "make fewer objects that refer to each other.");
}

const struct rule rule_gil_held_by = {.stall = stall_gil, .text = text_gil, .advice = advise_gil};
const struct rule rule_garbage_collection = {
	.stall = stall_gc, .text = text_gc, .advice = advise_gc};
