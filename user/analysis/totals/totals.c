/* SPDX-License-Identifier: MIT */
#include "analysis/totals/totals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"

const uint64_t totals_bounds[TOTALS_BOUNDS] = {
	NS_PER_MS,	 5 * NS_PER_MS,	  10 * NS_PER_MS,  20 * NS_PER_MS, 50 * NS_PER_MS,
	100 * NS_PER_MS, 200 * NS_PER_MS, 500 * NS_PER_MS, NS_PER_S,	   2 * NS_PER_S,
	5 * NS_PER_S,	 10 * NS_PER_S,	  20 * NS_PER_S,   30 * NS_PER_S,  60 * NS_PER_S,
};

void totals_done(struct totals *totals)
{
	for (uint32_t i = 0; i < totals->worker_count; i++)
		free(totals->workers[i]);
	free(totals->workers);
	*totals = (struct totals){0};
}

/* ── numbers ─────────────────────────────────────────────────────────────────────────────────── */

static struct worker_totals *worker_of(const struct totals *totals, const struct process *process)
{
	for (uint32_t i = 0; i < totals->worker_count; i++)
		if (totals->workers[i]->process == process)
			return totals->workers[i];
	return NULL;
}

static struct worker_totals *worker_new(struct totals *totals, const struct process *process)
{
	struct worker_totals *worker = worker_of(totals, NULL), **grown;

	if (!worker) {
		grown = reallocarray(totals->workers, totals->worker_count + 1, sizeof(*grown));
		if (!grown)
			return NULL;
		totals->workers = grown;
		worker = calloc(1, sizeof(*worker));
		if (!worker)
			return NULL;
		grown[totals->worker_count++] = worker;
	}
	worker->process = process;
	return worker;
}

/* What it had counted stays. */
static void worker_leaves(struct worker_totals *worker)
{
	for (int i = 0; i < WORKER_COUNTERS; i++) {
		worker->base[i] += worker->now[i];
		worker->now[i] = 0;
	}
	worker->process = NULL;
	worker->threads = worker->waiters = 0;
	worker->ongoing_ns = 0;
	memset(worker->pools, 0, sizeof(worker->pools));
}

static bool has_ended(const struct process_report *process)
{
	return process->process->stands_for || process->process->death.known;
}

static const struct process_report *report_of(const struct report *report,
					      const struct process *process)
{
	for (uint32_t i = 0; i < report->process_count; i++)
		if (report->processes[i].process == process)
			return &report->processes[i];
	return NULL;
}

/* ── a process ───────────────────────────────────────────────────────────────────────────────── */

static void count_turns(uint64_t counters[static WORKER_COUNTERS], const struct dist *turn)
{
	for (int i = 0; i < TOTALS_BOUNDS; i++)
		counters[WORKER_TURNS + i] += dist_within(turn, totals_bounds[i]);
	counters[WORKER_TURNS + TOTALS_BOUNDS] += turn->count;
	counters[WORKER_TURN_NS] += turn->sum_ns;
}

static void read_loops(struct worker_totals *worker, const struct process_report *process,
		       uint64_t now)
{
	for (uint32_t i = 0; i < process->loop_count; i++) {
		const struct loop_report *report = &process->loops[i];
		const struct loop *loop = report->loop;

		count_turns(worker->now, &report->turn);
		for (int state = 0; state < TS_COUNT; state++)
			worker->now[WORKER_STALLED + state] += report->stalled.states.ns[state];
		worker->now[WORKER_FREEZES] += report->freezes;
		if (!report->stands_for && loop->in_turn && !loop->possible &&
		    now > loop->ts_turn && now - loop->ts_turn > worker->ongoing_ns)
			worker->ongoing_ns = now - loop->ts_turn;
	}
}

static void read_threads(struct worker_totals *worker, const struct process_report *process)
{
	for (uint32_t i = 0; i < process->thread_count; i++) {
		const struct thread_report *report = &process->threads[i];
		const struct thread *thread = report->thread;

		worker->now[WORKER_WORLD_STOPPED_NS] += report->pauses.ns;
		worker->base[WORKER_STARVED] += report->starved.count;
		worker->base[WORKER_STARVED_NS] += report->starved.ns;
		worker->threads += !thread->stands_for && !thread->gone;
		worker->waiters += !thread->gone && thread->state == TS_GIL_WAIT;
	}
}

static void read_gils(struct worker_totals *worker, const struct process_report *process)
{
	for (uint32_t i = 0; i < process->gil_count; i++) {
		const struct gil_report *gil = &process->gils[i];

		worker->now[WORKER_GIL_HELD_NS] += gil->held_ns;
		worker->now[WORKER_GIL_CONTENDED_NS] += gil->contended_ns;
		worker->now[WORKER_HANDOFFS] += gil->handoffs;
		worker->now[WORKER_FORCED] += gil->forced;
	}
}

static void read_pools(struct worker_totals *worker, const struct report *report)
{
	for (uint32_t i = 0; i < report->pool_count; i++) {
		const struct pool_report *pool = &report->pools[i];

		if (pool->process != worker->process || pool->kind >= POOL_KINDS)
			continue;
		worker->pools[pool->kind].threads += pool->threads;
		worker->pools[pool->kind].busy_ns += pool->busy_ns;
	}
}

static void read_worker(struct worker_totals *worker, const struct report *report,
			const struct process_report *process)
{
	memset(worker->now, 0, sizeof(worker->now));
	memset(worker->pools, 0, sizeof(worker->pools));
	worker->threads = worker->waiters = 0;
	worker->ongoing_ns = 0;
	for (int state = 0; state < TS_COUNT; state++)
		worker->now[WORKER_STATES + state] = process->states.ns[state];
	worker->now[WORKER_LOST] = process->process->lost;
	read_loops(worker, process, report->window.end);
	read_threads(worker, process);
	read_gils(worker, process);
	read_pools(worker, report);
}

/* A report may take some time back, and give it to another state; a counter does not. */
static void show(struct worker_totals *worker)
{
	for (int i = 0; i < WORKER_COUNTERS; i++) {
		uint64_t sum = worker->base[i] + worker->now[i];

		if (sum > worker->shown[i])
			worker->shown[i] = sum;
	}
}

/* ── stalls ──────────────────────────────────────────────────────────────────────────────────── */

static int class_of(uint64_t ns)
{
	int i = 0;

	while (i < TOTALS_BOUNDS && ns > totals_bounds[i])
		i++;
	return i;
}

static void copy_name(char to[static TOTALS_NAME_MAX], const char *name)
{
	size_t length = name ? strlen(name) : 0;

	if (length >= TOTALS_NAME_MAX)
		length = TOTALS_NAME_MAX - 1;
	memset(to, 0, TOTALS_NAME_MAX);
	memcpy(to, name ? name : "", length);
}

static struct function_totals *function_of(struct totals *totals, const struct report *report,
					   const struct handler *culprit)
{
	const struct definition *definition =
		culprit->role == HANDLER_NONE
			? NULL
			: dictionary_find(report->names, DEFINE_FUNCTION, culprit->frame.function);
	struct function_totals wanted = {0};

	if (!definition)
		return NULL;
	copy_name(wanted.function, definition->function.name);
	copy_name(wanted.file, definition->function.file);
	for (uint32_t i = 0; i < totals->function_count; i++)
		if (!memcmp(totals->functions[i].function, wanted.function,
			    sizeof(wanted.function)) &&
		    !memcmp(totals->functions[i].file, wanted.file, sizeof(wanted.file)))
			return &totals->functions[i];
	if (totals->function_count == TOTALS_FUNCTIONS_MAX)
		return NULL;
	totals->functions[totals->function_count] = wanted;
	return &totals->functions[totals->function_count++];
}

static void charge(struct totals *totals, const struct report *report, struct worker_totals *worker,
		   const struct stall *stall)
{
	struct function_totals *function = function_of(totals, report, &stall->culprit);
	uint64_t ns = stall->end - stall->start;

	if (!function)
		function = &totals->functions[TOTALS_FUNCTIONS_MAX];
	function->stalls++;
	function->ns += ns;
	totals->stalls[class_of(ns)].count++;
	totals->stall_ns += ns;
	if (!worker)
		return; /* of one whose number has been given back */
	worker->base[WORKER_STALLS]++;
	worker->base[WORKER_GC_NS] += stall->what.gc_ns;
	worker->base[WORKER_THROTTLED_NS] += stall->what.throttled_ns;
}

/* Those that have ended since the last step. */
static void charge_stalls(struct totals *totals, const struct report *report,
			  const struct process_report *process)
{
	struct worker_totals *worker = worker_of(totals, process->process);

	for (uint32_t i = 0; i < process->loop_count; i++)
		for (uint32_t n = 0; n < process->loops[i].stall_count; n++) {
			const struct stall *stall = &process->loops[i].stalls[n];

			if (!stall->ongoing && stall->end > totals->ts)
				charge(totals, report, worker, stall);
		}
}

void totals_recorded(struct totals *totals, const struct stall *stall, const char *recording)
{
	struct stall_class *class = &totals->stalls[class_of(stall->end - stall->start)];

	if (strlen(recording) >= sizeof(class->recording))
		return;
	strcpy(class->recording, recording);
	class->ns = stall->end - stall->start;
	class->ts = stall->end;
}

/* ── a step ──────────────────────────────────────────────────────────────────────────────────── */

static void charge_processes(struct totals *totals, const struct report *report, bool ended)
{
	for (uint32_t i = 0; i < report->process_count; i++)
		if (has_ended(&report->processes[i]) == ended)
			charge_stalls(totals, report, &report->processes[i]);
}

/* Their numbers are free for those that have come. */
static void end_workers(struct totals *totals, const struct report *report)
{
	for (uint32_t i = 0; i < totals->worker_count; i++) {
		struct worker_totals *worker = totals->workers[i];
		const struct process_report *process = worker->process
							       ? report_of(report, worker->process)
							       : NULL;

		if (!worker->process || (process && !has_ended(process)))
			continue;
		if (process)
			read_worker(worker, report, process);
		worker_leaves(worker);
		show(worker);
	}
}

static int add_workers(struct totals *totals, const struct report *report)
{
	for (uint32_t i = 0; i < report->process_count; i++) {
		const struct process *process = report->processes[i].process;

		if (!has_ended(&report->processes[i]) && !worker_of(totals, process) &&
		    !worker_new(totals, process))
			return -ENOMEM;
	}
	return 0;
}

static void read_workers(struct totals *totals, const struct report *report)
{
	for (uint32_t i = 0; i < totals->worker_count; i++) {
		struct worker_totals *worker = totals->workers[i];

		if (worker->process)
			read_worker(worker, report, report_of(report, worker->process));
		show(worker);
	}
}

int totals_step(struct totals *totals, const struct report *report)
{
	int err;

	charge_processes(totals, report, true);
	end_workers(totals, report);
	err = add_workers(totals, report);
	charge_processes(totals, report, false);
	read_workers(totals, report);
	totals->step_ns = report->window.end - (totals->ts ? totals->ts : report->window.start);
	totals->ts = report->window.end;
	totals->lost = report->window.lost;
	totals->missed = report->window.missed;
	if (report->unknown_ns > totals->unknown_ns)
		totals->unknown_ns = report->unknown_ns;
	return err;
}

void totals_freeze(struct totals *totals, const struct freeze *freeze)
{
	totals->freeze_ns += freeze->end - freeze->start;
}

void totals_death(struct totals *totals, const struct death *death)
{
	totals->deaths[death->signal > 0 && death->signal < 65 ? death->signal : 0]++;
}
