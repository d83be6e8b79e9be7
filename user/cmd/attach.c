/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/pipeline/observe.h"
#include "cmd/pipeline/tell.h"

struct options {
	struct show_options show;
	struct names_options *names;
	struct observe_options observe;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->observe;
		state->child_inputs[1] = &options->show;
		state->child_inputs[2] = options->names;
		return 0;
	case ARGP_KEY_ARG:
		observe_add_pid(&options->observe, arg, state);
		return 0;
	case ARGP_KEY_END:
		if (!options->observe.pid_count)
			argp_error(state, "which process? Give its PID");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child CHILDREN[] = {{&observe_argp, 0, NULL, 0},
					     {&show_argp, 0, "How the result is shown:", 1},
					     {&names_argp, 0, NULL, 1},
					     {0}};
static const struct argp ARGP = {
	NULL,
	parse,
	"PID...",
	"Observe a running Python process and print who held the GIL and why the event loop "
	"stalled."
	"\vStalls are told on stderr while they last. The process is neither changed nor "
	"stopped.\n\nExample, ten seconds of a uvicorn worker:\n  sudo gilscope attach -d 10s "
	"$(pgrep -f uvicorn | head -1)",
	CHILDREN,
	NULL,
	NULL,
};

static int run(int argc, char **argv)
{
	struct pipeline pipeline = {0};
	struct options options = {.show = {.stall_ns = STALL_DEFAULT_NS}, .names = &pipeline.names};
	struct teller teller = {.pipeline = &pipeline};
	struct observation observation = {
		.options = &options.observe, .pipeline = &pipeline, .tick_ctx = &teller};
	const struct report *report;
	struct stream_head head;
	struct diag diag = {0};
	int err, status;

	cmd_parse(&ARGP, argc, argv, &options);
	observe_catch_signals(NULL);
	observe_head(&options.observe, &head);
	if (!options.observe.quiet)
		observation.tick = teller_tick;
	err = pipeline_fold(&pipeline, &head, options.show.stall_ns, &diag);
	if (!err)
		err = pipeline_front(&pipeline, true, &diag);
	if (!err)
		err = observe(&observation, &diag);
	if (!err && report_builder_finish(pipeline.builder, pipeline.world, false, &report) < 0)
		err = diag_set(&diag, EXIT_FAILED, -ENOMEM, "no memory for the report");
	observe_shown_now();
	status = err ? cmd_fail(&diag) : cmd_show(report, &options.show);
	teller_done(&teller);
	pipeline_done(&pipeline);
	return status;
}

const struct command command_attach = {"attach", "PID [-d DUR] [--json]",
				       "observe a process, then print the report", run, &ARGP};
