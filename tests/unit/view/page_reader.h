/* SPDX-License-Identifier: MIT */
/*
 * page_reader.h - reads a timeline page following the description in view/page/page.h, without any
 * code of the writer. Anything malformed fails the test.
 */
#ifndef TESTS_UNIT_PAGE_READER_H
#define TESTS_UNIT_PAGE_READER_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "view/page/page.h"

#define BEGIN "<script type=\"application/octet-stream\" id=\""
#define END   "</script>\n"

struct page {
	char *text;
	size_t length;
	json_t *head, *report;
};

/* A blob, read from the front. */
struct blob {
	unsigned char *bytes;
	size_t length, at;
};

static inline unsigned int digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	if (!at)
		fail_msg("'%c' is not base64", c);
	return (unsigned int)(at - digits);
}

static inline unsigned char *from_base64(const char *text, size_t length, size_t *ret_length)
{
	unsigned char *bytes = malloc(length + 1);
	size_t count = 0;

	assert_int_equal(length % 4, 0);
	for (size_t i = 0; i < length; i += 4) {
		unsigned int pad = i + 4 < length || text[i + 3] != '=' ? 0
				   : text[i + 2] == '='			? 2
									: 1;
		unsigned int four = digit(text[i]) << 18 | digit(text[i + 1]) << 12 |
				    (pad > 1 ? 0 : digit(text[i + 2]) << 6) |
				    (pad ? 0 : digit(text[i + 3]));

		for (unsigned int n = 0; n < 3 - pad; n++)
			bytes[count++] = (unsigned char)(four >> (16 - 8 * n));
	}
	*ret_length = count;
	return bytes;
}

static inline struct blob blob_of(const struct page *page, const char *id)
{
	char begin[128];
	const char *at, *end;
	size_t length, room;
	unsigned char *packed;
	struct blob blob = {0};
	int z;

	snprintf(begin, sizeof(begin), BEGIN "%s\">", id);
	at = strstr(page->text, begin);
	if (!at)
		fail_msg("there is no blob %s", id);
	at += strlen(begin);
	end = strstr(at, END);
	assert_non_null(end);
	assert_null(strstr(at, begin)); /* ids are unique */
	packed = from_base64(at, (size_t)(end - at), &length);
	room = 1 << 12;
	do {
		uLongf count = room *= 2;

		blob.bytes = realloc(blob.bytes, room);
		z = uncompress(blob.bytes, &count, packed, length);
		blob.length = count;
	} while (z == Z_BUF_ERROR && room < 1 << 26);
	free(packed);
	assert_int_equal(z, Z_OK);
	return blob;
}

static inline struct blob lane_of(const struct page *page, const json_t *entry, const char *what)
{
	char id[32];

	assert_true(json_is_integer(json_object_get(entry, what)));
	snprintf(id, sizeof(id), "lane-%d", (int)json_integer_value(json_object_get(entry, what)));
	return blob_of(page, id);
}

static inline uint64_t varint(struct blob *blob)
{
	uint64_t value = 0;

	for (unsigned int shift = 0;; shift += 7) {
		assert_true(blob->at < blob->length && shift < 64);
		value |= (uint64_t)(blob->bytes[blob->at] & 0x7f) << shift;
		if (blob->bytes[blob->at++] < 0x80)
			return value;
	}
}

/* Columns; the caller frees them. */
static inline uint64_t *varints(struct blob *blob, uint64_t count)
{
	uint64_t *values = calloc(count + 1, sizeof(*values));

	for (uint64_t i = 0; i < count; i++)
		values[i] = varint(blob);
	return values;
}

static inline unsigned char *bytes(struct blob *blob, uint64_t count)
{
	unsigned char *values = calloc(count + 1, 1);

	assert_true(count <= blob->length - blob->at);
	memcpy(values, blob->bytes + blob->at, count);
	blob->at += count;
	return values;
}

static inline void all_read(struct blob *blob)
{
	assert_int_equal(blob->at, blob->length);
	free(blob->bytes);
}

static inline json_t *json_of(const struct page *page, const char *id)
{
	struct blob blob = blob_of(page, id);
	json_t *value = json_loadb((char *)blob.bytes, blob.length, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(value);
	free(blob.bytes);
	return value;
}

static inline json_int_t number(const json_t *object, const char *key)
{
	assert_true(json_is_integer(json_object_get(object, key)));
	return json_integer_value(json_object_get(object, key));
}

static const char *string(const json_t *object, const char *key)
{
	assert_true(json_is_string(json_object_get(object, key)));
	return json_string_value(json_object_get(object, key));
}

static inline void page_open(struct page *page)
{
	page->head = json_of(page, "head");
	page->report = json_of(page, "report");
	assert_string_equal(string(page->head, "format"), "gilscope.page/1");
}

static inline void page_done(struct page *page)
{
	json_decref(page->head);
	json_decref(page->report);
	free(page->text);
}

/* The meaning of stack numbers. */
struct stacks {
	uint64_t node_count, *parents, *functions, *lines, count, *nodes, *handlers, *roles;
	unsigned char *cut;
};

static inline struct stacks stacks_of(const struct page *page)
{
	struct blob blob = blob_of(page, "stacks");
	struct stacks stacks = {.node_count = varint(&blob)};

	stacks.parents = varints(&blob, stacks.node_count);
	stacks.functions = varints(&blob, stacks.node_count);
	stacks.lines = varints(&blob, stacks.node_count);
	stacks.count = varint(&blob);
	stacks.nodes = varints(&blob, stacks.count);
	stacks.cut = bytes(&blob, stacks.count);
	stacks.handlers = varints(&blob, stacks.count);
	stacks.roles = varints(&blob, stacks.count);
	all_read(&blob);
	return stacks;
}

static inline void stacks_done(struct stacks *stacks)
{
	free(stacks->parents);
	free(stacks->functions);
	free(stacks->lines);
	free(stacks->nodes);
	free(stacks->cut);
	free(stacks->handlers);
	free(stacks->roles);
}

#endif
