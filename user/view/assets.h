/* SPDX-License-Identifier: MIT */
/*
 * assets.h - the files of the folders called assets below user/view, which are in the program byte
 * for byte, and pages made of them.
 *
 * A page is an HTML file with lines that consist of a comment: `<!-- include NAME -->` stands for
 * another file (a style sheet in <style>, a script in <script>),
 * `<!-- data -->` for what the writer of the page has to say. There is no other magic: the files
 * are what the browser gets.
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

/* NULL when there is none of that name. */
const struct asset *asset_find(const char *name);

/* Writes a page; `data` is called where its data belongs. 0, or -errno of a failed write or of
 * `data`. */
int page_write(FILE *file, const char *name, int (*data)(FILE *file, void *ctx), void *ctx);

/*
 * Writes bytes, compressed and in base64, as a script element that no browser runs: <script
 * type="application/octet-stream" id="ID">. So nothing in them can be markup. The page gets them
 * back with DecompressionStream("deflate"). 0 or -errno.
 */
int page_write_blob(FILE *file, const char *id, const void *bytes, size_t length);

/* The same for what is written piece by piece: a file, to be ended with page_blob_end(), which is 0
 * or -errno. NULL when memory is short. */
FILE *page_blob_begin(FILE *file, const char *id);
int page_blob_end(FILE *blob);

#endif
