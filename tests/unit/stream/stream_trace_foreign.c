/* SPDX-License-Identifier: MIT */
/* Traces of other versions and of other programs, built by hand. */
#include "stream_made.h"

/* Four events: TAKE, two of type 200, and SWITCH_OUT with an additional field. */
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
	.head = {.ts_base = 1000,
		 .events = 4,
		 .kinds = 3,
		 .step_width = 1,
		 .kind_width = 1,
		 .tables = 2},
	.kinds = {{1, 2, 3},
		  {0},
		  {0},
		  {0},
		  {EV_TAKE, 200, EV_SWITCH_OUT},
		  {0, 0, EVF_SWITCH_OUT_SYSCALL},
		  {0, 0, 9},
		  {0}},
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

static int read_four(const struct four *from, size_t cut, struct kept *kept,
		     struct trace_outcome *ret_outcome, struct diag *diag)
{
	struct bytes block = four_block(from), bytes = {0};
	int err;

	block.length -= cut;
	put_start(&bytes);
	put_chunk(&bytes, 0x12345678, "of a newer version", 18);
	put_chunk(&bytes, 0x12345679, "", 0);
	put_block(&bytes, TRACE_EVENTS, &block);
	put_chunk(&bytes, TRACE_END, &(uint64_t){4}, 8);
	err = read_trace(bytes.at, bytes.length, kept, ret_outcome, diag);
	free(block.at);
	free(bytes.at);
	return err;
}

static void what_a_newer_minor_version_adds_is_skipped_and_counted(void **state)
{
	union event take = {.hdr = {.ts = 1000, .tid = 1, .type = EV_TAKE}};
	union event out = {
		.switch_out = {.hdr = {1018, 3, EV_SWITCH_OUT, EVF_SWITCH_OUT_SYSCALL, 9},
			       .sysno = 232}};
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
	assert_int_equal(kept.head.mode, MODE_EXACT);
	kept_done(&kept);
}

static void impossible_blocks_are_refused(void **state)
{
#define CASE(change)                                                                               \
	({                                                                                         \
		struct four f = four;                                                              \
		change;                                                                            \
		f;                                                                                 \
	})
	const struct four cases[] = {
		CASE(f.head.events = 0),
		CASE(f.head.events = 5),
		CASE(f.head.events = 3),
		CASE(f.head.events = UINT32_MAX),
		CASE(f.head.kinds = 0),
		CASE(f.head.kinds = TRACE_KINDS_MAX + 1),
		CASE(f.head.kinds = 2),
		CASE(f.head.step_width = 0),
		CASE(f.head.step_width = 9),
		CASE(f.head.kind_width = 0),
		CASE(f.head.kind_width = 5),
		CASE(f.head.kind_width = 4),
		CASE(f.head.tables = 1),
		CASE(f.head.tables = 3),
		CASE(f.indexes[3] = 3),
		CASE(f.known.type = 200),
		CASE(f.known.type = 201),
		CASE(f.known.width = 0),
		CASE(f.known.width = 257),
		CASE(f.known.rows = 0),
		CASE(f.known.rows = 2),
		CASE(f.known.rows = UINT32_MAX),
		CASE(f.indexes[0] = 2),
		CASE(f.unknown.type = EV_SWITCH_OUT),
		CASE((f.indexes[3] = 1, f.head.tables = 1)),
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

/* The kinds do not fit, although everything after them would. */
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
	put_block(&bytes, TRACE_EVENTS, &block);
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
	put_chunk(&bytes, TRACE_EVENTS, payload,
		  (uint32_t)ZSTD_compress(payload, room, zeros, length, 1));
	assert_int_equal(read_trace(bytes.at, bytes.length, &kept, &outcome, &diag), -EBADMSG);
	assert_non_null(strstr(diag.what, "has no size"));
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_newer_minor_version_adds_is_skipped_and_counted),
		cmocka_unit_test(impossible_blocks_are_refused),
		cmocka_unit_test(a_block_without_room_for_its_kinds_is_refused),
		cmocka_unit_test(a_decompression_bomb_is_refused),
		cmocka_unit_test(what_is_no_trace_of_ours_is_refused),
	};

	return cmocka_run_group_tests_name("foreign traces", tests, NULL, NULL);
}
