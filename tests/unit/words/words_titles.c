/* SPDX-License-Identifier: MIT */
/* What processes of a service are called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "words/names.h"

#define UVICORN "python3 -m uvicorn app:app"
#define SPAWNED "python3 -c from multiprocessing.spawn import spawn_main; spawn_main(7)"
#define SERVER	"python3 -c from multiprocessing.forkserver import main; main(3)"

static struct process process(const char *cmdline, const struct process *parent, uint32_t number)
{
	struct process made = {.parent = parent, .number = number};

	strcpy(made.info.cmdline, cmdline);
	return made;
}

static void assert_title(const struct process *process, const char *expected)
{
	char title[PROCESS_TITLE_MAX];

	assert_string_equal(process_title(process, title), expected);
}

static void test_workers(void **state)
{
	struct process chief = process(UVICORN, NULL, 0), forked = process(UVICORN, &chief, 1),
		       spawned = process(SPAWNED, &chief, 2), other = process("sleep 1", &chief, 3),
		       server = process(SERVER, &chief, 4), served = process(SERVER, &server, 5),
		       again = process(UVICORN, &forked, 6);

	assert_title(&chief, "uvicorn app:app");
	assert_title(&forked, "worker 1 of uvicorn app:app");
	assert_title(&spawned, "worker 2 of uvicorn app:app");
	assert_title(&other, "sleep 1");
	assert_title(&server, "fork server of uvicorn app:app");
	assert_title(&served, "worker 5 of uvicorn app:app");
	assert_title(&again, "worker 6 of uvicorn app:app");
}

/* A process that serves has children for its work, and is no supervisor. */
static void test_children_of_what_serves(void **state)
{
	struct process chief = process(UVICORN, NULL, 0), worker = process(UVICORN, &chief, 1),
		       forked = process(UVICORN, &worker, 1),
		       spawned = process(SPAWNED, &worker, 2), server = process(SERVER, &worker, 3),
		       served = process(SERVER, &server, 4), again = process(UVICORN, &forked, 5);

	worker.serves = true;
	assert_title(&worker, "worker 1 of uvicorn app:app");
	assert_title(&forked, "child 1 of worker 1 of uvicorn app:app");
	assert_title(&spawned, "child 2 of worker 1 of uvicorn app:app");
	assert_title(&server, "fork server of worker 1 of uvicorn app:app");
	assert_title(&served, "child 4 of worker 1 of uvicorn app:app");
	assert_title(&again, "worker 5 of child 1 of worker 1 of uvicorn app:app");
}

/* Numbers and generations as a hostile recording may have them. */
static void test_any_family_has_a_title(void **state)
{
	struct process family[40] = {process(UVICORN, NULL, 0)}, circle = family[0];
	char title[PROCESS_TITLE_MAX];

	for (int i = 1; i < 40; i++) {
		family[i] = process(i % 3 ? UVICORN : SERVER, &family[i - 1], UINT32_MAX);
		family[i].serves = i % 2;
	}
	circle.parent = &circle;
	for (int serves = 0; serves < 2; serves++) {
		circle.serves = serves;
		assert_non_null(strstr(process_title(&circle, title), " of uvicorn app:app"));
	}
	assert_true(strlen(process_title(&family[39], title)) < PROCESS_TITLE_MAX);
	memset(circle.info.cmdline, 'x', sizeof(circle.info.cmdline) - 1);
	assert_true(strlen(process_title(&circle, title)) < PROCESS_TITLE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_workers),
		cmocka_unit_test(test_children_of_what_serves),
		cmocka_unit_test(test_any_family_has_a_title),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
