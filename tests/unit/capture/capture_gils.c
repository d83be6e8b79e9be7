/* SPDX-License-Identifier: MIT */
/* Sub-interpreters that come and go: what is held for their GILs is used again. */
#include "tests/unit/capture/capture_fake.h"

#include "capture/gil_slots.h"

static struct fake *fake;
static struct fake_process *process;
static struct gil_slots slots;
static uint32_t room; /* for condition variables, in the probes' map */

static uint32_t slots_in_use(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < SHARED_GIL_SLOTS; i++)
		count += slots.keys[i].tgid != 0;
	return count;
}

static int set(void *ctx, enum probes_map map, const void *key, const void *value)
{
	uint32_t slot;

	if (map != PROBES_GILS)
		return 0;
	return slots_in_use() < room ? gil_slots_take(&slots, key, &slot) : -E2BIG;
}

static void unset(void *ctx, enum probes_map map, const void *key)
{
	uint32_t slot;

	if (map == PROBES_GILS)
		(void)gil_slots_free(&slots, key, &slot);
}

static int setup(void **state)
{
	fake = fake_new();
	process = fake_add(fake, 10);
	process->target.layout.gil.switch_cond = 0x40;
	fake->capture.probes.set = set;
	fake->capture.probes.remove = unset;
	memset(&slots, 0, sizeof(slots));
	room = SHARED_GIL_SLOTS;
	return 0;
}

static int teardown(void **state)
{
	fake_free(fake);
	return 0;
}

/* A site with an unknown GIL has been passed, and what that calls for is read. Once enough time has
 * passed: see GILS_SHARE. */
static void look(uint32_t new_gils, bool gils_end)
{
	fake->record_count = fake->record_next = fake->event_count = fake->read_count = 0;
	process->new_gils = new_gils;
	process->gils_end = gils_end;
	process->tracee->ts_gils = 0;
	fake_of_thread(fake, EV_UNKNOWN_GIL, 10);
	fake_poll(fake);
	assert_int_equal(reorder_flush(fake->capture.reorder), 0);
}

/* More of them than the probes' map has slots, and than there are indices. */
static void slots_and_indices_are_used_again(void **state)
{
	enum { ROUNDS = 40000, AT_ONCE = 2 };
	static uint64_t known[UINT16_MAX + 1]; /* addresses by index, as a reader has them */
	uint32_t declared = 0, ended = 0, highest = 0;

	memset(known, 0, sizeof(known));
	look(1, false); /* the main interpreter's */
	for (uint32_t round = 0; round < ROUNDS; round++) {
		look(AT_ONCE, true);
		for (uint32_t i = 0; i < fake->event_count; i++) {
			const struct ev_gil *gil = &fake->events[i].gil;

			if (gil->hdr.type != EV_GIL)
				continue;
			if (gil->hdr.flags & EVF_GIL_GONE) {
				assert_int_equal(known[gil->hdr.aux], gil->address);
				known[gil->hdr.aux] = 0;
				ended++;
				continue;
			}
			assert_int_equal(known[gil->hdr.aux], 0);
			known[gil->hdr.aux] = gil->address;
			highest = gil->hdr.aux > highest ? gil->hdr.aux : highest;
			declared++;
		}
		assert_int_equal(process->target.gil_count, 1 + AT_ONCE);
		assert_int_equal(slots_in_use(), 2 * (1 + AT_ONCE));
	}
	assert_int_equal(declared, AT_ONCE * ROUNDS);
	assert_int_equal(ended, AT_ONCE * (ROUNDS - 1));
	assert_true(highest <= AT_ONCE);
}

/* They end, and no other one begins. */
static void they_are_dropped_without_a_new_one(void **state)
{
	look(3, false);
	look(0, true);
	assert_int_equal(process->target.gil_count, 1);
	assert_int_equal(slots_in_use(), 2);
	assert_int_equal(fake->events[fake_find(fake, EV_GIL)].hdr.flags, EVF_GIL_GONE);
}

/* The others are, and observation goes on. */
static void one_without_room_stays_unknown(void **state)
{
	uint32_t declared = 0;

	room = 5;
	look(1, false);
	look(2, false);
	for (uint32_t i = 0; i < fake->event_count; i++)
		declared += fake->events[i].hdr.type == EV_GIL &&
			    !(fake->events[i].hdr.flags & EVF_GIL_GONE);
	assert_int_equal(declared, 1);
	assert_int_equal(process->target.gil_count, 2);
	assert_int_equal(slots_in_use(), 4);
	room = SHARED_GIL_SLOTS;
	look(1, false);
	assert_int_equal(process->target.gil_count, 3);
	assert_int_equal(slots_in_use(), 6);
}

/* A process that seems to make interpreters all the time does not keep the capture busy. */
static void they_are_not_read_all_the_time(void **state)
{
	look(1, false);
	assert_string_equal(fake_reads(fake), "gils 10");
	process->tracee->ts_gils = clock_now_ns() + 50 * NS_PER_MS;
	fake_of_thread(fake, EV_UNKNOWN_GIL, 10);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "");
	while (clock_now_ns() < process->tracee->ts_gils)
		;
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "gils 10; snapshot 10; names 10");
	assert_true(process->tracee->ts_gils > clock_now_ns());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(slots_and_indices_are_used_again),
		TEST(they_are_dropped_without_a_new_one),
		TEST(one_without_room_stays_unknown),
		TEST(they_are_not_read_all_the_time),
	};

	return cmocka_run_group_tests_name("capture_gils", tests, NULL, NULL);
}
