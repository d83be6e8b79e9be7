/* SPDX-License-Identifier: MIT */
/*
 * code.h - a code object in a process's memory: what it says of itself, provided that it still is
 * the one the probes saw.
 */
#ifndef GILSCOPE_SYMBOLS_CODE_H
#define GILSCOPE_SYMBOLS_CODE_H

#include "stream/stream.h"
#include "python/target.h"

struct code {
	char name[DEFINE_TEXT_MAX]; /* qualified where the version has it */
	char file[DEFINE_TEXT_MAX];
	uint32_t first_line;
	bool lines_known; /* false: the line table is too long to be kept */
	uint8_t *lines;	  /* malloc()ed, the caller's from then on; NULL when empty */
	uint32_t lines_bytes;
};

/* Can code objects be read with these offsets at all? */
bool code_readable(const struct stack_layout *stack, const struct code_layout *layout);

/*
 * Reads the code object at `address` whose check (bpf/shared.h) must be `check`. `*type` is the
 * address of the code type, 0 while it is not known; it is set when it has been proven by its name.
 * 0; -ESTALE: no code object, or not that one any more; -EBADMSG: its name or file cannot be read;
 * -ENOMEM; or the error of a read, mostly -EFAULT or -ESRCH.
 */
int code_read(pid_t pid, const struct stack_layout *stack, const struct code_layout *layout,
	      uint64_t *type, uint64_t address, uint32_t check, struct code *ret_code);

#endif
