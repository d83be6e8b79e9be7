/* SPDX-License-Identifier: MIT */
/* Definitions in traces: as the writer makes them, and in damaged or hostile files. */
#include "stream_made.h"

#include "stream/script/script.h"

static struct definition function(uint32_t id, const char *name, const char *file, uint32_t line)
{
	return (struct definition){
		.kind = DEFINE_FUNCTION, .id = id, .function = {name, file, line}};
}

static struct definition text(uint32_t id, const char *bytes)
{
	return (struct definition){.kind = DEFINE_TEXT, .id = id, .text = bytes};
}

static void define(struct stream_sink sink, struct definition definition)
{
	assert_int_equal(sink_define(&sink, &definition), 0);
}

static struct bytes written(const struct kept *kept)
{
	struct bytes bytes = {0};
	FILE *file = open_memstream((char **)&bytes.at, &bytes.length);
	struct trace_writer *writer;
	struct diag diag = {0};

	assert_int_equal(trace_writer_new(file, &kept->head, &diag, &writer), 0);
	assert_int_equal(play(kept, trace_writer_sink(writer)), 0);
	assert_int_equal(trace_writer_finish(writer, &diag), 0);
	trace_writer_free(writer);
	fclose(file);
	return bytes;
}

static void assert_survives(const struct kept *before)
{
	struct trace_outcome outcome;
	struct kept after = {0};
	struct diag diag = {0};
	struct bytes bytes = written(before);

	if (read_trace(bytes.at, bytes.length, &after, &outcome, &diag))
		fail_msg("%s", diag.what);
	assert_true(outcome.complete);
	assert_same(&after, before);
	free(bytes.at);
	kept_done(&after);
}

static void the_largest_and_the_smallest_survive(void **state)
{
	struct stack_frame frames[DEFINE_FRAMES_MAX];
	char longest[DEFINE_TEXT_MAX], all[256];
	struct kept kept = {0};
	struct stream_sink sink = keep_sink(&kept);

	memset(longest, 0xff, sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (int i = 0; i < 256; i++)
		all[i] = (char)(i + 1); /* every byte, including the NUL at the end */
	for (uint32_t i = 0; i < DEFINE_FRAMES_MAX; i++)
		frames[i] = (struct stack_frame){i % 4, UINT32_MAX - i};
	define(sink, function(1, longest, longest, UINT32_MAX));
	define(sink, function(2, "", "", 0));
	define(sink, function(3, all, all, 1));
	define(sink, (struct definition){.kind = DEFINE_STACK,
					 .id = 1,
					 .stack = {frames, DEFINE_FRAMES_MAX, true}});
	define(sink,
	       (struct definition){.kind = DEFINE_STACK, .id = 2, .stack = {frames, 1, false}});
	define(sink, text(1, longest));
	define(sink, text(2, ""));
	define(sink, text(3, all));
	assert_survives(&kept);
	kept_done(&kept);
}

/* The writer cuts texts, since a record must fit into its buffer. */
static void a_text_that_is_too_long_is_cut(void **state)
{
	char longer[3 * DEFINE_TEXT_MAX];
	struct kept kept = {0}, after = {0};
	struct trace_outcome outcome;
	struct diag diag = {0};
	struct trace_writer *writer;
	struct bytes bytes = {0};
	FILE *file = open_memstream((char **)&bytes.at, &bytes.length);

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(trace_writer_new(file, &kept.head, &diag, &writer), 0);
	for (uint32_t id = 1; id <= 300; id++)
		define(trace_writer_sink(writer), function(id, longer, longer, 1));
	define(trace_writer_sink(writer), text(1, longer));
	assert_int_equal(trace_writer_finish(writer, &diag), 0);
	trace_writer_free(writer);
	fclose(file);
	assert_int_equal(read_trace(bytes.at, bytes.length, &after, &outcome, &diag), 0);
	assert_int_equal(after.defined, 301);
	for (size_t i = 0; i < after.defined; i++)
		assert_int_equal(strlen(after.definitions[i].texts[0]), DEFINE_TEXT_MAX - 1);
	free(bytes.at);
	kept_done(&after);
}

/* The number of chunks of definitions; asserts that all chunks of events come after them. */
static unsigned int chunks_of_definitions(const struct bytes *bytes)
{
	unsigned int definitions = 0, events = 0;
	struct trace_chunk chunk;

	for (size_t at = sizeof(struct trace_preamble); at < bytes->length;
	     at += sizeof(chunk) + chunk.length) {
		memcpy(&chunk, bytes->at + at, sizeof(chunk));
		definitions += chunk.type == TRACE_DEFINITIONS;
		events += chunk.type == TRACE_EVENTS;
		assert_true(chunk.type != TRACE_DEFINITIONS || !events);
	}
	return definitions;
}

/* More than the writer's buffer while it holds events: the definitions still come before these. */
static void many_definitions_stand_before_the_events_that_came_with_them(void **state)
{
	struct kept kept = {0};
	struct stream_sink sink = keep_sink(&kept);
	struct bytes bytes;

	for (uint32_t id = 1; id <= 30000; id++) {
		union event event = {
			.python_name = {.hdr = {.ts = id, .type = EV_PYTHON_NAME}, .text = id}};
		char name[32];

		snprintf(name, sizeof(name), "Thread-%u", id);
		define(sink, text(id, name));
		sink_event(&sink, &event);
	}
	assert_survives(&kept);
	bytes = written(&kept);
	assert_int_equal(chunks_of_definitions(&bytes), 2);
	free(bytes.at);
	kept_done(&kept);
}

static void what_no_reader_would_take_cannot_be_written(void **state)
{
	static const struct stack_frame frames[] = {{1, 1}};
	const struct definition wrong[] = {
		function(2, "f", "f.py", 1),
		text(0, "t"),
		{.kind = DEFINE_KINDS, .id = 1},
		{.kind = DEFINE_STACK, .id = 1, .stack = {frames, 1, false}},
		{.kind = DEFINE_STACK, .id = 1, .stack = {frames, 0, false}},
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		FILE *file = fopen("/dev/null", "w");
		struct stream_head head = {0};
		struct trace_writer *writer;
		struct diag diag = {0};
		struct stream_sink sink;

		assert_int_equal(trace_writer_new(file, &head, &diag, &writer), 0);
		sink = trace_writer_sink(writer);
		assert_int_equal(sink_define(&sink, &wrong[i]), -EINVAL);
		assert_int_equal(trace_writer_finish(writer, &diag), -EINVAL);
		trace_writer_free(writer);
		fclose(file);
	}
}

static void an_error_of_the_sink_stops_reading_and_comes_back(void **state)
{
	struct kept before = {0}, after = {.fail_define_at = 5};
	struct trace_outcome outcome;
	struct diag diag = {0};
	struct bytes bytes;

	random_stream(&before, 300);
	bytes = written(&before);
	assert_int_equal(read_trace(bytes.at, bytes.length, &after, &outcome, &diag), -ECANCELED);
	assert_int_equal(after.defined, 4);
	assert_int_equal(diag.status, EXIT_FAILED);
	assert_non_null(strstr(diag.what, "cannot continue"));
	free(bytes.at);
	kept_done(&before);
	kept_done(&after);
}

/* ── by hand ─────────────────────────────────────────────────────────────── */

static void put_record(struct bytes *block, uint8_t kind, uint8_t flags, const void *body,
		       size_t size)
{
	struct trace_definition record = {kind, flags, (uint16_t)size};

	put(block, &record, sizeof(record));
	put(block, body, size);
}

static int read_definitions(const struct bytes *block, struct stream_sink sink, struct diag *diag)
{
	struct trace_outcome outcome;
	struct bytes bytes = {0};
	FILE *file;
	int err;

	put_start(&bytes);
	put_block(&bytes, TRACE_DEFINITIONS, block);
	put_chunk(&bytes, TRACE_END, &(uint64_t){0}, 8);
	file = fmemopen(bytes.at, bytes.length, "r");
	err = trace_read(file, NULL, NULL, sink, diag, &outcome);
	assert_true(err || outcome.complete);
	fclose(file);
	free(bytes.at);
	return err;
}

/* One function, then the record under test, as parts of one block. */
static int read_record(const struct trace_definitions *head, struct trace_definition record,
		       const void *body, size_t cut, struct kept *kept, struct diag *diag)
{
	struct bytes block = {0};
	int err;

	put(&block, head, sizeof(*head));
	put_record(&block, DEFINE_FUNCTION, 0, "\5\0\0\0f\0f.py", 11);
	put_record(&block, record.kind, record.flags, body, record.size);
	block.length -= cut;
	err = read_definitions(&block, keep_sink(kept), diag);
	free(block.at);
	return err;
}

/* Two definitions; the second one is of this kind and may be damaged. */
struct damaged {
	struct trace_definitions head;
	uint8_t kind;
	const void *body;
	size_t size, cut;
	const char *why; /* NULL: nothing is wrong */
};

static void check_damaged(const struct damaged *damaged, size_t i)
{
	struct kept kept = {0};
	struct diag diag = {0};
	struct trace_definition record = {damaged->kind, i % 2 ? 0xff : 0xfe,
					  (uint16_t)damaged->size};
	int err = read_record(&damaged->head, record, damaged->body, damaged->cut, &kept, &diag);

	if (err != (damaged->why ? -EBADMSG : 0) || (err && !strstr(diag.what, damaged->why)))
		fail_msg("case %zu: %d, %s", i, err, diag.what);
	assert_true(err || (kept.defined == 2 && kept.definitions[0].line == 5 &&
			    strcmp(kept.definitions[0].texts[1], "f.py") == 0));
	assert_true(kept.defined < 2 ||
		    kept.definitions[1].cut == (damaged->kind == DEFINE_STACK && i % 2));
	kept_done(&kept);
}

static void damaged_definitions_are_refused(void **state)
{
	static const struct trace_definitions two = {{1, 1, 1}, 2};
	static const unsigned char zeros[(DEFINE_FRAMES_MAX + 1) * 8];
	unsigned char longer[DEFINE_TEXT_MAX + 1];
	const struct damaged cases[] = {
		{two, DEFINE_STACK, "\1\0\0\0\2\0\0\0", 8, 0, NULL},
		{two, DEFINE_STACK, zeros, DEFINE_FRAMES_MAX * 8, 0, NULL},
		{two, DEFINE_STACK, zeros, (DEFINE_FRAMES_MAX + 1) * 8, 0, "impossible size"},
		{two, DEFINE_STACK, zeros, 7, 0, "impossible size"},
		{two, DEFINE_STACK, zeros, 0, 0, "no frames"},
		{two, DEFINE_STACK, "\2\0\0\0\2\0\0\0", 8, 0, "not defined"},
		{two, DEFINE_FUNCTION, "\5\0\0\0\0", 6, 0, NULL},
		{two, DEFINE_FUNCTION, "\5\0\0\0\0", 5, 0, "do not end"},
		{two, DEFINE_FUNCTION, "\5\0\0\0f", 5, 0, "do not end"},
		{two, DEFINE_FUNCTION, "\5\0\0\0f\0gh", 8, 0, "do not end"},
		{two, DEFINE_FUNCTION, "\5\0\0\0f\0g\0", 9, 0, "do not end"},
		{two, DEFINE_FUNCTION, "\5\0\0\0", 4, 0, "do not end"},
		{two, DEFINE_FUNCTION, "\5\0\0", 3, 0, "too short"},
		{two, DEFINE_TEXT, "", 1, 0, NULL},
		{two, DEFINE_TEXT, "", 0, 0, "does not end"},
		{two, DEFINE_TEXT, "t\0", 3, 0, "does not end"},
		{two, DEFINE_TEXT, longer + 1, DEFINE_TEXT_MAX, 0, NULL},
		{two, DEFINE_TEXT, longer, DEFINE_TEXT_MAX + 1, 0, "does not end"},
		{two, DEFINE_TEXT, "t", 2, 1, "cut off"},
		{two, DEFINE_TEXT, "t", 2, 3, "cut off"},
		{two, DEFINE_KINDS, "t", 2, 0, "no kind"},
		{two, 0xff, "t", 2, 0, "no kind"},
		{{{1, 1, 1}, 1}, DEFINE_TEXT, "t", 2, 0, "bytes after"},
		{{{1, 1, 1}, 3}, DEFINE_TEXT, "t", 2, 0, "cut off"},
		{{{1, 1, 1}, UINT32_MAX}, DEFINE_TEXT, "t", 2, 0, "cut off"},
		{{{2, 1, 1}, 2}, DEFINE_TEXT, "t", 2, 0, "missing"},
		{{{1, 0, 1}, 2}, DEFINE_TEXT, "t", 2, 0, "missing"},
		{{{1, 1, UINT32_MAX}, 2}, DEFINE_TEXT, "t", 2, 0, "missing"},
		{two, DEFINE_TEXT, "", 1, 5 + 15 + 1, "shorter than its header"},
	};

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_damaged(&cases[i], i);
	}
}

static void damaged_lines_of_source_are_refused(void **state)
{
	static const struct {
		struct trace_definitions head;
		uint8_t kind;
		const char *body;
		size_t size;
		const char *why;
	} cases[] = {
		{{{1}, 1}, DEFINE_SOURCE, "\1\0\0\0\5\0\0\0x", 10, NULL},
		{{{1}, 1}, DEFINE_SOURCE, "\1\0\0\0\0\0\0\0", 9, NULL},
		{{{1}, 1}, DEFINE_SOURCE, "\1\0\0\0\5\0\0", 7, "too short"},
		{{{1}, 1}, DEFINE_SOURCE, "\1\0\0\0\5\0\0\0x", 9, "does not end"},
		{{{1}, 1}, DEFINE_SOURCE, "\1\0\0\0\5\0\0\0x\0y", 11, "does not end"},
		{{{1}, 1}, DEFINE_SOURCE, "\2\0\0\0\5\0\0\0x", 10, "not defined"},
		{{{1}, 1}, DEFINE_SOURCE, "\0\0\0\0\5\0\0\0x", 10, "not defined"},
		{{{2}, 1}, DEFINE_SOURCE, "\1\0\0\0\5\0\0\0x", 10, "missing"},
		{{{1}, 1}, DEFINE_TEXT, "x", 2, "no kind"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static const struct trace_definitions one = {{1, 1, 1}, 1};
		struct bytes blocks[2] = {0}, bytes = {0};
		struct trace_outcome outcome;
		struct kept kept = {0};
		struct diag diag = {0};
		int err;

		put(&blocks[0], &one, sizeof(one));
		put_record(&blocks[0], DEFINE_FUNCTION, 0, "\5\0\0\0f\0f.py", 11);
		put(&blocks[1], &cases[i].head, sizeof(cases[i].head));
		put_record(&blocks[1], cases[i].kind, 0, cases[i].body, cases[i].size);
		put_start(&bytes);
		put_block(&bytes, TRACE_DEFINITIONS, &blocks[0]);
		put_block(&bytes, TRACE_SOURCES, &blocks[1]);
		err = read_trace(bytes.at, bytes.length, &kept, &outcome, &diag);
		if (err != (cases[i].why ? -EBADMSG : 0) ||
		    (err && !strstr(diag.what, cases[i].why)))
			fail_msg("case %zu: %d, %s", i, err, diag.what);
		assert_int_equal(kept.defined, err ? 1 : 2);
		kept_done(&kept);
		free(blocks[0].at);
		free(blocks[1].at);
		free(bytes.at);
	}
}

static void a_missing_chunk_is_noticed_at_the_next(void **state)
{
	static const struct trace_definitions first = {{1, 1, 1}, 1}, second = {{2, 1, 1}, 1};
	struct bytes blocks[2] = {0}, bytes = {0};
	struct trace_outcome outcome;
	struct kept kept = {0};
	struct diag diag = {0};

	put(&blocks[0], &first, sizeof(first));
	put_record(&blocks[0], DEFINE_FUNCTION, 0, "\5\0\0\0f\0f.py", 11);
	put(&blocks[1], &second, sizeof(second));
	put_record(&blocks[1], DEFINE_FUNCTION, 0, "\6\0\0\0g\0g.py", 11);
	put_start(&bytes);
	put_block(&bytes, TRACE_DEFINITIONS, &blocks[0]);
	put_block(&bytes, TRACE_DEFINITIONS, &blocks[1]);
	put_block(&bytes, TRACE_DEFINITIONS, &blocks[1]);
	assert_int_equal(read_trace(bytes.at, bytes.length, &kept, &outcome, &diag), -EBADMSG);
	assert_int_equal(kept.defined, 2);
	assert_string_equal(kept.definitions[1].texts[0], "g");
	kept_done(&kept);
	bytes.length = 0;
	put_start(&bytes);
	put_block(&bytes, TRACE_DEFINITIONS, &blocks[1]);
	assert_int_equal(read_trace(bytes.at, bytes.length, &kept, &outcome, &diag), -EBADMSG);
	assert_int_equal(kept.defined, 0);
	free(blocks[0].at);
	free(blocks[1].at);
	free(bytes.at);
}

static int count_define(void *ctx, const struct definition *definition)
{
	++*(uint32_t *)ctx;
	return 0;
}

static void numbers_go_on_for_ever(void **state)
{
	struct trace_definitions head = {{1, 1, 1}, 4 * DEFINE_TEXTS_MAX};
	struct bytes block = {0};
	struct diag diag = {0};
	uint32_t seen = 0;

	put(&block, &head, sizeof(head));
	for (uint32_t i = 0; i < head.count; i++)
		put_record(&block, DEFINE_TEXT, 0, "", 1);
	assert_int_equal(
		read_definitions(&block, (struct stream_sink){.ctx = &seen, .define = count_define},
				 &diag),
		0);
	assert_int_equal(seen, head.count);
	free(block.at);
}

/* After the last number comes the first one again. */
static void numbers_begin_anew(void **state)
{
	const uint64_t all = UINT32_MAX;
	struct definition_counts counts = {{0}};

	assert_int_equal(definition_next(&counts, DEFINE_TEXT), 1);
	assert_true(definition_age(&counts, DEFINE_TEXT, 0) == UINT64_MAX);
	assert_true(definition_age(&counts, DEFINE_TEXT, 1) == UINT64_MAX);
	assert_true(definition_age(&counts, DEFINE_TEXT, UINT32_MAX) == UINT64_MAX);
	counts.of[DEFINE_TEXT] = 5;
	assert_int_equal(definition_next(&counts, DEFINE_TEXT), 6);
	assert_int_equal(definition_age(&counts, DEFINE_TEXT, 5), 0);
	assert_int_equal(definition_age(&counts, DEFINE_TEXT, 1), 4);
	assert_true(definition_age(&counts, DEFINE_TEXT, 6) == UINT64_MAX);
	assert_true(definition_age(&counts, DEFINE_TEXT, UINT32_MAX) == UINT64_MAX);
	counts.of[DEFINE_TEXT] = all - 1;
	assert_true(definition_next(&counts, DEFINE_TEXT) == UINT32_MAX);
	counts.of[DEFINE_TEXT] = all;
	assert_int_equal(definition_next(&counts, DEFINE_TEXT), 1);
	assert_int_equal(definition_age(&counts, DEFINE_TEXT, UINT32_MAX), 0);
	counts.of[DEFINE_TEXT] = 2 * all + 3;
	assert_int_equal(definition_next(&counts, DEFINE_TEXT), 4);
	assert_int_equal(definition_age(&counts, DEFINE_TEXT, 3), 0);
	assert_int_equal(definition_age(&counts, DEFINE_TEXT, UINT32_MAX), 3);
	assert_int_equal(definition_age(&counts, DEFINE_TEXT, UINT32_MAX - 10), 13);
}

/* A function that was defined so long ago that a reader may have forgotten it is none. */
static void stacks_name_functions_that_are_known(void **state)
{
	const struct stack_frame frame = {1, 1};
	const struct definition stack = {
		.kind = DEFINE_STACK, .id = 1, .stack = {.frames = &frame, .count = 1}};
	struct definition_counts counts = {{0}};

	assert_non_null(definition_fault(&counts, &stack));
	counts.of[DEFINE_FUNCTION] = DEFINE_FUNCTIONS_MAX;
	assert_null(definition_fault(&counts, &stack));
	counts.of[DEFINE_FUNCTION]++;
	assert_non_null(definition_fault(&counts, &stack));
}

static void a_decompression_bomb_is_refused(void **state)
{
	struct bytes block = {calloc(1, TRACE_BLOCK_MAX + 1), TRACE_BLOCK_MAX + 1,
			      TRACE_BLOCK_MAX + 1};
	struct diag diag = {0};

	assert_int_equal(read_definitions(&block, (struct stream_sink){0}, &diag), -EBADMSG);
	assert_non_null(strstr(diag.what, "has no size"));
	free(block.at);
}

/* Format 1.0 had neither definitions nor the head's members about stacks. */
static void a_trace_of_the_first_version_is_read(void **state)
{
	static const struct trace_preamble preamble = {
		.magic = TRACE_MAGIC, .major = 1, .minor = 0};
	static const struct trace_block head = {
		.ts_base = 1000, .events = 1, .kinds = 1, .step_width = 1, .kind_width = 1};
	static const char process[] =
		"{\"pid\": 7, \"cmdline\": \"app\", \"python\": \"3.11.2\", \"gil_enabled\": true}";
	struct bytes block = {0}, bytes = {0};
	struct trace_outcome outcome;
	struct kept kept = {0};
	struct diag diag = {0};

	put(&block, &head, sizeof(head));
	put(&block, &(struct event_hdr){.tid = 7, .type = EV_TAKE}.tid, 8);
	put(&block, "\0\0", 2);
	put(&bytes, &preamble, sizeof(preamble));
	put_chunk(&bytes, TRACE_HEAD, "{\"version\": \"0.1.0\", \"mode\": \"exact\"}", 37);
	put_chunk(&bytes, TRACE_PROCESS, process, sizeof(process) - 1);
	put_block(&bytes, TRACE_EVENTS, &block);
	put_chunk(&bytes, TRACE_END, &(uint64_t){1}, 8);
	assert_int_equal(read_trace(bytes.at, bytes.length, &kept, &outcome, &diag), 0);
	assert_true(outcome.complete);
	assert_int_equal(kept.length, 2);
	assert_int_equal(kept.items[1].event.hdr.tid, 7);
	assert_int_equal(kept.defined, 0);
	assert_false(kept.head.stacks);
	free(block.at);
	free(bytes.at);
	kept_done(&kept);
}

/* ── the twin ────────────────────────────────────────────────────────────── */

static char *script_of(const struct kept *kept)
{
	char *script = NULL;
	size_t length;
	FILE *file = open_memstream(&script, &length);

	assert_int_equal(script_write_head(file, &kept->head), 0);
	assert_int_equal(play(kept, script_sink(file)), 0);
	fclose(file);
	return script;
}

/* Script → trace → script, where no definition comes between events. */
static void a_script_made_a_trace_gives_the_same_script(void **state)
{
	struct kept random = {0}, typed = {0}, recorded = {0};
	struct trace_outcome outcome;
	struct diag diag = {0};
	char *script, *again;
	struct bytes bytes;
	FILE *file;

	random_stream(&random, 2000);
	assert_true(random.defined > 50);
	for (size_t i = 0; i < random.defined; i++)
		random.definitions[i].after = 0;
	script = script_of(&random);
	file = fmemopen(script, strlen(script), "r");
	assert_int_equal(script_read(file, keep_head, &typed, keep_sink(&typed), &diag), 0);
	fclose(file);
	bytes = written(&typed);
	assert_int_equal(read_trace(bytes.at, bytes.length, &recorded, &outcome, &diag), 0);
	again = script_of(&recorded);
	assert_true(strcmp(script, again) == 0);
	free(script);
	free(again);
	free(bytes.at);
	kept_done(&random);
	kept_done(&typed);
	kept_done(&recorded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_largest_and_the_smallest_survive),
		cmocka_unit_test(a_text_that_is_too_long_is_cut),
		cmocka_unit_test(many_definitions_stand_before_the_events_that_came_with_them),
		cmocka_unit_test(what_no_reader_would_take_cannot_be_written),
		cmocka_unit_test(an_error_of_the_sink_stops_reading_and_comes_back),
		cmocka_unit_test(damaged_definitions_are_refused),
		cmocka_unit_test(damaged_lines_of_source_are_refused),
		cmocka_unit_test(a_missing_chunk_is_noticed_at_the_next),
		cmocka_unit_test(numbers_go_on_for_ever),
		cmocka_unit_test(numbers_begin_anew),
		cmocka_unit_test(stacks_name_functions_that_are_known),
		cmocka_unit_test(a_decompression_bomb_is_refused),
		cmocka_unit_test(a_trace_of_the_first_version_is_read),
		cmocka_unit_test(a_script_made_a_trace_gives_the_same_script),
	};

	return cmocka_run_group_tests_name("definitions", tests, NULL, NULL);
}
