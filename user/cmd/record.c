/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/duration.h"
#include "base/size.h"
#include "cmd/cmd.h"
#include "cmd/values.h"
#include "cmd/files/defaults.h"
#include "cmd/pipeline/confine.h"
#include "cmd/pipeline/report_file.h"
#include "cmd/pipeline/observe.h"
#include "cmd/pipeline/output.h"
#include "cmd/pipeline/spawn.h"
#include "cmd/pipeline/announce.h"

/* Copies the diag of a file's failure, with the file's name in front. */
static int name_file(const struct diag *of, int err, const char *path, struct diag *diag)
{
	diag_set(diag, of->status, err, "%s: %.400s", path, of->what);
	diag_hint(diag, "%s", of->hint);
	return err;
}

static int open_trace(struct options *options, struct pipeline *pipeline, struct output *output,
		      struct diag *diag)
{
	struct diag trouble = {0};
	int err = defaults_begin(output, options, NULL, diag);

	if (err)
		return err;
	err = pipeline_append_trace(pipeline, output->file, &trouble);
	return err ? name_file(&trouble, err, output->name, diag) : 0;
}

/* "wrote gilscope.gsc (10.0 s, 19 stalls, 103 kB). Next: …"; without a model only the size is
 * known. */
static void print_result(const struct pipeline *pipeline, const char *path, long size)
{
	char bytes[SIZE_TEXT_MAX], length[DURATION_TEXT_MAX];
	const char *before = " (";

	fprintf(stderr, "gilscope: wrote %s", path);
	if (pipeline->world) {
		struct world_window window = world_window(pipeline->world);

		fprintf(stderr, " (%s, %" PRIu64 " stall%s",
			duration_text(window.end - window.start, length), pipeline->stalls,
			pipeline->stalls == 1 ? "" : "s");
		before = ", ";
	}
	if (size > 0)
		fprintf(stderr, "%s%s", before, size_text((uint64_t)size, bytes));
	fputs(pipeline->world || size > 0 ? ")" : "", stderr);
	if (size > 0) /* it is a file */
		fprintf(stderr, ". Next: gilscope report %s, or gilscope timeline %s\n", path,
			path);
	else
		fputs(".\n", stderr);
}

/* What was recorded before a failure is readable and kept, but does not replace another recording.
 */
static void keep_rest(struct output *output, const struct capture_status *status)
{
	const char *kept = status->events ? output_keep(output) : NULL;

	if (kept)
		fprintf(stderr, "gilscope: what was recorded until then is in %s.\n", kept);
}

/* With --quiet there is no model: it only serves to show progress and announce stalls. */
static int build(struct options *options, struct pipeline *pipeline, struct output *output,
		 struct diag *diag)
{
	int err;

	observe_head(&options->observe, &pipeline->head);
	err = open_trace(options, pipeline, output, diag);
	if (!err && !options->observe.quiet)
		err = pipeline_append_fold(pipeline, options->stall_ns, diag);
	return err ? err : pipeline_front(pipeline, true, diag);
}

/* Completes the recording and moves it to its place. 0, or -errno with a diag. */
static int finish(struct pipeline *pipeline, struct output *output, struct diag *diag)
{
	struct diag late = {0};
	long size;
	int err = trace_writer_finish(pipeline->trace, &late);

	if (err)
		return name_file(&late, err, output->name, diag);
	size = ftell(output->file);
	err = output_end(output, diag);
	if (!err)
		print_result(pipeline, output->name, size);
	return err;
}

/* For an observation without a model: reads the recording to find out whether it is partial. One
 * that is not a file cannot be read again and is taken to be. */
static int judge_file(const char *path, struct diag *diag, bool *ret_partial)
{
	struct pipeline pipeline = {.forgets = true};
	const struct report *report;
	bool damaged = false;
	struct stat file;
	int err;

	*ret_partial = true;
	if (stat(path, &file) || !S_ISREG(file.st_mode))
		return 0;
	err = report_of_file(&pipeline, path, STALL_DEFAULT_NS, diag, &report, &damaged);
	if (!err)
		*ret_partial = damaged || report_partial(report);
	pipeline_done(&pipeline);
	return err;
}

/* Will `gilscope report` call this recording partial, because too much was lost? */
static int record_status(const struct options *options, const struct pipeline *pipeline,
			 const struct observation *observation, struct diag *diag,
			 bool *ret_partial)
{
	const struct report *report;

	*ret_partial = false;
	if (!observation->status.lost && !observation->status.missed && !observation->late)
		return 0;
	if (!pipeline->world)
		return judge_file(options->output, diag, ret_partial);
	if (report_builder_finish(pipeline->builder, pipeline->world, false, &report) < 0)
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory for the report");
	*ret_partial = report_partial(report);
	return 0;
}

static int record_to(struct options *options, struct pipeline *pipeline, struct output *output,
		     struct diag *diag)
{
	struct announcer announcer = {.pipeline = pipeline, .forget = true};
	struct observation observation = {
		.options = &options->observe, .pipeline = pipeline, .tick_ctx = &announcer};
	int err = build(options, pipeline, output, diag);
	struct diag late = {0};
	bool partial;

	if (err)
		return err;
	if (!options->observe.quiet)
		observation.tick = announcer_tick;
	err = observe(&observation, diag);
	if (!err && observation.tick && announcer_finish(&announcer) < 0)
		err = diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
	announcer_done(&announcer);
	if (!err)
		err = finish(pipeline, output, diag);
	/* an error of the file is the cause of the observation's error */
	else if (trace_writer_finish(pipeline->trace, &late))
		name_file(&late, err, output->name, diag);
	if (err) {
		keep_rest(output, &observation.status);
		return err;
	}
	err = record_status(options, pipeline, &observation, diag, &partial);
	if (!err && partial)
		diag->status = EXIT_PARTIAL;
	return err;
}

static error_t rest(struct options *options, int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case ARGP_KEY_ARGS:
		options->command = state->argv + state->next;
		return 0;
	case ARGP_KEY_END:
		if (options_has_target(options) && options->command)
			argp_error(state, "either -p PID or a command, not both");
		if (!options_has_target(options) && !options->command)
			value_no_process(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int run(struct options *options)
{
	struct pipeline pipeline = {.forgets = true};
	struct output output = {0};
	struct diag diag = {0};
	struct spawned child = {0};
	int err = 0, status;

	observe_catch_signals(NULL);
	if (options->command) {
		err = spawn_python(options->command, &diag, &child);
		options->observe.pids[options->observe.pid_count++] = (uint32_t)child.pid;
	}
	if (!err)
		err = record_to(options, &pipeline, &output, &diag);
	status = err ? cmd_fail(&diag) : (int)diag.status;
	spawn_end(&child);
	output_done(&output);
	pipeline_done(&pipeline);
	return status;
}

static const struct option_use OPTIONS[] = {
	{.id = OPTION_STALL,
	 .doc = "Announce stalls of at least DUR while they happen (default 50ms); everything is "
		"recorded anyway"},
	{.id = OPTION_OUTPUT,
	 .doc = "Write to this file (" DEFAULT_FILE
		", or gilscope-2.gsc … if it exists); while it is written it is FILE" OUTPUT_PARTIAL
		", which can be read too"},
	OBSERVE_OPTIONS,
	{0},
};

const struct command command_record = {
	.name = "record",
	.arguments = "-p PID | -- COMMAND... [-o FILE]",
	.summary = "write a recording",
	.args_doc = "-p PID\n-- COMMAND [ARG...]",
	.doc = "Write who has the GIL and who waits for it, every switch and every turn of the "
	       "event loop to a file, to be looked at later, here or elsewhere."
	       "\vA command started by gilscope is terminated when the recording "
	       "ends.\n\nExample:\n  sudo "
	       "gilscope record -p 4711 -d 30s -o monday.gsc",
	.options = OPTIONS,
	.output = DEFAULT_FILE,
	.rest = rest,
	.run = run,
};
