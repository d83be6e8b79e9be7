/* SPDX-License-Identifier: MIT */
/*
 * sources.h - which lines of source of one process are wanted: every line of the application's own
 * functions (owner.h) that a stack shows, and their decorators. Each is asked for once.
 */
#ifndef GILSCOPE_SYMBOLS_SOURCES_H
#define GILSCOPE_SYMBOLS_SOURCES_H

#include "python/source/source_reader.h"
#include "symbols/code.h"

struct sources;

/* `cmdline` names packages that are the application's. Owns the reader, also on failure. NULL if
 * memory is short. */
struct sources *sources_new(struct source_reader *reader, const char *cmdline);
void sources_free(struct sources *sources); /* accepts NULL, as all below do */

/* A function has been read from the process. What finds no room is not wanted. */
void sources_function(struct sources *sources, uint32_t function, const struct code *code);
/* A stack shows this line; nothing happens unless the function is the application's. */
void sources_want(struct sources *sources, uint32_t function, uint32_t line);

/* Asks for what is wanted. Then takes the next answer; false: there is none now. */
bool sources_next(struct sources *sources, struct source_answer *ret_answer);
/* Waits until there may be an answer. False: there is no open question, or will be no answer. */
bool sources_wait(struct sources *sources, int timeout_ms);

#endif
