/* SPDX-License-Identifier: MIT */
/*
 * cmd.h - the commands: options in, pipeline wired, errors printed. The only room that knows all
 * the others, and the only one that prints messages.
 */
#ifndef GILSCOPE_CMD_CMD_H
#define GILSCOPE_CMD_CMD_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/diag.h"
#include "view/view.h"

struct command {
	const char *name;
	const char *arguments; /* "PID", "[FILE]": for the usage line */
	const char *summary;   /* one line, for the list of commands */
	int (*run)(int argc,
		   char **argv); /* argv[0] is the command's name; returns the exit status */
	const struct argp *argp; /* its options, for the man page */
};

extern const struct command command_attach, command_record, command_report, command_export,
	command_top, command_timeline, command_flame, command_doctor;

#define STALL_DEFAULT_NS (50 * NS_PER_MS)

/* Prints a failure to stderr, what and what to do, and returns its exit status. */
int cmd_fail(const struct diag *diag);

enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };
/* What an option can be told, for the parser and for completion: the ith word, NULL after the last.
 */
const char *cmd_colour_name(unsigned int i);	   /* --color; i is an enum colour */
const char *flames_direction_name(unsigned int i); /* --by */
const char *export_format_name(unsigned int i);	   /* export --format */

/* Options that say how a result is shown; an argp child. `struct show_options *` is its input. */
struct show_options {
	uint64_t stall_ns;
	bool json;
	bool all;
	enum colour colour;
};
extern const struct argp show_argp;

/* Options that say how names are found; an argp child. `struct names_options *` is its input. */
#define APP_ROOTS_MAX 64
struct names_options {
	const char *app_roots[APP_ROOTS_MAX]; /* --app-root */
	unsigned int app_root_count;
};
extern const struct argp names_argp;

/* Options that say which stacks flames are made of; an argp child. `struct flames_options *` is its
 * input. 0: as the format has it unless told. */
struct flames_options {
	unsigned int states;	 /* --state: bits, as in view_options */
	unsigned int directions; /* --by: enum flame_direction */
};
extern const struct argp flames_argp;
#define FLAMES_STATES_DEFAULT (((1u << TS_COUNT) - 1) & ~(1u << TS_IDLE))

/* The recording to read, the one argument of most commands; an argp child. `const char **` is its
 * input, DEFAULT_FILE when none is named. */
#define DEFAULT_FILE "gilscope.gsc"
extern const struct argp recording_argp;

/* Parses a command line: argp with gilscope's exit status and its name in the usage line. */
void cmd_parse(const struct argp *argp, int argc, char **argv, void *input);

/* For argp parsers: a duration, or a usage error. */
uint64_t cmd_duration(const char *text, struct argp_state *state);
/* For argp parsers: a process number, or a usage error. */
uint32_t cmd_pid(const char *text, struct argp_state *state);

/* For argp parsers: a frequency of 0 to `most` Hz. */
uint32_t cmd_hertz(const char *text, uint32_t most, struct argp_state *state);

/* For argp parsers: a number of MiB, as bytes. */
uint32_t cmd_mebibytes(const char *text, struct argp_state *state);

/* Writes a report to stdout. Returns the exit status: EXIT_OK, EXIT_PARTIAL, or EXIT_FAILED when
 * stdout does not take it. */
int cmd_show(const struct report *report, const struct show_options *options);

#endif
