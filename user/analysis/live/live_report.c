/* SPDX-License-Identifier: MIT */
/* A report about the history window: what the rules of diagnosis read of one. */
#include "analysis/live/live.h"

#include <errno.h>
#include <stdlib.h>

void live_report_done(struct live_report *made)
{
	free(made->processes);
	free(made->loops);
	free(made->stalls);
	free(made->threads);
	free(made->gils);
	*made = (struct live_report){0};
}

static int by_start(const void *a, const void *b)
{
	const struct stall *x = a, *y = b;

	return (x->start > y->start) - (x->start < y->start);
}

/* Copies the loop's stalls to `stalls`, in order of time. Their contents stay the view's. */
static void fill_loop(struct loop_report *loop, struct stall *stalls, const struct live_view *view,
		      const struct live_loop *live)
{
	*loop = (struct loop_report){.loop = live->loop,
				     .turn = live->turn,
				     .longest_ns = live->turn.max_ns,
				     .unknown_ns = live->unknown_ns,
				     .stalled.states = live->stalled,
				     .stalls = stalls};
	for (uint32_t i = 0; i < view->stall_count; i++)
		if (view->stalls[i]->loop == live->loop)
			stalls[loop->stall_count++] = view->stalls[i]->stall;
	if (live->stalls > loop->stall_count)
		loop->stalls_left_out = live->stalls - loop->stall_count;
	qsort(stalls, loop->stall_count, sizeof(*stalls), by_start);
}

/* The threads of the last seconds and those that were starved, both in order of appearance. */
struct thread_walk {
	uint32_t thread, starved;
};

static bool next_thread(const struct live_view *view, struct thread_walk *at,
			struct thread_report *ret_report)
{
	const struct live_starved *starved = at->starved < view->starved_count
						     ? &view->starved[at->starved]
						     : NULL;
	const struct thread *thread = at->thread < view->thread_count
					      ? view->threads[at->thread].thread
					      : NULL;
	bool first = starved && (!thread || starved->thread->index <= thread->index);

	if (!thread && !starved)
		return false;
	at->thread += !first || starved->thread == thread;
	at->starved += first;
	*ret_report = (struct thread_report){.thread = first ? starved->thread : thread};
	if (first)
		ret_report->starved = starved->starved;
	return true;
}

static void fill_threads(struct live_report *made, const struct live_view *view)
{
	struct thread_report *threads = made->threads, thread;
	struct thread_walk at = {0};

	while (next_thread(view, &at, &thread))
		made->processes[thread.thread->process->index].thread_count++;
	for (uint32_t p = 0; p < view->process_count; p++) {
		made->processes[p].threads = threads;
		threads += made->processes[p].thread_count;
		made->processes[p].thread_count = 0;
	}
	for (at = (struct thread_walk){0}; next_thread(view, &at, &thread);) {
		struct process_report *process = &made->processes[thread.thread->process->index];

		process->threads[process->thread_count++] = thread;
	}
}

static void fill_gils(struct process_report *process, const struct live_view *view)
{
	for (uint32_t i = 0; i < view->gil_count; i++) {
		const struct live_gil *gil = &view->gils[i];

		if (gil->gil->process == process->process)
			process->gils[process->gil_count++] = (struct gil_report){
				.gil = gil->gil,
				.held_ns = gil->while_held_ns,
				.longest_wait_ns = gil->longest_wait_ns,
				.longest_wait_cut = gil->longest_wait_cut};
	}
}

static int allocate(const struct live_view *view, struct live_report *made)
{
	made->processes = calloc(view->process_count + 1, sizeof(*made->processes));
	made->loops = calloc(view->loop_count + 1, sizeof(*made->loops));
	made->stalls = calloc(view->stall_count + 1, sizeof(*made->stalls));
	made->threads = calloc(view->thread_count + view->starved_count + 1,
			       sizeof(*made->threads));
	made->gils = calloc(view->gil_count + 1, sizeof(*made->gils));
	return made->processes && made->loops && made->stalls && made->threads && made->gils
		       ? 0
		       : -ENOMEM;
}

/* The loops and GILs of a process begin where those of the one before end. */
static void fill_process(struct live_report *made, uint32_t p, const struct live_view *view)
{
	struct process_report *process = &made->processes[p];
	const struct process_report *before = p ? process - 1 : NULL;
	struct stall *stalls = made->stalls;

	process->process = view->processes[p];
	process->states = view->process_states[p];
	process->loops = before ? before->loops + before->loop_count : made->loops;
	process->gils = before ? before->gils + before->gil_count : made->gils;
	for (const struct loop_report *loop = made->loops; loop < process->loops; loop++)
		stalls += loop->stall_count;
	for (uint32_t i = 0; i < view->loop_count; i++) {
		struct loop_report *loop = &process->loops[process->loop_count];

		if (view->loops[i].loop->thread->process != process->process)
			continue;
		fill_loop(loop, stalls, view, &view->loops[i]);
		stalls += loop->stall_count;
		process->loop_count++;
	}
	fill_gils(process, view);
}

int live_report_make(const struct live_view *view, struct live_report *ret_made)
{
	struct live_report made = {.report = view->about};
	struct report *report = &made.report;
	int err = allocate(view, &made);

	if (err < 0) {
		live_report_done(&made);
		return err;
	}
	report->processes = made.processes;
	report->process_count = view->process_count;
	report->pools = view->pools;
	report->pool_count = view->pool_count;
	report->wait_flames = view->waits;
	report->wait_flame_count = view->wait_count;
	if (report->window.end - report->window.start > view->while_ns)
		report->window.start = report->window.end - view->while_ns;
	for (uint32_t p = 0; p < view->process_count; p++)
		fill_process(&made, p, view);
	fill_threads(&made, view);
	*ret_made = made;
	return 0;
}
