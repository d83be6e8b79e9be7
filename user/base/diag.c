/* SPDX-License-Identifier: MIT */
#include "base/diag.h"

#include <stdarg.h>
#include <stdio.h>

int diag_set(struct diag *diag, enum exit_status status, int err, const char *format, ...)
{
	va_list args;

	diag->status = status;
	diag->hint[0] = '\0';
	va_start(args, format);
	vsnprintf(diag->what, sizeof(diag->what), format, args);
	va_end(args);
	return err;
}

void diag_hint(struct diag *diag, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(diag->hint, sizeof(diag->hint), format, args);
	va_end(args);
}
