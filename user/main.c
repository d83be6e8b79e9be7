/* SPDX-License-Identifier: MIT */
/*
 * gilscope - who held Python's GIL, who waited, and why the event loop was starved.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/completion/completion.h"
#include "cmd/man.h"

static const struct command *const COMMANDS[] = {
	&command_attach,   &command_top,   &command_dump,   &command_record, &command_report,
	&command_timeline, &command_flame, &command_export, &command_doctor,
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

static int run(const struct command *command, int argc, char **argv)
{
	struct options options;

	options_parse(command, argc, argv, &options);
	return command->run(&options);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	open_standard_streams();
	if (!name) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		print_help(stdout);
		return EXIT_OK;
	}
	if (!strcmp(name, "--version")) {
		printf("gilscope %s\n", GILSCOPE_VERSION);
		return EXIT_OK;
	}
	if (!strcmp(name, "--man") && argc == 2) {
		man_write(stdout, COMMANDS, COMMAND_COUNT);
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
	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (!strcmp(name, COMMANDS[i]->name))
			return run(COMMANDS[i], argc - 1, argv + 1);
		if (!strcmp(name, "--man") && !strcmp(argv[2], COMMANDS[i]->name)) {
			man_write_command(stdout, COMMANDS[i]);
			return EXIT_OK;
		}
	}
	fprintf(stderr, "gilscope: '%s' is not a command; 'gilscope --help' lists them.\n", name);
	return EXIT_USAGE;
}
