/* SPDX-License-Identifier: MIT */
/*
 * script_reader.h - what the parts of the script's reader share: lines, words, numbers
 * (script_read.c), one event (script_event.c), one definition (script_define.c).
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
	uint64_t line; /* number of the line at hand, from 1 */
	char text[SCRIPT_LINE_MAX];
};

/* What is wrong with the line at hand, into the diag. Returns -EINVAL. */
int script_wrong(struct script_reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* An error of the sink or of the head's callback: theirs to explain, and said in general when they
 * did not. Returns it. */
int script_stopped(struct script_reader *reader, int err);

/* For messages: a word of the line, made harmless. */
const char *script_shown(char text[static SCRIPT_SHOWN_MAX], const char *word);

/* The next word of *text, or "" at its end. */
char *script_next_word(char **text);

/* The whole word as a number of 0 … max. */
bool script_unsigned(const char *word, uint64_t max, uint64_t *ret_value);
/* The same for the value of KEY=VALUE, with its own message. 0 or -EINVAL. */
int script_number(struct script_reader *reader, const char *key, const char *value, uint64_t max,
		  uint64_t *ret_number);

/* The lines, to which the sink listens; `text` is changed. 0, -EINVAL or the sink's error. */
int script_event_parse(struct script_reader *reader, char *text);
int script_definition_parse(struct script_reader *reader, enum definition_kind kind,
			    char *text); /* what follows the kind's name */

#endif
