/* SPDX-License-Identifier: MIT */
#include "cmd/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/values.h"

/* ── what each option sets ───────────────────────────────────────────────── */

static void add_process(struct options *options, char *arg, struct argp_state *state)
{
	struct observe_options *observe = &options->observe;
	uint32_t pid = value_process(arg, state);

	for (uint32_t i = 0; i < observe->pid_count; i++)
		if (observe->pids[i] == pid)
			argp_error(state, "PID %u given twice", pid);
	if (observe->pid_count == OBSERVE_PIDS_MAX)
		argp_error(state, "more than %d processes", OBSERVE_PIDS_MAX);
	else
		observe->pids[observe->pid_count++] = pid;
}

static void add_app_root(struct options *options, char *arg, struct argp_state *state)
{
	struct names_options *names = &options->names;

	if (names->app_root_count == APP_ROOTS_MAX)
		argp_error(state, "at most %d --app-root", APP_ROOTS_MAX);
	names->app_roots[names->app_root_count++] = arg;
}

static void set_stall(struct options *options, char *arg, struct argp_state *state)
{
	options->stall_ns = value_duration(arg, state);
	options->stall_given = true;
}

#define SETTER(name, assignment)                                                                   \
	static void set_##name(struct options *options, char *arg, struct argp_state *state)       \
	{                                                                                          \
		options->assignment;                                                               \
	}
SETTER(duration, observe.dur_ns = value_duration(arg, state))
SETTER(quiet, observe.quiet = true)
SETTER(rate, observe.rate_hz = value_hertz(arg, CAPTURE_RATE_MAX, state))
SETTER(no_stacks, observe.no_stacks = true)
SETTER(stack_kinds, observe.stack_kinds = value_stack_kinds(arg, state))
SETTER(ring_size, observe.ring_bytes = value_mebibytes(arg, state))
SETTER(ready_fd, observe.ready_fd = value_ready_fd(arg, state))
SETTER(json, json = true)
SETTER(all, all = true)
SETTER(colour, colour = arg ? value_colour(arg, state) : COLOUR_ALWAYS)
SETTER(no_colour, colour = COLOUR_NEVER)
SETTER(states, states = value_states(arg, state))
SETTER(direction, directions = value_direction(arg, state))
SETTER(format, format = arg)
SETTER(output, output = arg)
SETTER(recording, recording = arg)

/* ── the options ─────────────────────────────────────────────────────────── */

static const struct declaration {
	enum option_id id;
	const char *name, *arg; /* `arg` names its kind (completion.c); NULL: no argument */
	const char *doc;	/* NULL: every command has its own */
	void (*set)(struct options *options, char *arg, struct argp_state *state);
	int flags; /* argp's */
} DECLARATIONS[] = {
	{OPTION_PID, "pid", "PID", "Observe this process; may repeat", add_process, 0},
	{OPTION_DURATION, "duration", "DUR", "Observe this long (until Ctrl-C or the process ends)",
	 set_duration, 0},
	{OPTION_QUIET, "quiet", NULL, "Do not show progress, nor stalls while they last", set_quiet,
	 0},
	{OPTION_RATE, "rate", "HZ",
	 "Sample the Python stacks of threads on a CPU so often a second; 0 for not at all (199)",
	 set_rate, 0},
	{OPTION_NO_STACKS, "no-stacks", NULL,
	 "Take no Python stacks: which thread, but not which function", set_no_stacks, 0},
	{OPTION_STACK_KINDS, "stack-kinds", "KIND,...",
	 "Only these stacks (sleep, preempt, wait, holder), to measure what each kind costs",
	 set_stack_kinds, OPTION_HIDDEN},
	{OPTION_RING_SIZE, "ring-size", "MIB", "Room for records that are not read yet (8)",
	 set_ring_size, 0},
	{OPTION_READY_FD, "ready-fd", "FD",
	 "When the observation has begun, write the line 'ready' to this descriptor and close it",
	 set_ready_fd, 0},
	{OPTION_STALL, "stall", "DUR",
	 "Call a turn of the event loop a stall from this length on (50ms)", set_stall, 0},
	{OPTION_JSON, "json", NULL, "Print the report as JSON, schema gilscope.report/1", set_json,
	 0},
	{OPTION_ALL, "all", NULL,
	 "Show every function, stall and thread and whole stacks, not only what is largest",
	 set_all, 0},
	{OPTION_COLOUR, "color", "WHEN", "Colours: auto (on a terminal), always or never",
	 set_colour, OPTION_ARG_OPTIONAL},
	{OPTION_NO_COLOUR, "no-color", NULL, "No colours", set_no_colour, 0},
	{OPTION_APP_ROOT, "app-root", "DIR",
	 "What is below this directory, or in this module file, is the application's own code; may "
	 "repeat",
	 add_app_root, 0},
	{OPTION_STATE, "state", "STATE,...",
	 "Stacks of these states only: python, native, gil_wait, blocked, ... (all but idle; "
	 "flame: see above)",
	 set_states, 0},
	{OPTION_BY, "by", "waiter|holder",
	 "Whose stacks gil_wait shows: of those who waited, or of those who made them wait "
	 "(waiter; speedscope and the flame graph's page have both)",
	 set_direction, 0},
	{OPTION_FORMAT, "format", "FORMAT", NULL, set_format, 0},
	{OPTION_RECORDING, "recording", "FILE",
	 "Show the last instant of this recording, not of a process", set_recording, 0},
	{OPTION_OUTPUT, "output", "FILE", NULL, set_output, 0},
};

static const struct declaration *declaration_of(enum option_id id)
{
	const struct declaration *declaration = DECLARATIONS;

	while (declaration->id != id)
		declaration++;
	return declaration;
}

static int key_of(const struct option_use *use)
{
	return use->letter ? use->letter : (int)use->id;
}

static struct argp_option resolve(const struct option_use *use)
{
	const struct declaration *declaration;

	if (use->id == OPTION_HEADING)
		return (struct argp_option){.doc = use->doc, .group = use->group};
	declaration = declaration_of(use->id);
	return (struct argp_option){
		.name = declaration->name,
		.key = key_of(use),
		.arg = use->arg ? use->arg : declaration->arg,
		.flags = declaration->flags,
		.doc = use->doc ? use->doc : declaration->doc,
		.group = use->group,
	};
}

size_t options_of(const struct command *command, struct argp_option list[static OPTIONS_MAX])
{
	size_t count = 0;

	for (const struct option_use *use = command->options; use->id && count < OPTIONS_MAX; use++)
		list[count++] = resolve(use);
	return count;
}

/* ── arguments ───────────────────────────────────────────────────────────── */

error_t options_rest_processes(struct options *options, int key, char *arg,
			       struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		add_process(options, arg, state);
		return 0;
	case ARGP_KEY_END:
		if (!options->observe.pid_count && !options->recording)
			value_no_process(state);
		if (options->observe.pid_count && options->recording)
			argp_error(state, "a process or a recording, not both");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

error_t options_rest_process(struct options *options, int key, char *arg, struct argp_state *state)
{
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	if (options->observe.pid_count)
		argp_error(state, "one process at a time");
	add_process(options, arg, state);
	return 0;
}

error_t options_rest_recording(struct options *options, int key, char *arg,
			       struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARG:
		if (options->recording)
			argp_error(state, "one recording at a time");
		options->recording = arg;
		return 0;
	case ARGP_KEY_END:
		if (!options->recording)
			options->recording = DEFAULT_FILE;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ── parsing ─────────────────────────────────────────────────────────────── */

struct parsing {
	const struct command *command;
	struct options *options;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const struct parsing *parsing = state->input;

	for (const struct option_use *use = parsing->command->options; use->id; use++) {
		if (use->id == OPTION_HEADING || key_of(use) != key)
			continue;
		declaration_of(use->id)->set(parsing->options, arg, state);
		return 0;
	}
	return parsing->command->rest(parsing->options, key, arg, state);
}

void options_parse(const struct command *command, int argc, char **argv,
		   struct options *ret_options)
{
	static char name[64];
	struct argp_option list[OPTIONS_MAX + 1];
	struct argp argp = {.options = list,
			    .parser = parse,
			    .args_doc = command->args_doc,
			    .doc = command->doc};
	struct parsing parsing = {.command = command, .options = ret_options};

	*ret_options = (struct options){.observe = {.rate_hz = CAPTURE_RATE_HZ},
					.stall_ns = STALL_DEFAULT_NS,
					.output = command->output};
	list[options_of(command, list)] = (struct argp_option){0};
	snprintf(name, sizeof(name), "gilscope %s", argv[0]);
	argv[0] = name;
	argp_err_exit_status = EXIT_USAGE;
	/* for --help and usage errors argp exits by itself */
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &parsing))
		exit(EXIT_USAGE);
}
