/* SPDX-License-Identifier: MIT */
/*
 * The report as Markdown (CommonMark with GitHub's tables), for a pull request, an issue or a chat.
 * Names come from the target, so everything that could be markup is escaped.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "view/service.h"
#include "view/text/text_answer.h"

#define SOURCE_COLUMNS 80

enum { MARKDOWN_FINDINGS = 5 };

struct markdown {
	FILE *file;
	const struct report *report;
	bool in_caveats;
};

/* An underscore inside a word, the most frequent one, is not markup. */
static bool is_inside_word(const char *text, size_t at)
{
	return at && isalnum((unsigned char)text[at - 1]) && isalnum((unsigned char)text[at + 1]);
}

/* `code`: backquotes are ours. GitHub notifies whom a @name names, and ignores a backslash there;
 * a comment between keeps it from seeing a name. */
static void put_text(FILE *file, const char *text, bool code)
{
	bool quoted = false;

	for (size_t i = 0; text[i]; i++) {
		if (text[i] == '`' && code)
			quoted = !quoted;
		else if (text[i] == '_' ? !is_inside_word(text, i) && !quoted
					: strchr("\\`*[]<>|&~$#!", text[i]) && !quoted)
			fputc('\\', file);
		fputc(text[i], file);
		if (text[i] == '@' && !quoted)
			fputs("<!-- -->", file);
	}
}

static void put_escaped(FILE *file, const struct text_buffer *text)
{
	put_text(file, text->bytes, false);
}

static void put_title(const struct markdown *markdown)
{
	const struct report *report = markdown->report;
	struct text_buffer title = {0};

	if (report->process_count == 1)
		text_add_process(&title, report->processes[0].process, 80);
	else
		text_add_number_of(&title, service_process_count(report), "process", "processes");
	text_add(&title, SEPARATOR);
	text_add_duration(&title, text_window_ns(report));
	if (report->realtime_ns) {
		text_add(&title, " from ");
		text_add_day(&title, report, report->window.start);
	}
	fputs("### gilscope: ", markdown->file);
	put_escaped(markdown->file, &title);
	fputs("\n\n", markdown->file);
}

static void put_row(const struct markdown *markdown, const struct share *share, uint64_t whole,
		    const struct finding_list *findings)
{
	struct text_buffer length = {0}, part = {0}, who = {0};

	text_add_duration(&length, share->ns);
	text_add_share(&part, share->ns, whole);
	share_who(&who, markdown->report, findings, share->ids);
	fprintf(markdown->file, "| %s | %s | ", share->label, length.bytes);
	put_escaped(markdown->file, &part); /* "<0.1 %" */
	fputs(" | ", markdown->file);
	put_escaped(markdown->file, &who);
	fputs(" |\n", markdown->file);
}

static void put_table(const struct markdown *markdown, const struct finding_list *findings,
		      const struct unresponsive *all)
{
	struct share shares[UNRESPONSIVE_PARTS];
	uint32_t count = unresponsive_split(all, shares);
	struct text_buffer sentence = {0};

	text_unresponsive(&sentence, markdown->report, all);
	fputs("**", markdown->file);
	put_escaped(markdown->file, &sentence);
	fputs("**\n\n| Where the time went | time | share | mostly |\n|---|--:|--:|---|\n",
	      markdown->file);
	for (uint32_t i = 0; i < count; i++)
		put_row(markdown, &shares[i], all->ns, findings);
	fputc('\n', markdown->file);
}

static void put_paragraph(void *ctx, const struct text_buffer *paragraph)
{
	const struct markdown *markdown = ctx;

	put_escaped(markdown->file, paragraph);
	fputs("\n\n", markdown->file);
}

static void put_finding_item(const struct markdown *markdown, uint32_t number,
			     const struct finding *finding)
{
	struct text_buffer text = {0}, source = {0}, advice = {0};

	finding_text(&text, markdown->report, finding);
	finding_advice(&advice, markdown->report, finding);
	fprintf(markdown->file, "%u. ", number);
	put_escaped(markdown->file, &text);
	fputc('.', markdown->file);
	text_add_sources(&source, markdown->report, &finding->handler, &finding->inner,
			 SOURCE_COLUMNS);
	if (source.length) {
		fputs("\n   ", markdown->file);
		put_escaped(markdown->file, &source);
		fputs(advice.length ? "  " : "", markdown->file); /* breaks the line */
	}
	if (advice.length) {
		fputs("\n   ", markdown->file);
		put_text(markdown->file, advice.bytes, true);
	}
	fputc('\n', markdown->file);
}

static void put_findings(const struct markdown *markdown, const struct finding_list *findings)
{
	for (uint32_t i = 0; i < findings->count; i++) {
		if (i == MARKDOWN_FINDINGS)
			fprintf(markdown->file,
				"\n<details><summary>%u more findings</summary>\n\n",
				findings->count - i);
		put_finding_item(markdown, i + 1, &findings->list[i]);
	}
	if (findings->count > MARKDOWN_FINDINGS)
		fputs("\n</details>\n", markdown->file);
}

/* Folded away, unless data is missing. */
static void put_caveat_item(void *ctx, const struct text_buffer *paragraph)
{
	struct markdown *markdown = ctx;

	if (!markdown->in_caveats && report_partial(markdown->report))
		fputs("\n**Caveats: data is missing.**\n\n", markdown->file);
	else if (!markdown->in_caveats)
		fputs("\n<details><summary>Caveats</summary>\n\n", markdown->file);
	markdown->in_caveats = true;
	fputs("* ", markdown->file);
	put_escaped(markdown->file, paragraph);
	fputc('\n', markdown->file);
}

static void put_caveats(struct markdown *markdown)
{
	caveats_paragraphs(markdown->report, &(struct paragraph_sink){put_caveat_item, markdown});
	if (markdown->in_caveats && !report_partial(markdown->report))
		fputs("\n</details>\n", markdown->file);
}

static int show_markdown(FILE *file, const struct report *report,
			 const struct view_options *options)
{
	struct markdown markdown = {.file = file, .report = report};
	struct finding_list *findings = findings_new(report);
	struct unresponsive all = unresponsive_of(report);

	if (!findings)
		return -ENOMEM;
	put_title(&markdown);
	if (all.stalls)
		put_table(&markdown, findings, &all);
	else
		for (uint32_t p = 0; p < report->process_count; p++)
			verdict_paragraphs(report, &report->processes[p],
					   &(struct paragraph_sink){put_paragraph, &markdown});
	put_findings(&markdown, findings);
	put_caveats(&markdown);
	findings_free(findings);
	return fflush(file) ? -errno : 0;
}

const struct view view_markdown = {.name = "Markdown", .show = show_markdown};
