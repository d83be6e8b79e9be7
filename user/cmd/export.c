/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/pipeline/fold.h"
#include "cmd/pipeline/output.h"
#include "cmd/pipeline/replay.h"
#include "stream/script/script.h"

struct options {
	const char *file, *format, *output;
	uint64_t stall_ns; /* 0: the default */
	struct flames_options flames;
	struct pipeline pipeline; /* of it: names */
};

/*
 * A format is either another form of the recording itself, written while it is read: then head()
 * comes once, before `sink` is used, and finish() once at the end, unless something failed before.
 * Or it is a view of what is folded from it, or a drawing.
 */
struct exporter {
	FILE *file;
	struct stream_sink sink; /* of the format, from head() on */
	struct trace_writer *writer;
	struct diag *diag;
};
struct format {
	const char *name;
	/* 0 or -errno with a diag; ret_partial is false before. */
	int (*write)(FILE *to, const struct format *format, struct options *options,
		     struct diag *diag, bool *ret_partial);
	int (*head)(void *exporter, const struct stream_head *head);
	int (*finish)(struct exporter *exporter);
	const struct view *view;
	unsigned directions; /* unless told */
	const struct drawing_kind *drawing;
};

static int script_begin(void *ctx, const struct stream_head *head)
{
	struct exporter *exporter = ctx;

	exporter->sink = script_sink(exporter->file);
	return script_write_head(exporter->file, head);
}

static int script_finish(struct exporter *exporter)
{
	return 0;
}

static int trace_begin(void *ctx, const struct stream_head *head)
{
	struct exporter *exporter = ctx;
	int err = trace_writer_new(exporter->file, head, exporter->diag, &exporter->writer);

	if (!err)
		exporter->sink = trace_writer_sink(exporter->writer);
	return err;
}

static int trace_finish(struct exporter *exporter)
{
	return trace_writer_finish(exporter->writer, exporter->diag);
}

static int write_stream(FILE *to, const struct format *format, struct options *options,
			struct diag *diag, bool *ret_partial)
{
	_cleanup_(fclosep) FILE *from = NULL;
	struct exporter exporter = {.file = to, .diag = diag};
	struct trace_outcome outcome;
	int err = replay_open(options->file, diag, &from);

	if (!err)
		err = replay(from, options->file, format->head, &exporter,
			     replay_late_sink(&exporter.sink), diag, &outcome);
	if (!err)
		err = format->finish(&exporter);
	trace_writer_free(exporter.writer);
	if (!err && !outcome.complete)
		fprintf(stderr, "gilscope: %s was cut off; all that was whole in it is here.\n",
			options->file);
	return err;
}

static int write_view(FILE *to, const struct format *format, struct options *options,
		      struct diag *diag, bool *ret_partial)
{
	struct view_note notes[VIEW_FLAME_NOTES];
	struct view_options how = {0};
	const struct report *report;
	bool damaged = false;
	unsigned count;
	int err = fold_file(&options->pipeline, options->file, STALL_DEFAULT_NS, diag, &report,
			    &damaged);

	if (err)
		return err;
	how.states = options->flames.states ? options->flames.states : FLAMES_STATES_DEFAULT;
	how.directions = options->flames.directions ? options->flames.directions
						    : format->directions;
	err = format->view->show(to, report, &how);
	if (err)
		return diag_set(diag, EXIT_FAILED, err, "cannot write %s: %s",
				options->output ? options->output : "the standard output",
				strerror(-err));
	count = view_flame_notes(report, &how, notes);
	for (unsigned i = 0; i < count; i++)
		fprintf(stderr, "gilscope: %s.\n", notes[i].text);
	*ret_partial = damaged || report_partial(report);
	return 0;
}

static int write_drawing(FILE *to, const struct format *format, struct options *options,
			 struct diag *diag, bool *ret_partial)
{
	const struct report *report;
	bool damaged = false;
	int err;

	options->pipeline.drawing_kind = format->drawing;
	options->pipeline.drawing_file = to;
	err = fold_file(&options->pipeline, options->file,
			options->stall_ns ? options->stall_ns : STALL_DEFAULT_NS, diag, &report,
			&damaged);
	if (!err)
		err = pipeline_draw(&options->pipeline, report, diag);
	if (!err)
		*ret_partial = damaged || report_partial(report);
	return err;
}

static const struct format FORMATS[] = {
	{"perfetto", write_drawing, NULL, NULL, NULL, 0, &drawing_perfetto},
	{"folded", write_view, NULL, NULL, &view_folded, FLAME_WAITER, NULL},
	{"speedscope", write_view, NULL, NULL, &view_speedscope, FLAME_WAITER | FLAME_HOLDER, NULL},
	{"pprof", write_view, NULL, NULL, &view_pprof, FLAME_WAITER, NULL},
	{"script", write_stream, script_begin, script_finish, NULL, 0, NULL},
	{"trace", write_stream, trace_begin, trace_finish, NULL, 0, NULL},
};

#define FORMAT_COUNT (sizeof(FORMATS) / sizeof(FORMATS[0]))

const char *export_format_name(unsigned int i)
{
	return i < FORMAT_COUNT ? FORMATS[i].name : NULL;
}

enum { OPTION_STALL = 1024 };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &options->flames;
		state->child_inputs[1] = &options->pipeline.names;
		state->child_inputs[2] = &options->file;
		return 0;
	case 'f':
		options->format = arg;
		return 0;
	case 'o':
		options->output = arg;
		return 0;
	case OPTION_STALL:
		options->stall_ns = cmd_duration(arg, state);
		return 0;
	case ARGP_KEY_END:
		if (!options->format)
			argp_error(state, "which format? --format perfetto, folded, speedscope, "
					  "pprof, script or trace");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{"format", 'f', "FORMAT", 0,
	 "perfetto: what every thread was doing, who had the GIL, turns and stalls, over time, for "
	 "ui.perfetto.dev; "
	 "folded, speedscope, pprof: where each thread spent its time, by Python stack, in "
	 "nanoseconds; "
	 "script: every event as a line of text, without loss; trace: a script made a recording "
	 "again",
	 0},
	{"output", 'o', "FILE", 0, "Write to this file (standard output)", 0},
	{"stall", OPTION_STALL, "DUR", 0,
	 "perfetto: call a turn of the event loop a stall from this length on (50ms)", 0},
	{0},
};
static const struct argp_child CHILDREN[] = {
	{&flames_argp, 0, NULL, 0}, {&names_argp, 0, NULL, 0}, {&recording_argp, 0, NULL, 0}, {0}};
static const struct argp ARGP = {
	OPTIONS,
	parse,
	"[FILE]",
	"Turn a recording (gilscope.gsc; - is the standard input) into another form. A script can "
	"be read again wherever a recording can."
	"\vExample, a flame graph of who made others wait for the GIL:\n"
	"  gilscope export --format folded --state gil_wait --by holder | flamegraph.pl "
	"--countname ns > gil.svg",
	CHILDREN,
	NULL,
	NULL,
};

static int export_to(const struct format *format, struct options *options, struct diag *diag)
{
	struct output output;
	bool partial = false;
	int err = output_begin(&output, options->output, options->file, diag);

	if (!err)
		err = format->write(output.file, format, options, diag, &partial);
	if (!err)
		err = output_end(&output, diag);
	output_done(&output);
	if (err)
		return cmd_fail(diag);
	return partial ? EXIT_PARTIAL : EXIT_OK;
}

/* Choices that make no sense for a format: 0, or -EINVAL with a diag. */
static int refuse_choices(const struct format *format, const struct options *options,
			  struct diag *diag)
{
	bool stacks = options->flames.states || options->flames.directions;

	if (!format->drawing && options->stall_ns)
		return diag_set(diag, EXIT_USAGE, -EINVAL,
				"--stall says what a stall is; '%s' shows none", format->name);
	if (format->drawing && stacks)
		return diag_set(diag, EXIT_USAGE, -EINVAL,
				"--state and --by choose among stacks; '%s' is the whole recording",
				format->name);
	if (!format->drawing && !format->view && (stacks || options->pipeline.names.app_root_count))
		return diag_set(diag, EXIT_USAGE, -EINVAL,
				"--state, --by and --app-root choose among stacks; '%s' is the "
				"whole recording",
				format->name);
	return 0;
}

static int run(int argc, char **argv)
{
	struct options options = {0};
	struct diag diag = {0};
	int status;

	cmd_parse(&ARGP, argc, argv, &options);
	for (size_t i = 0; i < FORMAT_COUNT; i++) {
		if (strcmp(FORMATS[i].name, options.format) != 0)
			continue;
		if (refuse_choices(&FORMATS[i], &options, &diag) < 0)
			return cmd_fail(&diag);
		status = export_to(&FORMATS[i], &options, &diag);
		pipeline_done(&options.pipeline);
		return status;
	}
	diag_set(&diag, EXIT_USAGE, -EINVAL, "'%s' is not a format of this version",
		 options.format);
	diag_hint(&diag, "use --format perfetto, folded, speedscope, pprof, script or trace");
	return cmd_fail(&diag);
}

const struct command command_export = {"export", "[FILE] --format FORMAT [-o FILE]",
				       "turn a recording into another form", run, &ARGP};
