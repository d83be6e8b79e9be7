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

/* A format turns a recording into another form, as it is read. */
struct format {
	const char *name;
	int (*head)(void *file, const struct stream_head *head);
	struct stream_sink (*sink)(FILE *file);
};

static int script_head(void *file, const struct stream_head *head)
{
	return script_write_head(file, head);
}

static const struct format FORMATS[] = {
	{"script", script_head, script_sink},
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
			argp_error(state, "which format? --format script");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option OPTIONS[] = {
	{"format", 'f', "FORMAT", 0, "script: every event as a line of text, without loss", 0},
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
	struct trace_outcome outcome;
	int err = replay_open(options->file, diag, &from);

	if (!err)
		err = replay(from, options->file, format->head, to, format->sink(to), diag, &outcome);
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
	diag_hint(&diag, "use --format script");
	return cmd_fail(&diag);
}

const struct command command_export = {"export", "[FILE] --format script [-o FILE]", "turn a recording into another form", run, &ARGP};
