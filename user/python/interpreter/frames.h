/* SPDX-License-Identifier: MIT */
/*
 * frames.h - reads the Python frames of a thread from outside, as bpf/pystack does inside the
 * probes. Right only while the thread does not run, which the caller must know. The memory may be
 * forged: every read may fail, and no list is followed further than PYTHON_STEPS_MAX.
 */
#ifndef GILSCOPE_PYTHON_INTERPRETER_FRAMES_H
#define GILSCOPE_PYTHON_INTERPRETER_FRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "python/interpreter/stack_layout.h"

enum {
	PYTHON_FRAMES_MAX = 128, /* those inside are kept */
	PYTHON_STEPS_MAX = 300,	 /* frames that are read, entries from C included */
};

struct python_frame {
	uint64_t code;	/* address of the code object */
	uint32_t lasti; /* offset of the instruction in bytes; UINT32_MAX: unknown */
};

struct python_frames {
	struct python_frame list[PYTHON_FRAMES_MAX]; /* innermost first */
	uint32_t count;
	bool cut;      /* there are more outside, or they cannot be read */
	uint64_t root; /* address of the outermost coroutine's or generator's frame; 0: none */
};

/* The frames of the PyThreadState at `state`. False if its innermost frame cannot be read. */
bool frames_read(pid_t pid, const struct stack_layout *layout, uint64_t state,
		 struct python_frames *ret_frames);

#endif
