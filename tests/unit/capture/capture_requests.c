/* SPDX-License-Identifier: MIT */
/* The queue of what must be read from processes: order, coalescing, overflow. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/requests.h"

/* Only the processes' addresses matter. */
struct tracee {
	char name;
};
static struct tracee a = {'a'}, b = {'b'};

static struct requests *requests;

static int setup(void **state)
{
	requests = calloc(1, sizeof(*requests));
	return requests ? 0 : -1;
}

static int teardown(void **state)
{
	free(requests);
	return 0;
}

static void put(struct tracee *tracee, enum request_kind kind, uint64_t key)
{
	requests_put(requests, &(struct request){.tracee = tracee, .kind = kind, .key = key});
}

/* Takes all that is due, in order: "a:epoll:5 b:gils". */
static const char *take_all(uint64_t now)
{
	static const char *const kinds[] = {"epoll",	"loop",	 "loops",  "names", "gils",
					    "snapshot", "locks", "native", "gone"};
	static char text[1 << 16];
	size_t length = 0;
	struct request request;

	text[0] = 0;
	while (requests_take(requests, now, &request)) {
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%c:%s",
					   length ? " " : "", request.tracee->name,
					   kinds[request.kind]);
		if (request.key)
			length += (size_t)snprintf(text + length, sizeof(text) - length, ":%llu",
						   (unsigned long long)request.key);
	}
	return text;
}

static void they_are_taken_in_the_order_of_arrival(void **state)
{
	put(&a, REQUEST_LOOP, 9);
	put(&b, REQUEST_GILS, 0);
	put(&a, REQUEST_EPOLL, 5);
	put(&a, REQUEST_GILS, 0);
	assert_string_equal(take_all(0), "a:loop:9 b:gils a:epoll:5 a:gils");
	assert_int_equal(requests->count, 0);
	assert_int_equal(requests->keyed, 0);
}

static void the_same_is_held_once(void **state)
{
	put(&a, REQUEST_EPOLL, 5);
	put(&a, REQUEST_EPOLL, 6);
	put(&b, REQUEST_EPOLL, 5);
	put(&a, REQUEST_LOOP, 5);
	put(&a, REQUEST_EPOLL, 5);
	put(&a, REQUEST_LOOP, 5);
	assert_string_equal(take_all(0), "a:epoll:5 a:epoll:6 b:epoll:5 a:loop:5");
	put(&a, REQUEST_EPOLL, 5); /* after it was served it is a new request */
	assert_string_equal(take_all(0), "a:epoll:5");
}

static void a_request_is_not_taken_before_it_is_due(void **state)
{
	requests_put(requests, &(struct request){.tracee = &a, .kind = REQUEST_NAMES, .due = 100});
	requests_put(requests, &(struct request){.tracee = &a, .kind = REQUEST_NAMES, .due = 300});
	put(&a, REQUEST_GILS, 0);
	assert_string_equal(take_all(99), "a:gils");
	assert_string_equal(take_all(100), "a:names");
	assert_string_equal(take_all(1000), "");
}

static void a_snapshot_answers_what_is_asked_of_its_process(void **state)
{
	put(&b, REQUEST_EPOLL, 1);
	put(&a, REQUEST_EPOLL, 5);
	put(&a, REQUEST_GILS, 0);
	put(&b, REQUEST_EPOLL, 2);
	put(&a, REQUEST_LOOP, 7);
	put(&a, REQUEST_SNAPSHOT, 0);
	put(&a, REQUEST_EPOLL, 6); /* the snapshot answers this one as well */
	put(&a, REQUEST_SNAPSHOT, 0);
	/* in the place of the first request that it answers, so that it is not delayed */
	assert_string_equal(take_all(0), "b:epoll:1 a:snapshot a:gils b:epoll:2");
}

static void nothing_is_asked_of_a_process_that_is_gone(void **state)
{
	put(&a, REQUEST_EPOLL, 5);
	put(&b, REQUEST_EPOLL, 5);
	requests_put(requests, &(struct request){.tracee = &a, .kind = REQUEST_NAMES, .due = 100});
	put(&a, REQUEST_SNAPSHOT, 0);
	put(&a, REQUEST_GONE, 0);
	put(&a, REQUEST_GONE, 0);
	put(&a, REQUEST_SNAPSHOT, 0);
	put(&a, REQUEST_LOOP, 5);
	assert_string_equal(take_all(1000), "a:gone b:epoll:5");
}

static void one_too_many_becomes_a_snapshot(void **state)
{
	put(&b, REQUEST_EPOLL, 1);
	for (uint32_t i = 2; i <= REQUESTS_MAX; i++)
		put(&a, i % 2 ? REQUEST_EPOLL : REQUEST_LOOP, i);
	assert_int_equal(requests->keyed, REQUESTS_MAX);
	put(&b, REQUEST_NAMES, 0); /* there is always room for these */
	put(&a, REQUEST_LOOP, 1000);
	assert_int_equal(requests->keyed, 1);
	put(&a, REQUEST_EPOLL, 1001);
	assert_string_equal(take_all(0), "b:epoll:1 a:snapshot b:names");
}

static void there_is_room_for_every_process_in_every_way(void **state)
{
	struct tracee *many = calloc(SHARED_MAX_TARGETS, sizeof(*many));
	struct request request;
	uint32_t snapshots = 0, taken = 0;

	assert_non_null(many);
	for (uint32_t i = 0; i < REQUESTS_MAX; i++)
		put(&many[0], REQUEST_EPOLL, i);
	for (uint32_t i = 0; i < SHARED_MAX_TARGETS; i++) {
		put(&many[i], REQUEST_NAMES, 0);
		put(&many[i], REQUEST_GILS, 0);
		put(&many[i], i ? REQUEST_SNAPSHOT : REQUEST_GILS, 0);
	}
	for (uint32_t i = 1; i < SHARED_MAX_TARGETS; i++)
		put(&many[i], REQUEST_LOOP, 7); /* answered by the snapshot */
	while (requests_take(requests, 0, &request)) {
		taken++;
		snapshots += request.kind == REQUEST_SNAPSHOT;
	}
	assert_int_equal(snapshots, SHARED_MAX_TARGETS - 1);
	assert_int_equal(taken, REQUESTS_MAX + 3 * SHARED_MAX_TARGETS - 1);
	free(many);
}

static void one_kind_can_be_cancelled(void **state)
{
	put(&a, REQUEST_NAMES, 0);
	put(&a, REQUEST_GILS, 0);
	put(&b, REQUEST_GILS, 0);
	assert_true(requests_cancel(requests, &a, REQUEST_GILS));
	assert_false(requests_cancel(requests, &a, REQUEST_GILS));
	assert_string_equal(take_all(0), "a:names b:gils");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(they_are_taken_in_the_order_of_arrival, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_same_is_held_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_request_is_not_taken_before_it_is_due, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_snapshot_answers_what_is_asked_of_its_process,
						setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_asked_of_a_process_that_is_gone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_too_many_becomes_a_snapshot, setup, teardown),
		cmocka_unit_test_setup_teardown(there_is_room_for_every_process_in_every_way, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_kind_can_be_cancelled, setup, teardown),
	};

	return cmocka_run_group_tests_name("capture_requests", tests, NULL, NULL);
}
