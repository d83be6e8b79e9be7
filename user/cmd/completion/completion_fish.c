/* SPDX-License-Identifier: MIT */
#include "cmd/completion/completion_shells.h"

static void fish_value(FILE *file, const struct completion_kind *kind)
{
	switch (kind->what) {
	case COMPLETE_FILE:
		fputs(" -F", file);
		break;
	case COMPLETE_PID:
		fputs(" -a '(__gilscope_pids)'", file);
		break;
	case COMPLETE_COMMAND:
		fputs(" -a '(__gilscope_command)'", file);
		break;
	case COMPLETE_WORD:
		fputs(" -a '", file);
		completion_words(file, kind);
		fputc('\'', file);
		break;
	case COMPLETE_WORDS:
		fputs(" -a '(__fish_append , ", file);
		completion_words(file, kind);
		fputs(")'", file);
		break;
	default:
		break;
	}
}

static void put_option(FILE *file, const struct command *command, const struct argp_option *option,
		       const struct completion_kind *kind)
{
	fprintf(file, "complete -c gilscope -n '__gilscope_in %s' -l %s", command->name,
		option->name);
	if (completion_letter(option))
		fprintf(file, " -s %c", completion_letter(option));
	if (option->arg && !(option->flags & OPTION_ARG_OPTIONAL))
		fputs(" -r", file);
	fish_value(file, kind);
	fputs(" -d '", file);
	completion_text(file, option->doc, "\\");
	fputs("'\n", file);
}

void completion_fish(FILE *file, const struct command *const commands[], size_t count)
{
	fputs("# fish completion of gilscope, written by gilscope --completion fish\n\n"
	      "function __gilscope_in\n\tset -l words (commandline -opc)\n\ttest (count $words) "
	      "-gt 1; and test $words[2] = $argv[1]\nend\n"
	      "function __gilscope_pids\n\tset -l words (commandline -opc)\n\t$words[1] --pids "
	      "2>/dev/null\nend\n"
	      "function __gilscope_command\n\tset -l words (commandline -opc) (commandline "
	      "-ct)\n\tset -l at (contains -i -- -- $words)\n"
	      "\t__fish_complete_subcommand --commandline $words[(math $at + 1)..-1]\nend\n"
	      "complete -c gilscope -f\n"
	      "complete -c gilscope -n 'test (count (commandline -opc)) -eq 1' -l version -d 'Show "
	      "the version'\n"
	      "complete -c gilscope -l help -d 'Show the options'\n",
	      file);
	for (size_t i = 0; i < count; i++) {
		const struct completion_kind *rest = completion_rest(commands[i]);

		fprintf(file,
			"complete -c gilscope -n 'test (count (commandline -opc)) -eq 1' -a %s -d "
			"'",
			commands[i]->name);
		completion_text(file, commands[i]->summary, "\\");
		fputs("'\n", file);
		completion_options(commands[i], put_option, file);
		if (rest->what == COMPLETE_NOTHING)
			continue;
		fprintf(file, "complete -c gilscope -n '__gilscope_in %s%s'", commands[i]->name,
			rest->what == COMPLETE_COMMAND ? "; and contains -- -- (commandline -opc)"
						       : "");
		fish_value(file, rest);
		fputc('\n', file);
	}
}
