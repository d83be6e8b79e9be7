/* SPDX-License-Identifier: MIT */
#include "view/processes.h"

#include "view/service.h"
#include "words/names.h"
#include "words/words.h"

#define PID_COLUMNS	9
#define COMMAND_COLUMNS 20 /* of a title and how it ended, at least */
#define MORE_COLUMNS	16 /* that they get before the last figures are shown */

/* ── figures ─────────────────────────────────────────────────────────────────────────────────── */

struct row {
	const struct report *report;
	const struct process_report *process;
};

static void add_share_or_dot(struct text_buffer *text, const struct row *row, uint64_t ns)
{
	if (ns)
		text_add_share(text, ns, process_observed_ns(row->report, row->process));
	else
		text_add(text, "·");
}

static void add_observed(struct text_buffer *text, const struct row *row)
{
	text_add_duration_or_dot(text, row->process->observed_ns);
}

static void add_stalls(struct text_buffer *text, const struct row *row)
{
	if (row->process->loop_count)
		text_add_count(text, process_stall_count(row->process));
	else
		text_add(text, "no loop");
}

static void add_stalled(struct text_buffer *text, const struct row *row)
{
	text_add_duration_or_dot(text, process_stalled_ns(row->process));
}

static void add_longest(struct text_buffer *text, const struct row *row)
{
	text_add_duration_or_dot(text, process_longest_ns(row->process));
}

static void add_held(struct text_buffer *text, const struct row *row)
{
	add_share_or_dot(text, row, process_held_ns(row->process));
}

static void add_cpu(struct text_buffer *text, const struct row *row)
{
	uint64_t ns = 0;

	for (int i = 0; i < TS_COUNT; i++)
		if (thread_state_runs((enum thread_state)i))
			ns += row->process->states.ns[i];
	add_share_or_dot(text, row, ns);
}

static void add_no_cpu(struct text_buffer *text, const struct row *row)
{
	const uint64_t *ns = row->process->states.ns;

	text_add_duration_or_dot(text, ns[TS_RUNNABLE] + ns[TS_HELD_RUNNABLE]);
}

/* The first one is left out where it is known of none, the last ones where there is no room. */
static const struct process_figure {
	const char *upper, *lower;
	unsigned width;
	void (*add)(struct text_buffer *text, const struct row *row);
} FIGURES_OF[] = {
	{"", "observed", 10, add_observed},   {"", "stalls", 9, add_stalls},
	{"", "total", 9, add_stalled},	      {"longest", "iteration", 11, add_longest},
	{"GIL", "held", 9, add_held},	      {"Python", "CPU", 8, add_cpu},
	{"waited", "for CPU", 9, add_no_cpu},
};
#define FIGURE_COUNT (sizeof(FIGURES_OF) / sizeof(FIGURES_OF[0]))
#define ALWAYS	     5

/* ── the table ───────────────────────────────────────────────────────────────────────────────── */

struct layout {
	size_t first, figures; /* those from `first` on, below `figures` */
	unsigned names;
};

static struct layout lay_out(const struct canvas *canvas,
			     const struct process_report *const *processes, uint32_t count)
{
	unsigned width = 2 + PID_COLUMNS + COMMAND_COLUMNS;
	struct layout layout = {.first = 1, .figures = 1};

	for (uint32_t i = 0; i < count; i++)
		if (processes[i]->observed_ns)
			layout.first = layout.figures = 0;
	while (layout.figures < FIGURE_COUNT &&
	       (layout.figures < ALWAYS ||
		width + FIGURES_OF[layout.figures].width + MORE_COLUMNS <= canvas->columns))
		width += FIGURES_OF[layout.figures++].width;
	layout.names = COMMAND_COLUMNS + (canvas->columns > width ? canvas->columns - width : 0);
	return layout;
}

static void show_titles(const struct canvas *canvas, const struct layout *layout, bool upper)
{
	unsigned blanks = 2 + PID_COLUMNS + layout->names;

	for (size_t i = layout->first; i < layout->figures; i++) {
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

static void show_row(const struct canvas *canvas, const struct layout *layout,
		     const struct row *row)
{
	const struct process *process = row->process->process;
	struct text_buffer pid = {0}, name = {0}, end = {0};
	char title[PROCESS_TITLE_MAX];

	if (!process->stands_for)
		text_add(&pid, "%u", process->info.pid);
	add_end(&end, &process->death);
	text_add_name(&name, process_title(process, title),
		      layout->names - 1 - (unsigned)end.length);
	text_add(&name, "%s", end.bytes);
	fputs("  ", canvas->file);
	canvas_cell(canvas, pid.bytes, PID_COLUMNS, false);
	canvas_strong(canvas, name.bytes, layout->names);
	for (size_t i = layout->first; i < layout->figures; i++) {
		struct text_buffer value = {0};

		FIGURES_OF[i].add(&value, row);
		canvas_cell(canvas, value.bytes, FIGURES_OF[i].width, true);
	}
	fputc('\n', canvas->file);
}

void canvas_processes(const struct canvas *canvas, const struct report *report,
		      const struct process_report *const *sorted, uint32_t count)
{
	struct layout layout = lay_out(canvas, sorted, count);

	show_titles(canvas, &layout, true);
	show_titles(canvas, &layout, false);
	for (uint32_t i = 0; i < count; i++)
		show_row(canvas, &layout, &(struct row){report, sorted[i]});
}
