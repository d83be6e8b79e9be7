/* SPDX-License-Identifier: MIT */
#include "view/text/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "words/names.h"
#include "words/palette.h"

#define SHOWN_THREADS 10
#define NAME_COLUMNS  28

/* A column of the table: a state's share of the window, a count, or what of the row is in none. */
struct thread_column {
	const char *title;	 /* NULL: the state's */
	enum thread_state state; /* TS_COUNT: a count */
	size_t offset;		 /* of the count in struct thread_report; 0: see OTHER */
	bool shown;
	unsigned width;
	uint64_t most_ns; /* of a state, the most in one row: the least column is dropped first */
};

#define COLUMN_WIDTH	 7
#define STATE_COLUMN(of) {.state = of, .width = COLUMN_WIDTH}
#define COUNT(heading, field)                                                                      \
	{.title = heading,                                                                         \
	 .state = TS_COUNT,                                                                        \
	 .offset = offsetof(struct thread_report, field),                                          \
	 .shown = true,                                                                            \
	 .width = COLUMN_WIDTH}
static const struct thread_column COLUMNS[] = {
	STATE_COLUMN(TS_PYTHON),
	STATE_COLUMN(TS_HELD_BLOCKED),
	STATE_COLUMN(TS_HELD_RUNNABLE),
	STATE_COLUMN(TS_GIL_WAIT),
	STATE_COLUMN(TS_NATIVE),
	STATE_COLUMN(TS_BLOCKED),
	STATE_COLUMN(TS_RUNNABLE),
	STATE_COLUMN(TS_IDLE),
	STATE_COLUMN(TS_UNKNOWN),
	{.title = "other", .state = TS_COUNT, .width = COLUMN_WIDTH},
	COUNT("holds", holds),
	COUNT("waits", waits),
	COUNT("forced", forced_drops),
};
#define COLUMN_COUNT (sizeof(COLUMNS) / sizeof(COLUMNS[0]))
#define OTHER	     TS_COUNT /* its index */
#define HOLDS	     (OTHER + 1)

struct thread_table {
	const struct text_page *page;
	uint64_t window_ns;
	unsigned name_columns, bar_columns;
	struct thread_column columns[COLUMN_COUNT];
};

static int busiest_first(const void *a, const void *b)
{
	const struct thread_report *x = *(const struct thread_report *const *)a,
				   *y = *(const struct thread_report *const *)b;
	uint64_t wait_x = x->states.ns[TS_GIL_WAIT], wait_y = y->states.ns[TS_GIL_WAIT];

	if (x->held_ns != y->held_ns)
		return x->held_ns < y->held_ns ? 1 : -1;
	if (wait_x != wait_y)
		return wait_x < wait_y ? 1 : -1;
	return (x->thread->tid > y->thread->tid) - (x->thread->tid < y->thread->tid);
}

static const char *kind_of(const struct thread *thread)
{
	if (thread->loop)
		return " loop";
	if (thread->gone)
		return " gone";
	return thread->poller ? " poller" : "";
}

/* Python's name, then the kernel's if it differs and there is space, and what the thread is. */
static void add_title(struct text_buffer *text, const struct text_page *page,
		      const struct thread *thread)
{
	if (thread->stands_for) {
		text_add_count(text, thread->stands_for);
		text_add(text, " that ended%s", thread->loop ? " loop" : "");
		return;
	}
	text_add_thread_name(text, page->report, thread, NAME_COLUMNS - 8,
			     page->canvas.columns >= 100);
	text_add(text, " %u%s", thread->tid, kind_of(thread));
}

static unsigned thread_table_width(const struct thread_table *table)
{
	unsigned width = 2 + table->name_columns + 1 + table->bar_columns;

	for (size_t i = 0; i < COLUMN_COUNT; i++)
		width += table->columns[i].shown ? table->columns[i].width : 0;
	return width;
}

/* What the columns do not show, so that rows add up. */
static uint64_t other_ns(const struct thread_table *table, const struct thread_report *row)
{
	uint64_t ns = 0;

	for (size_t i = 0; i < OTHER; i++)
		ns += table->columns[i].shown ? 0 : row->states.ns[table->columns[i].state];
	return ns;
}

static void add_value(struct text_buffer *text, const struct thread_table *table, size_t i,
		      const struct thread_report *row)
{
	const struct thread_column *column = &table->columns[i];
	uint64_t value;
	double share;

	if (i > OTHER) {
		memcpy(&value, (const char *)row + column->offset, sizeof(value));
		text_add_count(text, value);
		return;
	}
	value = i == OTHER ? other_ns(table, row) : row->states.ns[column->state];
	share = 100.0 * (double)value / (double)table->window_ns;
	if (!value)
		text_add(text, "·");
	else if (share < 0.05)
		text_add(text, "<0.1");
	else
		text_add(text, "%.1f", share);
}

static const char *title_of(const struct thread_column *column)
{
	return column->title ? column->title : palette_of(column->state)->column;
}

/* Makes the columns wide enough for their titles (on two lines if they have two words) and for a
 * row's values. */
static void thread_table_widen(struct thread_table *table, const struct thread_report *row)
{
	struct text_buffer title = {0};
	unsigned width;

	add_title(&title, table->page, row->thread);
	width = text_width(title.bytes);
	table->name_columns = width > table->name_columns ? width : table->name_columns;
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		struct thread_column *column = &table->columns[i];
		const char *lower = strchr(title_of(column), ' ');
		struct text_buffer value = {0};
		uint64_t ns = i < OTHER ? row->states.ns[column->state] : 0;

		add_value(&value, table, i, row);
		width = 2 + text_width(value.bytes);
		column->width = width > column->width ? width : column->width;
		width = 2 + text_width(lower ? lower + 1 : title_of(column));
		column->width = width > column->width ? width : column->width;
		column->most_ns = ns > column->most_ns ? ns : column->most_ns;
		/* a state below 0.1 in every row is not worth a column */
		column->shown |= ns >= table->window_ns / 2000 && ns;
	}
}

/* The counts go first, from the last; then the state with the least time. */
static struct thread_column *least_of(struct thread_table *table)
{
	struct thread_column *least = NULL;

	for (size_t i = COLUMN_COUNT; --i > OTHER;)
		if (table->columns[i].shown)
			return &table->columns[i];
	for (size_t i = 0; i < OTHER; i++)
		if (table->columns[i].shown &&
		    (!least || table->columns[i].most_ns < least->most_ns))
			least = &table->columns[i];
	return least;
}

static void thread_table_fit(struct thread_table *table)
{
	while (thread_table_width(table) > table->page->canvas.columns) {
		struct thread_column *least;

		if (table->bar_columns > 8) {
			table->bar_columns--;
			continue;
		}
		least = least_of(table);
		if (!least)
			return;
		least->shown = false;
		table->columns[OTHER].shown |= least->state != TS_COUNT;
	}
}

/* One of the two lines of the titles. */
static void show_thread_titles(const struct thread_table *table, bool upper)
{
	const struct canvas *canvas = &table->page->canvas;
	/* not printed yet, so that no line ends in blanks */
	unsigned blanks = 2 + table->name_columns + 1;
	bool any = !upper;

	for (size_t i = 0; i < COLUMN_COUNT; i++)
		any |= table->columns[i].shown && strchr(title_of(&table->columns[i]), ' ');
	if (!any)
		return;
	if (!upper) {
		canvas_cell(canvas, "", blanks, false);
		canvas_cell(canvas, "GIL", table->bar_columns, false);
	}
	blanks = upper ? blanks + table->bar_columns : 0;
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		const struct thread_column *column = &table->columns[i];
		const char *lower = strchr(title_of(column), ' ');
		struct text_buffer title = {0};

		if (!column->shown)
			continue;
		if (lower)
			text_add(&title, "%.*s", upper ? (int)(lower - title_of(column)) : 32,
				 upper ? title_of(column) : lower + 1);
		else if (!upper)
			text_add(&title, "%s", title_of(column));
		blanks += column->width;
		if (!title.length)
			continue;
		canvas_cell(canvas, title.bytes, blanks, true);
		blanks = 0;
	}
	fputc('\n', canvas->file);
}

static void show_title(const struct thread_table *table)
{
	struct text_buffer heading = {0};

	fputc('\n', table->page->canvas.file);
	text_add(&heading, "THREADS (percent of ");
	text_add_duration(&heading, table->window_ns);
	text_add(&heading, ")");
	canvas_heading(&table->page->canvas, &heading);
	show_thread_titles(table, true);
	show_thread_titles(table, false);
}

static void show_thread_row(const struct thread_table *table, const struct thread_report *row)
{
	const struct canvas *canvas = &table->page->canvas;
	struct state_sums held = {0};
	struct text_buffer title = {0};

	for (int i = 0; i < TS_COUNT; i++)
		held.ns[i] = thread_state_holds((enum thread_state)i) ? row->states.ns[i] : 0;
	if (row->held_ns > state_sums_total(&held)) /* with the GIL, in an unknown state */
		held.ns[TS_UNKNOWN] = row->held_ns - state_sums_total(&held);
	add_title(&title, table->page, row->thread);
	fputs("  ", canvas->file);
	canvas_cell(canvas, title.bytes, table->name_columns + 1, false);
	canvas_bar(canvas, &held, table->window_ns, table->bar_columns);
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (table->columns[i].shown) {
			struct text_buffer value = {0};

			add_value(&value, table, i, row);
			canvas_cell(canvas, value.bytes, table->columns[i].width, true);
		}
	fputc('\n', canvas->file);
}

static void show_thread_rest(const struct thread_table *table, const struct thread_report **rows,
			     uint32_t shown, uint32_t count)
{
	uint64_t held = 0, waited = 0;
	struct text_buffer text = {0};

	for (uint32_t i = shown; i < count; i++) {
		held += rows[i]->held_ns;
		waited += rows[i]->states.ns[TS_GIL_WAIT];
	}
	text_add_number_of(&text, count - shown, "more thread", "more threads");
	text_add(&text, ": GIL held ");
	text_add_share(&text, held, table->window_ns);
	text_add(&text, ", waited ");
	text_add_duration(&text, waited);
	canvas_paragraph(&table->page->canvas, "  ", 2, &text);
}

/* Threads with loops come first: the report is about them. */
static uint32_t order_rows(const struct process_report *process, const struct thread_report **rows)
{
	uint32_t loops = 0, count = 0;

	for (uint32_t i = 0; i < process->thread_count; i++)
		if (process->threads[i].thread->loop)
			rows[loops++] = &process->threads[i];
	count = loops;
	for (uint32_t i = 0; i < process->thread_count; i++)
		if (!process->threads[i].thread->loop)
			rows[count++] = &process->threads[i];
	qsort(rows, loops, sizeof(*rows), busiest_first);
	qsort(rows + loops, count - loops, sizeof(*rows), busiest_first);
	return count;
}

int text_threads(const struct text_page *page, const struct process_report *process)
{
	_cleanup_(freep) const struct thread_report **rows = calloc(process->thread_count + 1,
								    sizeof(*rows));
	struct thread_table table = {
		.page = page, .window_ns = text_window_ns(page->report), .bar_columns = 12};
	uint32_t count, shown;

	if (!rows)
		return -ENOMEM;
	count = order_rows(process, rows);
	if (!count)
		return 0;
	/* a line saying "and 1 more" would take the place of that one */
	shown = page->all || count <= SHOWN_THREADS + 1 ? count : SHOWN_THREADS;
	memcpy(table.columns, COLUMNS, sizeof(COLUMNS));
	table.columns[HOLDS].shown = !mode_is_cheap(page->report->mode);
	for (uint32_t i = 0; i < shown; i++)
		thread_table_widen(&table, rows[i]);
	thread_table_fit(&table);
	show_title(&table);
	for (uint32_t i = 0; i < shown; i++)
		show_thread_row(&table, rows[i]);
	if (shown < count)
		show_thread_rest(&table, rows, shown, count);
	return 0;
}

static void show_dist(const struct canvas *canvas, const char *first, const struct dist *dist)
{
	struct text_buffer text = {0};

	if (!dist->count) {
		text_add(&text, "–");
	} else {
		text_add(&text, "p50" NBSP);
		text_add_duration(&text, dist_percentile(dist, 0.5));
		text_add(&text, " · p99" NBSP);
		text_add_duration(&text, dist_percentile(dist, 0.99));
		text_add(&text, " · max" NBSP);
		text_add_duration(&text, dist->max_ns);
		text_add(&text, " · ");
		text_add_number_of(&text, dist->count, "time", "times");
	}
	canvas_paragraph(canvas, first, 13, &text);
}

enum { PAUSERS_SHOWN = 5 };

static void add_pauses(struct text_buffer *text, const struct report *report,
		       const struct pauses *pauses)
{
	const struct definition *stack = stack_of(report, pauses->stack);
	const struct stack_frame *frame = stack ? stack_innermost_of_application(report, stack)
						: NULL;

	text_add_number_of(text, pauses->count, "time", "times");
	text_add(text, " for ");
	text_add_duration(text, pauses->ns);
	text_add(text, ", the longest ");
	text_add_duration(text, pauses->worst_ns);
	if (frame) {
		text_add(text, " in ");
		text_add_frame(text, report, frame);
	}
}

/* Free-threaded: who stopped the world, most of the time first. */
static void show_pauses(const struct text_page *page, const struct process_report *process)
{
	struct pauses all = process_pauses(process);
	struct text_buffer heading = {0}, text = {0};
	uint64_t shown_ns = UINT64_MAX;

	if (!all.count)
		return;
	fputc('\n', page->canvas.file);
	text_add(&heading, "WORLD STOPPED");
	canvas_heading(&page->canvas, &heading);
	add_pauses(&text, page->report, &all);
	canvas_paragraph(&page->canvas, "  ", 2, &text);
	for (uint32_t n = 0; n < PAUSERS_SHOWN; n++) {
		const struct thread_report *most = NULL;

		for (uint32_t i = 0; i < process->thread_count; i++) {
			const struct thread_report *thread = &process->threads[i];

			if (thread->pauses.count && thread->pauses.ns < shown_ns &&
			    (!most || thread->pauses.ns > most->pauses.ns))
				most = thread;
		}
		if (!most)
			return;
		shown_ns = most->pauses.ns;
		text = (struct text_buffer){0};
		text_add(&text, "by ");
		text_add_thread(&text, page->report, most->thread);
		text_add(&text, ": ");
		add_pauses(&text, page->report, &most->pauses);
		canvas_paragraph(&page->canvas, "  ", 4, &text);
	}
}

/* Sums over several may exceed the window. */
static void add_gil_time(struct text_buffer *text, const struct text_page *page,
			 const struct gil_report *gil, uint64_t ns)
{
	if (gil->gil->stands_for)
		text_add_duration(text, ns);
	else
		text_add_share(text, ns, text_window_ns(page->report));
}

static void show_gil(const struct text_page *page, const struct process_report *process,
		     const struct gil_report *gil)
{
	bool off = !process->process->info.gil_enabled;
	struct text_buffer heading = {0}, text = {0};

	fputc('\n', page->canvas.file);
	text_add_gil(&heading, process, gil);
	canvas_heading(&page->canvas, &heading);
	off &= !gil->held_ns && !gil->contended_ns;
	if (off || gil_is_unseen(page->report, gil)) {
		text_add(&text, "%s",
			 off ? "off (free-threaded Python): no thread holds it or waits for it"
			     : "unknown: nobody was seen to take it or to wait for it");
		canvas_paragraph(&page->canvas, "  ", 2, &text);
		return;
	}
	text_add(&text, "held ");
	add_gil_time(&text, page, gil, gil->held_ns);
	text_add(&text, " · contended ");
	add_gil_time(&text, page, gil, gil->contended_ns);
	text_add(&text, gil->gil->stands_for ? " in total · " : " of the time · ");
	if (!mode_is_cheap(gil->gil->mode)) {
		text_add_number_of(&text, gil->handoffs, "handoff", "handoffs");
		text_add(&text, " · ");
	}
	text_add_number_of(&text, gil->forced, "forced release", "forced releases");
	if (gil->unknown_ns >= page->report->stall_ns) {
		text_add(&text, " · unknown for ");
		add_gil_time(&text, page, gil, gil->unknown_ns);
	}
	canvas_paragraph(&page->canvas, "  ", 2, &text);
	if (!mode_is_cheap(gil->gil->mode)) /* else only those are known that somebody waited for */
		show_dist(&page->canvas, "  hold time  ", &gil->hold);
	show_dist(&page->canvas, "  wait time  ", &gil->wait);
}

enum { PAST_GILS_SHOWN = 4 };

/* Of an interpreter that has ended, and nobody waited for it as long as a stall. */
static bool is_past(const struct text_page *page, const struct gil_report *gil)
{
	return gil->gil->gone && !gil->gil->stands_for &&
	       gil->contended_ns < page->report->stall_ns;
}

void text_gils(const struct text_page *page, const struct process_report *process)
{
	struct text_buffer text = {0};
	uint32_t past = 0;

	for (uint32_t i = 0; i < process->gil_count; i++)
		past += is_past(page, &process->gils[i]);
	if (page->all || past <= PAST_GILS_SHOWN)
		past = 0;
	for (uint32_t i = 0; i < process->gil_count; i++)
		if (!past || !is_past(page, &process->gils[i]))
			show_gil(page, process, &process->gils[i]);
	if (past) {
		fputc('\n', page->canvas.file);
		text_add(&text,
			 "%u other interpreters ended; threads waited for the GIL of each "
			 "for less than ",
			 past);
		text_add_duration(&text, page->report->stall_ns);
		text_add(&text, " (--all shows them).");
		canvas_paragraph(&page->canvas, "  ", 2, &text);
	}
	show_pauses(page, process);
}
