/* SPDX-License-Identifier: MIT */
#include "view/assets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

extern const struct asset assets_table[]; /* tools/gen-assets; ends with an empty one */

const struct asset *asset_find(const char *name)
{
	for (const struct asset *asset = assets_table; asset->name; asset++)
		if (!strcmp(asset->name, name))
			return asset;
	return NULL;
}

#define LEVEL	    4 /* docs/decisions/pages.md#a-pages-data-cannot-be-markup */
#define INCLUDE	    "<!-- include "
#define INCLUDE_END " -->\n"
#define DATA	    "<!-- data -->\n"
#define BLOB_END    "</script>\n"

/* What stdio failed with; errno was 0 before. */
static int stdio_error(void)
{
	return errno ? -errno : -EIO;
}

static int put(FILE *file, const char *bytes, size_t length)
{
	errno = 0;
	return fwrite(bytes, 1, length, file) == length ? 0 : stdio_error();
}

/* The asset that a line includes; NULL for an ordinary line. */
static const struct asset *included(const char *line, size_t length)
{
	char name[64];
	size_t rest = sizeof(INCLUDE) - 1 + sizeof(INCLUDE_END) - 1;

	if (length <= rest || length - rest >= sizeof(name) ||
	    memcmp(line, INCLUDE, sizeof(INCLUDE) - 1) != 0 ||
	    memcmp(line + length - (sizeof(INCLUDE_END) - 1), INCLUDE_END,
		   sizeof(INCLUDE_END) - 1) != 0)
		return NULL;
	memcpy(name, line + sizeof(INCLUDE) - 1, length - rest);
	name[length - rest] = '\0';
	return asset_find(name);
}

int page_write(FILE *file, const char *name, int (*data)(FILE *file, void *ctx), void *ctx)
{
	const struct asset *page = asset_find(name);
	size_t length;
	int err = page ? 0 : -ENOENT;

	for (size_t at = 0; !err && at < page->length; at += length) {
		const char *line = page->bytes + at, *end = memchr(line, '\n', page->length - at);
		const struct asset *asset;

		length = end ? (size_t)(end - line) + 1 : page->length - at;
		asset = included(line, length);
		if (asset)
			err = put(file, asset->bytes, asset->length);
		else if (length == sizeof(DATA) - 1 && !memcmp(line, DATA, length))
			err = data(file, ctx);
		else
			err = put(file, line, length);
	}
	return err;
}

#define NOSCRIPT     "<noscript><pre class=\"report\" tabindex=\"0\">"
#define NOSCRIPT_END "</pre></noscript>\n"

int page_write_noscript(FILE *file, const char *text, size_t length)
{
	int err = put(file, NOSCRIPT, sizeof(NOSCRIPT) - 1);

	for (size_t at = 0, plain; !err && at < length; at += plain + 1) {
		const char *rest = text + at;

		for (plain = 0; at + plain < length && !memchr("<>&", rest[plain], 3); plain++)
			;
		err = put(file, rest, plain);
		if (!err && at + plain < length)
			err = rest[plain] == '<'   ? put(file, "&lt;", 4)
			      : rest[plain] == '>' ? put(file, "&gt;", 4)
						   : put(file, "&amp;", 5);
	}
	return err ? err : put(file, NOSCRIPT_END, sizeof(NOSCRIPT_END) - 1);
}

/* ── blobs: a file that compresses into base64 into a file ───────────────── */

#define PIECE (3 * 8192)

struct blob {
	FILE *file;
	int error; /* the first */
	z_stream stream;
	unsigned char out[PIECE];
};

/* Three bytes become four characters, so pieces whose length is a multiple of three can be written
 * one after the other. */
static int put_base64(FILE *file, const unsigned char *bytes, size_t length)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[4 * (PIECE / 3 + 1)];
	size_t fill = 0;

	for (size_t i = 0; i < length; i += 3) {
		uint32_t three = (uint32_t)bytes[i] << 16 |
				 (i + 1 < length ? (uint32_t)bytes[i + 1] << 8 : 0) |
				 (i + 2 < length ? bytes[i + 2] : 0);

		text[fill++] = digits[three >> 18];
		text[fill++] = digits[three >> 12 & 63];
		text[fill++] = i + 1 < length ? digits[three >> 6 & 63] : '=';
		text[fill++] = i + 2 < length ? digits[three & 63] : '=';
	}
	return put(file, text, fill);
}

/* Writes what has been compressed so far. */
static int blob_deflate(struct blob *blob, int flush)
{
	z_stream *stream = &blob->stream;
	int z = Z_OK;

	while (!blob->error && z != Z_STREAM_END) {
		z = deflate(stream, flush);
		if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR) {
			blob->error = -EIO;
		} else if (stream->avail_out && z != Z_STREAM_END) {
			break;
		} else {
			blob->error = put_base64(blob->file, blob->out, PIECE - stream->avail_out);
			stream->next_out = blob->out;
			stream->avail_out = PIECE;
		}
	}
	return blob->error;
}

static ssize_t blob_write(void *cookie, const char *bytes, size_t length)
{
	struct blob *blob = cookie;

	for (size_t left = length; left;) {
		uInt piece = left > 1u << 30 ? 1u << 30 : (uInt)left;

		blob->stream.next_in = (unsigned char *)bytes + (length - left);
		blob->stream.avail_in = piece;
		left -= piece;
		if (blob_deflate(blob, Z_NO_FLUSH) < 0)
			return 0; /* signals a failure to stdio */
	}
	return (ssize_t)length;
}

static int blob_close(void *cookie)
{
	struct blob *blob = cookie;
	int err = blob_deflate(blob, Z_FINISH);

	if (!err)
		err = put(blob->file, BLOB_END, sizeof(BLOB_END) - 1);
	deflateEnd(&blob->stream);
	free(blob);
	errno = -err;
	return err ? EOF : 0;
}

FILE *page_blob_begin(FILE *file, const char *id)
{
	struct blob *blob = calloc(1, sizeof(*blob));
	FILE *opened = NULL;

	if (!blob || deflateInit(&blob->stream, LEVEL) != Z_OK) {
		free(blob);
		return NULL;
	}
	blob->file = file;
	blob->stream.next_out = blob->out;
	blob->stream.avail_out = PIECE;
	opened = fopencookie(blob, "w",
			     (cookie_io_functions_t){.write = blob_write, .close = blob_close});
	if (opened) {
		fprintf(file, "<script type=\"application/octet-stream\" id=\"%s\">", id);
	} else {
		deflateEnd(&blob->stream);
		free(blob);
	}
	return opened;
}

int page_blob_end(FILE *blob)
{
	errno = 0;
	return fclose(blob) == EOF ? stdio_error() : 0;
}

int page_write_blob(FILE *file, const char *id, const void *bytes, size_t length)
{
	FILE *blob = page_blob_begin(file, id);

	if (!blob)
		return -ENOMEM;
	if (length)
		fwrite(bytes, 1, length, blob);
	return page_blob_end(blob);
}
