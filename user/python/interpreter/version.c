/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "python/process/memory.h"
#include "python/interpreter/version.h"

enum {
	DATA_BYTES_MAX = 64 << 20,
	VERSION_TEXT_MAX = 250, /* the buffer's size */
	LEVEL_ALPHA = 0xa,
	LEVEL_BETA = 0xb,
	LEVEL_CANDIDATE = 0xc,
	LEVEL_FINAL = 0xf,
};

bool version_supported(uint32_t hex)
{
	return hex >> 24 == 3 && version_minor(hex) >= PYTHON_MINOR_MIN &&
	       version_minor(hex) <= PYTHON_MINOR_MAX;
}

void version_text(uint32_t hex, char *to, size_t size)
{
	static const char *const levels[16] = {
		[LEVEL_ALPHA] = "a", [LEVEL_BETA] = "b", [LEVEL_CANDIDATE] = "rc"};
	const char *level = levels[hex >> 4 & 0xf];
	int length = snprintf(to, size, "%u.%u.%u", hex >> 24, version_minor(hex), hex >> 8 & 0xff);

	if (level && length > 0 && (size_t)length < size)
		snprintf(to + length, size - (size_t)length, "%s%u", level, hex & 0xf);
}

/* A number of at most three digits and at most 255; moves *p behind it. -1 when there is none. */
static int number(const char **p, const char *end)
{
	int value = 0, digits = 0;

	for (; *p < end && **p >= '0' && **p <= '9' && digits < 4; (*p)++, digits++)
		value = value * 10 + (**p - '0');
	return digits > 0 && digits < 4 && value <= 255 ? value : -1;
}

static uint32_t release_level(const char **p, const char *end)
{
	uint32_t level = LEVEL_FINAL;
	int serial;

	if (end - *p > 2 && memcmp(*p, "rc", 2) == 0) {
		level = LEVEL_CANDIDATE;
		(*p)++;
	} else if (*p < end && (**p == 'a' || **p == 'b')) {
		level = **p == 'a' ? LEVEL_ALPHA : LEVEL_BETA;
	} else {
		return level << 4;
	}
	(*p)++;
	serial = number(p, end);
	return serial < 0 || serial > 15 ? 0 : level << 4 | (uint32_t)serial;
}

/* "3.9.2 (default, Feb 28 2021, 17:03:44) \n[GCC 10.2.1 20210110]", terminated; 0 when the bytes
 * are something else. */
static uint32_t version_parse(const char *p, const char *end)
{
	const char *terminator = memchr(p, 0, (size_t)(end - p));
	int part[3];
	uint32_t level;

	if (!terminator || terminator - p >= VERSION_TEXT_MAX)
		return 0;
	end = terminator;
	for (int i = 0; i < 3; i++) {
		if (i && (p >= end || *p++ != '.'))
			return 0;
		part[i] = number(&p, end);
		if (part[i] < 0)
			return 0;
	}
	level = release_level(&p, end);
	if (p < end && *p == '+')
		p++;
	if (!level || end - p < 2 || memcmp(p, " (", 2) != 0)
		return 0;
	/* the compiler's name stands on a line of its own up to 3.9 */
	if (end[-1] != ']' || !(strstr(p, ") [") || strstr(p, ") \n[")))
		return 0;
	return (uint32_t)part[0] << 24 | (uint32_t)part[1] << 16 | (uint32_t)part[2] << 8 | level;
}

int version_search(const char *bytes, size_t size, uint32_t *ret_hex)
{
	const char *end = bytes + size;
	uint32_t hex = 0;

	/* every such text has a dot after its first digit, and never begins inside another text */
	for (const char *dot = bytes; (dot = memchr(dot, '.', (size_t)(end - dot))); dot++) {
		uint32_t found = 0;

		if (dot > bytes && dot[-1] >= '2' && dot[-1] <= '9' &&
		    (dot - 1 == bytes || dot[-2] < '!' || dot[-2] > '~'))
			found = version_parse(dot - 1, end);
		if (found && hex && found != hex)
			return -ENODATA;
		if (found)
			hex = found;
	}
	if (!hex)
		return -ENODATA;
	*ret_hex = hex;
	return 0;
}

static int version_from_data(pid_t pid, const struct elf_image *image, uint64_t bias,
			     uint32_t *ret_hex)
{
	for (uint32_t i = 0; i < image->load_count; i++) {
		const struct elf_load *load = &image->loads[i];
		_cleanup_(freep) char *bytes = NULL;
		int err;

		if (!load->writable || !load->memory_size || load->memory_size > DATA_BYTES_MAX)
			continue;
		bytes = malloc(load->memory_size);
		if (!bytes)
			return -ENOMEM;
		err = memory_read(pid, load->vaddr + bias, bytes, load->memory_size);
		if (!err)
			err = version_search(bytes, load->memory_size, ret_hex);
		if (err != -ENODATA)
			return err;
	}
	return -ENODATA;
}

int version_read(pid_t pid, const struct elf_image *image, uint64_t bias, uint32_t *ret_hex)
{
	GElf_Sym symbol;
	uint64_t value;
	int err;

	if (elf_image_symbol(image, SHT_DYNSYM, "Py_Version", &symbol) ||
	    symbol.st_size != sizeof(value))
		return version_from_data(pid, image, bias, ret_hex);
	err = memory_read_u64(pid, symbol.st_value + bias, &value);
	if (err)
		return err;
	if (value > UINT32_MAX)
		return -ENODATA;
	*ret_hex = (uint32_t)value;
	return 0;
}
