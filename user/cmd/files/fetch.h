/* SPDX-License-Identifier: MIT */
/*
 * fetch.h - what to do with a page that was written.
 */
#ifndef GILSCOPE_CMD_FILES_FETCH_H
#define GILSCOPE_CMD_FILES_FETCH_H

#include <stdint.h>

/* Prints, on stderr, the name and size of a page, and how to open it: over ssh (SSH_CONNECTION is
 * set) the command that fetches it. 0: the size is unknown. `serve` is the command that shows it
 * over HTTP instead; NULL: there is none. */
void fetch_print(const char *path, uint64_t bytes, const char *serve);

/* Prints, on stderr, the address of a page that is served here, and over ssh the command by which
 * the user's own machine reaches it. */
void fetch_print_served(uint16_t port, const char *path);

#endif
