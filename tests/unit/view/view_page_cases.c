/* SPDX-License-Identifier: MIT */
/* Timeline pages of small inputs: hostile names, nothing at all, impossible spans, a full disk. */
#include "tests/sim/spanned.h"

#include <errno.h>
#include <stdlib.h>

#include "page_reader.h"

#define EVIL                                                                                       \
	"</script><script>alert(1)</script><!-- data --><img src=x "                               \
	"onerror=\"alert('1')\">\xff\xe2\x80\xae\n"
#define FEED(type_, name, ts_, tid_, flags_, ...)                                                  \
	assert_int_equal(world_feed(s.world, &(union event){.name = {.hdr = {.ts = (ts_),          \
									     .tid = (tid_),        \
									     .type = EV_##type_,   \
									     .flags = (flags_)},   \
								     ##__VA_ARGS__}}),             \
			 0)

#define REPORT	   "<noscript><pre class=\"report\" tabindex=\"0\">"
#define REPORT_END "</pre></noscript>\n"

/* The page without its text report, and without the contents and ids of its blobs. The caller frees
 * it. */
static char *outside_of_data(const struct page *page)
{
	char *text = calloc(1, page->length + 1), *to = text;
	const char *at = page->text, *begin = strstr(at, REPORT),
		   *end = begin ? begin + strlen(REPORT) : NULL;

	assert_non_null(end);
	to = mempcpy(to, at, (size_t)(begin - at));
	end += strcspn(end, "<>");
	assert_memory_equal(end, REPORT_END, strlen(REPORT_END)); /* nothing in it is markup */
	at = end + strlen(REPORT_END);
	for (; (begin = strstr(at, BEGIN)); at = strstr(begin, END) + strlen(END))
		to = mempcpy(to, at, (size_t)(begin - at));
	strcpy(to, at);
	return text;
}

static void define_evil(struct dictionary *names)
{
	struct stack_frame frames[] = {{1, 7}, {0, 0}};
	struct definition function = {
		.kind = DEFINE_FUNCTION, .id = 1, .function = {EVIL, EVIL, UINT32_MAX}};
	struct definition stack = {.kind = DEFINE_STACK, .id = 1, .stack = {frames, 2, true}};
	struct definition text = {.kind = DEFINE_TEXT, .id = 1, .text = EVIL};

	assert_int_equal(dictionary_define(names, &function), 0);
	assert_int_equal(dictionary_define(names, &stack), 0);
	assert_int_equal(dictionary_define(names, &text), 0);
}

/* A thread of a process whose every name is hostile; if not `hostile`: nothing at all. */
static void draw_little(struct page *page, bool process, bool one, uint64_t begin)
{
	struct spanned s = {.names = dictionary_new(), .finder = handler_finder_new(NULL, 0)};
	FILE *file = open_memstream(&page->text, &page->length);
	struct stream_head head = spanned_head;
	struct drawing *drawing;
	struct process_info info = {
		.pid = 1, .cmdline = EVIL, .python = "</script><b>", .gil_enabled = true};
	struct stream_sink to;

	define_evil(s.names);
	head.realtime_ns = head.monotonic_ns = 1;
	drawing = drawing_page.begin(file, &head, s.names, s.finder);
	memset(&head, 0, sizeof(head)); /* it is not needed any more */
	s.builder = report_builder_new(1, &spanned_head, s.names, s.finder);
	s.spans = spans_new(drawing_page.sink(drawing), report_builder_attribution(s.builder));
	s.world = world_new(report_builder_sink(s.builder), MODE_EXACT);
	to = world_sink(s.world);
	if (process)
		assert_int_equal(sink_process(&to, &info), 0);
	if (one) {
		FEED(GIL, gil, begin, 1, 0, .address = UINT64_MAX);
		FEED(THREAD, thread, begin, 1, EVF_THREAD_PYTHON, .pid = 1);
		FEED(COMM, comm, begin, 1, 0, .comm.text = "</script><b>");
		FEED(PYTHON_NAME, python_name, begin, 1, 0, .text = 1);
	}
	FEED(WINDOW, window, begin, 0, 0);
	if (one) {
		FEED(SWITCH_IN, switch_in, begin, 1, 0);
		FEED(TAKE, take, begin, 1, 0);
		FEED(STACK, stack, begin + 50, 1, EVF_STACK_CLOCK, .stack = 1, .task = 1);
	}
	FEED(WINDOW, window, begin + 100, 0, EVF_WINDOW_END);
	assert_int_equal(report_builder_finish(s.builder, s.world, false, &s.report), 0);
	assert_int_equal(spans_finish(s.spans), 0);
	assert_int_equal(drawing_page.finish(drawing, s.report), 0);
	drawing_page.free(drawing);
	assert_int_equal(fclose(file), 0);
	spanned_done(&s);
	page_open(page);
}

static void names_are_data(void **state)
{
	const char *shown;
	struct page page, empty;
	const json_t *thread, *function;
	char *outside, *outside_empty;

	draw_little(&page, true, true, 1000);
	draw_little(&empty, false, false, 1000);
	outside = outside_of_data(&page);
	outside_empty = outside_of_data(&empty);
	assert_string_equal(outside, outside_empty);
	thread = json_array_get(json_object_get(page.head, "threads"), 0);
	function = json_array_get(json_object_get(page.head, "functions"), 1);
	shown = json_string_value(json_array_get(function, 0));
	/* invalid in JSON, so it is escaped */
	assert_string_equal(shown, "</script><script>alert(1)</script><!-- data --><img src=x "
				   "onerror=\"alert('1')\">\\xff\\xe2\\x80\\xae\\x0a");
	assert_string_equal(json_string_value(json_array_get(function, 1)), shown);
	assert_int_equal(json_integer_value(json_array_get(function, 2)), UINT32_MAX);
	assert_string_equal(string(thread, "comm"), "</script><b>");
	assert_string_equal(string(thread, "python_name"), shown);
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(page.head, "texts"), 1)), shown);
	assert_string_equal(
		string(json_array_get(json_object_get(page.head, "processes"), 0), "cmdline"),
		shown);
	free(outside);
	free(outside_empty);
	page_done(&page);
	page_done(&empty);
}

static void nothing_is_a_page_too(void **state)
{
	static const char *const lists[] = {"processes", "threads", "gils", "loops"};
	struct stacks stacks;
	struct page page;

	for (int process = 0; process < 2; process++) {
		draw_little(&page, process, false, 1000);
		for (size_t i = process ? 1 : 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
			assert_true(json_is_array(json_object_get(page.head, lists[i])));
			assert_int_equal(json_array_size(json_object_get(page.head, lists[i])), 0);
		}
		assert_int_equal(json_array_size(json_object_get(page.head, "functions")), 1);
		assert_int_equal(json_array_size(json_object_get(page.head, "texts")), 1);
		stacks = stacks_of(&page);
		assert_int_equal(stacks.node_count + stacks.count, 0);
		assert_null(strstr(page.text, "lane-0"));
		stacks_done(&stacks);
		page_done(&page);
	}
}

/* Times count from the begin of the window, even if that is 0, and the time of day is shifted with
 * it. */
static void times_are_those_of_the_window(void **state)
{
	static const uint64_t begins[] = {0, 1000, UINT64_C(1) << 62};

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		struct page page;
		struct blob blob;
		const json_t *thread;

		draw_little(&page, true, true, begins[i]);
		thread = json_array_get(json_object_get(page.head, "threads"), 0);
		assert_int_equal(strtoull(string(page.head, "origin_ns"), NULL, 10), begins[i]);
		assert_int_equal(strtoull(string(page.head, "realtime_ns"), NULL, 10), begins[i]);
		assert_int_equal(number(page.head, "end_ns"), 100);
		assert_int_equal(number(json_object_get(page.report, "window"), "start_ns"), 0);
		assert_int_equal(number(json_object_get(page.report, "window"), "end_ns"), 100);
		if (begins[i])
			assert_int_equal(strtoull(string(page.report, "origin_ns"), NULL, 10),
					 begins[i]);
		blob = lane_of(&page, thread, "states");
		assert_true(varint(&blob) > 0);
		assert_int_equal(varint(&blob), 0);
		free(blob.bytes);
		blob = lane_of(&page, thread, "clock");
		assert_int_equal(varint(&blob), 1);
		assert_int_equal(varint(&blob), 50);
		assert_int_equal(varint(&blob), 1);
		all_read(&blob);
		page_done(&page);
	}
}

static void emit_interval(const struct span_sink *sink, struct thread *thread, uint64_t start,
			  int32_t sysno, uint16_t cpu)
{
	sink->state(sink->ctx, &(struct interval){.thread = thread,
						  .state = TS_BLOCKED,
						  .start = start,
						  .end = start + 10,
						  .sysno = sysno,
						  .cpu = cpu});
	sink->stack(sink->ctx, &(struct stack_span){.thread = thread,
						    .start = start,
						    .end = start + 10,
						    .sampled = cpu != CPU_NONE});
}

/* Differences that a lane does not store do not separate entries; a different system call does. */
static void entries_differ_in_what_they_store(void **state)
{
	struct process process = {.info = {.pid = 1}};
	struct thread thread = {.process = &process, .tid = 1, .index = 3};
	struct thread_report threads[] = {{.thread = &thread}};
	struct process_report processes[] = {
		{.process = &process, .threads = threads, .thread_count = 1}};
	struct report report = {.names = dictionary_new(),
				.window = {.start = 10, .end = 60},
				.processes = processes,
				.process_count = 1};
	struct page page;
	FILE *file = open_memstream(&page.text, &page.length);
	struct drawing *drawing = drawing_page.begin(file, &spanned_head, report.names, NULL);
	const struct span_sink sink = drawing_page.sink(drawing);
	struct blob blob;

	emit_interval(&sink, &thread, 10, 7, CPU_NONE);
	emit_interval(&sink, &thread, 20, 7, 1);
	emit_interval(&sink, &thread, 30, 8, 1);
	emit_interval(&sink, &thread, 40, SYSNO_NONE, 1);
	emit_interval(&sink, &thread, 50, INT32_MAX, 2);
	assert_int_equal(drawing_page.finish(drawing, &report), 0);
	drawing_page.free(drawing);
	fclose(file);
	page_open(&page);
	blob = lane_of(&page, json_array_get(json_object_get(page.head, "threads"), 0), "states");
	for (const uint64_t *
		     at = (const uint64_t[]){4, 0, TS_BLOCKED, TS_BLOCKED, TS_BLOCKED, TS_BLOCKED,
					     20, 10, 10, 10, 13, 14, 5, UINT64_C(0x80000005), 0},
		    *end = at + 14;
	     at < end; at++)
		assert_int_equal(varint(&blob), *at);
	all_read(&blob);
	blob = lane_of(&page, json_array_get(json_object_get(page.head, "threads"), 0), "stacks");
	for (const uint64_t *at = (const uint64_t[]){1, 0, 50, 0, 0}, *end = at + 5; at < end; at++)
		assert_int_equal(varint(&blob), *at);
	all_read(&blob);
	page_done(&page);
	dictionary_free((struct dictionary *)report.names);
}

/* Spans out of order are refused, not drawn elsewhere. */
static void spans_out_of_order_are_refused(void **state)
{
	struct process process = {.info = {.pid = 1}};
	struct thread thread = {.process = &process, .tid = 1};
	const struct gil gil = {.process = &process};
	const struct report report = {.names = NULL};

	for (int kind = 0; kind < 3; kind++) {
		FILE *file = fopen("/dev/null", "w");
		struct drawing *drawing = drawing_page.begin(file, &spanned_head, NULL, NULL);
		const struct span_sink sink = drawing_page.sink(drawing);

		for (uint64_t start = 20; kind == 0 && start < 100; start += 30)
			emit_interval(&sink, &thread, start, 7, 1); /* a gap */
		for (uint64_t start = 100; kind == 1 && start > 0; start -= 50)
			sink.hold(sink.ctx, &(struct hold){.gil = (struct gil *)&gil,
							   .thread = &thread,
							   .start = start,
							   .end = start + 10});
		for (uint64_t start = 100; kind == 2 && start > 0; start -= 50)
			sink.clock(sink.ctx, &(struct stack_span){.thread = &thread, .end = start});
		assert_int_equal(drawing_page.finish(drawing, &report), -EBADMSG);
		drawing_page.free(drawing);
		fclose(file);
	}
}

/* A failed write is reported, whichever part of the page fails. */
static void a_full_disk_is_reported(void **state)
{
	FILE *file = fopen("/dev/full", "w");
	struct dictionary *names = dictionary_new();
	struct drawing *drawing = drawing_page.begin(file, &spanned_head, names, NULL);
	const struct report report = {.names = names};

	assert_int_equal(drawing_page.finish(drawing, &report), -ENOSPC);
	drawing_page.free(drawing);
	dictionary_free(names);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_data),
		cmocka_unit_test(nothing_is_a_page_too),
		cmocka_unit_test(times_are_those_of_the_window),
		cmocka_unit_test(entries_differ_in_what_they_store),
		cmocka_unit_test(spans_out_of_order_are_refused),
		cmocka_unit_test(a_full_disk_is_reported),
	};

	return cmocka_run_group_tests_name("view_page_cases", tests, NULL, NULL);
}
