/* SPDX-License-Identifier: MIT */
/* The filter of the lists: a part of what an entry is called, in either case. */
#include "view/tui/tui_private.h"

#include <stdlib.h>
#include <string.h>

#include "words/names.h"

static bool stall_matches(const struct tui_page *page, const void *entry)
{
	const struct live_stall *stall = *(struct live_stall *const *)entry;
	struct text_buffer text = {0};

	text_add(&text, "%s ", tui_cause(stall->stall.cause));
	tui_add_stall(&text, &page->view, stall, 400);
	return strcasestr(text.bytes, page->filter);
}

static bool function_matches(const struct tui_page *page, const void *entry)
{
	const struct blame *blame = entry;
	struct text_buffer text = {0};

	if (!blame->handler.frame.function)
		return false;
	text_add_function(&text, &page->view.about, &blame->handler.frame, 400);
	text_add(&text, " ");
	text_add_place(&text, &page->view.about, &blame->handler.frame, 400);
	return strcasestr(text.bytes, page->filter);
}

static bool thread_matches(const struct tui_page *page, const void *entry)
{
	const struct live_thread *thread = entry;
	struct text_buffer text = {0};

	text_add_thread_name(&text, &page->view.about, thread->thread, 400, false);
	text_add(&text, " %u", thread->thread->tid);
	return strcasestr(text.bytes, page->filter);
}

/* Moves the entries that match to the front, in their order. Returns how many, or all of them if
 * memory is short. */
static uint32_t divide(const struct tui_page *page, void *list, uint32_t count, size_t size,
		       bool (*matches)(const struct tui_page *page, const void *entry))
{
	char *entries = list, *rest = page->filter[0] && count ? malloc(count * size) : NULL;
	uint32_t matching = 0, others = 0;

	if (!rest)
		return count;
	for (uint32_t i = 0; i < count; i++) {
		const char *entry = entries + i * size;

		if (matches(page, entry))
			memmove(entries + matching++ * size, entry, size);
		else
			memcpy(rest + others++ * size, entry, size);
	}
	memcpy(entries + matching * size, rest, others * size);
	free(rest);
	return matching;
}

uint32_t tui_filter_list(struct tui_page *page, enum pane pane)
{
	struct live_view *view = &page->view;

	if (pane == PANE_STALLS)
		return divide(page, view->stalls, view->stall_count, sizeof(struct live_stall *),
			      stall_matches);
	if (pane == PANE_FUNCTIONS)
		return divide(page, view->blame, view->blame_count, sizeof(*view->blame),
			      function_matches);
	return divide(page, view->threads, view->thread_count, sizeof(*view->threads),
		      thread_matches);
}

static void apply(struct tui_page *page)
{
	for (int i = 0; i < PANES; i++) {
		tui_pane_sort(page, (enum pane)i);
		page->panes[i].selected = page->panes[i].top = 0;
	}
	live_stall_put(page->chosen);
	page->chosen = NULL;
}

void tui_filter_end(struct tui_page *page, bool keep)
{
	page->typing = false;
	if (keep || !page->filter[0])
		return;
	page->filter[0] = '\0';
	apply(page);
}

void tui_filter_type(struct tui_page *page, int key)
{
	size_t length = strlen(page->filter);

	if (key == TUI_ERASE) {
		/* the whole of a character of several bytes */
		while (length && ((unsigned char)page->filter[--length] & 0xc0) == 0x80)
			continue;
	} else if (key >= ' ' && key < 256 && length + 1 < sizeof(page->filter)) {
		page->filter[length++] = (char)key;
	}
	page->filter[length] = '\0';
	apply(page);
}
