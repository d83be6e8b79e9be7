/* SPDX-License-Identifier: MIT */
#include "cmd/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/duration.h"

int cmd_fail(const struct diag *diag)
{
	fflush(stdout);
	fprintf(stderr, "gilscope: %s.\n", diag->what);
	if (diag->hint[0])
		fprintf(stderr, "gilscope: %s.\n", diag->hint);
	return diag->status ? (int)diag->status : EXIT_FAILED;
}

uint64_t cmd_duration(const char *text, struct argp_state *state)
{
	uint64_t ns = 0;

	if (duration_parse(text, &ns) < 0)
		argp_error(state, "'%s' is not a duration; write 10s, 250ms or 1m30s", text);
	return ns;
}

uint32_t cmd_pid(const char *text, struct argp_state *state)
{
	char *end;
	unsigned long pid = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || pid < 1 || pid > INT32_MAX)
		argp_error(state, "'%s' is not a process number", text);
	return (uint32_t)pid;
}

uint32_t cmd_hertz(const char *text, uint32_t most, struct argp_state *state)
{
	char *end;
	unsigned long hertz = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || hertz > most)
		argp_error(state, "'%s' is not a rate of 0 to %u Hz", text, most);
	return (uint32_t)hertz;
}

uint32_t cmd_mebibytes(const char *text, struct argp_state *state)
{
	char *end;
	unsigned long mebibytes = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || mebibytes < 1 || mebibytes > 1024)
		argp_error(state, "'%s' is not a size of 1 to 1024 MiB", text);
	return (uint32_t)mebibytes << 20;
}

void cmd_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	static char name[64];

	snprintf(name, sizeof(name), "gilscope %s", argv[0]);
	argv[0] = name;
	argp_err_exit_status = EXIT_USAGE;
	/* argp exits by itself: for --help with 0, for what it does not understand with EXIT_USAGE
	 */
	if (argp_parse(argp, argc, argv, ARGP_IN_ORDER, NULL, input))
		exit(EXIT_USAGE);
}

enum { OPTION_STALL = 256, OPTION_JSON, OPTION_ALL, OPTION_COLOUR, OPTION_APP_ROOT };

const char *cmd_colour_name(unsigned int i)
{
	static const char *const names[] = {
		[COLOUR_AUTO] = "auto", [COLOUR_ALWAYS] = "always", [COLOUR_NEVER] = "never"};

	return i < sizeof(names) / sizeof(names[0]) ? names[i] : NULL;
}

static enum colour colour(const char *text, struct argp_state *state)
{
	for (unsigned int i = 0; cmd_colour_name(i); i++)
		if (!strcmp(cmd_colour_name(i), text))
			return (enum colour)i;
	argp_error(state, "--color takes auto, always or never, not '%s'", text);
	return COLOUR_AUTO;
}

static error_t show_parse(int key, char *arg, struct argp_state *state)
{
	struct show_options *options = state->input;

	switch (key) {
	case OPTION_STALL:
		options->stall_ns = cmd_duration(arg, state);
		return 0;
	case OPTION_JSON:
		options->json = true;
		return 0;
	case OPTION_ALL:
		options->all = true;
		return 0;
	case OPTION_COLOUR:
		options->colour = arg ? colour(arg, state) : COLOUR_ALWAYS;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option SHOW_OPTIONS[] = {
	{"stall", OPTION_STALL, "DUR", 0,
	 "Call a turn of the event loop a stall from this length on (50ms)", 0},
	{"json", OPTION_JSON, NULL, 0, "Print the report as JSON, schema gilscope.report/1", 0},
	{"all", OPTION_ALL, NULL, 0,
	 "Show every function, stall and thread and whole stacks, not only what is largest", 0},
	{"color", OPTION_COLOUR, "WHEN", OPTION_ARG_OPTIONAL,
	 "Colours: auto (on a terminal), always or never", 0},
	{0},
};
const struct argp show_argp = {SHOW_OPTIONS, show_parse, NULL, NULL, NULL, NULL, NULL};

static error_t names_parse(int key, char *arg, struct argp_state *state)
{
	struct names_options *options = state->input;

	if (key != OPTION_APP_ROOT)
		return ARGP_ERR_UNKNOWN;
	if (options->app_root_count == APP_ROOTS_MAX)
		argp_error(state, "at most %d --app-root", APP_ROOTS_MAX);
	options->app_roots[options->app_root_count++] = arg;
	return 0;
}

static const struct argp_option NAMES_OPTIONS[] = {
	{"app-root", OPTION_APP_ROOT, "DIR", 0,
	 "What is below this directory, or in this module file, is the application's own code; may "
	 "repeat",
	 0},
	{0},
};
const struct argp names_argp = {NAMES_OPTIONS, names_parse, NULL, NULL, NULL, NULL, NULL};

static error_t recording_parse(int key, char *arg, struct argp_state *state)
{
	const char **file = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (*file)
			argp_error(state, "one recording at a time");
		*file = arg;
		return 0;
	case ARGP_KEY_END:
		*file = *file ? *file : DEFAULT_FILE;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp recording_argp = {NULL, recording_parse, NULL, NULL, NULL, NULL, NULL};

static bool want_colour(const struct show_options *options)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	if (options->colour != COLOUR_AUTO)
		return options->colour == COLOUR_ALWAYS;
	return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
	       !(term && !strcmp(term, "dumb"));
}

/* What no one should overlook who reads but the figures. The text says it among its caveats. */
static void tell_faults(const struct report *report)
{
	for (uint32_t i = 0; i < report->process_count; i++) {
		const struct process *process = report->processes[i].process;

		if (process->sites_fault)
			fprintf(stderr,
				"gilscope: the GIL of process %u was not seen as it must be, so "
				"who holds it is unknown; run gilscope doctor %u.\n",
				process->info.pid, process->info.pid);
	}
}

int cmd_show(const struct report *report, const struct show_options *options)
{
	const struct view *view = options->json ? &view_json : &view_text;
	struct view_options how = {.colour = want_colour(options), .all = options->all};
	struct winsize size;
	int err;

	if (isatty(STDOUT_FILENO) && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		how.columns = size.ws_col;
	if (options->json)
		tell_faults(report);
	err = view->show(stdout, report, &how);
	if (!err && fflush(stdout))
		err = -errno;
	if (err) {
		struct diag diag;

		diag_set(&diag, EXIT_FAILED, err, "cannot write the report: %s", strerror(-err));
		return cmd_fail(&diag);
	}
	return report_partial(report) ? EXIT_PARTIAL : EXIT_OK;
}
