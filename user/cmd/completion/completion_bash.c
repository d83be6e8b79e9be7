/* SPDX-License-Identifier: MIT */
#include "cmd/completion/completion_shells.h"

/* Uses nothing of the package bash-completion, which only loads it. `mapfile` instead of $(…),
 * because file names may contain blanks. */
static const char HELPERS[] =
	"_gilscope_words()\n{\n\tmapfile -t COMPREPLY < <(compgen -W \"$1\" -- \"$2\")\n}\n"
	"_gilscope_list()\n{\n\tlocal done=\n\t[[ $2 != *,* ]] || done=${2%,*},\n\tmapfile -t "
	"COMPREPLY < <(compgen -P \"$done\" -W \"$1\" -- "
	"\"${2##*,}\")\n"
	"\tcompopt -o nospace 2>/dev/null\n}\n"
	"_gilscope_files()\n{\n\tcompopt -o filenames 2>/dev/null\n\tmapfile -t COMPREPLY < "
	"<(compgen -f -- \"$1\")\n}\n"
	/* compgen -W expands its words, so only numbers may get there */
	"_gilscope_pids()\n{\n\t_gilscope_words \"$(\"$1\" --pids 2>/dev/null | sed -n "
	"'s/^\\([0-9][0-9]*\\)\\t.*/\\1/p')\" \"$2\"\n}\n";

static const char HEAD[] = "_gilscope()\n{\n"
			   "\tlocal program=$1 current=${COMP_WORDS[COMP_CWORD]} "
			   "before=${COMP_WORDS[COMP_CWORD-1]} i\n"
			   "\tCOMPREPLY=()\n"
			   "\t# bash takes = for a word of its own\n"
			   "\tif [[ $current == = ]]; then\n\t\tcurrent= before+==\n"
			   "\telif [[ $before == = && $COMP_CWORD -gt 2 ]]; "
			   "then\n\t\tbefore=${COMP_WORDS[COMP_CWORD-2]}=\n\tfi\n";

static void bash_value(FILE *file, const struct completion_kind *kind)
{
	switch (kind->what) {
	case COMPLETE_FILE:
		fputs("_gilscope_files \"$current\"", file);
		break;
	case COMPLETE_PID:
		fputs("_gilscope_pids \"$program\" \"$current\"", file);
		break;
	case COMPLETE_WORD:
	case COMPLETE_WORDS:
		fputs(kind->what == COMPLETE_WORD ? "_gilscope_words '" : "_gilscope_list '", file);
		completion_words(file, kind);
		fputs("' \"$current\"", file);
		break;
	default:
		fputs(":", file);
	}
}

static void put_argument(FILE *file, const struct command *command,
			 const struct argp_option *option, const struct completion_kind *kind)
{
	if (!option->arg)
		return;
	fputs("\t\t", file);
	if (!(option->flags & OPTION_ARG_OPTIONAL)) {
		if (completion_letter(option))
			fprintf(file, "-%c | ", completion_letter(option));
		fprintf(file, "--%s | ", option->name);
	}
	fprintf(file, "--%s=) ", option->name);
	bash_value(file, kind);
	fputs("; return ;;\n", file);
}

static void put_name(FILE *file, const struct command *command, const struct argp_option *option,
		     const struct completion_kind *kind)
{
	if (completion_letter(option))
		fprintf(file, " -%c", completion_letter(option));
	fprintf(file, " --%s", option->name);
}

static void bash_command(FILE *file, const struct command *command)
{
	const struct completion_kind *rest = completion_rest(command);

	fprintf(file, "\t%s)\n", command->name);
	if (rest->what == COMPLETE_COMMAND) { /* what is behind -- has options of its own */
		fputs("\t\tfor ((i = 2; i < COMP_CWORD; i++)); do\n\t\t\t[[ ${COMP_WORDS[i]} == -- "
		      "]] || continue\n"
		      "\t\t\tif ((i == COMP_CWORD - 1)); then\n\t\t\t\tmapfile -t COMPREPLY < "
		      "<(compgen -c -- \"$current\")\n"
		      "\t\t\telse\n\t\t\t\t_gilscope_files "
		      "\"$current\"\n\t\t\tfi\n\t\t\treturn\n\t\tdone\n",
		      file);
	}
	fputs("\t\tcase $before in\n", file);
	completion_options(command, put_argument, file);
	fputs("\t\tesac\n\t\tif [[ $current == -* ]]; then\n\t\t\t_gilscope_words '--help", file);
	completion_options(command, put_name, file);
	fputs("' \"$current\"\n\t\telse\n\t\t\t", file);
	bash_value(file, rest);
	fputs("\n\t\tfi\n\t\t;;\n", file);
}

void completion_bash(FILE *file, const struct command *const commands[], size_t count)
{
	fputs("# bash completion of gilscope, written by gilscope --completion bash\n\n", file);
	fputs(HELPERS, file);
	fputs(HEAD, file);
	fputs("\tif ((COMP_CWORD == 1)); then\n\t\t_gilscope_words '", file);
	for (size_t i = 0; i < count; i++)
		fprintf(file, "%s ", commands[i]->name);
	fputs("--help --version' \"$current\"\n\t\treturn\n\tfi\n\tcase ${COMP_WORDS[1]} in\n",
	      file);
	for (size_t i = 0; i < count; i++)
		bash_command(file, commands[i]);
	fputs("\tesac\n}\ncomplete -F _gilscope gilscope\n", file);
}
