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
	return symbols_stack_id(received->symbols, stack.hash);
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
	assert_int_equal(symbols_stack_id(received.symbols, stack.hash), 0);
	resolved(&received, &stack);
	id = symbols_stack_id(received.symbols, stack.hash);
	assert_int_equal(id, 1);
	resolved(&received, &stack); /* sent again */
	stack.hash++;		     /* of another process that runs the same program */
	assert_int_equal(
		symbols_add_process(received.symbols, (uint32_t)getpid(), &stack_layout, &layout),
		0);
	resolved(&received, &stack);
	assert_int_equal(symbols_stack_id(received.symbols, stack.hash), 1);
	assert_int_equal(symbols_status(received.symbols).reads, 2);
	assert_int_equal(dictionary_count(received.dictionary, DEFINE_FUNCTION), 1);
	assert_int_equal(dictionary_count(received.dictionary, DEFINE_STACK), 1);
	stack.hash++;
	stack.hdr.flags = SHARED_STACK_CUT;
	assert_true(resolved(&received, &stack)->stack.cut);
	assert_int_equal(symbols_stack_id(received.symbols, stack.hash), 2);
	stack.hash++;
	stack.hdr.aux = 0; /* without frames there is nothing to define */
	assert_int_equal(symbols_stack(received.symbols, &stack), 0);
	assert_int_equal(symbols_stack_id(received.symbols, stack.hash), 0);
	received.last_hash = stack.hash;
	memory.code.span[0] = 100; /* another function */
	frame = frame_at(2);
	assert_int_equal(resolved_frame(&received, (uint32_t)getpid(), frame).function, 2);
}

static void stacks_have_an_end(void **state)
{
	_cleanup_(received_done) struct received received;
	struct shared_frame frame;
	uint64_t first, full_bytes;

	start(&received);
	frame = frame_at(2);
	first = received.last_hash + 1;
	for (uint32_t i = 0; i < DEFINE_STACKS_MAX; i++)
		assert_int_equal(two_frames(&received, &frame, i / 400, i % 400), i + 1);
	assert_int_equal(symbols_status(received.symbols).refused, 0);
	for (uint32_t i = 0; i < 500; i++)
		/* half of them with another hash */
		assert_int_equal(two_frames(&received, &frame, 450, i % 250), 0);
	received.last_hash -= 500;
	for (uint32_t i = 0; i < 500; i++)
		/* the probes forgot them and sent them again */
		assert_int_equal(two_frames(&received, &frame, 450, i % 250), 0);
	assert_int_equal(symbols_status(received.symbols).refused, 500);
	assert_int_equal(symbols_status(received.symbols).stacks, DEFINE_STACKS_MAX);
	/* known stacks stay known */
	assert_int_equal(two_frames(&received, &frame, 3, 7), 3 * 400 + 7 + 1);
	/* hashes are forgotten, oldest first, but not those in use */
	full_bytes = symbols_status(received.symbols).bytes;
	for (uint32_t i = 0; i < 300000; i++) {
		two_frames(&received, &frame, 0, 1);
		if (i % 1000 == 0)
			assert_int_equal(symbols_stack_id(received.symbols, first + 5), 6);
	}
	assert_int_equal(symbols_stack_id(received.symbols, first + 6), 0);
	assert_int_equal(symbols_stack_id(received.symbols, received.last_hash - 65536), 2);
	assert_true(symbols_status(received.symbols).bytes < full_bytes + (8u << 20));
	assert_true(symbols_status(received.symbols).bytes < 64u << 20);
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

static void functions_and_code_objects_have_an_end(void **state)
{
	_cleanup_(received_done) struct received received;
	struct object *objects = calloc(OBJECTS, sizeof(*objects));
	uint64_t reads;
	uint32_t count = 0;

	assert_non_null(objects);
	start(&received);
	for (; count < DEFINE_FUNCTIONS_MAX + 300; count += 100) {
		const struct definition *stack = hundred(&received, objects, count % OBJECTS,
							 count + 1);

		for (uint32_t i = 0; i < 100; i++)
			assert_int_equal(stack->stack.frames[i].function,
					 count + i < DEFINE_FUNCTIONS_MAX ? count + i + 1 : 0);
	}
	/* of distinct stacks: once some of them, once all */
	assert_int_equal(symbols_status(received.symbols).frames_missing,
			 100 - DEFINE_FUNCTIONS_MAX % 100 + 100);
	assert_true(symbols_status(received.symbols).bytes < 192u << 20);
	reads = symbols_status(received.symbols).reads;
	assert_int_equal(reads, count);
	/* the last 65536 code objects are kept, and as many of their line tables as fit */
	assert_int_equal(hundred(&received, objects, (count - 60000) % OBJECTS, count - 60000 + 1)
				 ->stack.frames[7]
				 .function,
			 count - 60000 + 8);
	assert_int_equal(symbols_status(received.symbols).reads, reads);
	assert_int_equal(hundred(&received, objects, (count - 68000) % OBJECTS, count - 68000 + 1)
				 ->stack.frames[7]
				 .function,
			 count - 68000 + 8);
	assert_int_equal(symbols_status(received.symbols).reads, reads + 100);
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

static const char *text_of(const struct received *received, uint32_t id)
{
	return dictionary_find(received->dictionary, DEFINE_TEXT, id)->text;
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
	assert_int_equal(symbols_text_id(received.symbols, 7), 1);
	assert_string_equal(text_of(&received, 1), "Task-1");
	assert_int_equal(symbols_name(received.symbols, SYMBOLS_NAME, "Task-1", &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(symbols_text_id(received.symbols, 8), 0);
	text.hash = 8; /* cut within a character by the probes */
	text.hdr.aux = SHARED_TEXT_MAX;
	memset(text.bytes, 'x', SHARED_TEXT_MAX);
	memcpy(text.bytes + SHARED_TEXT_MAX - 2, "\xe5\x90", 2);
	assert_int_equal(symbols_text(received.symbols, &text), 0);
	assert_int_equal(strlen(text_of(&received, symbols_text_id(received.symbols, 8))),
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
	assert_string_equal(text_of(&received, symbols_text_id(received.symbols, 9)),
			    "С名\xef\xbf\xbd");
	text.hash = 10; /* four-byte characters, cut within the second one */
	text.hdr.flags = 4;
	memcpy(text.bytes,
	       "\x0d\xf4\x01\x00"
	       "\x0d",
	       5);
	assert_int_equal(symbols_text(received.symbols, &text), 0);
	assert_string_equal(text_of(&received, symbols_text_id(received.symbols, 10)),
			    "\xf0\x9f\x90\x8d");
}

static void names_are_clean_and_have_an_end(void **state)
{
	_cleanup_(received_done) struct received received;
	char longer[3 * DEFINE_TEXT_MAX] = {0};
	uint32_t id;

	received_init(&received);
	assert_int_equal(symbols_name(received.symbols, SYMBOLS_NAME, "Task-1", &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(symbols_name(received.symbols, SYMBOLS_NAME,
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
	assert_int_equal(symbols_name(received.symbols, SYMBOLS_NAME, longer, &id), 0);
	assert_int_equal(strlen(text_of(&received, id)), 1023);
	for (uint32_t i = id + 1; i <= DEFINE_TEXTS_MAX + 5; i++) {
		snprintf(longer, sizeof(longer), "text %u", i);
		assert_int_equal(symbols_name(received.symbols, SYMBOLS_NAME, longer, &id), 0);
		assert_int_equal(id, i <= DEFINE_TEXTS_MAX ? i : 0);
	}
	assert_int_equal(symbols_name(received.symbols, SYMBOLS_NAME, "Task-1", &id), 0);
	assert_int_equal(id, 1);
}

static uint32_t named(const struct received *received, enum symbols_use use, uint32_t number)
{
	char text[32];
	uint32_t id;

	snprintf(text, sizeof(text), "text %u", number);
	assert_int_equal(symbols_name(received->symbols, use, text, &id), 0);
	return id;
}

static void tasks_leave_room_for_threads(void **state)
{
	_cleanup_(received_done) struct received received;
	static const uint32_t most[] = {[SYMBOLS_TASK] = DEFINE_TEXTS_MAX / 2,
					[SYMBOLS_FILE] = DEFINE_TEXTS_MAX / 4 * 3,
					[SYMBOLS_NAME] = DEFINE_TEXTS_MAX};
	uint32_t count = 0;

	received_init(&received);
	for (enum symbols_use use = SYMBOLS_TASK; use <= SYMBOLS_NAME; use++) {
		while (named(&received, use, count + 1))
			count++;
		assert_int_equal(count, most[use]);
	}
	assert_int_equal(named(&received, SYMBOLS_TASK, 7), 7);
	assert_int_equal(named(&received, SYMBOLS_TASK, count), count);
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
	assert_int_equal(symbols_stack_id(received.symbols, stack.hash), 0);
	assert_true(resolved(&received, &stack)->stack.cut);
	refusals = 1;
	assert_int_equal(symbols_name(received.symbols, SYMBOLS_NAME, "x", &id), -EIO);
	assert_int_equal(symbols_name(received.symbols, SYMBOLS_NAME, "x", &id), 0);
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
		assert_int_equal(symbols_stack_id(received.symbols, (WORKERS + 1) * STACKS - 1 - i),
				 1);
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
		cmocka_unit_test(tasks_leave_room_for_threads),
		cmocka_unit_test(names_are_clean_and_have_an_end),
		cmocka_unit_test(what_the_sink_refuses_is_not_defined),
		cmocka_unit_test(workers_that_are_gone_take_no_room),
	};

	return cmocka_run_group_tests_name("symbols_limits", tests, NULL, NULL);
}
