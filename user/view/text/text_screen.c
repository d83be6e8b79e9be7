/* SPDX-License-Identifier: MIT */
/*
 * The answer on one screen: how much of the time the event loops were unresponsive, where that time
 * went and who was behind it, and the first findings with their advice. All else is in the report.
 */
#include "view/text/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "words/names.h"

#define SCREEN_FINDINGS 5
#define SHARE_ROWS	5
#define LABEL_COLUMNS	21

/* ── how much ────────────────────────────────────────────────────────────── */

/* All loops of the report as one. */
struct unresponsive {
	uint64_t ns, stalls, longest_ns, gc_ns, stopped_ns;
	uint32_t loops;
	bool bounded; /* a lower bound: some stall is longer than what was seen of it */
	struct freeze freeze;
	struct state_sums states;
};

static void count_loop(struct unresponsive *all, const struct loop_report *loop)
{
	all->loops++;
	all->stalls += loop_stall_count(loop);
	all->ns += state_sums_total(&loop->stalled.states);
	all->gc_ns += loop->stalled.gc_ns;
	all->stopped_ns += breakdown_stopped_ns(&loop->stalled);
	if (loop->freeze.end - loop->freeze.start > all->freeze.end - all->freeze.start)
		all->freeze = loop->freeze;
	for (int s = 0; s < TS_COUNT; s++)
		all->states.ns[s] += loop->stalled.states.ns[s];
	for (uint32_t i = 0; i < loop->stall_count; i++) {
		const struct stall *stall = &loop->stalls[i];

		all->bounded |= stall->earlier || stall->ongoing;
		if (stall->end - stall->start > all->longest_ns)
			all->longest_ns = stall->end - stall->start;
	}
}

static struct unresponsive add_up(const struct report *report)
{
	struct unresponsive all = {0};

	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->processes[p].loop_count; i++)
			count_loop(&all, &report->processes[p].loops[i]);
	return all;
}

static void show_summary(const struct text_page *page, const struct unresponsive *all)
{
	struct text_buffer text = {0};
	const char *least = all->bounded ? "≥" NBSP : "";

	text_add(&text,
		 all->loops > 1 ? "The %u event loops were unresponsive for "
				: "The event loop was unresponsive for ",
		 all->loops);
	text_add(&text, "%s", least);
	text_add_share(&text, all->ns, text_window_ns(page->report) * all->loops);
	text_add(&text, " of the time: ");
	text_add_number_of(&text, all->stalls, "stall", "stalls");
	text_add(&text, ", %s", least);
	text_add_duration(&text, all->ns);
	if (all->stalls > 1) {
		text_add(&text, "; longest stall ");
		text_add_duration(&text, all->longest_ns);
	}
	if (all->freeze.stalls) {
		text_add(&text, ", longest freeze ");
		text_add_duration(&text, all->freeze.end - all->freeze.start);
	}
	text_add(&text, ".");
	fputc('\n', page->canvas.file);
	canvas_paragraph(&page->canvas, "  ", 2, &text);
}

/* ── where it went ───────────────────────────────────────────────────────── */

struct share {
	const char *label;
	uint64_t ns;
	uint32_t ids; /* findings that say who was behind it, one bit each */
};

#define ID(NAME) (1u << FINDING_##NAME)
_Static_assert(FINDING_IDS <= 32, "a bit for each");

static int largest_first(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	return (x->ns < y->ns) - (x->ns > y->ns);
}

/* The parts add up to the stalls' time. */
static uint32_t split(const struct unresponsive *all, struct share shares[static 8])
{
	const uint64_t *ns = all->states.ns;
	uint64_t asleep = ns[TS_BLOCKED] + ns[TS_HELD_BLOCKED];
	uint64_t stopped = all->stopped_ns < asleep ? all->stopped_ns : asleep;
	uint64_t gc = all->gc_ns < ns[TS_PYTHON] ? all->gc_ns : ns[TS_PYTHON];
	const struct share list[8] = {
		{"blocking calls", asleep - stopped,
		 ID(BLOCKING_CALL) | ID(HELD_ASLEEP) | ID(LOCK_HELD_BY) | ID(NATIVE_THREADS)},
		{"waiting for the GIL", ns[TS_GIL_WAIT], ID(GIL_HELD_BY)},
		{"no CPU", ns[TS_RUNNABLE] + ns[TS_HELD_RUNNABLE], ID(NO_CPU) | ID(QUOTA)},
		{"running Python", ns[TS_PYTHON] - gc,
		 ID(RUNNING_PYTHON) | ID(IMPORT_ON_LOOP) | ID(RESPONSE_OR_REQUEST_BODY) |
			 ID(NEVER_YIELDS)},
		{"C code", ns[TS_NATIVE], ID(NATIVE_CODE)},
		{"garbage collection", gc, ID(GARBAGE_COLLECTION)},
		{"stopped", stopped, ID(STOPPED)},
		{"unknown", ns[TS_UNKNOWN] + ns[TS_IDLE], 0},
	};
	uint32_t count = 0;

	memcpy(shares, list, sizeof(list));
	qsort(shares, 8, sizeof(*shares), largest_first);
	while (count < 8 && shares[count].ns)
		count++;
	return count;
}

/* Who was behind it, by the first finding of that kind. */
static void add_who(struct text_buffer *text, const struct report *report,
		    const struct finding_list *findings, uint32_t ids)
{
	const struct finding *finding = NULL;

	for (uint32_t i = 0; i < findings->count && !finding; i++)
		if (ids & (1u << findings->list[i].id))
			finding = &findings->list[i];
	if (!finding)
		return;
	if (finding->id == FINDING_QUOTA)
		text_add(text, "the cgroup's CPU quota");
	else if (finding->id == FINDING_NO_CPU && finding->neighbour_count)
		text_add_occupant(text, finding->process->process, &finding->neighbours[0]);
	else if (finding->id == FINDING_STOPPED)
		text_add(text, "%s", text_stop(finding->stop));
	else if (finding->handler.role != HANDLER_NONE)
		text_add_frame(text, report, &finding->handler.frame);
	else if (finding->inner.function)
		text_add_frame(text, report, &finding->inner);
	else if (finding->thread && finding->id == FINDING_GIL_HELD_BY)
		text_add_thread(text, report, finding->thread);
}

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
	struct share shares[8], other = {.label = "other"};
	uint32_t count = split(all, shares), rows = count <= SHARE_ROWS ? count : SHARE_ROWS - 1;

	while (rows > 1 && shares[rows - 1].ns < all->ns / 100)
		rows--;
	for (uint32_t i = 0; i < rows; i++) {
		struct text_buffer who = {0};

		add_who(&who, page->report, findings, shares[i].ids);
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
enum detail { DETAIL_LINE, DETAIL_SHORT, DETAIL_ALL, DETAILS };
static const uint32_t TEXT_LINES[] = {1, 2, UINT32_MAX}, ADVICE_LINES[] = {1, 2, UINT32_MAX};

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
	struct text_buffer text = {0}, advice = {0};
	char first[16];
	int err;

	finding_text(&text, page->report, finding);
	text_add(&text, ".");
	snprintf(first, sizeof(first), "%3u  ", number);
	err = put_lines(to, &page->canvas, first, &text, TEXT_LINES[detail]);
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
	for (int detail = DETAIL_SHORT; detail < DETAILS; detail++)
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
		text_add(&text, "%u" NBSP "more findings. ", findings->count - SCREEN_FINDINGS);
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
	const struct text_page *page;
	uint32_t left;
};

static void put_verdict(void *ctx, const struct text_buffer *paragraph)
{
	struct first_verdicts *first = ctx;

	if (!first->left)
		return;
	first->left--;
	canvas_paragraph(&first->page->canvas, "  ", 2, paragraph);
}

static void show_quiet(const struct text_page *page)
{
	struct first_verdicts first = {page, 2};

	fputc('\n', page->canvas.file);
	for (uint32_t p = 0; p < page->report->process_count; p++)
		verdict_paragraphs(page->report, &page->report->processes[p],
				   &(struct paragraph_sink){put_verdict, &first});
}

int text_screen(const struct text_page *page, const char *more)
{
	struct unresponsive all = add_up(page->report);
	struct finding_list *findings = findings_new(page->report);
	_cleanup_(freep) char *rest = NULL;
	/* the head, the sentences, the findings, and an empty line before each */
	uint32_t rows = VIEW_SCREEN_ROWS - 1 - 3 - 1;
	int err = findings ? make_rest(page, findings, more, &rest) : -ENOMEM;

	if (err < 0) {
		findings_free(findings);
		return err;
	}
	rows -= count_lines(rest);
	if (all.stalls) {
		show_summary(page, &all);
		fputc('\n', page->canvas.file);
		rows -= 1 + show_split(page, &all, findings);
	} else if (findings->list[0].id != FINDING_NOTHING_FOUND) {
		show_quiet(page);
		rows -= 2;
	}
	err = show_findings(page, findings, rows);
	if (!err)
		fputs(rest, page->canvas.file);
	findings_free(findings);
	return err;
}
