/* SPDX-License-Identifier: MIT */
/* Takes over the terminal, draws, and restores it. The keys are in tui_keys.c. */
#include "view/tui/tui.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "words/names.h"
#include "words/palette.h"
#include "view/tui/tui_private.h"
#include "view/tui/tui_terminal.h"

#define COLUMNS_MIN 60
#define ROWS_MIN    12
#define ROWS_LEGEND 20 /* from here on the last but two says what the bars' letters mean */
#define WHEEL	    3  /* lines */
#define ESCAPE_MS   50 /* after this long, Esc is a key of its own */
/* of the name of a process in the last line */
#define LOSER_COLUMNS 30

struct tui {
	SCREEN *screen;
	struct tui_page page;
};

static void init_colours(struct tui *tui)
{
	static const short states[TS_COUNT] = {COLOR_YELLOW,  COLOR_CYAN,   COLOR_RED,
					       COLOR_MAGENTA, COLOR_YELLOW, COLOR_BLUE,
					       COLOR_GREEN,   -1,	    -1};
	static const short threads256[TUI_THREAD_COLOURS] = {110, 150, 180, 139, 73, 174, 146, 108};
	static const short threads[TUI_THREAD_COLOURS] = {COLOR_CYAN,	 COLOR_GREEN, COLOR_YELLOW,
							  COLOR_MAGENTA, COLOR_BLUE,  COLOR_RED,
							  COLOR_WHITE,	 COLOR_CYAN};
	bool many;

	if (!has_colors() || start_color() == ERR || use_default_colors() == ERR)
		return;
	many = COLORS >= 256;
	tui->page.paint.colours = many ? 256 : 8;
	init_pair(TUI_ALARM, many ? 203 : COLOR_RED, -1);
	init_pair(TUI_WARNING, many ? 179 : COLOR_YELLOW, -1);
	init_pair(TUI_GOOD, many ? 108 : COLOR_GREEN, -1);
	for (int i = 0; i < TS_COUNT; i++) {
		const struct palette *palette = palette_of((enum thread_state)i);

		init_pair((short)(TUI_STATES + i), many ? (palette->dark ? 231 : 16) : COLOR_BLACK,
			  many ? palette->ansi : states[i]);
	}
	/* would fill most bars, and is of no interest */
	init_pair(TUI_STATES + TS_IDLE, many ? 245 : -1, -1);
	init_pair(TUI_STATES + TS_UNKNOWN, -1, -1);
	for (int i = 0; i < TUI_THREAD_COLOURS; i++)
		init_pair((short)(TUI_THREADS + i), many ? 16 : COLOR_BLACK,
			  many ? threads256[i] : threads[i]);
}

int tui_check(struct diag *diag)
{
	return terminal_check(NULL, stdin, stdout, true, diag);
}

/* A terminal that reports its size is more reliable than LINES and COLUMNS, which a shell or a
 * library once set, and which ncurses would believe for the process's lifetime. */
static void forget_size_of_environment(FILE *out)
{
	struct winsize size;

	if (ioctl(fileno(out), TIOCGWINSZ, &size) < 0 || !size.ws_row || !size.ws_col)
		return;
	unsetenv("LINES");
	unsetenv("COLUMNS");
}

int tui_new(const struct tui_options *options, struct diag *diag, struct tui **ret_tui)
{
	FILE *in = options->in ? options->in : stdin, *out = options->out ? options->out : stdout;
	int err = terminal_check(options->term, in, out, !options->in, diag);
	struct tui *tui;

	if (err < 0)
		return err;
	tui = calloc(1, sizeof(*tui));
	if (!tui)
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
	terminal_save_modes(in);
	forget_size_of_environment(out);
	tui->screen = newterm(options->term, out, in);
	if (!tui->screen) {
		free(tui);
		return diag_set(diag, EXIT_FAILED, -ENOTTY, "top cannot draw on this terminal");
	}
	terminal_taken(out);
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	curs_set(0);
	/* a terminal without a mouse ignores it */
	mousemask(BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
	mouseinterval(0);
	tui->page.paint.utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	if (!options->plain)
		init_colours(tui);
	*ret_tui = tui;
	return 0;
}

void tui_free(struct tui *tui)
{
	if (!tui)
		return;
	set_term(tui->screen);
	/* if the screen stays (the terminal has only one), the following output starts on an empty
	 * line */
	move(LINES - 1, 0);
	clrtoeol();
	refresh();
	endwin();
	terminal_given_back();
	delscreen(tui->screen);
	live_stall_put(tui->page.chosen);
	findings_free(tui->page.findings);
	live_report_done(&tui->page.window);
	live_view_done(&tui->page.view);
	free(tui);
}

/* ── what is shown ───────────────────────────────────────────────────────── */

void tui_take(struct tui *tui, struct live_view *view)
{
	struct tui_page *page = &tui->page;

	live_view_done(&page->view);
	page->view = *view;
	*view = (struct live_view){0};
	tui_diagnose(page);
	for (int i = 0; i < PANES; i++)
		tui_pane_sort(page, (enum pane)i);
	tui_find_chosen(page);
}

void tui_message(struct tui *tui, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(tui->page.message, sizeof(tui->page.message), format, args);
	va_end(args);
}

/* If all that was ever lost was about one process of several. */
static void add_only_loser(struct text_buffer *text, const struct live_view *view)
{
	const struct process *only = NULL;
	char title[PROCESS_TITLE_MAX];
	uint32_t count = 0;

	for (uint32_t i = 0; i < view->process_count; i++) {
		count += view->processes[i]->lost > 0;
		only = view->processes[i]->lost ? view->processes[i] : only;
	}
	if (count != 1 || view->process_count == 1 || view->about.window.lost_anywhere)
		return;
	text_add(text, "; the loss affects only ");
	text_add_name(text, process_title(only, title), LOSER_COLUMNS);
}

/* The most urgent message, apart from the figures. */
static int add_status(struct text_buffer *text, const struct tui_page *page,
		      const struct tui_status *status)
{
	const struct live_view *view = &page->view;
	const struct report *about = &view->about;

	if (page->typing) {
		text_add(text, "Filter: %s_   Enter keeps it, Esc clears it", page->filter);
		return TUI_STRONG;
	}
	if (page->message[0]) {
		text_add(text, "%s", page->message);
		return TUI_STRONG;
	}
	if (status->ended) {
		text_add(text, "%s This is what was seen last; q quits.", status->ended);
		return TUI_STRONG;
	}
	if (view->lost) {
		text_add_number_of(text, view->lost, "event", "events");
		text_add(text, " lost in the last minute: ");
		text_add_share(text, view->unknown_ns, view->thread_ns);
		text_add(text, " of the threads' time unknown");
		add_only_loser(text, view);
		text_add(text, ". A larger --ring-size may help.");
		return TUI_WARNING;
	}
	if (about->stack_evidence.full) {
		text_add(text, "No events lost, but there were too many distinct stacks; the "
			       "functions of later ones are unknown.");
		return TUI_WARNING;
	}
	text_add(text, "no events lost");
	if (about->window.lost) {
		text_add(text, " in the last minute (before, ");
		text_add_number_of(text, about->window.lost, "event", "events");
		text_add(text, ")");
	}
	if (view->unknown_ns) {
		text_add(text, " · ");
		text_add_share(text, view->unknown_ns, view->thread_ns);
		text_add(text, " of the threads' time unknown");
	}
	if (!about->stacks)
		text_add(text, " · no stacks are taken");
	else if (about->rate_hz)
		text_add(text, " · CPU stacks sampled at %u" NBSP "Hz", about->rate_hz);
	return TUI_FAINT;
}

static void draw_keys(const struct tui_page *page, int y)
{
	/* the last do not fit into 80 columns; the help has them, too */
	static const char *const lists[] = {"Tab", "list",     "Enter", "details", "/", "filter",
					    "o",   "other",    "h",	"help",	   "q", "quit",
					    "f",   "findings", "s",	"sort",	   "p", "pause",
					    "r",   "record",   "+-",	"stall"};
	static const char *const sheets[] = {"Up Down", "scroll", "Esc", "back", "p", "pause",
					     "r",	"record", "h",	 "help", "q", "back"};
	bool sheet = page->sheet != TUI_LISTS;
	size_t count = sheet ? sizeof(sheets) / sizeof(sheets[0])
			     : sizeof(lists) / sizeof(lists[0]);
	int x = 1;

	for (size_t i = 0; i < count; i++) {
		const char *word = sheet ? sheets[i] : lists[i],
			   *next = i % 2 ? "" : (sheet ? sheets : lists)[i + 1];

		if (x + (int)(strlen(word) + (*next ? 1 + strlen(next) : 0)) > page->paint.columns)
			return;
		x += tui_put(&page->paint, y, x, page->paint.columns - x,
			     i % 2 ? TUI_PLAIN : TUI_STRONG, word) +
		     (i % 2 ? 2 : 1);
	}
}

void tui_draw(struct tui *tui, const struct tui_status *status)
{
	struct tui_page *page = &tui->page;
	struct text_buffer text = {0};
	int y, style;

	set_term(tui->screen);
	getmaxyx(stdscr, page->paint.rows, page->paint.columns);
	erase();
	if (page->paint.rows < ROWS_MIN || page->paint.columns < COLUMNS_MIN) {
		tui_put_wrapped(&page->paint, 0, 0, page->paint.columns, page->paint.rows,
				TUI_PLAIN,
				"The window is too small: 60 columns and 12 rows at least.");
		refresh();
		return;
	}
	if (page->sheet == TUI_LISTS) {
		int last = page->paint.rows - (page->paint.rows >= ROWS_LEGEND ? 3 : 2);

		y = tui_head(page, status);
		tui_panes(page, y, last - y);
		if (page->paint.rows >= ROWS_LEGEND)
			tui_states(page, last);
	} else {
		tui_title(page, status);
		if (tui_sheet(page, 1, page->paint.rows - 3) < 0)
			tui_put(&page->paint, 2, 1, page->paint.columns, TUI_ALARM,
				"no memory to show this");
	}
	style = add_status(&text, page, status);
	tui_put(&page->paint, page->paint.rows - 2, 1, page->paint.columns - 2, style, text.bytes);
	draw_keys(page, page->paint.rows - 1);
	refresh();
}

/* ── keys ────────────────────────────────────────────────────────────────── */

static enum tui_command command_of_key(int key)
{
	static const struct {
		int key;
		enum tui_command command;
	} KEYS[] = {
		{'q', COMMAND_QUIT},
		{'Q', COMMAND_QUIT},
		{27, COMMAND_BACK},
		{KEY_LEFT, COMMAND_BACK},
		{KEY_BACKSPACE, COMMAND_BACK},
		{127, COMMAND_BACK},
		{KEY_ENTER, COMMAND_OPEN},
		{'\r', COMMAND_OPEN},
		{'\n', COMMAND_OPEN},
		{KEY_RIGHT, COMMAND_OPEN},
		{KEY_UP, COMMAND_UP},
		{'k', COMMAND_UP},
		{KEY_DOWN, COMMAND_DOWN},
		{'j', COMMAND_DOWN},
		{KEY_PPAGE, COMMAND_PAGE_UP},
		{KEY_NPAGE, COMMAND_PAGE_DOWN},
		{KEY_HOME, COMMAND_FIRST},
		{'g', COMMAND_FIRST},
		{KEY_END, COMMAND_LAST},
		{'G', COMMAND_LAST},
		{'\t', COMMAND_NEXT_LIST},
		{KEY_BTAB, COMMAND_PREVIOUS_LIST},
		{'s', COMMAND_SORT},
		{'p', COMMAND_PAUSE},
		{' ', COMMAND_PAUSE},
		{'+', COMMAND_THRESHOLD_UP},
		{'=', COMMAND_THRESHOLD_UP},
		{'-', COMMAND_THRESHOLD_DOWN},
		{'r', COMMAND_RECORD},
		{'f', COMMAND_FINDINGS},
		{'w', COMMAND_PROCESSES},
		{'/', COMMAND_FILTER},
		{'o', COMMAND_OTHER},
		{'h', COMMAND_HELP},
		{'?', COMMAND_HELP},
		{KEY_F(1), COMMAND_HELP},
		{KEY_RESIZE, COMMAND_NONE},
		{12, COMMAND_REPAINT},
	};

	for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++)
		if (KEYS[i].key == key)
			return KEYS[i].command;
	return COMMAND_NONE;
}

static enum tui_action obey_mouse(struct tui_page *page)
{
	MEVENT event;

	if (getmouse(&event) != OK)
		return TUI_DRAW;
	if (event.bstate & BUTTON1_PRESSED)
		tui_click(page, event.y);
	for (int i = 0; i < WHEEL && event.bstate & (BUTTON4_PRESSED | BUTTON5_PRESSED); i++)
		tui_obey(page, event.bstate & BUTTON4_PRESSED ? COMMAND_UP : COMMAND_DOWN);
	return TUI_DRAW;
}

/* While a filter is typed, letters are no commands. */
static enum tui_action type(struct tui_page *page, int key)
{
	switch (key) {
	case KEY_ENTER:
	case '\r':
	case '\n':
		tui_filter_end(page, true);
		break;
	case 27:
		tui_filter_end(page, false);
		break;
	case KEY_BACKSPACE:
	case '\b':
		tui_filter_type(page, TUI_ERASE);
		break;
	default:
		tui_filter_type(page, key);
	}
	return TUI_DRAW;
}

enum tui_action tui_key(struct tui *tui, int wait_ms)
{
	int key;

	set_term(tui->screen);
	timeout(wait_ms);
	errno = 0;
	key = getch();
	if (key == ERR) /* EIO: the terminal is gone */
		return errno == EIO ? TUI_QUIT : TUI_IDLE;
	tui->page.message[0] = '\0';
	if (key == KEY_MOUSE)
		return obey_mouse(&tui->page);
	if (tui->page.typing)
		return type(&tui->page, key);
	if (command_of_key(key) == COMMAND_REPAINT)
		clearok(stdscr, TRUE);
	return tui_obey(&tui->page, command_of_key(key));
}

static enum tui_action list_mouse(struct tui_list *list)
{
	MEVENT event;

	if (getmouse(&event) != OK)
		return TUI_DRAW;
	if (event.bstate & BUTTON1_PRESSED)
		return tui_list_click(list, event.y);
	return tui_list_obey(list,
			     event.bstate & BUTTON4_PRESSED   ? COMMAND_UP
			     : event.bstate & BUTTON5_PRESSED ? COMMAND_DOWN
							      : COMMAND_NONE,
			     1);
}

enum tui_action tui_choose(struct tui *tui, struct tui_list *list, int wait_ms)
{
	struct tui_paint *paint = &tui->page.paint;
	int key;

	set_term(tui->screen);
	getmaxyx(stdscr, paint->rows, paint->columns);
	erase();
	tui_list_draw(paint, list);
	refresh();
	timeout(wait_ms);
	errno = 0;
	key = getch();
	if (key == ERR)
		return errno == EIO ? TUI_QUIT : TUI_IDLE;
	return key == KEY_MOUSE ? list_mouse(list)
				: tui_list_obey(list, command_of_key(key), paint->rows / 2);
}
