/* SPDX-License-Identifier: MIT */
/*
 * json_out.h - writes JSON piece by piece, so that lists that grow with the findings need no
 * memory.
 */
#ifndef GILSCOPE_VIEW_JSON_OUT_H
#define GILSCOPE_VIEW_JSON_OUT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "words/text_buffer.h"
#include "view/view.h"

struct json_out {
	FILE *file;
	int error; /* the first one; everything after it is dropped */
};

/* Writes text verbatim. */
void json_put(struct json_out *out, const char *text);
/* Writes the value and releases it. JSON_EMBED leaves the braces to the caller. NULL stands for a
 * value that could not be made: -ENOMEM. */
void json_put_value(struct json_out *out, json_t *value, size_t flags);
/* Starts the value of a key, behind `separator`, which may end what came before. The key is
 * JSON_KEY(). */
void json_put_key(struct json_out *out, const char *separator, const char *key);
/* Starts element `index` of a list, on a new line. */
void json_put_next(struct json_out *out, uint32_t index);
/* Flushes. 0 or the first error. */
int json_out_finish(struct json_out *out);

/* A key of a table's object (json_table.h). */
struct json_key {
	const char *name; /* NULL ends the keys of an object */
	enum { JSON_KEY_REQUIRED, JSON_KEY_OPTIONAL, JSON_KEY_STREAMED } kind;
};

/* The value of an optional key that is not written. */
extern json_t json_left_out;
#define JSON_LEFT_OUT (&json_left_out)

/* A new object, whose keys' values are named: JSON_NEW(report_syscall, .name = …, .ns = …). All
 * but the streamed ones must be there. It takes the values. NULL if one of them is, or if memory is
 * short. */
#define JSON_NEW(object, ...)                                                                      \
	json_new(object##_keys + 0 * JSON_ASSERT(JSON_COUNT(__VA_ARGS__) == object##_values,       \
						 "a key of " #object " has no value"),             \
		 (json_t *const *)&(struct object##_object){__VA_ARGS__})
#define JSON_ASSERT(condition, text)                                                               \
	sizeof(struct {                                                                            \
		_Static_assert(condition, text);                                                   \
		char unused;                                                                       \
	})
/* How many arguments there are, up to 40. */
#define JSON_COUNT(...)                                                                            \
	JSON_LAST_OF(__VA_ARGS__, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26, 25,  \
		     24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, \
		     3, 2, 1, 0)
#define JSON_LAST_OF(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17,   \
		     a18, a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32,    \
		     a33, a34, a35, a36, a37, a38, a39, a40, last, ...)                            \
	last
json_t *json_new(const struct json_key *keys, json_t *const *values);
/* The name of a key of a table's object. */
#define JSON_KEY(object, key) (sizeof(((struct object##_object *)NULL)->key) ? #key : NULL)

/*
 * A text from the target. JSON can express it (json_put_value() escapes what should not be seen
 * raw) unless it has bytes that are not UTF-8; then it is escaped as everywhere else.
 */
json_t *json_text(const char *text);
/* null for NULL. */
json_t *json_text_or_null(const char *text);
/* Our own words, with blanks for no-break spaces. */
json_t *json_words(const struct text_buffer *text);
json_t *json_uint(uint64_t ns);
/* JSON_LEFT_OUT for 0. */
json_t *json_count(uint64_t count);

/* A stall, and the recording as a whole without its processes, as in the report: for views that
 * show the same figures in another form. */
json_t *json_stall(const struct report *report, const struct view_options *options,
		   const struct stall *stall, const struct process *process);
json_t *json_recording(const struct report *report, const struct view_options *options);

#endif
