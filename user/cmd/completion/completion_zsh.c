/* SPDX-License-Identifier: MIT */
#include "cmd/completion/completion_shells.h"

/* The action of _arguments (zshcompsys(1)) that completes a value. */
static void put_action(FILE *file, const struct completion_kind *kind)
{
	switch (kind->what) {
	case COMPLETE_FILE:
		fputs("_files", file);
		break;
	case COMPLETE_PID:
		fputs("_gilscope_pids", file);
		break;
	case COMPLETE_COMMAND:
		fputs("_normal", file);
		break;
	case COMPLETE_WORD:
		fputc('(', file);
		completion_words(file, kind);
		fputc(')', file);
		break;
	case COMPLETE_WORDS:
		fputs("_sequence compadd - ", file);
		completion_words(file, kind);
		break;
	default:
		break;
	}
}

static void put_spec(FILE *file, const char *dashes, const char *name, const char *value,
		     const struct argp_option *option, const struct completion_kind *kind)
{
	fprintf(file, " \\\n\t\t\t'*%s%s%s[", dashes, name, value);
	completion_text(file, option->doc, "[]:");
	fputc(']', file);
	if (option->arg) {
		fprintf(file, ":%s%s:", option->flags & OPTION_ARG_OPTIONAL ? ":" : "",
			option->arg);
		put_action(file, kind);
	}
	fputc('\'', file);
}

static void put_option(FILE *file, const struct command *command, const struct argp_option *option,
		       const struct completion_kind *kind)
{
	const char *value = option->flags & OPTION_ARG_OPTIONAL ? "=-" : "=";
	const char letter[] = {completion_letter(option), 0};

	if (*letter)
		put_spec(file, "-", letter, option->arg ? "+" : "", option, kind);
	put_spec(file, "--", option->name, option->arg ? value : "", option, kind);
}

static void zsh_command(FILE *file, const struct command *command)
{
	const struct completion_kind *rest = completion_rest(command);

	fprintf(file, "\t\t%s)\n\t\t\t_arguments -s -S '--help[Show the options]'", command->name);
	completion_options(command, put_option, file);
	if (rest->what != COMPLETE_NOTHING) {
		fprintf(file, " \\\n\t\t\t'*:%s%s:", rest->what == COMPLETE_COMMAND ? "::" : "",
			rest->argument);
		put_action(file, rest);
		fputc('\'', file);
	}
	fputs("\n\t\t\t;;\n", file);
}

void completion_zsh(FILE *file, const struct command *const commands[], size_t count)
{
	fputs("#compdef gilscope\n# zsh completion of gilscope, written by gilscope --completion "
	      "zsh\n\n"
	      "_gilscope_pids()\n{\n\tlocal -a pids\n\tpids=(${(f)\"$(_call_program pids $program "
	      "--pids 2>/dev/null)\"})\n"
	      "\tpids=(${pids/$'\\t'/:})\n\t_describe -V 'Python process' pids\n}\n\n"
	      "_gilscope()\n{\n\tlocal curcontext=$curcontext program=$words[1] state "
	      "line\n\tlocal -a known\n"
	      "\t_arguments -C -S '(- *)--help[Show the commands]' '(- *)--version[Show the "
	      "version]' '1:command:->command' '*::argument:->rest'\n"
	      "\tcase $state in\n\tcommand)\n\t\tknown=(\n",
	      file);
	for (size_t i = 0; i < count; i++) {
		fprintf(file, "\t\t\t'%s:", commands[i]->name);
		completion_text(file, commands[i]->summary, "");
		fputs("'\n", file);
	}
	fputs("\t\t)\n\t\t_describe command known\n\t\t;;\n\trest)\n\t\tcase $words[1] in\n", file);
	for (size_t i = 0; i < count; i++)
		zsh_command(file, commands[i]);
	fputs("\t\tesac\n\t\t;;\n\tesac\n}\n\n_gilscope \"$@\"\n", file);
}
