/* SPDX-License-Identifier: MIT */
/* Code objects as a hostile process could make them, in this process's own memory; and the limits
 * of what is stored. */
#include "symbols_helpers.h"

#include <pthread.h>
#include <sys/mman.h>

#include "symbols/lines.h"

#define NO_ADDRESS 0xdead000000000ull

/* A page of fake objects, laid out as in 3.9, and after it a page that cannot be read. */
struct page {
	struct {
		uint64_t count, type, words[3];
		uint32_t first_line, spare;
		uint64_t others[7], file, name, lines;
	} code;
	struct {
		uint64_t count, type, size, name;
	} type;
	struct string {
		uint64_t count, type, length, hash;
		uint32_t state, spare;
		uint64_t more[4]; /* wstr; then utf8_length, utf8, wstr_length of non-ASCII texts */
		char bytes[64];
	} name, file;
	struct {
		uint64_t count, type, size, hash;
		uint8_t bytes[64];
	} lines;
	char type_name[16];
};

enum { COMPACT = 1 << 5, ASCII = 1 << 6, KIND_1 = 1 << 2, KIND_2 = 2 << 2, KIND_4 = 4 << 2 };

#define AT(member) ((int32_t)offsetof(struct page, member))
static const struct stack_layout stack_layout = {
	.instr_kind = STACK_LASTI_BYTES,
	.code_span = offsetof(struct page, code.first_line),
	.code_weak = 1,
	.code_name_word = 9,
	.code_linetable_word = 10,
	.unicode_hash = 24,
	.bytes_size = 16,
};
static const struct python_layout layout = {
	.object_type = 8,
	.type_name = 24,
	.code_filename = AT(code.file),
	.code_name = AT(code.name),
	.code_qualname = LAYOUT_NONE,
	.code_linetable = AT(code.lines),
	.code_firstlineno = AT(code.first_line),
	.unicode_length = 16,
	.unicode_state = 32,
	.unicode_ascii = 48,
	.unicode_compact = 72,
	.bytes_size = 16,
	.bytes_data = 32,
	.lines_form = LINES_LNOTAB,
};

struct fake {
	struct received received;
	struct page *page;
	uint32_t pid;
};

static uint64_t address(const void *object)
{
	return (uint64_t)(uintptr_t)object;
}

static void put_string(struct string *string, const char *text)
{
	string->length = strlen(text);
	string->hash = 77;
	string->state = COMPACT | ASCII | KIND_1;
	memcpy((char *)string + 48, text, strlen(text));
}

static void put_page(struct page *page)
{
	memset(page, 0, sizeof(*page));
	page->code.count = page->type.count = 1;
	page->code.type = address(&page->type);
	page->code.first_line = 10;
	page->code.name = address(&page->name);
	page->code.file = address(&page->file);
	page->code.lines = address(&page->lines);
	page->type.name = address(page->type_name);
	strcpy(page->type_name, "code");
	put_string(&page->name, "function");
	put_string(&page->file, "/srv/app.py");
	page->lines.size = 4;
	memcpy(page->lines.bytes, (uint8_t[]){2, 1, 2, 1}, 4);
}

static void fake_init(struct fake *fake)
{
	fake->page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(fake->page != MAP_FAILED);
	assert_int_equal(mprotect((char *)fake->page + 4096, 4096, PROT_NONE), 0);
	put_page(fake->page);
	fake->pid = (uint32_t)getpid();
	received_init(&fake->received);
	assert_int_equal(
		symbols_add_process(fake->received.symbols, fake->pid, &stack_layout, &layout), 0);
}

static void fake_done(struct fake *fake)
{
	received_done(&fake->received);
	munmap(fake->page, 8192);
}

/* Memory that the check cannot read counts as 0, as in the probes. */
static uint32_t check_with(const struct page *page, const uint64_t span[CODE_SPAN_WORDS])
{
	uint64_t weak[4] = {0}, hash = 0x67696c73636f7065;

	memory_read_u64(getpid(), page->code.name + 24, &weak[0]);
	memory_read(getpid(), page->code.lines + 16, &weak[1], 24);
	for (int i = 0; i < CODE_SPAN_WORDS; i++)
		hash = shared_mix(hash, span[i]);
	for (int i = 0; i < 4; i++)
		hash = shared_mix(hash, weak[i]);
	return (uint32_t)(hash ^ hash >> 32);
}

/* The frame of the page's code object in its current state. */
static struct shared_frame frame_of(const struct fake *fake, uint32_t lasti)
{
	uint64_t span[CODE_SPAN_WORDS];

	memcpy(span, &fake->page->code.first_line, sizeof(span));
	return (struct shared_frame){.code = address(&fake->page->code),
				     .lasti = lasti,
				     .check = check_with(fake->page, span)};
}

/* The result for the page's current contents; it is always read again. */
static struct stack_frame look(struct fake *fake, uint32_t lasti)
{
	assert_int_equal(
		symbols_add_process(fake->received.symbols, fake->pid, &stack_layout, &layout), 0);
	return resolved_frame(&fake->received, fake->pid, frame_of(fake, lasti));
}

static const char *name_of(const struct fake *fake, struct stack_frame frame)
{
	const struct definition *function = dictionary_find(fake->received.dictionary,
							    DEFINE_FUNCTION, frame.function);

	return function ? function->function.name : NULL;
}

/* Changes one thing in the page, so that the frame is missing. Then restores it, so that the frame
 * is found. */
#define assert_missing_with(fake, change)                                                          \
	do {                                                                                       \
		put_page((fake)->page);                                                            \
		assert_string_equal(name_of(fake, look(fake, 0)), "function");                     \
		change;                                                                            \
		assert_int_equal(look(fake, 0).function, 0);                                       \
	} while (0)

static void what_is_no_code_object_is_missing(void **state)
{
	_cleanup_(fake_done) struct fake fake;
	struct page *page;

	fake_init(&fake);
	page = fake.page;
	assert_missing_with(&fake, page->code.type = 0);
	assert_missing_with(&fake, page->code.type = NO_ADDRESS);
	assert_missing_with(&fake, page->code.type = address(&page->code));
	assert_missing_with(&fake, page->type.name = 0);
	assert_missing_with(&fake, page->type.name = address(page) + 4096 - 4);
	assert_missing_with(&fake, strcpy(page->type_name, "cod"));
	assert_missing_with(&fake, strcpy(page->type_name, "codes"));
	assert_missing_with(&fake, page->code.count = 0); /* freed … */
	/* … and linked to another free one */
	assert_missing_with(&fake, page->code.count = address(page));
	assert_missing_with(&fake, page->code.count = UINT64_MAX);
	put_page(page);
	page->code.count = 0xffff0000c0000000; /* immortal, with flags (3.14) */
	assert_string_equal(name_of(&fake, look(&fake, 0)), "function");
}

static void names_that_cannot_be_read_are_missing(void **state)
{
	_cleanup_(fake_done) struct fake fake;
	struct page *page;

	fake_init(&fake);
	page = fake.page;
	assert_missing_with(&fake, page->code.name = 0);
	assert_missing_with(&fake, page->code.name = NO_ADDRESS);
	assert_missing_with(&fake, page->code.name = UINT64_MAX - 20);
	/* its characters extend into the unreadable page */
	assert_missing_with(&fake, page->code.name = address(page) + 4096 - 56);
	assert_missing_with(&fake, page->code.file = 0);
	assert_missing_with(&fake, page->name.length = UINT64_MAX);
	assert_missing_with(&fake, page->name.length = (uint64_t)INT64_MAX + 1);
	assert_missing_with(&fake, page->name.state = ASCII | KIND_1);
	assert_missing_with(&fake, page->name.state = COMPACT | ASCII);
	assert_missing_with(&fake, page->name.state = COMPACT | 3 << 2);
	assert_missing_with(&fake, page->name.state = COMPACT | 7 << 2);
	assert_missing_with(&fake, page->name.state = COMPACT | ASCII | KIND_2);
}

static void a_name_longer_than_can_be_is_cut(void **state)
{
	_cleanup_(fake_done) struct fake fake;
	const char *name;

	fake_init(&fake);
	fake.page->name.length = INT64_MAX;
	name = name_of(&fake, look(&fake, 0));
	assert_memory_equal(name, "function\xef\xbf\xbd", 11);
	assert_true(strlen(name) < DEFINE_TEXT_MAX && strlen(name) > DEFINE_TEXT_MAX - 4);
	/* the page is filled with zeros: NUL is not a valid character */
	assert_string_equal(name + strlen(name) - 3, "\xef\xbf\xbd");
}

static void characters_become_valid_text(void **state)
{
	_cleanup_(fake_done) struct fake fake;
	struct string *name;
	char *data;

	fake_init(&fake);
	name = &fake.page->name;
	memcpy((char *)name + 48,
	       "a\xff\0\x80"
	       "b",
	       5); /* claims to be ASCII */
	name->length = 5;
	assert_string_equal(name_of(&fake, look(&fake, 0)), "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
							    "b");
	data = (char *)name + 72;
	name->state = COMPACT | KIND_1;
	memcpy(data, "\xff\x80", 2);
	name->length = 2;
	assert_string_equal(name_of(&fake, look(&fake, 0)), "ÿ\xc2\x80");
	name->state = COMPACT | KIND_2;
	/* in Python a pair of surrogates is two lone surrogates */
	memcpy(data, (uint16_t[]){0x41, 0xd83d, 0xde00, 0xffff, 0x20ac}, 10);
	name->length = 5;
	assert_string_equal(name_of(&fake, look(&fake, 0)),
			    "A\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbf€");
	name->state = COMPACT | KIND_4;
	memcpy(data, (uint32_t[]){0x1f600, 0x10ffff, 0x110000, 0xffffffff, 0xdfff}, 20);
	assert_string_equal(name_of(&fake, look(&fake, 0)),
			    "😀\xf4\x8f\xbf\xbf\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	name->length = 0;
	assert_string_equal(name_of(&fake, look(&fake, 0)), "");
}

static void line_tables_are_bounded(void **state)
{
	_cleanup_(fake_done) struct fake fake;
	size_t room = 32 + SYMBOLS_LINETABLE_MAX + 4096;
	uint64_t *table = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

	fake_init(&fake);
	assert_int_equal(look(&fake, 0).line, 10);
	assert_int_equal(look(&fake, 2).line, 11);
	assert_int_equal(look(&fake, 4000).line, 12);
	assert_int_equal(look(&fake, (uint32_t)-1).line, 10);
	assert_int_equal(look(&fake, (uint32_t)-2).line, 0);
	assert_missing_with(&fake, fake.page->code.lines = 0);
	/* extends into the unreadable page */
	assert_missing_with(&fake, fake.page->code.lines = address(fake.page) + 4096 - 34);
	assert_missing_with(&fake, fake.page->lines.size = 5000);
	put_page(fake.page);
	fake.page->lines.size = UINT64_MAX; /* too long by its size alone; nothing is read */
	assert_string_equal(name_of(&fake, look(&fake, 0)), "function");
	assert_int_equal(look(&fake, 0).line, 0);
	put_page(fake.page);
	fake.page->code.lines = address(table);
	memset((char *)table + 32, 1, SYMBOLS_LINETABLE_MAX);
	table[2] = SYMBOLS_LINETABLE_MAX;
	assert_int_equal(look(&fake, 1000000).line, 10 + SYMBOLS_LINETABLE_MAX / 2);
	table[2]++;
	assert_int_equal(look(&fake, 1000000).line, 0);
	table[2] = 0;
	assert_int_equal(look(&fake, 1000000).line, 10);
	fake.page->code.first_line = 0x80000000;
	assert_int_equal(look(&fake, 0).line, 0);
	munmap(table, room);
}

static void lines_of_any_bytes(void **state)
{
	static const uint8_t unending[] = {0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
			     half[] = {2, 1, 2};
	static const uint8_t far[] = {0xe8, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x3f},
			     no_begin[] = {0x00, 0x00, 0xe8, 0x02};

	assert_int_equal(lines_find(LINES_311, unending, sizeof(unending), 10, 0), 0);
	/* no line has such a number */
	assert_int_equal(lines_find(LINES_311, far, sizeof(far), 10, 0), 0);
	assert_int_equal(lines_find(LINES_311, no_begin, sizeof(no_begin), 10, 2), 11);
	assert_int_equal(lines_find(LINES_311, NULL, 0, 10, 0), 0);
	assert_int_equal(lines_find(LINES_310, half, sizeof(half), 10, 1), 11);
	assert_int_equal(lines_find(LINES_310, half, sizeof(half), 10, 2), 0);
	assert_int_equal(lines_find(LINES_LNOTAB, half, sizeof(half), 10, 3), 11);
	assert_int_equal(lines_find(LINES_LNOTAB, NULL, 0, 10, 3), 10);
	assert_int_equal(lines_find(99, half, sizeof(half), 10, 0), 0);
}

static void another_type_is_distinguished_from_a_proven_one(void **state)
{
	_cleanup_(fake_done) struct fake fake;

	fake_init(&fake);
	assert_string_equal(name_of(&fake, look(&fake, 0)), "function");
	fake.page->code.type = address(
		&fake.page->code); /* its type's name would be that of the file */
	fake.page->code.first_line++;
	assert_int_equal(resolved_frame(&fake.received, fake.pid, frame_of(&fake, 0)).function, 0);
}

/* Another thread keeps replacing one code object by another, with their names at the same address,
 * while they are read. */
static struct {
	struct page *page;
	volatile uint32_t generation;
	volatile bool stop;
} flip;

static void *flip_run(void *ctx)
{
	for (uint32_t i = 1; !flip.stop; i++) {
		char name[16];

		snprintf(name, sizeof(name), "gen_%08u", i);
		flip.page->code.count = 0;
		__sync_synchronize();
		put_string(&flip.page->name, name);
		flip.page->code.first_line = i;
		__sync_synchronize();
		flip.page->code.count = 1;
		flip.generation = i;
		for (volatile int wait = 0; wait < 3000; wait++)
			;
	}
	return NULL;
}

static void an_object_that_changes_while_it_is_read_is_itself_or_missing(void **state)
{
	_cleanup_(fake_done) struct fake fake;
	uint32_t right = 0, missing = 0;
	pthread_t thread;

	fake_init(&fake);
	flip.page = fake.page;
	assert_int_equal(pthread_create(&thread, NULL, flip_run, NULL), 0);
	for (int i = 0; i < 2000000 && (right < 2000 || missing < 2000); i++) {
		uint64_t span[CODE_SPAN_WORDS] = {0};
		struct shared_frame frame = {.code = address(&fake.page->code)};
		struct stack_frame found;
		uint32_t generation = flip.generation;
		char name[16];

		memcpy(&span[1], &fake.page->code.others, sizeof(span) - sizeof(span[0]));
		span[0] = generation;
		frame.check = check_with(fake.page, span);
		found = resolved_frame(&fake.received, fake.pid, frame);
		snprintf(name, sizeof(name), "gen_%08u", generation);
		if (found.function)
			assert_string_equal(name_of(&fake, found), name);
		right += found.function != 0;
		missing += !found.function;
	}
	flip.stop = true;
	pthread_join(thread, NULL);
	assert_true(right > 10 && missing > 10);
}

static void offsets_that_make_no_sense_read_nothing(void **state)
{
	_cleanup_(fake_done) struct fake fake;
	struct python_layout bad = layout;

	fake_init(&fake);
	bad.code_filename = 1 << 20;
	assert_int_equal(symbols_add_process(fake.received.symbols, fake.pid, &stack_layout, &bad),
			 0);
	assert_int_equal(resolved_frame(&fake.received, fake.pid, frame_of(&fake, 0)).function, 0);
	bad = (struct python_layout){0};
	assert_int_equal(symbols_add_process(fake.received.symbols, fake.pid,
					     &(struct stack_layout){0}, &bad),
			 0);
	assert_int_equal(resolved_frame(&fake.received, fake.pid, frame_of(&fake, 0)).function, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_code_object_is_missing),
		cmocka_unit_test(names_that_cannot_be_read_are_missing),
		cmocka_unit_test(a_name_longer_than_can_be_is_cut),
		cmocka_unit_test(characters_become_valid_text),
		cmocka_unit_test(line_tables_are_bounded),
		cmocka_unit_test(lines_of_any_bytes),
		cmocka_unit_test(another_type_is_distinguished_from_a_proven_one),
		cmocka_unit_test(an_object_that_changes_while_it_is_read_is_itself_or_missing),
		cmocka_unit_test(offsets_that_make_no_sense_read_nothing),
	};

	return cmocka_run_group_tests_name("symbols", tests, NULL, NULL);
}
