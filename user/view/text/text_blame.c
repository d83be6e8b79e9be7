/* SPDX-License-Identifier: MIT */
/* The first screen: which of the application's functions hold up the event loops, and how. */
#include "view/text/text.h"

#include "words/names.h"

#define SHOWN_FUNCTIONS	 10
#define NAME_COLUMNS_MAX 40
#define GAP		 1

/* A column of figures. `upper` and `lower` are the two lines of its title. */
struct figure {
	const char *upper, *lower;
	unsigned width;
	void (*add)(struct text_buffer *text, const struct blame *blame);
};

struct blame_table {
	const struct text_page *page;
	uint32_t shown;
	unsigned name_columns, bar_columns;
	uint64_t whole_ns; /* the time that a full bar stands for */
	bool loops;	   /* figures and bars are about the loops, else about threads */
	const struct figure *figures;
};

static const struct state_sums *bar_of(const struct blame_table *table, const struct blame *blame)
{
	return table->loops ? &blame->loop : &blame->elsewhere;
}

static void add_on_loop(struct text_buffer *text, const struct blame *blame)
{
	text_add_duration_or_dot(text, state_sums_total(&blame->loop));
}

static void add_made_wait(struct text_buffer *text, const struct blame *blame)
{
	text_add_duration_or_dot(text, blame->made_loops_wait_ns);
}

static void add_stall_count(struct text_buffer *text, const struct blame *blame)
{
	if (blame->stalls)
		text_add_count(text, blame->stalls);
	else
		text_add(text, "·");
}

static void add_stall_time(struct text_buffer *text, const struct blame *blame)
{
	text_add_duration_or_dot(text, blame->stall_ns);
}

static void add_worst(struct text_buffer *text, const struct blame *blame)
{
	text_add_duration_or_dot(text, blame->worst_ns);
}

static void add_others_waited(struct text_buffer *text, const struct blame *blame)
{
	text_add_duration_or_dot(text, blame->made_wait_ns);
}

static void add_ran_python(struct text_buffer *text, const struct blame *blame)
{
	text_add_duration_or_dot(text, blame->elsewhere.ns[TS_PYTHON]);
}

static void add_ran_native(struct text_buffer *text, const struct blame *blame)
{
	text_add_duration_or_dot(text, blame->elsewhere.ns[TS_NATIVE]);
}

static void add_waited(struct text_buffer *text, const struct blame *blame)
{
	text_add_duration_or_dot(text, blame->elsewhere.ns[TS_GIL_WAIT]);
}

static const struct figure FIGURES[] = {
	{"on the", "loop", 10, add_on_loop}, {"loop", "waited", 9, add_made_wait},
	{"", "stalls", 8, add_stall_count},  {"", "total", 9, add_stall_time},
	{"", "worst", 9, add_worst},	     {0},
};
/* Where no loop runs. */
static const struct figure THREAD_FIGURES[] = {
	{"others", "waited", 10, add_others_waited},
	{"ran", "Python", 10, add_ran_python},
	{"without", "GIL", 10, add_ran_native},
	{"waited", "for GIL", 10, add_waited},
	{0},
};

static unsigned figures_width(const struct blame_table *table)
{
	unsigned width = 0;

	for (size_t i = 0; table->figures[i].add; i++)
		width += table->figures[i].width;
	return width;
}

/* Functions with the same name are distinguished by the location below them. */
static void blame_table_fit(struct blame_table *table)
{
	const struct report *report = table->page->report;
	unsigned columns = table->page->canvas.columns, room;

	table->bar_columns = columns >= 100 ? 14 : columns >= 80 ? 8 : 0;
	room = columns - 2 - GAP - table->bar_columns - figures_width(table);
	table->name_columns = 8;
	for (uint32_t i = 0; i < table->shown; i++) {
		struct text_buffer name = {0};
		unsigned width;
		uint64_t sum;

		text_add_function(&name, report, &report->blame[i].handler.frame,
				  room < NAME_COLUMNS_MAX ? room : NAME_COLUMNS_MAX);
		width = text_width(name.bytes);
		table->name_columns = width > table->name_columns ? width : table->name_columns;
		sum = state_sums_total(bar_of(table, &report->blame[i]));
		table->whole_ns = sum > table->whole_ns ? sum : table->whole_ns;
	}
	if (!table->whole_ns)
		table->bar_columns = 0;
}

static void show_blame_titles(const struct blame_table *table, bool upper)
{
	const struct canvas *canvas = &table->page->canvas;
	/* not printed yet, so that no line ends in blanks */
	unsigned blanks = 2 + table->name_columns + GAP + table->bar_columns;

	for (size_t i = 0; table->figures[i].add; i++) {
		const char *title = upper ? table->figures[i].upper : table->figures[i].lower;

		blanks += table->figures[i].width;
		if (!*title)
			continue;
		canvas_cell(canvas, title, blanks, true);
		blanks = 0;
	}
	fputc('\n', canvas->file);
}

/* Where the function is, what called it, and what else it cost. */
static void show_place(const struct blame_table *table, const struct blame *blame)
{
	const struct text_page *page = table->page;
	const char *role = text_role(blame->handler.role);
	struct text_buffer text = {0};

	text_add_decorator(&text, page->report, blame->handler.frame.function,
			   page->canvas.columns - 4);
	text_separate(&text, " · ");
	text_add_place(&text, page->report, &blame->handler.frame, page->canvas.columns - 26);
	if (role)
		text_add(&text, " · %s", role);
	if (table->loops && blame->made_wait_ns > blame->made_loops_wait_ns) {
		text_add(&text, " · kept other threads waiting for the GIL: ");
		text_add_duration(&text, blame->made_wait_ns - blame->made_loops_wait_ns);
	}
	if (blame->gc_ns) {
		text_add(&text, " · garbage collection ");
		text_add_duration(&text, blame->gc_ns);
	}
	canvas_paragraph(&page->canvas, "    ", 4, &text);
}

static void show_blame_row(const struct blame_table *table, const struct blame *blame)
{
	const struct canvas *canvas = &table->page->canvas;
	struct text_buffer name = {0};

	text_add_function(&name, table->page->report, &blame->handler.frame, table->name_columns);
	fputs("  ", canvas->file);
	canvas_strong(canvas, name.bytes, table->name_columns + GAP);
	canvas_bar(canvas, bar_of(table, blame), table->whole_ns, table->bar_columns);
	for (size_t i = 0; table->figures[i].add; i++) {
		struct text_buffer value = {0};

		table->figures[i].add(&value, blame);
		canvas_cell(canvas, value.bytes, table->figures[i].width, true);
	}
	fputc('\n', canvas->file);
	show_place(table, blame);
}

static void show_blame_rest(const struct blame_table *table)
{
	const struct report *report = table->page->report;
	uint64_t ran = 0, made_wait = 0;
	struct text_buffer text = {0};

	for (uint32_t i = table->shown; i < report->blame_count; i++) {
		const struct blame *blame = &report->blame[i];

		ran += table->loops
			       ? state_sums_total(&blame->loop)
			       : blame->elsewhere.ns[TS_PYTHON] + blame->elsewhere.ns[TS_NATIVE];
		made_wait += table->loops ? blame->made_loops_wait_ns : blame->made_wait_ns;
	}
	if (!ran && !made_wait)
		return;
	text_add_number_of(&text, report->blame_count - table->shown, "more function",
			   "more functions");
	text_add(&text, ": ");
	text_add_duration(&text, ran);
	text_add(&text, table->loops ? " on the loop" : " on a CPU");
	if (made_wait) {
		text_add(&text, table->loops ? ", loop waited " : ", others waited ");
		text_add_duration(&text, made_wait);
	}
	canvas_paragraph(&table->page->canvas, "  ", 2, &text);
}

/* A function that caused no stall and took less than a thousandth of the loops' time, or without
 * loops of the others', is not worth a line. */
static bool worth_a_line(const struct text_page *page, const struct blame *blame, bool loops)
{
	uint64_t ns = loops ? state_sums_total(&blame->loop) + blame->made_loops_wait_ns
			    : state_sums_total(&blame->elsewhere) + blame->made_wait_ns;

	return blame->stalls || ns > text_window_ns(page->report) / 1000;
}

static uint32_t count_shown(const struct text_page *page, bool loops)
{
	const struct report *report = page->report;
	uint32_t shown = 1;

	if (page->all)
		return report->blame_count;
	for (uint32_t i = 0; i < report->blame_count; i++)
		if (worth_a_line(page, &report->blame[i], loops))
			shown = i + 1;
	return shown < SHOWN_FUNCTIONS ? shown : SHOWN_FUNCTIONS;
}

static void show_table(const struct text_page *page, bool loops)
{
	struct text_buffer heading = {0};
	struct blame_table table = {.page = page,
				    .shown = count_shown(page, loops),
				    .loops = loops,
				    .figures = loops ? FIGURES : THREAD_FIGURES};
	struct state_sums all = {0};

	text_add(&heading, loops ? "FUNCTIONS, by time they blocked the event loop"
				 : "FUNCTIONS, by time other threads waited for them");
	blame_table_fit(&table);
	fputc('\n', page->canvas.file);
	canvas_heading(&page->canvas, &heading);
	show_blame_titles(&table, true);
	show_blame_titles(&table, false);
	for (uint32_t i = 0; i < table.shown; i++) {
		const struct blame *blame = &page->report->blame[i];

		show_blame_row(&table, blame);
		for (int s = 0; s < TS_COUNT; s++)
			all.ns[s] += table.bar_columns ? bar_of(&table, blame)->ns[s] : 0;
	}
	if (table.shown < page->report->blame_count)
		show_blame_rest(&table);
	text_legend(page, &all);
}

static bool began_before(const struct loop_report *loop)
{
	for (uint32_t i = 0; i < loop->stall_count; i++)
		if (loop->stalls[i].earlier)
			return true;
	return false;
}

/* The stalls of all loops, and their total time, which may be a lower bound. */
static uint32_t count_stalls(const struct report *report, uint64_t *ret_ns, uint32_t *ret_loops,
			     bool *ret_more)
{
	uint32_t count = 0;

	*ret_ns = 0;
	*ret_loops = 0;
	*ret_more = false;
	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->processes[p].loop_count; i++) {
			*ret_more |= began_before(&report->processes[p].loops[i]);
			count += (uint32_t)loop_stall_count(&report->processes[p].loops[i]);
			*ret_ns += state_sums_total(&report->processes[p].loops[i].stalled.states);
			(*ret_loops)++;
		}
	return count;
}

static void add_functions(struct text_buffer *text, uint32_t count)
{
	static const char *const words[] = {"",	   "One",   "Two",   "Three", "Four", "Five",
					    "Six", "Seven", "Eight", "Nine",  "Ten"};

	if (count < sizeof(words) / sizeof(words[0]))
		text_add(text, "%s", words[count]);
	else
		text_add_count(text, count);
	text_add(text, count == 1 ? " function blocks" : " functions block");
}

/* "Three functions block your event loop: 11 of 12 stalls, 3.40 s of 3.55 s." */
static void add_verdict(struct text_buffer *text, const struct report *report)
{
	uint64_t stall_ns, blamed_ns = 0, blamed = 0;
	bool more;
	uint32_t culprits = 0, loops, stalls = count_stalls(report, &stall_ns, &loops, &more);
	const char *your_loop = loops > 1 ? "your event loops" : "your event loop";

	for (uint32_t i = 0; i < report->blame_count; i++) {
		culprits += report->blame[i].stalls > 0;
		blamed += report->blame[i].stalls;
		blamed_ns += report->blame[i].stall_ns;
	}
	if (!culprits) {
		text_add(text, "None of your functions caused most of any stall; the findings name "
			       "the causes.");
		return;
	}
	add_functions(text, culprits);
	text_add(text, " %s: ", your_loop);
	if (blamed < stalls) {
		text_add_count(text, blamed);
		text_add(text, " of ");
	} else {
		text_add(text, stalls == 1 ? "" : "all ");
	}
	text_add_number_of(text, stalls, "stall", "stalls");
	text_add(text, ", %s", more && blamed == stalls ? "≥" NBSP : "");
	text_add_duration(text, blamed_ns);
	if (blamed < stalls) {
		text_add(text, " of %s", more ? "≥" NBSP : "");
		text_add_duration(text, stall_ns);
	}
	text_add(text, ".");
}

void text_blame(const struct text_page *page)
{
	struct text_buffer verdict = {0};
	uint64_t ns;
	uint32_t loops, stalls;
	bool more;

	if (!page->report->blame_count)
		return;
	stalls = count_stalls(page->report, &ns, &loops, &more);
	if (stalls) {
		add_verdict(&verdict, page->report);
		fputc('\n', page->canvas.file);
		canvas_paragraph(&page->canvas, "  ", 2, &verdict);
	}
	show_table(page, loops > 0);
}
