/* SPDX-License-Identifier: MIT */
#include "base/sysname.h"

#include <stddef.h>
#include <string.h>

#include "sysnames.inc"

static const struct machine {
	const char *name;
	const char *const *names;
	size_t count;
} MACHINES[] = {
	{"x86_64", SYSNAMES_X86_64, sizeof(SYSNAMES_X86_64) / sizeof(SYSNAMES_X86_64[0])},
	{"aarch64", SYSNAMES_AARCH64, sizeof(SYSNAMES_AARCH64) / sizeof(SYSNAMES_AARCH64[0])},
};

const char *sysname(const char *machine, int32_t sysno)
{
	for (size_t i = 0; i < sizeof(MACHINES) / sizeof(MACHINES[0]); i++)
		if (!strcmp(machine, MACHINES[i].name))
			return sysno >= 0 && (size_t)sysno < MACHINES[i].count
				       ? MACHINES[i].names[sysno]
				       : NULL;
	return NULL;
}
