/* SPDX-License-Identifier: MIT */
#include "view/assets.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"

extern const struct asset assets_table[]; /* tools/gen-assets; ends with an empty one */

const struct asset *asset_find(const char *name)
{
	for (const struct asset *asset = assets_table; asset->name; asset++)
		if (!strcmp(asset->name, name))
			return asset;
	return NULL;
}

#define INCLUDE "<!-- include "
#define INCLUDE_END " -->\n"
#define DATA "<!-- data -->\n"

/* The asset that a line includes, or NULL: it is a line like any other. */
static const struct asset *included(const char *line, size_t length)
{
	char name[64];
	size_t rest = sizeof(INCLUDE) - 1 + sizeof(INCLUDE_END) - 1;

	if (length <= rest || length - rest >= sizeof(name) || memcmp(line, INCLUDE, sizeof(INCLUDE) - 1) != 0 ||
	    memcmp(line + length - (sizeof(INCLUDE_END) - 1), INCLUDE_END, sizeof(INCLUDE_END) - 1) != 0)
		return NULL;
	memcpy(name, line + sizeof(INCLUDE) - 1, length - rest);
	name[length - rest] = '\0';
	return asset_find(name);
}

int page_write(FILE *file, const char *name, int (*data)(FILE *file, void *ctx), void *ctx)
{
	const struct asset *page = asset_find(name);
	size_t length;
	int r = page ? 0 : -ENOENT;

	for (size_t at = 0; !r && at < page->length; at += length) {
		const char *line = page->bytes + at, *end = memchr(line, '\n', page->length - at);
		const struct asset *asset;

		length = end ? (size_t)(end - line) + 1 : page->length - at;
		asset = included(line, length);
		if (asset)
			fwrite(asset->bytes, 1, asset->length, file);
		else if (length == sizeof(DATA) - 1 && !memcmp(line, DATA, length))
			r = data(file, ctx);
		else
			fwrite(line, 1, length, file);
	}
	return r ? r : ferror(file) ? -EIO : 0;
}

/* Three bytes become four characters, so pieces of a multiple of three bytes can be written one behind the other. */
static void put_base64(FILE *file, const unsigned char *bytes, size_t length)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[4096];
	size_t fill = 0;

	for (size_t i = 0; i < length; i += 3) {
		uint32_t three = (uint32_t)bytes[i] << 16 | (i + 1 < length ? (uint32_t)bytes[i + 1] << 8 : 0) | (i + 2 < length ? bytes[i + 2] : 0);

		text[fill++] = digits[three >> 18];
		text[fill++] = digits[three >> 12 & 63];
		text[fill++] = i + 1 < length ? digits[three >> 6 & 63] : '=';
		text[fill++] = i + 2 < length ? digits[three & 63] : '=';
		if (fill == sizeof(text)) {
			fwrite(text, 1, fill, file);
			fill = 0;
		}
	}
	fwrite(text, 1, fill, file);
}

/* Compresses piece by piece; a page may be larger than what memory should be taken for. */
static int put_compressed(FILE *file, z_stream *stream, const void *bytes, size_t length)
{
	unsigned char out[3 * 8192];
	const unsigned char *at = bytes;
	int z = Z_OK;

	stream->next_out = out;
	stream->avail_out = sizeof(out);
	while (z != Z_STREAM_END) {
		if (!stream->avail_in && length) {
			stream->next_in = (unsigned char *)at;
			stream->avail_in = length > 1u << 30 ? 1u << 30 : (uInt)length;
			at += stream->avail_in;
			length -= stream->avail_in;
		}
		z = deflate(stream, length ? Z_NO_FLUSH : Z_FINISH);
		if (z != Z_OK && z != Z_STREAM_END && z != Z_BUF_ERROR)
			return -EIO;
		if (stream->avail_out && z != Z_STREAM_END)
			continue;
		put_base64(file, out, sizeof(out) - stream->avail_out);
		stream->next_out = out;
		stream->avail_out = sizeof(out);
	}
	return ferror(file) ? -EIO : 0;
}

int page_write_blob(FILE *file, const char *id, const void *bytes, size_t length)
{
	z_stream stream = {0};
	int r;

	if (deflateInit(&stream, 4) != Z_OK)
		return -ENOMEM;
	fprintf(file, "<script type=\"application/octet-stream\" id=\"%s\">", id);
	r = put_compressed(file, &stream, bytes, length);
	deflateEnd(&stream);
	fputs("</script>\n", file);
	return r;
}
