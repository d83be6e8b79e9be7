/* SPDX-License-Identifier: MIT */
#include "stream/script/script_reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/escape.h"
#include "stream/describe.h"

#define HEAD "gilscope-script"

int script_wrong(struct script_reader *reader, const char *format, ...)
{
	char what[sizeof(reader->diag->what) - 32];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return diag_set(reader->diag, EXIT_FAILED, -EINVAL, "line %" PRIu64 ": %s", reader->line,
			what);
}

int script_stopped(struct script_reader *reader, int err)
{
	if (err && reader->diag->status == EXIT_OK)
		diag_set(reader->diag, EXIT_FAILED, err, "line %" PRIu64 ": cannot continue: %s",
			 reader->line, strerror(-err));
	return err;
}

/* ── words ───────────────────────────────────────────────────────────────── */

const char *script_shown(char text[static SCRIPT_SHOWN_MAX], const char *word)
{
	return escape_text(text, SCRIPT_SHOWN_MAX, word, strlen(word));
}

char *script_next_word(char **text)
{
	char *word = *text + strspn(*text, SCRIPT_BLANKS);
	char *end = word + strcspn(word, SCRIPT_BLANKS);

	*text = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

/* strtoull() alone would accept signs, blanks and octal. */
bool script_unsigned(const char *word, uint64_t max, uint64_t *ret_value)
{
	bool hexadecimal = word[0] == '0' && word[1] == 'x';
	const char *digits = word + (hexadecimal ? 2 : 0);
	unsigned long long value;

	if (!*digits ||
	    digits[strspn(digits, hexadecimal ? "0123456789abcdefABCDEF" : "0123456789")])
		return false;
	errno = 0;
	value = strtoull(digits, NULL, hexadecimal ? 16 : 10);
	if (errno || value > max)
		return false;
	*ret_value = value;
	return true;
}

int script_number(struct script_reader *reader, const char *key, const char *value, uint64_t max,
		  uint64_t *ret_number)
{
	char word[SCRIPT_SHOWN_MAX];

	if (script_unsigned(value, max, ret_number))
		return 0;
	return script_wrong(reader, "%s='%s' is not a number of 0 to %" PRIu64, key,
			    script_shown(word, value), max);
}

/* ── lines ───────────────────────────────────────────────────────────────── */

static int head_parse(struct script_reader *reader, char *text)
{
	const char *name = script_next_word(&text), *version;
	char why[DESCRIBE_WHY_MAX], word[SCRIPT_SHOWN_MAX];
	struct stream_head head;
	int err;

	if (strcmp(name, HEAD) != 0) {
		err = script_wrong(reader, "this is not a gilscope script");
		diag_hint(reader->diag, "a script begins with the line: " HEAD
					" 1 {\"version\": \"…\", \"mode\": \"…\"}");
		return err;
	}
	version = script_next_word(&text);
	if (strcmp(version, "1") != 0) {
		diag_set(reader->diag, EXIT_UNSUPPORTED, -ENOTSUP,
			 "the script has format '%s', and this version reads format 1",
			 script_shown(word, version));
		diag_hint(reader->diag, "read it with a newer gilscope");
		return -ENOTSUP;
	}
	if (parse_head(text, strlen(text), true, &head, why))
		return script_wrong(reader, "the head: %s", why);
	reader->has_head = true;
	return script_stopped(reader, reader->head ? reader->head(reader->head_ctx, &head) : 0);
}

static int process_parse(struct script_reader *reader, const char *text)
{
	char why[DESCRIBE_WHY_MAX];
	struct process_info info;

	if (parse_process(text, strlen(text), true, &info, why))
		return script_wrong(reader, "the process: %s", why);
	return script_stopped(reader, sink_process(&reader->sink, &info));
}

static bool is_word(const char *text, const char *word)
{
	return strcspn(text, SCRIPT_BLANKS) == strlen(word) &&
	       strncmp(text, word, strlen(word)) == 0;
}

static int line_parse(struct script_reader *reader)
{
	char *text = reader->text + strspn(reader->text, SCRIPT_BLANKS);

	if (!*text || *text == '#')
		return 0;
	if (!reader->has_head)
		return head_parse(reader, text);
	if (strncmp(text, "process", 7) == 0 && strchr(SCRIPT_BLANKS "{", text[7]))
		return process_parse(reader, text + 7);
	for (enum definition_kind kind = 0; kind < DEFINE_KINDS; kind++)
		if (is_word(text, definition_name(kind)))
			return script_definition_parse(reader, kind,
						       text + strlen(definition_name(kind)));
	return script_event_parse(reader, text);
}

/* Reads the next line, if any. Not fgets(), which cannot distinguish a NUL from an end. */
static int next_line(struct script_reader *reader, bool *ret_some)
{
	size_t length = 0;
	int c;

	reader->line++;
	while ((c = getc_unlocked(reader->file)) != EOF && c != '\n') {
		if (!c)
			return script_wrong(reader, "a NUL, which no script has");
		if (length == sizeof(reader->text) - 1)
			return script_wrong(reader, "longer than %zu bytes",
					    sizeof(reader->text) - 1);
		reader->text[length++] = (char)c;
	}
	if (c == EOF && ferror(reader->file)) {
		int err = errno ? errno : EIO;

		return diag_set(reader->diag, EXIT_FAILED, -err, "cannot read the script: %s",
				strerror(err));
	}
	reader->text[length] = '\0';
	*ret_some = c != EOF || length;
	return 0;
}

int script_read(FILE *file, int (*head)(void *ctx, const struct stream_head *), void *head_ctx,
		struct stream_sink sink, struct diag *diag)
{
	struct script_reader reader = {
		.file = file, .head = head, .head_ctx = head_ctx, .sink = sink, .diag = diag};
	int err;

	diag->status = EXIT_OK;
	for (bool some;;) {
		errno = 0;
		err = next_line(&reader, &some);
		if (err || !some)
			break;
		err = line_parse(&reader);
		if (err)
			return err;
	}
	if (!err && !reader.has_head)
		return diag_set(diag, EXIT_FAILED, -EINVAL,
				"the script has no head: a line " HEAD " 1 {…}");
	return err;
}

bool script_recognise(const char *bytes, size_t length)
{
	return (length && bytes[0] == '#') ||
	       (length >= strlen(HEAD) && memcmp(bytes, HEAD, strlen(HEAD)) == 0);
}
