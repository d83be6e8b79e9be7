/* SPDX-License-Identifier: MIT */
#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/pipeline/fold.h"

struct options {
	struct show_options show;
	struct names_options *names;
	const char *file;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->show;
		state->child_inputs[1] = options->names;
		state->child_inputs[2] = &options->file;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child CHILDREN[] = {{&show_argp, 0, "How the result is shown:", 1},
					     {&names_argp, 0, NULL, 1},
					     {&recording_argp, 0, NULL, 0},
					     {0}};
static const struct argp ARGP = {
	NULL,
	parse,
	"[FILE]",
	"Print who held the GIL and every stall with its cause, from a recording (" DEFAULT_FILE
	"; - is the standard input)."
	"\vExample:\n  gilscope report --stall 20ms monday.gsc",
	CHILDREN,
	NULL,
	NULL,
};

static int run(int argc, char **argv)
{
	struct pipeline pipeline = {0};
	struct options options = {.show = {.stall_ns = STALL_DEFAULT_NS}, .names = &pipeline.names};
	const struct report *report;
	struct diag diag = {0};
	bool damaged = false;
	int status;

	cmd_parse(&ARGP, argc, argv, &options);
	status = fold_file(&pipeline, options.file, options.show.stall_ns, &diag, &report, &damaged)
			 ? cmd_fail(&diag)
			 : cmd_show(report, &options.show);
	if (!status && damaged)
		status = EXIT_PARTIAL;
	pipeline_done(&pipeline);
	return status;
}

const struct command command_report = {"report", "[FILE] [--stall DUR] [--json]",
				       "print the report of a recording", run, &ARGP};
