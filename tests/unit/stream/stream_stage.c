/* SPDX-License-Identifier: MIT */
/* The list of stages: any number, called in order until one fails; and it frees what it owns. */
#include "tests/unit/stream/stream_helpers.h"

#include "base/diag.h"
#include "stream/names/dictionary.h"
#include "stream/stage.h"
#include "stream/trace/trace.h"

/* What the stages of a test do, in order: one letter for each call. */
struct journal {
	char text[64];
	size_t length;
};

struct probe {
	struct journal *journal;
	char letter;
	int err;
	uint64_t ts_known;
};

static int note(struct probe *probe)
{
	probe->journal->text[probe->journal->length++] = probe->letter;
	return probe->err;
}

static int probe_process(void *ctx, const struct process_info *info)
{
	return note(ctx);
}

static int probe_event(void *ctx, const union event *event)
{
	return note(ctx);
}

static int probe_define(void *ctx, const struct definition *definition)
{
	return note(ctx);
}

static int probe_advance(void *self, uint64_t ts_known)
{
	struct probe *probe = self;

	probe->ts_known = ts_known;
	return note(probe);
}

static int probe_flush(void *self)
{
	return note(self);
}

static void probe_free(void *self)
{
	(void)note(self);
}

static struct stage stage_of(struct probe *probe)
{
	return (struct stage){
		.self = probe,
		.sink = {probe_process, probe_event, probe, probe_define},
		.advance = probe_advance,
		.flush = probe_flush,
		.free = probe_free,
	};
}

static void assert_journal(struct journal *journal, const char *text)
{
	journal->text[journal->length] = '\0';
	assert_string_equal(journal->text, text);
	journal->length = 0;
}

static void any_number_is_fed_in_order_until_one_fails(void **state)
{
	struct definition text = {.kind = DEFINE_TEXT, .id = 1, .text = "main"};
	struct journal journal = {0};
	struct probe probes[] = {{&journal, 'a', 0, 0},
				 {&journal, 'b', 0, 0},
				 {&journal, 'c', 0, 0},
				 {&journal, 'd', 0, 0}};
	union event event = {.hdr = {.ts = 1, .type = EV_TAKE}};
	struct stages stages = {0};
	struct stream_sink sink = stages_sink(&stages);

	assert_int_equal(sink_event(&sink, &event), 0); /* the list is empty */
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(stages_append(&stages, stage_of(&probes[i])), 0);
	assert_int_equal(sink_process(&sink, &(struct process_info){.pid = 1}), 0);
	assert_journal(&journal, "abcd");
	assert_int_equal(sink_event(&sink, &event), 0);
	assert_journal(&journal, "abcd");
	assert_int_equal(sink_define(&sink, &text), 0);
	assert_journal(&journal, "abcd");
	assert_int_equal(stages_advance(&stages, 7), 0);
	assert_journal(&journal, "abcd");
	assert_int_equal(probes[3].ts_known, 7);
	assert_int_equal(stages_flush(&stages), 0);
	assert_journal(&journal, "abcd");

	probes[2].err = -ENOSPC;
	assert_int_equal(sink_process(&sink, &(struct process_info){.pid = 1}), -ENOSPC);
	assert_int_equal(sink_event(&sink, &event), -ENOSPC);
	assert_int_equal(sink_define(&sink, &text), -ENOSPC);
	assert_int_equal(stages_advance(&stages, 8), -ENOSPC);
	assert_int_equal(stages_flush(&stages), -ENOSPC);
	assert_journal(&journal, "abcabcabcabcabc");
	stages_done(&stages);
	assert_journal(&journal, "dcba");
	assert_int_equal(stages.count, 0);
	stages_done(&stages);
}

/* A stage without optional members: no time, nothing held back, definitions ignored, owned by the
 * test. */
static void what_a_stage_leaves_out_is_not_called(void **state)
{
	struct journal journal = {0};
	struct probe probe = {&journal, 'a', 0, 0};
	struct stages stages = {0};
	struct stream_sink sink = stages_sink(&stages);

	assert_int_equal(stages_append(&stages, (struct stage){.sink = {probe_process, probe_event,
									&probe, NULL}}),
			 0);
	assert_int_equal(sink_define(&sink, &(struct definition){.kind = DEFINE_TEXT}), 0);
	assert_int_equal(stages_advance(&stages, 1), 0);
	assert_int_equal(stages_flush(&stages), 0);
	stages_done(&stages);
	assert_journal(&journal, "");
}

/* A stage that takes no events, or no processes, is skipped; the order remains. */
static void who_takes_no_events_does_not_hide_others(void **state)
{
	struct journal journal = {0};
	struct probe probes[] = {{&journal, 'a', 0, 0}, {&journal, 'b', 0, 0}};
	union event event = {.hdr = {.ts = 1, .type = EV_TAKE}};
	struct stage only_definitions = {.sink = {.define = probe_define, .ctx = &probes[0]}};
	struct stages stages = {0};
	struct stream_sink sink = stages_sink(&stages);

	assert_int_equal(stages_append(&stages, only_definitions), 0);
	assert_int_equal(sink_event(&sink, &event), 0);
	assert_int_equal(sink_process(&sink, &(struct process_info){.pid = 1}), 0);
	assert_journal(&journal, "");
	assert_int_equal(stages_append(&stages, stage_of(&probes[1])), 0);
	assert_int_equal(sink_event(&sink, &event), 0);
	assert_int_equal(sink_process(&sink, &(struct process_info){.pid = 1}), 0);
	assert_journal(&journal, "bb");
	assert_int_equal(sink_define(&sink, &(struct definition){.kind = DEFINE_TEXT}), 0);
	assert_journal(&journal, "ab");
	probes[1].err = -ENOSPC;
	assert_int_equal(sink_event(&sink, &event),
			 -ENOSPC); /* from the only stage that takes events */
	stages_done(&stages);
}

static void free_dictionary(void *self)
{
	dictionary_free(self);
}

/* A recording and other consumers of the same stream each get all of it. */
static void a_file_and_others_have_the_same(void **state)
{
	struct dictionary *dictionary = dictionary_new();
	struct kept before = {0}, first = {0}, second = {0}, read = {0};
	struct trace_outcome outcome;
	struct trace_writer *writer;
	struct stages stages = {0};
	struct diag diag = {0};
	FILE *file = tmpfile();

	random_stream(&before, 300);
	assert_int_equal(trace_writer_new(file, &before.head, &diag, &writer), 0);
	assert_int_equal(stages_append(&stages, (struct stage){.sink = trace_writer_sink(writer)}),
			 0);
	assert_int_equal(stages_append(&stages, (struct stage){.self = dictionary,
							       .sink = dictionary_sink(dictionary),
							       .free = free_dictionary}),
			 0);
	assert_int_equal(stages_append(&stages, (struct stage){.sink = keep_sink(&first)}), 0);
	assert_int_equal(stages_append(&stages, (struct stage){.sink = keep_sink(&second)}), 0);
	assert_int_equal(play(&before, stages_sink(&stages)), 0);
	assert_identical(&before, &first);
	assert_identical(&before, &second);
	assert_int_equal(dictionary_count(dictionary, DEFINE_TEXT), before.counts.of[DEFINE_TEXT]);
	assert_int_equal(trace_writer_finish(writer, &diag), 0);
	trace_writer_free(writer);
	rewind(file);
	assert_int_equal(trace_read(file, keep_head, &read, keep_sink(&read), &diag, &outcome), 0);
	assert_same(&read, &before); /* definitions may come earlier */
	fclose(file);
	stages_done(&stages);
	kept_done(&before);
	kept_done(&first);
	kept_done(&second);
	kept_done(&read);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_number_is_fed_in_order_until_one_fails),
		cmocka_unit_test(what_a_stage_leaves_out_is_not_called),
		cmocka_unit_test(who_takes_no_events_does_not_hide_others),
		cmocka_unit_test(a_file_and_others_have_the_same),
	};

	return cmocka_run_group_tests_name("stage", tests, NULL, NULL);
}
