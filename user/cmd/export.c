/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/pipeline/report_file.h"
#include "cmd/pipeline/output.h"
#include "cmd/pipeline/replay.h"
#include "stream/script/script.h"

struct format;

/* One export. */
struct job {
	const struct format *format;
	const struct options *options;
	FILE *to;
	struct diag *diag;
	struct pipeline pipeline; /* of views and drawings */
	struct stream_sink sink;  /* of the formats script and trace; set by head() */
	struct stream_sink front; /* what the recording is read into: the cut, or `sink` */
	struct cut *cut;
	struct diag refusal;	     /* of the cut */
	struct trace_writer *writer; /* of the format trace */
	bool partial;		     /* evidence was lost */
};

/*
 * A format is one of three kinds: the recording in another form, written while it is read (head()
 * and finish()), a view of the report, or a drawing. head() is called once, before job->sink is
 * used, and finish() once at the end, unless something has failed.
 */
struct format {
	const char *name;
	int (*write)(struct job *job); /* 0 or -errno with a diag */
	int (*head)(void *job, const struct stream_head *head);
	int (*finish)(struct job *job);
	const struct view *view;
	unsigned int directions; /* the view's default */
	const struct drawing_kind *drawing;
};

static int script_begin(void *ctx, const struct stream_head *head)
{
	struct job *job = ctx;

	job->sink = script_sink(job->to);
	return script_write_head(job->to, head);
}

static int script_finish(struct job *job)
{
	return 0;
}

static int trace_begin(void *ctx, const struct stream_head *head)
{
	struct job *job = ctx;
	int err = trace_writer_new(job->to, head, job->diag, &job->writer);

	if (!err)
		job->sink = trace_writer_sink(job->writer);
	return err;
}

static int trace_finish(struct job *job)
{
	return trace_writer_finish(job->writer, job->diag);
}

static int stream_begin(void *ctx, const struct stream_head *head)
{
	struct job *job = ctx;
	int err = job->format->head(job, head);

	if (!err)
		err = cutting_begin(&job->options->cut, head, job->sink, &job->refusal, &job->cut);
	job->front = job->cut ? cut_sink(job->cut) : job->sink;
	return err;
}

static int write_stream(struct job *job)
{
	const char *path = job->options->recording;
	_cleanup_(fclosep) FILE *from = NULL;
	struct trace_outcome outcome;
	int err = replay_open(path, job->diag, &from);

	if (!err)
		err = replay(from, path, stream_begin, job, replay_late_sink(&job->front),
			     job->diag, &outcome);
	if (err && job->refusal.status) /* the reader's diag says only at which line */
		*job->diag = job->refusal;
	err = cutting_end(job->cut, err, job->diag);
	if (!err)
		err = job->format->finish(job);
	trace_writer_free(job->writer);
	if (!err && !outcome.complete)
		fprintf(stderr, "gilscope: %s was cut off; all that was whole in it is here.\n",
			path);
	return err;
}

static int write_view(struct job *job)
{
	const struct options *options = job->options;
	struct view_note notes[VIEW_FLAME_NOTES];
	struct view_options how = {
		.states = options->states ? options->states : FLAMES_STATES_DEFAULT,
		.directions = options->directions ? options->directions : job->format->directions};
	const struct report *report;
	bool damaged = false;
	unsigned int count;
	int err = report_of_file(&job->pipeline, options->recording, STALL_DEFAULT_NS, job->diag,
				 &report, &damaged);

	if (err)
		return err;
	err = job->format->view->show(job->to, report, &how);
	if (err)
		return diag_set(job->diag, EXIT_FAILED, err, "cannot write %s: %s",
				options->output ? options->output : "the standard output",
				strerror(-err));
	count = view_flame_notes(report, &how, notes);
	for (unsigned int i = 0; i < count; i++)
		fprintf(stderr, "gilscope: %s.\n", notes[i].text);
	job->partial = damaged || report_partial(report);
	return 0;
}

static int write_drawing(struct job *job)
{
	const struct report *report;
	bool damaged = false;
	int err;

	job->pipeline.drawing_kind = job->format->drawing;
	job->pipeline.drawing_file = job->to;
	err = report_of_file(&job->pipeline, job->options->recording, job->options->stall_ns,
			     job->diag, &report, &damaged);
	if (!err)
		err = pipeline_draw(&job->pipeline, report, job->diag);
	if (!err)
		job->partial = damaged || report_partial(report);
	return err;
}

static const struct format FORMATS[] = {
	{.name = "perfetto", .write = write_drawing, .drawing = &drawing_perfetto},
	{.name = "firefox", .write = write_drawing, .drawing = &drawing_firefox},
	{.name = "folded", .write = write_view, .view = &view_folded, .directions = FLAME_WAITER},
	{.name = "speedscope",
	 .write = write_view,
	 .view = &view_speedscope,
	 .directions = FLAME_WAITER | FLAME_HOLDER},
	{.name = "pprof", .write = write_view, .view = &view_pprof, .directions = FLAME_WAITER},
	{.name = "script", .write = write_stream, .head = script_begin, .finish = script_finish},
	{.name = "trace", .write = write_stream, .head = trace_begin, .finish = trace_finish},
};

#define FORMAT_COUNT	 (sizeof(FORMATS) / sizeof(FORMATS[0]))
#define FORMAT_NAMES_MAX 200

const char *export_format_name(unsigned int i)
{
	return i < FORMAT_COUNT ? FORMATS[i].name : NULL;
}

/* "perfetto, folded or trace" */
static const char *format_names(char *to, size_t size)
{
	size_t length = 0;

	for (size_t i = 0; i < FORMAT_COUNT && length < size; i++) {
		const char *before = !i ? "" : i + 1 < FORMAT_COUNT ? ", " : " or ";

		length += (size_t)snprintf(to + length, size - length, "%s%s", before,
					   FORMATS[i].name);
	}
	return to;
}

static int export_to(const struct format *format, const struct options *options, struct diag *diag)
{
	struct job job = {.format = format,
			  .options = options,
			  .diag = diag,
			  .pipeline.names = options->names,
			  .pipeline.cut = options->cut};
	struct output output;
	int err = output_begin(&output, options->output, options->recording, diag);

	job.to = output.file;
	if (!err)
		err = format->write(&job);
	if (!err)
		err = output_end(&output, diag);
	output_done(&output);
	pipeline_done(&job.pipeline);
	if (err)
		return cmd_fail(diag);
	return job.partial ? EXIT_PARTIAL : EXIT_OK;
}

/* Checks for options that make no sense with a format. 0, or -EINVAL with a diag. */
static int refuse_choices(const struct format *format, const struct options *options,
			  struct diag *diag)
{
	bool stacks = options->states || options->directions;

	if (!format->drawing && options->stall_given)
		return diag_set(diag, EXIT_USAGE, -EINVAL,
				"--stall has no effect: '%s' shows no stalls", format->name);
	if (format->drawing && stacks)
		return diag_set(diag, EXIT_USAGE, -EINVAL,
				"--state and --by choose among stacks; '%s' is the whole recording",
				format->name);
	if (!format->drawing && !format->view && (stacks || options->names.app_root_count))
		return diag_set(diag, EXIT_USAGE, -EINVAL,
				"--state, --by and --app-root choose among stacks; '%s' is the "
				"whole recording",
				format->name);
	return 0;
}

static error_t rest(struct options *options, int key, char *arg, struct argp_state *state)
{
	char names[FORMAT_NAMES_MAX];

	if (key == ARGP_KEY_END && !options->format)
		argp_error(state, "no format given; use --format %s",
			   format_names(names, sizeof(names)));
	return options_rest_recording(options, key, arg, state);
}

static int run(struct options *options)
{
	struct diag diag = {0};
	char names[FORMAT_NAMES_MAX];

	for (size_t i = 0; i < FORMAT_COUNT; i++) {
		if (strcmp(FORMATS[i].name, options->format) != 0)
			continue;
		if (refuse_choices(&FORMATS[i], options, &diag) < 0)
			return cmd_fail(&diag);
		return export_to(&FORMATS[i], options, &diag);
	}
	diag_set(&diag, EXIT_USAGE, -EINVAL, "unknown format '%s'", options->format);
	diag_hint(&diag, "use --format %s", format_names(names, sizeof(names)));
	return cmd_fail(&diag);
}

static const struct option_use OPTIONS[] = {
	{.id = OPTION_FORMAT,
	 .doc = "perfetto: what every thread was doing, who held the GIL, iterations and stalls, "
		"over "
		"time, for ui.perfetto.dev; firefox: that and a call tree (profiler.firefox.com); "
		"folded, speedscope, pprof: where each thread spent its time, by Python stack, in "
		"nanoseconds; script: every event as a line of text, without loss; trace: a script "
		"made a recording again, or with --from and --to a smaller one"},
	{.id = OPTION_OUTPUT, .doc = "Write to this file (standard output)"},
	{.id = OPTION_STALL,
	 .doc = "perfetto, firefox: report loop iterations of at least DUR as stalls (default "
		"50ms)"},
	FLAME_OPTIONS,
	CUT_OPTIONS,
	{.id = OPTION_APP_ROOT},
	{0},
};

const struct command command_export = {
	.name = "export",
	.arguments = "[FILE] --format FORMAT [-o FILE]",
	.summary = "convert a recording to another format",
	.args_doc = "[FILE]",
	.doc = "Convert a recording (" DEFAULT_FILE "; - is the standard input) to another format. "
	       "A script can be used wherever a recording can."
	       "\vExample, a flame graph of who made others wait for the GIL:\n"
	       "  gilscope export --format folded --state gil_wait --by holder | flamegraph.pl "
	       "--countname ns > gil.svg",
	.options = OPTIONS,
	.rest = rest,
	.run = run,
};
