/* SPDX-License-Identifier: MIT */
/* The text report inside the page, for browsers without JavaScript. */
#include "view/page/page_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "view/assets.h"

/* More than a screen reader or a printer is for, and a small part of the recordings that have so
 * many stalls. */
#define TEXT_MOST (256 * 1024)

/* The text report in a buffer that is the caller's to free. 0 or -errno. */
static int text_report(const struct report *report, bool all, char **ret_bytes, size_t *ret_length)
{
	FILE *file = open_memstream(ret_bytes, ret_length);
	int err;

	if (!file)
		return -ENOMEM;
	err = view_text.show(file, report, &(struct view_options){.all = all});
	return fclose(file) && !err ? -ENOMEM : err;
}

int page_text_write(FILE *file, const struct report *report)
{
	char *bytes = NULL;
	size_t length = 0;
	int err = text_report(report, true, &bytes, &length);

	if (!err && length > TEXT_MOST) {
		free(bytes);
		bytes = NULL;
		err = text_report(report, false, &bytes, &length);
	}
	if (!err)
		err = page_write_noscript(file, bytes, length);
	free(bytes);
	return err;
}
