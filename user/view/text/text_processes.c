/* SPDX-License-Identifier: MIT */
/* The processes of a service, those whose event loops were held up most first. */
#include "view/text/text.h"

#include "view/service.h"
#include "words/names.h"

#define SHOWN_PROCESSES 20
#define PID_COLUMNS	9
#define COMMAND_COLUMNS 20 /* of a title and how it ended, at least */

/* ── columns ─────────────────────────────────────────────────────────────────────────────────── */

static void add_observed(struct text_buffer *text, const struct process_report *process)
{
	text_add_duration_or_dot(text, process->observed_ns);
}

static void add_stalls(struct text_buffer *text, const struct process_report *process)
{
	if (process->loop_count)
		text_add_count(text, process_stall_count(process));
	else
		text_add(text, "no loop");
}

static void add_stalled(struct text_buffer *text, const struct process_report *process)
{
	text_add_duration_or_dot(text, process_stalled_ns(process));
}

static void add_longest(struct text_buffer *text, const struct process_report *process)
{
	text_add_duration_or_dot(text, process_longest_ns(process));
}

static void add_held(struct text_buffer *text, const struct process_report *process)
{
	if (process_held_ns(process))
		text_add_share(text, process_held_ns(process), process->observed_ns);
	else
		text_add(text, "·");
}

static const struct process_figure {
	const char *upper, *lower;
	unsigned width;
	void (*add)(struct text_buffer *text, const struct process_report *process);
} FIGURES_OF[] = {
	{"", "observed", 10, add_observed}, {"", "stalls", 9, add_stalls},
	{"", "total", 9, add_stalled},	    {"longest", "iteration", 11, add_longest},
	{"GIL", "held", 9, add_held},
};
#define FIGURE_COUNT (sizeof(FIGURES_OF) / sizeof(FIGURES_OF[0]))

static void show_titles(const struct canvas *canvas, unsigned blanks, bool upper)
{
	for (size_t i = 0; i < FIGURE_COUNT; i++) {
		const char *title = upper ? FIGURES_OF[i].upper : FIGURES_OF[i].lower;

		blanks += FIGURES_OF[i].width;
		if (!*title)
			continue;
		canvas_cell(canvas, title, blanks, true);
		blanks = 0;
	}
	fputc('\n', canvas->file);
}

/* " (SIGKILL)", " (exit 1)", " (exited)"; nothing of one that lives. */
static void add_end(struct text_buffer *text, const struct death *death)
{
	if (!death->known)
		return;
	text_add(text, " (");
	if (death->signal)
		text_add_signal(text, death->signal);
	else if (death->status)
		text_add(text, "exit %u", death->status);
	else
		text_add(text, "exited");
	text_add(text, ")");
}

static void show_row(const struct canvas *canvas, const struct process_report *process,
		     unsigned name_columns)
{
	struct text_buffer pid = {0}, name = {0}, end = {0};
	char title[PROCESS_TITLE_MAX];

	text_add(&pid, "%u", process->process->info.pid);
	add_end(&end, &process->process->death);
	text_add_name(&name, process_title(process->process, title),
		      name_columns - 1 - (unsigned)end.length);
	text_add(&name, "%s", end.bytes);
	fputs("  ", canvas->file);
	canvas_cell(canvas, pid.bytes, PID_COLUMNS, false);
	canvas_strong(canvas, name.bytes, name_columns);
	for (size_t i = 0; i < FIGURE_COUNT; i++) {
		struct text_buffer value = {0};

		FIGURES_OF[i].add(&value, process);
		canvas_cell(canvas, value.bytes, FIGURES_OF[i].width, true);
	}
	fputc('\n', canvas->file);
}

void text_processes(const struct text_page *page, const struct process_report **sorted)
{
	const struct canvas *canvas = &page->canvas;
	uint32_t count = page->report->process_count,
		 shown = count <= SHOWN_PROCESSES || page->all ? count : SHOWN_PROCESSES;
	unsigned figures = 0, names;
	struct text_buffer text = {0};

	if (count < 2)
		return;
	for (size_t i = 0; i < FIGURE_COUNT; i++)
		figures += FIGURES_OF[i].width;
	names = canvas->columns > figures + 2 + PID_COLUMNS + COMMAND_COLUMNS
			? canvas->columns - figures - 2 - PID_COLUMNS
			: COMMAND_COLUMNS;
	fputc('\n', canvas->file);
	text_add(&text, "PROCESSES, those whose event loops were held up most first");
	canvas_heading(canvas, &text);
	show_titles(canvas, 2 + PID_COLUMNS + names, true);
	show_titles(canvas, 2 + PID_COLUMNS + names, false);
	for (uint32_t i = 0; i < shown; i++)
		show_row(canvas, sorted[i], names);
	if (shown == count)
		return;
	text = (struct text_buffer){0};
	text_add_number_of(&text, count - shown, "more process", "more processes");
	text_add(&text, " (--all lists them).");
	canvas_paragraph(canvas, "  ", 2, &text);
}
