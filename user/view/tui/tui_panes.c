/* SPDX-License-Identifier: MIT */
/* The three lists: stalls, functions, threads. */
#include "view/tui/tui_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "words/names.h"
#include "words/palette.h"

/* ── orders ──────────────────────────────────────────────────────────────── */

static int larger_first(uint64_t a, uint64_t b)
{
	return (a < b) - (a > b);
}

static uint64_t stall_length(const struct live_stall *stall)
{
	return stall->stall.end - stall->stall.start;
}

static int stalls_newest(const void *a, const void *b)
{
	const struct live_stall *x = *(struct live_stall *const *)a,
				*y = *(struct live_stall *const *)b;

	if (x->stall.ongoing != y->stall.ongoing)
		return x->stall.ongoing ? -1 : 1;
	return larger_first(x->stall.start, y->stall.start);
}

static int stalls_longest(const void *a, const void *b)
{
	const struct live_stall *x = *(struct live_stall *const *)a,
				*y = *(struct live_stall *const *)b;
	int order = larger_first(stall_length(x), stall_length(y));

	if (x->stall.ongoing != y->stall.ongoing)
		return x->stall.ongoing ? -1 : 1;
	return order ? order : stalls_newest(a, b);
}

static int stalls_cause(const void *a, const void *b)
{
	const struct live_stall *x = *(struct live_stall *const *)a,
				*y = *(struct live_stall *const *)b;

	if (x->stall.ongoing != y->stall.ongoing)
		return x->stall.ongoing ? -1 : 1;
	return x->stall.cause != y->stall.cause ? (int)x->stall.cause - (int)y->stall.cause
						: stalls_longest(a, b);
}

/* What a function cost the loops, as the report sorts them. */
static uint64_t cost(const struct blame *blame)
{
	const uint64_t *ns = blame->loop.ns;

	return ns[TS_PYTHON] + ns[TS_NATIVE] + ns[TS_HELD_BLOCKED] + ns[TS_BLOCKED] +
	       blame->made_loops_wait_ns;
}

#define BY(name, type, figure)                                                                     \
	static int name(const void *a, const void *b)                                              \
	{                                                                                          \
		const type *x = a, *y = b;                                                         \
		int order = larger_first(figure(x), figure(y));                                    \
                                                                                                   \
		return order ? order : tie_##name(x, y);                                           \
	}

static int tie(const struct blame *x, const struct blame *y)
{
	int order = larger_first(cost(x), cost(y));

	order = order ? order : larger_first(x->made_wait_ns, y->made_wait_ns);
	return order ? order : larger_first(y->handler.frame.function, x->handler.frame.function);
}
#define tie_by_cost    tie
#define tie_by_loop    tie
#define tie_by_wait    tie
#define tie_by_stalls  tie
#define tie_by_worst   tie
#define loop_ns_of(x)  state_sums_total(&(x)->loop)
#define wait_ns_of(x)  (x)->made_loops_wait_ns
#define stalls_of(x)   (x)->stall_ns
#define worst_ns_of(x) (x)->worst_ns
BY(by_cost, struct blame, cost)
BY(by_loop, struct blame, loop_ns_of)
BY(by_wait, struct blame, wait_ns_of)
BY(by_stalls, struct blame, stalls_of)
BY(by_worst, struct blame, worst_ns_of)

static int tie_thread(const struct live_thread *x, const struct live_thread *y)
{
	return larger_first(y->thread->index, x->thread->index);
}
#define tie_by_held   tie_thread
#define tie_by_waited tie_thread
#define tie_by_cpu    tie_thread
#define held_of(x)    (x)->held_ns
#define waited_of(x)  (x)->states.ns[TS_GIL_WAIT]
#define cpu_of(x)     ((x)->states.ns[TS_PYTHON] + (x)->states.ns[TS_NATIVE])
BY(by_held, struct live_thread, held_of)
BY(by_waited, struct live_thread, waited_of)
BY(by_cpu, struct live_thread, cpu_of)

static int by_number(const void *a, const void *b)
{
	const struct live_thread *x = a, *y = b;

	return larger_first(y->thread->tid, x->thread->tid);
}

#define SORTS_MAX 5
static const struct order {
	const char *words;
	int (*compare)(const void *a, const void *b);
} ORDERS[PANES][SORTS_MAX] = {
	{{"newest first", stalls_newest},
	 {"longest first", stalls_longest},
	 {"by cause", stalls_cause}},
	{{"by loop time", by_cost},
	 {"by time on the loop", by_loop},
	 {"by waits caused", by_wait},
	 {"by stalls", by_stalls},
	 {"by worst stall", by_worst}},
	{{"by GIL", by_held},
	 {"by GIL wait", by_waited},
	 {"by CPU", by_cpu},
	 {"by number", by_number}},
};

unsigned tui_pane_sorts(enum pane pane)
{
	unsigned count = 0;

	while (count < SORTS_MAX && ORDERS[pane][count].words)
		count++;
	return count;
}

void tui_pane_sort(struct tui_page *page, enum pane pane)
{
	int (*compare)(const void *, const void *) = ORDERS[pane][page->panes[pane].sort].compare;
	struct live_view *view = &page->view;

	if (pane == PANE_STALLS && view->stall_count)
		qsort(view->stalls, view->stall_count, sizeof(struct live_stall *), compare);
	else if (pane == PANE_FUNCTIONS && view->blame_count)
		qsort(view->blame, view->blame_count, sizeof(*view->blame), compare);
	else if (pane == PANE_THREADS && view->thread_count)
		qsort(view->threads, view->thread_count, sizeof(*view->threads), compare);
	page->panes[pane].matching = tui_filter_list(page, pane);
}

uint32_t tui_pane_count(const struct tui_page *page, enum pane pane)
{
	return page->panes[pane].matching;
}

/* ── rows ────────────────────────────────────────────────────────────────── */

static void put_duration(const struct tui_page *page, int y, int x, int columns, int style,
			 const char *before, uint64_t ns)
{
	struct text_buffer text = {0};

	if (ns)
		text_add(&text, "%s", before);
	if (ns)
		text_add_duration(&text, ns);
	else
		text_add(&text, "·");
	tui_put_right(&page->paint, y, x, columns, ns ? style : TUI_FAINT, text.bytes);
}

static void stall_row(const struct tui_page *page, uint32_t i, int y)
{
	const struct live_stall *live = page->view.stalls[i];
	const struct stall *stall = &live->stall;
	int wide = page->paint.columns >= 110	     ? 20
		   : page->paint.columns >= TUI_WIDE ? 10
						     : 0,
	    x = wide ? 35 + wide : 34, style = stall->ongoing ? TUI_ALARM : TUI_PLAIN;
	uint64_t age = page->view.about.window.end > stall->end
			       ? page->view.about.window.end - stall->end
			       : 0;
	struct text_buffer when = {0}, what = {0};

	if (stall->ongoing)
		text_add(&when, "now");
	else
		text_add(&when, "-%llu" NBSP "s",
			 (unsigned long long)((age + NS_PER_S / 2) / NS_PER_S));
	tui_put_right(&page->paint, y, 1, 6, style, when.bytes);
	put_duration(page, y, 8, 10, style == TUI_PLAIN ? TUI_STRONG : style,
		     stall->ongoing || !stall->whole ? "≥" NBSP : "", stall_length(live));
	tui_put(&page->paint, y, 20, 13, style, tui_cause(stall->cause));
	tui_bar(&page->paint, y, 34, wide, &stall->what.states, stall_length(live));
	tui_add_stall(&what, &page->view, live, (unsigned)(page->paint.columns - x));
	tui_put(&page->paint, y, x, page->paint.columns - x, style, what.bytes);
}

/* The columns of a function's figures, whose sort orders are those with their names. */
static const struct {
	const char *words;
	int end;
} FIGURES[] = {{"on loop", 9}, {"waited", 19}, {"stalls", 26}, {"total", 35}, {"worst", 44}};
#define FIGURE_COUNT   (sizeof(FIGURES) / sizeof(FIGURES[0]))
#define FIGURE_COLUMNS 45
#define FIGURES_NARROW 2 /* the first one that there is in fewer than TUI_WIDE columns */

static size_t first_figure(const struct tui_page *page)
{
	return page->paint.columns >= TUI_WIDE ? 0 : FIGURES_NARROW;
}

/* Where the figures begin, right of the name. */
static int figures_at(const struct tui_page *page)
{
	size_t first = first_figure(page);

	return page->paint.columns - FIGURE_COLUMNS + (first ? FIGURES[first - 1].end : 0);
}

static void function_row(const struct tui_page *page, uint32_t i, int y)
{
	const struct blame *blame = &page->view.blame[i];
	int x = page->paint.columns - FIGURE_COLUMNS, begin = figures_at(page);
	struct text_buffer name = {0}, stalls = {0};

	if (!blame->handler.frame.function) {
		text_add(&name, "many others");
	} else {
		tui_add_frame(&name, &page->view.about, &blame->handler.frame, (unsigned)begin - 2);
	}
	tui_put(&page->paint, y, 2, begin - 2, TUI_PLAIN, name.bytes);
	if (!first_figure(page)) {
		put_duration(page, y, x, 9, TUI_PLAIN, "", state_sums_total(&blame->loop));
		put_duration(page, y, x + 9, 10, TUI_PLAIN, "",
			     page->view.loop_count ? blame->made_loops_wait_ns
						   : blame->made_wait_ns);
	}
	text_add_count(&stalls, blame->stalls);
	tui_put_right(&page->paint, y, x + 19, 7, blame->stalls ? TUI_STRONG : TUI_FAINT,
		      blame->stalls ? stalls.bytes : "·");
	put_duration(page, y, x + 26, 9, TUI_PLAIN, "", blame->stall_ns);
	put_duration(page, y, x + 35, 9, TUI_PLAIN, "", blame->worst_ns);
}

static void put_share(const struct tui_page *page, int y, int x, int columns, uint64_t part,
		      uint64_t whole)
{
	struct text_buffer text = {0};

	if (part)
		text_add_share(&text, part > whole ? whole : part, whole);
	else
		text_add(&text, "·");
	tui_put_right(&page->paint, y, x, columns, part ? TUI_PLAIN : TUI_FAINT, text.bytes);
}

#define BAR_MIN 10 /* columns; as wide as its heading */

static int name_columns(const struct tui_page *page)
{
	return page->paint.columns >= 110 ? 32 : 20;
}

static void thread_row(const struct tui_page *page, uint32_t i, int y)
{
	const struct live_thread *thread = &page->view.threads[i];
	int x = 2 + name_columns(page), bar = page->paint.columns - x - 38;
	uint64_t whole = state_sums_total(&thread->states);
	struct text_buffer name = {0}, tid = {0};

	text_add_thread_name(&name, &page->view.about, thread->thread,
			     (unsigned)name_columns(page) - 1, false);
	text_add(&tid, "%u", thread->thread->tid);
	tui_put(&page->paint, y, 2, name_columns(page), thread->gone ? TUI_FAINT : TUI_PLAIN,
		name.bytes);
	tui_put_right(&page->paint, y, x, 7, TUI_PLAIN, tid.bytes);
	tui_put(&page->paint, y, x + 8, 13, thread->now == TS_GIL_WAIT ? TUI_WARNING : TUI_PLAIN,
		thread->gone ? "gone" : palette_of(thread->now)->column);
	/* as in the line of the GIL; a thread may be younger than that */
	put_share(page, y, x + 21, 7, thread->held_ns, page->view.moment_ns);
	put_share(page, y, x + 28, 7, thread->states.ns[TS_GIL_WAIT], page->view.moment_ns);
	if (bar >= BAR_MIN)
		tui_bar(&page->paint, y, x + 37, bar > 60 ? 60 : bar, &thread->states, whole);
}

/* ── headings ────────────────────────────────────────────────────────────── */

static void show_heading(const struct tui_page *page, enum pane pane, int y)
{
	static const char *const names[PANES] = {"STALLS", "FUNCTIONS", "THREADS"};
	const struct tui_paint *paint = &page->paint;
	struct text_buffer text = {0};
	int style = pane == page->focus ? TUI_TITLE : TUI_STRONG, x;

	text_add(&text, " %s", names[pane]);
	if (tui_pane_count(page, pane)) {
		text_add(&text, " ");
		text_add_count(&text,
			       tui_pane_count(page, pane) +
				       (pane == PANE_STALLS ? page->view.stalls_left_out : 0));
		/* without loops there is no cost to them, and every order is that of the waits */
		text_add(&text, " %s",
			 pane == PANE_FUNCTIONS && !page->view.loop_count
				 ? "by waits caused"
				 : ORDERS[pane][page->panes[pane].sort].words);
	}
	if (pane == PANE_STALLS && page->view.stalls_left_out) {
		text_add(&text, ", the latest ");
		text_add_count(&text, page->view.stall_count);
	}
	if (page->filter[0])
		text_add(&text, " /%s", page->filter);
	text_add(&text, " ");
	x = pane == PANE_FUNCTIONS ? figures_at(page)
	    : pane == PANE_THREADS ? 2 + name_columns(page) + 8
				   : paint->columns;
	tui_repeat(paint, y, 0, paint->columns, pane == page->focus ? TUI_TITLE : TUI_PLAIN, ' ');
	tui_put(paint, y, 0, x, style, text.bytes);
	style = pane == page->focus ? TUI_TITLE : TUI_FAINT;
	for (size_t i = first_figure(page); pane == PANE_FUNCTIONS && i < FIGURE_COUNT; i++) {
		int begin = i ? FIGURES[i - 1].end : 0;

		tui_put_right(paint, y, paint->columns - FIGURE_COLUMNS + begin,
			      FIGURES[i].end - begin, style, FIGURES[i].words);
	}
	x = 2 + name_columns(page);
	if (pane == PANE_THREADS) {
		tui_put(paint, y, x + 8, 13, style, "now");
		tui_put_right(paint, y, x + 21, 7, style, "GIL");
		tui_put_right(paint, y, x + 28, 7, style, "waits");
		if (paint->columns - x - 38 >= BAR_MIN)
			tui_put(paint, y, x + 37, 20, style, "share, 5 s");
	}
}

static void show_nothing(const struct tui_page *page, enum pane pane, int y)
{
	struct text_buffer text = {0};

	if (page->filter[0])
		text_add(&text, "none matches the filter; Esc clears it");
	else if (pane == PANE_STALLS)
		text_add(&text, "none");
	else if (pane == PANE_FUNCTIONS)
		text_add(&text, page->view.about.stacks
					? "none on the loop, or holding the GIL while it waited"
					: "no Python stacks are taken");
	else
		text_add(&text, "none seen yet");
	tui_put(&page->paint, y, 2, page->paint.columns - 2, TUI_FAINT, text.bytes);
}

static void show_pane(struct tui_page *page, enum pane pane, int y, int rows)
{
	static void (*const row[PANES])(const struct tui_page *, uint32_t,
					int) = {stall_row, function_row, thread_row};
	struct pane_state *state = &page->panes[pane];
	uint32_t count = tui_pane_count(page, pane), room = rows > 1 ? (uint32_t)rows - 1 : 0;

	state->y = y;
	state->rows = rows;
	if (rows < 1)
		return;
	show_heading(page, pane, y);
	if (state->selected >= count)
		state->selected = count ? count - 1 : 0;
	if (state->top > state->selected)
		state->top = state->selected;
	if (room && state->selected >= state->top + room)
		state->top = state->selected - room + 1;
	if (state->top + room > count)
		state->top = count > room ? count - room : 0;
	if (!count && room)
		show_nothing(page, pane, y + 1);
	for (uint32_t i = 0; i < room && state->top + i < count; i++) {
		row[pane](page, state->top + i, y + 1 + (int)i);
		if (pane == page->focus && state->top + i == state->selected)
			tui_repeat(&page->paint, y + 1 + (int)i, 0, 1, TUI_TITLE, '>');
	}
}

void tui_states(const struct tui_page *page, int y)
{
	struct state_sums seen = {0};
	int x = 1;

	for (uint32_t i = 0; i < page->view.thread_count; i++)
		for (int s = 0; s < TS_COUNT; s++)
			seen.ns[s] |= page->view.threads[i].states.ns[s];
	for (uint32_t i = 0; i < page->view.stall_count; i++)
		for (int s = 0; s < TS_COUNT; s++)
			seen.ns[s] |= page->view.stalls[i]->stall.what.states.ns[s];
	for (int s = 0; s < TS_COUNT; s++) {
		const struct palette *palette = palette_of((enum thread_state)s);

		if (seen.ns[s])
			x = tui_legend(&page->paint, y, x, TUI_STATES + s, palette->letter,
				       palette->column);
	}
}

void tui_panes(struct tui_page *page, int y, int rows)
{
	int lower = rows / 4 > 4 ? rows / 4 : rows >= 12 ? 4 : rows >= 8 ? 2 : 1, heights[PANES];

	/* a list that needs fewer rows leaves them to the one in focus */
	for (int i = 0; i < PANES; i++) {
		uint32_t count = tui_pane_count(page, (enum pane)i);

		heights[i] = count + 1 < (uint32_t)lower ? (int)(count ? count + 1 : 2) : lower;
		heights[i] = heights[i] > lower ? lower : heights[i];
	}
	heights[page->focus] = rows;
	for (int i = 0; i < PANES; i++)
		heights[page->focus] -= i == (int)page->focus ? 0 : heights[i];
	for (int i = 0; i < PANES; i++) {
		show_pane(page, (enum pane)i, y, heights[i]);
		y += heights[i];
	}
}
