/* SPDX-License-Identifier: MIT */
/* The findings of the last minute, by the same rules as a report's. */
#include "view/tui/tui_private.h"

#include <errno.h>

#include "view/finding.h"

void tui_diagnose(struct tui_page *page)
{
	findings_free(page->findings);
	page->findings = NULL;
	live_report_done(&page->window);
	if (live_report_make(&page->view, &page->window) == 0)
		page->findings = findings_new(&page->window.report);
}

bool tui_has_finding(const struct tui_page *page)
{
	return page->findings && page->findings->list[0].id != FINDING_NOTHING_FOUND;
}

void tui_add_finding(struct text_buffer *text, const struct tui_page *page)
{
	finding_text(text, &page->window.report, &page->findings->list[0]);
	text_add(text, ".");
}

int tui_findings(const struct canvas *canvas, const struct tui_page *page)
{
	if (!page->findings)
		return -ENOMEM;
	for (uint32_t i = 0; i < page->findings->count; i++)
		canvas_finding(canvas, &page->window.report, i + 1, &page->findings->list[i]);
	return 0;
}
