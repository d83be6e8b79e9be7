/* SPDX-License-Identifier: MIT */
/* view_made.h - a hand-made report for the tests of the views: one process with a loop and a
 * worker, stacks with every oddity, hostile names. */
#ifndef GILSCOPE_TESTS_VIEW_MADE_H
#define GILSCOPE_TESTS_VIEW_MADE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "view/view.h"

#define MS UINT64_C(1000000)
/* library files, so that none of these stacks has a handler */
#define LIBRARY "/usr/lib/python3/dist-packages/"
#define HOSTILE "a;b\n\x1b[2J\\\xff"
#define DEEP	3 /* a cut stack of DEFINE_FRAMES_MAX frames */

struct made {
	struct report report;
	struct dictionary *names;
	struct handler_finder *finder;
	struct process process;
	struct thread loop_thread, worker;
	struct loop loop;
	struct process_report process_report;
	struct thread_report threads[2];
	struct flame flames[8];
	struct wait_flame wait_flames[2];
	struct loop_report loop_report;
	struct stall stalls[3];
	struct blocker blocker;
	struct stack_share shares[2];
	struct turn_part parts[13];
	struct blame blame[14];
};

static inline uint32_t made_function(struct made *made, const char *name, const char *file,
				     uint32_t line)
{
	struct definition definition = {.kind = DEFINE_FUNCTION,
					.id = dictionary_count(made->names, DEFINE_FUNCTION) + 1,
					.function = {name, file, line}};

	assert_int_equal(dictionary_define(made->names, &definition), 0);
	return definition.id;
}

static inline uint32_t made_stack(struct made *made, const struct stack_frame *frames,
				  uint32_t count, bool cut)
{
	struct definition definition = {.kind = DEFINE_STACK,
					.id = dictionary_count(made->names, DEFINE_STACK) + 1,
					.stack = {frames, count, cut}};

	assert_int_equal(dictionary_define(made->names, &definition), 0);
	return definition.id;
}

static inline uint32_t made_text(struct made *made, const char *text)
{
	struct definition definition = {.kind = DEFINE_TEXT,
					.id = dictionary_count(made->names, DEFINE_TEXT) + 1,
					.text = text};

	assert_int_equal(dictionary_define(made->names, &definition), 0);
	return definition.id;
}

/* Stack 1: sum_up <- work; 2: an unread frame below a hostile name; 3: DEEP. */
static inline void made_names(struct made *made)
{
	uint32_t work = made_function(made, "work", LIBRARY "lib.py", 10),
		 sum_up = made_function(made, "sum_up", LIBRARY "lib.py", 30);
	uint32_t hostile = made_function(made, HOSTILE, LIBRARY HOSTILE ".py", 1);
	struct stack_frame deep[DEFINE_FRAMES_MAX];

	made_stack(made, (struct stack_frame[]){{sum_up, 31}, {work, 12}}, 2, false);
	made_stack(made, (struct stack_frame[]){{0, 0}, {hostile, 0}}, 2, false);
	for (int i = 0; i < DEFINE_FRAMES_MAX; i++)
		deep[i] = (struct stack_frame){work, (uint32_t)i + 1};
	made_stack(made, deep, DEFINE_FRAMES_MAX, true);
}

static inline void made_flames(struct made *made)
{
	struct thread *loop = &made->loop_thread, *worker = &made->worker;
	const struct flame flames[] = {
		{loop, 1, TS_PYTHON, true, 20 * MS, 4},
		{worker, DEEP, TS_PYTHON, false, 60 * MS, 12},
		{loop, 1, TS_PYTHON, false, 10 * MS, 2},
		{loop, 2, TS_GIL_WAIT, true, 50 * MS, 0},
		{worker, 0, TS_GIL_WAIT, false, 5 * MS, 0},
		{loop, 0, TS_IDLE, false, 20 * MS, 0},
		{worker, 1, TS_BLOCKED, false, 35 * MS, 0},
	};
	const struct wait_flame waits[] = {{loop, worker, 2, 1, 50 * MS, 0, 0},
					   {worker, NULL, 0, 0, 5 * MS, 0, 0}};

	memcpy(made->flames, flames, sizeof(flames));
	memcpy(made->wait_flames, waits, sizeof(waits));
	made->report.flames = made->flames;
	made->report.flame_count = sizeof(flames) / sizeof(flames[0]);
	made->report.wait_flames = made->wait_flames;
	made->report.wait_flame_count = sizeof(waits) / sizeof(waits[0]);
	for (size_t i = 0; i < sizeof(flames) / sizeof(flames[0]); i++)
		made->threads[flames[i].thread == worker].states.ns[flames[i].state] +=
			flames[i].ns;
}

/* A handler: the function at one of its lines. */
static inline struct handler made_handler(uint32_t function, uint32_t line, enum handler_role role)
{
	return (struct handler){.role = role, .frame = {function, line}};
}

/* A wait for the GIL that `work` holds in the worker, a blocking route, and an iteration of twelve
 * callbacks with a garbage collection. */
static inline void made_stalls(struct made *made)
{
	uint32_t route = made_function(made, "async_sleep_blocking",
				       "/home/user/src/shop/backend/application/routes/app.py", 70);
	uint32_t tick = made_function(made, "tick",
				      "/home/user/src/shop/backend/application/routes/app.py", 90);
	uint32_t task = made_text(made, "Task-7"),
		 lib = made_stack(made, (struct stack_frame[]){{2, 31}, {route, 71}}, 2, false);
	struct stall *stalls = made->stalls;

	made->shares[0] = (struct stack_share){.stack = 1,
					       .states = {.ns = {[TS_PYTHON] = 60 * MS}}};
	made->shares[1] = (struct stack_share){
		.stack = lib, .task = task, .states = {.ns = {[TS_BLOCKED] = 80 * MS}}};
	made->blocker = (struct blocker){.thread = &made->worker,
					 .states = {.ns = {[TS_PYTHON] = 60 * MS}},
					 .stacks = made->shares,
					 .stack_count = 1,
					 .handler = made_handler(1, 12, HANDLER_ROUTE)};
	stalls[0] = (struct stall){
		.start = 1000 * MS, .end = 1062 * MS, .whole = true, .cause = TS_GIL_WAIT};
	stalls[0].what = (struct breakdown){
		.states = {.ns = {[TS_GIL_WAIT] = 60 * MS, [TS_PYTHON] = 2 * MS}},
		.blockers = &made->blocker,
		.blocker_count = 1};
	stalls[1] = (struct stall){.start = 1062 * MS,
				   .end = 1142 * MS,
				   .whole = true,
				   .cause = TS_BLOCKED,
				   .stack = lib,
				   .handler = made_handler(route, 71, HANDLER_ROUTE),
				   .parts = &made->parts[12],
				   .part_count = 1};
	made->parts[12] = (struct turn_part){.handler = stalls[1].handler,
					     .states = {.ns = {[TS_BLOCKED] = 80 * MS}}};
	stalls[1].what = (struct breakdown){.states = {.ns = {[TS_BLOCKED] = 80 * MS}},
					    .stacks = &made->shares[1],
					    .stack_count = 1};
	for (int i = 0; i < 12; i++)
		made->parts[i] = (struct turn_part){
			.handler = made_handler(i % 3 ? tick : route, 92, HANDLER_CALLBACK),
			.states = {.ns = {[TS_PYTHON] = 10 * MS}}};
	stalls[2] = (struct stall){.start = 1142 * MS,
				   .end = 1262 * MS,
				   .whole = true,
				   .cause = TS_PYTHON,
				   .stack = 2,
				   .handler = made_handler(tick, 92, HANDLER_CALLBACK),
				   .parts = made->parts,
				   .part_count = 12};
	stalls[2].what = (struct breakdown){
		.states = {.ns = {[TS_PYTHON] = 120 * MS}}, .gc_ns = 31 * MS, .gc_sampled = true};
	made->loop_report = (struct loop_report){
		.loop = &made->loop, .stalls = stalls, .stall_count = 3, .longest_ns = 120 * MS};
	for (int i = 0; i < 3; i++)
		for (int s = 0; s < TS_COUNT; s++)
			made->loop_report.stalled.states.ns[s] += stalls[i].what.states.ns[s];
	made->loop_report.stalled.blockers = &made->blocker;
	made->loop_report.stalled.blocker_count = 1;
	made->process_report.loops = &made->loop_report;
	made->process_report.loop_count = 1;
	made->blame[0] = (struct blame){
		.handler = made_handler(tick, 90, HANDLER_CALLBACK),
		.loop = {.ns = {[TS_PYTHON] = 80 * MS, [TS_RUNNABLE] = 10 * MS}},
		.gc_ns = 31 * MS,
		.stalls = 1,
		.stall_ns = 120 * MS,
		.worst_ns = 120 * MS,
		.ts_worst = 1142 * MS,
		.samples = 18};
	made->blame[1] = (struct blame){
		.handler = made_handler(route, 70, HANDLER_ROUTE),
		.loop = {.ns = {[TS_BLOCKED] = 80 * MS, [TS_PYTHON] = 40 * MS}},
		.stalls = 1,
		.stall_ns = 80 * MS,
		.worst_ns = 80 * MS,
		.ts_worst = 1062 * MS,
		.samples = 8};
	made->blame[2] = (struct blame){.handler = made_handler(1, 10, HANDLER_EXECUTOR),
					.elsewhere = {.ns = {[TS_PYTHON] = 60 * MS}},
					.made_loops_wait_ns = 60 * MS,
					.made_wait_ns = 1300 * MS,
					.stalls = 1,
					.stall_ns = 62 * MS,
					.worst_ns = 62 * MS,
					.ts_worst = 1000 * MS,
					.samples = 12};
	made->blame[3] = (struct blame){.handler = made_handler(3, 1, HANDLER_FRAME),
					.loop = {.ns = {[TS_PYTHON] = MS}}};
	for (int i = 4; i < 14; i++)
		made->blame[i] = (struct blame){.handler = made_handler(2, 30, HANDLER_TASK),
						.loop = {.ns = {[TS_NATIVE] = 1000}},
						.made_loops_wait_ns = 2000};
	made->report.blame = made->blame;
	made->report.blame_count = 14;
}

static inline void made_init(struct made *made)
{
	*made = (struct made){
		.process = {.info = {.pid = 100,
				     .cmdline = "/usr/bin/python3 /usr/bin/uvicorn app:app",
				     .gil_enabled = true}},
		.loop_thread = {.process = &made->process,
				.tid = 100,
				.comm = "uvicorn",
				.python = true,
				.cpu = CPU_NONE},
		.worker = {.process = &made->process,
			   .tid = 101,
			   .comm = "python3",
			   .python = true,
			   .cpu = CPU_NONE},
	};
	made->names = dictionary_new();
	made->finder = handler_finder_new(NULL, 0);
	assert_non_null(made->names);
	assert_non_null(made->finder);
	made_names(made);
	made->worker.python_name = made_text(made, "AnyIO worker thread");
	made->loop = (struct loop){.thread = &made->loop_thread};
	made->loop_thread.loop = &made->loop;
	made->threads[0].thread = &made->loop_thread;
	made->threads[1].thread = &made->worker;
	made->process_report = (struct process_report){
		.process = &made->process, .threads = made->threads, .thread_count = 2};
	made->report = (struct report){
		.version = "0.1.0",
		.mode = MODE_EXACT,
		.window = {.start = 1000 * MS, .end = 1300 * MS, .ended = true},
		.thread_ns = 200 * MS,
		.names = made->names,
		.finder = made->finder,
		.stacks = true,
		.rate_hz = 199,
		.processes = &made->process_report,
		.process_count = 1};
	made_flames(made);
}

static inline void made_done(struct made *made)
{
	handler_finder_free(made->finder);
	dictionary_free(made->names);
}

/* The output of a view; the caller frees it. */
static inline char *made_shown(const struct made *made, const struct view *view,
			       const struct view_options *options, size_t *ret_size)
{
	char *shown = NULL;
	FILE *file = open_memstream(&shown, ret_size);

	assert_non_null(file);
	assert_int_equal(view->show(file, &made->report, options), 0);
	fclose(file);
	return shown;
}

#endif
