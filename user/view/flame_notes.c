/* SPDX-License-Identifier: MIT */
/* What a flame graph says about itself: which of it is exact, and what is missing. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/duration.h"
#include "base/escape.h"
#include "words/text_buffer.h"
#include "view/flames.h"
#include "words/names.h"

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

/* "blocked, idle": the selected states that occurred and are sampled, or are not. */
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
		text_add(text, "%s", thread_state_name(state));
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
		notes_add(notes,
			  "samples: %s; the stacks are %" PRIu64 " samples at %" PRIu32 " Hz%s",
			  states, samples, report->rate_hz,
			  report->sampled_ns ? ", and part of the time is sampled too"
					     : ", the time of each thread is exact");
	else
		notes_add(notes,
			  "samples: %s; the sampling clock was off, so most of it has no stack",
			  states);
}

/* How much of the selected time has no stack. */
static uint64_t without_stack(const struct report *report, const struct view_options *options,
			      uint64_t *ret_total)
{
	bool waits = options->states & 1u << TS_GIL_WAIT,
	     by_holder = waits && options->directions & FLAME_HOLDER;
	uint64_t missing = 0;

	*ret_total = 0;
	for (uint32_t i = 0; i < report->flame_count; i++) {
		const struct flame *flame = &report->flames[i];

		if (!(options->states & 1u << flame->state) ||
		    (flame->state == TS_GIL_WAIT && !(options->directions & FLAME_WAITER)))
			continue;
		*ret_total += flame->ns;
		missing += flame->stack ? 0 : flame->ns;
	}
	for (uint32_t i = 0; by_holder && i < report->wait_flame_count; i++) {
		*ret_total += report->wait_flames[i].ns;
		missing += report->wait_flames[i].holder_stack ? 0 : report->wait_flames[i].ns;
	}
	return missing;
}

unsigned view_flame_notes(const struct report *report, const struct view_options *options,
			  struct view_note ret_notes[static VIEW_FLAME_NOTES])
{
	struct notes notes = {ret_notes, 0};
	struct text_buffer exact = {0}, sampled = {0};
	uint64_t total, missing = without_stack(report, options, &total);

	if (!report->stacks) {
		notes_add(&notes, "no stacks were taken in this recording");
		return notes.count;
	}
	name_states(&exact, report, options, false);
	name_states(&sampled, report, options, true);
	if (exact.length)
		notes_add(&notes, "exact sums: %s", exact.bytes);
	if (sampled.length)
		add_sampled(&notes, report, options, sampled.bytes);
	if (options->states & 1u << TS_GIL_WAIT && options->directions & FLAME_HOLDER &&
	    report->wait_flame_count)
		notes_add(&notes, "made_wait: exact sums of what others waited for the GIL; the "
				  "holders' stacks "
				  "are samples, one as a wait begins and one for every 5 ms of it");
	if (missing)
		notes_add(&notes,
			  "%.3g %% of this time has no stack: none was taken, or it could not be "
			  "read",
			  100.0 * (double)missing / (double)total);
	if (report->stack_evidence.full)
		notes_add(
			&notes,
			"there were more distinct stacks than the %u that are kept; the others are "
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
