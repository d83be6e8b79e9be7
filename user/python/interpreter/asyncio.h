/* SPDX-License-Identifier: MIT */
/*
 * asyncio.h - the offsets that asyncio's C part publishes from 3.14 on: struct
 * Py_AsyncioModuleDebugOffsets in a section .AsyncioDebug (Modules/_asynciomodule.c) of the
 * module's file (3.14), or of Python's own image when the module is linked in (3.15, some builds
 * of 3.14).
 */
#ifndef GILSCOPE_PYTHON_INTERPRETER_ASYNCIO_H
#define GILSCOPE_PYTHON_INTERPRETER_ASYNCIO_H

#include "python/image.h"
#include "python/target.h"

/* Looks in Python's image. Fills nothing when the section is not there, or the version has none. */
void asyncio_examine_image(struct target *target, const struct image *image);

/* Looks for the module among the process's mappings, unless it was found already. */
void asyncio_examine_modules(struct target *target);

/* From the structure's words. -EINVAL, and nothing is filled, when they are not plausible. */
enum { ASYNCIO_DEBUG_WORDS = 13 };
int asyncio_parse(const uint64_t words[ASYNCIO_DEBUG_WORDS], struct target *target);

#endif
