/* SPDX-License-Identifier: MIT */
/*
 * json_table.h - the objects of a table, which C writes and the pages' scripts read, so that a key
 * has one spelling.
 *
 *   OBJECT(name, Interface)   opens an object: struct name_object in C, Interface in scripts
 *   KEY(key, type)            a key in it, in the order in which they are written; `type` as
 *                             TypeScript writes it
 *   OPTIONAL(key, type)       may be JSON_LEFT_OUT
 *   STREAMED(key, type)       written behind the others, with json_put_key()
 *   OBJECT_END(name)
 *
 * Usage, once for every table:
 *
 *   #define JSON_TABLE "view/json/report.def"
 *   #include "view/json_table.h"
 *
 *   json_t *frame = JSON_NEW(report_frame, .function = …, .file = …, .line = …);
 *
 * A key that the table does not have fails to compile, and so does one without a value;
 * tools/gen-constants makes interfaces of the table, by which tsc finds it in a script
 * (tools/lint/javascript).
 */
#include "view/json_out.h"

#define OBJECT(name, Interface) struct name##_object {
#define KEY(key, ...)		json_t *key;
#define OPTIONAL(key, ...)	json_t *key;
#define STREAMED(key, ...)	json_t *key;
#define OBJECT_END(name)                                                                           \
	}                                                                                          \
	;
#include JSON_TABLE

/* how many values JSON_NEW() must have */
#define OBJECT(name, Interface) enum { name##_values = 0
#define KEY(key, ...)		+1
#define OPTIONAL(key, ...)	+1
#define STREAMED(key, ...)
#define OBJECT_END(name)                                                                           \
	}                                                                                          \
	;
#include JSON_TABLE

#define OBJECT(name, Interface) static const struct json_key name##_keys[] = {
#define KEY(key, ...)		{#key, JSON_KEY_REQUIRED},
#define OPTIONAL(key, ...)	{#key, JSON_KEY_OPTIONAL},
#define STREAMED(key, ...)	{#key, JSON_KEY_STREAMED},
#define OBJECT_END(name)                                                                           \
	{                                                                                          \
		NULL, JSON_KEY_STREAMED                                                            \
	}                                                                                          \
	}                                                                                          \
	;
#include JSON_TABLE
#undef JSON_TABLE
