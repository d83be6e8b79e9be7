/* SPDX-License-Identifier: MIT */
#include "stream/schema.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* FIELD() has the event's name in capitals only; the structs are named in lower case. */
#define EVENT(id, NAME, name, aux, tid, doc) typedef struct ev_##name struct_##NAME;
#include "bpf/events.def"

#define EVENT(id, NAME, name, aux, tid, doc)	   static const struct event_flag flags_##NAME[] = {
#define FLAG(NAME, bit, FLAG_NAME, flag_name, doc) {#flag_name, bit, doc},
#define EVENT_END(NAME)                                                                            \
	{                                                                                          \
		NULL, 0, NULL                                                                      \
	}                                                                                          \
	}                                                                                          \
	;
#include "bpf/events.def"

#define EVENT(id, NAME, name, aux, tid, doc) static const struct event_field fields_##NAME[] = {

#define FIELD(NAME, type, field, doc) {#field, FIELD_##type, offsetof(struct_##NAME, field), doc},
#define EVENT_END(NAME)                                                                            \
	{                                                                                          \
		NULL, 0, 0, NULL                                                                   \
	}                                                                                          \
	}                                                                                          \
	;
#include "bpf/events.def"

static const struct event_schema schemas[EV_COUNT] = {
#define EVENT(id, NAME, name, aux, tid, doc)                                                       \
	[id] = {#name, #aux, #tid, doc, flags_##NAME, fields_##NAME},
#include "bpf/events.def"
};

const struct event_schema *event_schema(unsigned int type)
{
	return type < EV_COUNT && schemas[type].name ? &schemas[type] : NULL;
}

const char *event_name(unsigned int type)
{
	const struct event_schema *schema = event_schema(type);

	return schema ? schema->name : NULL;
}

int event_type(const char *name)
{
	for (int type = 0; type < EV_COUNT; type++)
		if (schemas[type].name && strcmp(schemas[type].name, name) == 0)
			return type;
	return -ENOENT;
}
