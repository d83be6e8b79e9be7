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
#include "cmd/serve/serve.h"

#define TIMELINE_PAGE "gilscope.html"
#define LARGE_BYTES   300000000.0 /* browsers have trouble with pages of half a gigabyte */

static int draw_page(struct pipeline *pipeline, const struct output *output,
		     const struct options *options, struct diag *diag, bool *ret_partial)
{
	const struct report *report;
	bool damaged = false;
	int err;

	pipeline->drawing_kind = &drawing_page;
	pipeline->drawing_file = output->file;
	err = report_of_file(pipeline, options->recording, options->stall_ns, diag, &report,
			     &damaged);
	if (!err)
		err = pipeline_draw(pipeline, report, diag);
	if (!err)
		*ret_partial = damaged || report_partial(report);
	return err;
}

static int write_page(struct pipeline *pipeline, struct output *output,
		      const struct options *options, struct diag *diag, bool *ret_partial)
{
	struct stat page = {0};
	int err = draw_page(pipeline, output, options, diag, ret_partial);

	if (!err && !fflush(output->file) && output->file != stdout)
		fstat(fileno(output->file), &page);
	if (!err)
		err = output_end(output, diag);
	if (err)
		return err;
	if (S_ISREG(page.st_mode))
		fetch_print(options->output, (uint64_t)page.st_size, "gilscope timeline --serve");
	if ((double)page.st_size > LARGE_BYTES)
		fprintf(stderr, "gilscope: so large a page may be too much for a browser; record "
				"for a shorter time.\n");
	return 0;
}

/* Draws the page into memory, and shows it. */
static int serve_page(struct pipeline *pipeline, const struct options *options, struct diag *diag,
		      bool *ret_partial)
{
	struct serve serve;
	struct output output;
	int err;

	if (options->output_given)
		return diag_set(diag, EXIT_USAGE, -EINVAL,
				"--serve writes no file; give either it or -o");
	err = serve_begin(&serve, options->port, diag);
	if (err)
		return err;
	output = (struct output){.file = serve.page, .name = "the page"};
	err = draw_page(pipeline, &output, options, diag, ret_partial);
	if (!err && fflush(serve.page))
		err = diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory for the page: %s",
			       strerror(errno));
	if (!err)
		err = serve_run(&serve, diag);
	serve_done(&serve);
	return err;
}

static int run(struct options *options)
{
	struct pipeline pipeline = {.names = options->names, .cut = options->cut};
	struct output output = {0};
	struct diag diag = {0};
	bool partial = false;
	int err = 0, status = EXIT_OK;

	if (options->serve)
		err = serve_page(&pipeline, options, &diag, &partial);
	else
		err = defaults_begin(&output, options, options->recording, &diag);
	if (!err && !options->serve)
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
	{.id = OPTION_SERVE},
	CUT_OPTIONS,
	{.id = OPTION_APP_ROOT},
	{0},
};

const struct command command_timeline = {
	.name = "timeline",
	.arguments = "[FILE] [-o FILE.html] [--serve]",
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
