/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "python/elf/functions.h"

/* DW_EH_PE_…: how a pointer is written */
enum {
	FORMAT_ABSOLUTE = 0x00,
	FORMAT_UDATA4 = 0x03,
	FORMAT_UDATA8 = 0x04,
	FORMAT_SDATA4 = 0x0b,
	FORMAT_SDATA8 = 0x0c,
	FORMAT_MASK = 0x0f,
	FUNCTIONS_MAX = 8 << 20,
	TABLE_ENCODING = 0x3b,	 /* relative to the table, sdata4 */
	COUNT_ENCODING = 0x03,	 /* udata4 */
	POINTER_ENCODING = 0x1b, /* relative to itself, sdata4 */
};

struct table_header {
	uint8_t version, pointer_encoding, count_encoding, table_encoding;
	int32_t eh_frame;
	uint32_t count;
};

int functions_read(const struct elf_image *image, struct functions *ret_functions)
{
	struct table_header header;
	uint64_t bytes;
	int32_t(*table)[2];

	if (image->eh_frame_hdr_size < sizeof(header) ||
	    elf_image_read(image, image->eh_frame_hdr, &header, sizeof(header)))
		return -ENODATA;
	if (header.version != 1 || header.pointer_encoding != POINTER_ENCODING ||
	    header.count_encoding != COUNT_ENCODING || header.table_encoding != TABLE_ENCODING)
		return -ENODATA;
	bytes = (uint64_t)header.count * sizeof(*table);
	if (header.count == 0 || header.count > FUNCTIONS_MAX ||
	    bytes > image->eh_frame_hdr_size - sizeof(header) || bytes > image->size)
		return -ENODATA;
	table = malloc(bytes);
	if (!table)
		return -ENOMEM;
	if (elf_image_read(image, image->eh_frame_hdr + sizeof(header), table, bytes)) {
		free(table);
		return -ENODATA;
	}
	*ret_functions = (struct functions){
		.image = image, .base = image->eh_frame_hdr, .count = header.count, .table = table};
	return 0;
}

void functions_done(struct functions *functions)
{
	free(functions->table);
	*functions = (struct functions){0};
}

static size_t skip_leb128(const uint8_t *bytes, size_t at, size_t size)
{
	while (at < size && bytes[at] & 0x80)
		at++;
	return at + 1;
}

/* Size of the two pointers in the descriptions that belong to this common entry; 0 for an encoding
 * that no linker writes. */
static size_t pointer_size(const struct elf_image *image, uint64_t cie)
{
	uint8_t bytes[64] = {0};
	/* long enough for any augmentation, and then we need not look at the entry's length */
	const size_t size = sizeof(bytes) - 8;
	const char *augmentation = (const char *)bytes + 9;
	uint8_t encoding = FORMAT_ABSOLUTE;
	size_t at = 9;

	/* length, id (0), version, augmentation, code and data alignment, return register,
	 * augmentation's length and data */
	if (elf_image_read(image, cie, bytes, size) || bytes[8] != 1 || augmentation[0] != 'z')
		return 0;
	at += strnlen(augmentation, size - at) + 1;
	at = skip_leb128(bytes, at, size);
	at = skip_leb128(bytes, at, size);
	at = skip_leb128(bytes, at + 1, size);
	for (const char *p = augmentation + 1; *p && at < size; p++) {
		if (*p == 'R')
			encoding = bytes[at++];
		else if (*p == 'L')
			at++;
		else if (*p == 'P')
			at += 1 + ((bytes[at] & FORMAT_MASK) == FORMAT_SDATA4 ||
						   (bytes[at] & FORMAT_MASK) == FORMAT_UDATA4
					   ? 4
					   : 8);
		else if (*p != 'S' && *p != 'B')
			return 0;
	}
	if (at > size)
		return 0;
	switch (encoding & FORMAT_MASK) {
	case FORMAT_UDATA4:
	case FORMAT_SDATA4:
		return 4;
	case FORMAT_ABSOLUTE:
	case FORMAT_UDATA8:
	case FORMAT_SDATA8:
		return 8;
	default:
		return 0;
	}
}

/* Length of the function that a frame description describes. */
static int description_length(const struct elf_image *image, uint64_t fde, uint64_t *ret_length)
{
	uint32_t head[2]; /* length, distance to the common entry */
	uint64_t length = 0;
	size_t size;

	if (elf_image_read(image, fde, head, sizeof(head)) || head[0] < 8 ||
	    head[0] >= UINT32_MAX - 16 || head[1] == 0)
		return -ENODATA;
	size = pointer_size(image, fde + 4 - head[1]);
	if (size == 0 || elf_image_read(image, fde + 8 + size, &length, size))
		return -ENODATA;
	*ret_length = length;
	return 0;
}

int functions_find(const struct functions *functions, uint64_t vaddr, struct function *ret_function)
{
	uint32_t low = 0, high = functions->count;
	uint64_t start, length;

	/* the last entry at or before the address */
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (functions->base + (uint64_t)(int64_t)functions->table[middle][0] <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return -ENOENT;
	start = functions->base + (uint64_t)(int64_t)functions->table[low - 1][0];
	if (description_length(functions->image,
			       functions->base + (uint64_t)(int64_t)functions->table[low - 1][1],
			       &length))
		return -ENOENT;
	if (vaddr < start || vaddr - start >= length || start + length < start)
		return -ENOENT;
	*ret_function = (struct function){start, start + length};
	return 0;
}
