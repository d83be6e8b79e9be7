/* SPDX-License-Identifier: MIT */
/* The sections in prose. */
#include "view/text/text.h"

#include <errno.h>

#include "diagnosis/pools.h"
#include "view/finding.h"

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

#define SHOWN_FINDINGS 5

int text_findings(const struct text_page *page)
{
	const struct text_buffer heading = {.bytes = "FINDINGS", .length = 8};
	struct finding_list *findings = findings_new(page->report);
	struct section section = {&page->canvas, &heading};
	struct text_buffer more = {0};
	uint32_t i;

	if (!findings)
		return -ENOMEM;
	begin_section(&section);
	for (i = 0; i < findings->count && (page->all || i < SHOWN_FINDINGS); i++)
		canvas_finding(&page->canvas, page->report, i + 1, &findings->list[i]);
	if (i < findings->count) {
		text_add(&more, "%u" NBSP "more: --all shows them.", findings->count - i);
		canvas_paragraph(&page->canvas, "      ", 6, &more);
	}
	findings_free(findings);
	return 0;
}

static void put_caveat(void *ctx, const struct text_buffer *paragraph)
{
	struct section *section = ctx;

	begin_section(section);
	canvas_paragraph(section->canvas, "  ", 2, paragraph);
}

void text_caveats(const struct text_page *page)
{
	const struct text_buffer heading = {.bytes = "CAVEATS", .length = 7};
	struct section section = {&page->canvas, &heading};

	caveats_paragraphs(page->report, &(struct paragraph_sink){put_caveat, &section});
}

void text_pools(const struct text_page *page, const struct process_report *process)
{
	const struct text_buffer heading = {.bytes = "POOLS of threads", .length = 16};
	struct section section = {&page->canvas, &heading};

	pools_paragraphs(page->report, process, &(struct paragraph_sink){put_caveat, &section});
}
