/* SPDX-License-Identifier: MIT */
/*
 * cmd.h - the commands: each takes its options, builds its pipeline, and prints results and errors.
 * The only room that knows all the others, and the only one that prints messages.
 */
#ifndef GILSCOPE_CMD_CMD_H
#define GILSCOPE_CMD_CMD_H

#include "base/diag.h"
#include "cmd/options.h"
#include "view/view.h"

struct command {
	const char *name;
	const char *arguments; /* "PID", "[FILE]": for the usage line */
	const char *summary;   /* one line, for the list of commands */
	const char *args_doc;  /* argp's: its arguments other than options */
	const char *doc;       /* argp's: what it does; after \v, notes and the example */
	const struct option_use *options;
	const char *output; /* the file that it writes by default; NULL: the standard output */
	/* Called as an argp parser for ARGP_KEY_… : arguments that are not options, and the end. */
	error_t (*rest)(struct options *options, int key, char *arg, struct argp_state *state);
	int (*run)(struct options *options); /* returns the exit status */
};

extern const struct command command_attach, command_record, command_report, command_export,
	command_top, command_watch, command_dump, command_timeline, command_flame, command_doctor;

/* Prints a failure to stderr, what happened and what to do, and returns its exit status. */
int cmd_fail(const struct diag *diag);

/* Whether results on stdout are coloured, and how wide its terminal is (0: it is none). */
struct view_options cmd_view_options(const struct options *options);

/* Sends results through a pager (pager.h) from now on, unless --no-pager. */
void cmd_page(const struct options *options);
/* The same for a report, unless it is the answer of one screen and the terminal has room for that.
 */
void cmd_page_report(const struct options *options);
/* Writes out what was printed on stdout. 0, `err` if that is a failure to print it, or -errno; that
 * a pager was left before the end is none. */
int cmd_write_out(int err);

#define FLAMES_STATES_DEFAULT (((1u << TS_COUNT) - 1) & ~(1u << TS_IDLE))

/* Writes a report to stdout. Returns the exit status: EXIT_OK, EXIT_PARTIAL, or EXIT_FAILED if that
 * cannot be written. */
int cmd_show(const struct report *report, const struct options *options);

#endif
