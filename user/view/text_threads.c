/* SPDX-License-Identifier: MIT */
#include "view/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/duration.h"

#define SHOWN_THREADS 10
#define NAME_COLUMNS 28

/* A column of the table: a state's share of the window, or a count. */
struct column {
	const char *title;
	enum thread_state state; /* TS_COUNT: a count */
	size_t offset;		 /* of the count in struct thread_report */
	unsigned keep;		 /* the lowest goes first when the table is too wide; a state that never occurred has no column at all */
	bool shown;
};

#define STATE(title, state, keep) {title, state, 0, keep, false}
#define COUNT(title, field, keep) {title, TS_COUNT, offsetof(struct thread_report, field), keep, true}
static const struct column COLUMNS[] = {
	STATE("python", TS_PYTHON, 9),
	STATE("held_blocked", TS_HELD_BLOCKED, 7),
	STATE("held_runnable", TS_HELD_RUNNABLE, 6),
	STATE("gil_wait", TS_GIL_WAIT, 9),
	STATE("native", TS_NATIVE, 9),
	STATE("blocked", TS_BLOCKED, 8),
	STATE("runnable", TS_RUNNABLE, 5),
	STATE("idle", TS_IDLE, 8),
	STATE("unknown", TS_UNKNOWN, 7),
	COUNT("holds", holds, 4),
	COUNT("waits", waits, 3),
	COUNT("forced", forced_drops, 2),
};
#define COLUMN_COUNT (sizeof(COLUMNS) / sizeof(COLUMNS[0]))

struct table {
	const struct text_page *page;
	uint64_t window_ns;
	unsigned name_columns, bar_columns;
	struct column columns[COLUMN_COUNT];
};

static int busiest_first(const void *a, const void *b)
{
	const struct thread_report *x = *(const struct thread_report *const *)a, *y = *(const struct thread_report *const *)b;
	uint64_t wait_x = x->states.ns[TS_GIL_WAIT], wait_y = y->states.ns[TS_GIL_WAIT];

	if (x->held_ns != y->held_ns)
		return x->held_ns < y->held_ns ? 1 : -1;
	if (wait_x != wait_y)
		return wait_x < wait_y ? 1 : -1;
	return (x->thread->tid > y->thread->tid) - (x->thread->tid < y->thread->tid);
}

static void add_title(struct text *text, const struct thread *thread)
{
	text_add_name(text, thread->comm[0] ? thread->comm : "?", NAME_COLUMNS - 12);
	text_add(text, " %u%s", thread->tid, thread->loop ? " loop" : thread->gone ? " gone" : "");
}

static unsigned column_width(const struct column *column)
{
	size_t title = strlen(column->title);

	return 2 + (unsigned)(title < 6 ? 6 : title);
}

static unsigned table_width(const struct table *table)
{
	unsigned width = 2 + table->name_columns + 1 + table->bar_columns;

	for (size_t i = 0; i < COLUMN_COUNT; i++)
		width += table->columns[i].shown ? column_width(&table->columns[i]) : 0;
	return width;
}

/* Leaves out what did not occur, then what matters least, until the table fits. */
static void table_fit(struct table *table, const struct thread_report **rows, uint32_t count)
{
	memcpy(table->columns, COLUMNS, sizeof(COLUMNS));
	table->bar_columns = 12;
	for (uint32_t row = 0; row < count; row++) {
		struct text title = {0};
		unsigned width;

		add_title(&title, rows[row]->thread);
		width = text_width(title.bytes);
		table->name_columns = width > table->name_columns ? width : table->name_columns;
		for (size_t i = 0; i < COLUMN_COUNT; i++)
			if (COLUMNS[i].state != TS_COUNT && rows[row]->states.ns[COLUMNS[i].state])
				table->columns[i].shown = true;
	}
	while (table_width(table) > table->page->canvas.columns) {
		struct column *victim = NULL;

		if (table->bar_columns > 8) {
			table->bar_columns--;
			continue;
		}
		for (size_t i = 0; i < COLUMN_COUNT; i++)
			if (table->columns[i].shown && (!victim || table->columns[i].keep < victim->keep))
				victim = &table->columns[i];
		if (!victim)
			return;
		victim->shown = false;
	}
}

static void show_title(const struct table *table)
{
	struct text heading = {0};

	fputc('\n', table->page->canvas.file);
	text_add(&heading, "THREADS, in %% of ");
	text_add_duration(&heading, table->window_ns);
	canvas_heading(&table->page->canvas, &heading);
	canvas_cell(&table->page->canvas, "", 2 + table->name_columns + 1, false);
	canvas_cell(&table->page->canvas, "held GIL", table->bar_columns, false);
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (table->columns[i].shown)
			canvas_cell(&table->page->canvas, table->columns[i].title, column_width(&table->columns[i]), true);
	fputc('\n', table->page->canvas.file);
}

static void show_value(const struct table *table, const struct column *column, const struct thread_report *row)
{
	struct text text = {0};
	uint64_t value;

	if (column->state == TS_COUNT) {
		memcpy(&value, (const char *)row + column->offset, sizeof(value));
		text_add_count(&text, value);
	} else {
		double share = 100.0 * (double)row->states.ns[column->state] / (double)table->window_ns;

		if (!row->states.ns[column->state])
			text_add(&text, "·");
		else if (share < 0.05)
			text_add(&text, "<0.1");
		else
			text_add(&text, "%.1f", share);
	}
	canvas_cell(&table->page->canvas, text.bytes, column_width(column), true);
}

static void show_row(const struct table *table, const struct thread_report *row)
{
	const struct canvas *canvas = &table->page->canvas;
	struct state_sums held = {0};
	struct text title = {0};

	for (int i = 0; i < TS_COUNT; i++)
		held.ns[i] = thread_state_holds((enum thread_state)i) ? row->states.ns[i] : 0;
	add_title(&title, row->thread);
	fputs("  ", canvas->file);
	canvas_cell(canvas, title.bytes, table->name_columns + 1, false);
	canvas_bar(canvas, &held, table->window_ns, table->bar_columns);
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (table->columns[i].shown)
			show_value(table, &table->columns[i], row);
	fputc('\n', canvas->file);
}

static void show_rest(const struct table *table, const struct thread_report **rows, uint32_t shown, uint32_t count)
{
	uint64_t held = 0, waited = 0;
	struct text text = {0};

	for (uint32_t i = shown; i < count; i++) {
		held += rows[i]->held_ns;
		waited += rows[i]->states.ns[TS_GIL_WAIT];
	}
	text_add(&text, "and ");
	text_add_number_of(&text, count - shown, "more thread", "more threads");
	text_add(&text, ": held the GIL ");
	text_add_share(&text, held, table->window_ns);
	text_add(&text, " of the time together, waited for it ");
	text_add_duration(&text, waited);
	text_add(&text, " in all");
	canvas_paragraph(&table->page->canvas, "  ", 2, &text);
}

/* The threads that run loops come first: they are what the report is about. */
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
	_cleanup_(freep) const struct thread_report **rows = calloc(process->thread_count + 1, sizeof(*rows));
	struct table table = {.page = page, .window_ns = text_window_ns(page->report)};
	uint32_t count, shown;

	if (!rows)
		return -ENOMEM;
	count = order_rows(process, rows);
	if (!count)
		return 0;
	/* a line that says "and 1 more" takes the place of that one */
	shown = page->all || count <= SHOWN_THREADS + 1 ? count : SHOWN_THREADS;
	table_fit(&table, rows, shown);
	show_title(&table);
	for (uint32_t i = 0; i < shown; i++)
		show_row(&table, rows[i]);
	if (shown < count)
		show_rest(&table, rows, shown, count);
	return 0;
}

static void add_dist(struct text *text, const char *what, const struct dist *dist)
{
	static const struct {
		const char *name;
		double share;
	} percentiles[] = {{"p50", 0.5}, {"p99", 0.99}};

	text_add(text, "%s ", what);
	if (!dist->count) {
		text_add(text, "never");
		return;
	}
	text_add_number_of(text, dist->count, "time", "times");
	for (size_t i = 0; i < sizeof(percentiles) / sizeof(percentiles[0]); i++) {
		text_add(text, ", %s" NBSP, percentiles[i].name);
		text_add_duration(text, dist_percentile(dist, percentiles[i].share));
	}
	text_add(text, ", max" NBSP);
	text_add_duration(text, dist->max_ns);
}

static void show_gil(const struct text_page *page, const struct gil_report *gil, bool many)
{
	uint64_t window_ns = text_window_ns(page->report);
	struct text text = {0}, dists = {0};

	fputc('\n', page->canvas.file);
	if (many)
		text_add(&text, "GIL of interpreter %u: ", gil->gil->interpreter);
	else
		text_add(&text, "GIL: ");
	text_add(&text, "held ");
	text_add_share(&text, gil->held_ns, window_ns);
	text_add(&text, " of the time, waited for ");
	text_add_share(&text, gil->contended_ns, window_ns);
	text_add(&text, "; ");
	text_add_number_of(&text, gil->handoffs, "change of holder, ", "changes of holder, ");
	text_add_number_of(&text, gil->forced, "forced drop", "forced drops");
	canvas_paragraph(&page->canvas, "", 0, &text);
	add_dist(&dists, "held", &gil->hold);
	text_add(&dists, "; ");
	add_dist(&dists, "waited for", &gil->wait);
	canvas_paragraph(&page->canvas, "  ", 2, &dists);
}

void text_gils(const struct text_page *page, const struct process_report *process)
{
	for (uint32_t i = 0; i < process->gil_count; i++)
		show_gil(page, &process->gils[i], process->gil_count > 1);
}
