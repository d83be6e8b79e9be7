/* SPDX-License-Identifier: MIT */
/* The findings of the last minute, by the same rules as a report's. */
#include "view/tui/tui_private.h"

#include <errno.h>
#include <stdlib.h>

#include "diagnosis/findings.h"
#include "view/finding.h"

/* A report about the stalls of a view: what the rules read of one. */
struct made_report {
	struct report report;
	struct process_report *processes;
	struct loop_report *loops;
	struct stall *stalls;
};

static void made_done(struct made_report *made)
{
	free(made->processes);
	free(made->loops);
	free(made->stalls);
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
	*loop = (struct loop_report){
		.loop = live->loop, .turn = live->turn, .longest_ns = live->turn.max_ns};
	loop->stalls = stalls;
	for (uint32_t i = 0; i < view->stall_count; i++)
		if (view->stalls[i]->loop == live->loop)
			stalls[loop->stall_count++] = view->stalls[i]->stall;
	qsort(stalls, loop->stall_count, sizeof(*stalls), by_start);
}

static int make_report(const struct live_view *view, struct made_report *made)
{
	struct report *report = &made->report;
	uint32_t loops = 0, stalls = 0;

	*made = (struct made_report){
		.report = view->about,
		.processes = calloc(view->process_count + 1, sizeof(*made->processes)),
		.loops = calloc(view->loop_count + 1, sizeof(*made->loops)),
		.stalls = calloc(view->stall_count + 1, sizeof(*made->stalls)),
	};
	if (!made->processes || !made->loops || !made->stalls)
		return -ENOMEM;
	report->processes = made->processes;
	report->process_count = view->process_count;
	if (report->window.end - report->window.start > view->while_ns)
		report->window.start = report->window.end - view->while_ns;
	for (uint32_t p = 0; p < view->process_count; p++) {
		struct process_report *process = &made->processes[p];

		process->process = view->processes[p];
		process->loops = made->loops + loops;
		for (uint32_t i = 0; i < view->loop_count; i++) {
			const struct live_loop *live = &view->loops[i];
			struct loop_report *loop = &made->loops[loops];

			if (live->loop->thread->process != process->process)
				continue;
			fill_loop(loop, made->stalls + stalls, view, live);
			stalls += loop->stall_count;
			process->loop_count++;
			loops++;
		}
	}
	return 0;
}

int tui_findings(const struct canvas *canvas, const struct live_view *view)
{
	struct finding_list *findings = NULL;
	struct text_buffer no_loop = {0};
	struct made_report made;
	int err = make_report(view, &made);

	text_add(&no_loop, "No event loop was seen, and these findings are about loops: `gilscope "
			   "attach` says who held the GIL while others wanted it.");
	if (err == 0 && !(findings = findings_new(&made.report)))
		err = -ENOMEM;
	for (uint32_t i = 0; findings && i < findings->count; i++) {
		/* what it would say of threads and GILs is not in this report */
		if (findings->list[i].id == FINDING_NOTHING_FOUND && !view->loop_count)
			canvas_paragraph(canvas, "  ", 2, &no_loop);
		else
			canvas_finding(canvas, &made.report, i + 1, &findings->list[i]);
	}
	findings_free(findings);
	made_done(&made);
	return err;
}
