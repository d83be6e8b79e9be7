/* SPDX-License-Identifier: MIT */
/* What the keys do: selecting, scrolling, opening. */
#include "view/tui/tui_private.h"

static bool same_stall(const struct live_stall *a, const struct live_stall *b)
{
	return a->loop == b->loop && a->stall.start == b->stall.start;
}

static void choose(struct tui_page *page, struct live_stall *stall)
{
	struct live_stall *before = page->chosen;

	page->chosen = stall ? live_stall_get(stall) : NULL;
	live_stall_put(before);
}

void tui_find_chosen(struct tui_page *page)
{
	for (uint32_t i = 0; i < page->view.stall_count && page->chosen; i++)
		if (same_stall(page->view.stalls[i], page->chosen)) {
			choose(page, page->view.stalls[i]);
			if (i < tui_pane_count(page, PANE_STALLS) &&
			    (page->panes[PANE_STALLS].selected || page->sheet != TUI_LISTS))
				page->panes[PANE_STALLS].selected = i;
			return;
		}
	/* no longer in the list; an open sheet keeps it */
	if (page->sheet == TUI_LISTS)
		choose(page, NULL);
}

/* The first row stays selected, so that new entries are seen. */
static void select_entry(struct tui_page *page, uint32_t selected)
{
	page->panes[page->focus].selected = selected;
	if (page->focus == PANE_STALLS)
		choose(page, selected && selected < page->view.stall_count
				     ? page->view.stalls[selected]
				     : NULL);
}

static void move(struct tui_page *page, int64_t by)
{
	uint32_t count = tui_pane_count(page, page->focus);
	int64_t to = (int64_t)page->panes[page->focus].selected + by;

	if (!count)
		return;
	select_entry(page, to < 0 ? 0 : to >= count ? count - 1 : (uint32_t)to);
}

static void scroll_sheet(struct tui_page *page, int64_t by)
{
	int64_t last = page->sheet_lines > page->sheet_rows
			       ? (int64_t)page->sheet_lines - page->sheet_rows
			       : 0,
		to = (int64_t)page->scroll + by;

	page->scroll = (uint32_t)(to < 0 ? 0 : to > last ? last : to);
}

static void say(struct tui_page *page, const char *what)
{
	snprintf(page->message, sizeof(page->message), "%s", what);
}

static struct live_stall *worst_of(const struct tui_page *page, const struct blame *blame)
{
	for (uint32_t i = 0; i < page->view.stall_count; i++) {
		const struct stall *stall = &page->view.stalls[i]->stall;

		if (stall->start == blame->ts_worst &&
		    stall->culprit.frame.function == blame->handler.frame.function)
			return page->view.stalls[i];
	}
	return NULL;
}

static void open_sheet(struct tui_page *page)
{
	uint32_t selected = page->panes[page->focus].selected;
	struct live_stall *stall = NULL;

	if (selected >= tui_pane_count(page, page->focus))
		stall = NULL;
	else if (page->focus == PANE_STALLS)
		stall = page->view.stalls[selected];
	else if (page->focus == PANE_FUNCTIONS)
		stall = worst_of(page, &page->view.blame[selected]);
	if (!stall) {
		say(page, page->focus == PANE_STALLS ? "There is no stall to look at."
			  : page->focus == PANE_FUNCTIONS
				  ? "It caused no stall in the last minute."
				  : "Only stalls have details; Tab goes to their list.");
		return;
	}
	choose(page, stall);
	page->sheet = TUI_STALL;
	page->scroll = 0;
}

static void close_sheet(struct tui_page *page)
{
	page->sheet = TUI_LISTS;
	page->scroll = 0;
	if (!page->panes[PANE_STALLS].selected)
		choose(page, NULL);
}

static void sort_next(struct tui_page *page)
{
	struct pane_state *state = &page->panes[page->focus];

	state->sort = (state->sort + 1) % tui_pane_sorts(page->focus);
	tui_pane_sort(page, page->focus);
	state->selected = state->top = 0;
	if (page->focus == PANE_STALLS)
		choose(page, NULL);
}

/* How many lines a command moves down, with this many per page; 0: it does not move. */
int64_t tui_steps(enum tui_command command, int64_t height)
{
	switch (command) {
	case COMMAND_UP:
		return -1;
	case COMMAND_DOWN:
		return 1;
	case COMMAND_PAGE_UP:
		return -height;
	case COMMAND_PAGE_DOWN:
		return height;
	case COMMAND_FIRST:
		return -(int64_t)UINT32_MAX;
	case COMMAND_LAST:
		return UINT32_MAX;
	default:
		return 0;
	}
}

/* Opens a sheet, or closes it if it is open. */
static void toggle_sheet(struct tui_page *page, int sheet)
{
	if ((int)page->sheet == sheet)
		close_sheet(page);
	else
		page->sheet = sheet;
	page->scroll = 0;
}

/* What a command does on a sheet as well as in the lists. */
static void obey_anywhere(struct tui_page *page, enum tui_command command)
{
	if (command == COMMAND_FINDINGS)
		toggle_sheet(page, TUI_FINDINGS);
	else if (command == COMMAND_PROCESSES)
		toggle_sheet(page, TUI_PROCESSES);
	else if (command == COMMAND_HELP)
		toggle_sheet(page, TUI_HELP);
}

/* On a sheet the arrows scroll. */
static enum tui_action obey_sheet(struct tui_page *page, enum tui_command command)
{
	int64_t steps = tui_steps(command, page->sheet_rows > 1 ? page->sheet_rows - 1 : 1);

	if (steps)
		scroll_sheet(page, steps);
	switch (command) {
	case COMMAND_QUIT:
	case COMMAND_BACK:
	case COMMAND_OPEN:
		close_sheet(page);
		break;
	default:
		obey_anywhere(page, command);
	}
	return TUI_DRAW;
}

static enum tui_action obey_lists(struct tui_page *page, enum tui_command command)
{
	int64_t steps = tui_steps(command, page->paint.rows / 3);

	if (steps)
		move(page, steps);
	switch (command) {
	case COMMAND_QUIT:
		return TUI_QUIT;
	case COMMAND_NEXT_LIST:
		page->focus = (page->focus + 1) % PANES;
		break;
	case COMMAND_PREVIOUS_LIST:
		page->focus = (page->focus + PANES - 1) % PANES;
		break;
	case COMMAND_OPEN:
		open_sheet(page);
		break;
	case COMMAND_SORT:
		sort_next(page);
		break;
	case COMMAND_BACK:
		tui_filter_end(page, false);
		break;
	case COMMAND_FILTER:
		page->typing = true;
		break;
	default:
		obey_anywhere(page, command);
	}
	return TUI_DRAW;
}

enum tui_action tui_obey(struct tui_page *page, enum tui_command command)
{
	switch (command) {
	case COMMAND_PAUSE:
		return TUI_PAUSE;
	case COMMAND_THRESHOLD_UP:
		return TUI_THRESHOLD_UP;
	case COMMAND_THRESHOLD_DOWN:
		return TUI_THRESHOLD_DOWN;
	case COMMAND_RECORD:
		return TUI_RECORD;
	case COMMAND_OTHER:
		return TUI_OTHER;
	default:
		return page->sheet == TUI_LISTS ? obey_lists(page, command)
						: obey_sheet(page, command);
	}
}

/* The first click chooses an entry, the second one opens it. */
void tui_click(struct tui_page *page, int y)
{
	for (int i = 0; i < PANES && page->sheet == TUI_LISTS; i++) {
		const struct pane_state *state = &page->panes[i];
		uint32_t entry = state->top + (uint32_t)(y - state->y - 1);

		if (y < state->y || y >= state->y + state->rows)
			continue;
		if (y > state->y && entry < tui_pane_count(page, (enum pane)i)) {
			bool again = page->focus == (enum pane)i && entry == state->selected;

			page->focus = (enum pane)i;
			select_entry(page, entry);
			if (again)
				open_sheet(page);
		}
		page->focus = (enum pane)i;
		return;
	}
}
