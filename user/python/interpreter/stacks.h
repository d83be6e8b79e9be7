/* SPDX-License-Identifier: MIT */
/*
 * stacks.h - fills struct stack_layout and struct code_layout: rows of constants for 3.8 to 3.12,
 * taken from the debug information of builds of these versions (Include/cpython/frameobject.h,
 * internal/pycore_frame.h, cpython/code.h, internal/pycore_gc.h), and _Py_DebugOffsets from 3.13
 * on.
 */
#ifndef GILSCOPE_PYTHON_INTERPRETER_STACKS_H
#define GILSCOPE_PYTHON_INTERPRETER_STACKS_H

#include <sys/types.h>

#include "python/image.h"
#include "python/interpreter/layout.h"

/*
 * -ENOTSUP, and stack->runtime 0, when the process's offsets are none that the walker can work
 * with: no stacks then, which is no reason not to trace. The asyncio task's fields are left
 * STACK_NONE (asyncio.h finds them).
 */
int stacks_layout_read(pid_t pid, uint32_t version_hex, uint64_t runtime,
		       const struct layout *layout, struct stack_layout *ret_stack,
		       struct code_layout *ret_code);

/* From the bytes of a struct _Py_DebugOffsets, which layout_parse_debug_offsets() has found good.
 */
int stacks_parse_debug_offsets(const uint64_t *words, size_t count, uint32_t version_hex,
			       struct stack_layout *ret_stack, struct code_layout *ret_code);

/* File offset of the function that frees a code object (PyCode_Type.tp_dealloc); 0: not found. */
uint64_t stacks_code_gone(pid_t pid, const struct image *image, bool free_threaded);

#endif
