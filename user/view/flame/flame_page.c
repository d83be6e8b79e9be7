/* SPDX-License-Identifier: MIT */
/* The flame graph's page: a tree for each state and direction, all over one list of frames. The
 * format is in flames.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "view/assets.h"
#include "view/flames.h"
#include "view/json_out.h"
#include "words/names.h"
#include "words/palette.h"

#define JSON_TABLE "view/flame/flame_head.def"
#include "view/json_table.h"

#define GRAPHS_MAX (TS_COUNT + 1) /* gil_wait has two */

struct graph {
	struct flame_row kind; /* its state and direction */
	uint64_t ns;
};

struct flame_page {
	const struct report *report;
	const struct view_options *options;
	struct flame_index *index;
	struct graph graphs[GRAPHS_MAX];
	unsigned graph_count;
};

/* The graphs requested, in the order of flame_rows(). */
static void list_graphs(struct flame_page *page)
{
	for (int i = 0; i < TS_COUNT; i++) {
		bool waits = i == TS_GIL_WAIT;

		if (!(page->options->states & 1u << i))
			continue;
		if (!waits || page->options->directions & FLAME_WAITER)
			page->graphs[page->graph_count++].kind = (struct flame_row){
				.state = (enum thread_state)i};
		if (waits && page->options->directions & FLAME_HOLDER)
			page->graphs[page->graph_count++].kind = (struct flame_row){
				.state = (enum thread_state)i, .by_holder = true};
	}
}

static void put_varint(FILE *file, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		fputc((int)(value & 0x7f) | 0x80, file);
	fputc((int)value, file);
}

static int put_tree(FILE *file, unsigned number, const struct flame_tree *tree)
{
	char id[32];
	FILE *blob;

	snprintf(id, sizeof(id), "graph-%u", number);
	blob = page_blob_begin(file, id);
	if (!blob)
		return -ENOMEM;
	put_varint(blob, tree->count - 1);
	for (uint32_t i = 1; i < tree->count; i++)
		put_varint(blob, i - 1 - tree->nodes[i].parent);
	for (uint32_t i = 1; i < tree->count; i++)
		put_varint(blob, tree->nodes[i].frame);
	for (uint32_t i = 1; i < tree->count; i++)
		put_varint(blob, tree->nodes[i].self_ns);
	return page_blob_end(blob);
}

static int put_graphs(FILE *file, struct flame_page *page)
{
	_cleanup_(freep) struct flame_row *rows = NULL;
	size_t count = 0, at = 0;
	int err = flame_rows(page->report, page->options, &rows, &count);

	list_graphs(page);
	for (unsigned i = 0; !err && i < page->graph_count; i++) {
		struct graph *graph = &page->graphs[i];
		size_t alike = at < count ? flame_rows_alike(rows + at, count - at) : 0;
		struct flame_tree tree;

		if (!alike || rows[at].state != graph->kind.state ||
		    rows[at].by_holder != graph->kind.by_holder)
			continue;
		err = flame_tree_make(page->report, rows + at, alike, false, page->index, &tree);
		if (err < 0)
			return err;
		graph->ns = tree.nodes[0].ns;
		err = put_tree(file, i, &tree);
		flame_tree_done(&tree);
		at += alike;
	}
	return err;
}

static json_t *graph_json(const struct flame_page *page, unsigned number)
{
	const struct graph *graph = &page->graphs[number];
	const char *by = graph->kind.by_holder ? "holder" : "waiter";
	char id[32];

	snprintf(id, sizeof(id), "graph-%u", number);
	return JSON_NEW(flame_graph, .name = json_string(flame_row_kind(&graph->kind)),
			.state = json_string(thread_state_name(graph->kind.state)),
			.by = graph->kind.state == TS_GIL_WAIT ? json_string(by) : json_null(),
			.evidence = json_string(flame_row_evidence(page->report, &graph->kind)),
			.ns = json_uint(graph->ns),
			.blob = graph->ns ? json_string(id) : json_null());
}

static json_t *source_json(const struct report *report, uint32_t function, uint32_t line)
{
	const char *source = source_of(report, function, line);

	return json_text(source ? source : "");
}

static json_t *frame_json(const struct report *report, const struct flame_frame *frame)
{
	const struct frame_names plain = frame_names(
		report, &(struct stack_frame){.function = frame->function, .line = frame->line});
	struct flame_words words;

	flame_words(report, frame, &words);
	return json_pack("[s, s, i, i, o, o]", words.name, words.file, (int)words.line,
			 (int)shown_owner(words.file[0] ? handler_owner(report->finder, words.name,
									plain.file)
							: OWNER_APPLICATION),
			 source_json(report, frame->function, 0),
			 source_json(report, frame->function, frame->line));
}

static void put_page_head(struct json_out *out, const struct flame_page *page)
{
	const struct report *report = page->report;
	struct view_note notes[VIEW_FLAME_NOTES];
	unsigned note_count = view_flame_notes(report, page->options, notes);
	struct flame_title title;

	flame_title(report, &title);
	json_put(out, "{");
	json_put_value(out,
		       JSON_NEW(flame_head, .format = json_string("gilscope.flame/1"),
				.version = json_string(GILSCOPE_VERSION),
				.title = json_string(title.text),
				.processes = json_integer(report->process_count),
				.stacks = json_boolean(report->stacks)),
		       JSON_EMBED);
	json_put_key(out, ",\n", JSON_KEY(flame_head, notes));
	json_put(out, "[");
	for (unsigned i = 0; i < note_count; i++) {
		json_put_next(out, i);
		json_put_value(out, json_text(notes[i].text), JSON_ENCODE_ANY);
	}
	json_put_key(out, "],\n", JSON_KEY(flame_head, graphs));
	json_put(out, "[");
	for (unsigned i = 0; i < page->graph_count; i++) {
		json_put_next(out, i);
		json_put_value(out, graph_json(page, i), 0);
	}
	json_put_key(out, "],\n", JSON_KEY(flame_head, frames));
	json_put(out, "[");
	for (uint32_t i = 0; i < flame_index_count(page->index); i++) {
		struct flame_frame frame = flame_index_frame(page->index, i);

		json_put_next(out, i);
		json_put_value(out, frame_json(report, &frame), 0);
	}
	json_put(out, "]}\n");
}

static int put_data(FILE *file, void *ctx)
{
	struct flame_page *page = ctx;
	struct json_out out = {0};
	int err = put_graphs(file, page), ended;

	if (err < 0)
		return err;
	out.file = page_blob_begin(file, "head");
	if (!out.file)
		return -ENOMEM;
	put_page_head(&out, page);
	ended = page_blob_end(out.file);
	return out.error ? out.error : ended;
}

static int show_page(FILE *file, const struct report *report, const struct view_options *options)
{
	struct flame_page page = {.report = report, .options = options, .index = flame_index_new()};
	int err = page.index ? page_write(file, "flame.html", put_data, &page) : -ENOMEM;

	flame_index_free(page.index);
	if (!err && fflush(file) == EOF)
		err = -errno;
	return err;
}

const struct view view_flame_page = {.name = "flame page", .show = show_page};
