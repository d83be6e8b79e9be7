/* SPDX-License-Identifier: MIT */
/* The processes of a service, those whose event loops were held up most first. */
#include "view/text/text.h"

#include "view/processes.h"
#include "view/service.h"

#define SHOWN_PROCESSES 20

void text_processes(const struct text_page *page, const struct process_report **sorted)
{
	const struct canvas *canvas = &page->canvas;
	uint32_t count = page->report->process_count, unlisted,
		 shown = count <= SHOWN_PROCESSES || page->all ? count : SHOWN_PROCESSES;
	struct text_buffer text = {0};

	if (count < 2)
		return;
	fputc('\n', canvas->file);
	text_add(&text, "PROCESSES, those whose event loops were held up most first");
	canvas_heading(canvas, &text);
	canvas_processes(canvas, page->report, sorted, shown);
	if (shown == count)
		return;
	text = (struct text_buffer){0};
	unlisted = service_process_count(page->report) - shown;
	text_add_number_of(&text, unlisted, "more process", "more processes");
	text_add(&text, " (--all shows them%s).",
		 unlisted > count - shown ? ", most of those that have ended as one sum" : "");
	canvas_paragraph(canvas, "  ", 2, &text);
}
