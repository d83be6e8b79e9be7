/* SPDX-License-Identifier: MIT */
/* musl's condition variables, semaphores and mutexes, as they are in the memory of a process. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "python/elf/libc.h"
#include "python/interpreter/gil.h"
#include "python/process/futex.h"
#include "python/process/proc.h"

/* A GIL, and what condition variables of musl's have at `_c_head` */
struct musl {
	struct gil_layout layout;
	uint8_t *gil;
	struct musl_waiter waiters[MUSL_WAITERS_MAX + 1];
};

static uint64_t address(const void *of)
{
	return (uint64_t)(uintptr_t)of;
}

static void newest_is(struct musl *musl, unsigned short condition, const struct musl_waiter *waiter)
{
	uint64_t at = address(waiter);

	memcpy(musl->gil + condition + 8, &at, sizeof(at));
}

static uint64_t waits_at(const struct musl *musl, const struct musl_waiter *waiter)
{
	return gil_futex_offset(getpid(), &musl->layout, address(musl->gil),
				address(&waiter->barrier));
}

static int make(void **state)
{
	struct musl *musl = calloc(1, sizeof(*musl));

	assert_non_null(musl);
	musl->layout = gil_layout_of(false);
	gil_layout_for_musl(&musl->layout);
	musl->gil = calloc(1, musl->layout.size);
	assert_non_null(musl->gil);
	for (int i = 0; i < MUSL_WAITERS_MAX; i++)
		musl->waiters[i].next = address(&musl->waiters[i + 1]);
	*state = musl;
	return 0;
}

static int unmake(void **state)
{
	struct musl *musl = *state;

	free(musl->gil);
	free(musl);
	return 0;
}

static void a_futex_of_the_gil_itself_is_where_it_is(void **state)
{
	const struct musl *musl = *state;

	for (uint16_t at = 0; at < musl->layout.size; at += 4)
		assert_int_equal(gil_futex_offset(getpid(), &musl->layout, address(musl->gil),
						  address(musl->gil) + at),
				 at);
	assert_int_equal(gil_futex_offset(getpid(), &musl->layout, address(musl->gil),
					  address(musl->gil) + musl->layout.size),
			 UINT64_MAX);
}

static void a_waiter_on_its_own_stack_is_found_by_the_list(void **state)
{
	struct musl *musl = *state;

	assert_int_equal(waits_at(musl, &musl->waiters[0]), UINT64_MAX); /* nobody waits */
	newest_is(musl, musl->layout.cond, &musl->waiters[0]);
	newest_is(musl, musl->layout.switch_cond, &musl->waiters[MUSL_WAITERS_MAX]);
	assert_int_equal(waits_at(musl, &musl->waiters[0]), musl->layout.cond);
	assert_int_equal(waits_at(musl, &musl->waiters[5]), musl->layout.cond);
	assert_int_equal(waits_at(musl, &musl->waiters[MUSL_WAITERS_MAX]),
			 musl->layout.switch_cond);
	newest_is(musl, musl->layout.cond, &musl->waiters[3]);
	assert_int_equal(waits_at(musl, &musl->waiters[2]), UINT64_MAX); /* it has left */
}

static void a_list_of_another_c_library_is_none(void **state)
{
	struct musl *musl = *state;

	newest_is(musl, musl->layout.cond, &musl->waiters[0]);
	musl->layout = gil_layout_of(false);
	assert_int_equal(waits_at(musl, &musl->waiters[0]), UINT64_MAX);
}

static void a_hostile_list_ends(void **state)
{
	struct musl *musl = *state;
	struct musl_waiter other = {0};

	newest_is(musl, musl->layout.cond, &musl->waiters[0]);
	musl->waiters[9].next = address(&musl->waiters[4]); /* a ring */
	assert_int_equal(waits_at(musl, &other), UINT64_MAX);
	musl->waiters[9].next = 8; /* not mapped */
	assert_int_equal(waits_at(musl, &other), UINT64_MAX);
	assert_int_equal(waits_at(musl, &musl->waiters[9]), musl->layout.cond);
}

/* ── what else a thread sleeps on ────────────────────────────────────────── */

/* `words` as musl has them around a futex, which is the second one. */
static struct ev_futex look(uint32_t first, uint32_t value, uint32_t third, bool musl)
{
	const uint32_t words[] = {first, value, third, 1, 1};
	struct ev_futex event = {0};

	futex_look(getpid(), address(&words[1]), FUTEX_WAIT | FUTEX_PRIVATE_FLAG, musl, &event);
	assert_int_equal(event.address, address(&words[1]));
	return event;
}

static void a_semaphore_is_recognized(void **state)
{
	assert_int_equal(look(7, 1u << 31, 1, true).hdr.flags, EVF_FUTEX_SEMAPHORE);
	assert_int_equal(look(7, UINT32_MAX, 3, true).hdr.flags, EVF_FUTEX_SEMAPHORE);
	assert_int_equal(look(7, 1u << 31, 0, true).hdr.flags, 0); /* nobody waits */
	assert_int_equal(look(7, 0, 1, true).hdr.flags, 0);	   /* glibc's */
	assert_int_equal(look(7, 1u << 31, 1, false).hdr.flags, 0);
}

static void the_owner_of_a_mutex_is_known_if_it_has_one(void **state)
{
	struct ev_futex event = look(1, 1u << 31 | 4711, 1, true); /* recursive */

	assert_int_equal(event.hdr.flags, EVF_FUTEX_MUTEX);
	assert_int_equal(event.other, 4711);
	event = look(2 | 128, 1u << 31 | 4711, 2, true); /* checks for errors, shared */
	assert_int_equal(event.hdr.flags, EVF_FUTEX_MUTEX);
	assert_int_equal(event.other, 4711);
	event = look(1, 4711, 1, true); /* it was handed on */
	assert_int_equal(event.hdr.flags, EVF_FUTEX_MUTEX);
	assert_int_equal(event.other, 4711);
	/* a normal one has EBUSY in its place */
	assert_int_equal(look(0, 1u << 31 | 16, 1, true).hdr.flags, 0);
	assert_int_equal(look(1, 4711, 0, true).hdr.flags, 0); /* nobody waits */
	assert_int_equal(look(1, 0, 1, true).hdr.flags, 0);    /* nobody has it */
	assert_int_equal(look(1, 1u << 31 | 1u << 30 | 4711, 1, true).hdr.flags, 0);
}

/* ── which file is the library ───────────────────────────────────────────── */

static bool is_musl(const char *path, bool executable)
{
	char copy[64];
	struct mapping mapping = {.path = copy, .inode = 1, .executable = executable};

	strncpy(copy, path, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = 0;
	return libc_is_musl(&mapping);
}

static void the_library_is_the_loader_or_what_that_links_to(void **state)
{
	assert_true(is_musl("/lib/ld-musl-x86_64.so.1", true));
	assert_true(is_musl("/usr/lib/x86_64-linux-musl/libc.so", true)); /* Debian */
	assert_false(is_musl("/lib/ld-musl-x86_64.so.1", false));
	assert_false(is_musl("/usr/lib/x86_64-linux-gnu/libc.so.6", true));
	assert_false(is_musl("/app/libc.so.d/plugin.so", true));
	assert_false(is_musl("", true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_futex_of_the_gil_itself_is_where_it_is, make,
						unmake),
		cmocka_unit_test_setup_teardown(a_waiter_on_its_own_stack_is_found_by_the_list,
						make, unmake),
		cmocka_unit_test_setup_teardown(a_list_of_another_c_library_is_none, make, unmake),
		cmocka_unit_test_setup_teardown(a_hostile_list_ends, make, unmake),
		cmocka_unit_test(a_semaphore_is_recognized),
		cmocka_unit_test(the_owner_of_a_mutex_is_known_if_it_has_one),
		cmocka_unit_test(the_library_is_the_loader_or_what_that_links_to),
	};

	return cmocka_run_group_tests_name("python_musl", tests, NULL, NULL);
}
