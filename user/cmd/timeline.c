/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/files/defaults.h"
#include "cmd/files/fetch.h"
#include "cmd/pipeline/report_file.h"
#include "cmd/pipeline/output.h"

#define TIMELINE_PAGE "gilscope.html"
#define LARGE_BYTES   300000000.0 /* browsers have trouble with pages of half a gigabyte */

static int write_page(struct pipeline *pipeline, struct output *output,
		      const struct options *options, struct diag *diag, bool *ret_partial)
{
	const struct report *report;
	struct stat page = {0};
	bool damaged = false;
	int err;

	pipeline->drawing_kind = &drawing_page;
	pipeline->drawing_file = output->file;
	err = report_of_file(pipeline, options->recording, options->stall_ns, diag, &report,
			     &damaged);
	if (!err)
		err = pipeline_draw(pipeline, report, diag);
	if (!err && !fflush(output->file) && output->file != stdout)
		fstat(fileno(output->file), &page);
	if (!err)
		err = output_end(output, diag);
	if (err)
		return err;
	if (S_ISREG(page.st_mode))
		fetch_print(options->output, (uint64_t)page.st_size);
	if ((double)page.st_size > LARGE_BYTES)
		fprintf(stderr, "gilscope: so large a page may be too much for a browser; record "
				"for a shorter time.\n");
	*ret_partial = damaged || report_partial(report);
	return 0;
}

static int run(struct options *options)
{
	struct pipeline pipeline = {.names = options->names, .cut = options->cut};
	struct output output;
	struct diag diag = {0};
	bool partial = false;
	int err, status = EXIT_OK;

	err = defaults_begin(&output, options, options->recording, &diag);
	if (!err)
		err = write_page(&pipeline, &output, options, &diag, &partial);
	if (err)
		status = cmd_fail(&diag);
	else if (partial)
		status = EXIT_PARTIAL;
	output_done(&output);
	pipeline_done(&pipeline);
	return status;
}

static const struct option_use OPTIONS[] = {
	{.id = OPTION_OUTPUT,
	 .doc = "Write the page to this file (" TIMELINE_PAGE "; - is the standard output)",
	 .arg = "FILE.html"},
	{.id = OPTION_STALL},
	CUT_OPTIONS,
	{.id = OPTION_APP_ROOT},
	{0},
};

const struct command command_timeline = {
	.name = "timeline",
	.arguments = "[FILE] [-o FILE.html]",
	.summary = "draw a recording as a page for the browser",
	.args_doc = "[FILE]",
	.doc = "Draw a recording (" DEFAULT_FILE "; - is the standard input) as a page for the "
	       "browser: who had the GIL, what every thread "
	       "was doing and in which "
	       "function, the turns and stalls of the event loops. The page is one file and needs "
	       "nothing "
	       "else, no network either."
	       "\vExample:\n  gilscope timeline monday.gsc -o monday.html",
	.options = OPTIONS,
	.output = TIMELINE_PAGE,
	.rest = options_rest_recording,
	.run = run,
};
