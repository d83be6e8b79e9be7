/* SPDX-License-Identifier: MIT */
/* Notes on a flame graph: which of its sums are exact, and what is missing. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/duration.h"
#include "base/escape.h"
#include "words/text_buffer.h"
#include "view/flames.h"
#include "words/names.h"
#include "words/palette.h"

struct notes {
	struct view_note *notes;
	unsigned count;
};

static void notes_add(struct notes *notes, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void notes_add(struct notes *notes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(notes->notes[notes->count].text, sizeof(notes->notes[0].text), format, args);
	va_end(args);
	notes->count++;
}

/* "blocking call, idle": the selected states that occurred and are sampled, or are not. */
static void name_states(struct text_buffer *text, const struct report *report,
			const struct view_options *options, bool sampled)
{
	bool occurred[TS_COUNT] = {false};

	for (uint32_t i = 0; i < report->flame_count; i++)
		occurred[report->flames[i].state] |= report->flames[i].ns > 0;
	for (int i = 0; i < TS_COUNT; i++) {
		enum thread_state state = (enum thread_state)i;

		if (!occurred[i] || !(options->states & 1u << i) || state == TS_UNKNOWN ||
		    thread_state_runs(state) != sampled ||
		    (state == TS_GIL_WAIT && !(options->directions & FLAME_WAITER)))
			continue;
		text_separate(text, ", ");
		text_add(text, "%s", palette_of(state)->label);
	}
}

static void add_sampled(struct notes *notes, const struct report *report,
			const struct view_options *options, const char *states)
{
	uint64_t samples = 0;

	for (uint32_t i = 0; i < report->flame_count; i++)
		if (options->states & 1u << report->flames[i].state &&
		    thread_state_runs(report->flames[i].state))
			samples += report->flames[i].samples;
	if (report->rate_hz)
		notes_add(notes, "Sampled (%" PRIu32 " Hz, %" PRIu64 " samples): %s; %s",
			  report->rate_hz, samples, states,
			  report->sampled_ns ? "part of the time is sampled, too"
					     : "the total time of each thread is exact");
	else
		notes_add(notes, "Sampled: %s; sampling was off, so most of it is without a stack",
			  states);
}

/* Adds in which of the selected states threads were without a stack, and for which share of the
 * selected time: "idle 44 %, running Python 1.4 %". */
static void name_without_stack(struct text_buffer *text, const struct report *report,
			       const struct view_options *options)
{
	bool waits = options->states & 1u << TS_GIL_WAIT,
	     by_holder = waits && options->directions & FLAME_HOLDER;
	uint64_t missing[TS_COUNT] = {0}, total = 0;

	for (uint32_t i = 0; i < report->flame_count; i++) {
		const struct flame *flame = &report->flames[i];

		if (!(options->states & 1u << flame->state) ||
		    (flame->state == TS_GIL_WAIT && !(options->directions & FLAME_WAITER)))
			continue;
		total += flame->ns;
		missing[flame->state] += flame->stack ? 0 : flame->ns;
	}
	for (uint32_t i = 0; by_holder && i < report->wait_flame_count; i++) {
		total += report->wait_flames[i].ns;
		missing[TS_GIL_WAIT] += report->wait_flames[i].holder_stack
						? 0
						: report->wait_flames[i].ns;
	}
	for (int i = 0; i < TS_COUNT; i++)
		if (missing[i]) {
			text_separate(text, ", ");
			text_add(text, "%s ", palette_of((enum thread_state)i)->label);
			text_add_share(text, missing[i], total);
		}
}

unsigned view_flame_notes(const struct report *report, const struct view_options *options,
			  struct view_note ret_notes[static VIEW_FLAME_NOTES])
{
	struct notes notes = {ret_notes, 0};
	struct text_buffer exact = {0}, sampled = {0}, missing = {0};

	if (!report->stacks) {
		notes_add(&notes, "This recording has no stacks");
		return notes.count;
	}
	name_states(&exact, report, options, false);
	name_states(&sampled, report, options, true);
	if (exact.length)
		notes_add(&notes, "Exact: %s", exact.bytes);
	if (sampled.length)
		add_sampled(&notes, report, options, sampled.bytes);
	if (options->states & 1u << TS_GIL_WAIT && options->directions & FLAME_HOLDER &&
	    report->wait_flame_count)
		notes_add(&notes, "made_wait: the time for which others waited for the GIL is "
				  "exact; the holder's stack is taken when a wait begins and every "
				  "5 ms during it");
	name_without_stack(&missing, report, options);
	if (missing.length)
		notes_add(&notes, "Without a stack: %s of this time", missing.bytes);
	if (report->stack_evidence.full)
		notes_add(
			&notes,
			"There were more distinct stacks than the %u that are kept; the others are "
			"missing",
			DEFINE_STACKS_MAX);
	return notes.count;
}

void flame_title(const struct report *report, struct flame_title *ret_title)
{
	const struct process_info *info = report->process_count == 1
						  ? &report->processes[0].process->info
						  : NULL;
	char command[FLAME_TEXT_MAX], python[4 * sizeof(info->python)], duration[DURATION_TEXT_MAX];
	const char *words = info ? command_of(info) : "";

	duration_text(report->window.end - report->window.start, duration);
	if (!info) {
		snprintf(ret_title->text, sizeof(ret_title->text), "%u processes · %s",
			 report->process_count, duration);
		return;
	}
	escape_text(command, sizeof(command), words, strlen(words));
	escape_text(python, sizeof(python), info->python, sizeof(info->python));
	snprintf(ret_title->text, sizeof(ret_title->text), "%s · PID %u · Python %s · %s", command,
		 info->pid, python, duration);
}
