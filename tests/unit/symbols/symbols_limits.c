/* SPDX-License-Identifier: MIT */
/* Each thing is defined once, however often it comes; and an endless supply of new things is
 * bounded. */
#include "symbols_helpers.h"

#include <sys/mman.h>

/* A code object with the name, line and line table that the test wants, in this process's memory:
 * like 3.10's, in a layout of its own. */
struct object {
	uint64_t count, type, lines, name, file,
		span[CODE_SPAN_WORDS]; /* span[0]: the first line */
};
struct string {
	uint64_t count, type, length;
	uint32_t state, spare;
	char bytes[32];
};
static struct {
	struct object code;
	uint64_t type[4];
	struct string name, file;
	struct {
		uint64_t count, type, size;
		uint8_t bytes[1024];
	} lines;
} memory;

#define AT(member) ((int32_t)offsetof(struct object, member))
static const struct stack_layout stack_layout = {.instr_kind = STACK_LASTI_UNITS,
						 .code_span = AT(span)};
static const struct python_layout layout = {
	.object_type = 8,
	.type_name = 24,
	.code_filename = AT(file),
	.code_name = AT(name),
	.code_qualname = LAYOUT_NONE,
	.code_linetable = AT(lines),
	.code_firstlineno = AT(span),
	.unicode_length = 16,
	.unicode_state = 24,
	.unicode_ascii = 32,
	.unicode_compact = 32,
	.bytes_size = 16,
	.bytes_data = 24,
	.lines_form = LINES_310,
};

static uint64_t address(const void *object)
{
	return (uint64_t)(uintptr_t)object;
}

static void put_string(struct string *string, const char *text)
{
	string->length = strlen(text);
	string->state = 1 << 5 | 1 << 6 | 1 << 2;
	memcpy(string->bytes, text, strlen(text));
}

/* A line table of 500 instructions of two bytes, one a line. */
static void start(struct received *received)
{
	static const char code[] = "code";

	memory.type[3] = address(code);
	memory.code = (struct object){.count = 1,
				      .type = address(memory.type),
				      .lines = address(&memory.lines),
				      .name = address(&memory.name),
				      .file = address(&memory.file),
				      .span = {1}};
	put_string(&memory.name, "f");
	put_string(&memory.file, "a.py");
	memory.lines.size = 1000;
	for (int i = 0; i < 1000; i += 2) {
		memory.lines.bytes[i] = 2;
		memory.lines.bytes[i + 1] = 1;
	}
	received_init(received);
	assert_int_equal(
		symbols_add_process(received->symbols, (uint32_t)getpid(), &stack_layout, &layout),
		0);
}

static struct shared_frame frame_at(uint32_t line)
{
	return (struct shared_frame){
		.code = address(&memory.code),
		.lasti = (line - 2) * 2,
		.check = check_of(getpid(), &stack_layout, address(&memory.code))};
}

static uint32_t two_frames(struct received *received, const struct shared_frame *frame,
			   uint32_t one, uint32_t two)
{
	struct shared_stack stack = stack_of(received, (uint32_t)getpid(), 2);

	stack.frames[0] = stack.frames[1] = *frame;
	stack.frames[0].lasti = one * 2;
	stack.frames[1].lasti = two * 2;
	assert_int_equal(symbols_stack(received->symbols, &stack), 0);
	return stack_id(received->symbols, stack.hash);
}

static void the_same_is_defined_once(void **state)
{
	_cleanup_(received_done) struct received received;
	struct shared_stack stack;
	struct shared_frame frame;
	uint32_t id;

	start(&received);
	frame = frame_at(2);
	stack = stack_of(&received, (uint32_t)getpid(), 1);
	stack.frames[0] = frame;
	assert_int_equal(stack_id(received.symbols, stack.hash), 0);
	resolved(&received, &stack);
	id = stack_id(received.symbols, stack.hash);
	assert_int_equal(id, 1);
	resolved(&received, &stack); /* sent again */
	stack.hash++;		     /* of another process that runs the same program */
	assert_int_equal(
		symbols_add_process(received.symbols, (uint32_t)getpid(), &stack_layout, &layout),
		0);
	resolved(&received, &stack);
	assert_int_equal(stack_id(received.symbols, stack.hash), 1);
	assert_int_equal(symbols_status(received.symbols).reads, 2);
	assert_int_equal(dictionary_count(received.dictionary, DEFINE_FUNCTION), 1);
	assert_int_equal(dictionary_count(received.dictionary, DEFINE_STACK), 1);
	stack.hash++;
	stack.hdr.flags = SHARED_STACK_CUT;
	assert_true(resolved(&received, &stack)->stack.cut);
	assert_int_equal(stack_id(received.symbols, stack.hash), 2);
	stack.hash++;
	stack.hdr.aux = 0; /* without frames there is nothing to define */
	assert_int_equal(symbols_stack(received.symbols, &stack), 0);
	assert_int_equal(stack_id(received.symbols, stack.hash), 0);
	received.last_hash = stack.hash;
	memory.code.span[0] = 100; /* another function */
	frame = frame_at(2);
	assert_int_equal(resolved_frame(&received, (uint32_t)getpid(), frame).function, 2);
}

static void stacks_go_on_for_ever(void **state)
{
	_cleanup_(received_done) struct received received;
	enum { LINES = 490 };
	struct shared_frame frame;
	uint64_t first, full_bytes;
	const struct definition *stack;
	uint32_t id;

	start(&received);
	frame = frame_at(2);
	first = received.last_hash + 1;
	for (uint32_t i = 0; i < DEFINE_STACKS_MAX; i++) {
		assert_int_not_equal(two_frames(&received, &frame, i / LINES, i % LINES), 0);
		if (i % 1000 == 0) /* in use: no number of it is ever too old */
			id = stack_id(received.symbols, first + 5);
	}
	full_bytes = symbols_status(received.symbols).bytes;
	for (uint32_t i = DEFINE_STACKS_MAX; i < LINES * LINES; i++) {
		assert_int_not_equal(two_frames(&received, &frame, i / LINES, i % LINES), 0);
		if (i % 1000)
			continue;
		id = stack_id(received.symbols, first + 5);
		assert_true(received.counts[DEFINE_STACK] - id <= DEFINE_STACKS_MAX / 2);
		/* the same content under every number that it had */
		id = dictionary_id(received.dictionary, DEFINE_STACK, id);
		stack = dictionary_find(received.dictionary, DEFINE_STACK, id);
		assert_int_equal(stack->stack.frames[0].line, 2);
		assert_int_equal(stack->stack.frames[1].line, 2 + 5);
	}
	assert_true(symbols_status(received.symbols).bytes < full_bytes + (8u << 20));
	/* what was not used is not known any more; when it comes again, it has a new number */
	assert_int_equal(stack_id(received.symbols, first + 6), 0);
	id = two_frames(&received, &frame, 0, 6);
	assert_int_equal(id, received.counts[DEFINE_STACK]);
	/* hashes are forgotten, oldest first, but not those in use */
	for (uint32_t i = 0; i < 300000; i++) {
		two_frames(&received, &frame, 0, 1);
		if (i % 1000 == 0)
			assert_int_not_equal(stack_id(received.symbols, first + 5), 0);
	}
	assert_int_not_equal(stack_id(received.symbols, received.last_hash - 65536), 0);
	assert_true(symbols_status(received.symbols).bytes < full_bytes + (8u << 20));
	assert_true(symbols_status(received.symbols).bytes < 80u << 20);
}

#define OBJECTS 70000

/* A stack of 100 code objects from `first` on, which become functions with lines from `line` on. */
static const struct definition *hundred(struct received *received, struct object *objects,
					uint32_t first, uint32_t line)
{
	struct shared_stack stack = stack_of(received, (uint32_t)getpid(), 100);

	for (uint32_t i = 0; i < 100; i++) {
		objects[first + i] = memory.code;
		objects[first + i].span[0] = line + i;
		stack.frames[i] = (struct shared_frame){
			.code = address(&objects[first + i]),
			.lasti = UINT32_MAX,
			.check = check_of(getpid(), &stack_layout, address(&objects[first + i]))};
	}
	return resolved(received, &stack);
}

/* Of a frame's function. */
static uint32_t first_line(const struct received *received, const struct definition *stack,
			   uint32_t i)
{
	const struct definition *function = dictionary_find(received->dictionary, DEFINE_FUNCTION,
							    stack->stack.frames[i].function);

	return function ? function->function.line : 0;
}

static void functions_go_on_for_ever_and_code_objects_have_an_end(void **state)
{
	_cleanup_(received_done) struct received received;
	struct object *objects = calloc(OBJECTS, sizeof(*objects));
	const struct definition *stack;
	uint64_t reads;
	uint32_t count = 0;

	assert_non_null(objects);
	start(&received);
	for (; count < 2 * DEFINE_FUNCTIONS_MAX; count += 100) {
		stack = hundred(&received, objects, count % OBJECTS, count + 1);
		for (uint32_t i = 0; i < 100; i++)
			assert_int_equal(first_line(&received, stack, i), count + i + 1);
	}
	assert_int_equal(symbols_status(received.symbols).frames_missing, 0);
	assert_true(symbols_status(received.symbols).bytes < 208u << 20);
	reads = symbols_status(received.symbols).reads;
	assert_int_equal(reads, count);
	/* the last 65536 code objects are kept, and as many of their line tables as fit */
	stack = hundred(&received, objects, (count - 60000) % OBJECTS, count - 60000 + 1);
	assert_int_equal(first_line(&received, stack, 7), count - 60000 + 8);
	assert_int_equal(symbols_status(received.symbols).reads, reads);
	stack = hundred(&received, objects, (count - 68000) % OBJECTS, count - 68000 + 1);
	assert_int_equal(first_line(&received, stack, 7), count - 68000 + 8);
	assert_int_equal(symbols_status(received.symbols).reads, reads + 100);
	/* the first ones have been forgotten: they are functions anew */
	stack = hundred(&received, objects, 0, 1);
	assert_int_equal(first_line(&received, stack, 7), 8);
	assert_true(received.counts[DEFINE_FUNCTION] > count);
	free(objects);
}

static void line_tables_have_an_end(void **state)
{
	_cleanup_(received_done) struct received received;
	struct object *objects = calloc(100, sizeof(*objects));
	struct {
		uint64_t count, type, size;
		uint8_t bytes[SYMBOLS_LINETABLE_MAX];
	} *lines = calloc(1, sizeof(*lines));
	uint64_t before;

	assert_true(objects && lines);
	start(&received);
	lines->size = SYMBOLS_LINETABLE_MAX;
	memory.code.lines = address(lines);
	before = symbols_status(received.symbols).bytes;
	hundred(&received, objects, 0, 1);
	assert_int_equal(symbols_status(received.symbols).reads, 100);
	assert_true(symbols_status(received.symbols).bytes - before < 65u << 20);
	assert_true(symbols_status(received.symbols).bytes - before > 60u << 20);
	free(objects);
	free(lines);
}

static const char *text_of(const struct received *received, uint32_t number)
{
	return dictionary_find(received->dictionary, DEFINE_TEXT,
			       dictionary_id(received->dictionary, DEFINE_TEXT, number))
		->text;
}

static void texts_of_the_probes_are_clean(void **state)
{
	_cleanup_(received_done) struct received received;
	struct shared_text text = {.hdr = {.type = RING_TEXT}, .hash = 7};
	uint32_t id = 99;

	received_init(&received);
	text.hdr.aux = 6;
	memcpy(text.bytes, "Task-1xyz", 9);
	assert_int_equal(symbols_text(received.symbols, &text), 0);
	assert_int_equal(text_id(received.symbols, 7), 1);
	assert_string_equal(text_of(&received, 1), "Task-1");
	assert_int_equal(symbols_name(received.symbols, "Task-1", &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(text_id(received.symbols, 8), 0);
	text.hash = 8; /* cut within a character by the probes */
	text.hdr.aux = SHARED_TEXT_MAX;
	memset(text.bytes, 'x', SHARED_TEXT_MAX);
	memcpy(text.bytes + SHARED_TEXT_MAX - 2, "\xe5\x90", 2);
	assert_int_equal(symbols_text(received.symbols, &text), 0);
	assert_int_equal(strlen(text_of(&received, text_id(received.symbols, 8))),
			 SHARED_TEXT_MAX - 2);
	text.hash = 9; /* two-byte characters */
	text.hdr.flags = 2;
	text.hdr.aux = 6;
	memcpy(text.bytes,
	       "\x21\x04"
	       "\x0d\x54"
	       "\x00\xd8",
	       6);
	assert_int_equal(symbols_text(received.symbols, &text), 0);
	assert_string_equal(text_of(&received, text_id(received.symbols, 9)), "С名\xef\xbf\xbd");
	text.hash = 10; /* four-byte characters, cut within the second one */
	text.hdr.flags = 4;
	memcpy(text.bytes,
	       "\x0d\xf4\x01\x00"
	       "\x0d",
	       5);
	assert_int_equal(symbols_text(received.symbols, &text), 0);
	assert_string_equal(text_of(&received, text_id(received.symbols, 10)), "\xf0\x9f\x90\x8d");
}

static void names_are_clean_and_go_on_for_ever(void **state)
{
	_cleanup_(received_done) struct received received;
	char longer[3 * DEFINE_TEXT_MAX] = {0};
	uint32_t id;

	received_init(&received);
	assert_int_equal(symbols_name(received.symbols, "Task-1", &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(symbols_name(received.symbols,
				      "a\xff"
				      "b\xc0\x80"
				      "c\xed\xa0\x80"
				      "d\xf4\x90\x80\x80"
				      "e\xe5\x90",
				      &id),
			 0);
	assert_string_equal(text_of(&received, id), "a\xef\xbf\xbd"
						    "b\xef\xbf\xbd\xef\xbf\xbd"
						    "c\xef\xbf\xbd"
						    "d\xef\xbf\xbd"
						    "e\xef\xbf\xbd");
	for (size_t i = 0; i + 3 < sizeof(longer); i += 3)
		memcpy(longer + i, "名", 3);
	assert_int_equal(symbols_name(received.symbols, longer, &id), 0);
	assert_int_equal(strlen(text_of(&received, id)), 1023);
	for (uint32_t i = 0; i < 3 * DEFINE_TEXTS_MAX; i++) {
		snprintf(longer, sizeof(longer), "text %u", i);
		assert_int_equal(symbols_name(received.symbols, longer, &id), 0);
		assert_string_equal(text_of(&received, id), longer);
		if (i % 1000)
			continue;
		assert_int_equal(symbols_name(received.symbols, "Task-1", &id), 0);
		assert_string_equal(text_of(&received, id), "Task-1");
		assert_true(received.counts[DEFINE_TEXT] - id < DEFINE_TEXTS_MAX / 2);
	}
	assert_true(symbols_status(received.symbols).bytes < 16u << 20);
}

/* A hash of the probes whose text was forgotten is none that is known: its text counts again. */
static void a_text_that_comes_again_is_defined_again(void **state)
{
	_cleanup_(received_done) struct received received;
	struct shared_text text = {.hdr = {.type = RING_TEXT, .aux = 6}, .hash = 7};
	char other[32];
	uint32_t id;

	received_init(&received);
	memcpy(text.bytes, "Task-1", 6);
	assert_int_equal(symbols_text(received.symbols, &text), 0);
	for (uint32_t i = 0; i < 2 * DEFINE_TEXTS_MAX; i++) {
		snprintf(other, sizeof(other), "text %u", i);
		assert_int_equal(symbols_name(received.symbols, other, &id), 0);
	}
	assert_int_equal(text_id(received.symbols, 7), 0);
	assert_int_equal(symbols_text(received.symbols, &text), 0);
	assert_int_equal(text_id(received.symbols, 7), id + 1);
	assert_string_equal(text_of(&received, id + 1), "Task-1");
}

/* ── a sink that fails ───────────────────────────────────────────────────── */

static int refusals;

static int refuse_then_hear(void *ctx, const struct definition *definition)
{
	return refusals-- > 0 ? -EIO : hear(ctx, definition);
}

static void what_the_sink_refuses_is_not_defined(void **state)
{
	_cleanup_(received_done) struct received received;
	struct shared_stack stack;
	uint32_t id = 99;

	start(&received);
	symbols_free(received.symbols);
	received.symbols = symbols_new(
		(struct stream_sink){.define = refuse_then_hear, .ctx = &received});
	assert_int_equal(
		symbols_add_process(received.symbols, (uint32_t)getpid(), &stack_layout, &layout),
		0);
	stack = stack_of(&received, (uint32_t)getpid(), 1);
	stack.frames[0] = frame_at(2);
	refusals = 1; /* the function */
	assert_int_equal(symbols_stack(received.symbols, &stack), -EIO);
	stack.frames[0].lasti = 1 << 30;
	refusals = 0;
	resolved(&received, &stack);
	stack.hash++;
	stack.hdr.flags = SHARED_STACK_CUT;
	refusals = 1; /* the stack */
	assert_int_equal(symbols_stack(received.symbols, &stack), -EIO);
	assert_int_equal(stack_id(received.symbols, stack.hash), 0);
	assert_true(resolved(&received, &stack)->stack.cut);
	refusals = 1;
	assert_int_equal(symbols_name(received.symbols, "x", &id), -EIO);
	assert_int_equal(symbols_name(received.symbols, "x", &id), 0);
	assert_int_equal(id, 1);
}

static uint32_t native_at(const struct received *received, uint32_t pid, uint64_t address)
{
	uint32_t id = UINT32_MAX;

	return symbols_native_id(received->symbols, pid, address, &id) ? id : UINT32_MAX;
}

static void machine_code_is_known_by_its_range(void **state)
{
	static const struct stack_layout stack;
	struct native_code code = {.start = 100, .end = 200, .module = "/m.so", .symbol = "f\xff"};
	struct received received;

	received_init(&received);
	assert_int_equal(symbols_native(received.symbols, 7, &code), 0); /* no such process */
	assert_int_equal(symbols_add_process(received.symbols, 7, &stack, &layout), 0);
	assert_int_equal(native_at(&received, 7, 150), UINT32_MAX);
	assert_int_equal(symbols_native(received.symbols, 7, &code), 0);
	assert_int_equal(native_at(&received, 7, 99), UINT32_MAX);
	assert_int_equal(native_at(&received, 7, 100), 1);
	assert_int_equal(native_at(&received, 7, 199), 1);
	assert_int_equal(native_at(&received, 7, 200), UINT32_MAX);
	assert_int_equal(native_at(&received, 8, 150), UINT32_MAX);
	/* no name; and a range that overlaps the first, which is then not trusted any more */
	assert_int_equal(symbols_native(received.symbols, 7,
					&(struct native_code){.start = 200, .end = 300}),
			 0);
	assert_int_equal(native_at(&received, 7, 250), 0);
	code.start = 150;
	code.end = 220;
	strcpy(code.symbol, "g");
	assert_int_equal(symbols_native(received.symbols, 7, &code), 0);
	assert_int_equal(native_at(&received, 7, 120), UINT32_MAX);
	assert_int_equal(native_at(&received, 7, 219), 2);
	assert_int_equal(native_at(&received, 7, 250), UINT32_MAX);
	/* ever more ranges end at a limit */
	for (uint64_t n = 0; n < 10000; n++) {
		code.start = 1000 + 2 * n;
		code.end = code.start + 2;
		assert_int_equal(symbols_native(received.symbols, 7, &code), 0);
	}
	assert_int_equal(native_at(&received, 7, 1000), UINT32_MAX);
	assert_int_equal(native_at(&received, 7, 1000 + 2 * 9999), 2);
	symbols_remove_process(received.symbols, 7);
	assert_int_equal(native_at(&received, 7, 1000 + 2 * 9999), UINT32_MAX);
	received_done(&received);
}

/* Every worker has hashes of its own; those of the latest ones are known, as the probes remember
 * them. */
static void workers_that_are_gone_take_no_room(void **state)
{
	enum { WORKERS = 4000, STACKS = 20, REMEMBERED = 16384 };
	static const struct stack_layout unreadable;
	_cleanup_(received_done) struct received received;
	uint64_t early = 0;

	received_init(&received);
	for (uint32_t worker = 1; worker <= WORKERS; worker++) {
		struct shared_stack stack = stack_of(&received, worker, 1);

		assert_int_equal(
			symbols_add_process(received.symbols, worker, &unreadable, &layout), 0);
		for (uint32_t i = 0; i < STACKS; i++) {
			stack.hash = worker * STACKS + i;
			assert_int_equal(symbols_stack(received.symbols, &stack), 0);
		}
		if (worker == WORKERS / 2)
			early = symbols_status(received.symbols).bytes;
		symbols_remove_process(received.symbols, worker);
	}
	assert_true(symbols_status(received.symbols).bytes <= early);
	for (uint32_t i = 0; i < REMEMBERED; i++)
		assert_int_equal(stack_id(received.symbols, (WORKERS + 1) * STACKS - 1 - i), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_is_defined_once),
		cmocka_unit_test(stacks_go_on_for_ever),
		cmocka_unit_test(machine_code_is_known_by_its_range),
		cmocka_unit_test(functions_go_on_for_ever_and_code_objects_have_an_end),
		cmocka_unit_test(line_tables_have_an_end),
		cmocka_unit_test(texts_of_the_probes_are_clean),
		cmocka_unit_test(a_text_that_comes_again_is_defined_again),
		cmocka_unit_test(names_are_clean_and_go_on_for_ever),
		cmocka_unit_test(what_the_sink_refuses_is_not_defined),
		cmocka_unit_test(workers_that_are_gone_take_no_room),
	};

	return cmocka_run_group_tests_name("symbols_limits", tests, NULL, NULL);
}
