/* SPDX-License-Identifier: MIT */
/* A list of lines to choose from. */
#include <string.h>

#include "view/tui/tui_private.h"

#define HEAD_ROWS 2
#define FOOT_ROWS 2

void tui_list_draw(const struct tui_paint *paint, struct tui_list *list)
{
	int room = paint->rows - HEAD_ROWS - FOOT_ROWS;
	uint32_t shown = room > 0 ? (uint32_t)room : 0;

	if (list->top > list->selected)
		list->top = list->selected;
	if (shown && list->selected >= list->top + shown)
		list->top = list->selected - shown + 1;
	tui_repeat(paint, 0, 0, paint->columns, TUI_TITLE, ' ');
	tui_put(paint, 0, 1, paint->columns - 1, TUI_TITLE, list->title);
	tui_put(paint, 1, 2, paint->columns - 2, TUI_STRONG, list->heading);
	if (!list->count)
		tui_put(paint, HEAD_ROWS, 2, paint->columns - 2, TUI_FAINT, "none");
	for (uint32_t i = 0; i < shown && list->top + i < list->count; i++) {
		bool chosen = list->top + i == list->selected;
		int y = HEAD_ROWS + (int)i;

		if (chosen)
			tui_repeat(paint, y, 0, paint->columns, TUI_TITLE, ' ');
		tui_put(paint, y, 0, 1, chosen ? TUI_TITLE : TUI_PLAIN, chosen ? ">" : " ");
		tui_put(paint, y, 2, paint->columns - 2, chosen ? TUI_TITLE : TUI_PLAIN,
			list->rows + (list->top + i) * list->row_bytes);
	}
	if (list->message)
		tui_put(paint, paint->rows - 2, 1, paint->columns - 2, TUI_WARNING, list->message);
	tui_put(paint, paint->rows - 1, 1, paint->columns - 2, TUI_PLAIN,
		"Up Down choose  Enter observe  Esc back  q quit");
}

enum tui_action tui_list_obey(struct tui_list *list, enum tui_command command, int rows)
{
	int64_t to = (int64_t)list->selected + tui_steps(command, rows);

	list->message = NULL;
	to = to >= list->count ? (int64_t)list->count - 1 : to;
	list->selected = to < 0 ? 0 : (uint32_t)to;
	switch (command) {
	case COMMAND_QUIT:
		return TUI_QUIT;
	case COMMAND_BACK:
		return TUI_BACK;
	case COMMAND_OPEN:
		return list->count ? TUI_OPEN : TUI_DRAW;
	default:
		return TUI_DRAW;
	}
}

enum tui_action tui_list_click(struct tui_list *list, int y)
{
	uint32_t entry = list->top + (uint32_t)(y - HEAD_ROWS);

	if (y < HEAD_ROWS || entry >= list->count)
		return TUI_DRAW;
	if (entry == list->selected)
		return TUI_OPEN;
	list->selected = entry;
	list->message = NULL;
	return TUI_DRAW;
}
