/* SPDX-License-Identifier: MIT */
/* Stacks in the format of flamegraph.pl and similar tools: one per line, frames separated by
 * semicolons, then a blank and the nanoseconds. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "view/flames.h"

/* Escaped text has no control characters; the semicolon is special in this format. */
static void put_name(FILE *file, const char *text)
{
	for (;;) {
		size_t length = strcspn(text, ";");

		fwrite(text, 1, length, file);
		if (!text[length])
			return;
		fputs("\\x3b", file);
		text += length + 1;
	}
}

static void put_frame(FILE *file, const struct report *report, const struct flame_frame *frame)
{
	struct flame_words words;

	flame_words(report, frame, &words);
	put_name(file, words.name);
	if (!words.file[0])
		return;
	fputs(" (", file);
	put_name(file, words.file);
	fprintf(file, words.line ? ":%u)" : ")", words.line);
}

static int show_folded(FILE *file, const struct report *report, const struct view_options *options)
{
	_cleanup_(freep) struct flame_row *rows = NULL;
	size_t count;
	int err = flame_rows(report, options, &rows, &count);
	bool several = !err && count && flame_rows_alike(rows, count) < count;

	if (err < 0)
		return err;
	for (size_t i = 0; i < count; i++) {
		struct flame_frame frames[FLAME_FRAMES_MAX];
		struct flame_labels labels;
		unsigned depth = flame_frames(report, &rows[i], several, &labels, frames);

		for (unsigned f = 0; f < depth; f++) {
			fputs(f ? ";" : "", file);
			put_frame(file, report, &frames[f]);
		}
		fprintf(file, " %" PRIu64 "\n", rows[i].ns);
	}
	if (fflush(file) == EOF)
		return -errno;
	return ferror(file) ? -EIO : 0;
}

const struct view view_folded = {.name = "folded", .show = show_folded};
