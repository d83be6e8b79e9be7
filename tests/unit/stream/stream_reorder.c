/* SPDX-License-Identifier: MIT */
#include "stream_helpers.h"

#include "stream/reorder.h"

static int by_time_then_arrival(const void *a, const void *b)
{
	const union event *left = a, *right = b;

	if (left->hdr.ts != right->hdr.ts)
		return left->hdr.ts < right->hdr.ts ? -1 : 1;
	return left->hdr.tid < right->hdr.tid ? -1 : left->hdr.tid > right->hdr.tid;
}

static union event take_at(uint64_t ts, uint32_t tid)
{
	return (union event){.hdr = {.ts = ts, .tid = tid, .type = EV_TAKE}};
}

/* Streams with inversions within the window, advanced now and then, come out sorted as by a stable
 * sort. */
static void compare_with_sort(uint32_t length, uint64_t dur_inversion, uint64_t every,
			      uint32_t max_step)
{
	union event *sorted = calloc(length, sizeof(*sorted));
	struct kept kept = {0};
	struct reorder *reorder = reorder_new(keep_sink(&kept), dur_inversion, length);
	struct stream_sink sink = reorder_sink(reorder);
	uint64_t ts = dur_inversion;

	assert_non_null(sorted);
	for (uint32_t i = 0; i < length; i++) {
		ts += random_u64() % max_step;
		sorted[i] = take_at(ts - (random_u64() % every == 0 && dur_inversion
						  ? random_u64() % dur_inversion
						  : 0),
				    i);
		assert_int_equal(sink_event(&sink, &sorted[i]), 0);
		if (random_u64() % 100 == 0)
			assert_int_equal(reorder_advance(reorder, ts), 0);
	}
	assert_int_equal(reorder_flush(reorder), 0);
	assert_int_equal(reorder_late(reorder), 0);
	qsort(sorted, length, sizeof(*sorted), by_time_then_arrival);
	assert_int_equal(kept.length, length);
	for (uint32_t i = 0; i < length; i++)
		assert_memory_equal(&kept.items[i].event, &sorted[i], sizeof(sorted[i]));
	free(sorted);
	reorder_free(reorder);
	kept_done(&kept);
}

static void it_sorts_like_qsort_and_keeps_the_order_of_equals(void **state)
{
	compare_with_sort(1, 10, 1, 10);
	compare_with_sort(20000, 0, 1, 3);
	compare_with_sort(20000, 5, 1, 2);	/* many equal times */
	compare_with_sort(20000, 1000, 8, 100); /* like those of CPUs */
	/* beyond what is inserted into the ring: the heap is used */
	compare_with_sort(20000, 20000, 3, 4);
	compare_with_sort(20000, 1000, 2, 2); /* heap and ring with many equal times */
	compare_with_sort(20000, 100000, 1, 5);
}

/* First few events are held, and some of them passed on, then many. */
static void it_has_room_for_more_when_more_come(void **state)
{
	struct kept kept = {0};
	struct reorder *reorder = reorder_new(keep_sink(&kept), 0, 100000);
	struct stream_sink sink = reorder_sink(reorder);

	for (uint32_t i = 0; i < 100000; i++) {
		union event event = take_at(i, i);

		assert_int_equal(sink_event(&sink, &event), 0);
		if (i < 20000 && i % 3000 == 0)
			assert_int_equal(reorder_advance(reorder, i - i / 5), 0);
	}
	assert_int_equal(reorder_flush(reorder), 0);
	assert_int_equal(kept.length, 100000);
	for (uint32_t i = 0; i < kept.length; i++)
		assert_int_equal(kept.items[i].event.hdr.tid, i);
	reorder_free(reorder);
	kept_done(&kept);
}

/*
 * A stack has the time of the switch or wait that it was taken for, and must come out before it,
 * since the model needs it first. `between` and `before` later events decide whether each of the
 * two is inserted into the ring or goes to the heap.
 */
static void pairs_of_one_time_keep_their_order(uint32_t before, uint32_t between)
{
	static const wire_u8 pair[] = {EV_STACK, EV_SWITCH_OUT, EV_STACK, EV_WAIT};
	struct kept kept = {0};
	struct reorder *reorder = reorder_new(keep_sink(&kept), UINT64_MAX, 10000);
	struct stream_sink sink = reorder_sink(reorder);
	uint32_t later = 0, found = 0;
	union event event = take_at(1, 1);

	assert_int_equal(sink_event(&sink, &event), 0);
	for (uint32_t i = 0; i < 4; i++) {
		for (uint32_t n = 0; n < (i ? between : before); n++) {
			event = take_at(1000 + later++, 2);
			assert_int_equal(sink_event(&sink, &event), 0);
		}
		event = (union event){.hdr = {.ts = 500, .tid = i, .type = pair[i]}};
		assert_int_equal(sink_event(&sink, &event), 0);
	}
	assert_int_equal(reorder_flush(reorder), 0);
	assert_int_equal(kept.length, 1 + 4 + later);
	for (size_t i = 1; i < 5; i++, found++) {
		assert_int_equal(kept.items[i].event.hdr.type, pair[found]);
		assert_int_equal(kept.items[i].event.hdr.tid, found);
	}
	reorder_free(reorder);
	kept_done(&kept);
}

static void a_stack_stays_before_what_it_was_taken_for(void **state)
{
	static const uint32_t counts[] = {0, 1, 100, 255, 256, 257, 300, 1000};

	for (size_t before = 0; before < sizeof(counts) / sizeof(counts[0]); before++)
		for (size_t between = 0; between < sizeof(counts) / sizeof(counts[0]); between++)
			pairs_of_one_time_keep_their_order(counts[before], counts[between]);
}

static void definitions_pass_at_once(void **state)
{
	struct kept kept = {.fail_define_at = 2};
	struct reorder *reorder = reorder_new(keep_sink(&kept), 100, 1000);
	struct stream_sink sink = reorder_sink(reorder);
	struct definition text = {.kind = DEFINE_TEXT, .id = 1, .text = "main"};
	union event event = take_at(1, 1);

	assert_int_equal(sink_event(&sink, &event), 0);
	assert_int_equal(sink_define(&sink, &text), 0);
	assert_int_equal(kept.length, 0);
	assert_int_equal(kept.defined, 1);
	text.id++;
	assert_int_equal(sink_define(&sink, &text), -ECANCELED);
	reorder_free(reorder);
	kept_done(&kept);
}

static void nothing_comes_out_within_the_window(void **state)
{
	struct kept kept = {0};
	struct reorder *reorder = reorder_new(keep_sink(&kept), 100, 1000);
	struct stream_sink sink = reorder_sink(reorder);

	for (uint32_t i = 0; i < 10; i++)
		sink_event(&sink, &(union event){.hdr = {.ts = 1000 + i, .type = EV_TAKE}});
	reorder_advance(reorder, 50);
	reorder_advance(reorder, 1100);
	assert_int_equal(kept.length, 0);
	reorder_advance(reorder, 1101);
	assert_int_equal(kept.length, 1);
	reorder_advance(reorder, UINT64_MAX);
	assert_int_equal(kept.length, 10);
	reorder_free(reorder);
	kept_done(&kept);
}

static void late_events_leave_one_lost_in_their_place(void **state)
{
	static const uint64_t late[] = {10, 999, 500};
	struct kept kept = {0};
	struct reorder *reorder = reorder_new(keep_sink(&kept), 0, 1000);
	struct stream_sink sink = reorder_sink(reorder);
	union event event = take_at(1000, 1);

	sink_event(&sink, &event);
	reorder_flush(reorder);
	for (int i = 0; i < 3; i++) {
		event = take_at(late[i], 2);
		sink_event(&sink, &event);
	}
	event = take_at(1000, 3); /* as old as the latest that came out: still in order */
	sink_event(&sink, &event);
	event = take_at(2000, 4);
	sink_event(&sink, &event);
	reorder_flush(reorder);
	event = (union event){
		.lost = {.hdr = {.ts = 1200, .type = EV_LOST, .flags = EVF_LOST_MISSED},
			 .count = 7,
			 .last_ts = 2500}};
	sink_event(&sink, &event); /* a LOST event that comes late is passed on unchanged */
	reorder_flush(reorder);

	assert_int_equal(kept.length, 5);
	event = (union event){
		.lost = {.hdr = {.ts = 1000, .tid = 2, .type = EV_LOST, .flags = EVF_LOST_LATE},
			 .count = 3,
			 .last_ts = 1000}};
	assert_memory_equal(&kept.items[1].event, &event, sizeof(event));
	assert_int_equal(kept.items[2].event.hdr.tid, 3);
	assert_int_equal(kept.items[3].event.hdr.tid, 4);
	event = (union event){
		.lost = {.hdr = {.ts = 2000, .type = EV_LOST, .flags = EVF_LOST_MISSED},
			 .count = 7,
			 .last_ts = 2500}};
	assert_memory_equal(&kept.items[4].event, &event, sizeof(event));
	assert_int_equal(reorder_late(reorder), 3);
	reorder_free(reorder);
	kept_done(&kept);
}

/* Whose it is: of a thread's process, of the process, of which CPU a task has, or of nobody. */
static void a_late_events_lost_says_whose_it_was(void **state)
{
	static const union event late[] = {
		{.take = {.hdr = {.type = EV_TAKE, .tid = 2}}},
		{.drop = {.hdr = {.type = EV_DROP, .tid = 2}}},
		{.take = {.hdr = {.type = EV_TAKE, .tid = 3}}},
		{.thread = {.hdr = {.type = EV_THREAD, .tid = 77}, .pid = 3}},
		{.process_exit = {.hdr = {.type = EV_PROCESS_EXIT, .tid = 5}}},
		{.run = {.hdr = {.type = EV_RUN, .tid = 9}}},
		{.comm = {.hdr = {.type = EV_COMM, .tid = 9}}},
		{.observe = {.hdr = {.type = EV_OBSERVE, .tid = 2}}},
		{.observe = {.hdr = {.type = EV_OBSERVE}}},
		{.unread = {.hdr = {.type = EV_UNREAD}}},
	};
	static const struct {
		uint32_t tid, count;
		uint8_t flags;
	} lost[] = {{2, 2, EVF_LOST_LATE}, {3, 2, EVF_LOST_LATE},
		    {5, 1, EVF_LOST_LATE}, {0, 2, EVF_LOST_LATE | EVF_LOST_RUNS},
		    {2, 1, EVF_LOST_LATE}, {0, 2, EVF_LOST_LATE}};
	struct kept kept = {0};
	struct reorder *reorder = reorder_new(keep_sink(&kept), 0, 1000);
	struct stream_sink sink = reorder_sink(reorder);
	union event event = take_at(1000, 1);

	sink_event(&sink, &event);
	reorder_flush(reorder);
	for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++)
		sink_event(&sink, &late[i]);
	reorder_flush(reorder);
	assert_int_equal(kept.length, 7);
	for (size_t i = 0; i < 6; i++) {
		const struct ev_lost *found = &kept.items[i + 1].event.lost;

		assert_int_equal(found->hdr.type, EV_LOST);
		assert_int_equal(found->hdr.ts, 1000);
		assert_int_equal(found->hdr.tid, lost[i].tid);
		assert_int_equal(found->hdr.flags, lost[i].flags);
		assert_int_equal(found->count, lost[i].count);
	}
	assert_int_equal(reorder_late(reorder), 10);
	reorder_free(reorder);
	kept_done(&kept);
}

/* Time is reached even if no events come. After reorder_reached() has returned a time nothing older
 * comes out. */
static void what_has_been_reached_stays_behind(void **state)
{
	struct kept kept = {0};
	struct reorder *reorder = reorder_new(keep_sink(&kept), 100, 1000);
	struct stream_sink sink = reorder_sink(reorder);
	union event event;

	assert_int_equal(reorder_reached(reorder), 0);
	reorder_advance(reorder, 90);
	assert_int_equal(reorder_reached(reorder), 0);
	reorder_advance(reorder, 1100);
	assert_int_equal(reorder_reached(reorder), 1000);
	event = take_at(1000, 1);
	sink_event(&sink, &event);
	event = take_at(999, 2);
	sink_event(&sink, &event);
	assert_int_equal(reorder_late(reorder), 1);
	reorder_advance(reorder, 1050); /* a horizon never goes back */
	assert_int_equal(reorder_reached(reorder), 1000);
	reorder_advance(reorder, 1101);
	assert_int_equal(reorder_reached(reorder), 1001);
	assert_int_equal(kept.length, 2);
	assert_int_equal(kept.items[0].event.hdr.type, EV_LOST);
	assert_int_equal(kept.items[0].event.hdr.ts, 1000);
	assert_int_equal(kept.items[1].event.hdr.tid, 1);
	reorder_free(reorder);
	kept_done(&kept);
}

/* Whatever comes in, the output is ordered, and every event comes out or is counted as lost. */
static void chaos_comes_out_in_order_and_complete(void **state)
{
	for (int round = 0; round < 200; round++) {
		struct kept kept = {0};
		uint32_t max_events = (uint32_t)(random_u64() % 600);
		struct reorder *reorder = reorder_new(keep_sink(&kept), random_u64() % 300,
						      max_events);
		struct stream_sink sink = reorder_sink(reorder);
		uint64_t lost = 0;

		for (uint32_t i = 0; i < 3000; i++) {
			union event event = take_at(
				random_u64() % 1000 + (round % 2 ? i : 3000 - i), i);

			assert_int_equal(sink_event(&sink, &event), 0);
			assert_true(i + 1 <= kept.length + max_events + reorder_late(reorder));
			if (random_u64() % 200 == 0)
				reorder_advance(reorder, random_u64() % 4000);
		}
		reorder_flush(reorder);
		for (size_t i = 0; i < kept.length; i++) {
			lost += kept.items[i].event.hdr.type == EV_LOST
					? kept.items[i].event.lost.count - 1
					: 0;
			assert_true(!i ||
				    kept.items[i - 1].event.hdr.ts <= kept.items[i].event.hdr.ts);
		}
		assert_int_equal(kept.length + lost, 3000);
		reorder_free(reorder);
		kept_done(&kept);
	}
}

static void errors_of_the_next_sink_come_back(void **state)
{
	struct kept kept = {.fail_at = 3};
	struct reorder *reorder = reorder_new(keep_sink(&kept), 0, 2);
	struct stream_sink sink = reorder_sink(reorder);

	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(
			sink_event(&sink, &(union event){.hdr = {.ts = i, .type = EV_TAKE}}), 0);
	assert_int_equal(sink_event(&sink, &(union event){.hdr = {.ts = 5, .type = EV_TAKE}}),
			 -ECANCELED);
	assert_int_equal(reorder_flush(reorder), -ECANCELED);
	assert_int_equal(sink_process(&sink, &(struct process_info){.pid = 1}), -ECANCELED);
	reorder_free(reorder);
	reorder_free(NULL);
	kept_done(&kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_sorts_like_qsort_and_keeps_the_order_of_equals),
		cmocka_unit_test(it_has_room_for_more_when_more_come),
		cmocka_unit_test(a_stack_stays_before_what_it_was_taken_for),
		cmocka_unit_test(definitions_pass_at_once),
		cmocka_unit_test(nothing_comes_out_within_the_window),
		cmocka_unit_test(late_events_leave_one_lost_in_their_place),
		cmocka_unit_test(a_late_events_lost_says_whose_it_was),
		cmocka_unit_test(what_has_been_reached_stays_behind),
		cmocka_unit_test(chaos_comes_out_in_order_and_complete),
		cmocka_unit_test(errors_of_the_next_sink_come_back),
	};

	return cmocka_run_group_tests_name("reorder", tests, NULL, NULL);
}
