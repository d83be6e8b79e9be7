/* SPDX-License-Identifier: MIT */
/*
 * references.h - which fields of an event refer to definitions.
 */
#ifndef GILSCOPE_STREAM_NAMES_REFERENCES_H
#define GILSCOPE_STREAM_NAMES_REFERENCES_H

#include <stddef.h>
#include <string.h>
#include "stream/stream.h"

#define REFERENCES_MAX 3

struct reference {
	enum definition_kind kind;
	size_t offset; /* of the field in the event, which is a u32 */
};

/* How many there are; they are written to `references`. */
static inline uint32_t event_references(const union event *event,
					struct reference references[REFERENCES_MAX])
{
	uint32_t count = 0;

#define REFERENCE(KIND, field)                                                                     \
	references[count++] = (struct reference)                                                   \
	{                                                                                          \
		DEFINE_##KIND, offsetof(union event, field)                                        \
	}
	switch (event->hdr.type) {
	case EV_STACK:
		REFERENCE(STACK, stack.stack);
		REFERENCE(TEXT, stack.task);
		REFERENCE(FUNCTION, stack.native);
		break;
	case EV_STILL:
		REFERENCE(STACK, still.stack);
		REFERENCE(TEXT, still.task);
		break;
	case EV_NATIVE:
		REFERENCE(FUNCTION, native.native);
		break;
	case EV_PYTHON_NAME:
		REFERENCE(TEXT, python_name.text);
		break;
	case EV_SLEEPS_ON:
		REFERENCE(TEXT, sleeps_on.text);
		break;
	case EV_CHILD:
		REFERENCE(TEXT, child.text);
		break;
	default:
		break;
	}
#undef REFERENCE
	return count;
}

static inline uint32_t reference_get(const union event *event, const struct reference *reference)
{
	uint32_t number;

	memcpy(&number, (const char *)event + reference->offset, sizeof(number));
	return number;
}

static inline void reference_set(union event *event, const struct reference *reference,
				 uint32_t number)
{
	memcpy((char *)event + reference->offset, &number, sizeof(number));
}

#endif
