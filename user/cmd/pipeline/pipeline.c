/* SPDX-License-Identifier: MIT */
#include "cmd/pipeline/pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/duration.h"
#include "model/checkpoint/checkpoint.h"

/* Events held at most, 80 bytes each. A live source's window normally has a few thousand. */
#define REORDER_EVENTS_LIVE   (1u << 20)
#define REORDER_EVENTS_REPLAY (1u << 14)

void pipeline_live_head(struct stream_head *head)
{
	struct utsname uts = {0};

	memset(head, 0, sizeof(*head));
	uname(&uts);
	snprintf(head->version, sizeof(head->version), "%s", GILSCOPE_VERSION);
	head->mode = MODE_EXACT;
	snprintf(head->kernel, sizeof(head->kernel), "%.60s %.30s", uts.release, uts.machine);
	head->monotonic_ns = clock_now_ns();
	head->realtime_ns = clock_epoch_ns(CLOCK_MONOTONIC) + head->monotonic_ns;
}

/* A drawing, if there is one, gets the same intervals as the report's fold. */
static int begin_drawing(struct pipeline *pipeline)
{
	const struct drawing_kind *kind = pipeline->drawing_kind;
	struct span_sink sink;

	if (!kind)
		return 0;
	pipeline->drawing = kind->begin(pipeline->drawing_file, &pipeline->head,
					pipeline->dictionary, pipeline->finder);
	if (!pipeline->drawing)
		return -ENOMEM;
	sink = kind->sink(pipeline->drawing);
	report_builder_pool_steps(pipeline->builder, (struct pool_sink){sink.pool, sink.ctx});
	pipeline->spans = spans_new(sink, report_builder_attribution(pipeline->builder));
	return pipeline->spans ? 0 : -ENOMEM;
}

static int begin_dump(struct pipeline *pipeline)
{
	struct attribution *attribution = report_builder_attribution(pipeline->builder);

	if (!pipeline->wants_dump)
		return 0;
	pipeline->dump = dump_new(pipeline->dictionary, pipeline->finder);
	return pipeline->dump ? attribution_add(attribution, dump_sink(pipeline->dump, attribution))
			      : -ENOMEM;
}

static int fold_new(struct pipeline *pipeline, uint64_t stall_ns, struct diag *diag)
{
	const struct stream_head *head = &pipeline->head;

	pipeline->stall_ns = stall_ns;
	pipeline->finder = handler_finder_new(pipeline->names.app_roots,
					      pipeline->names.app_root_count);
	if (pipeline->finder)
		pipeline->builder = report_builder_new(stall_ns, head, pipeline->dictionary,
						       pipeline->finder);
	if (pipeline->builder && !begin_drawing(pipeline) && !begin_dump(pipeline))
		pipeline->world = world_new(report_builder_sink(pipeline->builder), head->mode);
	return pipeline->world ? 0 : diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
}

int pipeline_draw(struct pipeline *pipeline, const struct report *report, struct diag *diag)
{
	int err = spans_finish(pipeline->spans);

	if (!err)
		err = pipeline->drawing_kind->finish(pipeline->drawing, report);
	return err ? diag_set(diag, EXIT_FAILED, err, "cannot write the %s: %s",
			      pipeline->drawing_kind->name, strerror(-err))
		   : 0;
}

static void fold_free(void *self)
{
	struct pipeline *pipeline = self;

	spans_free(pipeline->spans);
	dump_free(pipeline->dump);
	if (pipeline->drawing)
		pipeline->drawing_kind->free(pipeline->drawing);
	/* the fold's data refers to objects of the world, so it is freed first */
	report_builder_free(pipeline->builder);
	world_free(pipeline->world);
	handler_finder_free(pipeline->finder);
}

static int append(struct pipeline *pipeline, struct stage stage, struct diag *diag)
{
	int err = stages_append(&pipeline->stages, stage);

	return err ? diag_set(diag, EXIT_FAILED, err, "no memory") : 0;
}

/* ── names ───────────────────────────────────────────────────────────────── */

static int name_process(void *ctx, const struct process_info *info)
{
	struct pipeline *pipeline = ctx;
	struct stream_sink sink = stages_sink(&pipeline->named);

	return sink_process(&sink, info);
}

static int name_event(void *ctx, const union event *event)
{
	struct pipeline *pipeline = ctx;
	struct stream_sink sink = stages_sink(&pipeline->named);
	union event copy;

	return sink_event(&sink, dictionary_translate(pipeline->dictionary, event, &copy));
}

static int name_definition(void *ctx, const struct definition *definition)
{
	return dictionary_define(((struct pipeline *)ctx)->dictionary, definition);
}

static int advance_named(void *self, uint64_t ts_known)
{
	return stages_advance(&((struct pipeline *)self)->named, ts_known);
}

static void free_named(void *self)
{
	struct pipeline *pipeline = self;

	stages_done(&pipeline->named);
	dictionary_free(pipeline->dictionary);
}

/* The stage behind which there are ids, once. */
static int begin_names(struct pipeline *pipeline, struct diag *diag)
{
	if (pipeline->dictionary)
		return 0;
	pipeline->dictionary = dictionary_new();
	if (!pipeline->dictionary)
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
	return append(pipeline,
		      (struct stage){.self = pipeline,
				     .sink = {.process = name_process,
					      .event = name_event,
					      .define = name_definition,
					      .ctx = pipeline},
				     .advance = advance_named,
				     .free = free_named},
		      diag);
}

static int append_named(struct pipeline *pipeline, struct stage stage, struct diag *diag)
{
	int err = stages_append(&pipeline->named, stage);

	return err ? diag_set(diag, EXIT_FAILED, err, "no memory") : 0;
}

static void fold_refers(void *ctx, struct dictionary *dictionary)
{
	const struct pipeline *pipeline = ctx;
	const struct definition_visit visit = dictionary_keeping(dictionary);

	world_refers(pipeline->world, &visit);
	report_builder_refers(pipeline->builder, &visit);
}

static void names_leave(void *ctx, const struct dictionary *dictionary)
{
	report_builder_names_leave(((struct pipeline *)ctx)->builder, dictionary);
}

static int begin_forgetting(struct pipeline *pipeline, struct diag *diag)
{
	struct dictionary_user user = {
		.refers = fold_refers, .forget = names_leave, .ctx = pipeline};
	int err = pipeline->forgets ? dictionary_forgets(pipeline->dictionary, user) : 0;

	if (pipeline->forgets)
		report_builder_forgets(pipeline->builder);
	return err ? diag_set(diag, EXIT_FAILED, err, "no memory") : 0;
}

/* ── the fold's stage ────────────────────────────────────────────────────── */

int pipeline_dump(struct pipeline *pipeline, uint64_t ts)
{
	return pipeline->dump ? dump_take(pipeline->dump, pipeline->world, ts) : 0;
}

/* Stands before the model, for which all that threads do ends with the window. */
static int dump_event(void *ctx, const union event *event)
{
	bool end = event->hdr.type == EV_WINDOW && event->hdr.flags & EVF_WINDOW_END;

	return end ? pipeline_dump(ctx, event->hdr.ts) : 0;
}

static int fold_process(void *ctx, const struct process_info *info)
{
	struct pipeline *pipeline = ctx;
	struct stream_sink sink = world_sink(pipeline->world);

	return sink_process(&sink, info);
}

/* A GIL that is declared may have the index of one that is gone. */
static bool may_end_something(uint32_t type)
{
	return type == EV_PROCESS_EXIT || type == EV_THREAD_EXIT || type == EV_GIL;
}

/* Nothing of the fold's or the world's is held by anybody between two events. */
static int fold_event(void *ctx, const union event *event)
{
	struct pipeline *pipeline = ctx;
	int err = world_feed(pipeline->world, event);

	if (!err && may_end_something(event->hdr.type) && !pipeline->growth)
		world_tidy(pipeline->world);
	return err;
}

int pipeline_append_fold(struct pipeline *pipeline, uint64_t stall_ns, struct diag *diag)
{
	int err = begin_names(pipeline, diag);

	if (err)
		return err;
	err = fold_new(pipeline, stall_ns, diag);
	if (!err)
		err = begin_forgetting(pipeline, diag);
	if (!err)
		err = append_named(pipeline,
				   (struct stage){.sink = handler_finder_sink(pipeline->finder)},
				   diag);
	if (!err && pipeline->dump)
		err = append_named(pipeline,
				   (struct stage){.sink = {.event = dump_event, .ctx = pipeline}},
				   diag);
	if (err) {
		fold_free(pipeline);
		return err;
	}
	return append_named(
		pipeline,
		(struct stage){
			.self = pipeline,
			.sink = {.process = fold_process, .event = fold_event, .ctx = pipeline},
			.free = fold_free},
		diag);
}

static int flush_trace(void *self)
{
	return trace_writer_flush(self);
}

static void free_trace(void *self)
{
	trace_writer_free(self);
}

int pipeline_append_trace(struct pipeline *pipeline, FILE *file, struct diag *diag)
{
	int err = trace_writer_new(file, &pipeline->head, diag, &pipeline->trace);

	return err ? err
		   : append(pipeline,
			    (struct stage){.self = pipeline->trace,
					   .sink = trace_writer_sink(pipeline->trace),
					   .flush = flush_trace,
					   .free = free_trace},
			    diag);
}

static int advance_history(void *self, uint64_t ts_known)
{
	return keep_advance(self, ts_known);
}

static void free_history(void *self)
{
	keep_free(self);
}

int pipeline_append_history(struct pipeline *pipeline, uint64_t while_ns, size_t max_bytes,
			    struct diag *diag)
{
	int err = begin_names(pipeline, diag);

	if (err)
		return err;
	pipeline->keep = keep_new(while_ns, max_bytes, checkpoint_state(pipeline->head.mode),
				  pipeline->dictionary);
	if (!pipeline->keep)
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
	return append_named(pipeline,
			    (struct stage){.self = pipeline->keep,
					   .sink = keep_sink(pipeline->keep),
					   .advance = advance_history,
					   .free = free_history},
			    diag);
}

int pipeline_front(struct pipeline *pipeline, bool live, struct diag *diag)
{
	pipeline->reorder = reorder_new(stages_sink(&pipeline->stages), REORDER_WINDOW_NS,
					live ? REORDER_EVENTS_LIVE : REORDER_EVENTS_REPLAY);
	return pipeline->reorder ? 0 : diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
}

void pipeline_done(struct pipeline *pipeline)
{
	reorder_free(pipeline->reorder);
	stages_done(&pipeline->stages);
}
