/* SPDX-License-Identifier: MIT */
/* json_death.c - how a process ended, and instants and IDs as JSON has them. */
#include "view/json/json_parts.h"

#include "words/names.h"
#include "words/words.h"

json_t *json_time(const struct view_options *options, uint64_t ts)
{
	return json_uint(ts - options->origin_ns);
}

json_t *json_outside(uint32_t pid)
{
	return pid & ID_OUTSIDE ? json_true() : JSON_LEFT_OUT;
}

static json_t *signal_json(int number)
{
	struct text_buffer text = {0};

	text_add_signal(&text, number);
	return json_words(&text);
}

static json_t *native_text(const struct report *report, uint32_t native)
{
	struct text_buffer text = {0};

	if (!native)
		return JSON_LEFT_OUT;
	text_add_native(&text, report, native);
	return json_words(&text);
}

static json_t *crash_json(const struct report *report, const struct view_options *options,
			  const struct crash *crash)
{
	if (!crash->signal)
		return JSON_LEFT_OUT;
	return JSON_NEW(report_crash, .at_ns = json_time(options, crash->ts),
			.signal = signal_json(crash->signal), .tid = json_integer(crash->tid),
			.stack = json_stack(report, crash->stack),
			.native = native_text(report, crash->native));
}

static json_t *last_thread_json(const struct report *report, const struct view_options *options,
				const struct last_thread *last)
{
	const struct thread *thread = last->thread;

	return JSON_NEW(report_last_thread, .tid = json_integer(thread->tid),
			.thread = json_text(thread->comm),
			.python_name = json_text_or_null(text_of(report, thread->python_name)),
			.loop = json_boolean(last->loop), .states = json_states(&last->states),
			.held_ns = json_uint(last->held_ns),
			.seen_ns = last->stack ? json_time(options, last->ts_stack) : JSON_LEFT_OUT,
			.stack = json_stack(report, last->stack),
			.native = native_text(report, last->native));
}

static json_t *last_json(const struct report *report, const struct view_options *options,
			 const struct last_moments *last)
{
	json_t *threads;

	if (!last || last->start == last->end)
		return JSON_LEFT_OUT;
	threads = json_array();
	for (uint32_t i = 0; i < last->count; i++)
		json_array_append_new(threads,
				      last_thread_json(report, options, &last->threads[i]));
	return JSON_NEW(report_last, .start_ns = json_time(options, last->start),
			.end_ns = json_time(options, last->end), .threads = threads,
			.others = json_integer(last->others),
			.other_states = json_states(&last->other_states));
}

json_t *json_death(const struct report *report, const struct view_options *options,
		   const struct process_report *reported)
{
	const struct process *process = reported->process;
	const struct signal_sent *sent = &process->sent;
	const struct death *death = &process->death;
	json_t *last = json_null();

	if (!death->known)
		return JSON_LEFT_OUT;
	if (sent->number)
		last = JSON_NEW(report_sent, .signal = signal_json(sent->number),
				.at_ns = json_time(options, sent->ts),
				.sender = json_integer(sent->sender & ~ID_OUTSIDE),
				.outside = json_outside(sent->sender),
				.comm = json_text(sent->comm));
	return JSON_NEW(report_death, .at_ns = json_time(options, death->ts),
			.signal = death->signal ? signal_json(death->signal) : json_null(),
			.status = json_integer(death->status), .oom = json_boolean(death->oom),
			.core = json_boolean(death->core),
			.peak_bytes = death->peak ? json_uint(death->peak * 1024) : json_null(),
			.sent = last, .crash = crash_json(report, options, &process->crash),
			.last = last_json(report, options, reported->last));
}
