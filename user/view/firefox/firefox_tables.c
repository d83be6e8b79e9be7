/* SPDX-License-Identifier: MIT */
#include "view/firefox/firefox.h"

#include <errno.h>

#include "words/names.h"
#include "words/palette.h"

/* Beyond these, time is counted to the state alone. */
#define FIREFOX_FRAMES_MAX (1u << 20)
#define FIREFOX_STACKS_MAX (1u << 22)

/* Functions: those of the first names, the states, and then those that are defined. */
enum { FUNCTION_STATES = 2, FUNCTION_FIRST = FUNCTION_STATES + TS_COUNT };

struct firefox_frame {
	struct {
		uint32_t function, line;
	} key;
};

struct firefox_node {
	struct {
		uint32_t parent; /* index + 1; 0: a root */
		uint32_t frame;
	} key;
};

struct known_stack {
	uint32_t stack, node; /* as `parent` */
};

TABLE_OF(frames, struct firefox_frame, key)
TABLE_OF(nodes, struct firefox_node, key)
TABLE_OF(known, struct known_stack, stack)

void firefox_tables_begin(struct firefox_tables *tables, const struct report *report)
{
	*tables = (struct firefox_tables){
		.report = report,
		.frames = TABLE(struct firefox_frame, FIREFOX_FRAMES_MAX),
		.stacks = TABLE(struct firefox_node, FIREFOX_STACKS_MAX),
		.known = TABLE(struct known_stack, DEFINE_STACKS_MAX + 1),
	};
}

void firefox_tables_done(struct firefox_tables *tables)
{
	table_done(&tables->frames);
	table_done(&tables->stacks);
	table_done(&tables->known);
}

/* The child of a node for a frame, as `parent`; the node itself if there is no room. */
static uint32_t child_of(struct firefox_tables *tables, uint32_t node, uint32_t function,
			 uint32_t line)
{
	struct firefox_frame *frame, wanted = {.key = {function, line}};
	struct firefox_node *child, below = {.key = {.parent = node}};
	int err = frames_get(&tables->frames, &wanted.key, &frame);

	if (!err) {
		below.key.frame = (uint32_t)(frame -
					     (struct firefox_frame *)tables->frames.entries);
		err = nodes_get(&tables->stacks, &below.key, &child);
	}
	if (err == -ENOMEM)
		tables->err = err;
	return err ? node : (uint32_t)(child - (struct firefox_node *)tables->stacks.entries) + 1;
}

static uint32_t function_of(const struct stack_frame *frame)
{
	if (frame->function)
		return FUNCTION_FIRST + frame->function - 1;
	return frame->line == STACK_GAP_LINE ? FIREFOX_CUT : FIREFOX_UNREADABLE;
}

/* Of a recorded stack, as `parent`. */
static uint32_t node_of(struct firefox_tables *tables, uint32_t stack)
{
	const struct definition *definition = stack_of(tables->report, stack);
	struct known_stack *known;
	uint32_t node = 0;

	if (!definition || known_get(&tables->known, &stack, &known) < 0)
		return 0;
	if (known->node)
		return known->node;
	if (definition->stack.cut)
		node = child_of(tables, node, FIREFOX_CUT, 0);
	for (uint32_t i = definition->stack.count; i > 0; i--) {
		const struct stack_frame *frame = &definition->stack.frames[i - 1];

		node = child_of(tables, node, function_of(frame),
				frame->function ? frame->line : 0);
	}
	known->node = node;
	return node;
}

uint32_t firefox_stack(struct firefox_tables *tables, uint32_t stack, enum thread_state state)
{
	uint32_t node = child_of(tables, node_of(tables, stack), FUNCTION_STATES + state, 0);

	return node ? node - 1 : 0;
}

/* ── writing ─────────────────────────────────────────────────────────────── */

static void put_string(struct json_out *out, uint32_t index, const char *text)
{
	json_put_next(out, index);
	json_put_value(out, json_text(text), JSON_ENCODE_ANY);
}

static uint32_t function_count(const struct report *report)
{
	return dictionary_count(report->names, DEFINE_FUNCTION);
}

static const struct definition *function_at(const struct report *report, uint32_t i)
{
	return dictionary_find(report->names, DEFINE_FUNCTION, i + 1);
}

/* Our names, the states, then the names of all functions, and their files. */
static void put_strings(const struct report *report, struct json_out *out)
{
	static const char *const names[FIREFOX_NAMES] = {
		[FIREFOX_UNREADABLE] = "(unreadable)",
		[FIREFOX_CUT] = "(frames left out)",
		[FIREFOX_HOLD] = "GIL held",
		[FIREFOX_WAIT] = "waiting for the GIL",
		[FIREFOX_STALL] = "stall",
		[FIREFOX_LOSS] = "events lost",
	};
	uint32_t count = function_count(report), index = 0;

	json_put(out, "[");
	for (; index < FIREFOX_NAMES; index++)
		put_string(out, index, names[index]);
	for (int s = 0; s < TS_COUNT; s++)
		put_string(out, index++, palette_of((enum thread_state)s)->label);
	for (uint32_t i = 0; i < count; i++)
		put_string(out, index++, function_at(report, i)->function.name);
	for (uint32_t i = 0; i < count; i++)
		put_string(out, index++, function_at(report, i)->function.file);
	json_put(out, "]");
}

static uint32_t name_of_function(uint32_t function)
{
	return function < FUNCTION_STATES ? function : FIREFOX_NAMES + function - FUNCTION_STATES;
}

/* A column of a table: the same value in every row. */
static void put_constant(struct json_out *out, const char *key, const char *value, uint32_t rows)
{
	json_put_key(out, ",\n", key);
	json_put(out, "[");
	for (uint32_t i = 0; i < rows; i++) {
		json_put(out, i ? "," : "");
		json_put(out, value);
	}
	json_put(out, "]");
}

/* A column whose values `value` makes; UINT32_MAX is null. */
static void put_column(struct json_out *out, const char *key, uint32_t rows,
		       uint32_t (*value)(const struct firefox_tables *tables, uint32_t row),
		       const struct firefox_tables *tables)
{
	json_put_key(out, ",\n", key);
	json_put(out, "[");
	for (uint32_t i = 0; i < rows; i++) {
		uint32_t number = value(tables, i);

		json_put(out, i ? "," : "");
		if (number == UINT32_MAX)
			json_put(out, "null");
		else
			fprintf(out->file, "%u", number);
	}
	json_put(out, "]");
}

static void put_length(struct json_out *out, uint32_t rows)
{
	fprintf(out->file, "{\"length\": %u", rows);
}

static const struct firefox_frame *frame_at(const struct firefox_tables *tables, uint32_t i)
{
	return table_at(&tables->frames, i);
}

static const struct firefox_node *node_at(const struct firefox_tables *tables, uint32_t i)
{
	return table_at(&tables->stacks, i);
}

static uint32_t node_frame(const struct firefox_tables *tables, uint32_t row)
{
	return node_at(tables, row)->key.frame;
}

static uint32_t node_offset(const struct firefox_tables *tables, uint32_t row)
{
	uint32_t parent = node_at(tables, row)->key.parent;

	return parent ? row - (parent - 1) : 0;
}

static uint32_t frame_function(const struct firefox_tables *tables, uint32_t row)
{
	return frame_at(tables, row)->key.function;
}

static uint32_t frame_line(const struct firefox_tables *tables, uint32_t row)
{
	uint32_t line = frame_at(tables, row)->key.line;

	return line ? line : UINT32_MAX;
}

/* A state's frame has its category; others have that of their callers, the default one. */
static uint32_t frame_category(const struct firefox_tables *tables, uint32_t row)
{
	uint32_t function = frame_function(tables, row);

	return function >= FUNCTION_STATES && function < FUNCTION_FIRST
		       ? function - FUNCTION_STATES + 1
		       : UINT32_MAX;
}

static uint32_t frame_subcategory(const struct firefox_tables *tables, uint32_t row)
{
	return frame_category(tables, row) == UINT32_MAX ? UINT32_MAX : 0;
}

static uint32_t function_name(const struct firefox_tables *tables, uint32_t row)
{
	return name_of_function(row);
}

static uint32_t function_source(const struct firefox_tables *tables, uint32_t row)
{
	return row < FUNCTION_FIRST ? UINT32_MAX : row - FUNCTION_FIRST;
}

static uint32_t function_line(const struct firefox_tables *tables, uint32_t row)
{
	uint32_t line = row < FUNCTION_FIRST
				? 0
				: function_at(tables->report, row - FUNCTION_FIRST)->function.line;

	return line ? line : UINT32_MAX;
}

static uint32_t source_name(const struct firefox_tables *tables, uint32_t row)
{
	return FIREFOX_NAMES + TS_COUNT + function_count(tables->report) + row;
}

static void put_frames(const struct firefox_tables *tables, struct json_out *out)
{
	uint32_t rows = tables->frames.count;

	put_length(out, rows);
	put_constant(out, "address", "-1", rows);
	put_constant(out, "lib", "-1", rows);
	put_constant(out, "inlineDepth", "0", rows);
	put_column(out, "category", rows, frame_category, tables);
	put_column(out, "subcategory", rows, frame_subcategory, tables);
	put_column(out, "func", rows, frame_function, tables);
	put_constant(out, "nativeSymbol", "null", rows);
	put_constant(out, "innerWindowID", "null", rows);
	put_column(out, "line", rows, frame_line, tables);
	put_constant(out, "column", "null", rows);
	put_constant(out, "originalLocation", "null", rows);
	json_put(out, "}");
}

static void put_functions(const struct firefox_tables *tables, struct json_out *out)
{
	uint32_t rows = FUNCTION_FIRST + function_count(tables->report);

	put_length(out, rows);
	put_column(out, "name", rows, function_name, tables);
	put_constant(out, "isJS", "false", rows);
	put_constant(out, "relevantForJS", "false", rows);
	put_constant(out, "resource", "-1", rows);
	put_column(out, "source", rows, function_source, tables);
	put_column(out, "lineNumber", rows, function_line, tables);
	put_constant(out, "columnNumber", "null", rows);
	put_constant(out, "originalLocation", "null", rows);
	json_put(out, "}");
}

static void put_sources(const struct firefox_tables *tables, struct json_out *out)
{
	uint32_t rows = function_count(tables->report);

	put_length(out, rows);
	put_constant(out, "id", "null", rows);
	put_column(out, "filename", rows, source_name, tables);
	put_constant(out, "startLine", "1", rows);
	put_constant(out, "startColumn", "1", rows);
	put_constant(out, "sourceMapURL", "null", rows);
	put_constant(out, "content", "null", rows);
	json_put(out, "}");
}

void firefox_put_shared(struct firefox_tables *tables, struct json_out *out)
{
	json_put(out, "{\"stackTable\": ");
	put_length(out, tables->stacks.count);
	put_column(out, "frame", tables->stacks.count, node_frame, tables);
	put_column(out, "prefixOffset", tables->stacks.count, node_offset, tables);
	json_put(out, "},\n\"frameTable\": ");
	put_frames(tables, out);
	json_put(out, ",\n\"funcTable\": ");
	put_functions(tables, out);
	json_put(out, ",\n\"resourceTable\": {\"length\": 0, \"name\": [], \"host\": [], \"type\": "
		      "[]},\n\"nativeSymbols\": {\"length\": 0, \"libIndex\": [], \"address\": [], "
		      "\"name\": [], \"functionSize\": []},\n\"sources\": ");
	put_sources(tables, out);
	json_put(out, ",\n\"sourceLocationTable\": {\"length\": 0, \"source\": [], \"line\": [], "
		      "\"column\": []},\n\"stringArray\": ");
	put_strings(tables->report, out);
	json_put(out, "}");
	if (tables->err && !out->error)
		out->error = tables->err;
}

void firefox_put_categories(struct json_out *out)
{
	/* the colours that the Profiler has, nearest to those of the palette */
	static const char *const colours[TS_COUNT] = {
		[TS_PYTHON] = "orange",	       [TS_NATIVE] = "lightblue",
		[TS_GIL_WAIT] = "red",	       [TS_HELD_BLOCKED] = "magenta",
		[TS_HELD_RUNNABLE] = "yellow", [TS_BLOCKED] = "blue",
		[TS_RUNNABLE] = "green",       [TS_IDLE] = "transparent",
		[TS_UNKNOWN] = "darkgrey",
	};

	json_put(out, "[{\"name\": \"Other\", \"color\": \"grey\", \"subcategories\": "
		      "[\"Other\"]}");
	for (int s = 0; s < TS_COUNT; s++) {
		json_put(out, ",\n");
		json_put_value(out,
			       json_pack("{s:s, s:s, s:[s]}", "name",
					 palette_of((enum thread_state)s)->label, "color",
					 colours[s], "subcategories", "Other"),
			       0);
	}
	json_put(out, "]");
}
