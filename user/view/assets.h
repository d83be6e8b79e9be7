/* SPDX-License-Identifier: MIT */
/*
 * assets.h - the files of the folders named assets below user/view, which the program contains, and
 * the pages made of them. Scripts are without the comments that have lines to themselves
 * (tools/gen-script), all other files are byte for byte.
 *
 * A page is an HTML file in which some lines are a comment: `<!-- include NAME -->` is replaced by
 * another file (a style sheet in <style>, a script in <script>), `<!-- data -->` by what the page's
 * writer adds. Nothing else is replaced.
 */
#ifndef GILSCOPE_VIEW_ASSETS_H
#define GILSCOPE_VIEW_ASSETS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct asset {
	const char *name; /* "page.html" */
	const char *bytes;
	size_t length;
};

/* NULL if there is none of that name. */
const struct asset *asset_find(const char *name);

/* Writes a page; `data` is called where its data belongs. 0, or -errno of a failed write or of
 * `data`. */
int page_write(FILE *file, const char *name, int (*data)(FILE *file, void *ctx), void *ctx);

/* Writes text as preformatted text that only browsers without JavaScript show: <noscript><pre>.
 * Nothing in it can be markup. 0 or -errno. */
int page_write_noscript(FILE *file, const char *text, size_t length);

/*
 * Writes bytes, compressed and in base64, as a script element that no browser runs: <script
 * type="application/octet-stream" id="ID">. So nothing in them can be markup. The page decodes them
 * with DecompressionStream("deflate"). 0 or -errno.
 */
int page_write_blob(FILE *file, const char *id, const void *bytes, size_t length);

/* The same for data that is written piece by piece: returns a file, to be closed with
 * page_blob_end(), which returns 0 or -errno. NULL if memory is short. */
FILE *page_blob_begin(FILE *file, const char *id);
int page_blob_end(FILE *blob);

#endif
