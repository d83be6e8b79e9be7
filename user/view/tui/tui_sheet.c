/* SPDX-License-Identifier: MIT */
/* A sheet over the lists: everything about one stall, in the words of the text report; the
 * findings; the processes; or the help. */
#include "view/tui/tui_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "view/processes.h"
#include "view/service.h"
#include "words/names.h"
#include "words/palette.h"

#define NAME_COLUMNS 16

struct sheet {
	struct tui_page *page;
	int y, rows;
	uint32_t line; /* the next one */
};

/* The row of the next line, or -1 if it is above or below the screen. */
static int next_row(struct sheet *sheet)
{
	uint32_t line = sheet->line++;

	if (line < sheet->page->scroll || line - sheet->page->scroll >= (uint32_t)sheet->rows)
		return -1;
	return sheet->y + (int)(line - sheet->page->scroll);
}

static void add_line(struct sheet *sheet, int style, const char *text)
{
	int y = next_row(sheet);

	if (y >= 0)
		tui_put(&sheet->page->paint, y, 1, sheet->page->paint.columns - 1, style, text);
}

/* Paints what the text view prints, line by line. */
static void add_lines(struct sheet *sheet, char *text)
{
	for (char *line = text, *end; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			return;
		*end = '\0';
		add_line(sheet, TUI_PLAIN, line);
	}
}

/* A state with its time, its share, and a bar. */
static void add_state(struct sheet *sheet, enum thread_state state, uint64_t ns, uint64_t whole)
{
	const struct tui_paint *paint = &sheet->page->paint;
	int y = next_row(sheet), bar = paint->columns - NAME_COLUMNS - 24;
	struct text_buffer length = {0}, share = {0};

	if (y < 0)
		return;
	text_add_duration(&length, ns);
	text_add_share(&share, ns, whole);
	tui_put(paint, y, 3, NAME_COLUMNS - 2, TUI_PLAIN, tui_cause(state));
	tui_put_right(paint, y, NAME_COLUMNS + 1, 10, TUI_PLAIN, length.bytes);
	tui_put_right(paint, y, NAME_COLUMNS + 11, 8, TUI_PLAIN, share.bytes);
	bar = bar > 60 ? 60 : bar;
	if (bar > 0 && whole)
		tui_repeat(paint, y, NAME_COLUMNS + 21,
			   (int)((double)ns * bar / (double)whole + 0.5), TUI_STATES + (int)state,
			   palette_of(state)->letter);
}

static void add_split(struct sheet *sheet, const struct stall *stall)
{
	struct state_sums rest = stall->what.states;
	uint64_t whole = stall->end - stall->start;

	for (;;) {
		enum thread_state state = state_sums_largest(&rest);

		if (!rest.ns[state])
			return;
		add_state(sheet, state, rest.ns[state], whole);
		rest.ns[state] = 0;
	}
}

/* What a text view prints about the page or a stall. 0 or -ENOMEM */
typedef int (*printer)(const struct canvas *canvas, const struct tui_page *page,
		       const struct live_stall *live, const struct text_buffer *text);

static int print_text(const struct canvas *canvas, const struct tui_page *page,
		      const struct live_stall *live, const struct text_buffer *text)
{
	canvas_paragraph(canvas, "  ", 2, text);
	return 0;
}

static int print_stacks(const struct canvas *canvas, const struct tui_page *page,
			const struct live_stall *live, const struct text_buffer *text)
{
	canvas_stall_stacks(canvas, &page->view.about, &live->stall);
	return 0;
}

static int print_details(const struct canvas *canvas, const struct tui_page *page,
			 const struct live_stall *live, const struct text_buffer *text)
{
	canvas_stall_details(canvas, &page->view.about, tui_process_of(live), &live->stall);
	return 0;
}

static int print_findings(const struct canvas *canvas, const struct tui_page *page,
			  const struct live_stall *live, const struct text_buffer *text)
{
	return tui_findings(canvas, page);
}

static int print_processes(const struct canvas *canvas, const struct tui_page *page,
			   const struct live_stall *live, const struct text_buffer *text)
{
	const struct report *report = &page->window.report;
	_cleanup_(freep) const struct process_report **sorted = service_sort(report);

	if (!sorted)
		return -ENOMEM;
	canvas_processes(canvas, report, sorted, report->process_count);
	return 0;
}

/* Paints what is printed, line by line. */
static int add_printed(struct sheet *sheet, printer print, const struct live_stall *live,
		       const struct text_buffer *text)
{
	_cleanup_(freep) char *bytes = NULL;
	size_t size;
	FILE *file = open_memstream(&bytes, &size);
	int columns = sheet->page->paint.columns - 2, err;
	const struct canvas canvas = {.file = file,
				      .columns = columns > 40 ? (unsigned)columns : 40};

	if (!file)
		return -ENOMEM;
	err = print(&canvas, sheet->page, live, text);
	if (fclose(file))
		return -ENOMEM;
	add_lines(sheet, bytes);
	return err;
}

static int add_stall(struct sheet *sheet, const struct live_stall *live)
{
	const struct report *report = &sheet->page->view.about;
	const struct stall *stall = &live->stall;
	struct text_buffer title = {0}, when = {0}, remedy = {0};
	int err;

	text_add(&title, "%s of ", stall->ongoing ? "ONGOING STALL" : "STALL");
	text_add(&title, "%s", stall->ongoing || !stall->whole ? "≥" NBSP : "");
	text_add_duration(&title, stall->end - stall->start);
	text_add(&title, ": most of the time %s", palette_of(stall->cause)->doing);
	add_line(sheet, stall->ongoing ? TUI_ALARM : TUI_STRONG, title.bytes);
	text_add(&when, "event loop of ");
	text_add_thread(&when, report, live->loop->thread);
	text_add(&when, "; began at +%.3f" NBSP "s",
		 (double)(stall->start - report->window.start) / (double)NS_PER_S);
	if (!stall->ongoing && report->window.end > stall->end)
		text_add(&when, ", ended %.0f" NBSP "s" NBSP "ago",
			 (double)(report->window.end - stall->end) / (double)NS_PER_S);
	err = add_printed(sheet, print_text, live, &when);
	if (err < 0)
		return err;
	add_line(sheet, TUI_PLAIN, "");
	add_split(sheet, stall);
	add_line(sheet, TUI_PLAIN, "");
	err = add_printed(sheet, print_details, live, NULL);
	add_line(sheet, TUI_PLAIN, "");
	add_line(sheet, TUI_STRONG, "WHAT TO DO");
	err = err ? err : remedy_add(&remedy, report, tui_process_of(live), stall);
	err = err ? err : add_printed(sheet, print_text, live, &remedy);
	add_line(sheet, TUI_PLAIN, "");
	return err ? err : add_printed(sheet, print_stacks, live, NULL);
}

static void add_help(struct sheet *sheet)
{
	static const char *const lines[] = {
		"Up Down PgUp PgDn  select an entry of the list in focus; scroll a page",
		"Tab                to the next list: stalls, functions, threads",
		"Enter              details of a stall: where its time went, who held the GIL,",
		"                   stacks, what to do; of a function, its worst stall",
		"/                  filter: only entries with this in their name; Esc clears it",
		"mouse              a click chooses, another one opens; Shift selects text",
		"o                  another process: choose it from the list",
		"f                  findings: what was in the way, and what to do about it",
		"w                  workers: a table of all processes, the worst first",
		"s                  change the sort order of the list in focus",
		"+ -                stall threshold up, down, for new stalls",
		"p or space         freeze the display (observation continues)",
		"r                  write the last 30 s to a recording for gilscope report",
		"h or ?             this page",
		"q                  quit; Esc and q leave a page like this one",
		"",
		"Iterations, stalls and functions are of the last minute, GIL and threads of",
		"the last 5 seconds. Each sign of the line of iterations is the longest one of",
		"its time: the lower half is below the threshold, the upper half a stall. The",
		"begin or the end of an entry marked with >= is missing.",
		"",
	};

	add_line(sheet, TUI_STRONG, "KEYS");
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		add_line(sheet, TUI_PLAIN, lines[i]);
	add_line(sheet, TUI_STRONG, "STATES OF A THREAD");
	for (int i = 0; i < TS_COUNT; i++) {
		int y = next_row(sheet);
		struct text_buffer text = {0};

		text_add(&text, "%-14s %s", palette_of((enum thread_state)i)->column,
			 palette_of((enum thread_state)i)->doing);
		if (y < 0)
			continue;
		tui_repeat(&sheet->page->paint, y, 1, 1, TUI_STATES + i,
			   palette_of((enum thread_state)i)->letter);
		tui_put(&sheet->page->paint, y, 3, sheet->page->paint.columns - 3, TUI_PLAIN,
			text.bytes);
	}
}

int tui_sheet(struct tui_page *page, int y, int rows)
{
	struct sheet sheet = {.page = page, .y = y, .rows = rows};
	int err = 0;

	if (page->scroll && page->scroll + (uint32_t)rows > page->sheet_lines)
		page->scroll = page->sheet_lines > (uint32_t)rows
				       ? page->sheet_lines - (uint32_t)rows
				       : 0;
	if (page->sheet == TUI_HELP) {
		add_help(&sheet);
	} else if (page->sheet == TUI_FINDINGS) {
		add_line(&sheet, TUI_STRONG, "FINDINGS of the last minute");
		err = add_printed(&sheet, print_findings, NULL, NULL);
	} else if (page->sheet == TUI_PROCESSES) {
		add_line(&sheet, TUI_STRONG, "PROCESSES in the last minute, the worst first");
		err = add_printed(&sheet, print_processes, NULL, NULL);
	} else if (page->chosen) {
		err = add_stall(&sheet, page->chosen);
	}
	page->sheet_lines = sheet.line;
	page->sheet_rows = (uint32_t)rows;
	return err;
}
