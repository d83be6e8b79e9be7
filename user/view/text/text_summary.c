/* SPDX-License-Identifier: MIT */
/* The answer in VIEW_SUMMARY_LINES lines, none of which is wrapped: for a log, or a message. */
#include <errno.h>

#include "view/text/text_answer.h"

/* The head, the loops, the split, and a line about what is missing. */
enum { SUMMARY_FINDINGS = VIEW_SUMMARY_LINES - 4, SUMMARY_PARTS = 3, SUMMARY_COLUMNS = 300 };

static void put_line(const struct text_page *page, const struct text_buffer *text)
{
	struct text_buffer cut = {0};

	text_add_cut(&cut, text->bytes, page->canvas.columns);
	canvas_cell(&page->canvas, cut.bytes, 0, false);
	fputc('\n', page->canvas.file);
}

/* "Of that: 36 % blocking calls, 33 % running Python, 31 % other" */
static void put_split(const struct text_page *page, const struct unresponsive *all)
{
	struct share shares[UNRESPONSIVE_PARTS];
	uint32_t count = unresponsive_split(all, shares);
	struct text_buffer line = {0};

	for (uint32_t i = 0; i < count && i <= SUMMARY_PARTS; i++) {
		bool last = i == SUMMARY_PARTS && count > i + 1;

		for (uint32_t other = i + 1; last && other < count; other++)
			shares[i].ns += shares[other].ns;
		text_add(&line, i ? ", " : "Of that: ");
		text_add_share(&line, shares[i].ns, all->ns);
		text_add(&line, " %s", last ? "other" : shares[i].label);
	}
	put_line(page, &line);
}

static void put_first_verdict(void *ctx, const struct text_buffer *paragraph)
{
	const struct text_page **page = ctx;

	if (*page)
		put_line(*page, paragraph);
	*page = NULL;
}

static void put_loops(const struct text_page *page, const struct unresponsive *all)
{
	struct text_buffer line = {0};

	if (all->stalls) {
		text_unresponsive(&line, page->report, all);
		put_line(page, &line);
		put_split(page, all);
	} else if (page->report->process_count) {
		verdict_paragraphs(page->report, &page->report->processes[0],
				   &(struct paragraph_sink){put_first_verdict, &page});
	}
}

static void put_finding_line(const struct text_page *page, uint32_t number,
			     const struct finding *finding)
{
	struct text_buffer line = {0};

	text_add(&line, "%u  ", number);
	if (finding->ns) {
		text_add_duration(&line, finding->ns);
		text_add(&line, "  ");
	}
	finding_text(&line, page->report, finding);
	put_line(page, &line);
}

static int show_summary(FILE *file, const struct report *report, const struct view_options *options)
{
	const struct text_page page = {
		.canvas = {.file = file,
			   .columns = options->columns ? text_columns(options) : SUMMARY_COLUMNS,
			   .colour = options->colour},
		.report = report};
	struct finding_list *findings = findings_new(report);
	struct unresponsive all = unresponsive_of(report);
	struct text_buffer missing = {0};

	if (!findings)
		return -ENOMEM;
	text_head(&page);
	if (all.stalls || findings->list[0].id != FINDING_NOTHING_FOUND)
		put_loops(&page, &all);
	for (uint32_t i = 0; i < findings->count && i < SUMMARY_FINDINGS; i++)
		put_finding_line(&page, i + 1, &findings->list[i]);
	findings_free(findings);
	if (report_partial(report)) {
		text_add(&missing, "Data is missing; the caveats of the whole report say which.");
		put_line(&page, &missing);
	}
	return fflush(file) ? -errno : 0;
}

const struct view view_summary = {.name = "summary", .show = show_summary};
