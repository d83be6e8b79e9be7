/* SPDX-License-Identifier: MIT */
/* The report as one page for the person on call: first the verdict, then the figures behind it. */
#include "view/text/text.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "view/service.h"
#include "words/names.h"
#include "words/palette.h"

#define CONTAINER_COLUMNS 32

void text_add_process(struct text_buffer *text, const struct process *process, unsigned columns)
{
	const struct process_info *info = &process->info;
	char title[PROCESS_TITLE_MAX];

	text_add_name(text, process_title(process, title), columns);
	if (!process->stands_for)
		text_add(text, SEPARATOR "PID %u", info->pid);
	if (info->container[0]) {
		text_add(text, SEPARATOR);
		text_add_name(text, info->container, CONTAINER_COLUMNS);
	}
	if (info->python[0]) {
		text_add(text, SEPARATOR "Python ");
		text_add_name(text, info->python, 16);
	}
}

static void add_evidence(struct text_buffer *text, const struct report *report)
{
	text_add_duration(text, text_window_ns(report));
	if (report->realtime_ns) {
		text_add(text, " from ");
		text_add_day(text, report, report->window.start);
	}
	text_add(text, SEPARATOR);
	if (!report->window.lost) {
		text_add(text, "no events lost");
		return;
	}
	text_add_number_of(text, report->window.lost, "event lost: ", "events lost: ");
	text_add_share(text, report->unknown_ns, report->thread_ns);
	text_add(text, " unknown");
}

/* The command line gets the rest of the line. */
void text_head(const struct text_page *page)
{
	const struct report *report = page->report;
	struct text_buffer evidence = {0}, rest = {0}, line = {0};
	unsigned used;

	add_evidence(&evidence, report);
	if (report->process_count == 1) {
		text_add_process(&rest, report->processes[0].process, 1);
		used = text_width(rest.bytes) + text_width(evidence.bytes) + 3;
		text_add_process(&line, report->processes[0].process,
				 page->canvas.columns > used + 12 ? page->canvas.columns - used
								  : 12);
	} else {
		text_add_number_of(&line, service_process_count(report), "process", "processes");
	}
	text_add(&line, SEPARATOR "%s", evidence.bytes);
	canvas_heading(&page->canvas, &line);
}

void text_legend(const struct text_page *page, const struct state_sums *sums)
{
	unsigned column = 0;

	if (!state_sums_total(sums))
		return;
	for (int s = 0; s < TS_COUNT; s++) {
		const char *name = s == TS_BLOCKED ? "blocking call, or asleep"
						   : palette_of((enum thread_state)s)->label;
		unsigned width = 4 + (unsigned)strlen(name);

		if (!sums->ns[s])
			continue;
		if (!column || column + width > page->canvas.columns) {
			fputc('\n', page->canvas.file);
			column = 0;
		}
		fputs("  ", page->canvas.file);
		canvas_letter(&page->canvas, (enum thread_state)s, 1);
		fprintf(page->canvas.file, " %s", name);
		column += width;
	}
	fputc('\n', page->canvas.file);
}

static void show_legend(const struct text_page *page, const struct process_report *process)
{
	struct state_sums all = {0};

	for (uint32_t i = 0; i < process->thread_count; i++)
		for (int s = 0; s < TS_COUNT; s++)
			all.ns[s] += process->threads[i].states.ns[s];
	text_legend(page, &all);
}

static void show_process_title(const struct text_page *page, const struct process_report *process)
{
	uint64_t observed = process_observed_ns(page->report, process),
		 window = text_window_ns(page->report);
	struct text_buffer line = {0};

	fputc('\n', page->canvas.file);
	text_add_process(&line, process->process,
			 page->canvas.columns > 60 ? page->canvas.columns - 40 : 20);
	if (observed < window - window / 50) {
		text_add(&line, SEPARATOR);
		text_add_duration(&line, observed);
		text_add(&line, " of it");
	}
	if (process->process->lost) {
		text_add(&line, SEPARATOR);
		text_add_number_of(&line, process->process->lost, "event lost", "events lost");
	}
	canvas_heading(&page->canvas, &line);
}

/* Among several, one whose loops had no stall, and whose threads did not wait for the GIL for as
 * long as a stall, is told in short. */
static bool is_quiet(const struct text_page *page, const struct process_report *process)
{
	if (page->all || page->report->process_count == 1)
		return false;
	for (uint32_t i = 0; i < process->gil_count; i++)
		if (process->gils[i].contended_ns >= page->report->stall_ns)
			return false;
	for (uint32_t i = 0; i < process->loop_count; i++)
		if (loop_stall_count(&process->loops[i]))
			return false;
	return process->loop_count || process_without_loops(process);
}

static int show_process(const struct text_page *page, const struct process_report *process)
{
	int err;

	if (page->report->process_count > 1)
		show_process_title(page, process);
	fputc('\n', page->canvas.file);
	text_verdict(page, process);
	if (is_quiet(page, process))
		return 0;
	err = text_threads(page, process);
	if (err < 0)
		return err;
	text_pools(page, process);
	text_gils(page, process);
	err = text_stalls(page, process);
	if (err < 0)
		return err;
	show_legend(page, process);
	return 0;
}

unsigned text_columns(const struct view_options *options)
{
	unsigned columns = options->columns ? options->columns : 100;

	return columns < 60 ? 60 : columns > 160 ? 160 : columns;
}

static int show_all(const struct text_page *page)
{
	_cleanup_(freep) const struct process_report **sorted = NULL;
	int err = text_findings(page);

	if (err < 0)
		return err;
	text_blame(page);
	sorted = service_sort(page->report);
	if (!sorted && page->report->process_count)
		return -ENOMEM;
	text_processes(page, sorted);
	for (uint32_t i = 0; i < page->report->process_count && !err; i++)
		err = show_process(page, sorted[i]);
	if (err < 0)
		return err;
	text_caveats(page);
	return 0;
}

static int show_text(FILE *file, const struct report *report, const struct view_options *options)
{
	struct text_page page = {
		.canvas = {.file = file,
			   .columns = text_columns(options),
			   .colour = options->colour},
		.report = report,
		.all = options->all,
	};
	int err;

	text_head(&page);
	err = options->screen ? text_screen(&page, options->more) : show_all(&page);
	if (err < 0)
		return err;
	if (fflush(file) == EOF)
		return -errno;
	return ferror(file) ? -EIO : 0;
}

const struct view view_text = {.name = "text", .show = show_text};
