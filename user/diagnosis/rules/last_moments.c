/* SPDX-License-Identifier: MIT */
/* What the threads of a process did right before it ended, in sentences. */
#include "diagnosis/rule.h"
#include "words/palette.h"
#include "words/stall.h"
#include "words/words.h"

enum {
	THREADS_TOLD = 3,
	STATES_TOLD = 2,
	SHARE = 20, /* of the time: what took less than that part of it is not told */
};

/* "running Python": on other threads than a loop's, a sleep blocks nobody. */
static const char *doing(enum thread_state state, bool loop)
{
	return state == TS_BLOCKED && !loop ? "asleep" : palette_of(state)->doing;
}

static bool is_unknown(const struct last_thread *thread)
{
	return state_sums_largest(&thread->states) == TS_UNKNOWN;
}

/* " was waiting for the GIL for 702 ms and idle (waiting for events) for 331 ms" */
static void add_states(struct text_buffer *text, const struct last_thread *thread, uint64_t whole)
{
	struct state_sums left = thread->states;

	for (int n = 0; n < STATES_TOLD; n++) {
		enum thread_state largest = state_sums_largest(&left);

		if (n && left.ns[largest] < whole / SHARE)
			return;
		text_add(text, "%s%s for ", n ? " and " : " was ", doing(largest, thread->loop));
		text_add_duration(text, left.ns[largest]);
		left.ns[largest] = 0;
	}
}

static void add_place_seen(struct text_buffer *text, const struct report *report,
			   const struct last_thread *thread)
{
	struct text_buffer inner = {0};

	if (!thread->stack)
		return;
	if (thread->handler.role != HANDLER_NONE) {
		text_add(text, ", last seen in ");
		text_add_frame(text, report, &thread->handler.frame);
		text_add_innermost(text, report, thread->stack, &thread->handler);
		return;
	}
	text_add_innermost(&inner, report, thread->stack, &thread->handler);
	if (inner.length)
		text_add(text, ", last seen %s", inner.bytes);
}

static void add_name_of(struct text_buffer *text, const struct report *report,
			const struct last_thread *thread, bool alone)
{
	if (thread->loop && alone)
		text_add(text, "its event loop");
	else
		text_add_thread(text, report, thread->thread);
}

/* Who had the GIL for a while is told, whatever else is unknown of it. A loop's thread always is;
 * of others, who had the GIL, or without such a thread the first. */
static bool is_told(const struct last_thread *thread, uint64_t whole, bool first)
{
	return thread->loop || thread->held_ns >= whole / SHARE || (first && !is_unknown(thread));
}

void text_add_last_moments(struct text_buffer *text, const struct report *report,
			   const struct last_moments *last)
{
	uint64_t whole = last->end - last->start;
	uint32_t loops = 0, told = 0;
	bool timed = false;

	for (uint32_t i = 0; i < last->count; i++)
		loops += last->threads[i].loop;
	for (uint32_t i = 0; i < last->count && told < THREADS_TOLD; i++) {
		const struct last_thread *thread = &last->threads[i];
		bool held = !thread->loop && thread->held_ns >= whole / SHARE,
		     unknown = is_unknown(thread) && !held;

		if (!is_told(thread, whole, !told))
			continue;
		told++;
		text_add(text, unknown ? ". It is unknown what " : ". ");
		if (!unknown && !timed) {
			text_add(text, "In its last ");
			text_add_duration(text, whole);
			text_add(text, ", ");
			timed = true;
		}
		add_name_of(text, report, thread, loops == 1);
		if (unknown) {
			text_add(text, " did in its last ");
			text_add_duration(text, whole);
			continue;
		}
		if (held) {
			text_add(text, " had the GIL for ");
			text_add_duration(text, thread->held_ns);
		} else {
			add_states(text, thread, whole);
		}
		add_place_seen(text, report, thread);
	}
}
