/* SPDX-License-Identifier: MIT */
#include "symbols/lines.h"

#include "python/target.h"

/* Values outside the range of line numbers count as no line. Sums of deltas stay far inside
 * int64_t, because a table has at most SYMBOLS_LINETABLE_MAX bytes. */
static uint32_t line_number(int64_t line)
{
	return line > 0 && line <= INT32_MAX ? (uint32_t)line : 0;
}

/* 3.8, 3.9: pairs of (bytes of code, signed lines) (Objects/lnotab_notes.txt; PyCode_Addr2Line). */
static uint32_t find_lnotab(const uint8_t *table, size_t bytes, int64_t line, uint32_t offset)
{
	uint64_t at = 0;

	for (size_t i = 0; i + 1 < bytes; i += 2) {
		at += table[i];
		if (at > offset)
			break;
		line += (int8_t)table[i + 1];
	}
	return line_number(line);
}

/* 3.10: the same pairs, where the lines apply to the code after them; -128: that code has no line
 * (PEP 626; Objects/lnotab_notes.txt of 3.10). */
static uint32_t find_310(const uint8_t *table, size_t bytes, int64_t line, uint32_t offset)
{
	uint64_t end = 0;

	for (size_t i = 0; i + 1 < bytes; i += 2) {
		int8_t delta = (int8_t)table[i + 1];

		end += table[i];
		if (delta != -128)
			line += delta;
		if (offset < end)
			return delta == -128 ? 0 : line_number(line);
	}
	return 0;
}

/* A signed number in groups of six bits, the lowest first; bit 6: more follow; bit 0 of the value
 * is the sign. */
static int64_t signed_varint(const uint8_t *p, const uint8_t *end)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; p < end && shift < 36; shift += 6) {
		value |= (uint64_t)(*p & 63) << shift;
		if (!(*p++ & 64))
			break;
	}
	return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
}

/* 3.11 on: each entry begins with a byte that has bit 7 set, four bits of kind, and three bits of
 * length in units of two bytes (Objects/locations.md). */
static uint32_t find_311(const uint8_t *table, size_t bytes, int64_t line, uint32_t offset)
{
	enum { ONE_LINE = 10, NO_COLUMNS = 13, LONG = 14, NONE = 15 };
	/* an empty table may be NULL */
	const uint8_t *p = table, *end = bytes ? table + bytes : table;
	uint64_t at = 0;

	while (p < end) {
		int kind = *p >> 3 & 15;

		at += ((*p & 7u) + 1) * 2;
		p++;
		if (kind == NO_COLUMNS || kind == LONG)
			line += signed_varint(p, end);
		else if (kind >= ONE_LINE && kind < NO_COLUMNS)
			line += kind - ONE_LINE;
		if (offset < at)
			return kind == NONE ? 0 : line_number(line);
		while (p < end && !(*p & 128))
			p++;
	}
	return 0;
}

uint32_t lines_find(int form, const uint8_t *table, size_t bytes, uint32_t first_line,
		    uint32_t offset)
{
	int64_t line = (int32_t)first_line;

	switch (form) {
	case LINES_LNOTAB:
		return find_lnotab(table, bytes, line, offset);
	case LINES_310:
		return find_310(table, bytes, line, offset);
	case LINES_311:
		return find_311(table, bytes, line, offset);
	default:
		return 0;
	}
}
