/* SPDX-License-Identifier: MIT */
/* When a list of threads may be shown, and when it is worth observing on. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "analysis/dump.h"

static bool is_complete(const struct dump_thread *entry, bool stacks)
{
	struct dump_thread threads[] = {*entry};
	struct dump_list list = {.threads = threads, .thread_count = 1};

	return dump_is_complete(&list, stacks);
}

static void a_list_is_complete_once_it_says_who_has_the_gil(void **state)
{
	struct thread waits = {.python = true}, holds = {.python = true};
	struct gil gil = {.waiters = 1};
	struct dump_thread entry = {
		.thread = &waits, .gil = &gil, .state = TS_GIL_WAIT, .ref.stack = 1};

	assert_false(is_complete(&entry, true));
	entry.waits_for = &holds;
	assert_true(is_complete(&entry, true));
	entry.waits_for = NULL;
	gil.free = true; /* between two holders, and that is known */
	assert_true(is_complete(&entry, true));
}

static void a_list_is_complete_once_it_says_what_threads_do(void **state)
{
	struct thread thread = {.python = true};
	struct dump_thread entry = {.thread = &thread, .state = TS_UNKNOWN};

	assert_false(is_complete(&entry, false));
	entry.state = TS_PYTHON;
	assert_true(is_complete(&entry, false));
	assert_false(is_complete(&entry, true));
	entry.ref.stack = 1;
	assert_true(is_complete(&entry, true));
	entry = (struct dump_thread){.thread = &thread, .state = TS_BLOCKED};
	assert_true(is_complete(&entry, true));
	thread.python = false;
	entry.state = TS_UNKNOWN;
	assert_true(is_complete(&entry, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_complete_once_it_says_who_has_the_gil),
		cmocka_unit_test(a_list_is_complete_once_it_says_what_threads_do),
	};

	return cmocka_run_group_tests_name("dump", tests, NULL, NULL);
}
