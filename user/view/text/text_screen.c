/* SPDX-License-Identifier: MIT */
/*
 * The answer on one screen: how much of the time the event loops were unresponsive, where that time
 * went and who was behind it, and the first findings with their advice. All else is in the report.
 */
#include "view/text/text_answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "words/names.h"

#define SCREEN_FINDINGS 5
#define SHARE_ROWS	5
#define LABEL_COLUMNS	21

/* ── where it went ───────────────────────────────────────────────────────── */

static void show_share(const struct text_page *page, const struct share *share, uint64_t whole,
		       const char *who)
{
	const struct canvas *canvas = &page->canvas;
	struct text_buffer length = {0}, part = {0}, cut = {0};
	unsigned used = 2 + LABEL_COLUMNS + 9 + 8 + 2;

	text_add_duration(&length, share->ns);
	text_add_share(&part, share->ns, whole);
	text_add_cut(&cut, who, canvas->columns > used + 8 ? canvas->columns - used : 8);
	fputs("  ", canvas->file);
	canvas_cell(canvas, share->label, LABEL_COLUMNS, false);
	canvas_cell(canvas, length.bytes, 9, true);
	canvas_cell(canvas, part.bytes, 8, true);
	fputs(cut.length ? "  " : "", canvas->file);
	canvas_cell(canvas, cut.bytes, 0, false);
	fputc('\n', canvas->file);
}

/* The smallest parts become `other`. Returns the number of rows. */
static uint32_t show_split(const struct text_page *page, const struct unresponsive *all,
			   const struct finding_list *findings)
{
	struct share shares[UNRESPONSIVE_PARTS], other = {.label = "other"};
	uint32_t count = unresponsive_split(all, shares),
		 rows = count <= SHARE_ROWS ? count : SHARE_ROWS - 1;

	while (rows > 1 && shares[rows - 1].ns < all->ns / 100)
		rows--;
	for (uint32_t i = 0; i < rows; i++) {
		struct text_buffer who = {0};

		share_who(&who, page->report, findings, shares[i].ids);
		show_share(page, &shares[i], all->ns, who.bytes);
	}
	for (uint32_t i = rows; i < count; i++)
		other.ns += shares[i].ns;
	if (other.ns)
		show_share(page, &other, all->ns, "");
	return rows + (other.ns != 0);
}

/* ── what to do ──────────────────────────────────────────────────────────── */

/* How much of a finding is shown: as much as there is room for, of the first ones before others. */
enum detail { DETAIL_LINE, DETAIL_SOURCE, DETAIL_SHORT, DETAIL_ALL, DETAILS };
static const uint32_t TEXT_LINES[] = {1, 1, 2, UINT32_MAX}, ADVICE_LINES[] = {1, 1, 2, UINT32_MAX};

static uint32_t count_lines(const char *bytes)
{
	uint32_t lines = 0;

	for (; *bytes; bytes++)
		lines += *bytes == '\n';
	return lines;
}

/* The first sentence of some advice. */
static void cut_to_sentence(struct text_buffer *text)
{
	char *end = strstr(text->bytes, ". ");

	if (!end)
		return;
	end[1] = '\0';
	text->length = (size_t)(end + 1 - text->bytes);
}

/* A paragraph of at most so many lines; the last one ends in "…" if there were more. */
static int put_lines(FILE *to, const struct canvas *like, const char *first,
		     const struct text_buffer *text, uint32_t most)
{
	_cleanup_(freep) char *bytes = NULL;
	size_t size;
	FILE *file = open_memstream(&bytes, &size);
	const struct canvas canvas = {
		.file = file, .columns = like->columns - 2, .colour = like->colour};
	char *end;

	if (!file)
		return -ENOMEM;
	canvas_paragraph(&canvas, first, (unsigned)strlen(first), text);
	if (fclose(file))
		return -ENOMEM;
	end = bytes;
	for (uint32_t i = 0; i < most && *end; i++)
		end = strchr(end, '\n') + 1;
	if (!*end) {
		fputs(bytes, to);
		return 0;
	}
	end[-1] = '\0';
	fprintf(to, "%s …\n", bytes);
	return 0;
}

static int put_finding(FILE *to, const struct text_page *page, uint32_t number,
		       const struct finding *finding, enum detail detail)
{
	struct text_buffer text = {0}, source = {0}, advice = {0};
	char first[16];
	int err;

	finding_text(&text, page->report, finding);
	text_add(&text, ".");
	snprintf(first, sizeof(first), "%3u  ", number);
	err = put_lines(to, &page->canvas, first, &text, TEXT_LINES[detail]);
	if (detail > DETAIL_LINE)
		text_add_sources(&source, page->report, &finding->handler, &finding->inner,
				 page->canvas.columns - 8);
	if (!err && source.length)
		err = put_lines(to, &page->canvas, "     ", &source, 1);
	finding_advice(&advice, page->report, finding);
	if (detail < DETAIL_ALL)
		cut_to_sentence(&advice);
	if (!err && advice.length)
		err = put_lines(to, &page->canvas, "     ", &advice, ADVICE_LINES[detail]);
	return err;
}

/* One of the first findings, in some detail. */
struct shown {
	char *bytes;
	uint32_t lines;
};

static int make_shown(const struct text_page *page, const struct finding_list *findings, uint32_t i,
		      enum detail detail, struct shown *ret_shown)
{
	size_t size;
	FILE *file = open_memstream(&ret_shown->bytes, &size);
	int err = file ? put_finding(file, page, i + 1, &findings->list[i], detail) : -ENOMEM;

	if (file && fclose(file))
		err = -ENOMEM;
	ret_shown->lines = err ? 0 : count_lines(ret_shown->bytes);
	return err;
}

/* Shows it in more detail if that fits into the rows. */
static int enlarge(const struct text_page *page, const struct finding_list *findings, uint32_t i,
		   enum detail detail, struct shown *shown, uint32_t *rows)
{
	struct shown larger = {0};
	int err = make_shown(page, findings, i, detail, &larger);

	if (!err && larger.lines <= shown->lines + *rows) {
		*rows -= larger.lines - shown->lines;
		free(shown->bytes);
		*shown = larger;
		return 0;
	}
	free(larger.bytes);
	return err;
}

static int show_findings(const struct text_page *page, const struct finding_list *findings,
			 uint32_t rows)
{
	uint32_t count = findings->count < SCREEN_FINDINGS ? findings->count : SCREEN_FINDINGS;
	struct shown shown[SCREEN_FINDINGS] = {0};
	int err = 0;

	for (uint32_t i = 0; i < count && !err; i++) {
		err = make_shown(page, findings, i, DETAIL_LINE, &shown[i]);
		rows -= shown[i].lines < rows ? shown[i].lines : rows;
	}
	for (int detail = DETAIL_SOURCE; detail < DETAILS; detail++)
		for (uint32_t i = 0; i < count && !err; i++)
			err = enlarge(page, findings, i, (enum detail)detail, &shown[i], &rows);
	fputc('\n', page->canvas.file);
	for (uint32_t i = 0; i < count; i++) {
		fputs(err ? "" : shown[i].bytes, page->canvas.file);
		free(shown[i].bytes);
	}
	return err;
}

/* ── all of it ───────────────────────────────────────────────────────────── */

static int make_rest(const struct text_page *page, const struct finding_list *findings,
		     const char *more, char **ret_bytes)
{
	struct text_buffer text = {0};
	size_t size;
	FILE *file = open_memstream(ret_bytes, &size);
	const struct canvas canvas = {.file = file, .columns = page->canvas.columns};

	if (findings->count > SCREEN_FINDINGS)
		text_add_number_of(&text, findings->count - SCREEN_FINDINGS, "more finding",
				   "more findings");
	if (text.length)
		text_add(&text, ". ");
	if (report_partial(page->report))
		text_add(&text, "Data is missing: see the caveats. ");
	text_add(&text, "%s", more ? more : "");
	if (!file)
		return -ENOMEM;
	if (text.length) {
		fputc('\n', file);
		canvas_paragraph(&canvas, "", 0, &text);
	}
	return fclose(file) ? -ENOMEM : 0;
}

/* A sentence for each loop, or about the GIL, as in the report. */
struct first_verdicts {
	const struct canvas *canvas;
	uint32_t left;
};

static void put_verdict(void *ctx, const struct text_buffer *paragraph)
{
	struct first_verdicts *first = ctx;

	if (!first->left)
		return;
	first->left--;
	canvas_paragraph(first->canvas, "  ", 2, paragraph);
}

/* Takes the rows that it needs, beyond an empty one. 0 or -ENOMEM. */
static int show_quiet(const struct text_page *page, uint32_t *rows)
{
	_cleanup_(freep) char *bytes = NULL;
	struct canvas canvas = page->canvas;
	struct first_verdicts first = {&canvas, 2};
	size_t size;
	uint32_t lines;

	canvas.file = open_memstream(&bytes, &size);
	if (!canvas.file)
		return -ENOMEM;
	for (uint32_t p = 0; p < page->report->process_count; p++)
		verdict_paragraphs(page->report, &page->report->processes[p],
				   &(struct paragraph_sink){put_verdict, &first});
	if (fclose(canvas.file))
		return -ENOMEM;
	fprintf(page->canvas.file, "\n%s", bytes);
	lines = count_lines(bytes);
	*rows -= lines < *rows ? lines : *rows;
	return 0;
}

int text_screen(const struct text_page *page, const char *more)
{
	struct unresponsive all = unresponsive_of(page->report);
	struct finding_list *findings = findings_new(page->report);
	_cleanup_(freep) char *rest = NULL;
	struct text_buffer sentence = {0};
	/* the head, the sentences, the findings, and an empty line before each */
	uint32_t rows = VIEW_SCREEN_ROWS - 1 - 3 - 1;
	int err = findings ? make_rest(page, findings, more, &rest) : -ENOMEM;

	if (err < 0) {
		findings_free(findings);
		return err;
	}
	rows -= count_lines(rest);
	if (all.stalls) {
		fputc('\n', page->canvas.file);
		text_unresponsive(&sentence, page->report, &all);
		canvas_paragraph(&page->canvas, "  ", 2, &sentence);
		fputc('\n', page->canvas.file);
		rows -= 1 + show_split(page, &all, findings);
	} else if (findings->list[0].id != FINDING_NOTHING_FOUND) {
		err = show_quiet(page, &rows);
	}
	if (!err)
		err = show_findings(page, findings, rows);
	if (!err)
		fputs(rest, page->canvas.file);
	findings_free(findings);
	return err;
}
