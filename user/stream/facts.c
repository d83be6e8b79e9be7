/* SPDX-License-Identifier: MIT */
#include "stream/facts.h"

#include <stdio.h>
#include <string.h>

#define NAMES(names, ...)                                                                          \
	static const char *const names##_list[] = {__VA_ARGS__};                                   \
	const struct fact_names names = {names##_list,                                             \
					 sizeof(names##_list) / sizeof(names##_list[0])}

NAMES(mode_names, [MODE_UNKNOWN] = "", [MODE_EXACT] = "exact", [MODE_EDGES] = "edges",
      [MODE_FUTEX] = "futex");
NAMES(method_names, [METHOD_UNKNOWN] = "", [METHOD_SYMBOLS] = "symbols", [METHOD_SCAN] = "scan",
      [METHOD_FUTEX] = "futex");
NAMES(confidence_names, [CONFIDENCE_UNKNOWN] = "", [CONFIDENCE_EXACT] = "exact",
      [CONFIDENCE_APPROXIMATE] = "approximate");
NAMES(gc_names, [GC_NONE] = "", [GC_PROBES] = "probes", [GC_SAMPLES] = "samples");

int fact_find(const struct fact_names *names, const char *name)
{
	for (uint32_t i = 0; i < names->count; i++)
		if (strcmp(names->list[i], name) == 0)
			return (int)i;
	return -1;
}

const char *fact_choices(const struct fact_names *names, char *to, size_t size)
{
	size_t length = 0;

	*to = '\0';
	for (uint32_t i = 1; i < names->count && length < size; i++)
		length += (size_t)snprintf(to + length, size - length, "%s%s", i > 1 ? ", " : "",
					   names->list[i]);
	return to;
}
