/* SPDX-License-Identifier: MIT */
/* What a poll does with the ring's records, and which processes it then reads. */
#include "tests/unit/capture/capture_fake.h"

#include <time.h>

#define HOUR_NS (3600 * NS_PER_S)

static struct fake *fake;
static struct fake_process *first, *second;

static int setup(void **state)
{
	fake = fake_new();
	first = fake_add(fake, 10);
	second = fake_add(fake, 20);
	return 0;
}

static int teardown(void **state)
{
	fake_free(fake);
	return 0;
}

/* ── requests ────────────────────────────────────────────────────────────────────────────────── */

/* The fakes fail if they are called inside the callback. */
static void the_ring_is_empty_before_anything_is_read(void **state)
{
	first->epfd_loop[5] = true;
	fake_wait(fake, 10, 5);
	fake_of_thread(fake, EV_UNKNOWN_GIL, 20);
	fake_of_thread(fake, EV_PROCESS_EXIT, 20);
	fake_drain(fake);
	assert_int_equal(fake->record_next, fake->record_count);
	assert_int_equal(fake->capture.status.targets, 1); /* an exit counts immediately */
	assert_int_equal(fake->map_count, 0);
	assert_string_equal(fake_reads(fake), "");
	assert_int_equal(capture_serve(&fake->capture, UINT64_MAX), 0);
	assert_string_equal(fake_reads(fake), "epoll 10 5; loop 10 10");
	assert_int_equal(fake_maps(fake, "uprobes of 0"), 1);
}

static void each_is_asked_once_in_the_order_of_the_records(void **state)
{
	first->epfd_loop[5] = first->epfd_loop[6] = true;
	fake_thread(fake, 10, 11);
	fake_wait(fake, 10, 5);
	fake_wait(fake, 11, 5);
	fake_wait(fake, 20, 5);
	fake_of_thread(fake, EV_UNKNOWN_GIL, 10);
	fake_wait(fake, 10, 5);
	fake_wait(fake, 11, 6);
	fake_of_thread(fake, EV_UNKNOWN_GIL, 10);
	fake_poll(fake);
	/* 20's 5 is not a loop's; 11 has been asked about with 5 */
	assert_string_equal(fake_reads(fake), "epoll 10 5; loop 10 10; loop 10 11; epoll 20 5; "
					      "gils 10; epoll 10 6");
	fake_wait(fake, 10, 5);
	fake_wait(fake, 11, 6);
	fake_wait(fake, 20, 5);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "");
}

static void records_of_others_ask_nothing(void **state)
{
	fake_wait(fake, 99, 5);
	fake_of_thread(fake, EV_UNKNOWN_GIL, 99);
	fake_of_thread(fake, EV_COMM, 99);
	fake_close(fake, 99, 5);
	fake_of_thread(fake, EV_PROCESS_EXIT, 99);
	fake_thread(fake, 98, 99);
	fake_of_thread(fake, EV_THREAD_EXIT, 10);
	fake_wait(fake, 10, 5);
	fake_wait(fake, 20, EPFD_SEEN_MAX);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "");
	assert_int_equal(fake->capture.requests.count, 0);
	assert_null(member_find(&fake->capture, 10));
}

static void a_thread_whose_loop_cannot_be_read_is_asked_once_a_second(void **state)
{
	first->epfd_loop[5] = first->loops_cannot_be_read = true;
	fake_wait(fake, 10, 5);
	fake_poll(fake);
	member_find(&fake->capture, 10)->loop_asked += HOUR_NS; /* however slow this test is */
	fake_wait(fake, 10, 5);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "epoll 10 5; loop 10 10");
	member_find(&fake->capture, 10)->loop_asked -= HOUR_NS + NS_PER_S;
	first->loops_cannot_be_read = false;
	fake_wait(fake, 10, 5);
	fake_poll(fake);
	member_find(&fake->capture, 10)->loop_asked -= NS_PER_S;
	fake_wait(fake, 10, 5);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "loop 10 10"); /* this time the answer is yes */
}

static void a_number_that_was_closed_is_asked_about_again(void **state)
{
	first->epfd_loop[5] = true;
	fake_wait(fake, 10, 5);
	fake_poll(fake);
	assert_int_equal(fake_maps(fake, "set 4"), 1);
	fake_reads(fake);
	fake_close(fake, 10, 5);
	first->epfd_loop[5] = false;
	fake_wait(fake, 10, 5);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "epoll 10 5");
	assert_int_equal(fake_maps(fake, "set 4"), 1);
}

static void what_has_no_answer_is_not_asked_again(void **state)
{
	fake_wait(fake, 10, 511);
	fake_poll(fake);
	fake_wait(fake, 10, 511);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "epoll 10 511");
}

/* Closed and reused before the request is served: the request is about the new one. */
static void closed_before_it_is_served(void **state)
{
	uint32_t closed;

	first->epfd_loop[5] = true;
	fake_wait(fake, 10, 5);
	fake_close(fake, 10, 5);
	fake_wait(fake, 10, 5);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "epoll 10 5; loop 10 10");
	closed = fake_find(fake, EV_EPOLL_CLOSE);
	assert_true(fake_find(fake, EV_EPOLL) > closed);
}

/* asyncio.run() twice: the second loop gets the number of the first one's descriptor */
static void a_number_closed_before_it_is_served_is_asked_about_again(void **state)
{
	fake_wait(fake, 10, 511);
	fake_close(fake, 10, 511);
	fake_poll(fake);
	fake_reads(fake);
	fake_wait(fake, 10, 511);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "epoll 10 511");
}

static void names_are_read_when_a_thread_has_had_time_to_set_it(void **state)
{
	uint64_t born = clock_now_ns();

	first->name = "worker";
	fake_push(fake, (union event){.thread = {.hdr = {.type = EV_THREAD, .tid = 11, .ts = born},
						 .pid = 10}});
	fake_of_thread(fake, EV_COMM, 10);
	fake_drain(fake);
	assert_int_equal(fake->capture.requests.count, 1);
	assert_int_equal(fake->capture.requests.list[0].due, born + 200 * NS_PER_MS);
	fake->capture.requests.list[0].due = clock_now_ns() + HOUR_NS;
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "");
	fake->capture.requests.list[0].due = clock_now_ns();
	fake_poll(fake);
	fake_of_thread(fake, EV_COMM, 11);
	fake_drain(fake);
	fake->capture.requests.list[0].due = 0;
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "names 10; names 10");
	fake_find(fake, EV_PYTHON_NAME);
	for (uint32_t i = fake_find(fake, EV_PYTHON_NAME) + 1; i < fake->event_count; i++)
		assert_int_not_equal(fake->events[i].hdr.type, EV_PYTHON_NAME); /* unchanged */
}

/* ── time ────────────────────────────────────────────────────────────────────────────────────── */

static void requests_without_time_are_served_by_the_next_poll(void **state)
{
	first->epfd_loop[5] = true;
	fake_wait(fake, 10, 5);
	fake_of_thread(fake, EV_UNKNOWN_GIL, 20);
	fake_drain(fake);
	assert_int_equal(capture_serve(&fake->capture, 0), 0);
	assert_string_equal(fake_reads(fake), "epoll 10 5");
	fake_wait(fake, 20, 7); /* new requests queue behind the earlier ones */
	fake_drain(fake);
	for (int i = 0; i < 3; i++)
		assert_int_equal(capture_serve(&fake->capture, 0), 0);
	assert_string_equal(fake_reads(fake), "loop 10 10; gils 20; epoll 20 7");
	assert_int_equal(capture_serve(&fake->capture, UINT64_MAX), 0);
	assert_string_equal(fake_reads(fake), "");
}

/* A process that needs a snapshot in every poll, each using up the time, does not starve the
 * others. */
static void every_request_is_served_eventually(void **state)
{
	fake_wait(fake, 20, 7);
	fake_drain(fake);
	for (int i = 0; i < 3; i++) { /* 7 is found not to be a loop's */
		requests_put(&fake->capture.requests,
			     &(struct request){.tracee = first->tracee, .kind = REQUEST_SNAPSHOT});
		assert_int_equal(capture_serve(&fake->capture, 0), 0);
	}
	assert_string_equal(fake_reads(fake), "epoll 20 7; snapshot 10; names 10");
}

static void an_overflow_of_requests_is_answered_by_a_snapshot(void **state)
{
	fake_wait(fake, 20, 5);
	for (uint32_t epfd = 1; epfd <= REQUESTS_MAX; epfd++)
		fake_wait(fake, 10, epfd);
	first->epfds = REQUESTS_MAX;
	first->epfd_loop[REQUESTS_MAX] = true;
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "epoll 20 5; snapshot 10; names 10");
	fake_wait(fake, 10, REQUESTS_MAX); /* the snapshot has found that it is a loop's */
	fake_wait(fake, 10, 3);		   /* as yet it was none, and may have become one */
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "loop 10 10; epoll 10 3");
	fake_wait(fake, 10, 3);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "");
}

/* ── the end of a process ────────────────────────────────────────────────────────────────────── */

static void a_process_that_ends_is_not_read(void **state)
{
	first->epfd_loop[5] = true;
	fake_wait(fake, 10, 5);
	fake_poll(fake);
	fake_reads(fake);
	fake_thread(fake, 10, 11);
	fake_wait(fake, 10, 6);
	fake_wait(fake, 20, 6);
	fake_push(fake, (union event){.hdr = {.type = EV_PROCESS_EXIT,
					      .tid = 10,
					      .flags = EVF_PROCESS_EXIT_EXEC}});
	fake_wait(fake, 11, 7); /* a record that was already under way */
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "epoll 20 6");
	assert_null(tracee_of_process(&fake->capture, 10));
	assert_true(fake->capture.status.execed);
	assert_int_equal(fake->capture.status.targets, 1);
	assert_int_equal(fake_maps(fake, "uprobes of 0"), 1);
	assert_int_equal(fake_maps(fake, "remove 0"), 1);
	assert_int_equal(fake_maps(fake, "remove 4"), 1); /* the loop's descriptor */
	assert_null(member_find(&fake->capture, 11));
	assert_int_equal(fake->capture.requests.count, 0);
	/* it is never read again */
	capture_request_snapshots(&fake->capture);
	fake_of_thread(fake, EV_PROCESS_EXIT, 10);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "snapshot 20; names 20");
	assert_int_equal(fake->capture.status.targets, 1);
}

static void a_process_that_ends_without_a_record_is_released_too(void **state)
{
	first->ended = true;
	capture_request_snapshots(&fake->capture);
	fake_of_thread(fake, EV_UNKNOWN_GIL, 10);
	fake_poll(fake); /* it is exiting: the record is under way */
	assert_string_equal(fake_reads(fake), "gils 10; snapshot 10; snapshot 20; names 20");
	assert_non_null(tracee_of_process(&fake->capture, 10));
	first->reaped = true;
	capture_request_snapshots(&fake->capture);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "snapshot 10; snapshot 20; names 20");
	assert_null(tracee_of_process(&fake->capture, 10));
	assert_int_equal(fake->capture.status.targets, 1);
	assert_false(fake->capture.status.execed);
	/* or it would live for ever in the stream */
	assert_int_equal(fake->events[fake_find(fake, EV_PROCESS_EXIT)].hdr.tid, 10);
}

static void who_has_the_mutexes_is_read_when_a_loop_hangs(void **state)
{
	second->ended = true;
	capture_request_locks(&fake->capture);
	capture_request_locks(&fake->capture);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "locks 10; locks 20");
	assert_int_equal(fake->events[fake_find(fake, EV_FUTEX)].hdr.tid, 10);
	/* a snapshot does so, too */
	second->ended = false;
	capture_request_locks(&fake->capture);
	capture_request_snapshots(&fake->capture);
	capture_request_locks(&fake->capture);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "snapshot 10; names 10; snapshot 20; names 20");
}

/* ── losses ──────────────────────────────────────────────────────────────────────────────────── */

/* Three of them, on CPU 1. */
static void lose(uint32_t whose, uint64_t first_ts)
{
	fake->losses[fake->loss_count].whose = whose;
	fake->losses[fake->loss_count].cpu = 1;
	fake->losses[fake->loss_count++].loss = (struct shared_loss){
		.count = 3, .first_ts = first_ts, .last_ts = first_ts + 10};
}

static const union event *find_lost(void)
{
	return &fake->events[fake_find(fake, EV_LOST)];
}

static void a_loss_of_nobody_knows_whom_is_followed_by_snapshots_of_all(void **state)
{
	uint64_t ts = clock_now_ns() - 1000;

	fake_wait(fake, 10, 5);
	lose(SHARED_LOSS_ALL, ts);
	fake_poll(fake);
	/* the snapshot answers the pending request, too */
	assert_string_equal(fake_reads(fake), "snapshot 10; names 10; snapshot 20; names 20");
	assert_int_equal(fake->capture.status.lost, 3);
	assert_int_equal(find_lost()->lost.count, 3);
	assert_int_equal(find_lost()->hdr.tid, 0);
	assert_int_equal(find_lost()->hdr.aux, 1);
	assert_int_equal(find_lost()->lost.last_ts, ts + 10);
}

static void a_loss_of_a_process_is_followed_by_a_snapshot_of_that(void **state)
{
	lose(20, clock_now_ns() - 1000);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "snapshot 20; names 20");
	assert_int_equal(fake->capture.status.lost, 3);
	assert_int_equal(find_lost()->hdr.tid, 20);
	assert_int_equal(find_lost()->hdr.flags, 0);
}

static void lost_runs_are_no_processs(void **state)
{
	lose(SHARED_LOSS_RUNS, clock_now_ns() - 1000);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "");
	assert_int_equal(fake->capture.status.lost, 3);
	assert_int_equal(find_lost()->hdr.tid, 0);
	assert_int_equal(find_lost()->hdr.flags, EVF_LOST_RUNS);
}

static void lost_samples_falsify_nothing(void **state)
{
	fake->misses.samples = 5;
	fake->capture.ts_misses -= NS_PER_S;
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "");
	assert_int_equal(fake->events[fake_find(fake, EV_UNSAMPLED)].unsampled.count, 5);
	assert_int_equal(fake->capture.status.stacks.taken, 0); /* of whatever kind they were */
	assert_int_equal(fake->capture.status.lost, 0);
}

static void skipped_hits_are_a_loss_too(void **state)
{
	fake->misses = (struct misses){.hits = 7, .samples = 1};
	fake->capture.ts_misses -= NS_PER_S;
	fake_poll(fake);
	assert_string_equal(fake_reads(fake), "snapshot 10; names 10; snapshot 20; names 20");
	assert_int_equal(fake->capture.status.missed, 7);
	assert_int_equal(fake->events[fake_find(fake, EV_UNSAMPLED)].unsampled.count, 1);
	assert_int_equal(fake->events[fake_find(fake, EV_LOST)].hdr.flags, EVF_LOST_MISSED);
	assert_int_equal(fake->events[fake_find(fake, EV_LOST)].lost.count, 7);
}

/* A new GIL is declared before the snapshot reports its holder. */
static void a_snapshot_declares_new_gils(void **state)
{
	first->new_gils = 1;
	capture_request_snapshots(&fake->capture);
	fake_of_thread(fake, EV_UNKNOWN_GIL, 10);
	fake_poll(fake);
	assert_string_equal(fake_reads(fake),
			    "gils 10; snapshot 10; names 10; snapshot 20; names 20");
	assert_true(fake_find(fake, EV_GIL) < fake_find(fake, EV_OBSERVE));
	assert_int_equal(fake_maps(fake, "set 2"), 2); /* its two condition variables */
}

/* ── order ───────────────────────────────────────────────────────────────────────────────────── */

/*
 * A fact is ordered after the records from before it was read, and before those from after. It is
 * never late, even if reading takes longer than the reorder window.
 */
static void facts_have_the_time_when_they_were_read(void **state)
{
	union event meanwhile = {.hdr = {.type = EV_WAKE, .tid = 10}};
	uint32_t fact;

	fake_wait(fake, 10, 5);
	fake_of_thread(fake, EV_TAKE, 10);
	fake_drain(fake);
	meanwhile.hdr.ts = clock_now_ns();
	first->meanwhile = fake_record_of(&meanwhile, event_size(EV_WAKE));
	nanosleep(&(struct timespec){.tv_nsec = 2 * REORDER_WINDOW_NS}, NULL);
	assert_int_equal(capture_serve(&fake->capture, UINT64_MAX), 0);
	fake_of_thread(fake, EV_DROP, 10);
	fake_poll(fake);
	fact = fake_find(fake, EV_EPOLL);
	assert_true(fake_find(fake, EV_EPOLL_ENTER) < fake_find(fake, EV_TAKE));
	assert_true(fake_find(fake, EV_TAKE) < fake_find(fake, EV_WAKE));
	assert_true(fake_find(fake, EV_WAKE) < fact);
	assert_true(fact < fake_find(fake, EV_DROP));
	assert_int_equal(reorder_late(fake->capture.reorder), 0);
}

/* A drain ends even if the probes are faster than the reader. */
static void a_drain_ends_behind_the_window(void **state)
{
	uint64_t horizon = clock_now_ns();

	fake_push(fake, (union event){.hdr = {.type = EV_TAKE, .tid = 10, .ts = horizon - 1}});
	fake_push(fake, (union event){.hdr = {.type = EV_DROP,
					      .tid = 10,
					      .ts = horizon + REORDER_WINDOW_NS + 1}});
	fake_push(fake, (union event){.hdr = {.type = EV_WAKE, .tid = 10, .ts = horizon}});
	assert_int_equal(capture_drain(&fake->capture, horizon), 0);
	assert_int_equal(fake->record_count - fake->record_next, 1);
}

/* ── stacks and texts ────────────────────────────────────────────────────────────────────────── */

static struct shared_stack stack_of(uint64_t hash)
{
	return (struct shared_stack){
		.hdr = {.type = RING_STACK, .tid = 10, .aux = 1, .ts = clock_now_ns()},
		.hash = hash,
		.pid = 10,
	};
}

static void push_sample(uint64_t stack)
{
	struct shared_sample sample = {
		.hdr = {.type = RING_SAMPLE, .tid = 10, .ts = clock_now_ns()}, .stack = stack};

	fake_put(fake, &sample, sizeof(sample));
}

/* The fake fails if something is defined inside the callback. */
static void a_stack_is_defined_before_the_sample_that_has_it(void **state)
{
	struct shared_text text = {
		.hdr = {.type = RING_TEXT, .aux = 4}, .hash = 5, .bytes = "task"};
	struct shared_stack stacks[] = {stack_of(7), stack_of(8)};

	stacks[1].hdr.flags = SHARED_STACK_CUT; /* different from the first */
	fake_put(fake, &stacks[0], SHARED_STACK_BYTES(1));
	fake_put(fake, &stacks[1], SHARED_STACK_BYTES(1));
	push_sample(8);
	fake_put(fake, &text, sizeof(text));
	push_sample(9);
	fake_poll(fake);
	assert_int_equal(fake->definition_count, 3);
	assert_int_equal(fake->capture.status.stacks.taken, 2);
	assert_int_equal(fake->capture.status.stacks.missing, 1);
	assert_int_equal(fake->events[fake_find(fake, EV_STACK)].stack.stack, 2);
}

static void a_stack_behind_the_window_ends_the_drain(void **state)
{
	struct shared_stack stack = stack_of(7);
	uint64_t horizon = stack.hdr.ts - REORDER_WINDOW_NS - 1;

	fake_put(fake, &stack, SHARED_STACK_BYTES(1));
	push_sample(7);
	assert_int_equal(capture_drain(&fake->capture, horizon), 0);
	assert_int_equal(fake->definition_count, 1);
	assert_int_equal(fake->record_count - fake->record_next, 1);
}

static void records_of_another_build_are_refused(void **state)
{
	struct shared_stack stack = stack_of(7);
	struct shared_text text = {.hdr = {.type = RING_TEXT, .aux = SHARED_TEXT_MAX + 1}};
	union event event = {.hdr = {.type = EV_TAKE}};
	const struct {
		const void *data;
		size_t bytes;
	} bad[] = {
		{&event, sizeof(event)},	 {&event, sizeof(event.hdr) - 1},
		{&stack, SHARED_STACK_BYTES(2)}, {&text, sizeof(text)},
		{&text, sizeof(text) - 8},
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fake_put(fake, bad[i].data, bad[i].bytes);
		assert_int_equal(capture_drain(&fake->capture, clock_now_ns()), -EPROTO);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_ring_is_empty_before_anything_is_read),
		TEST(each_is_asked_once_in_the_order_of_the_records),
		TEST(records_of_others_ask_nothing),
		TEST(a_thread_whose_loop_cannot_be_read_is_asked_once_a_second),
		TEST(a_number_that_was_closed_is_asked_about_again),
		TEST(what_has_no_answer_is_not_asked_again),
		TEST(closed_before_it_is_served),
		TEST(a_number_closed_before_it_is_served_is_asked_about_again),
		TEST(who_has_the_mutexes_is_read_when_a_loop_hangs),
		TEST(names_are_read_when_a_thread_has_had_time_to_set_it),
		TEST(requests_without_time_are_served_by_the_next_poll),
		TEST(every_request_is_served_eventually),
		TEST(an_overflow_of_requests_is_answered_by_a_snapshot),
		TEST(a_process_that_ends_is_not_read),
		TEST(a_process_that_ends_without_a_record_is_released_too),
		TEST(a_loss_of_nobody_knows_whom_is_followed_by_snapshots_of_all),
		TEST(a_loss_of_a_process_is_followed_by_a_snapshot_of_that),
		TEST(lost_runs_are_no_processs),
		TEST(lost_samples_falsify_nothing),
		TEST(skipped_hits_are_a_loss_too),
		TEST(a_snapshot_declares_new_gils),
		TEST(facts_have_the_time_when_they_were_read),
		TEST(a_drain_ends_behind_the_window),
		TEST(a_stack_is_defined_before_the_sample_that_has_it),
		TEST(a_stack_behind_the_window_ends_the_drain),
		TEST(records_of_another_build_are_refused),
	};

	return cmocka_run_group_tests_name("capture_poll", tests, NULL, NULL);
}
