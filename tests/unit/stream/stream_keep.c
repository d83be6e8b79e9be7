/* SPDX-License-Identifier: MIT */
/* That the history window is right or unknown is tested in model_sim.c. Here: that it is a valid
 * stream, what it begins with, and that it stays small. */
#define keep_sink kept_sink /* stream_helpers.h has a keep_sink() of its own */
#include "stream_helpers.h"
#undef keep_sink

#include "analysis/report.h"
#include "base/diag.h"
#include "model/checkpoint/checkpoint.h"
#include "stream/keep.h"

#define MS UINT64_C(1000000)

enum {
	PID = 100,
	LOOP = 100,
	WORKER = 101,
	OTHER_PID = 200,
	EPFD = 5,
	NANOSLEEP = 230,
	EPOLL_WAIT = 232
};

static struct keep *memory;
static struct dictionary *names;
static struct kept written;

static void push(union event event)
{
	struct stream_sink sink = keep_sink(memory);

	assert_int_equal(sink_event(&sink, &event), 0);
}

#define PUSH(type_, name, ts_, tid_, aux_, flags_, ...)                                            \
	push((union event){.name = {.hdr = {.ts = (ts_),                                           \
					    .tid = (tid_),                                         \
					    .type = EV_##type_,                                    \
					    .aux = (aux_),                                         \
					    .flags = (flags_)},                                    \
				    ##__VA_ARGS__}})

static void push_process(uint32_t pid)
{
	struct process_info info = {.pid = pid, .gil_enabled = true, .machine = "x86_64"};
	struct stream_sink sink = keep_sink(memory);

	assert_int_equal(sink_process(&sink, &info), 0);
}

/* A process with a loop and a worker; the window begins at 1 ms. */
static void begin(uint64_t while_ns, size_t max_bytes)
{
	memory = keep_new(while_ns, max_bytes, checkpoint_state(MODE_EXACT), names);
	assert_non_null(memory);
	push_process(PID);
	PUSH(GIL, gil, 1, PID, 0, 0, .address = 0x1000);
	PUSH(EPOLL, epoll, 1, PID, 0, EVF_EPOLL_WAKEUP, .epfd = EPFD, .kind = LOOP_ASYNCIO);
	PUSH(THREAD, thread, 1, LOOP, 0, EVF_THREAD_PYTHON, .pid = PID);
	PUSH(THREAD, thread, 1, WORKER, 0, EVF_THREAD_PYTHON, .pid = PID);
	PUSH(COMM, comm, 1, WORKER, 0, 0, .pid = PID, .comm = {"worker"});
	PUSH(PYTHON_NAME, python_name, 1, WORKER, 0, 0, .text = 1);
	PUSH(WINDOW, window, 1 * MS, 0, 0, 0);
}

static int setup(void **state)
{
	static const struct stack_frame frame = {1, 12};

	names = dictionary_new();
	assert_non_null(names);
	dictionary_define(names,
			  &(struct definition){.kind = DEFINE_TEXT, .id = 1, .text = "a worker"});
	dictionary_define(names, &(struct definition){.kind = DEFINE_FUNCTION,
						      .id = 1,
						      .function = {"nap", "/srv/app.py", 10}});
	dictionary_define(
		names,
		&(struct definition){.kind = DEFINE_STACK, .id = 1, .stack = {&frame, 1, false}});
	return 0;
}

static int teardown(void **state)
{
	keep_free(memory);
	memory = NULL;
	kept_done(&written);
	dictionary_free(names);
	return 0;
}

/* Passes the history window through a trace file, whose writer and reader refuse invalid
 * streams. */
static void write_and_read(void)
{
	const struct stream_head head = {.mode = MODE_EXACT, .stacks = true};
	struct trace_writer *writer;
	struct trace_outcome outcome;
	struct diag diag = {0};
	struct bytes bytes = {0};
	FILE *file = open_memstream((char **)&bytes.at, &bytes.length);
	struct stream_sink sink;

	kept_done(&written);
	assert_int_equal(trace_writer_new(file, &head, &diag, &writer), 0);
	sink = trace_writer_sink(writer);
	assert_int_equal(keep_write(memory, &sink), 0);
	assert_int_equal(trace_writer_finish(writer, &diag), 0);
	trace_writer_free(writer);
	fclose(file);
	assert_int_equal(read_trace(bytes.at, bytes.length, &written, &outcome, &diag), 0);
	assert_true(outcome.complete && !outcome.skipped);
	free(bytes.at);
}

/* The number of events of a type, and the last of them. */
static size_t count(unsigned int type, union event *ret_last)
{
	size_t found = 0;

	for (size_t i = 0; i < written.length; i++)
		if (!written.items[i].is_process && written.items[i].event.hdr.type == type) {
			found++;
			if (ret_last)
				*ret_last = written.items[i].event;
		}
	return found;
}

static void takes(uint64_t from, uint64_t to, uint64_t step)
{
	for (uint64_t ts = from; ts < to; ts += step) {
		PUSH(TAKE, take, ts, WORKER, 0, 0);
		PUSH(DROP, drop, ts + step / 2, WORKER, 0, 0);
	}
}

static void it_begins_where_the_while_does_and_ends_where_time_has_come(void **state)
{
	union event last = {0};
	size_t window = 0;

	begin(200 * MS, 1 << 20);
	takes(10 * MS, 1000 * MS, 10 * MS);
	assert_int_equal(keep_begin(memory), 795 * MS);
	assert_int_equal(keep_advance(memory, 1100 * MS), 0);
	assert_int_equal(keep_begin(memory), 900 * MS);
	write_and_read();

	assert_true(written.items[0].is_process && written.items[0].info.pid == PID);
	assert_int_equal(written.defined, 1); /* what nothing refers to is not written */
	assert_int_equal(count(EV_GIL, NULL), 1);
	assert_int_equal(count(EV_EPOLL, NULL), 1);
	assert_int_equal(count(EV_THREAD, NULL), 2);
	assert_int_equal(count(EV_COMM, &last), 1);
	assert_string_equal(last.comm.comm.text, "worker");
	assert_int_equal(count(EV_PYTHON_NAME, NULL), 1);
	while (written.items[window].is_process ||
	       written.items[window].event.hdr.type != EV_WINDOW)
		window++;
	assert_int_equal(written.items[window].event.hdr.ts, 900 * MS);
	for (size_t i = window + 1; i < written.length; i++)
		assert_true(written.items[i].event.hdr.ts >= written.items[i - 1].event.hdr.ts);
	assert_int_equal(count(EV_WINDOW, &last), 2);
	assert_true(last.hdr.ts == 1100 * MS && last.hdr.flags & EVF_WINDOW_END);
	assert_memory_equal(&written.items[written.length - 1].event, &last, sizeof(last));
	/* 905, 910, … 995; when the window begins the worker has the GIL */
	assert_int_equal(count(EV_TAKE, NULL) + count(EV_DROP, NULL), 19);
	assert_int_equal(count(EV_OBSERVE, &last), 1);
	assert_int_equal(last.observe.holder, WORKER);
}

static void its_memory_is_bounded(void **state)
{
	const size_t max_bytes = 1 << 20;
	size_t bytes;

	begin(UINT64_MAX, max_bytes);
	takes(2 * MS, 202 * MS, 200); /* 2 million events, 32 MB */
	write_and_read();
	bytes = (count(EV_TAKE, NULL) + count(EV_DROP, NULL)) * sizeof(struct ev_take);
	assert_true(bytes <= max_bytes && bytes >= max_bytes / 8 * 7);
	assert_true(keep_begin(memory) > 150 * MS);
}

/* However many threads come and go, only those that exist are remembered. */
static void who_is_gone_is_forgotten(void **state)
{
	union event last = {0};

	begin(10 * MS, 1 << 20);
	for (uint32_t tid = 1000; tid < 9000; tid++) {
		uint64_t ts = 2 * MS + tid * 10000;

		PUSH(THREAD, thread, ts, tid, 0, EVF_THREAD_NEW, .pid = PID);
		PUSH(TAKE, take, ts + 1, tid, 0, 0);
		PUSH(DROP, drop, ts + 2, tid, 0, 0);
		PUSH(THREAD_EXIT, thread_exit, ts + 3, tid, 0, 0);
		/* read by a snapshot before it exited */
		PUSH(THREAD, thread, ts + 4, tid, 0, 0, .pid = PID);
	}
	push_process(OTHER_PID);
	PUSH(GIL, gil, 100 * MS, OTHER_PID, 1, 0, .address = 0x2000);
	PUSH(THREAD, thread, 100 * MS, OTHER_PID, 0, 0, .pid = OTHER_PID);
	PUSH(EPOLL, epoll, 100 * MS, OTHER_PID, 0, EVF_EPOLL_WAKEUP, .epfd = 3);
	write_and_read();
	/* the process came after some events, but its description is written before them */
	assert_int_equal(written.length - events_of(&written), 2);
	assert_int_equal(count(EV_GIL, NULL), 2);
	PUSH(PROCESS_EXIT, process_exit, 110 * MS, OTHER_PID, 0, 0);
	keep_advance(memory, 115 * MS);
	write_and_read();
	assert_int_equal(written.length - events_of(&written), 2);
	assert_int_equal(count(EV_PROCESS_EXIT, NULL), 1);
	keep_advance(memory, 200 * MS);
	write_and_read();
	assert_int_equal(written.length - events_of(&written), 1);
	assert_int_equal(count(EV_THREAD, &last), 2);
	assert_int_equal(count(EV_GIL, NULL), 1);
	assert_int_equal(count(EV_EPOLL, NULL), 1);
	assert_int_equal(count(EV_PROCESS_EXIT, NULL), 0);
}

static void a_loss_that_lasts_into_the_while_stays_one(void **state)
{
	union event last = {0};

	begin(10 * MS, 1 << 20);
	takes(2 * MS, 4 * MS, MS);
	PUSH(LOST, lost, 5 * MS, 0, 0, 0, .count = 7, .last_ts = 25 * MS);
	PUSH(TAKE, take, 6 * MS, WORKER, 0, 0);
	PUSH(SWITCH_OUT, switch_out, 30 * MS, WORKER, 0, EVF_SWITCH_OUT_SYSCALL,
	     .sysno = NANOSLEEP);
	write_and_read();
	assert_int_equal(count(EV_LOST, &last), 1);
	assert_true(last.hdr.ts == 20 * MS && last.lost.last_ts == 25 * MS && last.lost.count == 7);
	assert_int_equal(count(EV_OBSERVE, NULL), 0);
	keep_advance(memory, 45 * MS);
	write_and_read();
	assert_int_equal(count(EV_LOST, NULL), 0);
	assert_int_equal(count(EV_SWITCH_OUT, NULL), 1);
	/* after the loss the holder is unknown */
	assert_int_equal(count(EV_OBSERVE, NULL), 0);
}

static void define_texts(uint32_t count)
{
	static uint32_t made = 1;
	char text[16];

	for (uint32_t i = 0; i < count; i++) {
		snprintf(text, sizeof(text), "%u", ++made);
		assert_int_equal(dictionary_define(names, &(struct definition){.kind = DEFINE_TEXT,
									       .id = made,
									       .text = text}),
				 0);
	}
}

static const struct kept_definition *text_of_name(const union event *event)
{
	for (size_t i = 0; i < written.defined; i++)
		if (written.definitions[i].kind == DEFINE_TEXT &&
		    written.definitions[i].id == event->python_name.text)
			return &written.definitions[i];
	fail_msg("the text %u is not defined", event->python_name.text);
	return NULL;
}

/* However many others there are: what the state or an event in the window refers to is known, and
 * has a number of the new recording. */
static void what_is_kept_has_its_names(void **state)
{
	union event name = {
		.python_name = {.hdr = {.ts = 900 * MS, .tid = LOOP, .type = EV_PYTHON_NAME},
				.text = DEFINE_TEXTS_MAX / 2 + 1}};
	struct stream_sink sink;
	union event copy, last = {0};

	begin(200 * MS, 1 << 20);
	sink = keep_sink(memory);
	define_texts(DEFINE_TEXTS_MAX / 2);
	assert_int_equal(sink_event(&sink, dictionary_translate(names, &name, &copy)), 0);
	define_texts(3 * DEFINE_TEXTS_MAX);
	assert_int_equal(keep_advance(memory, 1000 * MS), 0);
	assert_int_equal(keep_begin(memory), 800 * MS);
	write_and_read();
	assert_int_equal(count(EV_PYTHON_NAME, &last), 2);
	assert_int_equal(last.hdr.tid, LOOP);
	assert_string_equal(text_of_name(&last)->texts[0], "32769");
	for (size_t i = 0; i < written.length; i++)
		if (!written.items[i].is_process &&
		    written.items[i].event.hdr.type == EV_PYTHON_NAME &&
		    written.items[i].event.hdr.tid == WORKER)
			assert_string_equal(text_of_name(&written.items[i].event)->texts[0],
					    "a worker");
	assert_int_equal(written.defined, 2);
}

/* The report of the history window. */
static const struct stall *stall_of(struct world **ret_world, struct report_builder **ret_builder)
{
	const struct stream_head head = {.mode = MODE_EXACT, .stacks = true, .rate_hz = 199};
	struct handler_finder *finder = handler_finder_new(NULL, 0);
	const struct report *report;
	struct stream_sink sink;

	*ret_builder = report_builder_new(50 * MS, &head, names, finder);
	*ret_world = world_new(report_builder_sink(*ret_builder), MODE_EXACT);
	assert_non_null(*ret_world);
	sink = world_sink(*ret_world);
	assert_int_equal(keep_write(memory, &sink), 0);
	assert_int_equal(report_builder_finish(*ret_builder, *ret_world, false, &report), 0);
	handler_finder_free(finder);
	assert_int_equal(report->processes[0].loop_count, 1);
	assert_int_equal(report->processes[0].loops[0].stall_count, 1);
	return &report->processes[0].loops[0].stalls[0];
}

/* A hang that began long before the window: none of its events mentions it. */
static void a_hang_longer_than_the_while_is_a_stall_with_its_stack(void **state)
{
	struct report_builder *builder;
	const struct stall *stall;
	struct world *world;

	begin(100 * MS, 1 << 20);
	PUSH(SWITCH_IN, switch_in, 2 * MS, LOOP, 0, 0);
	PUSH(EPOLL_ENTER, epoll_enter, 3 * MS, LOOP, 0, 0, .epfd = EPFD);
	PUSH(EPOLL_EXIT, epoll_exit, 4 * MS, LOOP, 0, 0, .epfd = EPFD);
	PUSH(TAKE, take, 5 * MS, LOOP, 0, 0);
	PUSH(DROP, drop, 6 * MS, LOOP, 0, 0);
	PUSH(STACK, stack, 7 * MS, LOOP, 0, EVF_STACK_SLEEP, .stack = 1);
	PUSH(SWITCH_OUT, switch_out, 7 * MS, LOOP, 0, EVF_SWITCH_OUT_SYSCALL, .sysno = NANOSLEEP);
	keep_advance(memory, 10000 * MS);
	assert_int_equal(keep_begin(memory), 9900 * MS);
	stall = stall_of(&world, &builder);
	assert_int_equal(stall->start, 9900 * MS);
	assert_int_equal(stall->end, 10000 * MS);
	assert_true(stall->ongoing && !stall->whole);
	assert_int_equal(stall->cause, TS_BLOCKED);
	assert_true(stall->what.states.ns[TS_BLOCKED] >= 100 * MS - 1);
	assert_int_equal(stall->what.syscalls[0].sysno, NANOSLEEP);
	assert_int_equal(stall->stack, 1);
	assert_int_equal(stall->handler.frame.function, 1);
	report_builder_free(builder);
	world_free(world);
}

static int refuse_event(void *ctx, const union event *event)
{
	return --*(int *)ctx ? 0 : -ENOSPC;
}

static int take_process(void *ctx, const struct process_info *info)
{
	return 0;
}

static void before_a_window_there_is_nothing_and_errors_come_back(void **state)
{
	int left;
	const struct stream_sink to = {
		.process = take_process, .event = refuse_event, .ctx = &left};

	memory = keep_new(MS, 0, checkpoint_state(MODE_EXACT), names);
	assert_int_equal(keep_begin(memory), 0);
	assert_int_equal(keep_write(memory, &to), -EAGAIN);
	keep_free(memory);
	begin(100 * MS, 1 << 20);
	takes(2 * MS, 4 * MS, MS);
	for (int n = 1; n <= 12; n++) {
		left = n;
		assert_int_equal(keep_write(memory, &to), -ENOSPC);
	}
	left = 1000;
	assert_int_equal(keep_write(memory, &to), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_begins_where_the_while_does_and_ends_where_time_has_come),
		TEST(its_memory_is_bounded),
		TEST(who_is_gone_is_forgotten),
		TEST(a_loss_that_lasts_into_the_while_stays_one),
		TEST(a_hang_longer_than_the_while_is_a_stall_with_its_stack),
		TEST(what_is_kept_has_its_names),
		TEST(before_a_window_there_is_nothing_and_errors_come_back),
	};

	return cmocka_run_group_tests_name("keep", tests, NULL, NULL);
}
