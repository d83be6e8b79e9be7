/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/cmd.h"
#include "cmd/replay.h"
#include "stream/script.h"

struct options {
	const char *file, *format, *output;
};

/*
 * A format turns a recording into another form, as it is read: head() comes once, before `sink` is used; finish() once at the end, unless something
 * failed before.
 */
struct exporter {
	FILE *file;
	struct stream_sink sink; /* of the format, from head() on */
	struct trace_writer *writer;
	struct diag *diag;
};
struct format {
	const char *name;
	int (*head)(void *exporter, const struct stream_head *head);
	int (*finish)(struct exporter *exporter);
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

static const struct format FORMATS[] = {
	{"script", script_begin, script_finish},
	{"trace", trace_begin, trace_finish},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'f':
		options->format = arg;
		return 0;
	case 'o':
		options->output = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (options->file)
			argp_error(state, "one recording at a time");
		options->file = arg;
		return 0;
	case ARGP_KEY_END:
		if (!options->format)
			argp_error(state, "which format? --format script or trace");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{"format", 'f', "FORMAT", 0, "script: every event as a line of text, without loss; trace: a script made a recording again", 0},
	{"output", 'o', "FILE", 0, "Write to this file (standard output)", 0},
	{0},
};
static const struct argp ARGP = {
	OPTIONS, parse, "[FILE]",
	"Turn a recording (gilscope.gsc; - is the standard input) into another form. A script can be read again wherever a recording can."
	"\vExample, the last events of a recording:\n  gilscope export --format script | tail",
	NULL, NULL, NULL,
};

static int export_to(FILE *to, const struct format *format, const struct options *options, struct diag *diag)
{
	_cleanup_(fclosep) FILE *from = NULL;
	struct exporter exporter = {.file = to, .diag = diag};
	struct trace_outcome outcome;
	int err = replay_open(options->file, diag, &from);

	if (!err)
		err = replay(from, options->file, format->head, &exporter, replay_late_sink(&exporter.sink), diag, &outcome);
	if (!err)
		err = format->finish(&exporter);
	trace_writer_free(exporter.writer);
	if (err)
		return err;
	if (fflush(to) || ferror(to))
		return diag_set(diag, EXIT_FAILED, -errno, "cannot write %s: %s", options->output ? options->output : "the standard output", strerror(errno));
	if (!outcome.complete)
		fprintf(stderr, "gilscope: %s was cut off; all that was whole in it is here.\n", options->file);
	return 0;
}

static int run(int argc, char **argv)
{
	_cleanup_(fclosep) FILE *opened = NULL;
	struct options options = {0};
	struct diag diag = {0};

	cmd_parse(&ARGP, argc, argv, &options);
	if (!options.file)
		options.file = "gilscope.gsc";
	for (size_t i = 0; i < sizeof(FORMATS) / sizeof(FORMATS[0]); i++) {
		if (strcmp(FORMATS[i].name, options.format) != 0)
			continue;
		if (options.output && !(opened = fopen(options.output, "we"))) {
			diag_set(&diag, EXIT_FAILED, -errno, "cannot create %s: %s", options.output, strerror(errno));
			return cmd_fail(&diag);
		}
		return export_to(opened ? opened : stdout, &FORMATS[i], &options, &diag) ? cmd_fail(&diag) : EXIT_OK;
	}
	diag_set(&diag, EXIT_USAGE, -EINVAL, "'%s' is not a format of this version", options.format);
	diag_hint(&diag, "use --format script or --format trace");
	return cmd_fail(&diag);
}

const struct command command_export = {"export", "[FILE] --format FORMAT [-o FILE]", "turn a recording into another form", run, &ARGP};
