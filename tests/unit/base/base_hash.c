/* SPDX-License-Identifier: MIT */
/* uthash without memory: by default it exits the process. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

static int allocations_left;

static void *scarce_malloc(size_t size)
{
	return allocations_left-- > 0 ? malloc(size) : NULL;
}
#define uthash_malloc(size) scarce_malloc(size)
#include "base/hash.h"

struct element {
	uint32_t key;
	UT_hash_handle hh;
};

static bool add(struct element **table, struct element *element, uint32_t key)
{
	element->key = key;
	HASH_ADD(hh, *table, key, sizeof(key), element);
	return !HASH_FAILED(element);
}

/* The table and its buckets are two allocations. Without either there is no table, and nothing
 * leaks. */
static void an_addition_fails_and_the_process_lives(void **state)
{
	struct element elements[1000] = {0}, *table = NULL, *found;
	uint32_t key = 1, failed = 0, kept = 0;

	for (int room = 0; room < 2; room++) {
		allocations_left = room;
		assert_false(add(&table, &elements[0], key));
		assert_null(table);
	}
	/* memory for the first table only, not for growing: additions may fail, existing elements
	 * stay */
	allocations_left = 2;
	for (uint32_t i = 0; i < 1000; i++)
		failed += !add(&table, &elements[i], i);
	for (uint32_t i = 0; i < 1000; i++) {
		HASH_FIND(hh, table, &i, sizeof(i), found);
		kept += found != NULL;
		assert_true(!found || found == &elements[i]);
	}
	assert_int_equal(kept + failed, 1000);
	assert_true(kept > 0);
	HASH_CLEAR(hh, table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_addition_fails_and_the_process_lives)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
