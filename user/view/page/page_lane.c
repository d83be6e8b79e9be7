/* SPDX-License-Identifier: MIT */
#include "view/page/page_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "view/assets.h"

#define VARINT_MAX 10

static int column_reserve(struct column *column)
{
	size_t room = column->room ? column->room + column->room / 2 + VARINT_MAX : VARINT_MAX;
	unsigned char *grown;

	if (column->room - column->length >= VARINT_MAX)
		return 0;
	grown = realloc(column->bytes, room);
	if (!grown)
		return -ENOMEM;
	column->bytes = grown;
	column->room = room;
	return 0;
}

int column_add_byte(struct column *column, unsigned char value)
{
	if (column_reserve(column) < 0)
		return -ENOMEM;
	column->bytes[column->length++] = value;
	return 0;
}

int column_add(struct column *column, uint64_t value)
{
	if (column_reserve(column) < 0)
		return -ENOMEM;
	for (; value >= 0x80; value >>= 7)
		column->bytes[column->length++] = (unsigned char)(value | 0x80);
	column->bytes[column->length++] = (unsigned char)value;
	return 0;
}

uint64_t column_next(const struct column *column, size_t *at)
{
	uint64_t value = 0;
	unsigned shift = 0;
	unsigned char byte;

	do {
		byte = column->bytes[(*at)++];
		value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return value;
}

void column_write(FILE *file, const struct column *column)
{
	if (column->length)
		fwrite(column->bytes, 1, column->length, file);
}

void column_done(struct column *column)
{
	free(column->bytes);
	*column = (struct column){0};
}

int page_lane_next(struct page_lane *lane, uint64_t start, uint64_t end)
{
	if (start > end || (lane->count && start != lane->end))
		return -EBADMSG;
	if (!lane->count)
		lane->first = start;
	lane->count++;
	lane->end = end;
	return 0;
}

int page_lane_write(FILE *file, uint32_t number, const struct page_lane *lane,
		    const struct column *last, uint64_t origin)
{
	struct column begin = {0};
	char id[24];
	FILE *blob;
	int err = column_add(&begin, lane->count);

	if (!err && lane->count)
		err = column_add(&begin, lane->first - origin);
	snprintf(id, sizeof(id), "lane-%u", number);
	blob = err ? NULL : page_blob_begin(file, id);
	if (blob) {
		column_write(blob, &begin);
		for (size_t i = 0; i < sizeof(lane->columns) / sizeof(lane->columns[0]); i++)
			column_write(blob, &lane->columns[i]);
		if (last)
			column_write(blob, last);
	}
	column_done(&begin);
	return blob ? page_blob_end(blob) : -ENOMEM;
}

void page_lane_done(struct page_lane *lane)
{
	for (size_t i = 0; i < sizeof(lane->columns) / sizeof(lane->columns[0]); i++)
		column_done(&lane->columns[i]);
}
