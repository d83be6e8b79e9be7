/* SPDX-License-Identifier: MIT */
/* Threads that run no loop and wanted the GIL for a second and more. (With a loop's thread that is
 * a stall, and gil_held_by says who had it.) */
#include <string.h>

#include "base/duration.h"
#include "base/table.h"
#include "diagnosis/calls.h"
#include "diagnosis/rule.h"
#include "words/names.h"
#include "words/words.h"

/*
 * The thread that answers uvicorn's supervisor over a pipe (Process.always_pong, since 0.30): one
 * that does not for 5 s, or --timeout-worker-healthcheck, costs the worker its life.
 */
#define PING_FILE "/uvicorn/supervisors/multiprocess.py"

static bool is_ping(const struct report *report, const struct starvation *starved)
{
	const struct definition *stack = report->names ? stack_of(report, starved->stack) : NULL;

	for (uint32_t i = 0; stack && i < stack->stack.count; i++) {
		struct frame_names words = frame_names(report, &stack->stack.frames[i]);
		size_t length = words.function ? strlen(words.file) : 0;

		if (length >= strlen(PING_FILE) &&
		    !strcmp(words.file + length - strlen(PING_FILE), PING_FILE))
			return true;
	}
	return false;
}

static uint64_t longest_ns(const struct starvation *starved)
{
	return starved->end - starved->start;
}

/* Who had the GIL for at least half of the longest wait; NULL: none, or it is unknown. */
static const struct blocker *holder_of(const struct starvation *starved)
{
	const struct blocker *first = starved->what.blocker_count ? &starved->what.blockers[0]
								  : NULL;

	return first && state_sums_total(&first->states) * 2 >= longest_ns(starved) ? first : NULL;
}

static const struct thread *holder_thread(const struct starvation *starved)
{
	const struct blocker *holder = holder_of(starved);

	return holder ? holder->thread : NULL;
}

/* What belongs into one finding: the supervisor has its own, all others are grouped by the holder
 * that they waited for. */
struct group_key {
	uint64_t holder, ping; /* threads */
};
struct group {
	struct group_key key;
	const struct thread_report *worst;
	uint64_t ns, count;
	uint32_t thread_count;
	bool ongoing;
};
TABLE_OF(groups, struct group, key)

static bool is_starved(const struct thread_report *thread)
{
	return thread->starved.count && !thread->thread->loop;
}

static int add_thread(struct table *table, const struct report *report,
		      const struct thread_report *thread)
{
	const struct starvation *starved = &thread->starved;
	struct group_key key = {.holder = (uintptr_t)holder_thread(starved)};
	struct group *group;
	int err;

	if (is_ping(report, starved))
		key.ping = (uintptr_t)thread->thread;
	err = groups_get(table, &key, &group);
	if (err)
		return err;
	group->thread_count++;
	group->count += starved->count;
	group->ns = starved->ns > group->ns ? starved->ns : group->ns;
	group->ongoing |= starved->end == report->window.end;
	if (!group->worst || longest_ns(starved) > longest_ns(&group->worst->starved))
		group->worst = thread;
	return 0;
}

static struct finding finding_of_group(const struct report *report,
				       const struct process_report *process,
				       const struct group *group)
{
	const struct starvation *starved = &group->worst->starved;
	const struct blocker *holder = holder_of(starved);
	struct finding finding = {.id = FINDING_THREAD_STARVED,
				  .subject = SUBJECT_THREAD,
				  .process = process,
				  .sysno = SYSNO_UNKNOWN,
				  .thread_count = group->thread_count,
				  .count = group->count,
				  .ns = group->ns,
				  .worst_ns = longest_ns(starved),
				  .ongoing = group->ongoing,
				  .thread = group->worst->thread,
				  .starved = starved,
				  .ping = group->key.ping != 0,
				  .evidence = starved->whole ? EVIDENCE_TRACED : EVIDENCE_BOUNDED};

	if (!holder)
		return finding;
	finding.states = holder->states;
	set_blocker(&finding, report, holder);
	return finding;
}

static void process_starved(struct collector *collector, const struct report *report,
			    const struct process_report *process)
{
	struct table table = TABLE(struct group, WORLD_THREADS_MAX);
	int err = 0;

	for (uint32_t n = 0; n < process->thread_count && !err; n++)
		if (is_starved(&process->threads[n]))
			err = add_thread(&table, report, &process->threads[n]);
	if (err)
		collector_fail(collector);
	for (uint32_t i = 0; i < table.count; i++) {
		struct finding finding = finding_of_group(report, process, table_at(&table, i));

		collector_add_whole(collector, &finding);
	}
	table_done(&table);
}

/* Who had it meanwhile, and for how long of that. */
static void add_holder(struct text_buffer *text, const struct report *report,
		       const struct finding *finding)
{
	const struct starvation *starved = finding->starved;
	const struct blocker *first = starved->what.blocker_count ? &starved->what.blockers[0]
								  : NULL;

	if (!first) {
		text_add(text, "; which threads held it is unknown");
		return;
	}
	text_add(text, "; ");
	if (!holder_of(starved) && starved->what.more_blockers) {
		text_add_number_of(text, starved->what.blocker_count, "thread", "threads");
		text_add(text, " and more held it in turn");
		return;
	}
	if (!holder_of(starved)) {
		text_add_number_of(text, starved->what.blocker_count, "thread", "threads");
		text_add(text, " held it in turn, most of all ");
		text_add_thread(text, report, first->thread);
	} else {
		add_function_in(text, report, finding, first->thread);
		text_add(text, " held it");
	}
	if (holder_of(starved) && finding->call)
		text_add(text, " in %s", finding->call->what);
	text_add(text, holder_of(starved) ? " for " : ", for ");
	text_add_duration(text, state_sums_total(&first->states));
	text_add(text, " of that");
}

static void text_starved(struct text_buffer *text, const struct report *report,
			 const struct finding *finding)
{
	if (finding->thread_count > 1) {
		text_add_number_of(text, finding->thread_count, "thread", "threads");
		text_add(text, " waited a second or longer for the GIL, ");
		text_add_thread(text, report, finding->thread);
		text_add(text, " ");
	} else {
		text_add_thread(text, report, finding->thread);
		text_add(text, finding->ping ? ", which answers uvicorn's supervisor, waited "
					     : " waited ");
	}
	text_add(text, finding->evidence == EVIDENCE_BOUNDED ? "at least " : "");
	text_add_duration(text, finding->worst_ns);
	text_add(text, finding->thread_count > 1 ? "" : " for the GIL");
	if (finding->count > 1 && finding->thread_count == 1) {
		text_add(text, ", the longest of ");
		text_add_number_of(text, finding->count, "such wait", "such waits");
	}
	add_holder(text, report, finding);
}

static void advise_starved(struct text_buffer *text, const struct report *report,
			   const struct finding *finding)
{
	if (finding->ping)
		text_add(text, "uvicorn's supervisor kills a worker that does not answer it for "
			       "5" NBSP "s (\"Child process died\"), or as long as "
			       "--timeout-worker-healthcheck says. Raising that only helps until "
			       "the next longer wait. ");
	if (holder_of(finding->starved))
		add_gil_advice(text, report, finding);
	else if (finding->starved->what.blocker_count)
		text_add(text, "Run fewer threads that compute at the same time, or move their "
			       "work to a process pool.");
}

const struct rule rule_thread_starved = {
	.process = process_starved, .text = text_starved, .advice = advise_starved};
