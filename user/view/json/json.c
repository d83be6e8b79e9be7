/* SPDX-License-Identifier: MIT */
/* The report as JSON, schema gilscope.report/1 (docs/report.schema.json). Lists are written one
 * object per line, so a long report needs no memory. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/sysname.h"
#include "view/json/json_parts.h"
#include "view/service.h"
#include "words/names.h"
#include "diagnosis/diagnosis.h"
#include "view/view.h"

json_t *json_fact(const struct fact_names *names, uint32_t value)
{
	return json_string(value ? fact_name(names, value) : "unknown");
}

static json_t *states_json(const struct state_sums *sums, bool holding_only)
{
	json_t *states = json_object();

	for (int i = 0; i < TS_COUNT; i++)
		if (!holding_only || thread_state_holds((enum thread_state)i) || sums->ns[i])
			json_object_set_new(states, thread_state_name((enum thread_state)i),
					    json_uint(sums->ns[i]));
	return states;
}

json_t *json_states(const struct state_sums *sums)
{
	return states_json(sums, false);
}

static json_t *dist_json(const struct dist *dist)
{
	return JSON_NEW(report_dist, .count = json_uint(dist->count),
			.p50_ns = json_uint(dist_percentile(dist, 0.5)),
			.p90_ns = json_uint(dist_percentile(dist, 0.9)),
			.p99_ns = json_uint(dist_percentile(dist, 0.99)),
			.max_ns = json_uint(dist->max_ns));
}

static json_t *stands_for_json(uint32_t count)
{
	return count ? json_integer(count) : JSON_LEFT_OUT;
}

static json_t *gil_json(const struct gil_report *gil)
{
	char address[24];

	snprintf(address, sizeof(address), "0x%llx", (unsigned long long)gil->gil->address);
	return JSON_NEW(
		report_gil, .address = json_string(address),
		.interpreter = json_integer(gil->gil->interpreter),
		.stands_for = stands_for_json(gil->gil->stands_for),
		.held_ns = json_uint(gil->held_ns), .contended_ns = json_uint(gil->contended_ns),
		.unknown_ns = json_uint(gil->unknown_ns), .handoffs = json_uint(gil->handoffs),
		.forced = json_uint(gil->forced), .hold = dist_json(&gil->hold),
		.wait = dist_json(&gil->wait), .violations = json_uint(gil->gil->violations));
}

static json_t *decorator_json(const struct report *report, uint32_t function)
{
	const char *decorator = source_of(report, function, 0);

	return decorator ? json_text(decorator) : JSON_LEFT_OUT;
}

static json_t *source_json(const struct report *report, uint32_t function, uint32_t line)
{
	const char *source = line ? source_of(report, function, line) : NULL;

	return source ? json_text(source) : JSON_LEFT_OUT;
}

json_t *json_frame(const struct report *report, const struct stack_frame *frame)
{
	struct frame_names words = frame_names(report, frame);

	return JSON_NEW(report_frame, .function = json_text(words.function ? words.function : "?"),
			.file = json_text(words.file), .line = json_integer(words.line),
			.source = source_json(report, frame->function, frame->line));
}

json_t *json_stack(const struct report *report, uint32_t id)
{
	const struct definition *stack = stack_of(report, id);
	json_t *frames = json_array();

	for (uint32_t i = 0; stack && i < stack->stack.count; i++)
		json_array_append_new(frames, json_frame(report, &stack->stack.frames[i]));
	return frames;
}

json_t *json_handler(const struct report *report, const struct handler *handler)
{
	struct frame_names words;

	if (handler->role == HANDLER_NONE)
		return json_null();
	words = frame_names(report, &handler->frame);
	return JSON_NEW(report_handler,
			.function = json_text(words.function ? words.function : "?"),
			.file = json_text(words.file), .line = json_integer(words.line),
			.role = json_string(handler_role_name(handler->role)),
			.source = source_json(report, handler->frame.function, words.line),
			.decorator = decorator_json(report, handler->frame.function));
}

json_t *json_native(const struct report *report, const struct native_share *share)
{
	struct frame_names names = frame_names(report,
					       &(struct stack_frame){.function = share->function});

	if (!names.function)
		return JSON_LEFT_OUT;
	return JSON_NEW(report_native, .module = json_text(names.file),
			.symbol = json_text_or_null(*names.function ? names.function : NULL),
			.ns = json_uint(share->ns));
}

/* The machine code that most of the time went to, if it is known for any. */
static json_t *native_json(const struct report *report, const struct stack_share *shares,
			   uint32_t count)
{
	struct native_share most = natives_largest(shares, count);

	return json_native(report, &most);
}

static json_t *blocker_json(const struct report *report, const struct blocker *blocker)
{
	const struct thread *thread = blocker->thread;

	return JSON_NEW(report_blocker, .tid = json_integer(thread->tid),
			.thread = json_text(thread->comm),
			.python_name = json_text_or_null(text_of(report, thread->python_name)),
			.ns = json_uint(state_sums_total(&blocker->states)),
			.states = states_json(&blocker->states, true),
			.stack = json_stack(
				report, stack_share_largest(blocker->stacks, blocker->stack_count)),
			.handler = json_handler(report, &blocker->handler),
			.gc_ns = json_uint(blocker->gc_ns),
			.native = native_json(report, blocker->stacks, blocker->stack_count));
}

static json_t *starvation_json(const struct report *report, const struct view_options *options,
			       const struct starvation *starved)
{
	json_t *blockers = json_array();

	for (uint32_t i = 0; i < starved->what.blocker_count; i++)
		json_array_append_new(blockers, blocker_json(report, &starved->what.blockers[i]));
	return JSON_NEW(
		report_starvation, .count = json_uint(starved->count), .ns = json_uint(starved->ns),
		.start_ns = json_time(options, starved->start),
		.end_ns = json_time(options, starved->end), .whole = json_boolean(starved->whole),
		.stack = json_stack(report, starved->stack), .blockers = blockers);
}

static json_t *pauses_json(const struct report *report, const struct pauses *pauses)
{
	if (!pauses->count)
		return JSON_LEFT_OUT;
	return JSON_NEW(report_pauses, .count = json_uint(pauses->count),
			.ns = json_uint(pauses->ns), .worst_ns = json_uint(pauses->worst_ns),
			.stack = pauses->stack ? json_stack(report, pauses->stack) : JSON_LEFT_OUT);
}

static json_t *thread_json(const struct report *report, const struct view_options *options,
			   const struct thread_report *thread)
{
	return JSON_NEW(
		report_thread, .tid = json_integer(thread->thread->tid),
		.name = json_text(thread->thread->comm),
		.python_name = json_text_or_null(text_of(report, thread->thread->python_name)),
		.loop = json_boolean(thread->thread->loop != NULL),
		.poller = thread->thread->poller ? json_true() : JSON_LEFT_OUT,
		.stands_for = stands_for_json(thread->thread->stands_for),
		.gone = json_boolean(thread->thread->gone),
		.states = states_json(&thread->states, false), .holds = json_uint(thread->holds),
		.waits = json_uint(thread->waits), .forced_drops = json_uint(thread->forced_drops),
		.sampled_ns = json_uint(thread->sampled_ns),
		.starved = thread->starved.count
				   ? starvation_json(report, options, &thread->starved)
				   : JSON_LEFT_OUT,
		.stopped_world = pauses_json(report, &thread->pauses));
}

json_t *json_call(int32_t sysno, const char *machine)
{
	const char *name = sysno < 0 ? sysno_word(sysno) : sysname(machine, sysno);
	char number[32];

	snprintf(number, sizeof(number), "syscall_%d", sysno);
	return json_string(name ? name : number);
}

json_t *json_syscall(const struct syscall_share *share, const char *machine)
{
	return JSON_NEW(report_syscall, .name = json_call(share->sysno, machine),
			.ns = json_uint(share->ns));
}

json_t *json_occupant(const struct cpu_share *share)
{
	bool others = share->tid == TID_OTHERS;
	const char *comm = others ? "(others)" : share->comm;

	return JSON_NEW(report_occupant, .pid = json_integer(share->pid & ~ID_OUTSIDE),
			.tid = json_integer(others ? 0 : share->tid & ~ID_OUTSIDE),
			.outside = json_outside(others ? 0 : share->pid),
			.comm = json_text(share->tid ? comm : "idle"), .ns = json_uint(share->ns));
}

static json_t *part_json(const struct report *report, const struct view_options *options,
			 const struct turn_part *part)
{
	return JSON_NEW(report_part, .handler = json_handler(report, &part->handler),
			.task = json_text_or_null(text_of(report, part->task)),
			.start_ns = json_time(options, part->start),
			.end_ns = json_time(options, part->end),
			.states = states_json(&part->states, false));
}

static json_t *remedy_json(const struct report *report, const struct process *process,
			   const struct stall *stall)
{
	struct text_buffer text = {0};

	return remedy_add(&text, report, process, stall) < 0 ? NULL : json_words(&text);
}

/* By what stops a thread from outside, in the words that `syscalls` has for it. */
static json_t *stopped_by_json(const struct breakdown *what)
{
	json_t *kinds = json_object();

	for (int i = 0; i < STOP_KINDS; i++)
		if (what->stop_ns[i])
			json_object_set_new(kinds, sysno_word(SYSNO_STOPPED - i),
					    json_uint(what->stop_ns[i]));
	return kinds;
}

json_t *json_stall(const struct report *report, const struct view_options *options,
		   const struct stall *stall, const struct process *process)
{
	const struct breakdown *what = &stall->what;
	json_t *blockers = json_array(), *syscalls = json_array(), *occupants = json_array(),
	       *parts = json_array();

	for (uint32_t i = 0; i < what->blocker_count; i++)
		json_array_append_new(blockers, blocker_json(report, &what->blockers[i]));
	for (uint32_t i = 0; i < what->syscall_count; i++)
		json_array_append_new(syscalls,
				      json_syscall(&what->syscalls[i], process->info.machine));
	for (uint32_t i = 0; i < what->preempted_by_count; i++)
		json_array_append_new(occupants, json_occupant(&what->preempted_by[i]));
	for (uint32_t i = 0; i < stall->part_count; i++)
		json_array_append_new(parts, part_json(report, options, &stall->parts[i]));
	return JSON_NEW(
		report_stall, .start_ns = json_time(options, stall->start),
		.end_ns = json_time(options, stall->end),
		.began_before = json_boolean(stall->earlier),
		.ongoing = json_boolean(stall->ongoing), .whole = json_boolean(stall->whole),
		.states = states_json(&what->states, false),
		.cause = json_string(thread_state_name(stall->cause)),
		.remedy = remedy_json(report, process, stall),
		.stack = json_stack(report, stall->stack),
		.handler = json_handler(report, &stall->handler),
		.task = json_text_or_null(task_of(report, what, stall->stack)), .parts = parts,
		.resolution_ns = json_uint(stall_resolution_ns(report, stall)),
		.blockers = blockers, .syscalls = syscalls, .preempted_by = occupants,
		.throttled_ns = json_uint(what->throttled_ns), .gc_ns = json_uint(what->gc_ns),
		.gc_sampled = json_boolean(what->gc_sampled),
		.stopped_ns = json_uint(breakdown_stopped_ns(what)),
		.stopped_by = stopped_by_json(what),
		.native = native_json(report, what->stacks, what->stack_count),
		.locks = json_locks(report, process, what), .helpers = json_helpers(report, what),
		.chain = json_chain(report, stall),
		.deadlock = stall->chain_count && stall->deadlock < stall->chain_count
				    ? json_integer(stall->deadlock)
				    : JSON_LEFT_OUT);
}

static json_t *blame_json(const struct report *report, const struct view_options *options,
			  const struct blame *blame)
{
	return JSON_NEW(
		report_blame, .handler = json_handler(report, &blame->handler),
		.loop_states = states_json(&blame->loop, false),
		.elsewhere_states = states_json(&blame->elsewhere, false),
		.made_loops_wait_ns = json_uint(blame->made_loops_wait_ns),
		.made_wait_ns = json_uint(blame->made_wait_ns), .gc_ns = json_uint(blame->gc_ns),
		.stalls = json_uint(blame->stalls), .stall_ns = json_uint(blame->stall_ns),
		.worst_ns = json_uint(blame->worst_ns),
		.worst_start_ns = blame->stalls ? json_time(options, blame->ts_worst) : json_null(),
		.samples = json_uint(blame->samples));
}

static json_t *freeze_json(const struct view_options *options, const struct freeze *freeze)
{
	if (!freeze->stalls)
		return json_null();
	return JSON_NEW(report_freeze, .start_ns = json_time(options, freeze->start),
			.end_ns = json_time(options, freeze->end),
			.stalls = json_uint(freeze->stalls));
}

static void put_loop(struct json_out *out, const struct report *report,
		     const struct view_options *options, const struct loop_report *loop,
		     const struct process *process)
{
	json_put(out, "{");
	json_put_value(
		out,
		JSON_NEW(report_loop, .tid = json_integer(loop->loop->thread->tid),
			 .stands_for = stands_for_json(loop->stands_for),
			 .kind = json_string(loop_kind_name(loop->loop->kind)),
			 .evidence = json_string(loop->loop->by_behaviour ? "behaviour" : "python"),
			 .turns = json_uint(loop->turn.count), .turn = dist_json(&loop->turn),
			 .longest_ns = json_uint(loop->longest_ns),
			 .freezes = json_uint(loop->freezes),
			 .longest_freeze = freeze_json(options, &loop->freeze)),
		JSON_EMBED);
	json_put_key(out, ", ", JSON_KEY(report_loop, stalls));
	json_put(out, "[");
	for (uint32_t i = 0; i < loop->stall_count; i++) {
		json_put_next(out, i);
		json_put_value(out, json_stall(report, options, &loop->stalls[i], process), 0);
	}
	json_put(out, "]");
	if (loop->stalls_left_out) {
		json_put_key(out, ", ", JSON_KEY(report_loop, stalls_left_out));
		json_put_value(out, json_uint(loop->stalls_left_out), JSON_ENCODE_ANY);
	}
	json_put(out, "}");
}

static json_t *sites_json(const struct process *process)
{
	static const char *const faults[] = {[SITES_NO_TAKE] = "never_taken",
					     [SITES_NO_DROP] = "never_released",
					     [SITES_NO_HIT] = "never_passed"};
	const struct process_info *info = &process->info;
	const char *fault = faults[process->sites_fault];

	return JSON_NEW(report_sites, .method = json_fact(&method_names, info->method),
			.confidence = fault ? json_string("unknown")
					    : json_fact(&confidence_names, info->confidence),
			.take = json_integer(info->take), .drop = json_integer(info->drop),
			.wait = json_integer(info->wait),
			.fault = fault ? json_string(fault) : JSON_LEFT_OUT);
}

json_t *json_children(const struct report *report, const struct process *process)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < process->child_count; i++) {
		const struct child *child = &process->children[i];
		const char *cmdline = text_of(report, child->text);

		json_array_append_new(list, JSON_NEW(report_child, .pid = json_integer(child->pid),
						     .cmdline = json_text(cmdline ? cmdline : ""),
						     .loop = json_boolean(child->loop)));
	}
	return list;
}

static json_t *process_json(const struct report *report, const struct view_options *options,
			    const struct process_report *seen)
{
	const struct process *process = seen->process;
	const struct process_info *info = &process->info;
	struct pauses pauses = process_pauses(seen);
	char title[PROCESS_TITLE_MAX];

	return JSON_NEW(
		report_process, .pid = json_integer(info->pid), .cmdline = json_text(info->cmdline),
		.title = json_text(process_title(process, title)),
		.container = info->container[0] ? json_text(info->container) : JSON_LEFT_OUT,
		.stands_for = stands_for_json(process->stands_for),
		.python = json_text(info->python),
		.gil = json_string(info->gil_enabled ? "on" : "off"),
		.gc = json_string(info->gc ? fact_name(&gc_names, info->gc) : "none"),
		.sites = sites_json(process),
		.children = process->child_count ? json_children(report, process) : JSON_LEFT_OUT,
		.pools = json_pools(report, process), .death = json_death(report, options, seen),
		.world_stopped = pauses_json(report, &pauses), .lost = json_count(process->lost));
}

static void put_process(struct json_out *out, const struct report *report,
			const struct view_options *options, const struct process_report *process)
{
	json_put(out, "{");
	json_put_value(out, process_json(report, options, process), JSON_EMBED);
	json_put_key(out, ",\n", JSON_KEY(report_process, gils));
	json_put(out, "[");
	for (uint32_t i = 0; i < process->gil_count; i++) {
		json_put_next(out, i);
		json_put_value(out, gil_json(&process->gils[i]), 0);
	}
	json_put_key(out, "],\n", JSON_KEY(report_process, threads));
	json_put(out, "[");
	for (uint32_t i = 0; i < process->thread_count; i++) {
		json_put_next(out, i);
		json_put_value(out, thread_json(report, options, &process->threads[i]), 0);
	}
	json_put_key(out, "],\n", JSON_KEY(report_process, loops));
	json_put(out, "[");
	for (uint32_t i = 0; i < process->loop_count; i++) {
		json_put_next(out, i);
		put_loop(out, report, options, &process->loops[i], process->process);
	}
	json_put(out, "]}");
}

static bool gc_measured(const struct report *report)
{
	for (uint32_t i = 0; i < report->process_count; i++)
		if (report->processes[i].process->info.gc)
			return true;
	return false;
}

static json_t *not_measured_json(const struct report *report)
{
	json_t *fields = json_array();

	if (!report->stacks)
		for (const char *const *field = (const char *const[]){"blame", "handler", "parts",
								      "stack", "task", NULL};
		     *field; field++)
			json_array_append_new(fields, json_string(*field));
	if (!gc_measured(report))
		json_array_append_new(fields, json_string("gc_ns"));
	return fields;
}

static json_t *stack_evidence_json(const struct report *report)
{
	return JSON_NEW(report_stack_evidence, .taken = json_uint(report->stack_evidence.taken),
			.missing = json_uint(report->stack_evidence.missing),
			.torn = json_uint(report->stack_evidence.torn),
			.unsure = json_uint(report->stack_evidence.unsure),
			.distinct = json_integer(report->stack_evidence.distinct),
			.full = json_boolean(report->stack_evidence.full));
}

static json_t *evidence_json(const struct report *report)
{
	return JSON_NEW(
		report_evidence, .events = json_uint(report->window.events),
		.lost = json_uint(report->window.lost), .late = json_uint(report->window.late),
		.missed = json_uint(report->window.missed),
		.unknown_ns = json_uint(report->unknown_ns),
		.sampled_ns = json_uint(report->sampled_ns),
		.thread_ns = json_uint(report->thread_ns), .gaps = json_uint(report->window.gaps),
		.contradictions = json_uint(report->window.contradictions),
		.stacks = stack_evidence_json(report), .unread = json_count(report->window.unread),
		.samples_lost = json_count(report->window.unsampled),
		.lost_anywhere = json_count(report->window.lost_anywhere),
		.lost_runs = json_count(report->window.lost_runs));
}

static json_t *service_json(const struct report *report)
{
	const struct process_report **sorted = service_sort(report);
	struct unresponsive all = unresponsive_of(report);
	json_t *worst_first;

	if (!sorted && report->process_count)
		return NULL;
	worst_first = json_array();
	for (uint32_t p = 0; p < report->process_count; p++)
		if (!sorted[p]->process->stands_for)
			json_array_append_new(worst_first,
					      json_integer(sorted[p]->process->info.pid));
	free(sorted);
	return JSON_NEW(report_service, .loops = json_integer(all.loops),
			.loop_ns = json_uint(all.observed_ns), .stalls = json_uint(all.stalls),
			.stalled_ns = json_uint(all.ns), .longest_ns = json_uint(all.longest_ns),
			.worst_first = worst_first);
}

json_t *json_recording(const struct report *report, const struct view_options *options)
{
	char origin[24];

	snprintf(origin, sizeof(origin), "%" PRIu64, options->origin_ns);
	return JSON_NEW(
		report_head, .schema = json_string("gilscope.report/1"),
		.version = json_text(report->version), .mode = json_fact(&mode_names, report->mode),
		.window = JSON_NEW(report_window,
				   .start_ns = json_time(options, report->window.start),
				   .end_ns = json_time(options, report->window.end)),
		.realtime_ns = report->realtime_ns
				       ? json_uint(report->realtime_ns + report->window.start)
				       : json_null(),
		.evidence = evidence_json(report), .partial = json_boolean(report_partial(report)),
		.truncated = json_boolean(report->truncated),
		.not_measured = not_measured_json(report), .rate_hz = json_integer(report->rate_hz),
		.stall_ns = json_uint(report->stall_ns),
		.origin_ns = options->origin_ns ? json_string(origin) : JSON_LEFT_OUT,
		.service = service_json(report));
}

static int put_findings(struct json_out *out, const struct report *report)
{
	struct finding_list *findings = findings_new(report);

	if (!findings)
		return -ENOMEM;
	json_put_key(out, ",\n", JSON_KEY(report_head, findings));
	json_put(out, "[");
	for (uint32_t i = 0; i < findings->count; i++) {
		json_put_next(out, i);
		json_put_value(out, json_finding(report, &findings->list[i]), 0);
	}
	json_put(out, "]");
	findings_free(findings);
	return 0;
}

static int show_json(FILE *file, const struct report *report, const struct view_options *options)
{
	struct json_out out = {.file = file};
	int err;

	json_put(&out, "{");
	json_put_value(&out, json_recording(report, options), JSON_EMBED);
	err = put_findings(&out, report);
	if (err < 0)
		return err;
	json_put_key(&out, ",\n", JSON_KEY(report_head, blame));
	json_put(&out, "[");
	for (uint32_t i = 0; i < report->blame_count; i++) {
		json_put_next(&out, i);
		json_put_value(&out, blame_json(report, options, &report->blame[i]), 0);
	}
	json_put_key(&out, "],\n", JSON_KEY(report_head, processes));
	json_put(&out, "[");
	for (uint32_t i = 0; i < report->process_count; i++) {
		json_put_next(&out, i);
		put_process(&out, report, options, &report->processes[i]);
	}
	json_put(&out, "]}\n");
	return json_out_finish(&out);
}

const struct view view_json = {.name = "json", .show = show_json};
