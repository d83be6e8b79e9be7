/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/pipeline/observe.h"
#include "cmd/pipeline/announce.h"

static int run(struct options *options)
{
	struct pipeline pipeline = {.names = options->names, .forgets = true};
	struct announcer announcer = {.pipeline = &pipeline};
	struct observation observation = {
		.options = &options->observe, .pipeline = &pipeline, .tick_ctx = &announcer};
	const struct report *report;
	struct diag diag = {0};
	int err, status;

	cmd_page_report(options);
	observe_catch_signals(NULL);
	observe_head(&options->observe, &pipeline.head);
	if (!options->observe.quiet)
		observation.tick = announcer_tick;
	err = pipeline_append_fold(&pipeline, options->stall_ns, &diag);
	if (!err)
		err = pipeline_front(&pipeline, true, &diag);
	if (!err)
		err = observe(&observation, &diag);
	if (!err && observation.tick && announcer_finish(&announcer) < 0)
		err = diag_set(&diag, EXIT_FAILED, -ENOMEM, "no memory for the report");
	if (!err && report_builder_finish(pipeline.builder, pipeline.world, false, &report) < 0)
		err = diag_set(&diag, EXIT_FAILED, -ENOMEM, "no memory for the report");
	observe_shown_now();
	status = err ? cmd_fail(&diag) : cmd_show(report, options);
	announcer_done(&announcer);
	pipeline_done(&pipeline);
	return status;
}

static const struct option_use OPTIONS[] = {
	OBSERVE_OPTIONS,
	SHOW_OPTIONS,
	{.id = OPTION_APP_ROOT, .group = 1},
	{0},
};

const struct command command_attach = {
	.name = "attach",
	.arguments = "PID [-d DUR] [--json]",
	.summary = "observe a process, then print the report",
	.args_doc = "PID...",
	.doc = "Observe a running Python process and print who held the GIL and why the event loop "
	       "stalled."
	       "\vStalls are reported on stderr as they happen. The process is neither changed "
	       "nor stopped.\n\nExample, ten seconds of a uvicorn worker:\n  sudo gilscope attach "
	       "-d "
	       "10s "
	       "$(pgrep -f uvicorn | head -1)",
	.options = OPTIONS,
	.rest = options_rest_processes,
	.run = run,
};
