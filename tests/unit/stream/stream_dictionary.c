/* SPDX-License-Identifier: MIT */
#include "stream_helpers.h"

#include "stream/dictionary.h"
#include "stream/stage.h"

static struct definition function(uint32_t id, const char *name, const char *file)
{
	return (struct definition){.kind = DEFINE_FUNCTION,
				   .id = id,
				   .function = {.name = name, .file = file, .line = 7}};
}

static struct definition stack(uint32_t id, const struct stack_frame *frames, uint32_t count)
{
	return (struct definition){
		.kind = DEFINE_STACK, .id = id, .stack = {.frames = frames, .count = count}};
}

static struct definition text(uint32_t id, const char *bytes)
{
	return (struct definition){.kind = DEFINE_TEXT, .id = id, .text = bytes};
}

static struct definition source(uint32_t id, uint32_t function, uint32_t line, const char *bytes)
{
	return (struct definition){
		.kind = DEFINE_SOURCE, .id = id, .source = {function, line, bytes}};
}

static int define(struct dictionary *dictionary, struct definition definition)
{
	return dictionary_define(dictionary, &definition);
}

static void what_is_defined_is_found_by_its_number(void **state)
{
	struct dictionary *dictionary = dictionary_new();
	struct kept kept = {0};

	for (int i = 0; i < 3000; i++)
		random_define(&kept);
	for (size_t i = 0; i < kept.defined; i++)
		assert_int_equal(define(dictionary, kept_definition(&kept.definitions[i])), 0);
	for (size_t i = 0; i < kept.defined; i++) {
		const struct kept_definition *made = &kept.definitions[i];
		const struct definition *found = dictionary_find(dictionary, made->kind, made->id);
		struct kept again = {.counts = kept.counts};

		assert_non_null(found);
		again.counts.of[made->kind] = made->id - 1;
		assert_int_equal(keep_define(&again, found), 0);
		assert_true(same_definition(made, again.definitions));
		kept_done(&again);
	}
	for (int kind = 0; kind < DEFINE_KINDS; kind++) {
		assert_int_equal(dictionary_count(dictionary, kind), kept.counts.of[kind]);
		assert_null(dictionary_find(dictionary, kind, 0));
		assert_null(dictionary_find(dictionary, kind, kept.counts.of[kind] + 1));
		assert_null(dictionary_find(dictionary, kind, UINT32_MAX));
	}
	dictionary_free(dictionary);
	dictionary_free(NULL);
	kept_done(&kept);
}

/* A refused definition changes nothing: the next valid one is accepted. */
static void what_cannot_be_is_refused(void **state)
{
	static const struct stack_frame frames[DEFINE_FRAMES_MAX + 1] = {{0, 0}, {1, 5}},
								   unknown[] = {{1, 1}, {2, 1}};
	struct dictionary *dictionary = dictionary_new();
	struct definition of_no_kind = {.kind = DEFINE_KINDS, .id = 1};

	for (int kind = 0; kind < DEFINE_KINDS; kind++)
		assert_null(dictionary_find(dictionary, kind, 1));
	assert_int_equal(define(dictionary, stack(1, frames, 2)), -EBADMSG);
	assert_int_equal(define(dictionary, function(1, "main", "app.py")), 0);
	assert_int_equal(define(dictionary, of_no_kind), -EBADMSG);
	assert_int_equal(define(dictionary, function(0, "a", "b")), -EBADMSG);
	assert_int_equal(define(dictionary, function(1, "a", "b")), -EBADMSG);
	assert_int_equal(define(dictionary, function(3, "a", "b")), -EBADMSG);
	assert_int_equal(define(dictionary, function(UINT32_MAX, "a", "b")), -EBADMSG);
	assert_int_equal(define(dictionary, stack(1, frames, 0)), -EBADMSG);
	assert_int_equal(define(dictionary, stack(1, frames, DEFINE_FRAMES_MAX + 1)), -EBADMSG);
	assert_int_equal(define(dictionary, stack(1, unknown, 2)), -EBADMSG);
	assert_int_equal(define(dictionary, stack(2, frames, 2)), -EBADMSG);
	assert_int_equal(define(dictionary, text(2, "x")), -EBADMSG);
	assert_int_equal(dictionary_count(dictionary, DEFINE_FUNCTION), 1);
	assert_int_equal(dictionary_count(dictionary, DEFINE_STACK), 0);
	assert_int_equal(dictionary_count(dictionary, DEFINE_TEXT), 0);
	assert_int_equal(define(dictionary, stack(1, frames, DEFINE_FRAMES_MAX)), 0);
	assert_int_equal(define(dictionary, function(2, "f", "app.py")), 0);
	assert_int_equal(define(dictionary, stack(2, unknown, 2)), 0);
	assert_int_equal(define(dictionary, text(1, "")), 0);
	assert_string_equal(dictionary_find(dictionary, DEFINE_TEXT, 1)->text, "");
	dictionary_free(dictionary);
}

/* The latest one counts, and an empty one says that nothing is known after all. */
static void a_line_of_source_is_found_by_its_place(void **state)
{
	struct dictionary *dictionary = dictionary_new();

	assert_null(dictionary_source(dictionary, 1, 83));
	assert_int_equal(define(dictionary, source(1, 1, 83, "x = 1")), -EBADMSG);
	assert_int_equal(define(dictionary, function(1, "f", "app.py")), 0);
	assert_int_equal(define(dictionary, source(1, 0, 83, "x = 1")), -EBADMSG);
	assert_int_equal(define(dictionary, source(1, 2, 83, "x = 1")), -EBADMSG);
	assert_int_equal(define(dictionary, source(1, 1, 83, "x = 1")), 0);
	assert_int_equal(define(dictionary, source(2, 1, 0, "@app.get('/')")), 0);
	assert_string_equal(dictionary_source(dictionary, 1, 83), "x = 1");
	assert_string_equal(dictionary_source(dictionary, 1, 0), "@app.get('/')");
	assert_null(dictionary_source(dictionary, 1, 84));
	assert_null(dictionary_source(dictionary, 2, 83));
	assert_int_equal(define(dictionary, source(3, 1, 83, "x = 2")), 0);
	assert_string_equal(dictionary_source(dictionary, 1, 83), "x = 2");
	assert_int_equal(define(dictionary, source(4, 1, 83, "")), 0);
	assert_null(dictionary_source(dictionary, 1, 83));
	dictionary_free(dictionary);
}

static void so_many_of_a_kind_and_no_more(void **state)
{
	static const uint32_t limits[] = {DEFINE_FUNCTIONS_MAX, DEFINE_STACKS_MAX, DEFINE_TEXTS_MAX,
					  DEFINE_SOURCES_MAX};
	static const struct stack_frame frame = {1, 1};
	struct dictionary *dictionary = dictionary_new();
	uint64_t bytes;

	for (int kind = 0; kind < DEFINE_KINDS; kind++) {
		for (uint32_t id = 1; id <= limits[kind] + 1; id++) {
			struct definition definition = kind == DEFINE_FUNCTION
							       ? function(id, "f", "f.py")
						       : kind == DEFINE_STACK ? stack(id, &frame, 1)
						       : kind == DEFINE_TEXT
							       ? text(id, "t")
							       : source(id, 1, id, "s");

			if (define(dictionary, definition) != (id <= limits[kind] ? 0 : -EBADMSG))
				fail_msg("%s %u", definition_name(kind), id);
		}
		assert_int_equal(dictionary_count(dictionary, kind), limits[kind]);
	}
	/* 427636 definitions, with their frames and texts */
	bytes = dictionary_bytes(dictionary);
	assert_true(bytes >= 427636 * sizeof(struct definition) &&
		    bytes <= 427636 * (sizeof(struct definition) + 64));
	dictionary_free(dictionary);
}

static void texts_are_copied_byte_for_byte_and_cut_at_their_limit(void **state)
{
	struct dictionary *dictionary = dictionary_new();
	char all[256], longer[DEFINE_TEXT_MAX + 10];
	uint64_t bytes;

	for (int i = 0; i < 256; i++)
		all[i] = (char)(i + 1); /* every byte, including the NUL at the end */
	assert_int_equal(define(dictionary, function(1, all, all + 100)), 0);
	assert_string_equal(dictionary_find(dictionary, DEFINE_FUNCTION, 1)->function.name, all);
	assert_string_equal(dictionary_find(dictionary, DEFINE_FUNCTION, 1)->function.file,
			    all + 100);
	assert_int_equal(dictionary_find(dictionary, DEFINE_FUNCTION, 1)->function.line, 7);
	memset(all, 'x', sizeof(all));
	assert_int_equal(dictionary_find(dictionary, DEFINE_FUNCTION, 1)->function.name[0], 1);

	bytes = dictionary_bytes(dictionary);
	memset(longer, 0xff, sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(define(dictionary, text(1, longer)), 0);
	assert_int_equal(strlen(dictionary_find(dictionary, DEFINE_TEXT, 1)->text),
			 DEFINE_TEXT_MAX - 1);
	assert_true(dictionary_bytes(dictionary) >= bytes + DEFINE_TEXT_MAX);
	dictionary_free(dictionary);
}

static void the_sink_keeps_what_is_defined(void **state)
{
	struct kept before = {0};
	struct dictionary *dictionary = dictionary_new();
	struct stages stages = {0};
	struct stream_sink sink = stages_sink(&stages);
	struct definition wrong = text(UINT32_MAX, "wrong");

	random_stream(&before, 500);
	assert_true(before.defined > 10);
	assert_int_equal(
		stages_append(&stages, (struct stage){.sink = dictionary_sink(dictionary)}), 0);
	assert_int_equal(play(&before, sink), 0);
	for (int kind = 0; kind < DEFINE_KINDS; kind++)
		assert_int_equal(dictionary_count(dictionary, kind), before.counts.of[kind]);
	assert_int_equal(sink_define(&sink, &wrong), -EBADMSG);
	stages_done(&stages);
	dictionary_free(dictionary);
	kept_done(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_defined_is_found_by_its_number),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(a_line_of_source_is_found_by_its_place),
		cmocka_unit_test(so_many_of_a_kind_and_no_more),
		cmocka_unit_test(texts_are_copied_byte_for_byte_and_cut_at_their_limit),
		cmocka_unit_test(the_sink_keeps_what_is_defined),
	};

	return cmocka_run_group_tests_name("dictionary", tests, NULL, NULL);
}
