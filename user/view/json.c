/* SPDX-License-Identifier: MIT */
/* The report as JSON, schema gilscope.report/1 (docs/report.schema.json). Lists are written one object a line, so a long report needs no memory. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/escape.h"
#include "base/sysname.h"
#include "view/view.h"

struct out {
	FILE *file;
	int error; /* the first */
};

static void put(struct out *out, const char *text)
{
	if (!out->error && fputs(text, out->file) == EOF)
		out->error = -EIO;
}

/* Writes the value and gives it up. JSON_EMBED leaves the braces to the caller. NULL is a value that could not be made. */
static void put_json(struct out *out, json_t *value, size_t flags)
{
	if (!value && !out->error)
		out->error = -ENOMEM;
	if (!out->error && json_dumpf(value, out->file, flags) < 0)
		out->error = -EIO;
	json_decref(value);
}

/* Opens the next element of a list, on a line of its own. */
static void put_next(struct out *out, uint32_t index)
{
	put(out, index ? ",\n" : "\n");
}

/* Text of the target. JSON can say all of it but for bytes that are not UTF-8: with such bytes the text is escaped like everywhere else. */
static json_t *text_json(const char *text)
{
	json_t *value = json_string(text);
	char escaped[4 * 1024 + 1];

	return value ? value : json_string(escape_text(escaped, sizeof(escaped), text, strlen(text)));
}

static json_t *word_json(const char *word)
{
	return text_json(*word ? word : "unknown");
}

static json_t *ns_json(uint64_t ns)
{
	return json_integer(ns > INT64_MAX ? INT64_MAX : (json_int_t)ns);
}

static json_t *states_json(const struct state_sums *sums, bool holding_only)
{
	json_t *states = json_object();

	for (int i = 0; i < TS_COUNT; i++)
		if (!holding_only || thread_state_holds((enum thread_state)i) || sums->ns[i])
			json_object_set_new(states, thread_state_name((enum thread_state)i), ns_json(sums->ns[i]));
	return states;
}

static json_t *dist_json(const struct dist *dist)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "count", ns_json(dist->count), "p50_ns", ns_json(dist_percentile(dist, 0.5)), "p90_ns",
			 ns_json(dist_percentile(dist, 0.9)), "p99_ns", ns_json(dist_percentile(dist, 0.99)), "max_ns", ns_json(dist->max_ns));
}

static json_t *gil_json(const struct gil_report *gil)
{
	char address[24];

	snprintf(address, sizeof(address), "0x%llx", (unsigned long long)gil->gil->address);
	return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "address", address, "interpreter", (json_int_t)gil->gil->interpreter,
			 "held_ns", ns_json(gil->held_ns), "contended_ns", ns_json(gil->contended_ns), "handoffs", ns_json(gil->handoffs), "forced",
			 ns_json(gil->forced), "hold", dist_json(&gil->hold), "wait", dist_json(&gil->wait), "violations",
			 ns_json(gil->gil->violations));
}

static json_t *thread_json(const struct thread_report *thread)
{
	return json_pack("{s:I, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o}", "tid", (json_int_t)thread->thread->tid, "name",
			 text_json(thread->thread->comm), "loop", thread->thread->loop != NULL, "gone", thread->thread->gone, "states",
			 states_json(&thread->states, false), "holds", ns_json(thread->holds), "waits", ns_json(thread->waits), "forced_drops",
			 ns_json(thread->forced_drops), "sampled_ns", ns_json(thread->sampled_ns));
}

static json_t *blocker_json(const struct blocker *blocker)
{
	return json_pack("{s:I, s:o, s:o, s:o, s:[], s:n}", "tid", (json_int_t)blocker->thread->tid, "thread", text_json(blocker->thread->comm), "ns",
			 ns_json(state_sums_total(&blocker->states)), "states", states_json(&blocker->states, true), "stack", "handler");
}

static json_t *syscall_json(const struct syscall_share *share, const char *machine)
{
	const char *name = sysname(machine, share->sysno);
	char number[32];

	if (share->sysno == SYSNO_NONE)
		name = "none";
	else if (share->sysno == SYSNO_UNKNOWN)
		name = "unknown";
	snprintf(number, sizeof(number), "syscall_%d", share->sysno);
	return json_pack("{s:s, s:o}", "name", name ? name : number, "ns", ns_json(share->ns));
}

static json_t *occupant_json(const struct cpu_share *share)
{
	const char *comm = !share->tid ? "idle" : share->tid == TID_OTHERS ? "(others)" : share->comm;

	return json_pack("{s:I, s:I, s:o, s:o}", "pid", (json_int_t)share->pid, "tid", share->tid == TID_OTHERS ? (json_int_t)0 : (json_int_t)share->tid,
			 "comm", text_json(comm), "ns", ns_json(share->ns));
}

static json_t *stall_json(const struct stall *stall, const char *machine)
{
	const struct breakdown *what = &stall->what;
	json_t *blockers = json_array(), *syscalls = json_array(), *occupants = json_array();

	for (uint32_t i = 0; i < what->blocker_count; i++)
		json_array_append_new(blockers, blocker_json(&what->blockers[i]));
	for (uint32_t i = 0; i < what->syscall_count; i++)
		json_array_append_new(syscalls, syscall_json(&what->syscalls[i], machine));
	for (uint32_t i = 0; i < what->preempted_by_count; i++)
		json_array_append_new(occupants, occupant_json(&what->preempted_by[i]));
	return json_pack("{s:o, s:o, s:b, s:b, s:o, s:s, s:[], s:n, s:o, s:o, s:o, s:o, s:i}", "start_ns", ns_json(stall->start), "end_ns",
			 ns_json(stall->end), "ongoing", stall->ongoing, "whole", stall->whole, "states", states_json(&what->states, false), "cause",
			 thread_state_name(stall->cause), "stack", "handler", "blockers", blockers, "syscalls", syscalls, "preempted_by", occupants,
			 "throttled_ns", ns_json(what->throttled_ns), "gc_ns", 0);
}

static void put_loop(struct out *out, const struct loop_report *loop, const char *machine)
{
	static const char *const kinds[] = {[LOOP_UNKNOWN] = "unknown", [LOOP_ASYNCIO] = "asyncio", [LOOP_UVLOOP] = "uvloop"};
	enum loop_kind kind = loop->loop->kind;

	put(out, "{");
	put_json(out,
		 json_pack("{s:I, s:s, s:o, s:o, s:o}", "tid", (json_int_t)loop->loop->thread->tid, "kind", kind <= LOOP_UVLOOP ? kinds[kind] : "unknown",
			   "turns", ns_json(loop->turn.count), "turn", dist_json(&loop->turn), "longest_ns", ns_json(loop->longest_ns)),
		 JSON_EMBED);
	put(out, ", \"stalls\": [");
	for (uint32_t i = 0; i < loop->stall_count; i++) {
		put_next(out, i);
		put_json(out, stall_json(&loop->stalls[i], machine), 0);
	}
	put(out, "]}");
}

static json_t *process_json(const struct process_info *info)
{
	return json_pack("{s:I, s:o, s:o, s:s, s:{s:o, s:o, s:I, s:I, s:I}}", "pid", (json_int_t)info->pid, "cmdline", text_json(info->cmdline), "python",
			 text_json(info->python), "gil", info->gil_enabled ? "on" : "off", "sites", "method", word_json(info->method), "confidence",
			 word_json(info->confidence), "take", (json_int_t)info->take, "drop", (json_int_t)info->drop, "wait", (json_int_t)info->wait);
}

static void put_process(struct out *out, const struct process_report *process)
{
	put(out, "{");
	put_json(out, process_json(&process->process->info), JSON_EMBED);
	put(out, ",\n\"gils\": [");
	for (uint32_t i = 0; i < process->gil_count; i++) {
		put_next(out, i);
		put_json(out, gil_json(&process->gils[i]), 0);
	}
	put(out, "],\n\"threads\": [");
	for (uint32_t i = 0; i < process->thread_count; i++) {
		put_next(out, i);
		put_json(out, thread_json(&process->threads[i]), 0);
	}
	put(out, "],\n\"loops\": [");
	for (uint32_t i = 0; i < process->loop_count; i++) {
		put_next(out, i);
		put_loop(out, &process->loops[i], process->process->info.machine);
	}
	put(out, "]}");
}

static json_t *report_json(const struct report *report)
{
	return json_pack("{s:s, s:o, s:o, s:{s:o, s:o}, s:{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}, s:b, s:b, s:[s, s, s], s:o}", "schema", "gilscope.report/1",
			 "version", text_json(report->version), "mode", word_json(report->mode), "window", "start_ns", ns_json(report->window.start), "end_ns",
			 ns_json(report->window.end), "evidence", "events", ns_json(report->window.events), "lost", ns_json(report->window.lost), "late",
			 ns_json(report->late), "unknown_ns", ns_json(report->unknown_ns), "sampled_ns", ns_json(report->sampled_ns), "thread_ns",
			 ns_json(report->thread_ns), "gaps", ns_json(report->window.gaps), "contradictions",
			 ns_json(report->window.contradictions), "partial", report_partial(report), "truncated", report->truncated, "not_measured", "gc_ns", "handler",
			 "stack", "stall_ns", ns_json(report->stall_ns));
}

static int show_json(FILE *file, const struct report *report, const struct view_options *options)
{
	struct out out = {.file = file};

	put(&out, "{");
	put_json(&out, report_json(report), JSON_EMBED);
	put(&out, ",\n\"processes\": [");
	for (uint32_t i = 0; i < report->process_count; i++) {
		put_next(&out, i);
		put_process(&out, &report->processes[i]);
	}
	put(&out, "]}\n");
	if (!out.error && fflush(file) == EOF)
		out.error = -errno;
	return out.error;
}

const struct view view_json = {.name = "json", .show = show_json};
