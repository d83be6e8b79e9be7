/* SPDX-License-Identifier: MIT */
/* What every thread does at one instant as JSON, schema gilscope.dump/1 (docs/dump.schema.json). */
#include <errno.h>
#include <inttypes.h>

#include "view/json/json_parts.h"
#include "view/view.h"
#include "words/names.h"

#define JSON_TABLE "view/json/dump.def"
#include "view/json_table.h"

static json_t *address_json(const struct gil *gil)
{
	char address[24];

	snprintf(address, sizeof(address), "0x%" PRIx64, gil->address);
	return json_string(address);
}

static json_t *since_json(const struct dump_since *since, bool known)
{
	return known ? json_uint(since->ts) : json_null();
}

static json_t *dumped_gil(const struct dump_list *list, const struct dump_gil *gil)
{
	const struct dump_thread *holder = NULL;
	json_t *waiters = json_array();

	for (uint32_t i = 0; i < list->thread_count; i++) {
		const struct dump_thread *entry = &list->threads[i];

		if (entry->thread == gil->holder)
			holder = entry;
		if (entry->state == TS_GIL_WAIT && entry->gil == gil->gil)
			json_array_append_new(waiters, json_integer(entry->thread->tid));
	}
	return JSON_NEW(dump_gil, .address = address_json(gil->gil),
			.interpreter = json_integer(gil->gil->interpreter),
			.state = json_string(holder	 ? "held"
					     : gil->free ? "free"
							 : "unknown"),
			.holder = holder ? json_integer(holder->thread->tid) : json_null(),
			.since_ns = holder ? since_json(&holder->held, true) : json_null(),
			.began_before = json_boolean(holder && holder->held.before),
			.waiters = waiters);
}

static json_t *loop_json(const struct report *report, const struct dump_thread *entry)
{
	static const char *const states[] = {[DUMP_LOOP_IDLE] = "idle",
					     [DUMP_LOOP_IN_TURN] = "in_turn",
					     [DUMP_LOOP_UNKNOWN] = "unknown"};
	const struct loop *loop = entry->loop;
	bool in_turn = loop && entry->place == DUMP_LOOP_IN_TURN;

	if (!loop)
		return json_null();
	return JSON_NEW(dump_loop, .kind = json_string(loop_kind_name(loop->kind)),
			.evidence = json_string(loop->by_behaviour ? "behaviour" : "python"),
			.state = json_string(states[entry->place]),
			.since_ns = since_json(&entry->turn, in_turn),
			.began_before = json_boolean(in_turn && entry->turn.before),
			.task = json_text_or_null(text_of(report, entry->ref.task)),
			.in_task = entry->ref.task || entry->ref.root ? json_true() : json_null());
}

static json_t *call_json(const struct report *report, const struct dump_thread *entry)
{
	const char *machine = entry->thread->process->info.machine;

	if (!thread_state_sleeps(entry->state) && !sysno_is_stop(entry->sysno))
		return json_null();
	return JSON_NEW(dump_call, .name = json_call(entry->sysno, machine),
			.file = json_text_or_null(text_of(report, entry->file)),
			.lock = entry->lock.kind ? json_string(json_lock_kind(entry->lock.kind))
						 : json_null());
}

static json_t *inner_json(const struct report *report, const struct dump_thread *entry)
{
	const struct definition *stack = stack_of(report, entry->ref.stack);
	uint32_t index;

	if (!stack || !report->finder || entry->handler.role == HANDLER_NONE ||
	    !handler_inner(report->finder, report->names, stack->id, &entry->handler, &index))
		return json_null();
	return json_frame(report, &stack->stack.frames[index]);
}

static json_t *dumped_thread(const struct report *report, const struct dump_thread *entry)
{
	static const char *const evidence[] = {[DUMP_STACK_NONE] = "unknown",
					       [DUMP_STACK_EXACT] = "exact",
					       [DUMP_STACK_SAMPLED] = "sampled"};
	const struct thread *thread = entry->thread;
	bool known = entry->state != TS_UNKNOWN;

	return JSON_NEW(
		dump_thread, .tid = json_integer(thread->tid), .name = json_text(thread->comm),
		.python_name = json_text_or_null(text_of(report, thread->python_name)),
		.runs_python = json_boolean(thread->python || entry->loop),
		.state = json_string(thread_state_name(entry->state)),
		.since_ns = since_json(&entry->since, known),
		.began_before = json_boolean(known && entry->since.before),
		.call = call_json(report, entry),
		.gil = entry->gil ? address_json(entry->gil) : json_null(),
		.waits_for = entry->waits_for ? json_integer(entry->waits_for->tid) : json_null(),
		.had_ns = entry->had_ns ? json_uint(entry->had_ns) : JSON_LEFT_OUT,
		.gc = json_boolean(entry->gc), .loop = loop_json(report, entry),
		.stack = json_stack(report, entry->ref.stack),
		.stack_evidence = json_string(evidence[entry->how]),
		.stack_ns = entry->how ? json_uint(entry->ts_stack) : json_null(),
		.handler = json_handler(report, &entry->handler),
		.inner = inner_json(report, entry), .states = json_states(&entry->states));
}

/* Each as the threads of a circle: who waits for whom, and the last one for the first. */
static json_t *deadlocks_json(const struct dump_list *list, const struct process *process)
{
	json_t *circles = json_array();

	for (uint32_t i = 0; i < list->thread_count; i++) {
		const struct dump_thread *entry = &list->threads[i];
		uint32_t length = entry->thread->process == process ? dump_deadlock(list, entry)
								    : 0;
		json_t *circle = length ? json_array() : NULL;

		for (uint32_t n = 0; n < length; n++) {
			json_array_append_new(circle, json_integer(entry->thread->tid));
			entry = dump_find(list, entry->waits_for);
		}
		if (circle)
			json_array_append_new(circles, circle);
	}
	return circles;
}

static json_t *dumped_process(const struct report *report, const struct dump_list *list,
			      const struct process *process)
{
	const struct process_info *info = &process->info;

	return JSON_NEW(dump_process, .pid = json_integer(info->pid),
			.cmdline = json_text(info->cmdline), .python = json_text(info->python),
			.gil = json_string(info->gil_enabled ? "on" : "off"),
			.children = json_children(report, process),
			.deadlocks = deadlocks_json(list, process));
}

static void put_dumped(struct json_out *out, const struct view_dump *dump,
		       const struct process *process)
{
	const struct dump_list *list = dump->list;
	uint32_t count = 0;

	json_put(out, "{");
	json_put_value(out, dumped_process(dump->report, list, process), JSON_EMBED);
	json_put_key(out, ",\n", JSON_KEY(dump_process, gils));
	json_put(out, "[");
	for (uint32_t i = 0; i < list->gil_count; i++) {
		if (list->gils[i].gil->process != process)
			continue;
		json_put_next(out, count++);
		json_put_value(out, dumped_gil(list, &list->gils[i]), 0);
	}
	json_put_key(out, "],\n", JSON_KEY(dump_process, threads));
	json_put(out, "[");
	count = 0;
	for (uint32_t i = 0; i < list->thread_count; i++) {
		if (list->threads[i].thread->process != process)
			continue;
		json_put_next(out, count++);
		json_put_value(out, dumped_thread(dump->report, &list->threads[i]), 0);
	}
	json_put(out, "]}");
}

static json_t *head_json(const struct view_dump *dump)
{
	const struct report *report = dump->report;

	return JSON_NEW(
		dump_head, .schema = json_string("gilscope.dump/1"),
		.version = json_text(report->version), .mode = json_fact(&mode_names, report->mode),
		.now_ns = json_uint(dump->list->ts),
		.realtime_ns = dump->realtime_ns ? json_uint(dump->realtime_ns) : json_null(),
		.window = JSON_NEW(report_window, .start_ns = json_uint(report->window.start),
				   .end_ns = json_uint(report->window.end)),
		.lost = json_uint(report->window.lost),
		.partial = json_boolean(report_partial(report)),
		.stacks = json_boolean(report->stacks));
}

int view_dump_json(FILE *file, const struct view_dump *dump, const struct view_options *options)
{
	const struct report *report = dump->report;
	struct json_out out = {.file = file};
	uint32_t count = 0;

	json_put(&out, "{");
	json_put_value(&out, head_json(dump), JSON_EMBED);
	json_put_key(&out, ",\n", JSON_KEY(dump_head, processes));
	json_put(&out, "[");
	for (uint32_t i = 0; i < report->process_count; i++) {
		if (report->processes[i].process->gone)
			continue;
		json_put_next(&out, count++);
		put_dumped(&out, dump, report->processes[i].process);
	}
	json_put(&out, "]}\n");
	return json_out_finish(&out);
}
