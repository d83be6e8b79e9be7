/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/files/defaults.h"
#include "cmd/files/fetch.h"
#include "cmd/pipeline/report_file.h"
#include "cmd/pipeline/output.h"

#define FLAME_PAGE "gilscope-flame.html"

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), rest = strlen(end);

	return length > rest && !strcasecmp(text + length - rest, end);
}

/* Without `blocked`: forty threads waiting for work would fill a picture, which unlike the page
 * offers no choice of states. */
#define PICTURE_STATES (((1u << TS_COUNT) - 1) & ~(1u << TS_IDLE | 1u << TS_BLOCKED))

/* Chooses the view by the output's name, and what that shows by default. */
static int choose_view(const struct options *options, struct view_options *how,
		       const struct view **ret_view, struct diag *diag)
{
	bool picture = ends_with(options->output, ".svg");

	if (!picture && strcmp(options->output, "-") != 0 && !ends_with(options->output, ".html") &&
	    !ends_with(options->output, ".htm")) {
		diag_set(diag, EXIT_USAGE, -EINVAL, "cannot tell what %s is to be",
			 options->output);
		diag_hint(diag, "let its name end in .html for a page, or in .svg for a picture");
		return -EINVAL;
	}
	how->states = picture ? PICTURE_STATES : (1u << TS_COUNT) - 1;
	how->directions = picture ? FLAME_WAITER : FLAME_WAITER | FLAME_HOLDER;
	if (options->states)
		how->states = options->states;
	if (options->directions)
		how->directions = options->directions;
	*ret_view = picture ? &view_flame_svg : &view_flame_page;
	return 0;
}

static int draw(struct pipeline *pipeline, struct output *output, struct options *options,
		struct diag *diag, bool *ret_partial)
{
	struct view_options how = {0};
	const struct report *report;
	const struct view *view;
	struct stat page = {0};
	bool damaged = false;
	int err = choose_view(options, &how, &view, diag);

	if (!err)
		err = defaults_begin(output, options, options->recording, diag);
	if (!err)
		err = report_of_file(pipeline, options->recording, STALL_DEFAULT_NS, diag, &report,
				     &damaged);
	if (err)
		return err;
	err = view->show(output->file, report, &how);
	if (err)
		return diag_set(diag, EXIT_FAILED, err, "cannot write %s: %s", output->name,
				strerror(-err));
	if (!fflush(output->file) && output->file != stdout)
		fstat(fileno(output->file), &page);
	err = output_end(output, diag);
	if (err)
		return err;
	if (strcmp(options->output, "-") != 0)
		fetch_print(options->output, (uint64_t)page.st_size, NULL);
	*ret_partial = damaged || report_partial(report);
	return 0;
}

static int run(struct options *options)
{
	struct pipeline pipeline = {.names = options->names, .cut = options->cut};
	struct output output = {0};
	struct diag diag = {0};
	bool partial = false;
	int status;

	if (draw(&pipeline, &output, options, &diag, &partial))
		status = cmd_fail(&diag);
	else
		status = partial ? EXIT_PARTIAL : EXIT_OK;
	output_done(&output);
	pipeline_done(&pipeline);
	return status;
}

static const struct option_use OPTIONS[] = {
	{.id = OPTION_OUTPUT,
	 .doc = "Write a page (.html) or a picture (.svg) to this file (" FLAME_PAGE
		"; - is the standard output, a page)"},
	FLAME_OPTIONS,
	CUT_OPTIONS,
	{.id = OPTION_APP_ROOT},
	{0},
};

const struct command command_flame = {
	.name = "flame",
	.arguments = "[FILE] [-o FILE.html|.svg]",
	.summary = "draw a flame graph by state",
	.args_doc = "[FILE]",
	.doc = "Draw where each thread spent its time, by state and Python stack, from a recording "
	       "(" DEFAULT_FILE "; - is the standard input): as a page for the "
	       "browser that can be zoomed and searched and has all states to choose from, or as a "
	       "picture for documents, by default of all states but idle and blocked. "
	       "Both are one file and need nothing else."
	       "\vExample, a picture of who made others wait for the GIL:\n  gilscope flame "
	       "monday.gsc "
	       "--state gil_wait --by holder -o gil.svg",
	.options = OPTIONS,
	.output = FLAME_PAGE,
	.rest = options_rest_recording,
	.run = run,
};
