/* SPDX-License-Identifier: MIT */
/*
 * gilscope - who held Python's GIL, who waited, and why the event loop was blocked.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/completion/completion.h"
#include "cmd/man.h"
#include "cmd/suggest.h"

static const struct command *const COMMANDS[] = {
	&command_attach, &command_top,	    &command_watch, &command_dump,   &command_record,
	&command_report, &command_timeline, &command_flame, &command_export, &command_doctor,
};
#define COMMAND_COUNT (sizeof(COMMANDS) / sizeof(COMMANDS[0]))

static void print_help(FILE *file)
{
	fprintf(file, "Usage: gilscope COMMAND [OPTION...]\n"
		      "Says which thread of a running Python process held the GIL, who waited, and "
		      "why the event loop stalled.\n\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(file, "  %-8s %-34s %s\n", COMMANDS[i]->name, COMMANDS[i]->arguments,
			COMMANDS[i]->summary);
	fprintf(file, "\nTry 'sudo gilscope attach PID' first, and 'gilscope COMMAND --help' for "
		      "the options.\n");
}

/* If a standard stream is closed, the next file that is opened would get its number, and messages.
 */
static void open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static const char *command_word(const void *ctx, size_t i)
{
	if (i == COMMAND_COUNT)
		return "help";
	return i < COMMAND_COUNT ? COMMANDS[i]->name : NULL;
}

static const struct command *command_named(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(name, COMMANDS[i]->name))
			return COMMANDS[i];
	return NULL;
}

/* What may have been meant by a first word that is no command. */
static int refuse_command(const char *name)
{
	const char *meant = suggest(name, command_word, NULL);

	fprintf(stderr, "gilscope: '%s' is not a command", name);
	if (meant)
		fprintf(stderr, "; did you mean gilscope %s?\n", meant);
	else if (!name[strspn(name, "0123456789")] || *name == ':')
		fprintf(stderr, "; did you mean gilscope attach %s?\n", name);
	else if (!access(name, F_OK))
		fprintf(stderr, "; did you mean gilscope report %s?\n", name);
	else
		fprintf(stderr, "; 'gilscope --help' lists them.\n");
	return EXIT_USAGE;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct options options;

	options_parse(command, argc, argv, &options);
	return command->run(&options);
}

/* help, help COMMAND */
static int help(const char *name)
{
	const struct command *command = name ? command_named(name) : NULL;

	if (!name) {
		print_help(stdout);
		return EXIT_OK;
	}
	return command ? run(command, 2, (char *[]){(char *)name, "--help", NULL})
		       : refuse_command(name);
}

/* Words for people, and for the Makefile, the tests and the completion scripts. Returns the exit
 * status; -1: it is none of them. */
static int run_word(const char *name, int argc, char **argv)
{
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help"))
		return help(argv[2]);
	if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
		puts(argp_program_version);
		return EXIT_OK;
	}
	if (!strcmp(name, "--man") && argc == 2) {
		man_write(stdout, COMMANDS, COMMAND_COUNT);
		return EXIT_OK;
	}
	if (!strcmp(name, "--man") && command_named(argv[2])) {
		man_write_command(stdout, command_named(argv[2]));
		return EXIT_OK;
	}
	if (!strcmp(name, "--commands")) { /* for the Makefile, which makes the manual pages */
		for (size_t i = 0; i < COMMAND_COUNT; i++)
			puts(COMMANDS[i]->name);
		return EXIT_OK;
	}
	if (!strcmp(name, "--formats")) { /* for tests of all exports */
		for (unsigned int i = 0; export_format_name(i); i++)
			puts(export_format_name(i));
		return EXIT_OK;
	}
	if (!strcmp(name, "--completion") && argc == 3)
		return completion_write(stdout, argv[2], COMMANDS, COMMAND_COUNT);
	if (!strcmp(name, "--pids")) { /* for the completion scripts */
		completion_pids(stdout);
		return EXIT_OK;
	}
	return -1;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	int status;

	argp_program_version = "gilscope " GILSCOPE_VERSION;
	open_standard_streams();
	if (!name) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	status = run_word(name, argc, argv);
	if (status >= 0)
		return status;
	return command_named(name) ? run(command_named(name), argc - 1, argv + 1)
				   : refuse_command(name);
}
