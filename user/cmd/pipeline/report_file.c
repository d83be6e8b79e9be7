/* SPDX-License-Identifier: MIT */
#include "cmd/pipeline/report_file.h"

#include <errno.h>

#include "cmd/cmd.h"
#include "cmd/pipeline/replay.h"

/* The pipeline is built when the head has been read, which says in what mode the recording was
 * made.
 */
struct build {
	struct pipeline *pipeline;
	struct stream_sink front;
	struct cut *cut;
	uint64_t stall_ns;
	struct diag diag;
};

static int build(void *ctx, const struct stream_head *head)
{
	struct build *what = ctx;
	int err;

	what->pipeline->head = *head;
	err = pipeline_append_fold(what->pipeline, what->stall_ns, &what->diag);
	if (!err)
		err = pipeline_front(what->pipeline, false, &what->diag);
	if (err)
		return err;
	what->front = reorder_sink(what->pipeline->reorder);
	err = cutting_begin(&what->pipeline->cut, head, what->front, &what->diag, &what->cut);
	if (what->cut)
		what->front = cut_sink(what->cut);
	return err;
}

/* What was whole before the damage is worth a report; that there is damage is said first. */
static int forgive_damage(int err, const struct pipeline *pipeline, const struct diag *diag,
			  bool *ret_damaged)
{
	if (err != -EBADMSG || !pipeline->reorder)
		return err;
	cmd_fail(diag);
	fprintf(stderr, "gilscope: this is what was whole before that.\n");
	*ret_damaged = true;
	return 0;
}

int report_of_file(struct pipeline *pipeline, const char *path, uint64_t stall_ns,
		   struct diag *diag, const struct report **ret_report, bool *ret_damaged)
{
	_cleanup_(fclosep) FILE *file = NULL;
	struct build what = {.pipeline = pipeline, .stall_ns = stall_ns};
	struct trace_outcome outcome = {0};
	bool damaged = false, ended;
	int err = replay_open(path, diag, &file);

	if (err)
		return err;
	err = replay(file, path, build, &what, replay_late_sink(&what.front), diag, &outcome);
	if (err && what.diag.status) /* the reader's says only at which line */
		*diag = what.diag;
	err = forgive_damage(err, pipeline, diag, &damaged);
	err = cutting_end(what.cut, err, diag);
	if (!err)
		err = reorder_flush(pipeline->reorder);
	if (err)
		return err;
	ended = world_window(pipeline->world).ended;
	if (!ended && pipeline_dump(pipeline, world_window(pipeline->world).end) < 0)
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
	if (!ended)
		world_end(pipeline->world, world_window(pipeline->world).end);
	if (report_builder_finish(pipeline->builder, pipeline->world,
				  damaged || !ended || !outcome.complete, ret_report) < 0)
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory for the report");
	*ret_damaged = damaged;
	return 0;
}
