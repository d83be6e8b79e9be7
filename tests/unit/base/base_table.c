/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>

#include "base/table.h"

struct count {
	struct {
		uint64_t who;
		uint32_t where;
		uint32_t spare;
	} key;
	uint64_t times;
};
TABLE_OF(counts, struct count, key)

struct word {
	uint32_t key;
	uint32_t times;
};
TABLE_OF(words, struct word, key)

static struct count *count_of(struct table *table, uint64_t who, uint32_t where)
{
	struct count key = {.key = {.who = who, .where = where}}, *entry;

	assert_int_equal(counts_get(table, &key.key, &entry), 0);
	assert_int_equal(entry->key.who, who);
	assert_int_equal(entry->key.where, where);
	return entry;
}

/* Keys that differ in any word are different. Every count stays with its key when the table grows.
 * Entries are listed in order of insertion. */
static void entries_keep_their_keys_and_their_order(void **state)
{
	const uint32_t many = 10000;
	struct table table = TABLE(struct count, UINT32_MAX / 4);

	for (uint32_t round = 1; round <= 3; round++)
		for (uint32_t i = 0; i < many; i++) {
			count_of(&table, i / 2, i % 2)->times += i;
			assert_int_equal(count_of(&table, i / 2, i % 2)->times,
					 (uint64_t)round * i);
		}
	assert_int_equal(table.count, many);
	for (uint32_t i = 0; i < many; i++) {
		const struct count *entry = table_at(&table, i);

		assert_int_equal(entry->key.who * 2 + entry->key.where, i);
	}
	table_done(&table);
	assert_int_equal(table.count, 0);
}

/* A new entry is zero except for its key, even in a reused slot. */
static void a_reset_table_is_empty(void **state)
{
	struct table table = TABLE(struct word, UINT32_MAX / 4);
	struct word *entry;

	table_reset(&table);
	for (uint32_t round = 0; round < 100; round++) {
		for (uint32_t i = 0; i < round; i++) {
			uint32_t key = i * 7 + round % 3;

			assert_int_equal(words_get(&table, &key, &entry), 0);
			assert_int_equal(entry->key, key);
			assert_int_equal(entry->times, 0);
			entry->times = round;
		}
		assert_int_equal(table.count, round);
		table_reset(&table);
		assert_int_equal(table.count, 0);
	}
	table_done(&table);
}

/* Numbers of entries continue over resets. Before they would overflow they restart, and the old
 * entries are invalid. */
static void numbers_restart_before_they_overflow(void **state)
{
	struct table table = TABLE(struct word, UINT32_MAX / 4);
	struct word *entry;
	uint32_t key;

	for (key = 0; key < 10; key++)
		assert_int_equal(words_get(&table, &key, &entry), 0);
	table_reset(&table);
	table.forgotten = UINT32_MAX / 2;
	for (key = 0; key < 5; key++)
		assert_int_equal(words_get(&table, &key, &entry), 0);
	assert_int_equal(table.count, 5);
	table_reset(&table);
	assert_int_equal(table.forgotten, 0);
	for (key = 0; key < 16; key++) {
		assert_int_equal(words_get(&table, &key, &entry), 0);
		assert_int_equal(table.count, key + 1);
	}
	table_done(&table);
}

static void a_full_table_keeps_its_entries(void **state)
{
	struct table table = TABLE(struct word, 20);
	struct word *entry;

	for (uint32_t key = 0; key < 100; key++) {
		assert_int_equal(words_get(&table, &key, &entry), key < 20 ? 0 : -ENOSPC);
		assert_true((entry != NULL) == (key < 20));
	}
	for (uint32_t key = 0; key < 20; key++) {
		assert_int_equal(words_get(&table, &key, &entry), 0);
		assert_ptr_equal(entry, table_at(&table, key));
	}
	assert_int_equal(table.count, 20);
	table_done(&table);
}

/* The sanitizer must return NULL like malloc(), not end the program. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* There is not enough memory for a second allocation of entries. */
static void without_memory_nothing_is_added_and_nothing_is_lost(void **state)
{
	struct table table = TABLE(struct word, UINT32_MAX / 4);
	struct word *entry;
	uint32_t key;

	for (key = 0; key < 16; key++)
		assert_int_equal(words_get(&table, &key, &entry), 0);
	table.entry_bytes = PTRDIFF_MAX / 40;
	for (key = 16; key < 18; key++) {
		assert_int_equal(words_get(&table, &key, &entry), -ENOMEM);
		assert_null(entry);
	}
	table.entry_bytes = sizeof(struct word);
	for (key = 0; key < 17; key++)
		assert_int_equal(words_get(&table, &key, &entry), 0);
	assert_int_equal(table.count, 17);
	table_done(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_keep_their_keys_and_their_order),
		cmocka_unit_test(a_reset_table_is_empty),
		cmocka_unit_test(numbers_restart_before_they_overflow),
		cmocka_unit_test(a_full_table_keeps_its_entries),
		cmocka_unit_test(without_memory_nothing_is_added_and_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
