/* SPDX-License-Identifier: MIT */
/* The head of a page: processes, threads, GILs, loops and pools, and what ids stand for. */
#include "view/page/page_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "view/assets.h"
#include "view/json_out.h"
#include "view/service.h"
#include "words/names.h"
#include "diagnosis/diagnosis.h"
#include "diagnosis/findings.h"
#include "diagnosis/pools.h"

#define JSON_TABLE "view/page/page_head.def"
#include "view/json_table.h"

#define SOURCE_COLUMNS 80

struct page_counts page_counts(const struct report *report)
{
	struct page_counts counts = {0};

	for (uint32_t p = 0; p < report->process_count; p++) {
		counts.threads += report->processes[p].thread_count;
		counts.gils += report->processes[p].gil_count;
		counts.loops += report->processes[p].loop_count;
	}
	return counts;
}

/* Nanoseconds that a JavaScript number would round. */
static json_t *exact_json(uint64_t ns)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, ns);
	return json_string(digits);
}

/* How many processes are not below the first one. */
static uint32_t outside(const struct report *report)
{
	const struct process *first = report->processes[0].process;
	uint32_t count = 0;

	for (uint32_t p = 1; p < report->process_count; p++) {
		const struct process *above = report->processes[p].process;

		for (uint32_t depth = 0; above && above != first && depth < 8; depth++)
			above = above->parent;
		count += above != first;
	}
	return count;
}

static json_t *title_json(const struct report *report)
{
	char title[sizeof(((struct process_info *)0)->cmdline) + 32];
	uint32_t others;

	if (!report->process_count)
		return json_string("gilscope");
	snprintf(title, sizeof(title), "%s", command_of(&report->processes[0].process->info));
	others = outside(report);
	if (others)
		snprintf(title + strlen(title), sizeof(title) - strlen(title), " and %u more",
			 others);
	return json_text(title);
}

/* A verdict names its process if there are several. */
struct verdict {
	FILE *file; /* one line per paragraph */
	bool begun;
	uint32_t pid; /* 0: there is only one */
};

static void put_verdict(void *ctx, const struct text_buffer *paragraph)
{
	struct verdict *verdict = ctx;
	json_t *words = json_words(paragraph);

	if (verdict->begun)
		fputc('\n', verdict->file);
	verdict->begun = true;
	if (verdict->pid)
		fprintf(verdict->file, "PID %u: ", verdict->pid);
	fputs(words ? json_string_value(words) : "", verdict->file);
	json_decref(words);
}

static json_t *verdict_json(const struct report *report)
{
	char *bytes = NULL;
	size_t length = 0;
	struct verdict verdict = {.file = open_memstream(&bytes, &length)};
	const struct process_report **sorted = service_sort(report);
	json_t *text;

	if (!verdict.file) {
		free(sorted);
		return NULL;
	}
	for (uint32_t p = 0; sorted && p < report->process_count; p++) {
		const struct process_report *process = sorted[p];

		verdict.pid = report->process_count > 1 ? process->process->info.pid : 0;
		verdict_paragraphs(report, process,
				   &(struct paragraph_sink){put_verdict, &verdict});
		pools_paragraphs(report, process, &(struct paragraph_sink){put_verdict, &verdict});
	}
	text = fclose(verdict.file) || !sorted ? NULL : json_string(bytes);
	free(sorted);
	free(bytes);
	return text;
}

static void put_caveat(void *ctx, const struct text_buffer *paragraph)
{
	json_array_append_new(ctx, json_words(paragraph));
}

static json_t *caveats_json(const struct report *report)
{
	json_t *caveats = json_array();

	caveats_paragraphs(report, &(struct paragraph_sink){put_caveat, caveats});
	return caveats;
}

static json_t *finding_json(const struct report *report, const struct finding *finding)
{
	struct text_buffer text = {0}, source = {0}, advice = {0};

	finding_text(&text, report, finding);
	text_add(&text, ".");
	finding_advice(&advice, report, finding);
	text_add_sources(&source, report, &finding->handler, &finding->inner, SOURCE_COLUMNS);
	return JSON_NEW(page_finding, .text = json_words(&text), .source = json_words(&source),
			.advice = json_words(&advice));
}

/* NULL when memory is short. */
static json_t *findings_json(const struct report *report)
{
	struct finding_list *findings = findings_new(report);
	json_t *list = findings ? json_array() : NULL;

	for (uint32_t i = 0; list && i < findings->count; i++)
		json_array_append_new(list, finding_json(report, &findings->list[i]));
	findings_free(findings);
	return list;
}

static json_t *beginning_json(const struct page_head *head)
{
	const struct report *report = head->report;
	uint64_t origin = report->window.start,
		 realtime = head->head->realtime_ns - head->head->monotonic_ns + origin;

	return JSON_NEW(page_head, .format = json_string(PAGE_FORMAT),
			.origin_ns = exact_json(origin),
			.end_ns = json_uint(report->window.end - origin),
			.realtime_ns = head->head->realtime_ns ? exact_json(realtime) : json_null(),
			.version = json_text(report->version), .title = title_json(report),
			.verdict = verdict_json(report), .findings = findings_json(report),
			.caveats = caveats_json(report));
}

/* ── the lists ───────────────────────────────────────────────────────────── */

static uint32_t number_of_gil(const struct report *report, const struct gil *gil, bool *ret_found)
{
	uint32_t number = 0;

	*ret_found = false;
	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->processes[p].gil_count; i++, number++)
			if (report->processes[p].gils[i].gil == gil) {
				*ret_found = true;
				return number;
			}
	return 0;
}

static json_t *process_json(const struct process *process)
{
	const struct process_info *info = &process->info;
	char title[PROCESS_TITLE_MAX];

	return JSON_NEW(page_process, .pid = json_integer(info->pid),
			.cmdline = json_text(info->cmdline),
			.title = json_text(process_title(process, title)),
			.python = json_text(info->python));
}

static json_t *thread_json(const struct report *report, uint32_t process,
			   const struct thread *thread, uint32_t number)
{
	struct text_buffer name = {0};
	bool found;
	uint32_t gil = number_of_gil(report, thread->gil, &found);

	text_add_thread(&name, report, thread);
	return JSON_NEW(page_thread, .process = json_integer(process),
			.tid = json_integer(thread->tid), .name = json_words(&name),
			.comm = json_text(thread->comm),
			.python_name = json_text_or_null(text_of(report, thread->python_name)),
			.loop = json_boolean(thread->loop != NULL),
			.poller = json_boolean(thread->poller), .gone = json_boolean(thread->gone),
			.gil = json_integer(found ? (json_int_t)gil : -1),
			.states = json_integer(page_lane_of_thread(number) + PAGE_LANE_STATES),
			.stacks = json_integer(page_lane_of_thread(number) + PAGE_LANE_STACKS),
			.clock = json_integer(page_lane_of_thread(number) + PAGE_LANE_CLOCK));
}

static json_t *gil_json(uint32_t process, const struct gil *gil, uint32_t lane)
{
	char address[24];

	snprintf(address, sizeof(address), "0x%llx", (unsigned long long)gil->address);
	return JSON_NEW(page_gil, .process = json_integer(process), .address = json_string(address),
			.interpreter = json_integer(gil->interpreter), .holds = json_integer(lane));
}

static void put_processes(struct json_out *out, const struct report *report)
{
	json_put_key(out, ",\n", JSON_KEY(page_head, processes));
	json_put(out, "[");
	for (uint32_t p = 0; p < report->process_count; p++) {
		json_put_next(out, p);
		json_put_value(out, process_json(report->processes[p].process), 0);
	}
}

static void put_threads(struct json_out *out, const struct report *report)
{
	uint32_t number = 0;

	json_put_key(out, "],\n", JSON_KEY(page_head, threads));
	json_put(out, "[");
	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->processes[p].thread_count; i++, number++) {
			json_put_next(out, number);
			json_put_value(out,
				       thread_json(report, p,
						   report->processes[p].threads[i].thread, number),
				       0);
		}
}

static void put_gils(struct json_out *out, const struct report *report,
		     const struct page_counts *counts)
{
	uint32_t number = 0;

	json_put_key(out, "],\n", JSON_KEY(page_head, gils));
	json_put(out, "[");
	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->processes[p].gil_count; i++, number++) {
			json_put_next(out, number);
			json_put_value(out,
				       gil_json(p, report->processes[p].gils[i].gil,
						page_lane_of_gil(counts, number)),
				       0);
		}
}

/* Always found: the report has the thread of each of its loops, usually not far after that of the
 * loop before. */
static uint32_t number_of_thread(const struct process_report *process, const struct thread *thread,
				 uint32_t before)
{
	uint32_t i = before;

	for (uint32_t n = 0; n < process->thread_count && process->threads[i].thread != thread; n++)
		i = i + 1 < process->thread_count ? i + 1 : 0;
	return i;
}

static void put_loops(struct json_out *out, const struct report *report,
		      const struct page_counts *counts)
{
	uint32_t number = 0, threads = 0;

	json_put_key(out, "],\n", JSON_KEY(page_head, loops));
	json_put(out, "[");
	for (uint32_t p = 0; p < report->process_count; p++) {
		const struct process_report *process = &report->processes[p];
		uint32_t thread = 0;

		for (uint32_t i = 0; i < process->loop_count; i++, number++) {
			thread = number_of_thread(process, process->loops[i].loop->thread, thread);

			json_put_next(out, number);
			json_put_value(
				out,
				JSON_NEW(page_loop, .thread = json_integer(threads + thread),
					 .turns = json_integer(page_lane_of_loop(counts, number))),
				0);
		}
		threads += process->thread_count;
	}
}

static json_t *pool_json(const struct report *report, uint32_t process,
			 const struct pool_report *pool, uint32_t lane)
{
	struct text_buffer name = {0};

	text_add_pool(&name, report, pool);
	return JSON_NEW(page_pool, .process = json_integer(process), .name = json_words(&name),
			.busy = json_integer(lane));
}

static void put_pools(struct json_out *out, const struct report *report,
		      const struct page_counts *counts)
{
	uint32_t number = 0;

	json_put_key(out, "],\n", JSON_KEY(page_head, pools));
	json_put(out, "[");
	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->pool_count; i++) {
			const struct pool_report *pool = &report->pools[i];

			if (pool->process != report->processes[p].process)
				continue;
			json_put_next(out, number);
			json_put_value(
				out,
				pool_json(report, p, pool, page_lane_of_pool(counts, number++)), 0);
		}
	json_put(out, "]");
}

int page_head_write(FILE *file, const struct page_head *head)
{
	const struct page_counts counts = page_counts(head->report);
	FILE *blob = page_blob_begin(file, "head");
	struct json_out out = {.file = blob};
	int put, err;

	if (!blob)
		return -ENOMEM;
	json_put(&out, "{");
	json_put_value(&out, beginning_json(head), JSON_EMBED);
	put_processes(&out, head->report);
	put_threads(&out, head->report);
	put_gils(&out, head->report, &counts);
	put_loops(&out, head->report, &counts);
	put_pools(&out, head->report, &counts);
	page_names_put(&out, head);
	json_put(&out, "}\n");
	put = json_out_finish(&out);
	err = page_blob_end(blob);
	return err ? err : put;
}
