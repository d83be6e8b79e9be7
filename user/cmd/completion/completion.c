/* SPDX-License-Identifier: MIT */
#include "cmd/completion/completion.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "cmd/completion/completion_shells.h"
#include "python/process/pythons.h"

/* ── the kind of an argument, by its name in --help ──────────────────────── */

static const char *state_name(unsigned int i)
{
	return i < TS_COUNT ? thread_state_name((enum thread_state)i) : NULL;
}

static const struct completion_kind KINDS[] = {
	{"DUR", COMPLETE_NOTHING, NULL},
	{"TIME", COMPLETE_NOTHING, NULL},
	{"HZ", COMPLETE_NOTHING, NULL},
	{"MIB", COMPLETE_NOTHING, NULL},
	{"PORT", COMPLETE_NOTHING, NULL},
	{"PORT|PATH", COMPLETE_FILE, NULL},
	{"FD", COMPLETE_NOTHING, NULL},
	{"FILE", COMPLETE_FILE, NULL},
	{"FILE.html", COMPLETE_FILE, NULL},
	{"DIR", COMPLETE_FILE, NULL}, /* of --app-root, which takes the file of a module, too */
	{"PID", COMPLETE_PID, NULL},
	{"PATTERN", COMPLETE_NOTHING, NULL},
	{"NUMBER", COMPLETE_NOTHING, NULL},
	{"COMMAND", COMPLETE_COMMAND, NULL},
	{"FORMAT", COMPLETE_WORD, export_format_name},
	{"WHEN", COMPLETE_WORD, options_colour_name},
	{"STATE,...", COMPLETE_WORDS, state_name},
	{"MODE", COMPLETE_WORD, options_mode_name},
	{"waiter|holder", COMPLETE_WORD, options_direction_name},
};
static const struct completion_kind NOTHING = {"", COMPLETE_NOTHING, NULL};

const struct completion_kind *completion_kind(const char *argument)
{
	for (size_t i = 0; i < sizeof(KINDS) / sizeof(KINDS[0]); i++)
		if (!strcmp(KINDS[i].argument, argument))
			return &KINDS[i];
	return NULL;
}

/* args_doc is like "PID...", "[FILE]" or "-p PID\n-- COMMAND [ARG...]": the arguments are of the
 * kind that the first word in capitals names, or the one after "--". */
const struct completion_kind *completion_rest(const struct command *command)
{
	const char *text = command->args_doc;
	const char *after = text ? strstr(text, "-- ") : NULL;
	char word[32];

	text = after ? after + 3 : text;
	if (!text || sscanf(text, "%*[[]%31[A-Z]", word) < 1)
		if (!text || sscanf(text, "%31[A-Z]", word) < 1)
			return &NOTHING;
	return completion_kind(word) ? completion_kind(word) : &NOTHING;
}

void completion_options(const struct command *command, completion_option_fn *put, FILE *file)
{
	struct argp_option list[OPTIONS_MAX];
	size_t count = options_of(command, list);

	for (const struct argp_option *option = list; option < list + count; option++)
		if (option->name && !(option->flags & OPTION_HIDDEN))
			put(file, command, option,
			    option->arg ? completion_kind(option->arg) : &NOTHING);
}

char completion_letter(const struct argp_option *option)
{
	return isascii(option->key) && isprint(option->key) ? (char)option->key : 0;
}

void completion_words(FILE *file, const struct completion_kind *kind)
{
	for (unsigned int i = 0; kind->word(i); i++)
		fprintf(file, "%s%s", i ? " " : "", kind->word(i));
}

void completion_text(FILE *file, const char *text, const char *escaped)
{
	for (; *text && *text != ';'; text++) {
		if (*text == '\'')
			fputs("'\\'", file);
		else if (strchr(escaped, *text))
			fputc('\\', file);
		fputc(*text, file);
	}
}

/* Finds an option whose argument is of none of the kinds above: it would be completed wrongly. */
static const char *unknown_argument(const struct command *command)
{
	struct argp_option list[OPTIONS_MAX];
	size_t count = options_of(command, list);

	for (const struct argp_option *option = list; option < list + count; option++)
		if (option->arg && !(option->flags & OPTION_HIDDEN) &&
		    !completion_kind(option->arg))
			return option->arg;
	return NULL;
}

int completion_write(FILE *file, const char *shell, const struct command *const commands[],
		     size_t count)
{
	static const struct {
		const char *name;
		void (*write)(FILE *file, const struct command *const commands[], size_t count);
	} shells[] = {
		{"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};

	for (size_t i = 0; i < count; i++) {
		const char *unknown = unknown_argument(commands[i]);

		if (unknown) {
			fprintf(stderr,
				"gilscope: completion of %s does not know what the argument %s is; "
				"it is to be named in user/cmd/completion/completion.c.\n",
				commands[i]->name, unknown);
			return EXIT_FAILED;
		}
	}
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (!strcmp(shells[i].name, shell)) {
			shells[i].write(file, commands, count);
			return EXIT_OK;
		}
	}
	fprintf(stderr,
		"gilscope: there is no completion for '%s'; write --completion bash, zsh or "
		"fish.\n",
		shell);
	return EXIT_USAGE;
}

/* ── processes ───────────────────────────────────────────────────────────── */

static int put_process(void *ctx, pid_t pid, const char *cmdline)
{
	char shown[4 * 128];

	fprintf(ctx, "%d\t%s\n", pid, escape_text(shown, sizeof(shown), cmdline, 128));
	return 0;
}

void completion_pids(FILE *file)
{
	(void)pythons_each(put_process, file);
}
