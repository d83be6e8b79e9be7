/* SPDX-License-Identifier: MIT */
/* Each thing is defined once, as often as it comes; and what comes without end finds an end. */
#include "symbols_helpers.h"

#include <sys/mman.h>

/* A code object whose name, line and line table say what the test wants, in this process's
 * memory: 3.10's forms in a layout of its own. */
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

/* Line table: 500 instructions of two bytes, one a line. */
static void start(struct heard *heard)
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
	heard_init(heard);
	assert_int_equal(
		symbols_add_process(heard->symbols, (uint32_t)getpid(), &stack_layout, &layout), 0);
}

static struct shared_frame frame_at(uint32_t line)
{
	return (struct shared_frame){
		.code = address(&memory.code),
		.lasti = (line - 2) * 2,
		.check = check_of(getpid(), &stack_layout, address(&memory.code))};
}

static uint32_t two_frames(struct heard *heard, const struct shared_frame *frame, uint32_t one,
			   uint32_t two)
{
	struct shared_stack stack = stack_of(heard, (uint32_t)getpid(), 2);

	stack.frames[0] = stack.frames[1] = *frame;
	stack.frames[0].lasti = one * 2;
	stack.frames[1].lasti = two * 2;
	assert_int_equal(symbols_stack(heard->symbols, &stack), 0);
	return symbols_stack_id(heard->symbols, stack.hash);
}

static void the_same_is_defined_once(void **state)
{
	_cleanup_(heard_done) struct heard heard;
	struct shared_stack stack;
	struct shared_frame frame;
	uint32_t id;

	start(&heard);
	frame = frame_at(2);
	stack = stack_of(&heard, (uint32_t)getpid(), 1);
	stack.frames[0] = frame;
	assert_int_equal(symbols_stack_id(heard.symbols, stack.hash), 0);
	resolved(&heard, &stack);
	id = symbols_stack_id(heard.symbols, stack.hash);
	assert_int_equal(id, 1);
	resolved(&heard, &stack); /* sent again */
	stack.hash++;		  /* of another process that runs the same program */
	assert_int_equal(
		symbols_add_process(heard.symbols, (uint32_t)getpid(), &stack_layout, &layout), 0);
	resolved(&heard, &stack);
	assert_int_equal(symbols_stack_id(heard.symbols, stack.hash), 1);
	assert_int_equal(symbols_status(heard.symbols).reads, 2);
	assert_int_equal(dictionary_count(heard.dictionary, DEFINE_FUNCTION), 1);
	assert_int_equal(dictionary_count(heard.dictionary, DEFINE_STACK), 1);
	stack.hash++;
	stack.hdr.flags = SHARED_STACK_CUT;
	assert_true(resolved(&heard, &stack)->stack.cut);
	assert_int_equal(symbols_stack_id(heard.symbols, stack.hash), 2);
	stack.hash++;
	stack.hdr.aux = 0; /* nothing is defined by nothing */
	assert_int_equal(symbols_stack(heard.symbols, &stack), 0);
	assert_int_equal(symbols_stack_id(heard.symbols, stack.hash), 0);
	heard.last_hash = stack.hash;
	memory.code.span[0] = 100; /* another function */
	frame = frame_at(2);
	assert_int_equal(resolved_frame(&heard, (uint32_t)getpid(), frame).function, 2);
}

static void stacks_have_an_end(void **state)
{
	_cleanup_(heard_done) struct heard heard;
	struct shared_frame frame;
	uint64_t first, full_bytes;

	start(&heard);
	frame = frame_at(2);
	first = heard.last_hash + 1;
	for (uint32_t i = 0; i < DEFINE_STACKS_MAX; i++)
		assert_int_equal(two_frames(&heard, &frame, i / 400, i % 400), i + 1);
	assert_int_equal(symbols_status(heard.symbols).refused, 0);
	for (uint32_t i = 0; i < 500; i++)
		/* half of them by another hash */
		assert_int_equal(two_frames(&heard, &frame, 450, i % 250), 0);
	heard.last_hash -= 500;
	for (uint32_t i = 0; i < 500; i++)
		/* the probes forgot, and sent them again */
		assert_int_equal(two_frames(&heard, &frame, 450, i % 250), 0);
	assert_int_equal(symbols_status(heard.symbols).refused, 500);
	assert_int_equal(symbols_status(heard.symbols).stacks, DEFINE_STACKS_MAX);
	/* known ones stay known */
	assert_int_equal(two_frames(&heard, &frame, 3, 7), 3 * 400 + 7 + 1);
	/* hashes are forgotten, the oldest first, but not those that are in use */
	full_bytes = symbols_status(heard.symbols).bytes;
	for (uint32_t i = 0; i < 300000; i++) {
		two_frames(&heard, &frame, 0, 1);
		if (i % 1000 == 0)
			assert_int_equal(symbols_stack_id(heard.symbols, first + 5), 6);
	}
	assert_int_equal(symbols_stack_id(heard.symbols, first + 6), 0);
	assert_int_equal(symbols_stack_id(heard.symbols, heard.last_hash - 65536), 2);
	assert_true(symbols_status(heard.symbols).bytes < full_bytes + (8u << 20));
	assert_true(symbols_status(heard.symbols).bytes < 64u << 20);
}

#define OBJECTS 70000

/* A stack of 100 code objects from `first` on, which become functions with lines from `line` on. */
static const struct definition *hundred(struct heard *heard, struct object *objects, uint32_t first,
					uint32_t line)
{
	struct shared_stack stack = stack_of(heard, (uint32_t)getpid(), 100);

	for (uint32_t i = 0; i < 100; i++) {
		objects[first + i] = memory.code;
		objects[first + i].span[0] = line + i;
		stack.frames[i] = (struct shared_frame){
			.code = address(&objects[first + i]),
			.lasti = UINT32_MAX,
			.check = check_of(getpid(), &stack_layout, address(&objects[first + i]))};
	}
	return resolved(heard, &stack);
}

static void functions_and_code_objects_have_an_end(void **state)
{
	_cleanup_(heard_done) struct heard heard;
	struct object *objects = calloc(OBJECTS, sizeof(*objects));
	uint64_t reads;
	uint32_t count = 0;

	assert_non_null(objects);
	start(&heard);
	for (; count < DEFINE_FUNCTIONS_MAX + 300; count += 100) {
		const struct definition *stack = hundred(&heard, objects, count % OBJECTS,
							 count + 1);

		for (uint32_t i = 0; i < 100; i++)
			assert_int_equal(stack->stack.frames[i].function,
					 count + i < DEFINE_FUNCTIONS_MAX ? count + i + 1 : 0);
	}
	/* of distinct stacks: in one some, and once all */
	assert_int_equal(symbols_status(heard.symbols).frames_missing,
			 100 - DEFINE_FUNCTIONS_MAX % 100 + 100);
	assert_true(symbols_status(heard.symbols).bytes < 192u << 20);
	reads = symbols_status(heard.symbols).reads;
	assert_int_equal(reads, count);
	/* the last 65536 code objects are kept, and the line tables of as many as fit */
	assert_int_equal(hundred(&heard, objects, (count - 60000) % OBJECTS, count - 60000 + 1)
				 ->stack.frames[7]
				 .function,
			 count - 60000 + 8);
	assert_int_equal(symbols_status(heard.symbols).reads, reads);
	assert_int_equal(hundred(&heard, objects, (count - 68000) % OBJECTS, count - 68000 + 1)
				 ->stack.frames[7]
				 .function,
			 count - 68000 + 8);
	assert_int_equal(symbols_status(heard.symbols).reads, reads + 100);
	free(objects);
}

static void line_tables_have_an_end(void **state)
{
	_cleanup_(heard_done) struct heard heard;
	struct object *objects = calloc(100, sizeof(*objects));
	struct {
		uint64_t count, type, size;
		uint8_t bytes[SYMBOLS_LINETABLE_MAX];
	} *lines = calloc(1, sizeof(*lines));
	uint64_t before;

	assert_true(objects && lines);
	start(&heard);
	lines->size = SYMBOLS_LINETABLE_MAX;
	memory.code.lines = address(lines);
	before = symbols_status(heard.symbols).bytes;
	hundred(&heard, objects, 0, 1);
	assert_int_equal(symbols_status(heard.symbols).reads, 100);
	assert_true(symbols_status(heard.symbols).bytes - before < 65u << 20);
	assert_true(symbols_status(heard.symbols).bytes - before > 60u << 20);
	free(objects);
	free(lines);
}

static const char *text_of(const struct heard *heard, uint32_t id)
{
	return dictionary_find(heard->dictionary, DEFINE_TEXT, id)->text;
}

static void texts_of_the_probes_are_clean(void **state)
{
	_cleanup_(heard_done) struct heard heard;
	struct shared_text text = {.hdr = {.type = RING_TEXT}, .hash = 7};
	uint32_t id = 99;

	heard_init(&heard);
	text.hdr.aux = 6;
	memcpy(text.bytes, "Task-1xyz", 9);
	assert_int_equal(symbols_text(heard.symbols, &text), 0);
	assert_int_equal(symbols_text_id(heard.symbols, 7), 1);
	assert_string_equal(text_of(&heard, 1), "Task-1");
	assert_int_equal(symbols_name(heard.symbols, "Task-1", &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(symbols_text_id(heard.symbols, 8), 0);
	text.hash = 8; /* cut within a character by the probes */
	text.hdr.aux = SHARED_TEXT_MAX;
	memset(text.bytes, 'x', SHARED_TEXT_MAX);
	memcpy(text.bytes + SHARED_TEXT_MAX - 2, "\xe5\x90", 2);
	assert_int_equal(symbols_text(heard.symbols, &text), 0);
	assert_int_equal(strlen(text_of(&heard, symbols_text_id(heard.symbols, 8))),
			 SHARED_TEXT_MAX - 2);
	text.hash = 9; /* characters of two bytes */
	text.hdr.flags = 2;
	text.hdr.aux = 6;
	memcpy(text.bytes,
	       "\x21\x04"
	       "\x0d\x54"
	       "\x00\xd8",
	       6);
	assert_int_equal(symbols_text(heard.symbols, &text), 0);
	assert_string_equal(text_of(&heard, symbols_text_id(heard.symbols, 9)), "С名\xef\xbf\xbd");
	text.hash = 10; /* and of four, cut within the second */
	text.hdr.flags = 4;
	memcpy(text.bytes,
	       "\x0d\xf4\x01\x00"
	       "\x0d",
	       5);
	assert_int_equal(symbols_text(heard.symbols, &text), 0);
	assert_string_equal(text_of(&heard, symbols_text_id(heard.symbols, 10)),
			    "\xf0\x9f\x90\x8d");
}

static void names_are_clean_and_have_an_end(void **state)
{
	_cleanup_(heard_done) struct heard heard;
	char longer[3 * DEFINE_TEXT_MAX] = {0};
	uint32_t id;

	heard_init(&heard);
	assert_int_equal(symbols_name(heard.symbols, "Task-1", &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(symbols_name(heard.symbols,
				      "a\xff"
				      "b\xc0\x80"
				      "c\xed\xa0\x80"
				      "d\xf4\x90\x80\x80"
				      "e\xe5\x90",
				      &id),
			 0);
	assert_string_equal(text_of(&heard, id), "a\xef\xbf\xbd"
						 "b\xef\xbf\xbd\xef\xbf\xbd"
						 "c\xef\xbf\xbd"
						 "d\xef\xbf\xbd"
						 "e\xef\xbf\xbd");
	for (size_t i = 0; i + 3 < sizeof(longer); i += 3)
		memcpy(longer + i, "名", 3);
	assert_int_equal(symbols_name(heard.symbols, longer, &id), 0);
	assert_int_equal(strlen(text_of(&heard, id)), 1023);
	for (uint32_t i = id + 1; i <= DEFINE_TEXTS_MAX + 5; i++) {
		snprintf(longer, sizeof(longer), "text %u", i);
		assert_int_equal(symbols_name(heard.symbols, longer, &id), 0);
		assert_int_equal(id, i <= DEFINE_TEXTS_MAX ? i : 0);
	}
	assert_int_equal(symbols_name(heard.symbols, "Task-1", &id), 0);
	assert_int_equal(id, 1);
}

/* ── a sink that fails ───────────────────────────────────────────────────── */

static int refusals;

static int refuse_then_hear(void *ctx, const struct definition *definition)
{
	return refusals-- > 0 ? -EIO : hear(ctx, definition);
}

static void what_the_sink_refuses_is_not_defined(void **state)
{
	_cleanup_(heard_done) struct heard heard;
	struct shared_stack stack;
	uint32_t id = 99;

	start(&heard);
	symbols_free(heard.symbols);
	heard.symbols = symbols_new(
		(struct stream_sink){.define = refuse_then_hear, .ctx = &heard});
	assert_int_equal(
		symbols_add_process(heard.symbols, (uint32_t)getpid(), &stack_layout, &layout), 0);
	stack = stack_of(&heard, (uint32_t)getpid(), 1);
	stack.frames[0] = frame_at(2);
	refusals = 1; /* the function */
	assert_int_equal(symbols_stack(heard.symbols, &stack), -EIO);
	stack.frames[0].lasti = 1 << 30;
	refusals = 0;
	resolved(&heard, &stack);
	stack.hash++;
	stack.hdr.flags = SHARED_STACK_CUT;
	refusals = 1; /* the stack */
	assert_int_equal(symbols_stack(heard.symbols, &stack), -EIO);
	assert_int_equal(symbols_stack_id(heard.symbols, stack.hash), 0);
	assert_true(resolved(&heard, &stack)->stack.cut);
	refusals = 1;
	assert_int_equal(symbols_name(heard.symbols, "x", &id), -EIO);
	assert_int_equal(symbols_name(heard.symbols, "x", &id), 0);
	assert_int_equal(id, 1);
}

static uint32_t native_at(const struct heard *heard, uint32_t pid, uint64_t address)
{
	uint32_t id = UINT32_MAX;

	return symbols_native_id(heard->symbols, pid, address, &id) ? id : UINT32_MAX;
}

static void machine_code_is_known_by_its_range(void **state)
{
	static const struct stack_layout stack;
	struct native_code code = {.start = 100, .end = 200, .module = "/m.so", .symbol = "f\xff"};
	struct heard heard;

	heard_init(&heard);
	assert_int_equal(symbols_native(heard.symbols, 7, &code), 0); /* no such process */
	assert_int_equal(symbols_add_process(heard.symbols, 7, &stack, &layout), 0);
	assert_int_equal(native_at(&heard, 7, 150), UINT32_MAX);
	assert_int_equal(symbols_native(heard.symbols, 7, &code), 0);
	assert_int_equal(native_at(&heard, 7, 99), UINT32_MAX);
	assert_int_equal(native_at(&heard, 7, 100), 1);
	assert_int_equal(native_at(&heard, 7, 199), 1);
	assert_int_equal(native_at(&heard, 7, 200), UINT32_MAX);
	assert_int_equal(native_at(&heard, 8, 150), UINT32_MAX);
	/* nothing to tell; and one that lies over the first, which is then not believed any more */
	assert_int_equal(
		symbols_native(heard.symbols, 7, &(struct native_code){.start = 200, .end = 300}),
		0);
	assert_int_equal(native_at(&heard, 7, 250), 0);
	code.start = 150;
	code.end = 220;
	strcpy(code.symbol, "g");
	assert_int_equal(symbols_native(heard.symbols, 7, &code), 0);
	assert_int_equal(native_at(&heard, 7, 120), UINT32_MAX);
	assert_int_equal(native_at(&heard, 7, 219), 2);
	assert_int_equal(native_at(&heard, 7, 250), UINT32_MAX);
	/* ever more of them have an end */
	for (uint64_t n = 0; n < 10000; n++) {
		code.start = 1000 + 2 * n;
		code.end = code.start + 2;
		assert_int_equal(symbols_native(heard.symbols, 7, &code), 0);
	}
	assert_int_equal(native_at(&heard, 7, 1000), UINT32_MAX);
	assert_int_equal(native_at(&heard, 7, 1000 + 2 * 9999), 2);
	symbols_remove_process(heard.symbols, 7);
	assert_int_equal(native_at(&heard, 7, 1000 + 2 * 9999), UINT32_MAX);
	heard_done(&heard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_is_defined_once),
		cmocka_unit_test(stacks_have_an_end),
		cmocka_unit_test(machine_code_is_known_by_its_range),
		cmocka_unit_test(functions_and_code_objects_have_an_end),
		cmocka_unit_test(line_tables_have_an_end),
		cmocka_unit_test(texts_of_the_probes_are_clean),
		cmocka_unit_test(names_are_clean_and_have_an_end),
		cmocka_unit_test(what_the_sink_refuses_is_not_defined),
	};

	return cmocka_run_group_tests_name("symbols_limits", tests, NULL, NULL);
}
