/* SPDX-License-Identifier: MIT */
#include "cmd/cmd.h"
#include "cmd/pager/pager.h"
#include "diagnosis/diagnosis.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int cmd_fail(const struct diag *diag)
{
	fflush(stdout);
	fprintf(stderr, "gilscope: %s.\n", diag->what);
	if (diag->hint[0])
		fprintf(stderr, "gilscope: %s.\n", diag->hint);
	return diag->status ? (int)diag->status : EXIT_FAILED;
}

static bool want_colour(const struct options *options)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	if (options->colour != COLOUR_AUTO)
		return options->colour == COLOUR_ALWAYS;
	return isatty(pager_terminal()) && !(no_color && *no_color) &&
	       !(term && !strcmp(term, "dumb"));
}

/* A warning for readers of the JSON report; the text has it among its caveats. */
static void warn_of_faults(const struct report *report)
{
	for (uint32_t i = 0; i < report->process_count; i++) {
		const struct process *process = report->processes[i].process;

		if (process->sites_fault)
			fprintf(stderr,
				"gilscope: not all takes and drops of the GIL of process %u could "
				"be traced, so its holder is unknown; run gilscope doctor %u.\n",
				process->info.pid, process->info.pid);
	}
}

struct view_options cmd_view_options(const struct options *options)
{
	struct view_options how = {.colour = want_colour(options), .all = options->all};
	struct winsize size;

	if (isatty(pager_terminal()) && !ioctl(pager_terminal(), TIOCGWINSZ, &size))
		how.columns = size.ws_col;
	how.screen = isatty(pager_terminal()) && !options->all;
	how.more =
		options_has_target(options)
			? "The whole report: --all. To keep it: gilscope record, then report and "
			  "timeline."
			: "The whole report: --all. As a page: gilscope timeline.";
	return how;
}

void cmd_page(const struct options *options)
{
	if (!options->no_pager)
		pager_begin();
}

void cmd_page_report(const struct options *options)
{
	struct winsize size;
	bool low = !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row &&
		   size.ws_row < VIEW_SCREEN_ROWS;

	if (options->all || options->form || low)
		cmd_page(options);
}

int cmd_write_out(int err)
{
	if (fflush(stdout) && !err)
		err = -errno;
	return err && pager_gone() ? 0 : err;
}

int cmd_show(const struct report *report, const struct options *options)
{
	const struct view *view = options->form ? options->form : &view_text;
	struct view_options how = cmd_view_options(options);
	int err;

	if (options->json)
		warn_of_faults(report);
	pager_shown_now();
	err = cmd_write_out(view->show(stdout, report, &how));
	if (err) {
		struct diag diag;

		diag_set(&diag, EXIT_FAILED, err, "cannot write the report: %s", strerror(-err));
		return cmd_fail(&diag);
	}
	if (report_partial(report))
		return EXIT_PARTIAL;
	return diagnosis_applies(report) ? EXIT_OK : EXIT_UNSUPPORTED;
}
