/* SPDX-License-Identifier: MIT */
#include "analysis/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/ended/ended.h"
#include "analysis/last/last.h"

static void tables_init(struct report_builder *builder)
{
	builder->flames = TABLE(struct flame_entry, FLAMES_MAX);
	builder->waits = TABLE(struct wait_entry, FLAMES_MAX);
	builder->pools = TABLE(struct pool_fold, POOLS_MAX);
	builder->pool_stacks = TABLE(struct pool_stack_entry, DEFINE_STACKS_MAX + 1);
	builder->left_out = TABLE(struct handler_entry, DEFINE_FUNCTIONS_MAX + 1);
	builder->handlers = TABLE(struct handler_entry, DEFINE_FUNCTIONS_MAX + 1);
}

void report_builder_forgets(struct report_builder *builder)
{
	builder->forgets = true;
}

void report_builder_keep_ended(struct report_builder *builder, uint32_t kept, uint64_t after_ns)
{
	builder->ended_kept = kept;
	builder->ended_after_ns = after_ns;
}

struct report_builder *report_builder_new(uint64_t stall_ns, const struct stream_head *head,
					  const struct dictionary *names,
					  struct handler_finder *finder)
{
	struct report_builder *builder = calloc(1, sizeof(*builder));

	if (!builder)
		return NULL;
	builder->stall_ns = stall_ns;
	report_builder_keep_ended(builder, ENDED_KEPT, ENDED_AFTER_NS);
	builder->report.names = names;
	builder->report.finder = finder;
	builder->report.stacks = head->stacks;
	builder->report.rate_hz = head->rate_hz;
	if (head->realtime_ns)
		builder->report.realtime_ns = head->realtime_ns - head->monotonic_ns;
	tables_init(builder);
	memcpy(builder->report.version, head->version, sizeof(builder->report.version) - 1);
	builder->report.mode = head->mode;
	builder->attribution = attribution_new(head->rate_hz);
	if (!builder->attribution ||
	    attribution_add(builder->attribution, fold_sink(builder)) < 0) {
		report_builder_free(builder);
		return NULL;
	}
	return builder;
}

void report_builder_set_clock(struct report_builder *builder, uint64_t realtime_ns)
{
	builder->report.realtime_ns = realtime_ns;
}

struct model_sink report_builder_sink(struct report_builder *builder)
{
	return attribution_sink(builder->attribution);
}

struct attribution *report_builder_attribution(struct report_builder *builder)
{
	return builder->attribution;
}

void report_builder_threshold(struct report_builder *builder, uint64_t stall_ns)
{
	builder->stall_ns = stall_ns;
}

void report_builder_growth(struct report_builder *builder)
{
	builder->growth = true;
}

void report_clear(struct report_builder *builder)
{
	struct report *report = &builder->report;

	free(report->flames);
	free(report->wait_flames);
	free(report->blame);
	report->flames = NULL;
	report->wait_flames = NULL;
	report->blame = NULL;
	report->flame_count = report->wait_flame_count = report->blame_count = 0;
	for (uint32_t i = 0; i < report->pool_count; i++)
		free(report->pools[i].functions);
	free(report->pools);
	report->pools = NULL;
	report->pool_count = 0;
	for (uint32_t n = 0; n < report->process_count; n++) {
		struct process_report *process = &report->processes[n];

		for (uint32_t i = 0; i < process->loop_count; i++)
			breakdown_done(&process->loops[i].stalled);
		for (uint32_t i = 0; i < process->thread_count && builder->growth; i++) {
			breakdown_done(&process->threads[i].starved.what);
			starvation_free(process->threads[i].waiting);
		}
		free(process->last);
		free(process->gils);
		free(process->threads);
		free(process->loops);
	}
	free(report->processes);
	report->processes = NULL;
	report->process_count = 0;
}

void loop_fold_free(struct loop_fold *loop)
{
	for (uint32_t i = 0; i < loop->report.stall_count; i++)
		stall_done(&loop->report.stalls[i]);
	free(loop->report.stalls);
	breakdown_done(&loop->report.stalled);
	breakdown_done(&loop->now);
	breakdown_done(&loop->meanwhile);
	breakdown_done(&loop->asleep);
	stall_done(&loop->ongoing);
	turn_done(&loop->stacks);
	dist_done(&loop->report.turn);
	free(loop);
}

void process_fold_free(struct process_fold *process)
{
	heirs_done(&process->heirs);
	for (uint32_t i = 0; i < process->loop_count; i++)
		loop_fold_free(process->loops[i]);
	free(process->loops);
	free(process);
}

static void thread_fold_free(struct thread_fold *thread)
{
	breakdown_done(&thread->report.starved.what);
	breakdown_done(&thread->waiting_for);
	free(thread->last);
	free(thread);
}

static void gil_fold_free(struct gil_fold *gil)
{
	dist_done(&gil->report.hold);
	dist_done(&gil->report.wait);
	free(gil);
}

#define LIST_FREE(list, function)                                                                  \
	for (__typeof__(list) item_ = (list), next_; item_; item_ = next_) {                       \
		next_ = item_->next;                                                               \
		function(item_);                                                                   \
	}

void report_builder_free(struct report_builder *builder)
{
	if (!builder)
		return;
	report_clear(builder);
	LIST_FREE(builder->processes, process_fold_free);
	LIST_FREE(builder->gils, gil_fold_free);
	LIST_FREE(builder->threads, thread_fold_free);
	table_done(&builder->flames);
	table_done(&builder->waits);
	table_done(&builder->pools);
	table_done(&builder->pool_stacks);
	table_done(&builder->handlers);
	table_done(&builder->left_out);
	attribution_free(builder->attribution);
	ended_free(builder->ended);
	free(builder);
}

void name_occupants(const struct world *world, struct breakdown *what)
{
	for (uint32_t i = 0; i < what->preempted_by_count; i++) {
		struct cpu_share *share = &what->preempted_by[i];

		if (!share->comm[0] && share->tid && share->tid != TID_OTHERS)
			strncpy(share->comm, world_comm(world, share->tid),
				sizeof(share->comm) - 1);
	}
}

/* Appends the turn in progress to the finished stalls if it is a stall already. */
static int report_ongoing(struct report_builder *builder, struct loop_fold *loop,
			  struct loop_report *report)
{
	uint64_t dur = loop->in_turn ? state_sums_total(&loop->now.states) : 0;
	struct freeze freeze = loop->freeze;
	struct stall *stall = &loop->ongoing;
	int err;

	if (dur > report->longest_ns)
		report->longest_ns = dur;
	if (dur > report->recent_ns)
		report->recent_ns = dur;
	stall_done(stall);
	err = stall_make_ongoing(builder, loop, stall);
	if (err <= 0)
		return err;
	if (loop_fold_reserve(loop) < 0)
		return -ENOMEM;
	report->stalls = loop->report.stalls;
	report->stalls[report->stall_count++] = *stall;
	freeze_add(builder, report, &freeze, stall);
	return breakdown_merge(&report->stalled, &stall->what);
}

static int report_loop(struct report_builder *builder, struct loop_fold *loop,
		       const struct world *world, struct loop_report *report)
{
	const struct thread_fold *thread = loop->loop->thread->data;
	int err;

	*report = loop->report;
	report->unknown_ns = thread ? thread->report.states.ns[TS_UNKNOWN] : 0;
	if (thread && !loop->loop->thread->stands_for)
		report->observed_ns = state_sums_total(&thread->report.states);
	loop->report.recent_ns = 0;
	err = breakdown_copy(&loop->report.stalled, &report->stalled);
	if (err < 0) {
		report->stalled = (struct breakdown){0};
		return err;
	}
	err = report_ongoing(builder, loop, report);
	if (err == 0)
		err = handlers_of_blockers(builder, &report->stalled);
	if (err < 0)
		return err;
	breakdown_sort(&report->stalled);
	name_occupants(world, &report->stalled);
	for (uint32_t i = 0; i < report->stall_count; i++)
		name_occupants(world, &report->stalls[i].what);
	return 0;
}

/* Returns the total of its time. */
static uint64_t sum_thread(struct report *report, const struct thread_report *thread)
{
	uint64_t total = state_sums_total(&thread->states);

	report->unknown_ns += thread->states.ns[TS_UNKNOWN];
	report->sampled_ns += thread->sampled_ns;
	report->thread_ns += total;
	return total;
}

static bool is_reported(const struct thread *thread)
{
	const struct thread_fold *fold = thread->data;

	return thread->python || (fold && fold->had_loop);
}

/* Reports Python threads, and threads of reported loops even if Python does not know them. */
static int report_thread(struct report_builder *builder, struct thread *thread)
{
	struct report *report = &builder->report;
	struct process_report *process = &report->processes[thread->process->index];
	struct thread_fold *fold = thread->data;
	struct thread_report *entry;
	uint64_t total;

	if (!is_reported(thread))
		return 0;
	entry = &process->threads[process->thread_count++];
	*entry = fold ? fold->report : (struct thread_report){.thread = thread};
	if (fold && report_starved(builder, fold, entry) < 0)
		return -ENOMEM;
	state_sums_add(&process->states, &entry->states);
	total = sum_thread(report, entry);
	if (!thread->stands_for)
		process->observed_ns = later(process->observed_ns, total);
	return 0;
}

/* What is in progress counts up to now. */
static void add_open(struct gil_report *entry, uint64_t now)
{
	const struct gil *gil = entry->gil;

	if (gil->holder && now > gil->ts_hold)
		entry->held_ns += now - gil->ts_hold;
	if (gil->waiters && now > gil->ts_contention)
		entry->contended_ns += now - gil->ts_contention;
}

uint64_t gil_unknown_ns(const struct gil *gil, const struct gil_report *sums)
{
	bool seen = sums && (sums->held_ns || sums->contended_ns);

	return gil->mode == MODE_EXACT || gil->stands_for || !seen ? gil->unknown_ns : 0;
}

static void report_gil(struct report *report, struct gil *gil, bool growth)
{
	struct process_report *process = &report->processes[gil->process->index];
	struct gil_report *entry = &process->gils[process->gil_count++];
	struct gil_fold *fold = gil->data;

	*entry = fold ? fold->report : (struct gil_report){.gil = gil};
	if (fold && growth)
		fold->report.longest_wait_ns = 0;
	if (growth)
		add_open(entry, report->window.end);
	entry->unknown_ns = gil_unknown_ns(gil, entry);
	if (gil->mode != MODE_EXACT && !gil->gone && !entry->held_ns && !entry->contended_ns)
		entry->unknown_ns = report->window.end - report->window.start;
}

/* What stands for processes that have ended is listed last. */
static void ended_entry(struct report *report, struct ended *ended)
{
	struct process_report *entry = &report->processes[report->process_count];

	entry->process = &ended->process;
	entry->thread_count = ended->heirs.count;
	entry->gil_count = ended->gil.stands_for > 0;
	ended->process.index = report->process_count++;
	snprintf(ended->process.info.cmdline, sizeof(ended->process.info.cmdline),
		 "%u processes that have ended", ended->process.stands_for);
	report->ended_deaths = ended->deaths;
	report->ended_death_count = ended->death_count;
}

/* Arrays of the right size; the counts are 0 again afterwards, report_thread() and its like fill
 * them. */
static int report_allocate(struct report_builder *builder, const struct world *world)
{
	struct report *report = &builder->report;
	uint32_t count = 0, position = 0;
	struct process *process;
	struct thread *thread;
	struct gil *gil;

	while (world_next_process(world, &position))
		count++;
	report->processes = calloc(count + 2, sizeof(*report->processes));
	if (!report->processes)
		return -ENOMEM;
	report->process_count = count;
	for (position = 0; (process = world_next_process(world, &position));)
		report->processes[process->index].process = process;
	for (position = 0; (thread = world_next_thread(world, &position));)
		report->processes[thread->process->index].thread_count++;
	for (position = 0; (gil = world_next_gil(world, &position));)
		report->processes[gil->process->index].gil_count++;
	if (builder->ended && !builder->growth)
		ended_entry(report, builder->ended);
	for (uint32_t i = 0; i < report->process_count; i++) {
		struct process_report *entry = &report->processes[i];
		const struct process_fold *fold = entry->process->data;

		entry->thread_count += fold ? fold->heirs.count : 0;
		entry->gil_count += fold && fold->gil.stands_for;
		entry->threads = calloc(entry->thread_count + 1, sizeof(*entry->threads));
		entry->gils = calloc(entry->gil_count + 1, sizeof(*entry->gils));
		entry->loops = calloc(fold ? fold->loop_count + 1 : 1, sizeof(*entry->loops));
		entry->thread_count = entry->gil_count = 0;
		if (!entry->threads || !entry->gils || !entry->loops)
			return -ENOMEM;
	}
	return 0;
}

/* Of a growth report only the sums count. */
static int report_heirs(struct report_builder *builder, const struct heirs *heirs)
{
	for (uint32_t i = 0; i < heirs->count; i++) {
		struct thread *thread = &heirs->list[i]->thread;

		if (!builder->growth && report_thread(builder, thread) < 0)
			return -ENOMEM;
		if (builder->growth && is_reported(thread))
			sum_thread(&builder->report, &((struct thread_fold *)thread->data)->report);
	}
	return 0;
}

static int report_ended(struct report_builder *builder)
{
	struct report *report = &builder->report;
	struct ended *ended = builder->ended;
	int err = report_heirs(builder, &ended->heirs);

	if (builder->growth)
		return err;
	if (ended->gil.stands_for)
		report_gil(report, &ended->gil, false);
	report->processes[ended->process.index].observed_ns = ended->observed_ns;
	return err;
}

static int report_loops(struct report_builder *builder, const struct world *world,
			struct process_report *process, const struct process_fold *fold)
{
	for (uint32_t n = 0; n < fold->loop_count; n++) {
		struct loop_fold *loop = fold->loops[n];

		if (loop_was_none(loop) || (builder->growth && loop->loop->thread->stands_for))
			continue;
		((struct thread_fold *)loop->loop->thread->data)->had_loop = true;
		if (report_loop(builder, loop, world, &process->loops[process->loop_count++]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int report_fill(struct report_builder *builder, const struct world *world)
{
	struct report *report = &builder->report;
	uint32_t position;
	struct thread *thread;
	struct gil *gil;

	for (position = 0; (thread = world_next_thread(world, &position));)
		if (thread->data)
			((struct thread_fold *)thread->data)->had_loop = false;
	for (position = 0; (gil = world_next_gil(world, &position));)
		report_gil(report, gil, builder->growth);
	for (uint32_t i = 0; i < report->process_count; i++) {
		struct process_report *process = &report->processes[i];
		const struct process_fold *fold = process->process->data;

		if (fold && report_loops(builder, world, process, fold) < 0)
			return -ENOMEM;
	}
	for (position = 0; (thread = world_next_thread(world, &position));)
		if (report_thread(builder, thread) < 0)
			return -ENOMEM;
	for (uint32_t i = 0; i < report->process_count; i++) {
		const struct process *process = report->processes[i].process;
		struct process_fold *fold = process->data;

		report->processes[i].crashed = handler_of(builder, process->crash.stack);
		if (fold && !process->stands_for && report_heirs(builder, &fold->heirs) < 0)
			return -ENOMEM;
		if (fold && fold->gil.stands_for && !builder->growth)
			report_gil(report, &fold->gil, false);
	}
	return builder->ended ? report_ended(builder) : 0;
}

int report_builder_finish(struct report_builder *builder, const struct world *world, bool truncated,
			  const struct report **ret_report)
{
	struct report *report = &builder->report;
	int err = builder->error ? builder->error : attribution_error(builder->attribution);

	if (err < 0)
		return err;
	report_clear(builder);
	report->window = world_window(world);
	report->truncated = truncated || report->window.full;
	report->stall_ns = builder->stall_ns;
	report->unknown_ns = report->sampled_ns = report->thread_ns = 0;
	report->stack_evidence.distinct = report->names
						  ? dictionary_made(report->names, DEFINE_STACK)
						  : 0;
	report->stack_evidence.full = report->names &&
				      dictionary_refused(report->names, DEFINE_STACK);
	err = report_allocate(builder, world);
	if (err < 0)
		return err;
	err = report_fill(builder, world);
	if (err == 0)
		err = last_report(builder);
	if (err == 0)
		err = report_pools(builder);
	if (err == 0)
		err = report_flames(builder);
	if (err == 0)
		err = report_blame(builder);
	if (err < 0)
		return err;
	*ret_report = report;
	return 0;
}

struct pauses process_pauses(const struct process_report *process)
{
	struct pauses all = {0};

	for (uint32_t i = 0; i < process->thread_count; i++) {
		const struct pauses *pauses = &process->threads[i].pauses;

		all.count += pauses->count;
		all.ns += pauses->ns;
		all.worst_ns = pauses->worst_ns > all.worst_ns ? pauses->worst_ns : all.worst_ns;
	}
	return all;
}

uint64_t process_observed_ns(const struct report *report, const struct process_report *process)
{
	uint64_t window = report->window.end - report->window.start;

	return process->observed_ns ? process->observed_ns : window ? window : 1;
}

bool gil_is_unseen(const struct report *report, const struct gil_report *gil)
{
	return !gil->held_ns && !gil->contended_ns &&
	       (gil->gil->mode != MODE_EXACT ||
		gil->unknown_ns > (report->window.end - report->window.start) / 2);
}

bool report_partial(const struct report *report)
{
	for (uint32_t i = 0; i < report->process_count; i++)
		if (report->processes[i].process->sites_fault)
			return true;
	if (report->window.full)
		return true;
	if (!report->window.lost)
		return false;
	/* Without any thread time the loss may have covered everything. */
	return !report->thread_ns || report->unknown_ns > report->thread_ns / 1000;
}
