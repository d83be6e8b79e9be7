/* SPDX-License-Identifier: MIT */
/* json_death.c - how a process ended, and instants and IDs as JSON has them. */
#include "view/json/json_parts.h"

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

static json_t *crash_json(const struct report *report, const struct view_options *options,
			  const struct crash *crash)
{
	struct text_buffer native = {0};

	if (!crash->signal)
		return JSON_LEFT_OUT;
	if (crash->native)
		text_add_native(&native, report, crash->native);
	return JSON_NEW(report_crash, .at_ns = json_time(options, crash->ts),
			.signal = signal_json(crash->signal), .tid = json_integer(crash->tid),
			.stack = json_stack(report, crash->stack),
			.native = crash->native ? json_words(&native) : JSON_LEFT_OUT);
}

json_t *json_death(const struct report *report, const struct view_options *options,
		   const struct process *process)
{
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
			.sent = last, .crash = crash_json(report, options, &process->crash));
}
