/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/pipeline.h"
#include "cmd/replay.h"

#define DEFAULT_FILE "gilscope.gsc"

struct options {
	struct show_options show;
	const char *file;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->show;
		return 0;
	case ARGP_KEY_ARG:
		if (options->file)
			argp_error(state, "one recording at a time");
		options->file = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child CHILDREN[] = {{&show_argp, 0, "How the result is shown:", 1}, {0}};
static const struct argp ARGP = {
	NULL, parse, "[FILE]",
	"Print who held the GIL and every stall with its cause, from a recording (" DEFAULT_FILE "; - is the standard input)."
	"\vExample:\n  gilscope report --stall 20ms monday.gsc",
	CHILDREN, NULL, NULL,
};

/* The pipeline is built when the head says in which mode was recorded. */
struct build {
	struct pipeline *pipeline;
	struct stream_sink front;
	uint64_t stall_ns;
	struct diag diag;
};

static int build(void *ctx, const struct stream_head *head)
{
	struct build *what = ctx;
	int err = pipeline_fold(what->pipeline, head, what->stall_ns, &what->diag);

	if (!err)
		err = pipeline_front(what->pipeline, false, &what->diag);
	if (!err)
		what->front = reorder_sink(what->pipeline->reorder);
	return err;
}

/* What was whole before the damage is worth a report; that there is damage is said first. */
static int forgive_damage(int err, const struct pipeline *pipeline, const struct diag *diag, bool *ret_damaged)
{
	if (err != -EBADMSG || !pipeline->reorder)
		return err;
	cmd_fail(diag);
	fprintf(stderr, "gilscope: this is what was whole before that.\n");
	*ret_damaged = true;
	return 0;
}

static int fold_file(struct pipeline *pipeline, const struct options *options, struct diag *diag, const struct report **ret_report, bool *ret_damaged)
{
	_cleanup_(fclosep) FILE *file = NULL;
	struct build what = {.pipeline = pipeline, .stall_ns = options->show.stall_ns};
	struct trace_outcome outcome = {0};
	bool damaged = false, ended;
	int err = replay_open(options->file, diag, &file);

	if (err)
		return err;
	err = replay(file, options->file, build, &what, replay_late_sink(&what.front), diag, &outcome);
	err = forgive_damage(err, pipeline, diag, &damaged);
	if (!err)
		err = reorder_flush(pipeline->reorder);
	if (err)
		return err;
	ended = world_window(pipeline->world).ended;
	if (!ended)
		world_end(pipeline->world, world_window(pipeline->world).end);
	if (report_builder_finish(pipeline->builder, pipeline->world, reorder_late(pipeline->reorder), damaged || !ended || !outcome.complete, ret_report) < 0)
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory for the report");
	*ret_damaged = damaged;
	return 0;
}

static int run(int argc, char **argv)
{
	struct options options = {.show = {.stall_ns = STALL_DEFAULT_NS}};
	struct pipeline pipeline = {0};
	const struct report *report;
	struct diag diag = {0};
	bool damaged = false;
	int status;

	cmd_parse(&ARGP, argc, argv, &options);
	if (!options.file)
		options.file = DEFAULT_FILE;
	status = fold_file(&pipeline, &options, &diag, &report, &damaged) ? cmd_fail(&diag) : cmd_show(report, &options.show);
	if (!status && damaged)
		status = EXIT_PARTIAL;
	pipeline_done(&pipeline);
	return status;
}

const struct command command_report = {"report", "[FILE] [--stall DUR] [--json]", "print the report of a recording", run, &ARGP};
