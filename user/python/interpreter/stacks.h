/* SPDX-License-Identifier: MIT */
/*
 * stacks.h - what the probes and the reader of symbols need of a version in addition to its layout.
 */
#ifndef GILSCOPE_PYTHON_INTERPRETER_STACKS_H
#define GILSCOPE_PYTHON_INTERPRETER_STACKS_H

#include <sys/types.h>

#include "python/image.h"
#include "python/versions/layout.h"

/*
 * The walker's copy of the layout (bpf/pystack): all that is there comes from here, but for the
 * asyncio task's fields, which are STACK_NONE (asyncio.h finds them). -ENOTSUP: the walker cannot
 * work with the process's offsets. Stacks are disabled then (ret_stack->runtime stays 0); tracing
 * continues.
 */
int stack_layout_of(const struct python_layout *layout, uint64_t runtime,
		    struct stack_layout *ret_stack);

/* The address of PyCode_Type in the process; 0: the image has no symbol for it. */
uint64_t stacks_code_type(const struct image *image);

/* File offset of the function that frees a code object (PyCode_Type.tp_dealloc); 0: not found. */
uint64_t stacks_code_gone(pid_t pid, const struct image *image, const struct python_layout *layout);

#endif
