/* SPDX-License-Identifier: MIT */
#include "stream_helpers.h"

#include "stream/names/dictionary.h"
#include "stream/names/issue.h"
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
		uint32_t id = dictionary_id(dictionary, made->kind, made->id);
		struct definition definition;

		if (made->kind == DEFINE_SOURCE)
			continue;
		assert_non_null(dictionary_find(dictionary, made->kind, id));
		definition = *dictionary_find(dictionary, made->kind, id);
		if (made->kind == DEFINE_STACK) {
			struct definition expected = kept_definition(made);

			assert_int_equal(definition.stack.count, expected.stack.count);
			assert_int_equal(definition.stack.cut, expected.stack.cut);
			for (uint32_t n = 0; n < expected.stack.count; n++) {
				struct stack_frame frame = expected.stack.frames[n];

				assert_int_equal(definition.stack.frames[n].line, frame.line);
				assert_int_equal(
					definition.stack.frames[n].function,
					dictionary_id(dictionary, DEFINE_FUNCTION, frame.function));
			}
			continue;
		}
		definition.id = made->id;
		{
			struct kept again = {.counts = kept.counts};

			again.counts.of[made->kind] = made->id - 1;
			assert_int_equal(keep_define(&again, &definition), 0);
			assert_true(same_definition(made, again.definitions));
			kept_done(&again);
		}
	}
	for (int kind = 0; kind < DEFINE_KINDS; kind++) {
		assert_null(dictionary_find(dictionary, kind, 0));
		assert_int_equal(dictionary_id(dictionary, kind, 0), 0);
		assert_null(
			dictionary_find(dictionary, kind, dictionary_count(dictionary, kind) + 1));
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

static uint32_t named = 1; /* the function of these: */

/* The i-th one of a kind, as a stream defines it; all are different. */
static int define_any(struct dictionary *dictionary, enum definition_kind kind, uint32_t i)
{
	const struct stack_frame frame = {named, i};
	char name[32];

	snprintf(name, sizeof(name), "%u", i);
	return define(dictionary, kind == DEFINE_FUNCTION ? function(i, name, "f.py")
				  : kind == DEFINE_STACK  ? stack(i, &frame, 1)
				  : kind == DEFINE_TEXT	  ? text(i, name)
							  : source(i, named, i, "s"));
}

static const uint32_t limits[] = {DEFINE_FUNCTIONS_MAX, DEFINE_STACKS_MAX, DEFINE_TEXTS_MAX,
				  DEFINE_SOURCES_MAX};

/* Unless it has been told that it may forget. */
static void so_many_of_a_kind_and_no_more(void **state)
{
	struct dictionary *dictionary = dictionary_new();
	uint64_t bytes;

	for (int kind = 0; kind < DEFINE_KINDS; kind++) {
		named = kind ? DEFINE_FUNCTIONS_MAX : 1;
		for (uint32_t i = 1; i <= limits[kind] + 2; i++)
			if (define_any(dictionary, kind, i))
				fail_msg("%s %u", definition_name(kind), i);
		assert_int_equal(dictionary_count(dictionary, kind), limits[kind]);
		assert_int_equal(dictionary_refused(dictionary, kind), 2);
		if (kind == DEFINE_SOURCE)
			continue;
		assert_int_equal(dictionary_id(dictionary, kind, limits[kind]), limits[kind]);
		assert_int_equal(dictionary_id(dictionary, kind, limits[kind] + 1), 0);
		assert_int_equal(dictionary_id(dictionary, kind, 1), 0); /* too long ago */
	}
	named = 1;
	/* 444436 definitions, with their frames and texts, and what finds them */
	bytes = dictionary_bytes(dictionary);
	assert_true(bytes >= 444436 * sizeof(struct definition) &&
		    bytes <= 444436 * (sizeof(struct definition) + 128));
	dictionary_free(dictionary);
}

/* ── forgetting ──────────────────────────────────────────────────────────── */

struct user {
	struct dictionary *dictionary;
	uint32_t kept[DEFINE_KINDS]; /* an id of each kind */
	uint32_t forgotten;	     /* the id 2 of a kind has been, so many times */
	enum definition_kind kind;
};

static void keep_some(void *ctx, struct dictionary *dictionary)
{
	struct definition_visit visit = dictionary_keeping(dictionary);
	struct user *user = ctx;

	for (int kind = 0; kind < DEFINE_KINDS; kind++)
		visit_definition(&visit, kind, user->kept[kind]);
}

static void note_forgotten(void *ctx, const struct dictionary *dictionary)
{
	struct user *user = ctx;

	if (!dictionary_forgotten(dictionary, user->kind, 2))
		return;
	user->forgotten++;
	assert_non_null(dictionary_find(dictionary, user->kind, 2));
}

/* However many there are: what somebody keeps is there, what is not is not found, and what is found
 * is what it was. */
static void what_nobody_keeps_is_forgotten(void **state)
{
	for (int kind = 0; kind < DEFINE_SOURCE; kind++) {
		struct user user = {.dictionary = dictionary_new(), .kind = kind};
		struct dictionary *dictionary = user.dictionary;
		uint64_t most = 0;

		user.kept[kind] = 1;
		assert_int_equal(dictionary_forgets(dictionary,
						    (struct dictionary_user){
							    keep_some, note_forgotten, &user}),
				 0);
		if (kind == DEFINE_STACK)
			assert_int_equal(define(dictionary, function(1, "f", "f.py")), 0);
		for (uint32_t i = 1; i <= 3 * limits[kind]; i++) {
			const struct definition *found;

			assert_int_equal(define_any(dictionary, kind, i), 0);
			found = dictionary_find(dictionary, kind,
						dictionary_id(dictionary, kind, i));
			if (!found ||
			    (kind == DEFINE_STACK  ? found->stack.frames[0].line
			     : kind == DEFINE_TEXT ? (uint32_t)atoi(found->text)
						   : (uint32_t)atoi(found->function.name)) != i)
				fail_msg("%s %u", definition_name(kind), i);
			assert_true(dictionary_count(dictionary, kind) <= limits[kind]);
			if (i == 2 * limits[kind])
				most = dictionary_bytes(dictionary);
		}
		assert_int_equal(dictionary_refused(dictionary, kind), 0);
		assert_int_equal(dictionary_made(dictionary, kind), 3 * limits[kind]);
		assert_true(dictionary_bytes(dictionary) < most + most / 8);
		assert_non_null(dictionary_find(dictionary, kind, 1));
		assert_null(dictionary_find(dictionary, kind, 2));
		assert_int_equal(user.forgotten, 1);
		/* its function stays with a stack */
		if (kind == DEFINE_STACK) {
			assert_int_equal(
				dictionary_find(dictionary, kind, 1)->stack.frames[0].function, 1);
			assert_non_null(dictionary_find(dictionary, DEFINE_FUNCTION, 1));
		}
		dictionary_free(dictionary);
	}
}

static void what_is_used_stays(void **state)
{
	struct dictionary *dictionary = dictionary_new();
	union event event = {.python_name = {.hdr = {.type = EV_PYTHON_NAME}, .text = 1}}, copy;
	uint64_t now = 0;

	assert_int_equal(dictionary_forgets(dictionary, (struct dictionary_user){0}), 0);
	for (uint32_t i = 1; i <= 4 * DEFINE_TEXTS_MAX; i++) {
		assert_int_equal(define_any(dictionary, DEFINE_TEXT, i), 0);
		if (i == DEFINE_TEXTS_MAX / 2) {
			dictionary_translate(dictionary, &event, &copy);
			assert_int_equal(copy.python_name.text, 1);
			assert_true(dictionary_now(dictionary) > now);
		}
		if (i % 1000 == 0)
			dictionary_use(dictionary, DEFINE_TEXT, 3);
	}
	assert_non_null(dictionary_find(dictionary, DEFINE_TEXT, 3));
	assert_null(dictionary_find(dictionary, DEFINE_TEXT, 1));
	/* the number 1 is too old, the number 3 as well, though its text is there */
	assert_int_equal(dictionary_translate(dictionary, &event, &copy)->python_name.text, 0);
	assert_int_equal(dictionary_id(dictionary, DEFINE_TEXT, 3), 0);
	dictionary_free(dictionary);
}

static void keep_all(void *ctx, struct dictionary *dictionary)
{
	++*(uint32_t *)ctx;
	dictionary_keep_used(dictionary, 0);
}

/* Then the next ones are refused, and it is not tried every time. */
static void what_all_is_kept_is_full(void **state)
{
	struct dictionary *dictionary = dictionary_new();
	uint32_t calls = 0;

	assert_int_equal(dictionary_forgets(dictionary, (struct dictionary_user){.refers = keep_all,
										 .ctx = &calls}),
			 0);
	for (uint32_t i = 1; i <= 2 * DEFINE_TEXTS_MAX; i++)
		assert_int_equal(define_any(dictionary, DEFINE_TEXT, i), 0);
	assert_int_equal(dictionary_refused(dictionary, DEFINE_TEXT), DEFINE_TEXTS_MAX);
	assert_true(calls && calls < 20);
	dictionary_free(dictionary);
}

/* Two numbers, one id; and a line of source is the function's, whichever it names. */
static void the_same_content_is_the_same(void **state)
{
	struct dictionary *dictionary = dictionary_new();
	const struct stack_frame first = {1, 5}, second = {2, 5};

	assert_int_equal(define(dictionary, function(1, "f", "app.py")), 0);
	assert_int_equal(define(dictionary, function(2, "f", "app.py")), 0);
	assert_int_equal(define(dictionary, function(3, "f", "lib.py")), 0);
	assert_int_equal(define(dictionary, stack(1, &first, 1)), 0);
	assert_int_equal(define(dictionary, stack(2, &second, 1)), 0);
	assert_int_equal(define(dictionary, text(1, "a")), 0);
	assert_int_equal(define(dictionary, text(2, "a")), 0);
	assert_int_equal(define(dictionary, source(1, 2, 5, "x = 1")), 0);
	for (int kind = 0; kind < DEFINE_SOURCE; kind++)
		assert_int_equal(dictionary_id(dictionary, kind, 2), 1);
	assert_int_equal(dictionary_id(dictionary, DEFINE_FUNCTION, 3), 2);
	assert_string_equal(dictionary_source(dictionary, 1, 5), "x = 1");
	assert_string_equal(dictionary_next_source(dictionary, 1, NULL)->source.text, "x = 1");
	assert_null(
		dictionary_next_source(dictionary, 1, dictionary_next_source(dictionary, 1, NULL)));
	dictionary_free(dictionary);
}

/* A stream that goes through ids and back again: it has new numbers where the old ones have become
 * too old, and its reader finds the same. */
static void a_stream_is_issued_again(void **state)
{
	struct dictionary *dictionary = dictionary_new(), *reader = dictionary_new();
	struct issue issue = {.dictionary = dictionary, .to = dictionary_sink(reader)};
	const struct stack_frame frame = {1, 5};
	uint32_t stack_id, number, first, other;

	assert_int_equal(define(dictionary, function(1, "f", "app.py")), 0);
	assert_int_equal(define(dictionary, source(1, 1, 5, "x = 1")), 0);
	assert_int_equal(define(dictionary, stack(1, &frame, 1)), 0);
	stack_id = dictionary_id(dictionary, DEFINE_STACK, 1);
	assert_int_equal(dictionary_forgets(dictionary, (struct dictionary_user){0}), 0);
	assert_int_equal(issue_number(&issue, DEFINE_STACK, stack_id, &first), 0);
	assert_int_equal(first, 1);
	assert_string_equal(dictionary_source(reader, 1, 5), "x = 1");
	for (uint32_t i = 0; i < DEFINE_STACKS_MAX; i++) {
		struct stack_frame line = {1, 100 + i};
		struct definition made = stack(0, &line, 1);

		assert_int_equal(dictionary_intern(dictionary, &made, &other), 0);
		assert_int_equal(issue_number(&issue, DEFINE_STACK, other, &other), 0);
		assert_int_equal(issue_number(&issue, DEFINE_STACK, stack_id, &number), 0);
		assert_int_equal(dictionary_find(reader, DEFINE_STACK,
						 dictionary_id(reader, DEFINE_STACK, number))
					 ->stack.frames[0]
					 .line,
				 5);
	}
	assert_true(number > first);
	assert_int_equal(issue_number(&issue, DEFINE_STACK, 12345678, &number), 0);
	assert_int_equal(number, 0);
	issue_done(&issue);
	dictionary_free(dictionary);
	dictionary_free(reader);
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
	for (int kind = 0; kind < DEFINE_SOURCE; kind++)
		assert_non_null(dictionary_find(
			dictionary, kind,
			dictionary_id(dictionary, kind, (uint32_t)before.counts.of[kind])));
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
		cmocka_unit_test(what_nobody_keeps_is_forgotten),
		cmocka_unit_test(what_is_used_stays),
		cmocka_unit_test(what_all_is_kept_is_full),
		cmocka_unit_test(the_same_content_is_the_same),
		cmocka_unit_test(a_stream_is_issued_again),
		cmocka_unit_test(texts_are_copied_byte_for_byte_and_cut_at_their_limit),
		cmocka_unit_test(the_sink_keeps_what_is_defined),
	};

	return cmocka_run_group_tests_name("dictionary", tests, NULL, NULL);
}
