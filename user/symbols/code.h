/* SPDX-License-Identifier: MIT */
/*
 * code.h - reads a code object in a process's memory, provided that it still is the one that the
 * probes saw.
 */
#ifndef GILSCOPE_SYMBOLS_CODE_H
#define GILSCOPE_SYMBOLS_CODE_H

#include "stream/stream.h"
#include "python/target.h"

struct code {
	char name[DEFINE_TEXT_MAX]; /* qualified if the version has it */
	char file[DEFINE_TEXT_MAX];
	uint32_t first_line;
	bool lines_known; /* false: the line table is too long */
	uint8_t *lines;	  /* malloc()ed, owned by the caller; NULL if empty */
	uint32_t lines_bytes;
};

/* Whether code objects can be read with these offsets at all. */
bool code_readable(const struct stack_layout *stack, const struct python_layout *layout);

/* The check of the code object at `address` as it is now. 0, or the error of a read. */
int code_checksum(pid_t pid, const struct stack_layout *stack, const struct python_layout *layout,
		  uint64_t address, uint32_t *ret_check);

/*
 * Reads the code object at `address` whose check (bpf/shared.h) must be `check`. `*type` is the
 * address of the code type, or 0 as long as it is unknown; it is set once its name has confirmed
 * it. 0; -ESTALE: not a code object, or not this one any more; -EBADMSG: its name or file cannot be
 * read; -ENOMEM; or the error of a read, usually -EFAULT or -ESRCH.
 */
int code_read(pid_t pid, const struct stack_layout *stack, const struct python_layout *layout,
	      uint64_t *type, uint64_t address, uint32_t check, struct code *ret_code);

/*
 * Whether this is the code object that CPython 3.13 and later run between a class that is called
 * and its __init__ (_Py_InitCleanup in Python/specialize.c), as a frame of its own. Its file is
 * called like itself, which no source file is.
 */
bool code_is_trampoline(const struct code *code);

#endif
