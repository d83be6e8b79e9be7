/* SPDX-License-Identifier: MIT */
#include <jansson.h>
#include <zlib.h>

#include "pprof.pb-c.h"
#include "view/flames.h"
#include "view_made.h"

#define ALL ((1u << TS_COUNT) - 1)

static struct made made;

static int setup(void **state)
{
	made_init(&made);
	return 0;
}

static int teardown(void **state)
{
	made_done(&made);
	return 0;
}

static void assert_folded(unsigned states, unsigned directions, const char *expected)
{
	const struct view_options options = {.states = states, .directions = directions};
	size_t size;
	char *shown = made_shown(&made, &view_folded, &options, &size);

	assert_string_equal(shown, expected);
	free(shown);
}

#define WORK "[no handler];work (" LIBRARY "lib.py:12);sum_up (" LIBRARY "lib.py:31)"

static void folded_stacks_are_merged_and_led_by_thread_and_handler(void **state)
{
	assert_folded(1u << TS_BLOCKED, FLAME_WAITER,
		      "AnyIO worker thread (101);" WORK " 35000000\n");
}

static void a_handler_is_there_once_whatever_its_line(void **state)
{
	uint32_t index = made_function(&made, "index", "/srv/app.py", 5);

	made.flames[6].stack = made_stack(&made, (struct stack_frame[]){{index, 7}}, 1, false);
	assert_folded(1u << TS_BLOCKED, FLAME_WAITER,
		      "AnyIO worker thread (101);frame index (/srv/app.py:5);index (/srv/app.py:7) "
		      "35000000\n");
}

static void several_states_are_distinguished_by_the_last_frame(void **state)
{
	assert_folded(1u << TS_BLOCKED | 1u << TS_IDLE, FLAME_WAITER,
		      "AnyIO worker thread (101);" WORK
		      ";blocked 35000000\nuvicorn (100);[no handler];[no stack];idle 20000000\n");
}

/* Parsers of the format split at the last blank and at semicolons, line by line. */
static void hostile_names_break_no_line_and_no_stack(void **state)
{
	assert_folded(1u << TS_GIL_WAIT, FLAME_WAITER,
		      "uvicorn (100);[no handler];a\\x3bb\\x0a\\x1b[2J\\x5c\\xff (" LIBRARY
		      "a\\x3bb\\x0a\\x1b[2J\\x5c\\xff.py);[unknown] 50000000\n"
		      "AnyIO worker thread (101);[no handler];[no stack] 5000000\n");
}

static void waits_can_be_shown_by_who_held_the_gil(void **state)
{
	assert_folded(1u << TS_GIL_WAIT, FLAME_HOLDER,
		      "AnyIO worker thread (101);" WORK
		      " 50000000\n[holder unknown];[no handler];[no stack] 5000000\n");
}

static void equal_stacks_are_one_line_and_a_cut_one_says_so(void **state)
{
	const struct view_options options = {.states = 1u << TS_PYTHON, .directions = FLAME_WAITER};
	size_t size, frames = 0;
	char *shown = made_shown(&made, &view_folded, &options, &size);
	const char *line = strstr(shown,
				  "AnyIO worker thread (101);[no handler];[cut];work (" LIBRARY
				  "lib.py:128);work (");

	assert_non_null(strstr(shown, "uvicorn (100);" WORK " 30000000\n"));
	assert_non_null(line);
	for (; *line && *line != '\n'; line++)
		frames += *line == ';';
	assert_int_equal(frames + 1, 3 + DEFINE_FRAMES_MAX);
	free(shown);
}

/* Total ns in a state of a report's threads. */
static uint64_t reported(int state)
{
	return made.threads[0].states.ns[state] + made.threads[1].states.ns[state];
}

static void folded_weights_add_up_to_the_reports_sums(void **state)
{
	const struct view_options options = {.states = ALL, .directions = FLAME_WAITER};
	uint64_t sums[TS_COUNT] = {0};
	size_t size;
	char *shown = made_shown(&made, &view_folded, &options, &size), *rest = NULL;

	for (char *line = strtok_r(shown, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *weight = strrchr(line, ' '), *word;

		assert_non_null(weight);
		*weight = '\0';
		word = strrchr(line, ';') + 1;
		for (int i = 0; i < TS_COUNT; i++)
			sums[i] += strcmp(word, thread_state_name((enum thread_state)i))
					   ? 0
					   : strtoull(weight + 1, NULL, 10);
	}
	for (int i = 0; i < TS_COUNT; i++)
		assert_int_equal(sums[i], reported(i));
	free(shown);
}

/* What https://www.speedscope.app/file-format-schema.json requires of a sampled profile. */
static uint64_t check_profile(json_t *profile, size_t frames)
{
	json_t *samples = json_object_get(profile, "samples"),
	       *weights = json_object_get(profile, "weights"), *sample, *frame;
	uint64_t total = 0;
	size_t i, f;

	assert_string_equal(json_string_value(json_object_get(profile, "type")), "sampled");
	assert_string_equal(json_string_value(json_object_get(profile, "unit")), "nanoseconds");
	assert_int_equal(json_array_size(samples), json_array_size(weights));
	json_array_foreach(samples, i, sample)
	{
		assert_true(json_array_size(sample) >= 2);
		json_array_foreach(sample, f, frame) assert_true(
			json_is_integer(frame) && (size_t)json_integer_value(frame) < frames);
		total += (uint64_t)json_integer_value(json_array_get(weights, i));
	}
	assert_int_equal(json_integer_value(json_object_get(profile, "startValue")), 0);
	assert_int_equal(json_integer_value(json_object_get(profile, "endValue")), total);
	return total;
}

static void speedscope_has_a_profile_for_each_state_and_direction(void **state)
{
	static const struct {
		const char *name;
		int state;
	} expected[] = {
		{"python: exact time, sampled stacks", TS_PYTHON},
		{"gil_wait: exact", TS_GIL_WAIT},
		{"made_wait: exact time, the holders' stacks are samples", TS_GIL_WAIT},
		{"blocked: exact", TS_BLOCKED},
		{"idle: exact", TS_IDLE},
	};
	const struct view_options options = {.states = ALL,
					     .directions = FLAME_WAITER | FLAME_HOLDER};
	size_t size, frames;
	char *shown = made_shown(&made, &view_speedscope, &options, &size);
	json_t *file = json_loadb(shown, size, JSON_REJECT_DUPLICATES, NULL),
	       *profiles = json_object_get(file, "profiles");

	assert_non_null(file);
	assert_string_equal(json_string_value(json_object_get(file, "$schema")),
			    "https://www.speedscope.app/file-format-schema.json");
	frames = json_array_size(json_object_get(json_object_get(file, "shared"), "frames"));
	/* two threads, [no handler], [cut], [no stack], [unknown], the unknown holder; the 128
	 * lines of DEEP; sum_up and the hostile one; line 12 is one of the 128 */
	assert_int_equal(frames, 7 + 128 + 2);
	assert_int_equal(json_array_size(profiles), sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < json_array_size(profiles); i++) {
		json_t *profile = json_array_get(profiles, i);

		assert_string_equal(json_string_value(json_object_get(profile, "name")),
				    expected[i].name);
		assert_int_equal(check_profile(profile, frames), reported(expected[i].state));
	}
	json_decref(file);
	free(shown);
}

static Pprof__Profile *unpack(const char *shown, size_t size)
{
	static unsigned char room[1 << 20];
	z_stream inflater = {.next_in = (unsigned char *)shown,
			     .avail_in = (unsigned int)size,
			     .next_out = room,
			     .avail_out = sizeof(room)};
	Pprof__Profile *profile;

	assert_int_equal(inflateInit2(&inflater, 15 + 16), Z_OK);
	assert_int_equal(inflate(&inflater, Z_FINISH), Z_STREAM_END);
	profile = pprof__profile__unpack(NULL, inflater.total_out, room);
	inflateEnd(&inflater);
	assert_non_null(profile);
	return profile;
}

/* The rules of profile.proto about references between its parts. */
static void check_references(const Pprof__Profile *profile)
{
	size_t texts = profile->n_string_table;

	assert_string_equal(profile->string_table[0], "");
	for (size_t i = 0; i < profile->n_function; i++) {
		assert_int_equal(profile->function[i]->id, i + 1);
		assert_true((size_t)profile->function[i]->name < texts &&
			    (size_t)profile->function[i]->filename < texts);
	}
	for (size_t i = 0; i < profile->n_location; i++) {
		assert_int_equal(profile->location[i]->id, i + 1);
		assert_int_equal(profile->location[i]->n_line, 1);
		assert_true(profile->location[i]->line[0]->function_id >= 1 &&
			    profile->location[i]->line[0]->function_id <= profile->n_function);
	}
	for (size_t i = 0; i < profile->n_sample; i++) {
		const Pprof__Sample *sample = profile->sample[i];

		assert_int_equal(sample->n_value, profile->n_sample_type);
		for (size_t n = 0; n < sample->n_location_id; n++)
			assert_true(sample->location_id[n] >= 1 &&
				    sample->location_id[n] <= profile->n_location);
		for (size_t n = 0; n < sample->n_label; n++)
			assert_true((size_t)sample->label[n]->key < texts &&
				    (size_t)sample->label[n]->str < texts);
	}
}

static const char *label_of(const Pprof__Profile *profile, const Pprof__Sample *sample,
			    const char *key)
{
	for (size_t i = 0; i < sample->n_label; i++)
		if (!strcmp(profile->string_table[sample->label[i]->key], key))
			return profile->string_table[sample->label[i]->str];
	return NULL;
}

static const char *function_of(const Pprof__Profile *profile, uint64_t location)
{
	return profile->string_table
		[profile->function[profile->location[location - 1]->line[0]->function_id - 1]
			 ->name];
}

static void pprof_has_the_same_weights_with_labels_and_lines(void **state)
{
	const struct view_options options = {.states = ALL, .directions = FLAME_WAITER};
	uint64_t sums[TS_COUNT] = {0};
	size_t size;
	char *shown = made_shown(&made, &view_pprof, &options, &size);
	Pprof__Profile *profile = unpack(shown, size);

	check_references(profile);
	assert_string_equal(profile->string_table[profile->sample_type[0]->type], "time");
	assert_string_equal(profile->string_table[profile->sample_type[0]->unit], "nanoseconds");
	assert_int_equal(profile->duration_nanos, 300 * MS);
	for (size_t i = 0; i < profile->n_sample; i++) {
		const Pprof__Sample *sample = profile->sample[i];

		for (int s = 0; s < TS_COUNT; s++)
			sums[s] += strcmp(label_of(profile, sample, "state"),
					  thread_state_name((enum thread_state)s))
					   ? 0
					   : (uint64_t)sample->value[0];
		/* the leaf comes first, the thread last; the thread is also a label */
		assert_string_equal(
			label_of(profile, sample, "thread"),
			function_of(profile, sample->location_id[sample->n_location_id - 1]));
		assert_string_equal(
			label_of(profile, sample, "handler"),
			function_of(profile, sample->location_id[sample->n_location_id - 2]));
		if (!strcmp(label_of(profile, sample, "state"), "blocked")) {
			assert_string_equal(function_of(profile, sample->location_id[0]), "sum_up");
			assert_int_equal(
				profile->location[sample->location_id[0] - 1]->line[0]->line, 31);
		}
	}
	for (int i = 0; i < TS_COUNT; i++)
		assert_int_equal(sums[i], reported(i));
	/* a function has many lines but one definition */
	assert_true(profile->n_location > profile->n_function + 100);
	for (size_t i = 0; i < profile->n_function; i++)
		if (!strcmp(profile->string_table[profile->function[i]->name], "work"))
			assert_int_equal(profile->function[i]->start_line, 10);
	pprof__profile__free_unpacked(profile, NULL);
	free(shown);
}

static void several_processes_are_led_by_their_command_lines(void **state)
{
	const struct view_options options = {.states = 1u << TS_BLOCKED,
					     .directions = FLAME_WAITER};
	size_t size;
	char *shown;
	Pprof__Profile *profile;

	made.report.process_count = 2;
	assert_folded(options.states, options.directions,
		      "uvicorn app:app (100);AnyIO worker thread (101);" WORK " 35000000\n");
	shown = made_shown(&made, &view_pprof, &options, &size);
	profile = unpack(shown, size);
	assert_string_equal(label_of(profile, profile->sample[0], "thread"),
			    "AnyIO worker thread (101)");
	assert_string_equal(label_of(profile, profile->sample[0], "handler"), "[no handler]");
	pprof__profile__free_unpacked(profile, NULL);
	free(shown);
}

static void each_output_says_what_is_exact(void **state)
{
	const struct view_options options = {.states = ALL,
					     .directions = FLAME_WAITER | FLAME_HOLDER};
	struct view_note notes[VIEW_FLAME_NOTES];

	assert_int_equal(view_flame_notes(&made.report, &options, notes), 4);
	assert_string_equal(notes[0].text, "Exact: waiting for the GIL, blocking call, idle");
	assert_string_equal(notes[1].text,
			    "Sampled (199 Hz, 18 samples): running Python; the total "
			    "time of each thread is exact");
	assert_non_null(strstr(notes[2].text, "made_wait: the time"));
	assert_string_equal(notes[3].text, "Without a stack: waiting for the GIL 3.9\xc2\xa0%, "
					   "idle 7.8\xc2\xa0% of this time");
	assert_int_equal(view_flame_notes(&made.report,
					  &(struct view_options){.states = 1u << TS_GIL_WAIT,
								 .directions = FLAME_HOLDER},
					  notes),
			 2);
	assert_string_equal(notes[1].text,
			    "Without a stack: waiting for the GIL 9.1\xc2\xa0% of this time");
	made.report.wait_flame_count = 0;
	assert_int_equal(view_flame_notes(&made.report,
					  &(struct view_options){.states = 1u << TS_GIL_WAIT,
								 .directions = FLAME_HOLDER},
					  notes),
			 0);
	made.report.stacks = false;
	assert_int_equal(view_flame_notes(&made.report,
					  &(struct view_options){.states = 1u << TS_PYTHON,
								 .directions = FLAME_WAITER},
					  notes),
			 1);
	assert_string_equal(notes[0].text, "This recording has no stacks");
}

/* Invalid XML characters and markup appear in neither. */
static void hostile_names_are_text_of_a_picture(void **state)
{
	const struct view_options options = {.states = 1u << TS_BLOCKED,
					     .directions = FLAME_WAITER};
	uint32_t evil = made_function(&made, "</text><script>&\"'\xef\xbf\xbf\x01", "/srv/a]]>&.py",
				      5);
	size_t size;
	char *shown;

	made.flames[6].stack = made_stack(&made, (struct stack_frame[]){{evil, 7}}, 1, false);
	shown = made_shown(&made, &view_flame_svg, &options, &size);
	assert_null(strstr(shown, "<script>"));
	assert_null(strstr(shown, "\xef\xbf\xbf"));
	assert_null(strchr(shown, '\x01'));
	assert_non_null(strstr(
		shown, "<title>&lt;/text&gt;&lt;script&gt;&amp;&quot;'\\xef\\xbf\\xbf\\x01\n/srv/"
		       "a]]&gt;&amp;.py:7\n35.0\xc2\xa0ms (35\xc2\xa0"
		       "000\xc2\xa0"
		       "000\xc2\xa0ns), 100\xc2\xa0%"));
	free(shown);
}

/* The number of boxes with this name in a picture. */
static unsigned boxes_named(const char *shown, const char *title)
{
	unsigned count = 0;

	for (; (shown = strstr(shown, title)); shown++)
		count++;
	return count;
}

static void a_picture_says_where_the_time_of_several_states_ends(void **state)
{
	const struct view_options both = {.states = 1u << TS_BLOCKED | 1u << TS_IDLE,
					  .directions = FLAME_WAITER},
				  one = {.states = 1u << TS_IDLE};
	size_t size;
	char *shown = made_shown(&made, &view_flame_svg, &both, &size);

	assert_int_equal(boxes_named(shown, "<title>idle\n"), 1);
	assert_int_equal(boxes_named(shown, "<title>blocked\n"), 1);
	free(shown);
	shown = made_shown(&made, &view_flame_svg, &one, &size);
	assert_int_equal(boxes_named(shown, "<title>idle\n"), 0);
	assert_int_equal(boxes_named(shown, "<title>[no stack]\n20.0\xc2\xa0ms"), 1);
	free(shown);
}

/* A TID may be reused, and its name too. Then the threads are merged in a picture. */
static void what_looks_the_same_is_one_node_of_a_tree(void **state)
{
	const struct view_options options = {.states = 1u << TS_BLOCKED,
					     .directions = FLAME_WAITER};
	struct flame_index *index = flame_index_new();
	struct flame_row *rows;
	struct flame_tree tree;
	size_t count;

	made.loop_thread.tid = made.worker.tid;
	made.loop_thread.python_name = made.worker.python_name;
	made.flames[5].state = TS_BLOCKED;
	made.flames[5].stack = 1;
	assert_int_equal(flame_rows(&made.report, &options, &rows, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(flame_tree_make(&made.report, rows, count, false, index, &tree), 0);
	assert_int_equal(tree.count, 1 + 4);
	for (uint32_t i = 1; i < tree.count; i++) {
		assert_int_equal(tree.nodes[i].parent, i - 1);
		assert_int_equal(tree.nodes[i].ns, 55 * MS);
		assert_int_equal(tree.nodes[i].self_ns, i == 4 ? 55 * MS : 0);
	}
	flame_tree_done(&tree);
	flame_index_free(index);
	free(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			folded_stacks_are_merged_and_led_by_thread_and_handler, setup, teardown),
		cmocka_unit_test_setup_teardown(a_handler_is_there_once_whatever_its_line, setup,
						teardown),
		cmocka_unit_test_setup_teardown(several_states_are_distinguished_by_the_last_frame,
						setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_names_break_no_line_and_no_stack, setup,
						teardown),
		cmocka_unit_test_setup_teardown(waits_can_be_shown_by_who_held_the_gil, setup,
						teardown),
		cmocka_unit_test_setup_teardown(equal_stacks_are_one_line_and_a_cut_one_says_so,
						setup, teardown),
		cmocka_unit_test_setup_teardown(folded_weights_add_up_to_the_reports_sums, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			speedscope_has_a_profile_for_each_state_and_direction, setup, teardown),
		cmocka_unit_test_setup_teardown(pprof_has_the_same_weights_with_labels_and_lines,
						setup, teardown),
		cmocka_unit_test_setup_teardown(several_processes_are_led_by_their_command_lines,
						setup, teardown),
		cmocka_unit_test_setup_teardown(each_output_says_what_is_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(hostile_names_are_text_of_a_picture, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_looks_the_same_is_one_node_of_a_tree, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_picture_says_where_the_time_of_several_states_ends, setup, teardown),
	};

	return cmocka_run_group_tests_name("view_flames", tests, NULL, NULL);
}
