/* SPDX-License-Identifier: MIT */
#include "stream_helpers.h"

#include "base/diag.h"
#include "stream/trace/trace.h"
#include "stream/trace/trace_format.h"

static struct bytes write_trace(const struct kept *kept, size_t flush_every)
{
	struct bytes bytes = {0};
	FILE *file = open_memstream((char **)&bytes.at, &bytes.length);
	struct trace_writer *writer;
	struct diag diag = {0};
	struct stream_sink sink;
	size_t next = 0;

	assert_int_equal(trace_writer_new(file, &kept->head, &diag, &writer), 0);
	sink = trace_writer_sink(writer);
	for (size_t i = 0; i <= kept->length; i++) {
		assert_int_equal(play_one(kept, i, &next, sink), 0);
		if (flush_every && i % flush_every == flush_every - 1)
			assert_int_equal(trace_writer_flush(writer), 0);
	}
	assert_int_equal(trace_writer_finish(writer, &diag), 0);
	trace_writer_free(writer);
	fclose(file);
	return bytes;
}

static void round_trip(size_t length, size_t flush_every)
{
	struct kept before = {0}, after = {0};
	struct trace_outcome outcome;
	struct diag diag = {0};
	struct bytes bytes;

	random_stream(&before, length);
	bytes = write_trace(&before, flush_every);
	if (read_trace(bytes.at, bytes.length, &after, &outcome, &diag))
		fail_msg("%s", diag.what);
	assert_true(outcome.complete);
	assert_int_equal(outcome.events, events_of(&before));
	assert_int_equal(outcome.skipped, 0);
	assert_int_equal(after.heads, 1);
	assert_same_head(&before.head, &after.head);
	assert_same(&after, &before);
	free(bytes.at);
	kept_done(&before);
	kept_done(&after);
}

static void every_event_survives_a_trace_bit_for_bit(void **state)
{
	round_trip(0, 0);
	round_trip(1, 0);
	round_trip(3, 1);
	round_trip(5000, 7);
	round_trip(5000, 0);
}

/* More events than fit into a chunk, and more kinds than one or two bytes can number. */
static void long_streams_survive_a_trace(void **state)
{
	struct kept before = {0}, after = {0};
	struct trace_outcome outcome;
	struct diag diag = {0};
	struct bytes bytes;

	for (uint32_t i = 0; i < 2 * TRACE_WRITE_EVENTS + 5; i++) {
		union event event = random_event(i < TRACE_WRITE_EVENTS ? EV_TAKE : EV_SWITCH_OUT);

		event.hdr.tid = i < TRACE_WRITE_EVENTS ? i : i % 3;
		event.hdr.aux = i < TRACE_WRITE_EVENTS ? 0 : (wire_u16)i;
		keep_event(&before, &event);
	}
	bytes = write_trace(&before, 0);
	assert_int_equal(read_trace(bytes.at, bytes.length, &after, &outcome, &diag), 0);
	assert_int_equal(outcome.last_ts, before.items[before.length - 1].event.hdr.ts);
	assert_same(&after, &before);
	free(bytes.at);
	kept_done(&before);
	kept_done(&after);
}

static void a_trace_cut_off_anywhere_gives_what_was_whole(void **state)
{
	struct kept before = {0};
	size_t most = 0, head_end;
	struct trace_chunk head;
	struct bytes bytes;

	random_stream(&before, 120);
	bytes = write_trace(&before, 30);
	memcpy(&head, bytes.at + sizeof(struct trace_preamble), sizeof(head));
	head_end = sizeof(struct trace_preamble) + sizeof(head) + head.length;
	for (size_t length = 0; length <= bytes.length; length++) {
		struct trace_outcome outcome = {0};
		struct kept after = {0};
		struct diag diag = {0};
		/* so that the sanitizer detects a read beyond the end */
		unsigned char *exact = malloc(length ? length : 1);
		int err;

		memcpy(exact, bytes.at, length);
		err = read_trace(exact, length, &after, &outcome, &diag);
		assert_int_equal(err, length < head_end ? -EINVAL : 0);
		assert_int_equal(err ? EXIT_FAILED : EXIT_OK, diag.status);
		assert_int_equal(outcome.complete, length == bytes.length);
		assert_int_equal(outcome.events, events_of(&after));
		assert_prefix(&after, &before);
		assert_true(after.length >= most);
		most = after.length;
		free(exact);
		kept_done(&after);
	}
	assert_int_equal(most, before.length);
	free(bytes.at);
	kept_done(&before);
}

static void damage_anywhere_is_noticed_and_never_delivered(void **state)
{
	struct kept before = {0};
	struct bytes bytes;

	random_stream(&before, 100);
	bytes = write_trace(&before, 30);
	for (size_t at = 0; at < bytes.length; at++) {
		struct trace_outcome outcome = {0};
		struct kept after = {0};
		struct diag diag = {0};
		unsigned char was = bytes.at[at];
		int err;

		bytes.at[at] ^= (unsigned char)(1u << random_u64() % 8);
		err = read_trace(bytes.at, bytes.length, &after, &outcome, &diag);
		/* The preamble's minor number and reserved bytes are ignored by this version. Any
		 * other change is an error, or looks like a cut-off file because of a wrong
		 * length. */
		assert_true((at >= 10 && at < 16) == outcome.complete);
		assert_true(err == 0 || diag.what[0]);
		assert_true(err != -EBADMSG || outcome.events == events_of(&after));
		assert_prefix(&after, &before);
		bytes.at[at] = was;
		kept_done(&after);
	}
	free(bytes.at);
	kept_done(&before);
}

static void random_damage_never_crashes_the_reader(void **state)
{
	struct kept before = {0};
	struct bytes bytes;

	random_stream(&before, 400);
	bytes = write_trace(&before, 100);
	for (int round = 0; round < 1000; round++) {
		struct trace_outcome outcome;
		struct kept after = {0};
		struct diag diag = {0};
		size_t length = round % 3 ? bytes.length : random_u64() % bytes.length;
		unsigned char *copy = malloc(length + 1);

		memcpy(copy, bytes.at, length);
		for (uint64_t changes = 1 + random_u64() % 8; changes && length; changes--)
			copy[random_u64() % length] = (unsigned char)random_u64();
		(void)read_trace(copy, length, &after, &outcome, &diag);
		assert_prefix(&after, &before);
		free(copy);
		kept_done(&after);
	}
	free(bytes.at);
	kept_done(&before);
}

/* ── errors from outside ─────────────────────────────────────────────────── */

static int refuse_head(void *ctx, const struct stream_head *head)
{
	return diag_set(ctx, EXIT_UNSUPPORTED, -ENOTSUP, "this mode is unheard of");
}

static void errors_of_sinks_stop_reading_and_come_back(void **state)
{
	struct kept before = {0}, after = {.fail_at = 150};
	struct trace_outcome outcome;
	struct diag diag = {0};
	struct bytes bytes;
	FILE *file;

	random_stream(&before, 200);
	bytes = write_trace(&before, 0);
	assert_int_equal(read_trace(bytes.at, bytes.length, &after, &outcome, &diag), -ECANCELED);
	assert_int_equal(after.length, 149);
	assert_int_equal(diag.status, EXIT_FAILED);
	file = fmemopen(bytes.at, bytes.length, "r");
	assert_int_equal(trace_read(file, refuse_head, &diag, keep_sink(&after), &diag, &outcome),
			 -ENOTSUP);
	assert_string_equal(diag.what, "this mode is unheard of");
	fclose(file);
	free(bytes.at);
	kept_done(&before);
	kept_done(&after);
}

static void a_full_disk_is_reported_at_the_first_write(void **state)
{
	FILE *full = fopen("/dev/full", "w");
	struct stream_head head = {0};
	struct trace_writer *writer;
	struct diag diag = {0};

	assert_int_equal(trace_writer_new(full, &head, &diag, &writer), -ENOSPC);
	assert_non_null(strstr(diag.what, "No space left"));
	assert_non_null(strstr(diag.hint, "-o"));
	fclose(full);
}

struct disk {
	unsigned char bytes[1 << 20];
	size_t used, size;
};

static ssize_t disk_write(void *cookie, const char *bytes, size_t length)
{
	struct disk *disk = cookie;
	size_t fits = disk->size - disk->used < length ? disk->size - disk->used : length;

	memcpy(disk->bytes + disk->used, bytes, fits);
	disk->used += fits;
	if (fits < length)
		errno = ENOSPC;
	return (ssize_t)fits;
}

/* Wherever the disk becomes full: the sink reports it, finish reports it, and what was written can
 * be read. */
static void a_disk_that_fills_up_leaves_a_readable_trace(void **state)
{
	struct disk *disk = calloc(1, sizeof(*disk));
	struct kept before = {0};
	size_t whole = 0;

	random_stream(&before, 100);
	for (disk->size = 500; !whole; disk->size += 997) {
		FILE *file = fopencookie(disk, "w", (cookie_io_functions_t){.write = disk_write});
		struct trace_outcome outcome;
		struct trace_writer *writer;
		struct kept after = {0};
		struct diag diag = {0};
		struct stream_sink sink;
		size_t next = 0;
		int err = 0;

		disk->used = 0;
		if (trace_writer_new(file, &before.head, &diag, &writer)) {
			fclose(file);
			continue;
		}
		sink = trace_writer_sink(writer);
		for (size_t i = 0; i <= before.length && !err; i++) {
			err = play_one(&before, i, &next, sink);
			if (!err && i % 10 == 0)
				err = trace_writer_flush(writer);
		}
		assert_true(!err || err == -ENOSPC);
		assert_true(!err || sink_event(&sink, &before.items[0].event) == -ENOSPC ||
			    before.items[0].is_process);
		err = trace_writer_finish(writer, &diag);
		assert_true(!err || (err == -ENOSPC && diag.hint[0]));
		trace_writer_free(writer);
		fclose(file);
		whole = err ? 0 : disk->used;
		assert_int_equal(read_trace(disk->bytes, disk->used, &after, &outcome, &diag), 0);
		assert_int_equal(outcome.complete, whole != 0);
		assert_prefix(&after, &before);
		kept_done(&after);
	}
	assert_true(whole > 2000);
	free(disk);
	kept_done(&before);
}

/* Even if there is space again later, no chunk may follow a torn one. */
static void nothing_is_written_after_the_first_error(void **state)
{
	struct disk *disk = calloc(1, sizeof(*disk));
	FILE *file = fopencookie(disk, "w", (cookie_io_functions_t){.write = disk_write});
	struct kept before = {0}, after = {0};
	struct trace_outcome outcome;
	struct trace_writer *writer;
	struct diag diag = {0};
	struct stream_sink sink;

	random_stream(&before, 1000);
	disk->size = 8000;
	assert_int_equal(trace_writer_new(file, &before.head, &diag, &writer), 0);
	sink = trace_writer_sink(writer);
	play(&before, sink);
	assert_int_equal(trace_writer_flush(writer), -ENOSPC);
	disk->size = sizeof(disk->bytes);
	assert_int_equal(sink_event(&sink, &(union event){.hdr = {.type = EV_COUNT}}), -ENOSPC);
	assert_int_equal(trace_writer_flush(writer), -ENOSPC);
	assert_int_equal(trace_writer_finish(writer, &diag), -ENOSPC);
	trace_writer_free(writer);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(disk->used, 8000);
	assert_int_equal(read_trace(disk->bytes, disk->used, &after, &outcome, &diag), 0);
	assert_false(outcome.complete);
	assert_prefix(&after, &before);
	free(disk);
	kept_done(&before);
	kept_done(&after);
}

static void unknown_events_cannot_be_written(void **state)
{
	FILE *file = fopen("/dev/null", "w");
	struct stream_head head = {0};
	struct trace_writer *writer;
	struct stream_sink sink;
	struct diag diag = {0};

	assert_int_equal(trace_writer_new(file, &head, &diag, &writer), 0);
	sink = trace_writer_sink(writer);
	assert_int_equal(sink_event(&sink, &(union event){.hdr = {.type = EV_COUNT}}), -EINVAL);
	assert_int_equal(trace_writer_finish(writer, &diag), -EINVAL);
	trace_writer_free(writer);
	trace_writer_free(NULL);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_survives_a_trace_bit_for_bit),
		cmocka_unit_test(long_streams_survive_a_trace),
		cmocka_unit_test(a_trace_cut_off_anywhere_gives_what_was_whole),
		cmocka_unit_test(damage_anywhere_is_noticed_and_never_delivered),
		cmocka_unit_test(random_damage_never_crashes_the_reader),
		cmocka_unit_test(errors_of_sinks_stop_reading_and_come_back),
		cmocka_unit_test(a_full_disk_is_reported_at_the_first_write),
		cmocka_unit_test(a_disk_that_fills_up_leaves_a_readable_trace),
		cmocka_unit_test(nothing_is_written_after_the_first_error),
		cmocka_unit_test(unknown_events_cannot_be_written),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
