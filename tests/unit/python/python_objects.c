/* SPDX-License-Identifier: MIT */
/* Reading Python objects from memory that lies. The test makes the objects, laid out as in each
 * version, and then corrupts them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/duration.h"
#include "python/process/memory.h"
#include "python/interpreter/objects.h"
#include "python/versions/rows.h"

#define ADDRESS(thing) ((uint64_t)(uintptr_t)(thing))

/* The version's layout, with the other form of str. */
static struct objects objects(unsigned int minor)
{
	static struct python_layout layouts[PYTHON_MINOR_MAX + 1];

	layouts[minor] = layout_rows[minor][WITH_GIL];
	layouts[minor].unicode_ascii = 40;
	layouts[minor].unicode_compact = 56;
	return (struct objects){.pid = getpid(), .layout = &layouts[minor]};
}

/* Words of a type object */
enum {
	TYPE_NAME = 3,
	TYPE_BASICSIZE = 4,
	TYPE_FLAGS = 21,
	TYPE_BASE = 32,
	TYPE_DICTOFFSET = 36,
	TYPE_KEYS_311 = 109,
	TYPE_KEYS_312 = 110,
	TYPE_WORDS = 120
};

static uint64_t str_type[TYPE_WORDS], int_type[TYPE_WORDS], dict_type[TYPE_WORDS],
	class[TYPE_WORDS];

static void types(void)
{
	memset(class, 0, sizeof(class));
	str_type[TYPE_FLAGS] = 1 << 28;
	int_type[TYPE_FLAGS] = 1 << 24;
	dict_type[TYPE_FLAGS] = 1 << 29;
	str_type[TYPE_NAME] = ADDRESS("str");
	class[TYPE_NAME] = ADDRESS("Thread");
	class[TYPE_FLAGS] = 1 << 9;
}

struct str {
	uint64_t references, type, length, hash, state;
	uint8_t rest[200];
};

static struct str *ascii(struct str *str, const char *text)
{
	*str = (struct str){.type = ADDRESS(str_type),
			    .length = strlen(text),
			    .state = 1 << 2 | 1 << 5 | 1 << 6};
	memcpy(str->rest, text, strlen(text));
	return str;
}

static struct str *wide(struct str *str, unsigned int kind, const void *characters, size_t count)
{
	*str = (struct str){
		.type = ADDRESS(str_type), .length = count, .state = kind << 2 | 1 << 5};
	memcpy(str->rest + 16, characters, count * kind);
	return str;
}

static void texts_of_every_width_become_utf8(void **state)
{
	struct objects o = objects(12);
	char text[64];
	struct str str;

	assert_int_equal(object_text(&o, ADDRESS(ascii(&str, "MainThread")), text, sizeof(text)),
			 0);
	assert_string_equal(text, "MainThread");
	assert_int_equal(object_text(&o, ADDRESS(ascii(&str, "")), text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_int_equal(
		object_text(&o, ADDRESS(wide(&str, 1, "W\xf6rker", 6)), text, sizeof(text)), 0);
	assert_string_equal(text, "W\xc3\xb6rker");
	assert_int_equal(
		object_text(&o, ADDRESS(wide(&str, 2, (uint16_t[]){0x65e5, 0xd800, 'x', 0x7ff}, 4)),
			    text, sizeof(text)),
		0);
	assert_string_equal(text, "\xe6\x97\xa5\xef\xbf\xbdx\xdf\xbf");
	assert_int_equal(
		object_text(&o, ADDRESS(wide(&str, 4, (uint32_t[]){0x1f600, 0x110000, 'y'}, 3)),
			    text, sizeof(text)),
		0);
	assert_string_equal(text, "\xf0\x9f\x98\x80\xef\xbf\xbdy");
	/* cut at a character boundary */
	assert_int_equal(
		object_text(&o, ADDRESS(wide(&str, 2, (uint16_t[]){'a', 0x65e5, 'b'}, 3)), text, 4),
		0);
	assert_string_equal(text, "a");
	assert_int_equal(
		object_text(&o, ADDRESS(wide(&str, 2, (uint16_t[]){'a', 0x65e5, 'b'}, 3)), text, 5),
		0);
	assert_string_equal(text, "a\xe6\x97\xa5");
}

static void what_is_no_text_is_none(void **state)
{
	struct objects o = objects(12);
	char text[64];
	struct str str;

	str = *ascii(&str, "x");
	str.type = ADDRESS(int_type);
	assert_int_equal(object_text(&o, ADDRESS(&str), text, sizeof(text)), -EINVAL);
	ascii(&str, "x")->state &= ~(UINT64_C(1) << 5); /* not compact */
	assert_int_equal(object_text(&o, ADDRESS(&str), text, sizeof(text)), -EINVAL);
	ascii(&str, "x")->state |= 7 << 2; /* there is no such width */
	assert_int_equal(object_text(&o, ADDRESS(&str), text, sizeof(text)), -EINVAL);
	ascii(&str, "x")->length = UINT64_MAX;
	assert_int_equal(object_text(&o, ADDRESS(&str), text, sizeof(text)), -EINVAL);
	ascii(&str, "x")->type = 8;
	assert_int_equal(object_text(&o, ADDRESS(&str), text, sizeof(text)), -EINVAL);
	assert_int_equal(object_text(&o, 8, text, sizeof(text)), -EINVAL);
}

/* A text that claims to be longer than its memory, and a name that ends with its page. */
static void no_text_is_read_beyond_its_memory(void **state)
{
	uint8_t *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			      0);
	struct objects o = objects(12);
	char text[64];
	struct str *str = (struct str *)(pages + 4096 - 48);

	assert_int_equal(munmap(pages + 4096, 4096), 0);
	memcpy(str, (uint64_t[]){1, ADDRESS(str_type), 8, 0, 1 << 2 | 1 << 5 | 1 << 6}, 40);
	memcpy(pages + 4096 - 8, "8 bytes.", 8);
	assert_int_equal(object_text(&o, ADDRESS(str), text, sizeof(text)), 0);
	assert_string_equal(text, "8 bytes.");
	str->length = 9;
	assert_int_equal(object_text(&o, ADDRESS(str), text, sizeof(text)), -EFAULT);
	memcpy(pages + 4096 - 4, "end", 4);
	assert_int_equal(memory_read_text(getpid(), ADDRESS(pages + 4096 - 4), text, sizeof(text)),
			 0);
	assert_string_equal(text, "end");
	pages[4095] = 'x';
	assert_int_equal(memory_read_text(getpid(), ADDRESS(pages + 4096 - 4), text, sizeof(text)),
			 -EFAULT);
	assert_int_equal(memory_read_text(getpid(), ADDRESS(pages + 4096 - 4), text, 4), 0);
	assert_string_equal(text, "end");
	munmap(pages, 4096);
}

struct integer {
	uint64_t references, type, size;
	uint32_t digits[6];
};

static void ints_are_read_in_both_forms(void **state)
{
	struct objects o310 = objects(10), o312 = objects(12);
	struct integer integer = {.type = ADDRESS(int_type),
				  .digits = {0x2345678, 0x3ffffff0, 0xf}};
	uint64_t value;

	integer.size = 2;
	assert_int_equal(object_int(&o310, ADDRESS(&integer), &value), 0);
	assert_int_equal(value, UINT64_C(0x3ffffff0) << 30 | 0x2345678);
	integer.size = 3 << 3;
	assert_int_equal(object_int(&o312, ADDRESS(&integer), &value), 0);
	assert_int_equal(value, UINT64_C(0xf) << 60 | UINT64_C(0x3ffffff0) << 30 | 0x2345678);
	integer.size = 1; /* zero, as 3.12 writes it */
	assert_int_equal(object_int(&o312, ADDRESS(&integer), &value), 0);
	assert_int_equal(value, 0);
	/* negative; too large; too many digits; no int */
	integer.size = (uint64_t)-2;
	assert_int_equal(object_int(&o310, ADDRESS(&integer), &value), -EINVAL);
	integer.size = 2 << 3 | 2;
	assert_int_equal(object_int(&o312, ADDRESS(&integer), &value), -EINVAL);
	integer.size = 3 << 3;
	integer.digits[2] = 0x10;
	assert_int_equal(object_int(&o312, ADDRESS(&integer), &value), -EINVAL);
	integer.size = UINT64_MAX << 3;
	assert_int_equal(object_int(&o312, ADDRESS(&integer), &value), -EINVAL);
	integer = (struct integer){.type = ADDRESS(str_type), .size = 1 << 3};
	assert_int_equal(object_int(&o312, ADDRESS(&integer), &value), -EINVAL);
}

struct dict {
	uint64_t references, type, used, version, keys, values;
};

struct keys_310 {
	uint64_t references, size, lookup, usable, count;
	uint8_t index[8];
	uint64_t entries[4][3];
};

struct keys_311 {
	uint64_t references;
	uint8_t log2_size, log2_index_bytes, kind, lock;
	uint32_t version;
	uint64_t usable, count;
	uint8_t index[8];
	uint64_t entries[4][2];
};

static struct str key_a, key_b, key_c;

static struct keys_310 old_keys(void)
{
	return (struct keys_310){.size = 8,
				 .count = 3,
				 .entries = {{9, ADDRESS(&key_a), 0xa},
					     {9, ADDRESS(&key_b), 0},
					     {9, ADDRESS(&key_c), 0xc}}};
}

static struct keys_311 new_keys(void)
{
	return (struct keys_311){
		.log2_size = 3,
		.log2_index_bytes = 3,
		.kind = 1,
		.count = 3,
		.entries = {{ADDRESS(&key_a), 0xa}, {ADDRESS(&key_b), 0}, {ADDRESS(&key_c), 0xc}}};
}

static void keys(void)
{
	types();
	ascii(&key_a, "_target");
	ascii(&key_b, "_nam");
	ascii(&key_c, "_name");
}

static void a_dict_is_searched_in_every_form(void **state)
{
	struct keys_310 old = (keys(), old_keys());
	struct keys_311 new = new_keys();
	struct dict dict = {.type = ADDRESS(dict_type), .used = 2, .keys = ADDRESS(&old)};
	uint64_t values[] = {0x1a, 0x1b, 0x1c}, padded[] = {0, 0x2a, 0x2b, 0x2c}, value;
	struct objects o310 = objects(10), o311 = objects(11), o313 = objects(13);

	assert_int_equal(object_dict_get(&o310, ADDRESS(&dict), "_name", &value), 0);
	assert_int_equal(value, 0xc);
	/* deleted */
	assert_int_equal(object_dict_get(&o310, ADDRESS(&dict), "_nam", &value), -ENOENT);
	assert_int_equal(object_dict_get(&o310, ADDRESS(&dict), "_names", &value), -ENOENT);
	dict.values = ADDRESS(values);
	assert_int_equal(object_dict_get(&o310, ADDRESS(&dict), "_nam", &value), 0);
	assert_int_equal(value, 0x1b);
	dict = (struct dict){.type = ADDRESS(dict_type), .keys = ADDRESS(&new)};
	assert_int_equal(object_dict_get(&o311, ADDRESS(&dict), "_name", &value), 0);
	assert_int_equal(value, 0xc);
	dict.values = ADDRESS(padded);
	assert_int_equal(object_dict_get(&o313, ADDRESS(&dict), "_name", &value), 0);
	assert_int_equal(value, 0x2c);
	dict.type = ADDRESS(str_type);
	assert_int_equal(object_dict_get(&o313, ADDRESS(&dict), "_name", &value), -EINVAL);
}

static int forever(void *ctx, uint64_t key, uint64_t value)
{
	++*(uint64_t *)ctx;
	return 0;
}

static void a_dict_that_lies_about_its_size_is_not_believed(void **state)
{
	struct keys_310 old = (keys(), old_keys());
	struct keys_311 new = new_keys();
	struct dict dict = {.type = ADDRESS(dict_type)};
	struct objects o310 = objects(10), o311 = objects(11);
	clock_t begin = clock(); /* CPU time: the machine may be busy */
	uint64_t count = 0;

	for (uint64_t size = 1; size; size <<= 1) {
		old.size = size;
		old.count = size;
		dict.keys = ADDRESS(&old);
		if (object_dict_visit(&o310, ADDRESS(&dict), forever, &count) == 0)
			assert_true(size <= 1 << 15); /* the stack memory beyond it is readable */
		old.size = UINT64_MAX;
		assert_int_equal(object_dict_visit(&o310, ADDRESS(&dict), forever, &count),
				 -EINVAL);
	}
	dict.keys = ADDRESS(&new);
	for (int log2 = 0; log2 < 256; log2++) {
		new.log2_size = (uint8_t)log2;
		new.log2_index_bytes = (uint8_t)log2;
		new.count = UINT64_C(1) << (log2 % 64);
		(void)object_dict_visit(&o311, ADDRESS(&dict), forever, &count);
	}
	new = new_keys();
	new.count = 9; /* more than its size allows */
	assert_int_equal(object_dict_visit(&o311, ADDRESS(&dict), forever, &count), -EINVAL);
	dict.keys = 8;
	assert_int_equal(object_dict_visit(&o311, ADDRESS(&dict), forever, &count), -EFAULT);
	dict.keys = ADDRESS(&new);
	dict.values = UINT64_MAX - 8;
	new = new_keys();
	assert_int_equal(object_dict_visit(&o311, ADDRESS(&dict), forever, &count), -EFAULT);
	assert_true(clock() - begin < 5 * CLOCKS_PER_SEC);
}

static void *change(void *arg)
{
	volatile struct dict *dict = arg;

	while (!dict->references)
		dict->version++;
	return NULL;
}

static void a_dict_that_keeps_changing_is_not_reported(void **state)
{
	struct keys_310 old = (keys(), old_keys());
	struct dict dict = {.type = ADDRESS(dict_type), .used = 2, .keys = ADDRESS(&old)};
	struct objects o = objects(10);
	int err, changed = 0;
	pthread_t thread;
	uint64_t value, begin = clock_now_ns();

	pthread_create(&thread, NULL, change, &dict);
	while (!changed && clock_now_ns() - begin < 20 * NS_PER_S) {
		err = object_dict_get(&o, ADDRESS(&dict), "_name", &value);
		changed = err == -EAGAIN;
		assert_true(err == 0 || err == -EAGAIN);
	}
	((volatile struct dict *)&dict)->references = 1;
	pthread_join(thread, NULL);
	assert_int_equal(changed, 1);
	assert_int_equal(object_dict_get(&o, ADDRESS(&dict), "_name", &value), 0);
}

static void what_cannot_be_read_of_many_is_zeros(void **state)
{
	enum { COUNT = 1000 };
	static uint64_t numbers[COUNT][2], addresses[COUNT], found[COUNT][2];

	for (int i = 0; i < COUNT; i++) {
		numbers[i][0] = numbers[i][1] = (uint64_t)i + 1;
		addresses[i] = i % 7 == 3 || i == 0 || i == COUNT - 1 ? (uint64_t)i
								      : ADDRESS(numbers[i]);
	}
	memset(found, 0xff, sizeof(found));
	memory_read_each(getpid(), addresses, COUNT, found, sizeof(found[0]));
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(found[i][0], addresses[i] == (uint64_t)i ? 0 : i + 1);
		assert_int_equal(found[i][1], found[i][0]);
	}
}

static int count_names(void *ctx, const char *name)
{
	++*(int *)ctx;
	return strcmp(name, "wanted") == 0;
}

static void a_type_that_derives_from_itself_ends(void **state)
{
	uint64_t object[2] = {1, ADDRESS(class)};
	struct objects o = objects(12);
	int count = 0;
	char name[16];

	types();
	class[TYPE_BASE] = ADDRESS(class);
	assert_int_equal(object_type_visit(&o, ADDRESS(object), count_names, &count), 0);
	assert_true(count >= 2 && count <= 100);
	class[TYPE_BASE] = 8;
	assert_int_equal(object_type_visit(&o, ADDRESS(object), count_names, &count), -EFAULT);
	class[TYPE_BASE] = ADDRESS(str_type);
	str_type[TYPE_NAME] = ADDRESS("wanted");
	assert_int_equal(object_type_visit(&o, ADDRESS(object), count_names, &count), 1);
	class[TYPE_NAME] = ADDRESS("a\x1b[2J");
	assert_int_equal(object_type_name(&o, ADDRESS(object), name, sizeof(name)), -EINVAL);
	class[TYPE_NAME] = ADDRESS("");
	assert_int_equal(object_type_name(&o, ADDRESS(object), name, sizeof(name)), -EINVAL);
	class[TYPE_NAME] = 0;
	assert_int_equal(object_type_name(&o, ADDRESS(object), name, sizeof(name)), -EFAULT);
}

static void attributes_are_found_in_every_form(void **state)
{
	struct keys_311 shared = (keys(), new_keys());
	struct dict dict = {.type = ADDRESS(dict_type), .keys = ADDRESS(&shared)};
	struct objects o311 = objects(11), o312 = objects(12), o313 = objects(13);
	uint64_t values[] = {0x1a, 0x1b, 0x1c}, value, memory[16] = {0}, *object = memory + 4;

	object[1] = ADDRESS(class);
	class[TYPE_FLAGS] |= 1 << 4;
	class[TYPE_KEYS_311] = class[TYPE_KEYS_312] = ADDRESS(&shared);
	memory[0] = ADDRESS(values);
	assert_int_equal(object_attribute(&o311, ADDRESS(object), "_name", &value), 0);
	assert_int_equal(value, 0x1c);
	memory[0] = 0;
	memory[1] = ADDRESS(&dict);
	assert_int_equal(object_attribute(&o311, ADDRESS(object), "_name", &value), 0);
	assert_int_equal(value, 0xc);
	assert_int_equal(object_attribute(&o312, ADDRESS(object), "_name", &value), 0);
	assert_int_equal(value, 0xc);
	memory[1] = ADDRESS(values) - 1;
	assert_int_equal(object_attribute(&o312, ADDRESS(object), "_target", &value), 0);
	assert_int_equal(value, 0x1a);
	/* 3.13: 24 bytes into the object there is a header that marks them as valid, then the
	 * values */
	memory[1] = 0;
	class[TYPE_BASICSIZE] = 24;
	class[TYPE_FLAGS] |= 1 << 2;
	object[3] = UINT64_C(1) << 24;
	memcpy(object + 4, values, sizeof(values));
	assert_int_equal(object_attribute(&o313, ADDRESS(object), "_name", &value), 0);
	assert_int_equal(value, 0x1c);
	object[6] = 0;
	assert_int_equal(object_attribute(&o313, ADDRESS(object), "_name", &value), -ENOENT);
	object[3] = 0;
	assert_int_equal(object_attribute(&o313, ADDRESS(object), "_target", &value), -ENOENT);
	memory[1] = ADDRESS(&dict);
	assert_int_equal(object_attribute(&o313, ADDRESS(object), "_name", &value), 0);
	assert_int_equal(value, 0xc);
	/* a built-in class has no shared keys where a Python class has them */
	class[TYPE_FLAGS] &= ~(UINT64_C(1) << 9);
	memory[0] = ADDRESS(values);
	assert_int_equal(object_attribute(&o311, ADDRESS(object), "_name", &value), -EINVAL);
}

static void an_attribute_in_a_plain_dict_is_found_where_the_class_says(void **state)
{
	struct keys_310 old = (keys(), old_keys());
	struct dict dict = {.type = ADDRESS(dict_type), .keys = ADDRESS(&old)};
	struct objects o = objects(9);
	uint64_t value, object[8] = {1, ADDRESS(class), ADDRESS(&dict)};

	class[TYPE_DICTOFFSET] = 16;
	assert_int_equal(object_attribute(&o, ADDRESS(object), "_name", &value), 0);
	assert_int_equal(value, 0xc);
	class[TYPE_DICTOFFSET] = (uint64_t)-8; /* from the end of a variable-size object */
	assert_int_equal(object_attribute(&o, ADDRESS(object), "_name", &value), -ENOENT);
	class[TYPE_DICTOFFSET] = 0;
	assert_int_equal(object_attribute(&o, ADDRESS(object), "_name", &value), -ENOENT);
	class[TYPE_DICTOFFSET] = 24;
	assert_int_equal(object_attribute(&o, ADDRESS(object), "_name", &value), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_of_every_width_become_utf8),
		cmocka_unit_test(what_is_no_text_is_none),
		cmocka_unit_test(no_text_is_read_beyond_its_memory),
		cmocka_unit_test(ints_are_read_in_both_forms),
		cmocka_unit_test(a_dict_is_searched_in_every_form),
		cmocka_unit_test(a_dict_that_lies_about_its_size_is_not_believed),
		cmocka_unit_test(a_dict_that_keeps_changing_is_not_reported),
		cmocka_unit_test(what_cannot_be_read_of_many_is_zeros),
		cmocka_unit_test(a_type_that_derives_from_itself_ends),
		cmocka_unit_test(attributes_are_found_in_every_form),
		cmocka_unit_test(an_attribute_in_a_plain_dict_is_found_where_the_class_says),
	};

	types();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
