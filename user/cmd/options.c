/* SPDX-License-Identifier: MIT */
#include "cmd/options.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/files/defaults.h"
#include "cmd/pager/pager.h"
#include "cmd/suggest.h"
#include "cmd/values.h"
#include "cmd/watch/recorder.h"

/* ── what each option sets ───────────────────────────────────────────────── */

static void add_pid(struct observe_options *observe, uint32_t pid, struct argp_state *state)
{
	for (uint32_t i = 0; i < observe->pid_count; i++)
		if (observe->pids[i] == pid)
			argp_error(state, "PID %u given twice", pid);
	if (observe->pid_count == OBSERVE_PIDS_MAX)
		argp_error(state, "more than %d processes", OBSERVE_PIDS_MAX);
	else
		observe->pids[observe->pid_count++] = pid;
}

/* One that is there already is no mistake: several patterns may mean it. */
static void add_also(struct observe_options *observe, uint32_t pid)
{
	for (uint32_t i = 0; i < observe->also_count; i++)
		if (observe->also[i] == pid)
			return;
	if (observe->also_count < OBSERVE_PIDS_MAX)
		observe->also[observe->also_count++] = pid;
}

static void add_supervisors(struct observe_options *observe, const struct found_pids *found)
{
	for (uint32_t i = 0; i < found->supervisor_count; i++)
		add_also(observe, found->supervisors[i]);
}

/* A name or a port may mean up to `most` processes. */
static void add_processes(struct options *options, char *arg, uint32_t most,
			  struct argp_state *state)
{
	struct found_pids found;

	value_processes(arg, most, &found, state);
	for (uint32_t i = 0; i < found.count; i++)
		add_pid(&options->observe, found.pids[i], state);
	add_supervisors(&options->observe, &found);
}

static void add_matching(struct options *options, char *arg, struct argp_state *state)
{
	struct found_pids found;

	value_matching(arg, &found, state);
	for (uint32_t i = 0; i < found.count; i++)
		add_also(&options->observe, found.pids[i]);
	add_supervisors(&options->observe, &found);
	options->observe.matched = true;
}

static void add_process(struct options *options, char *arg, struct argp_state *state)
{
	add_processes(options, arg, OBSERVE_PIDS_MAX, state);
}

static void add_inside(struct options *options, char *arg, struct argp_state *state)
{
	struct found_pids found;

	value_inside(arg, &found, state);
	add_pid(&options->observe, found.pids[0], state);
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

static void set_output(struct options *options, char *arg, struct argp_state *state)
{
	options->output = arg;
	options->output_given = true;
}

static void set_serve(struct options *options, char *arg, struct argp_state *state)
{
	options->serve = true;
	options->port = arg ? value_port(arg, state) : 0;
}

static void set_form(struct options *options, const struct view *form, struct argp_state *state)
{
	if (options->form && options->form != form)
		argp_error(state, "give only one of --json, --summary and --markdown");
	options->form = form;
	options->json = form == &view_json;
}

static void set_json(struct options *options, char *arg, struct argp_state *state)
{
	set_form(options, &view_json, state);
}

static void set_summary(struct options *options, char *arg, struct argp_state *state)
{
	set_form(options, &view_summary, state);
}

static void set_markdown(struct options *options, char *arg, struct argp_state *state)
{
	set_form(options, &view_markdown, state);
}

#define SETTER(name, assignment)                                                                   \
	static void set_##name(struct options *options, char *arg, struct argp_state *state)       \
	{                                                                                          \
		options->assignment;                                                               \
	}
SETTER(duration, observe.dur_ns = value_seconds(arg, state))
SETTER(quiet, observe.quiet = true)
SETTER(mode, observe.mode = value_mode(arg, state))
SETTER(rate, observe.rate_hz = value_hertz(arg, CAPTURE_RATE_MAX, state))
SETTER(no_stacks, observe.no_stacks = true)
SETTER(no_source, observe.no_source = true)
SETTER(no_follow, observe.no_follow = true)
SETTER(stack_kinds, observe.stack_kinds = value_stack_kinds(arg, state))
SETTER(ring_size, observe.ring_bytes = value_mebibytes(arg, state))
SETTER(ready_fd, observe.ready_fd = value_ready_fd(arg, state))
SETTER(all, all = true)
SETTER(colour, colour = arg ? value_colour(arg, state) : COLOUR_ALWAYS)
SETTER(no_colour, colour = COLOUR_NEVER)
SETTER(no_pager, no_pager = true)
SETTER(states, states = value_states(arg, state))
SETTER(direction, directions = value_direction(arg, state))
SETTER(format, format = arg)
SETTER(recording, recording = arg)
SETTER(from, cut.from = value_point(arg, state))
SETTER(to, cut.to = value_point(arg, state))
SETTER(recordings, recordings = arg)
SETTER(dump_over, dump_over_ns = value_duration(arg, state))
SETTER(disk_budget, disk_bytes = value_disk(arg, state))
SETTER(metrics, metrics = value_listen(arg, state))
SETTER(keep, keep_ns = value_seconds(arg, state))

/* ── the options ─────────────────────────────────────────────────────────── */

static const struct declaration {
	enum option_id id;
	const char *name, *arg; /* `arg` names its kind (completion.c); NULL: no argument */
	const char *doc;	/* NULL: every command has its own */
	void (*set)(struct options *options, char *arg, struct argp_state *state);
	int flags; /* argp's */
} DECLARATIONS[] = {
	{OPTION_PID, "pid", "PID",
	 "Process to observe: its PID, a name on its command line, or :PORT (repeatable)",
	 add_process, 0},
	{OPTION_DURATION, "duration", "DUR",
	 "Stop after DUR (default: Ctrl-C, or when the process exits)", set_duration, 0},
	{OPTION_QUIET, "quiet", NULL, "Show neither progress nor stalls as they happen", set_quiet,
	 0},
	{OPTION_MODE, "mode", "MODE",
	 "How the GIL is watched: edges (only where somebody waits, which costs much less; the "
	 "default), exact (every take and drop), futex (edges without uprobes)",
	 set_mode, 0},
	{OPTION_RATE, "rate", "HZ",
	 "Sampling rate for on-CPU stacks; 0 turns sampling off (default 199)", set_rate, 0},
	{OPTION_NO_STACKS, "no-stacks", NULL, "No Python stacks: names threads but not functions",
	 set_no_stacks, 0},
	{OPTION_MATCH, "match", "PATTERN",
	 "Observe every Python process whose command line matches this extended regular "
	 "expression, as pgrep -f does (repeatable; '.' is all of them)",
	 add_matching, 0},
	{OPTION_IN_CONTAINER, "in-container", "NUMBER",
	 "Process to observe: the PID that it has inside its container (repeatable)", add_inside,
	 0},
	{OPTION_NO_FOLLOW, "no-follow", NULL,
	 "Observe the given processes only, not those below them that are or become Pythons",
	 set_no_follow, 0},
	{OPTION_NO_SOURCE, "no-source", NULL,
	 "Do not read the application's lines and decorators from its source files", set_no_source,
	 0},
	{OPTION_STACK_KINDS, "stack-kinds", "KIND,...",
	 "Only these stacks (sleep, preempt, wait, holder), to measure what each kind costs",
	 set_stack_kinds, OPTION_HIDDEN},
	{OPTION_RING_SIZE, "ring-size", "MIB",
	 "Kernel buffer size; raise it if events are lost (default 8)", set_ring_size, 0},
	{OPTION_READY_FD, "ready-fd", "FD",
	 "Write the line 'ready' to this descriptor, and close it, when the observation has begun",
	 set_ready_fd, 0},
	{OPTION_STALL, "stall", "DUR",
	 "Report loop iterations of at least DUR as stalls (default 50ms)", set_stall, 0},
	{OPTION_JSON, "json", NULL, "Print the report as JSON, schema gilscope.report/1", set_json,
	 0},
	{OPTION_ALL, "all", NULL, "Show every function, stall and thread, and whole stacks",
	 set_all, 0},
	{OPTION_SUMMARY, "summary", NULL, "Print the answer in at most 8 lines", set_summary, 0},
	{OPTION_MARKDOWN, "markdown", NULL,
	 "Print the answer, the findings and the caveats as Markdown, for a pull request or a chat",
	 set_markdown, 0},
	{OPTION_COLOUR, "color", "WHEN", "Colours: auto (on a terminal), always or never",
	 set_colour, OPTION_ARG_OPTIONAL},
	{OPTION_NO_COLOUR, "no-color", NULL, "No colours", set_no_colour, 0},
	{OPTION_NO_PAGER, "no-pager", NULL,
	 "Print long results as they are, not through $GILSCOPE_PAGER, $PAGER or less",
	 set_no_pager, 0},
	{OPTION_SERVE, "serve", "PORT",
	 "Show the page on http://127.0.0.1 (a free port, or PORT) until Ctrl-C; write no file",
	 set_serve, OPTION_ARG_OPTIONAL},
	{OPTION_APP_ROOT, "app-root", "DIR",
	 "Treat code under DIR (or this file) as the application's (repeatable)", add_app_root, 0},
	{OPTION_STATE, "state", "STATE,...",
	 "Stacks of these states only: python, native, gil_wait, blocked, ... (all but idle; "
	 "flame: see above)",
	 set_states, 0},
	{OPTION_BY, "by", "waiter|holder",
	 "Whose stacks gil_wait shows: of the threads that waited, or of those that held the GIL "
	 "(default waiter; speedscope and the flame graph's page have both)",
	 set_direction, 0},
	{OPTION_FORMAT, "format", "FORMAT", NULL, set_format, 0},
	{OPTION_RECORDING, "recording", "FILE",
	 "Show the last instant of this recording instead of a process", set_recording, 0},
	{OPTION_FROM, "from", "TIME",
	 "Leave out what comes before: an offset (3.5s) or a time of day (14:03:05)", set_from, 0},
	{OPTION_TO, "to", "TIME", "Leave out what comes after", set_to, 0},
	{OPTION_OUTPUT, "output", "FILE", NULL, set_output, 0},
	{OPTION_RECORDINGS, "recordings", "DIR",
	 "Write recordings of what has just happened into this folder", set_recordings, 0},
	{OPTION_DUMP_OVER, "dump-over", "DUR",
	 "Write a recording after a stall of at least DUR (default 1s)", set_dump_over, 0},
	{OPTION_DISK_BUDGET, "disk-budget", "MIB",
	 "What all recordings together may take; the oldest are removed (default 1024)",
	 set_disk_budget, 0},
	{OPTION_METRICS, "metrics", "PORT|PATH",
	 "Serve metrics at /metrics on 127.0.0.1:PORT, or on a socket of this path (with a slash)",
	 set_metrics, 0},
	{OPTION_KEEP, "keep", "DUR", "What a recording goes back (default 30s)", set_keep, 0},
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
		if (!options_has_target(options) && !options->recording)
			value_no_process(state);
		if (options_has_target(options) && options->recording)
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
	add_processes(options, arg, 1, state);
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
			options->recording = defaults_recording();
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

static const char *option_word(const void *ctx, size_t i)
{
	const struct argp_option *list = ctx; /* ends with zeros; headings have no name */

	for (; list->name || list->doc; list++)
		if (list->name && !(list->flags & OPTION_HIDDEN) && !i--)
			return list->name;
	return NULL;
}

/* argp does not say what may have been meant. */
static void refuse_unknown(const struct command *command, const struct argp_option *list,
			   size_t count, char **argv)
{
	bool takes_command = strstr(command->args_doc, "-- COMMAND");
	const char *unknown = suggest_unknown(list, count, takes_command, argv);
	char name[64];
	const char *meant;

	if (!unknown)
		return;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(unknown + 2, "="), unknown + 2);
	meant = suggest(name, option_word, list);
	fprintf(stderr, "gilscope %s: unknown option '%s'", command->name, unknown);
	if (meant)
		fprintf(stderr, "; did you mean --%s?\n", meant);
	else
		fprintf(stderr, ".\nTry 'gilscope %s --help'.\n", command->name);
	exit(EXIT_USAGE);
}

/* --help or -?, which argp answers by itself. */
static bool wants_help(char **argv)
{
	for (; *argv && strcmp(*argv, "--") != 0; argv++)
		if (!strcmp(*argv, "--help") || !strcmp(*argv, "-?"))
			return true;
	return false;
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
	size_t count;

	*ret_options = (struct options){.observe = {.rate_hz = CAPTURE_RATE_HZ, .mode = MODE_EDGES},
					.stall_ns = STALL_DEFAULT_NS,
					.keep_ns = KEEP_DEFAULT_NS,
					.dump_over_ns = DUMP_OVER_DEFAULT_NS,
					.disk_bytes = RECORDER_BUDGET_DEFAULT,
					.output = command->output};
	count = options_of(command, list);
	list[count] = (struct argp_option){0};
	refuse_unknown(command, list, count, argv);
	snprintf(name, sizeof(name), "gilscope %s", argv[0]);
	argv[0] = name;
	argp_err_exit_status = EXIT_USAGE;
	if (wants_help(argv))
		pager_begin();
	/* for --help and usage errors argp exits by itself */
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &parsing))
		exit(EXIT_USAGE);
}
