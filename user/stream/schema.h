/* SPDX-License-Identifier: MIT */
/*
 * schema.h - the events of bpf/events.def as data: all that parsers, printers and tables need to
 * know.
 */
#ifndef GILSCOPE_STREAM_SCHEMA_H
#define GILSCOPE_STREAM_SCHEMA_H

#include "stream/stream.h"

/* named as in events.def */
enum field_type { FIELD_u32, FIELD_s32, FIELD_u64, FIELD_comm };

struct event_flag {
	const char *name; /* NULL ends a list */
	unsigned int bit; /* number of the bit in hdr.flags */
	const char *doc;
};

struct event_field {
	const char *name; /* NULL ends a list */
	enum field_type type;
	unsigned int offset; /* bytes from the start of the event */
	const char *doc;
};

struct event_schema {
	const char *name;
	const char *aux; /* what hdr.aux means; "-": nothing, it is 0 */
	const char *tid; /* whose tid hdr.tid is; "-": none, it is 0 */
	const char *doc;
	const struct event_flag *flags;
	const struct event_field *fields;
};

/* NULL for an unknown type. */
const struct event_schema *event_schema(unsigned int type);

/* The type with this name, or -ENOENT. */
int event_type(const char *name);

#endif
