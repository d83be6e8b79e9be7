/* SPDX-License-Identifier: MIT */
#include "base/size.h"

#include <inttypes.h>
#include <stdio.h>

char *size_text(uint64_t bytes, char text[static SIZE_TEXT_MAX])
{
	static const char *const units[] = {"kB", "MB", "GB", "TB"};
	double value = (double)bytes / 1e3;
	int unit = 0;

	if (bytes < 1000) {
		snprintf(text, SIZE_TEXT_MAX, "%" PRIu64 " B", bytes);
		return text;
	}
	for (; value >= 999.5 && unit < 3; unit++)
		value /= 1e3;
	snprintf(text, SIZE_TEXT_MAX, "%.*f %s", value < 9.95 ? 1 : 0, value, units[unit]);
	return text;
}
