/* SPDX-License-Identifier: MIT */
#include "cmd/man.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "python/interpreter/version.h"

/* Writes text with troff's special characters escaped. */
static void put(FILE *file, const char *text, size_t length)
{
	for (size_t i = 0; i < length && text[i]; i++) {
		if ((i == 0 || text[i - 1] == '\n') && (text[i] == '.' || text[i] == '\''))
			fputs("\\&", file);
		if (text[i] == '-')
			fputs("\\-", file);
		else if (text[i] == '\\')
			fputs("\\e", file);
		else
			fputc(text[i], file);
	}
}

static void put_line(FILE *file, const char *text)
{
	put(file, text, strlen(text));
	fputc('\n', file);
}

static void put_options(FILE *file, const struct command *command)
{
	struct argp_option list[OPTIONS_MAX];
	size_t count = options_of(command, list);

	for (const struct argp_option *option = list; option < list + count; option++) {
		if (!option->name) /* a heading */
			continue;
		fputs(".TP\n\\fB", file);
		if (isascii(option->key) && isprint(option->key))
			fprintf(file, "\\-%c\\fR, \\fB", option->key);
		fputs("\\-\\-", file);
		put(file, option->name, strlen(option->name));
		fputs("\\fR", file);
		if (option->arg)
			fprintf(file,
				option->flags & OPTION_ARG_OPTIONAL ? "[=\\fI%s\\fR]"
								    : "=\\fI%s\\fR",
				option->arg);
		fputc('\n', file);
		put_line(file, option->doc);
	}
}

/* In argp's `doc` the description precedes \v; notes and the example follow it. */
static void put_description(FILE *file, const struct command *command)
{
	put(file, command->doc, strcspn(command->doc, "\v"));
	fputc('\n', file);
}

static void put_example(FILE *file, const struct command *command)
{
	const char *after = strchr(command->doc, '\v');

	if (!after)
		return;
	fputs(".PP\n.nf\n", file);
	put_line(file, after + 1);
	fputs(".fi\n", file);
}

static void put_statuses(FILE *file)
{
	static const char *const statuses[][2] = {
		{"0", "all went well"},
		{"1", "failure; one sentence on stderr says what, and what to do"},
		{"2", "the command line was not understood"},
		{"3", "not permitted; the missing capability is named"},
		{"4", "the target is not supported; why is named"},
		{"5",
		 "the result is there, but evidence was lost: more than 0.1 % of the threads' time "
		 "is unknown, a recording is damaged, or not all takes and drops of the GIL could "
		 "be traced"},
		{"130", "ended by a second Ctrl\\-C, or before the observation began; the first "
			"ends the observation and prints the result"},
	};

	fputs(".SH EXIT STATUS\n", file);
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		fprintf(file, ".TP\n.B %s\n%s\n", statuses[i][0], statuses[i][1]);
}

static void put_environment(FILE *file)
{
	fputs(".SH ENVIRONMENT\n.TP\n.BR GILSCOPE_PAGER , \" PAGER\"\nwhat long results go "
	      "through on a terminal, instead of less; empty or cat: nothing. Under sudo it runs "
	      "as the user who called sudo\n.TP\n.B NO_COLOR\nif it is not empty, no colours\n",
	      file);
}

void man_write_command(FILE *file, const struct command *command)
{
	fprintf(file, ".TH GILSCOPE-");
	for (const char *at = command->name; *at; at++)
		fputc(toupper((unsigned char)*at), file);
	fprintf(file, " 1 \"\" \"gilscope %s\"\n.SH NAME\ngilscope\\-%s \\- ", GILSCOPE_VERSION,
		command->name);
	put_line(file, command->summary);
	fprintf(file, ".SH SYNOPSIS\n\\fBgilscope %s\\fR ", command->name);
	put_line(file, command->arguments);
	fputs(".SH DESCRIPTION\n", file);
	put_description(file, command);
	if (strchr(command->doc, '\v')) {
		fputs(".SH EXAMPLE\n", file);
		put_example(file, command);
	}
	fputs(".SH OPTIONS\n", file);
	put_options(file, command);
	put_statuses(file);
	fputs(".SH SEE ALSO\n.BR gilscope (1)\n", file);
}

void man_write(FILE *file, const struct command *const commands[], size_t count)
{
	fprintf(file, ".TH GILSCOPE 1 \"\" \"gilscope %s\"\n.SH NAME\n", GILSCOPE_VERSION);
	fputs("gilscope \\- who held Python's GIL, who waited, and why the event loop was "
	      "blocked\n.SH SYNOPSIS\n.nf\n",
	      file);
	for (size_t i = 0; i < count; i++) {
		fprintf(file, "\\fBgilscope %s\\fR ", commands[i]->name);
		put_line(file, commands[i]->arguments);
	}
	fprintf(file,
		".fi\n.SH DESCRIPTION\nAttaches with eBPF to a running, unmodified CPython process "
		"(3.%d to 3.%d, symbols not needed) and traces "
		"who waits for the Global Interpreter Lock and who has it meanwhile (in mode exact "
		"every take and drop), the scheduling of its threads and the waits of its event "
		"loops; only what runs on a CPU is sampled. "
		"The target is neither "
		"changed nor stopped. Durations are written 10s, 250ms, 1m30s. A process is a PID, "
		"a name on its command line (an extended regular expression, as of pgrep \\-f) or "
		":PORT, on which it listens; without one, the Python processes are listed. Every "
		"command takes \\-\\-help and \\-\\-version.\n.SH COMMANDS\n",
		PYTHON_MINOR_MIN, PYTHON_MINOR_MAX);
	for (size_t i = 0; i < count; i++) {
		fprintf(file, ".SS gilscope %s ", commands[i]->name);
		put_line(file, commands[i]->arguments);
		put_description(file, commands[i]);
		put_options(file, commands[i]);
		put_example(file, commands[i]);
	}
	put_statuses(file);
	put_environment(file);
	fputs(".SH FILES\n.TP\n.I gilscope.gsc\nwhat record writes by default; where it exists, "
	      "gilscope\\-2.gsc and so on. The newest of them is what is read without FILE\n.SH "
	      "SEE ALSO\n",
	      file);
	for (size_t i = 0; i < count; i++)
		fprintf(file, ".BR gilscope\\-%s (1)%s\n", commands[i]->name,
			i + 1 < count ? "," : "");
}
