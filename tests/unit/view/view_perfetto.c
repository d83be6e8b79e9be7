/* SPDX-License-Identifier: MIT */
/* Cases that the golden scripts lack: long and many names, overlapping losses, threads and loops
 * that turn out to be something else. */
#include "view_made.h"

#include "view/export/perfetto.h"

/* more than are interned */
#define TEXTS  20000
#define PLACES 300000

static struct made made;
static struct drawing *drawing;
static struct span_sink spans;
static FILE *file;
static char *bytes;
static size_t size;

static int setup(void **state)
{
	const struct stream_head head = {.stacks = true, .rate_hz = 199};

	made_init(&made);
	made_stalls(&made);
	file = open_memstream(&bytes, &size);
	assert_non_null(file);
	drawing = drawing_perfetto.begin(file, &head, made.names, made.finder);
	assert_non_null(drawing);
	spans = drawing_perfetto.sink(drawing);
	return 0;
}

static int teardown(void **state)
{
	drawing_perfetto.free(drawing);
	fclose(file);
	free(bytes);
	made_done(&made);
	return 0;
}

static Perfetto__Trace *unpack(void)
{
	Perfetto__Trace *trace;

	fflush(file);
	trace = perfetto__trace__unpack(NULL, size, (const uint8_t *)bytes);
	assert_non_null(trace);
	return trace;
}

static Perfetto__Trace *finished(void)
{
	assert_int_equal(drawing_perfetto.finish(drawing, &made.report), 0);
	return unpack();
}

static void state_of(struct thread *thread, uint64_t start, uint64_t end)
{
	spans.state(spans.ctx, &(struct interval){.thread = thread,
						  .state = TS_NATIVE,
						  .start = start * MS,
						  .end = end * MS,
						  .cpu = CPU_NONE,
						  .sysno = SYSNO_NONE});
}

/* The names, separated by commas, that threads with this number were described with, in order. */
static void assert_names(const Perfetto__Trace *trace, int64_t tid, const char *expected)
{
	char names[256] = "";

	for (size_t i = 0; i < trace->n_packet; i++) {
		const Perfetto__TrackDescriptor *track = trace->packet[i]->track_descriptor;

		if (!track || !track->thread || track->thread->tid != tid)
			continue;
		strcat(names, *names ? "," : "");
		strcat(names, track->thread->thread_name ? track->thread->thread_name : "-");
	}
	assert_string_equal(names, expected);
}

static void names_that_do_not_change_are_written_once(void **state)
{
	Perfetto__Trace *trace;

	state_of(&made.worker, 1000, 1010);
	state_of(&made.worker, 1010, 1020);
	trace = finished();
	assert_names(trace, 101, "AnyIO worker thread");
	perfetto__trace__free_unpacked(trace, NULL);
}

/* Perfetto gives a name to the thread that had the number last, so that thread must be described
 * last. */
static void the_last_name_of_the_last_thread_with_a_number_is_written_last(void **state)
{
	struct thread next = {
		.process = &made.process, .tid = 101, .index = 2, .comm = "next", .cpu = CPU_NONE};
	Perfetto__Trace *trace;

	made.worker.python_name = 0;
	made.worker.comm[0] = '\0';
	state_of(&made.worker, 1000, 1010);
	strcpy(made.worker.comm, "python3");
	state_of(&next, 1020, 1030);
	trace = finished();
	assert_names(trace, 101, "-,next,python3,next");
	perfetto__trace__free_unpacked(trace, NULL);
}

/* Names of tracks with this number, separated by commas. */
static void assert_track(const Perfetto__Trace *trace, const char *last, unsigned times)
{
	const char *name = "";
	unsigned count = 0;

	for (size_t i = 0; i < trace->n_packet; i++) {
		const Perfetto__TrackDescriptor *track = trace->packet[i]->track_descriptor;

		if (!track || !track->name || strncmp(track->name, "turns of ", 9) != 0)
			continue;
		name = track->name;
		count++;
	}
	assert_string_equal(name, last);
	assert_int_equal(count, times);
}

static void what_proved_to_be_no_loop_is_called_so(void **state)
{
	Perfetto__Trace *trace;

	spans.turn(spans.ctx, &(struct turn){.loop = &made.loop,
					     .start = 1000 * MS,
					     .end = 1010 * MS,
					     .whole = true});
	made.process_report.loop_count = 0;
	trace = finished();
	assert_track(trace, "turns of what proved to be no event loop", 2);
	perfetto__trace__free_unpacked(trace, NULL);
}

static void a_loop_keeps_its_name(void **state)
{
	Perfetto__Trace *trace;

	spans.turn(spans.ctx, &(struct turn){.loop = &made.loop,
					     .start = 1000 * MS,
					     .end = 1010 * MS,
					     .whole = true});
	trace = finished();
	assert_track(trace, "turns of the event loop", 1);
	perfetto__trace__free_unpacked(trace, NULL);
}

/* ── losses ──────────────────────────────────────────────────────────────── */

static void losses_that_overlap_are_one_and_none_reaches_beyond_the_window(void **state)
{
	static const struct loss losses[] = {{1010 * MS, 1050 * MS, 3, NULL, false},
					     {1020 * MS, 1030 * MS, 4, NULL, false},
					     {1050 * MS, 1060 * MS, 5, NULL, false},
					     {1200 * MS, 1400 * MS, 7, NULL, false}};
	static const uint64_t expected[][3] = {{1010, 1060, 12}, {1200, 1300, 7}};
	Perfetto__Trace *trace;
	unsigned found = 0;

	for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++)
		spans.loss(spans.ctx, &losses[i]);
	trace = finished();
	for (size_t i = 0; i + 1 < trace->n_packet; i++) {
		const Perfetto__TrackEvent *event = trace->packet[i]->track_event;

		if (!event || event->name_iid != NAME_LOSS)
			continue;
		assert_true(found < 2);
		assert_int_equal(trace->packet[i]->timestamp, expected[found][0] * MS);
		assert_int_equal(event->debug_annotations[0]->int_value, expected[found][2]);
		assert_int_equal(trace->packet[i + 1]->timestamp, expected[found++][1] * MS);
		assert_int_equal(trace->packet[i + 1]->track_event->type,
				 PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_END);
	}
	assert_int_equal(found, 2);
	perfetto__trace__free_unpacked(trace, NULL);
}

/* ── frames ──────────────────────────────────────────────────────────────── */

static void the_deepest_stack_has_all_its_frames_and_says_that_it_was_cut(void **state)
{
	size_t begun = 0, ended = 0, cut = 0;
	Perfetto__Trace *trace;

	spans.stack(spans.ctx,
		    &(struct stack_span){&made.worker, 1000 * MS, 1010 * MS, DEEP, 0, false});
	made.process_report.loop_count = 0;
	trace = finished();
	for (size_t i = 0; i < trace->n_packet; i++) {
		const Perfetto__TracePacket *packet = trace->packet[i];

		if (!packet->track_event || packet->timestamp > 1010 * MS ||
		    packet->track_event->name)
			continue;
		begun += packet->track_event->type == PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_BEGIN;
		ended += packet->track_event->type == PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_END;
		cut += packet->track_event->name_iid == NAME_CUT;
	}
	assert_int_equal(begun, DEFINE_FRAMES_MAX + 1);
	assert_int_equal(ended, begun);
	assert_int_equal(cut, 1);
	perfetto__trace__free_unpacked(trace, NULL);
}

static size_t frames_at(const Perfetto__Trace *trace, uint64_t ms, Perfetto__TrackEvent__Type type)
{
	size_t count = 0;

	for (size_t i = 0; i < trace->n_packet; i++)
		count += trace->packet[i]->track_event && trace->packet[i]->timestamp == ms * MS &&
			 trace->packet[i]->track_event->type == type;
	return count;
}

/* The same except for the line of the innermost frame; then the same in a task; then a stack with
 * nothing in common. */
static void common_frames_of_two_stacks_continue(void **state)
{
	/* slices that begin, and end at 10, 20, … */
	static const size_t expected[][2] = {{2, 0}, {1, 1}, {2, 2}, {2, 2}, {0, 2}};
	uint32_t later = made_stack(&made, (struct stack_frame[]){{2, 33}, {1, 12}}, 2, false),
		 task = made_text(&made, "Task-8");
	const struct stack_span stacks[] = {{&made.worker, 10 * MS, 20 * MS, 1, 0, false},
					    {&made.worker, 20 * MS, 30 * MS, later, 0, true},
					    {&made.worker, 30 * MS, 40 * MS, later, task, true},
					    {&made.worker, 40 * MS, 50 * MS, 2, 0, true}};
	Perfetto__Trace *trace;

	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++)
		spans.stack(spans.ctx, &stacks[i]);
	trace = finished();
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_int_equal(frames_at(trace, 10 * (i + 1),
					   PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_BEGIN),
				 expected[i][0]);
		assert_int_equal(
			frames_at(trace, 10 * (i + 1), PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_END),
			expected[i][1]);
	}
	perfetto__trace__free_unpacked(trace, NULL);
}

/* ── much ────────────────────────────────────────────────────────────────── */

/* Each byte of the name takes four when escaped. */
static const char *long_name(void)
{
	static char name[DEFINE_TEXT_MAX];

	memset(name, '\x01', sizeof(name) - 1);
	return name;
}

static const Perfetto__DebugAnnotation *annotation_of(const Perfetto__TrackEvent *event,
						      const char *name)
{
	for (size_t i = 0; i < event->n_debug_annotations; i++)
		if (!strcmp(event->debug_annotations[i]->name, name))
			return event->debug_annotations[i];
	fail_msg("no %s", name);
	return NULL;
}

static void a_stall_may_be_larger_than_the_buffer(void **state)
{
	uint32_t function = made_function(&made, long_name(), long_name(), 1);
	struct stack_frame frames[DEFINE_FRAMES_MAX];
	const Perfetto__DebugAnnotation *stack = NULL;
	Perfetto__Trace *trace;

	for (uint32_t i = 0; i < DEFINE_FRAMES_MAX; i++)
		frames[i] = (struct stack_frame){function, i + 1};
	made.stalls[0].stack = made_stack(&made, frames, DEFINE_FRAMES_MAX, false);
	trace = finished();
	for (size_t i = 0; i < trace->n_packet && !stack; i++)
		if (trace->packet[i]->track_event && trace->packet[i]->track_event->name)
			stack = annotation_of(trace->packet[i]->track_event, "stack");
	assert_non_null(stack);
	assert_int_equal(stack->n_array_values, DEFINE_FRAMES_MAX);
	assert_int_equal(
		strlen(stack->array_values[DEFINE_FRAMES_MAX - 1]->dict_entries[0]->string_value),
		4 * (DEFINE_TEXT_MAX - 1));
	perfetto__trace__free_unpacked(trace, NULL);
}

static void every_text_is_there_also_beyond_those_that_are_interned(void **state)
{
	static bool seen[TEXTS], interned[TEXTS + 1];
	struct perfetto *perfetto = perfetto_new(file, &(struct stream_head){0}, made.names);
	Perfetto__Trace *trace;
	size_t in_full = 0;
	char text[32];

	assert_non_null(perfetto);
	for (int i = 0; i < TEXTS; i++) {
		struct perfetto_event event = {.track = 1, .ts = (uint64_t)i, .name = NAME_TURN};

		snprintf(text, sizeof(text), "%d", i);
		perfetto_text(perfetto, &event, KEY_TASK, text);
		perfetto_instant(perfetto, &event);
	}
	assert_int_equal(perfetto_finish(perfetto), 0);
	perfetto_free(perfetto);
	trace = unpack();
	for (size_t i = 0; i < trace->n_packet; i++) {
		const Perfetto__InternedData *data = trace->packet[i]->interned_data;
		const Perfetto__TrackEvent *event = trace->packet[i]->track_event;

		if (data && data->n_debug_annotation_string_values) {
			uint64_t iid = data->debug_annotation_string_values[0]->iid;

			assert_true(iid <= TEXTS && !interned[iid]);
			interned[iid] = true;
			assert_int_equal(atoi(data->debug_annotation_string_values[0]->name) + 1,
					 (int)iid);
		}
		if (!event)
			continue;
		in_full += event->debug_annotations[0]->string_value != NULL;
		assert_true(event->debug_annotations[0]->string_value ||
			    interned[event->debug_annotations[0]->string_value_iid]);
		seen[event->debug_annotations[0]->string_value
			     ? (uint64_t)atoi(event->debug_annotations[0]->string_value)
			     : event->debug_annotations[0]->string_value_iid - 1] = true;
	}
	for (int i = 0; i < TEXTS; i++)
		assert_true(seen[i]);
	assert_true(in_full > 0 && in_full < TEXTS);
	perfetto__trace__free_unpacked(trace, NULL);
}

/* Interned places are found again, the others are repeated. */
static void every_place_is_there_also_beyond_those_that_are_interned(void **state)
{
	struct perfetto *perfetto = perfetto_new(file, &(struct stream_head){0}, made.names);
	size_t interned = 0, referred = 0, in_full = 0;
	Perfetto__Trace *trace;

	assert_non_null(perfetto);
	for (uint32_t line = 1; line <= PLACES; line++) {
		const struct stack_frame frame = {1, line};

		perfetto_instant(perfetto, &(struct perfetto_event){.track = 1,
								    .ts = line,
								    .name = NAME_TURN,
								    .frame = &frame});
	}
	assert_int_equal(perfetto_finish(perfetto), 0);
	perfetto_free(perfetto);
	trace = unpack();
	for (size_t i = 0; i < trace->n_packet; i++) {
		const Perfetto__InternedData *data = trace->packet[i]->interned_data;
		const Perfetto__TrackEvent *event = trace->packet[i]->track_event;

		interned += data && data->n_source_locations &&
			    data->source_locations[0]->line_number ==
				    data->source_locations[0]->iid;
		if (event && event->source_location)
			in_full += event->source_location->line_number ==
				   trace->packet[i]->timestamp;
		else if (event)
			referred += event->source_location_iid == trace->packet[i]->timestamp;
	}
	assert_int_equal(interned, referred);
	assert_int_equal(referred + in_full, PLACES);
	assert_true(in_full > 0);
	perfetto__trace__free_unpacked(trace, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names_that_do_not_change_are_written_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			the_last_name_of_the_last_thread_with_a_number_is_written_last, setup,
			teardown),
		cmocka_unit_test_setup_teardown(what_proved_to_be_no_loop_is_called_so, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_loop_keeps_its_name, setup, teardown),
		cmocka_unit_test_setup_teardown(
			losses_that_overlap_are_one_and_none_reaches_beyond_the_window, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			the_deepest_stack_has_all_its_frames_and_says_that_it_was_cut, setup,
			teardown),
		cmocka_unit_test_setup_teardown(common_frames_of_two_stacks_continue, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_stall_may_be_larger_than_the_buffer, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			every_text_is_there_also_beyond_those_that_are_interned, setup, teardown),
		cmocka_unit_test_setup_teardown(
			every_place_is_there_also_beyond_those_that_are_interned, setup, teardown),
	};

	return cmocka_run_group_tests_name("view_perfetto", tests, NULL, NULL);
}
