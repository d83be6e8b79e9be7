/* SPDX-License-Identifier: MIT */
/*
 * spanned.h - a simulated world of gilsim.h through the model, into a report and into spans, like a
 * pipeline with a drawing.
 */
#ifndef TESTS_SIM_SPANNED_H
#define TESTS_SIM_SPANNED_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "analysis/report.h"
#include "analysis/spans.h"
#include "tests/sim/gilrun.h"

#define SPANNED_HZ 10000000 /* a sample is valid for 400 ns; some stretches are longer */

static const struct stream_head spanned_head = {
	.version = "0.1.0", .mode = MODE_EXACT, .stacks = true, .rate_hz = SPANNED_HZ};

struct spanned {
	struct dictionary *names;
	struct handler_finder *finder;
	struct report_builder *builder;
	struct world *world;
	struct spans *spans;
	const struct report *report;
	uint64_t clocks; /* clock samples that the model emitted */
};

static inline void spanned_sample(void *ctx, const struct sample *sample)
{
	((struct spanned *)ctx)->clocks += (sample->flags & (EVF_STACK_CLOCK | EVF_STACK_HOLDER)) ==
					   EVF_STACK_CLOCK;
}

/* Stacks and tasks are numbered like threads (gilsim.h); the outer functions are shared. */
static inline void spanned_define(struct spanned *s)
{
	for (uint32_t id = 1; id < SIM_PID + SIM_TIDS; id++) {
		char name[32];
		struct definition function = {
			.kind = DEFINE_FUNCTION,
			.id = id,
			.function = {name, id % 2 ? "/srv/app.py" : "/usr/lib/python3/abc.py", id}};
		struct definition text = {.kind = DEFINE_TEXT, .id = id, .text = name};

		snprintf(name, sizeof(name), "function_%u", id);
		assert_int_equal(dictionary_define(s->names, &function), 0);
		assert_int_equal(dictionary_define(s->names, &text), 0);
	}
	for (uint32_t id = 1; id < SIM_PID + SIM_TIDS; id++) {
		struct stack_frame frames[] = {{id, id}, {1 + id % 7, 3}, {1, 2}};
		struct definition stack = {
			.kind = DEFINE_STACK, .id = id, .stack = {frames, 1 + id % 3, id % 5 == 0}};

		assert_int_equal(dictionary_define(s->names, &stack), 0);
	}
}

static inline void spanned_names(struct spanned *s)
{
	*s = (struct spanned){.names = dictionary_new(), .finder = handler_finder_new(NULL, 0)};
	assert_non_null(s->names);
	assert_non_null(s->finder);
	spanned_define(s);
}

static inline void spanned_begin(struct spanned *s, struct span_sink sink, bool partial)
{
	struct process_info info = {
		.pid = SIM_PID, .gil_enabled = true, .gc = GC_PROBES, .machine = "x86_64"};
	struct stream_sink to;

	s->builder = report_builder_new(300, &spanned_head, s->names, s->finder);
	assert_non_null(s->builder);
	s->spans = spans_new(sink, report_builder_attribution(s->builder));
	assert_non_null(s->spans);
	assert_int_equal(attribution_add(report_builder_attribution(s->builder),
					 (struct stretch_sink){
						 .model = {.sample = spanned_sample, .ctx = s}}),
			 0);
	s->world = world_new(report_builder_sink(s->builder), partial ? MODE_EDGES : MODE_EXACT);
	assert_non_null(s->world);
	to = world_sink(s->world);
	assert_int_equal(sink_process(&to, &info), 0);
}

/* `looks`: the world is cut after this many events each time; 0 = never. */
static inline void spanned_feed(struct spanned *s, const struct sim *sim, uint32_t looks)
{
	for (uint32_t i = 0; i < sim->events.count; i++) {
		assert_int_equal(world_feed(s->world, &sim->events.at[i].event), 0);
		if (looks && i % looks == looks - 1)
			world_cut(s->world, sim->events.at[i].event.hdr.ts);
	}
	assert_int_equal(report_builder_finish(s->builder, s->world, false, &s->report), 0);
	assert_int_equal(spans_finish(s->spans), 0);
}

static inline void spanned_done(struct spanned *s)
{
	spans_free(s->spans);
	report_builder_free(s->builder);
	world_free(s->world);
	handler_finder_free(s->finder);
	dictionary_free(s->names);
}

#endif
