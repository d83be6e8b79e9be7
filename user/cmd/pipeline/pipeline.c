/* SPDX-License-Identifier: MIT */
#include "cmd/pipeline/pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/duration.h"

/* events held at most, 80 bytes each; a live source's window normally has a few thousand */
#define REORDER_EVENTS_LIVE   (1u << 20)
#define REORDER_EVENTS_REPLAY (1u << 14)

void pipeline_live_head(struct stream_head *head)
{
	struct utsname uts = {0};
	struct timespec now;

	memset(head, 0, sizeof(*head));
	uname(&uts);
	snprintf(head->version, sizeof(head->version), "%s", GILSCOPE_VERSION);
	snprintf(head->mode, sizeof(head->mode), "exact");
	snprintf(head->kernel, sizeof(head->kernel), "%.60s %.30s", uts.release, uts.machine);
	head->monotonic_ns = clock_now_ns();
	clock_gettime(CLOCK_REALTIME, &now);
	head->realtime_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* A drawing, if there is one, receives what the report's fold does. */
static int begin_drawing(struct pipeline *pipeline, const struct stream_head *head)
{
	const struct drawing_kind *kind = pipeline->drawing_kind;

	if (!kind)
		return 0;
	pipeline->drawing = kind->begin(pipeline->drawing_file, head, pipeline->dictionary,
					pipeline->finder);
	if (pipeline->drawing)
		pipeline->spans = spans_new(kind->sink(pipeline->drawing),
					    report_builder_attribution(pipeline->builder));
	return pipeline->spans ? 0 : -ENOMEM;
}

int pipeline_fold(struct pipeline *pipeline, const struct stream_head *head, uint64_t stall_ns,
		  struct diag *diag)
{
	pipeline->head = *head;
	pipeline->stall_ns = stall_ns;
	pipeline->dictionary = dictionary_new();
	pipeline->finder = handler_finder_new(pipeline->names.app_roots,
					      pipeline->names.app_root_count);
	if (pipeline->dictionary && pipeline->finder)
		pipeline->builder = report_builder_new(stall_ns, head, pipeline->dictionary,
						       pipeline->finder);
	if (pipeline->builder && !begin_drawing(pipeline, head))
		pipeline->world = world_new(report_builder_sink(pipeline->builder),
					    strcmp(head->mode, "exact") != 0);
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

int pipeline_front(struct pipeline *pipeline, bool live, struct diag *diag)
{
	struct stream_sink next;

	if (pipeline->world && pipeline->trace) {
		/* the file first: when the disk is full the fold has seen nothing that the file has
		 * not */
		pipeline->tee = (struct tee){trace_writer_sink(pipeline->trace),
					     world_sink(pipeline->world)};
		next = tee_sink(&pipeline->tee);
	} else if (pipeline->world && pipeline->keep) {
		pipeline->tee = (struct tee){keep_sink(pipeline->keep),
					     world_sink(pipeline->world)};
		next = tee_sink(&pipeline->tee);
	} else {
		next = pipeline->trace ? trace_writer_sink(pipeline->trace)
				       : world_sink(pipeline->world);
	}
	if (pipeline->world) {
		pipeline->stage = (struct dictionary_stage){pipeline->dictionary, next};
		next = dictionary_sink(&pipeline->stage);
	}
	pipeline->reorder = reorder_new(next, REORDER_WINDOW_NS,
					live ? REORDER_EVENTS_LIVE : REORDER_EVENTS_REPLAY);
	return pipeline->reorder ? 0 : diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
}

void pipeline_done(struct pipeline *pipeline)
{
	reorder_free(pipeline->reorder);
	trace_writer_free(pipeline->trace);
	keep_free(pipeline->keep);
	spans_free(pipeline->spans);
	if (pipeline->drawing)
		pipeline->drawing_kind->free(pipeline->drawing);
	/* the fold's data hangs on the world's objects, so the fold goes first */
	report_builder_free(pipeline->builder);
	world_free(pipeline->world);
	handler_finder_free(pipeline->finder);
	dictionary_free(pipeline->dictionary);
}
