/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/observe.h"
#include "cmd/spawn.h"

#define PIDS_MAX 64
#define DEFAULT_FILE "gilscope.gsc"

struct options {
	uint32_t pids[PIDS_MAX];
	uint32_t pid_count;
	char **command;
	const char *output;
	uint64_t dur_ns;
	uint32_t ring_bytes;
};

enum { OPTION_RING = 512 };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'd':
		options->dur_ns = cmd_duration(arg, state);
		return 0;
	case 'o':
		options->output = arg;
		return 0;
	case 'p':
		if (options->pid_count == PIDS_MAX)
			argp_error(state, "more than %d processes", PIDS_MAX);
		options->pids[options->pid_count++] = cmd_pid(arg, state);
		return 0;
	case OPTION_RING:
		options->ring_bytes = cmd_mebibytes(arg, state);
		return 0;
	case ARGP_KEY_ARGS:
		options->command = state->argv + state->next;
		return 0;
	case ARGP_KEY_END:
		if (!options->pid_count == !options->command)
			argp_error(state, options->command ? "either -p PID or a command, not both" : "what? Give -p PID, or -- COMMAND");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{"pid", 'p', "PID", 0, "Record this process; may repeat", 0},
	{"duration", 'd', "DUR", 0, "Record this long (until Ctrl-C or the process ends)", 0},
	{"output", 'o', "FILE", 0, "Write to this file (" DEFAULT_FILE ")", 0},
	{"ring-size", OPTION_RING, "MIB", 0, "Room for records that are not read yet (8)", 0},
	{0},
};
static const struct argp ARGP = {
	OPTIONS, parse, "-p PID\n-- COMMAND [ARG...]",
	"Write every take and drop of the GIL, every switch and every turn of the event loop to a file, to be looked at later, here or elsewhere."
	"\vA command that gilscope started is ended with the recording.\n\nExample:\n  sudo gilscope record -p 4711 -d 30s -o monday.gsc",
	NULL, NULL, NULL,
};

/* The file is new or emptied; a pipe or a device will do as well. */
static int open_trace(struct pipeline *pipeline, const char *path, struct diag *diag, FILE **ret_file)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "we");
	int err;

	if (!file) {
		diag_set(diag, EXIT_FAILED, -errno, "cannot create %s: %s", path, strerror(errno));
		diag_hint(diag, "choose another file with -o");
		return -errno;
	}
	pipeline_live_head(&pipeline->head);
	err = trace_writer_new(file, &pipeline->head, diag, &pipeline->trace);
	if (err)
		return err;
	*ret_file = STEAL(file, NULL);
	return 0;
}

static void tell_result(const char *path, FILE *file, const struct capture_status *status)
{
	long size = ftell(file);

	fprintf(stderr, "gilscope: %" PRIu64 " events", status->events);
	if (size > 0)
		fprintf(stderr, ", %.1f MB", (double)size / 1e6);
	fprintf(stderr, " in %s; 'gilscope report %s' shows them.\n", path, path);
}

static int record(struct options *options, struct pipeline *pipeline, struct diag *diag)
{
	_cleanup_(fclosep) FILE *file = NULL;
	struct observation observation = {.pids = options->pids, .dur_ns = options->dur_ns, .ring_bytes = options->ring_bytes, .pipeline = pipeline};
	int err = open_trace(pipeline, options->output, diag, &file), finished;
	struct diag late = {0};

	if (!err)
		err = pipeline_front(pipeline, true, diag);
	if (err)
		return err;
	observation.pid_count = options->pid_count;
	err = observe(&observation, diag);
	finished = trace_writer_finish(pipeline->trace, &late);
	if (finished) {
		/* the file's trouble is the cause of whatever the observation says */
		diag_set(diag, late.status, finished, "%s: %.400s", options->output, late.what);
		diag_hint(diag, "%s", late.hint);
		return finished;
	}
	if (!err)
		tell_result(options->output, file, &observation.status);
	if (!err && (observation.status.lost || observation.status.missed))
		diag->status = EXIT_PARTIAL;
	return err;
}

static int run(int argc, char **argv)
{
	struct options options = {.output = DEFAULT_FILE};
	struct pipeline pipeline = {0};
	struct diag diag = {0};
	pid_t child = 0;
	int err = 0, status;

	cmd_parse(&ARGP, argc, argv, &options);
	observe_catch_signals();
	if (options.command) {
		err = spawn_python(options.command, &diag, &child);
		options.pids[options.pid_count++] = (uint32_t)child;
	}
	if (!err)
		err = record(&options, &pipeline, &diag);
	status = err ? cmd_fail(&diag) : (int)diag.status;
	if (child)
		spawn_end(child);
	pipeline_done(&pipeline);
	return status;
}

const struct command command_record = {"record", "-p PID | -- COMMAND... [-o FILE]", "write a recording", run, &ARGP};
