/* SPDX-License-Identifier: MIT */
#include "stream_helpers.h"

#include <zstd.h>

#include "base/diag.h"
#include "stream/trace.h"
#include "stream/trace_format.h"

/* A trace in memory. */
struct bytes {
	unsigned char *at;
	size_t length;
};

static struct bytes write_trace(const struct kept *kept, size_t flush_every)
{
	struct bytes bytes = {0};
	FILE *file = open_memstream((char **)&bytes.at, &bytes.length);
	struct trace_writer *writer;
	struct diag diag = {0};
	struct stream_sink sink;

	assert_int_equal(trace_writer_new(file, &kept->head, &diag, &writer), 0);
	sink = trace_writer_sink(writer);
	for (size_t i = 0; i < kept->length; i++) {
		assert_int_equal(play(&(struct kept){.items = &kept->items[i], .length = 1}, sink), 0);
		if (flush_every && i % flush_every == flush_every - 1)
			assert_int_equal(trace_writer_flush(writer), 0);
	}
	assert_int_equal(trace_writer_finish(writer, &diag), 0);
	trace_writer_free(writer);
	fclose(file);
	return bytes;
}

static int read_trace(const unsigned char *bytes, size_t length, struct kept *kept, struct trace_outcome *ret_outcome, struct diag *diag)
{
	FILE *file = length ? fmemopen((void *)bytes, length, "r") : fopen("/dev/null", "r");
	int err;

	assert_non_null(file);
	err = trace_read(file, keep_head, kept, keep_sink(kept), diag, ret_outcome);
	fclose(file);
	return err;
}

static size_t events_of(const struct kept *kept)
{
	size_t events = 0;

	for (size_t i = 0; i < kept->length; i++)
		events += !kept->items[i].is_process;
	return events;
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
	assert_same(&before, &after);
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

/* More events than a chunk takes, and more kinds than one byte or two can number. */
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
	assert_same(&before, &after);
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
		unsigned char *exact = malloc(length ? length : 1); /* so that the sanitizer sees a byte too far */
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
		/* the preamble's minor number and reserve mean nothing to this version; all else is an error, or looks cut off for a length gone wrong */
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

/* ── traces of other versions and of other makers: built by hand ─────────────────────────────────────────────────── */

static void put(struct bytes *bytes, const void *from, size_t length)
{
	bytes->at = realloc(bytes->at, bytes->length + length + 1);
	assert_non_null(bytes->at);
	memcpy(bytes->at + bytes->length, from, length);
	bytes->length += length;
}

static void put_chunk(struct bytes *bytes, uint32_t type, const void *payload, uint32_t length)
{
	struct trace_chunk chunk = {.type = type, .length = length};

	chunk.crc = trace_chunk_crc(&chunk, payload);
	put(bytes, &chunk, sizeof(chunk));
	put(bytes, payload, length);
}

static void put_start(struct bytes *bytes)
{
	static const struct trace_preamble preamble = {.magic = TRACE_MAGIC, .major = TRACE_MAJOR, .minor = 77};

	put(bytes, &preamble, sizeof(preamble));
	put_chunk(bytes, TRACE_HEAD, "{\"mode\": \"exact\", \"colour\": 7}", 30);
}

static void put_block(struct bytes *bytes, const struct bytes *block)
{
	unsigned char payload[4096];
	size_t length = ZSTD_compress(payload, sizeof(payload), block->at, block->length, 1);

	assert_false(ZSTD_isError(length));
	put_chunk(bytes, TRACE_EVENTS, payload, (uint32_t)length);
}

/* Four events: TAKE, two of type 200, SWITCH_OUT with a field more than we know. */
struct four {
	struct trace_block head;
	uint8_t kinds[8][3]; /* planes */
	uint8_t steps[4], indexes[4];
	struct trace_table unknown;
	uint8_t unknown_rows[3][2];
	struct trace_table known;
	uint8_t known_rows[12][1];
};

static const struct four four = {
	.head = {.ts_base = 1000, .events = 4, .kinds = 3, .step_width = 1, .kind_width = 1, .tables = 2},
	.kinds = {{1, 2, 3}, {0}, {0}, {0}, {EV_TAKE, 200, EV_SWITCH_OUT}, {0, 0, EVF_SWITCH_OUT_SYSCALL}, {0, 0, 9}, {0}},
	.steps = {0, 20, 20, 3},
	.indexes = {0, 1, 1, 2},
	.unknown = {.type = 200, .width = 3, .rows = 2},
	.known = {.type = EV_SWITCH_OUT, .width = 12, .rows = 1},
	.known_rows = {{232}, {0}, {0}, {0}, {0}, {0}, {0}, {0}, {0xee}, {0xee}, {0xee}, {0xee}},
};

static struct bytes four_block(const struct four *from)
{
	struct bytes block = {0};

	put(&block, &from->head, sizeof(from->head));
	put(&block, from->kinds, sizeof(from->kinds));
	put(&block, from->steps, sizeof(from->steps));
	put(&block, from->indexes, sizeof(from->indexes));
	put(&block, &from->unknown, sizeof(from->unknown));
	put(&block, from->unknown_rows, sizeof(from->unknown_rows));
	put(&block, &from->known, sizeof(from->known));
	put(&block, from->known_rows, sizeof(from->known_rows));
	return block;
}

static int read_four(const struct four *from, size_t cut, struct kept *kept, struct trace_outcome *ret_outcome, struct diag *diag)
{
	struct bytes block = four_block(from), bytes = {0};
	int err;

	block.length -= cut;
	put_start(&bytes);
	put_chunk(&bytes, 0x12345678, "of a newer version", 18);
	put_chunk(&bytes, 0x12345679, "", 0);
	put_block(&bytes, &block);
	put_chunk(&bytes, TRACE_END, &(uint64_t){4}, 8);
	err = read_trace(bytes.at, bytes.length, kept, ret_outcome, diag);
	free(block.at);
	free(bytes.at);
	return err;
}

static void what_a_newer_minor_version_adds_is_skipped_and_counted(void **state)
{
	union event take = {.hdr = {.ts = 1000, .tid = 1, .type = EV_TAKE}};
	union event out = {.switch_out = {.hdr = {1018, 3, EV_SWITCH_OUT, EVF_SWITCH_OUT_SYSCALL, 9}, .sysno = 232}};
	struct trace_outcome outcome;
	struct kept kept = {0};
	struct diag diag = {0};

	if (read_four(&four, 0, &kept, &outcome, &diag))
		fail_msg("%s", diag.what);
	assert_true(outcome.complete);
	assert_int_equal(outcome.events, 2);
	assert_int_equal(outcome.skipped, 2);
	assert_int_equal(outcome.last_ts, 1018);
	assert_int_equal(kept.length, 2);
	assert_memory_equal(&kept.items[0].event, &take, sizeof(take));
	assert_memory_equal(&kept.items[1].event, &out, sizeof(out));
	assert_string_equal(kept.head.mode, "exact");
	kept_done(&kept);
}

static void impossible_blocks_are_refused(void **state)
{
#define CASE(change) \
	({ \
		struct four f = four; \
		change; \
		f; \
	})
	const struct four cases[] = {
		CASE(f.head.events = 0), CASE(f.head.events = 5), CASE(f.head.events = 3), CASE(f.head.events = UINT32_MAX),
		CASE(f.head.kinds = 0), CASE(f.head.kinds = TRACE_KINDS_MAX + 1), CASE(f.head.kinds = 2), CASE(f.head.step_width = 0),
		CASE(f.head.step_width = 9), CASE(f.head.kind_width = 0), CASE(f.head.kind_width = 5), CASE(f.head.kind_width = 4),
		CASE(f.head.tables = 1), CASE(f.head.tables = 3), CASE(f.indexes[3] = 3), CASE(f.known.type = 200), CASE(f.known.type = 201),
		CASE(f.known.width = 0), CASE(f.known.width = 257), CASE(f.known.rows = 0), CASE(f.known.rows = 2), CASE(f.known.rows = UINT32_MAX),
		CASE(f.indexes[0] = 2), CASE(f.unknown.type = EV_SWITCH_OUT), CASE((f.indexes[3] = 1, f.head.tables = 1)),
	};

	for (size_t i = 0; i <= sizeof(cases) / sizeof(cases[0]); i++) {
		bool last = i == sizeof(cases) / sizeof(cases[0]);
		struct trace_outcome outcome;
		struct kept kept = {0};
		struct diag diag = {0};

		if (read_four(last ? &four : &cases[i], last, &kept, &outcome, &diag) != -EBADMSG)
			fail_msg("case %zu is taken", i);
		assert_non_null(strstr(diag.what, "damaged"));
		assert_false(outcome.complete);
		assert_int_equal(outcome.events, kept.length);
		kept_done(&kept);
	}
}

/* The kinds do not fit, though all that comes after them would. */
static void a_block_without_room_for_its_kinds_is_refused(void **state)
{
	struct trace_block head = {.events = 4, .kinds = 3, .step_width = 1, .kind_width = 1};
	struct bytes block = {0}, bytes = {0};
	struct trace_outcome outcome;
	struct kept kept = {0};
	struct diag diag = {0};

	put(&block, &head, sizeof(head));
	put(&block, "\0\0\0\0\0\0\0", 8);
	put_start(&bytes);
	put_block(&bytes, &block);
	assert_int_equal(read_trace(bytes.at, bytes.length, &kept, &outcome, &diag), -EBADMSG);
	free(block.at);
	free(bytes.at);
}

static void a_decompression_bomb_is_refused(void **state)
{
	size_t length = TRACE_BLOCK_MAX + 1, room = ZSTD_compressBound(length);
	unsigned char *zeros = calloc(1, length), *payload = malloc(room);
	struct trace_outcome outcome;
	struct bytes bytes = {0};
	struct kept kept = {0};
	struct diag diag = {0};

	put_start(&bytes);
	put_chunk(&bytes, TRACE_EVENTS, payload, (uint32_t)ZSTD_compress(payload, room, zeros, length, 1));
	assert_int_equal(read_trace(bytes.at, bytes.length, &kept, &outcome, &diag), -EBADMSG);
	assert_non_null(strstr(diag.what, "tells no size"));
	free(zeros);
	free(payload);
	free(bytes.at);
}

static int read_bytes_of(struct bytes *bytes, struct diag *diag)
{
	struct trace_outcome outcome;
	struct kept kept = {0};
	int err = read_trace(bytes->at, bytes->length, &kept, &outcome, diag);

	free(bytes->at);
	*bytes = (struct bytes){0};
	kept_done(&kept);
	return err;
}

static void what_is_no_trace_of_ours_is_refused(void **state)
{
	struct trace_preamble newer = {.magic = TRACE_MAGIC, .major = TRACE_MAJOR + 1};
	struct bytes bytes = {0};
	struct diag diag = {0};

	put(&bytes, "# this is a text of more than sixteen bytes", 40);
	assert_int_equal(read_bytes_of(&bytes, &diag), -EINVAL);
	assert_int_equal(diag.status, EXIT_FAILED);
	put(&bytes, &newer, sizeof(newer));
	assert_int_equal(read_bytes_of(&bytes, &diag), -ENOTSUP);
	assert_int_equal(diag.status, EXIT_UNSUPPORTED);

	newer.major = TRACE_MAJOR;
	put(&bytes, &newer, sizeof(newer));
	put_chunk(&bytes, TRACE_PROCESS, "{\"pid\": 1}", 10);
	assert_int_equal(read_bytes_of(&bytes, &diag), -EBADMSG);
	put_start(&bytes);
	put_chunk(&bytes, TRACE_HEAD, "{}", 2);
	assert_int_equal(read_bytes_of(&bytes, &diag), -EBADMSG);
	put_start(&bytes);
	put_chunk(&bytes, TRACE_PROCESS, "{\"pid\": \"1\"}", 12);
	assert_int_equal(read_bytes_of(&bytes, &diag), -EBADMSG);
	assert_non_null(strstr(diag.what, "\"pid\" must be a number"));
	put_start(&bytes);
	put_chunk(&bytes, TRACE_END, "1234567", 7);
	assert_int_equal(read_bytes_of(&bytes, &diag), -EBADMSG);
	put_start(&bytes);
	put_chunk(&bytes, TRACE_END, &(uint64_t){1}, 8); /* a chunk of events is missing */
	assert_int_equal(read_bytes_of(&bytes, &diag), -EBADMSG);
}

/* ── errors from outside ─────────────────────────────────────────────────────────────────────────────────────────── */

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
	assert_int_equal(trace_read(file, refuse_head, &diag, keep_sink(&after), &diag, &outcome), -ENOTSUP);
	assert_string_equal(diag.what, "this mode is unheard of");
	fclose(file);
	free(bytes.at);
	kept_done(&before);
	kept_done(&after);
}

static void a_full_disk_is_told_at_the_first_write(void **state)
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

/* Wherever the disk is full: the sink says so, finish says so, and what was written can be read. */
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
		int err = 0;

		disk->used = 0;
		if (trace_writer_new(file, &before.head, &diag, &writer)) {
			fclose(file);
			continue;
		}
		sink = trace_writer_sink(writer);
		for (size_t i = 0; i < before.length && !err; i++) {
			err = play(&(struct kept){.items = &before.items[i], .length = 1}, sink);
			if (!err && i % 10 == 0)
				err = trace_writer_flush(writer);
		}
		assert_true(!err || err == -ENOSPC);
		assert_true(!err || sink_event(&sink, &before.items[0].event) == -ENOSPC || before.items[0].is_process);
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

/* Room that comes back later must not let a chunk follow a torn one. */
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
		cmocka_unit_test(what_a_newer_minor_version_adds_is_skipped_and_counted),
		cmocka_unit_test(impossible_blocks_are_refused),
		cmocka_unit_test(a_block_without_room_for_its_kinds_is_refused),
		cmocka_unit_test(a_decompression_bomb_is_refused),
		cmocka_unit_test(what_is_no_trace_of_ours_is_refused),
		cmocka_unit_test(errors_of_sinks_stop_reading_and_come_back),
		cmocka_unit_test(a_full_disk_is_told_at_the_first_write),
		cmocka_unit_test(a_disk_that_fills_up_leaves_a_readable_trace),
		cmocka_unit_test(nothing_is_written_after_the_first_error),
		cmocka_unit_test(unknown_events_cannot_be_written),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
