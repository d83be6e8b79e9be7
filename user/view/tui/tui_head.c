/* SPDX-License-Identifier: MIT */
/* The lines above the lists: the target, what is wrong, the iterations of the loops, the GIL. */
#include "view/tui/tui_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "words/names.h"

#define LABEL_COLUMNS 6
#define TURNS_COLUMNS 58 /* of the figures of a loop, about */
#define HOLDERS_MAX   8
#define STEP_NS	      (NS_PER_S / 2) /* of a sparkline, at least */

/* The time of day of what is shown, to be found again in a log. */
static void add_clock(struct text_buffer *text, const struct report *about)
{
	time_t seconds = (time_t)((about->realtime_ns + about->window.end) / NS_PER_S);
	struct tm tm;

	if (about->realtime_ns && localtime_r(&seconds, &tm))
		text_add(text, " · %02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void tui_title(const struct tui_page *page, const struct tui_status *status)
{
	const struct live_view *view = &page->view;
	struct text_buffer left = {0}, right = {0};
	char title[PROCESS_TITLE_MAX];
	int width;

	text_add(&right, "%s stall ≥ ",
		 status->ended	  ? "[ended] "
		 : status->paused ? "[paused] "
				  : "");
	text_add_duration(&right, view->about.stall_ns);
	if (page->paint.columns >= TUI_WIDE)
		text_add(&right, " · %llu" NBSP "s",
			 (unsigned long long)((view->about.window.end - view->about.window.start) /
					      NS_PER_S));
	add_clock(&right, &view->about);
	text_add(&right, " ");
	width = tui_width(&page->paint, right.bytes);
	text_add(&left, " gilscope top · ");
	if (view->process_count == 1) {
		text_add(&left, "PID %u · ", view->processes[0]->info.pid);
		text_add_name(&left, process_title(view->processes[0], title),
			      (unsigned)(page->paint.columns - width -
					 tui_width(&page->paint, left.bytes) - 2));
	} else {
		text_add_number_of(&left, view->process_count, "process", "processes");
	}
	tui_repeat(&page->paint, 0, 0, page->paint.columns, TUI_TITLE, ' ');
	tui_put(&page->paint, 0, 0, page->paint.columns - width - 1, TUI_TITLE, left.bytes);
	tui_put_right(&page->paint, 0, page->paint.columns - width, width, TUI_TITLE, right.bytes);
}

/* ── loops ───────────────────────────────────────────────────────────────── */

static void add_turns(struct text_buffer *text, const struct live_loop *loop, int columns)
{
	if (loop->turn.count) {
		if (columns >= TUI_WIDE) {
			text_add(text, "p50 ");
			text_add_duration(text, dist_percentile(&loop->turn, 0.5));
			text_add(text, "  ");
		}
		text_add(text, "p99 ");
		text_add_duration(text, dist_percentile(&loop->turn, 0.99));
		text_add(text, "  ");
	}
	if (loop->turn.max_ns) {
		text_add(text, "max %s",
			 loop->ongoing && loop->worst_ns == loop->turn.max_ns ? "≥" NBSP : "");
		text_add_duration(text, loop->turn.max_ns);
	} else {
		text_add(text, "no iteration");
	}
	if (loop->stalls) {
		text_add(text, "  ");
		text_add_number_of(text, loop->stalls, "stall", "stalls");
		text_add(text, " ");
		text_add_duration(text, loop->stall_ns);
	}
}

/* The bins are fixed in time, so that a line moves instead of flickering. */
static void show_sparkline(const struct tui_page *page, const struct live_loop *loop, int y, int x,
			   int columns)
{
	const struct live_view *view = &page->view;
	uint64_t bin_ns = (LIVE_WHILE_NS / (uint64_t)columns + STEP_NS - 1) / STEP_NS * STEP_NS,
		 last, longest[512] = {0};

	if (!view->step_count || columns > 512)
		return;
	last = view->step_ends[view->step_count - 1] / bin_ns;
	for (uint32_t i = 0; i < view->step_count; i++) {
		uint64_t age = last - view->step_ends[i] / bin_ns;

		if (age < (uint64_t)columns && loop->longest_ns[i] > longest[age])
			longest[age] = loop->longest_ns[i];
	}
	for (int i = 0; i < columns; i++)
		tui_height(&page->paint, y, x + columns - 1 - i, longest[i],
			   view->about.stall_ns ? view->about.stall_ns : 1);
}

/* The thread alone, if there is only one process; else the process as well. */
static void add_loop_name(struct text_buffer *text, const struct tui_page *page,
			  const struct live_loop *loop, unsigned columns)
{
	const struct process *process = loop->loop->thread->process;
	char title[PROCESS_TITLE_MAX];

	if (page->view.process_count == 1) {
		text_add_thread_name(text, &page->view.about, loop->loop->thread, columns, false);
		return;
	}
	text_add(text, "%u ", process->info.pid);
	text_add_name(text, process_title(process, title), columns - (unsigned)text->length);
}

static int show_loop(const struct tui_page *page, const struct live_loop *loop, int y)
{
	const struct tui_paint *paint = &page->paint;
	int columns = paint->columns - LABEL_COLUMNS - 14, x = LABEL_COLUMNS;
	struct text_buffer name = {0}, turns = {0};

	add_loop_name(&name, page, loop, 20);
	text_add(&name, " ");
	add_turns(&turns, loop, paint->columns);
	tui_put(paint, y, 0, LABEL_COLUMNS, TUI_STRONG, "LOOP");
	x += tui_put(paint, y, x, paint->columns - x, TUI_PLAIN, name.bytes);
	tui_put(paint, y, x + 1, paint->columns - x - 1, loop->ongoing ? TUI_ALARM : TUI_STRONG,
		turns.bytes);
	columns = columns > LIVE_STEPS - 8 ? LIVE_STEPS - 8 : columns;
	tui_put(paint, y + 1, LABEL_COLUMNS, 8, TUI_FAINT, "longest");
	show_sparkline(page, loop, y + 1, LABEL_COLUMNS + 9, columns);
	tui_put(paint, y + 1, LABEL_COLUMNS + 9 + columns + 1, 4, TUI_FAINT, "now");
	return 2;
}

/* In one row, for there are many: the name, the figures, and as much of the past as there is room
 * for. */
static int show_loop_short(const struct tui_page *page, const struct live_loop *loop, int y)
{
	const struct tui_paint *paint = &page->paint;
	int names = paint->columns >= 110 ? 36 : 24, x = LABEL_COLUMNS + names, rest;
	struct text_buffer name = {0}, turns = {0};

	add_loop_name(&name, page, loop, (unsigned)names - 1);
	add_turns(&turns, loop, paint->columns >= TURNS_COLUMNS + x ? paint->columns : 0);
	tui_put(paint, y, 0, LABEL_COLUMNS, TUI_STRONG, "LOOP");
	tui_put(paint, y, LABEL_COLUMNS, names - 1, TUI_PLAIN, name.bytes);
	tui_put(paint, y, x, paint->columns - x, loop->ongoing ? TUI_ALARM : TUI_STRONG,
		turns.bytes);
	x += 2 + (paint->columns >= TUI_WIDE ? TURNS_COLUMNS : 0);
	rest = paint->columns - x > LIVE_STEPS - 8 ? LIVE_STEPS - 8 : paint->columns - x;
	if (paint->columns >= TUI_WIDE && rest >= 16)
		show_sparkline(page, loop, y, x, rest);
	return 1;
}

static int by_stalls(const void *a, const void *b)
{
	const struct live_loop *x = *(const struct live_loop *const *)a,
			       *y = *(const struct live_loop *const *)b;

	if (x->stall_ns != y->stall_ns)
		return x->stall_ns > y->stall_ns ? -1 : 1;
	if (x->turn.max_ns != y->turn.max_ns)
		return x->turn.max_ns > y->turn.max_ns ? -1 : 1;
	return x->loop->thread->index < y->loop->thread->index ? -1 : 1;
}

/* Two rows for each if they have the room, else one for each of the worst. */
static int show_loops(const struct tui_page *page, int y)
{
	const struct live_view *view = &page->view;
	uint32_t room = page->paint.rows < 30 ? 4 : page->paint.rows < 45 ? 8 : 16;
	uint32_t shown = view->loop_count <= room ? view->loop_count : room - 1;
	_cleanup_(freep) const struct live_loop **loops = calloc(view->loop_count + 1,
								 sizeof(struct live_loop *));
	int rows = 0;

	if (!loops)
		return 0;
	for (uint32_t i = 0; i < view->loop_count; i++)
		loops[i] = &view->loops[i];
	if (2 * view->loop_count > room)
		qsort(loops, view->loop_count, sizeof(struct live_loop *), by_stalls);
	for (uint32_t i = 0; i < shown; i++)
		rows += 2 * view->loop_count > room ? show_loop_short(page, loops[i], y + rows)
						    : show_loop(page, loops[i], y + rows);
	if (shown < view->loop_count) {
		struct text_buffer text = {0};

		text_add(&text, "and ");
		text_add_number_of(&text, view->loop_count - shown, "more loop", "more loops");
		text_add(&text, ", less held up (w lists all processes)");
		tui_put(&page->paint, y + rows++, LABEL_COLUMNS,
			page->paint.columns - LABEL_COLUMNS, TUI_FAINT, text.bytes);
	}
	return rows;
}

/* ── the GIL ─────────────────────────────────────────────────────────────── */

struct holders {
	const struct live_thread *threads[HOLDERS_MAX]; /* most first */
	uint32_t count;
	uint64_t others_ns;	      /* held by the other threads */
	uint64_t free_ns, unknown_ns; /* free; and possibly held, at most this long, while the state
					 of one of its threads is unknown */
};

static void holders_add(struct holders *holders, const struct live_thread *thread)
{
	uint32_t at = holders->count;

	while (at && thread->held_ns > holders->threads[at - 1]->held_ns)
		at--;
	if (at == HOLDERS_MAX) {
		holders->others_ns += thread->held_ns;
		return;
	}
	if (holders->count == HOLDERS_MAX)
		holders->others_ns += holders->threads[--holders->count]->held_ns;
	memmove(&holders->threads[at + 1], &holders->threads[at],
		(holders->count - at) * sizeof(const struct live_thread *));
	holders->threads[at] = thread;
	holders->count++;
}

/* The thread's time in which it is unknown whether it had the GIL. */
static uint64_t unknown_ns(const struct live_thread *thread)
{
	uint64_t held = thread->held_ns, unknown = thread->states.ns[TS_UNKNOWN];

	for (int i = 0; i < TS_UNKNOWN; i++)
		if (thread_state_holds((enum thread_state)i))
			held -= thread->states.ns[i] < held ? thread->states.ns[i] : held;
	return unknown > held ? unknown - held : 0;
}

static void find_holders(const struct live_view *view, const struct live_gil *gil,
			 struct holders *holders)
{
	for (uint32_t i = 0; i < view->thread_count; i++) {
		const struct live_thread *thread = &view->threads[i];

		if (thread->gil == gil->gil && thread->held_ns)
			holders_add(holders, thread);
		/* a known holder is not among those that may hold it */
		if (thread->thread->process == gil->gil->process)
			holders->unknown_ns += unknown_ns(thread);
	}
	holders->free_ns = view->moment_ns > gil->held_ns ? view->moment_ns - gil->held_ns : 0;
	if (holders->unknown_ns > holders->free_ns)
		holders->unknown_ns = holders->free_ns;
	holders->free_ns -= holders->unknown_ns;
}

/* Nobody was seen to take it or to want it, and it may have been held all the time. */
static bool is_unseen(const struct holders *holders, const struct live_gil *gil)
{
	return !gil->held_ns && !gil->contended_ns && holders->unknown_ns > holders->free_ns;
}

static int thread_style(const struct live_thread *thread)
{
	return TUI_THREADS + (int)(thread->thread->index % TUI_THREAD_COLOURS);
}

/* One letter per thread, '+' for the others, '?' for unknown, dots for the rest. */
static void show_shares(const struct tui_page *page, const struct holders *holders, int y, int x,
			int columns)
{
	uint64_t whole = page->view.moment_ns, passed = 0;
	int drawn = 0;

	for (uint32_t i = 0; i < holders->count + 2 && whole; i++) {
		bool thread = i < holders->count, others = i == holders->count;
		int end;

		passed += thread   ? holders->threads[i]->held_ns
			  : others ? holders->others_ns
				   : holders->unknown_ns;
		end = (int)((double)passed * columns / (double)whole + 0.5);
		end = end > columns ? columns : end;
		tui_repeat(&page->paint, y, x + drawn, end - drawn,
			   thread ? thread_style(holders->threads[i]) : TUI_PLAIN,
			   thread   ? (char)('a' + i)
			   : others ? '+'
				    : '?');
		drawn = end;
	}
	tui_repeat(&page->paint, y, x + drawn, columns - drawn, TUI_FAINT, '.');
}

static void add_share_of_moment(struct text_buffer *text, const struct live_view *view, uint64_t ns)
{
	text_add_share(text, ns > view->moment_ns ? view->moment_ns : ns, view->moment_ns);
}

/* The letters of the threads, as many as fit. */
static void show_legend(const struct tui_page *page, const struct holders *holders, int y)
{
	const struct live_view *view = &page->view;
	struct text_buffer free_words = {0}, unknown = {0};
	int x = LABEL_COLUMNS;

	text_add(&free_words, "free ");
	add_share_of_moment(&free_words, view, holders->free_ns);
	x = tui_legend(&page->paint, y, x, TUI_FAINT, '.', free_words.bytes);
	text_add(&unknown, "unknown ");
	add_share_of_moment(&unknown, view, holders->unknown_ns);
	if (holders->unknown_ns)
		x = tui_legend(&page->paint, y, x, TUI_PLAIN, '?', unknown.bytes);
	for (uint32_t i = 0; i < holders->count; i++) {
		struct text_buffer text = {0};

		text_add_thread_name(&text, &view->about, holders->threads[i]->thread, 24, false);
		text_add(&text, " ");
		add_share_of_moment(&text, view, holders->threads[i]->held_ns);
		x = tui_legend(&page->paint, y, x, thread_style(holders->threads[i]),
			       (char)('a' + i), text.bytes);
	}
}

static int show_gil(const struct tui_page *page, const struct live_gil *gil, int y)
{
	const struct live_view *view = &page->view;
	struct holders holders = {0};
	struct text_buffer text = {0};
	int width;

	find_holders(view, gil, &holders);
	if (view->process_count > 1)
		text_add(&text, " of %u", gil->gil->process->info.pid);
	text_add(&text, " held ");
	add_share_of_moment(&text, view, gil->held_ns);
	text_add(&text, "  contended ");
	add_share_of_moment(&text, view, gil->contended_ns);
	if (gil->waiters)
		text_add(&text, "  %u" NBSP "%s", gil->waiters, "waiting");
	if (is_unseen(&holders, gil)) {
		text = (struct text_buffer){0};
		if (view->process_count > 1)
			text_add(&text, " of %u", gil->gil->process->info.pid);
		text_add(&text, " not seen to be taken or waited for");
	}
	width = tui_width(&page->paint, text.bytes);
	tui_put(&page->paint, y, 0, LABEL_COLUMNS, TUI_STRONG, "GIL");
	show_shares(page, &holders, y, LABEL_COLUMNS, page->paint.columns - LABEL_COLUMNS - width);
	tui_put_right(&page->paint, y, page->paint.columns - width, width,
		      gil->waiters ? TUI_WARNING : TUI_PLAIN, text.bytes);
	show_legend(page, &holders, y + 1);
	return 2;
}

static int by_contention(const void *a, const void *b)
{
	const struct live_gil *x = *(const struct live_gil *const *)a,
			      *y = *(const struct live_gil *const *)b;

	if (x->contended_ns != y->contended_ns)
		return x->contended_ns > y->contended_ns ? -1 : 1;
	if (x->held_ns != y->held_ns)
		return x->held_ns > y->held_ns ? -1 : 1;
	return (x > y) - (x < y);
}

/* Where there is no room for all, those that are waited for most; of several processes each says
 * whose it is. */
static int show_gils(const struct tui_page *page, int y)
{
	uint32_t room = page->paint.rows < 30 ? 1 : page->paint.rows < 45 ? 3 : 6;
	_cleanup_(freep) const struct live_gil **gils = calloc(page->view.gil_count + 1,
							       sizeof(struct live_gil *));
	int rows = 0;

	if (!gils)
		return 0;
	for (uint32_t i = 0; i < page->view.gil_count; i++)
		gils[i] = &page->view.gils[i];
	if (page->view.gil_count > room)
		qsort(gils, page->view.gil_count, sizeof(struct live_gil *), by_contention);
	for (uint32_t i = 0; i < page->view.gil_count && room; i++) {
		/* one that was never used (a sub-interpreter's) only if there is no other */
		if (!gils[i]->held_ns && !gils[i]->waiters && page->view.gil_count > 1)
			continue;
		rows += show_gil(page, gils[i], y + rows);
		room--;
	}
	return rows;
}

int tui_head(const struct tui_page *page, const struct tui_status *status)
{
	struct text_buffer verdict = {0};
	bool quiet = !tui_has_finding(page);
	int y = 1, rows = page->paint.rows < 30 ? 2 : 3;

	tui_title(page, status);
	tui_add_verdict(&verdict, page);
	for (uint32_t i = 0; i < page->view.loop_count; i++)
		quiet &= !page->view.loops[i].stalls;
	/* always the same number of rows, so that the lists do not move */
	tui_put_wrapped(&page->paint, y, 0, page->paint.columns, rows,
			tui_alarming(&page->view) ? TUI_ALARM
			: quiet			  ? TUI_GOOD
						  : TUI_WARNING,
			verdict.bytes);
	y += rows;
	y += show_loops(page, y);
	return y + show_gils(page, y);
}
