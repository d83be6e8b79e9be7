/* SPDX-License-Identifier: MIT */
/* The diagnosis as JSON. */
#include "base/sysname.h"
#include "diagnosis/calls.h"
#include "diagnosis/pools.h"
#include "view/json/json_parts.h"
#include "words/names.h"

static json_t *sleep_json(const struct finding *finding)
{
	int32_t sysno = finding->sysno;

	if (sysno == SYSNO_UNKNOWN || !finding->process)
		return json_null();
	return json_text_or_null(sysno < 0
					 ? sysno_word(sysno)
					 : sysname(finding->process->process->info.machine, sysno));
}

static json_t *subject_json(const struct report *report, const struct finding *finding)
{
	const struct thread *thread = finding->many_threads ? NULL : finding->thread;
	json_t *neighbours = json_array();
	struct text_buffer pool = {0};

	if (finding->pool)
		text_add_pool(&pool, report, finding->pool);

	for (uint32_t i = 0; i < finding->neighbour_count; i++)
		json_array_append_new(neighbours, json_occupant(&finding->neighbours[i]));
	return JSON_NEW(report_subject, .kind = json_string(subject_kind_name(finding->subject)),
			.handler = json_handler(report, &finding->handler),
			.inner = finding->inner.function ? json_frame(report, &finding->inner)
							 : json_null(),
			.call = json_text_or_null(finding->call ? finding->call->what : NULL),
			.syscall = sleep_json(finding),
			.tid = thread ? json_integer(thread->tid) : json_null(),
			.thread = json_text_or_null(thread ? thread_name(report, thread) : NULL),
			.pool = finding->pool ? json_words(&pool) : JSON_LEFT_OUT,
			.neighbours = neighbours);
}

/* Left out of a finding about one, or none. */
static json_t *processes_json(const struct finding *finding)
{
	json_t *list;

	if (finding->process_count < 2)
		return JSON_LEFT_OUT;
	list = json_array();
	for (uint32_t i = 0; i < finding->process_count; i++)
		json_array_append_new(list, json_integer(finding->pids[i]));
	return list;
}

json_t *json_finding(const struct report *report, const struct finding *finding)
{
	json_t *stalls = json_array();
	struct text_buffer text = {0}, advice = {0};

	finding_text(&text, report, finding);
	finding_advice(&advice, report, finding);
	for (uint32_t i = 0; i < finding->stall_count; i++)
		json_array_append_new(stalls, json_integer(finding->stalls[i]));
	return JSON_NEW(
		report_finding, .id = json_string(finding_name(finding->id)),
		.process = one_process(finding) ? json_integer(one_process(finding)->info.pid)
						: json_null(),
		.processes = processes_json(finding), .subject = subject_json(report, finding),
		.ns = json_uint(finding->ns), .count = json_uint(finding->count),
		.worst_ns = json_uint(finding->worst_ns), .stalls = stalls,
		.ongoing = json_boolean(finding->ongoing),
		.evidence = json_string(finding_evidence_name(finding->evidence)),
		.text = json_words(&text), .advice = json_words(&advice));
}
