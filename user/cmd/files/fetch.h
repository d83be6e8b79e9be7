/* SPDX-License-Identifier: MIT */
/*
 * fetch.h - what to do with a page that was written.
 */
#ifndef GILSCOPE_CMD_FILES_FETCH_H
#define GILSCOPE_CMD_FILES_FETCH_H

#include <stdint.h>

/* Prints, on stderr, the name and size of a page, and how to open it: over ssh (SSH_CONNECTION is
 * set) the command that fetches it. 0: the size is unknown. */
void fetch_print(const char *path, uint64_t bytes);

#endif
