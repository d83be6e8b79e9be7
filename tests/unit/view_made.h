/* SPDX-License-Identifier: MIT */
/* view_made.h - a report made by hand, for the tests of the views: one process with a loop and a worker, stacks with every oddity, hostile names. */
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
/* of the library, so that none of these stacks has a handler, whatever the rules for handlers are */
#define LIBRARY "/usr/lib/python3/dist-packages/"
#define HOSTILE "a;b\n\x1b[2J\\\xff"
#define DEEP 3 /* a stack of DEFINE_FRAMES_MAX frames that was cut */

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
};

static inline uint32_t made_function(struct made *made, const char *name, const char *file, uint32_t line)
{
	struct definition definition = {.kind = DEFINE_FUNCTION, .id = dictionary_count(made->names, DEFINE_FUNCTION) + 1, .function = {name, file, line}};

	assert_int_equal(dictionary_define(made->names, &definition), 0);
	return definition.id;
}

static inline uint32_t made_stack(struct made *made, const struct stack_frame *frames, uint32_t count, bool cut)
{
	struct definition definition = {.kind = DEFINE_STACK, .id = dictionary_count(made->names, DEFINE_STACK) + 1, .stack = {frames, count, cut}};

	assert_int_equal(dictionary_define(made->names, &definition), 0);
	return definition.id;
}

static inline uint32_t made_text(struct made *made, const char *text)
{
	struct definition definition = {.kind = DEFINE_TEXT, .id = dictionary_count(made->names, DEFINE_TEXT) + 1, .text = text};

	assert_int_equal(dictionary_define(made->names, &definition), 0);
	return definition.id;
}

/* Stack 1: sum_up <- work; 2: a frame that could not be read below a hostile name; 3: DEEP. */
static inline void made_names(struct made *made)
{
	uint32_t work = made_function(made, "work", LIBRARY "lib.py", 10), sum_up = made_function(made, "sum_up", LIBRARY "lib.py", 30);
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
		{loop, 1, TS_PYTHON, true, 20 * MS, 4},	     {worker, DEEP, TS_PYTHON, false, 60 * MS, 12}, {loop, 1, TS_PYTHON, false, 10 * MS, 2},
		{loop, 2, TS_GIL_WAIT, true, 50 * MS, 0},    {worker, 0, TS_GIL_WAIT, false, 5 * MS, 0},    {loop, 0, TS_IDLE, false, 20 * MS, 0},
		{worker, 1, TS_BLOCKED, false, 35 * MS, 0},
	};
	const struct wait_flame waits[] = {{loop, worker, 2, 1, 50 * MS}, {worker, NULL, 0, 0, 5 * MS}};

	memcpy(made->flames, flames, sizeof(flames));
	memcpy(made->wait_flames, waits, sizeof(waits));
	made->report.flames = made->flames;
	made->report.flame_count = sizeof(flames) / sizeof(flames[0]);
	made->report.wait_flames = made->wait_flames;
	made->report.wait_flame_count = sizeof(waits) / sizeof(waits[0]);
	for (size_t i = 0; i < sizeof(flames) / sizeof(flames[0]); i++)
		made->threads[flames[i].thread == worker].states.ns[flames[i].state] += flames[i].ns;
}

static inline void made_init(struct made *made)
{
	*made = (struct made){
		.process = {.info = {.pid = 100, .cmdline = "/usr/bin/python3 /usr/bin/uvicorn app:app", .gil_enabled = true}},
		.loop_thread = {.process = &made->process, .tid = 100, .comm = "uvicorn", .python = true, .cpu = CPU_NONE},
		.worker = {.process = &made->process, .tid = 101, .comm = "python3", .python = true, .cpu = CPU_NONE},
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
	made->process_report = (struct process_report){.process = &made->process, .threads = made->threads, .thread_count = 2};
	made->report = (struct report){.version = "0.1.0",
				       .mode = "exact",
				       .window = {.start = 1000 * MS, .end = 1100 * MS, .ended = true},
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

/* What a view writes; to be freed. */
static inline char *made_shown(const struct made *made, const struct view *view, const struct view_options *options, size_t *ret_size)
{
	char *shown = NULL;
	FILE *file = open_memstream(&shown, ret_size);

	assert_non_null(file);
	assert_int_equal(view->show(file, &made->report, options), 0);
	fclose(file);
	return shown;
}

#endif
