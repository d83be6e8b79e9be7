/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/pipeline/fold.h"
#include "cmd/pipeline/output.h"

#define DEFAULT_PAGE "gilscope.html"
#define LARGE_BYTES  300000000.0 /* browsers have trouble with texts of half a gigabyte */

struct options {
	const char *file, *output;
	uint64_t stall_ns;
	struct names_options *names;
};

enum { OPTION_STALL = 256 };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options->names;
		state->child_inputs[1] = &options->file;
		return 0;
	case 'o':
		options->output = arg;
		return 0;
	case OPTION_STALL:
		options->stall_ns = cmd_duration(arg, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{"output", 'o', "FILE.html", 0,
	 "Write the page to this file (" DEFAULT_PAGE "; - is the standard output)", 0},
	{"stall", OPTION_STALL, "DUR", 0,
	 "Call a turn of the event loop a stall from this length on (50ms)", 0},
	{0},
};
static const struct argp_child CHILDREN[] = {
	{&names_argp, 0, NULL, 0}, {&recording_argp, 0, NULL, 0}, {0}};
static const struct argp ARGP = {
	OPTIONS,
	parse,
	"[FILE]",
	"Draw a recording (" DEFAULT_FILE
	"; - is the standard input) as a page for the browser: who had the GIL, what every thread "
	"was doing and in which "
	"function, the turns and stalls of the event loops. The page is one file and needs nothing "
	"else, no network either."
	"\vExample:\n  gilscope timeline monday.gsc -o monday.html",
	CHILDREN,
	NULL,
	NULL,
};

/* How large it is, and what to do with it. */
static void say_done(const char *path, const struct stat *page)
{
	double size = (double)page->st_size;

	if (S_ISREG(page->st_mode))
		fprintf(stderr, "gilscope: %s: %.*f %s; open it in a browser (xdg-open %s).\n",
			path, size >= 1e6 && size < 1e7 ? 1 : 0, size / (size < 1e6 ? 1e3 : 1e6),
			size < 1e6 ? "kB" : "MB", path);
	if (size > LARGE_BYTES)
		fprintf(stderr, "gilscope: so large a page may be too much for a browser; record "
				"for a shorter time.\n");
}

static int write_page(struct pipeline *pipeline, struct output *output,
		      const struct options *options, struct diag *diag, bool *ret_partial)
{
	const struct report *report;
	struct stat page = {0};
	bool damaged = false;
	int err;

	pipeline->drawing_kind = &drawing_page;
	pipeline->drawing_file = output->file;
	err = fold_file(pipeline, options->file, options->stall_ns, diag, &report, &damaged);
	if (!err)
		err = pipeline_draw(pipeline, report, diag);
	if (!err && !fflush(output->file) && output->file != stdout)
		fstat(fileno(output->file), &page);
	if (!err)
		err = output_end(output, diag);
	if (err)
		return err;
	say_done(options->output, &page);
	*ret_partial = damaged || report_partial(report);
	return 0;
}

static int run(int argc, char **argv)
{
	struct pipeline pipeline = {0};
	struct options options = {
		.output = DEFAULT_PAGE, .stall_ns = STALL_DEFAULT_NS, .names = &pipeline.names};
	struct output output;
	struct diag diag = {0};
	bool partial = false;
	int err, status = EXIT_OK;

	cmd_parse(&ARGP, argc, argv, &options);
	err = output_begin(&output, options.output, options.file, &diag);
	if (!err)
		err = write_page(&pipeline, &output, &options, &diag, &partial);
	if (err)
		status = cmd_fail(&diag);
	else if (partial)
		status = EXIT_PARTIAL;
	output_done(&output);
	pipeline_done(&pipeline);
	return status;
}

const struct command command_timeline = {"timeline", "[FILE] [-o FILE.html]",
					 "draw a recording as a page for the browser", run, &ARGP};
