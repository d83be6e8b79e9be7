/* SPDX-License-Identifier: MIT */
/*
 * options.h - every option of every command, declared once: its name, its argument, its help and
 * what it sets. A command lists those that it takes (struct command in cmd.h); --help, the manual
 * pages and shell completion are made from that list.
 */
#ifndef GILSCOPE_CMD_OPTIONS_H
#define GILSCOPE_CMD_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include "cmd/pipeline/observe.h"
#include "cmd/pipeline/pipeline.h"
#include "cmd/watch/selectors.h"

#define STALL_DEFAULT_NS     (50 * NS_PER_MS)
#define KEEP_DEFAULT_NS	     (30 * NS_PER_S)
#define DUMP_OVER_DEFAULT_NS NS_PER_S
#define DEFAULT_FILE	     "gilscope.gsc" /* the recording that is written and read by default */

enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };

/* A parsed command line. Strings are those of argv. */
struct options {
	struct observe_options observe; /* its processes are also the arguments of attach and top */
	struct names_options names;	/* --app-root */
	struct cut_points cut;		/* --from, --to */
	uint64_t stall_ns;		/* STALL_DEFAULT_NS unless given */
	bool stall_given;
	bool json, all;		 /* --json, --all */
	bool serve;		 /* --serve */
	uint16_t port;		 /* of --serve; 0: a free one */
	bool no_pager;		 /* --no-pager */
	const struct view *form; /* --json, --summary or --markdown; NULL: none of them */
	enum colour colour;
	unsigned int states;	 /* --state: bits, as in view_options; 0: not given */
	unsigned int directions; /* --by: enum flame_direction; 0: not given */
	const char *format;	 /* of export; NULL: not given */
	const char *output;	 /* struct command's unless given */
	bool output_given;
	const char *recording; /* the one argument of most commands; DEFAULT_FILE unless given */
	char **command;	       /* record -- COMMAND; NULL: none */
	/* of watch */
	struct selectors selectors;
	const char *recordings; /* --recordings; NULL: none are written */
	const char *metrics;	/* --metrics; NULL: none are served */
	uint64_t dump_over_ns, keep_ns, disk_bytes;
};

/* Of options with a short form the id is that letter, as argp requires. */
enum option_id {
	OPTION_PID = 'p',
	OPTION_DURATION = 'd',
	OPTION_QUIET = 'q',
	OPTION_OUTPUT = 'o',
	OPTION_FORMAT = 'f',
	OPTION_MODE = 256,
	OPTION_RATE,
	OPTION_NO_STACKS,
	OPTION_NO_SOURCE,
	OPTION_MATCH,
	OPTION_IN_CONTAINER,
	OPTION_NO_FOLLOW,
	OPTION_STACK_KINDS,
	OPTION_RING_SIZE,
	OPTION_READY_FD,
	OPTION_STALL,
	OPTION_JSON,
	OPTION_ALL,
	OPTION_SUMMARY,
	OPTION_MARKDOWN,
	OPTION_COLOUR,
	OPTION_NO_COLOUR,
	OPTION_NO_PAGER,
	OPTION_SERVE,
	OPTION_APP_ROOT,
	OPTION_STATE,
	OPTION_BY,
	OPTION_RECORDING,
	OPTION_FROM,
	OPTION_TO,
	OPTION_RECORDINGS,
	OPTION_DUMP_OVER,
	OPTION_DISK_BUDGET,
	OPTION_KEEP,
	OPTION_METRICS,
	OPTION_HEADING, /* not an option: `doc` is a heading for the next ones in the help */
};

/* An option as one command takes it. A list of them ends with an `id` of 0. */
struct option_use {
	enum option_id id;
	int group;	 /* of the help; a group's options are sorted by name */
	const char *doc; /* its help for this command; NULL: that of the declaration */
	const char *arg; /* the name of its argument for this command; NULL: likewise */
	char letter;	 /* a short form that only this command has; 0: none */
};

/* Whether a process was given, by whatever means. */
static inline bool options_has_target(const struct options *options)
{
	return options->observe.pid_count || options->observe.matched;
}

/* Of commands that observe … */
#define OBSERVE_OPTIONS                                                                            \
	{.id = OPTION_PID}, {.id = OPTION_MATCH}, {.id = OPTION_IN_CONTAINER},                     \
		{.id = OPTION_NO_FOLLOW}, {.id = OPTION_DURATION}, {.id = OPTION_QUIET},           \
		{.id = OPTION_MODE}, {.id = OPTION_RATE}, {.id = OPTION_NO_STACKS},                \
		{.id = OPTION_NO_SOURCE}, {.id = OPTION_STACK_KINDS}, {.id = OPTION_RING_SIZE},    \
	{                                                                                          \
		.id = OPTION_READY_FD                                                              \
	}
/* … that print a report … */
#define SHOW_OPTIONS                                                                               \
	{.id = OPTION_HEADING, .group = 2, .doc = "How the result is shown:"},                     \
		{.id = OPTION_STALL, .group = 2}, {.id = OPTION_JSON, .group = 2, .letter = 'j'},  \
		{.id = OPTION_ALL, .group = 2}, {.id = OPTION_SUMMARY, .group = 2},                \
		{.id = OPTION_MARKDOWN, .group = 2}, {.id = OPTION_COLOUR, .group = 2},            \
		{.id = OPTION_NO_COLOUR, .group = 2}, {.id = OPTION_NO_PAGER, .group = 2}
/* … and that show flames. */
#define FLAME_OPTIONS                                                                              \
	{.id = OPTION_STATE},                                                                      \
	{                                                                                          \
		.id = OPTION_BY                                                                    \
	}

/* Of commands that read a recording. */
#define CUT_OPTIONS                                                                                \
	{.id = OPTION_FROM},                                                                       \
	{                                                                                          \
		.id = OPTION_TO                                                                    \
	}

struct command;

/* For a command's `rest`: at least one process, unless OPTION_RECORDING was given; at most one
 * process; at most one recording. ARGP_ERR_UNKNOWN for other keys. */
error_t options_rest_processes(struct options *options, int key, char *arg,
			       struct argp_state *state);
error_t options_rest_process(struct options *options, int key, char *arg, struct argp_state *state);
error_t options_rest_recording(struct options *options, int key, char *arg,
			       struct argp_state *state);

/* Fills argp's table of a command's options, including headings, without the end. Returns the
 * number of entries. */
#define OPTIONS_MAX 32
size_t options_of(const struct command *command, struct argp_option list[static OPTIONS_MAX]);

/* Parses a command line; argv[0] is the command's name. Exits after --help, and with EXIT_USAGE
 * after a usage error. */
void options_parse(const struct command *command, int argc, char **argv,
		   struct options *ret_options);

/* For completion and tests: the ith word that an option takes; NULL after the last. */
const char *options_colour_name(unsigned int i);    /* --color; i is an enum colour */
const char *options_mode_name(unsigned int i);	    /* --mode */
const char *options_direction_name(unsigned int i); /* --by */
const char *export_format_name(unsigned int i);	    /* --format */

#endif
