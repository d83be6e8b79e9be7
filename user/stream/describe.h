/* SPDX-License-Identifier: MIT */
/*
 * describe.h - the head and the processes of a stream as JSON objects, the form in which traces and
 * scripts hold them.
 *
 * Members are named as in stream.h. Texts are escaped as by escape_text(), because JSON cannot
 * express bytes that are not UTF-8. Facts (facts.h) are written by their names. A missing member is
 * 0 or empty, except that gil_enabled is then true and "pid" is required.
 */
#ifndef GILSCOPE_STREAM_DESCRIBE_H
#define GILSCOPE_STREAM_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include "stream/stream.h"

/* Upper bound of an object's text, terminator included: the longest strings with every byte
 * escaped. */
#define DESCRIBE_TEXT_MAX 8192

/* Writes the object as one line without an end of line. -ENOMEM; -EOVERFLOW when a number does not
 * fit JSON's 63 bits. */
int describe_head(const struct stream_head *head, char ret_text[static DESCRIBE_TEXT_MAX]);
int describe_process(const struct process_info *info, char ret_text[static DESCRIBE_TEXT_MAX]);

#define DESCRIBE_WHY_MAX 192

/*
 * Reads an object. `strict` refuses members it does not know, as befits a text typed by a person; a
 * trace may be from a newer version and have more. -EINVAL for all that is not such an object;
 * `ret_why` then says what is wrong, fit for a terminal.
 */
int parse_head(const char *text, size_t length, bool strict, struct stream_head *ret_head,
	       char ret_why[static DESCRIBE_WHY_MAX]);
int parse_process(const char *text, size_t length, bool strict, struct process_info *ret_info,
		  char ret_why[static DESCRIBE_WHY_MAX]);

#endif
