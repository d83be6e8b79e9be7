/* SPDX-License-Identifier: MIT */
/* The slots of the probes' map of GILs. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "capture/gil_slots.h"

static struct gil_slots slots;

static int setup(void **state)
{
	memset(&slots, 0, sizeof(slots));
	return 0;
}

/* All of these are looked for from the same slot on. */
static struct shared_gil_key colliding(uint32_t number)
{
	return (struct shared_gil_key){.condition = 0x7f0000a1b2c8 ^ (1000 + number),
				       .tgid = 1000 + number};
}

static uint32_t take(uint32_t number)
{
	struct shared_gil_key key = colliding(number);
	uint32_t slot = UINT32_MAX;

	assert_int_equal(gil_slots_take(&slots, &key, &slot), 0);
	return slot;
}

/* As the probes do it (bpf/common.bpf.h, find_gil()). */
static bool is_found(uint32_t number, uint32_t slot)
{
	struct shared_gil_key key = colliding(number);

	for (uint32_t i = 0; i < SHARED_GIL_TRIES; i++)
		if (shared_gil_slot(&key, i) == slot)
			return slots.keys[slot].condition == key.condition &&
			       slots.keys[slot].tgid == key.tgid;
	return false;
}

static void each_has_a_slot_where_the_probes_look(void **state)
{
	uint32_t given[SHARED_GIL_TRIES];

	for (uint32_t i = 0; i < SHARED_GIL_TRIES; i++)
		given[i] = take(i);
	for (uint32_t i = 0; i < SHARED_GIL_TRIES; i++) {
		assert_true(is_found(i, given[i]));
		assert_int_equal(take(i), given[i]);
	}
}

static void one_too_many_is_refused(void **state)
{
	struct shared_gil_key key = colliding(SHARED_GIL_TRIES);
	uint32_t slot;

	for (uint32_t i = 0; i < SHARED_GIL_TRIES; i++)
		take(i);
	assert_int_equal(gil_slots_take(&slots, &key, &slot), -E2BIG);
}

static void a_slot_is_free_again_and_the_others_stay(void **state)
{
	struct shared_gil_key first = colliding(0);
	uint32_t slot_of_first = take(0), slot_of_second = take(1), slot;

	assert_int_equal(gil_slots_free(&slots, &first, &slot), 0);
	assert_int_equal(slot, slot_of_first);
	assert_int_equal(gil_slots_free(&slots, &first, &slot), -ENOENT);
	assert_true(is_found(1, slot_of_second));
	assert_int_equal(take(1), slot_of_second);
	assert_int_equal(take(2), slot_of_first);
}

/* Forked ones have their GIL at the same address; others at any, on some page. */
static void as_many_processes_as_there_can_be_have_theirs(void **state)
{
	const struct {
		uint64_t step;
		uint32_t pids;
	} services[] = {{0, 1}, {0, 3}, {0, 7}, {0x9e3779b97f4a7000, 1}};

	for (size_t n = 0; n < sizeof(services) / sizeof(services[0]); n++) {
		setup(NULL);
		for (uint32_t i = 0; i < 2 * SHARED_MAX_TARGETS; i++) {
			const struct shared_gil_key key = {.condition = 0x7f0000a1b2c8 +
									i / 2 * services[n].step +
									i % 2 * 0x60,
							   .tgid = 4000 + i / 2 * services[n].pids};
			uint32_t slot;

			assert_int_equal(gil_slots_take(&slots, &key, &slot), 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(each_has_a_slot_where_the_probes_look, setup),
		cmocka_unit_test_setup(one_too_many_is_refused, setup),
		cmocka_unit_test_setup(a_slot_is_free_again_and_the_others_stay, setup),
		cmocka_unit_test_setup(as_many_processes_as_there_can_be_have_theirs, setup),
	};

	return cmocka_run_group_tests_name("capture_gil_slots", tests, NULL, NULL);
}
