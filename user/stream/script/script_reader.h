/* SPDX-License-Identifier: MIT */
/*
 * script_reader.h - shared by the parts of the script reader: lines, words and numbers
 * (script_read.c), events (script_event.c), definitions (script_define.c).
 */
#ifndef GILSCOPE_STREAM_SCRIPT_SCRIPT_READER_H
#define GILSCOPE_STREAM_SCRIPT_SCRIPT_READER_H

#include "stream/definition.h"
#include "stream/script/script.h"

#define SCRIPT_BLANKS	 " \t"
#define SCRIPT_SHOWN_MAX 64

struct script_reader {
	FILE *file;
	int (*head)(void *ctx, const struct stream_head *);
	void *head_ctx;
	struct stream_sink sink;
	struct diag *diag;
	bool has_head;
	struct definition_counts defined;
	uint64_t line; /* number of the current line, from 1 */
	char text[SCRIPT_LINE_MAX];
};

/* Reports what is wrong with the current line in the diag. Returns -EINVAL. */
int script_wrong(struct script_reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Passes on an error of the sink or of the head's callback, with a general message if they left the
 * diag empty. Returns the error. */
int script_stopped(struct script_reader *reader, int err);

/* A word of the line, escaped and cut for a message. */
const char *script_shown(char text[static SCRIPT_SHOWN_MAX], const char *word);

/* The next word of *text, or "" at its end. */
char *script_next_word(char **text);

/* Parses the whole word as a number from 0 to max. */
bool script_unsigned(const char *word, uint64_t max, uint64_t *ret_value);
/* The same for the value of KEY=VALUE; reports an error in the diag. 0 or -EINVAL. */
int script_number(struct script_reader *reader, const char *key, const char *value, uint64_t max,
		  uint64_t *ret_number);

/* Parse a line and feed it to the sink; `text` is modified. 0, -EINVAL or the sink's error. */
int script_event_parse(struct script_reader *reader, char *text);
int script_definition_parse(struct script_reader *reader, enum definition_kind kind,
			    char *text); /* the text after the kind's name */

#endif
