/* SPDX-License-Identifier: MIT */
#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/pipeline/report_file.h"

static int run(struct options *options)
{
	struct pipeline pipeline = {.names = options->names, .cut = options->cut, .forgets = true};
	const struct report *report;
	struct diag diag = {0};
	bool damaged = false;
	int status;

	cmd_page_report(options);
	status = report_of_file(&pipeline, options->recording, options->stall_ns, &diag, &report,
				&damaged)
			 ? cmd_fail(&diag)
			 : cmd_show(report, options);
	if (!status && damaged)
		status = EXIT_PARTIAL;
	pipeline_done(&pipeline);
	return status;
}

static const struct option_use OPTIONS[] = {
	SHOW_OPTIONS,
	CUT_OPTIONS,
	{.id = OPTION_APP_ROOT, .group = 1},
	{0},
};

const struct command command_report = {
	.name = "report",
	.arguments = "[FILE] [--stall DUR] [--json]",
	.summary = "print the report of a recording",
	.args_doc = "[FILE]",
	.doc = "Print who held the GIL and every stall with its cause, from a recording "
	       "(" DEFAULT_FILE "; - is the standard input)."
	       "\vExample:\n  gilscope report --stall 20ms monday.gsc",
	.options = OPTIONS,
	.rest = options_rest_recording,
	.run = run,
};
