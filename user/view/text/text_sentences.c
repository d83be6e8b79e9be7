/* SPDX-License-Identifier: MIT */
/* The sections in prose. */
#include "view/text/text.h"

static void put_verdict(void *ctx, const struct text_buffer *paragraph)
{
	canvas_paragraph(ctx, "  ", 2, paragraph);
}

void text_verdict(const struct text_page *page, const struct process_report *process)
{
	verdict_paragraphs(page->report, process,
			   &(struct paragraph_sink){put_verdict, (void *)&page->canvas});
}

struct section {
	const struct canvas *canvas;
	const struct text_buffer *heading; /* NULL once it has been printed */
};

static void begin_section(struct section *section)
{
	if (!section->heading)
		return;
	fputc('\n', section->canvas->file);
	canvas_heading(section->canvas, section->heading);
	section->heading = NULL;
}

/* The longest of the process's stalls with this cause: its details determine the remedy. */
static const struct stall *worst_of(const struct process_report *process, enum thread_state cause)
{
	const struct stall *worst = NULL;

	for (uint32_t i = 0; i < process->loop_count; i++)
		for (uint32_t n = 0; n < process->loops[i].stall_count; n++) {
			const struct stall *stall = &process->loops[i].stalls[n];

			if (stall->cause == cause &&
			    (!worst || stall->end - stall->start > worst->end - worst->start))
				worst = stall;
		}
	return worst;
}

void text_remedies(const struct text_page *page, const struct process_report *process)
{
	const struct text_buffer heading = {.bytes = "WHAT TO DO", .length = 10};
	struct section section = {&page->canvas, &heading};

	for (int cause = 0; cause < TS_COUNT; cause++) {
		const struct stall *worst = worst_of(process, (enum thread_state)cause);
		struct text_buffer text = {0};
		char first[32];

		if (!worst)
			continue;
		begin_section(&section);
		remedy_add(&text, page->report, process->process, worst);
		snprintf(first, sizeof(first), "  %-13s ",
			 thread_state_name((enum thread_state)cause));
		canvas_paragraph(&page->canvas, first, 16, &text);
	}
}

static void put_caveat(void *ctx, const struct text_buffer *paragraph)
{
	struct section *section = ctx;

	begin_section(section);
	canvas_paragraph(section->canvas, "  ", 2, paragraph);
}

void text_caveats(const struct text_page *page)
{
	const struct text_buffer heading = {.bytes = "NOT KNOWN", .length = 9};
	struct section section = {&page->canvas, &heading};

	caveats_paragraphs(page->report, &(struct paragraph_sink){put_caveat, &section});
}
