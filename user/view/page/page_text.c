/* SPDX-License-Identifier: MIT */
/* The text report inside the page, for browsers without JavaScript. */
#include "view/page/page_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "view/assets.h"

/* About how many lines all of it may have. More is more than a screen reader or a printer is for,
 * and takes as long to make as the rest of the page. */
#define LINES_MOST  2048
#define STALL_LINES 16 /* of one stall, with its stack */

static bool shows_all(const struct report *report)
{
	uint64_t lines = report->blame_count;

	for (uint32_t p = 0; p < report->process_count; p++) {
		const struct process_report *process = &report->processes[p];

		lines += process->thread_count;
		for (uint32_t l = 0; l < process->loop_count; l++)
			lines += (uint64_t)process->loops[l].stall_count * STALL_LINES;
	}
	return lines <= LINES_MOST;
}

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
	int err = text_report(report, shows_all(report), &bytes, &length);

	if (!err)
		err = page_write_noscript(file, bytes, length);
	free(bytes);
	return err;
}
