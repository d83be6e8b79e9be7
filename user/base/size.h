/* SPDX-License-Identifier: MIT */
/*
 * size.h - sizes of files for people: "812 B", "103 kB", "1.2 MB".
 */
#ifndef GILSCOPE_BASE_SIZE_H
#define GILSCOPE_BASE_SIZE_H

#include <stdint.h>

#define SIZE_TEXT_MAX 24
/* Decimal units, two or three significant digits, never 0 for what is not. Returns `text`. */
char *size_text(uint64_t bytes, char text[static SIZE_TEXT_MAX]);

#endif
