/* SPDX-License-Identifier: MIT */
/* Events as lines of JSON, schema gilscope.event/1 (docs/event.schema.json). */
#include <inttypes.h>
#include <time.h>

#include "base/duration.h"
#include "view/event.h"
#include "view/json/json_parts.h"
#include "words/names.h"

#define JSON_TABLE "view/json/event.def"
#include "view/json_table.h"

static const char *const KINDS[EVENT_KINDS] = {
	[EVENT_STALL] = "stall",	 [EVENT_FREEZE] = "freeze",   [EVENT_DEATH] = "death",
	[EVENT_FINDING] = "finding",	 [EVENT_PROCESS] = "process", [EVENT_LOSS] = "loss",
	[EVENT_RECORDING] = "recording", [EVENT_WATCH] = "watch",
};
static const char *const STATES[EVENT_STATES] = {
	[EVENT_BEGAN] = "began",
	[EVENT_ONGOING] = "ongoing",
	[EVENT_ENDED] = "ended",
	[EVENT_FAILED] = "failed",
};

/* "2026-11-30T17:05:09.120345678Z"; null if the time of day is unknown. */
static json_t *time_of_day_json(const struct report *report, uint64_t ts)
{
	uint64_t ns = report->realtime_ns + ts;
	time_t seconds = (time_t)(ns / NS_PER_S);
	char day[32], text[64];
	struct tm tm;

	if (!report->realtime_ns || !gmtime_r(&seconds, &tm))
		return json_null();
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%09" PRIu64 "Z", day, ns % NS_PER_S);
	return json_string(text);
}

static json_t *title_json(const struct process *process)
{
	char title[PROCESS_TITLE_MAX];

	return json_text(process_title(process, title));
}

static json_t *loop_of_json(const struct loop *loop)
{
	return JSON_NEW(event_loop, .tid = json_integer(loop->thread->tid),
			.kind = json_string(loop_kind_name(loop->kind)));
}

static json_t *run_json(const struct freeze *freeze)
{
	return JSON_NEW(report_freeze, .start_ns = json_uint(freeze->start),
			.end_ns = json_uint(freeze->end), .stalls = json_uint(freeze->stalls));
}

static json_t *recorded_json(const struct told_event *event)
{
	if (!event->recorded.end)
		return JSON_LEFT_OUT;
	return JSON_NEW(event_recording, .start_ns = json_uint(event->recorded.start),
			.end_ns = json_uint(event->recorded.end),
			.bytes = json_uint(event->recorded.bytes));
}

static json_t *event_json(const struct told_event *event)
{
	const struct view_options options = {0};
	const struct report *report = event->report;
	const struct process *process = event->process;
	const struct process_report died = {.process = process};

	return JSON_NEW(
		event, .event = json_string(KINDS[event->kind]),
		.state = json_string(STATES[event->state]),
		.time = time_of_day_json(report, event->ts), .at_ns = json_uint(event->ts),
		.text = json_words(event->text),
		.pid = process ? json_integer(process->info.pid) : JSON_LEFT_OUT,
		.process = process ? title_json(process) : JSON_LEFT_OUT,
		.loop = event->loop ? loop_of_json(event->loop) : JSON_LEFT_OUT,
		.recording = event->recording ? json_text(event->recording) : JSON_LEFT_OUT,
		.stall = event->stall ? json_stall(report, &options, event->stall, process)
				      : JSON_LEFT_OUT,
		.freeze = event->freeze ? run_json(event->freeze) : JSON_LEFT_OUT,
		.death = process && (event->kind == EVENT_DEATH || event->kind == EVENT_PROCESS)
				 ? json_death(report, &options, &died)
				 : JSON_LEFT_OUT,
		.finding = event->finding ? json_loads(event->finding, 0, NULL) : JSON_LEFT_OUT,
		.began_ns = json_count(event->began), .recorded = recorded_json(event),
		.lost = json_count(event->lost), .untold = json_count(event->untold));
}

char *view_event_finding(const struct report *report, const struct finding *finding)
{
	json_t *value = json_finding(report, finding);
	char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;

	json_decref(value);
	return text;
}

int view_event_json(FILE *file, const struct told_event *event)
{
	struct json_out out = {.file = file};

	json_put_value(&out, event_json(event), 0);
	json_put(&out, "\n");
	return json_out_finish(&out);
}
