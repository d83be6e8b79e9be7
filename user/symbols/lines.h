/* SPDX-License-Identifier: MIT */
/*
 * lines.h - finds the line of an instruction, in the three formats of line tables that CPython 3.8
 * to 3.15 have.
 */
#ifndef GILSCOPE_SYMBOLS_LINES_H
#define GILSCOPE_SYMBOLS_LINES_H

#include <stddef.h>
#include <stdint.h>

/*
 * The line of the instruction at `offset` (bytes from the first instruction); 0 if the table gives
 * it none. `form` is enum lines_form, `first_line` that of the code object. The table may contain
 * any bytes: then the result is some line, found in one pass.
 */
uint32_t lines_find(int form, const uint8_t *table, size_t bytes, uint32_t first_line,
		    uint32_t offset);

#endif
