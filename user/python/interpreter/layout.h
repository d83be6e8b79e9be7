/* SPDX-License-Identifier: MIT */
/*
 * layout.h - where in CPython's structures the few fields are that we read, per version.
 *
 * From 3.13 on CPython says so itself: _PyRuntime begins with struct _Py_DebugOffsets
 * (Include/internal/pycore_debug_offsets.h), whose own layout differs per minor version. Before
 * that a row of constants, taken from the debug information of builds of that version
 * (Include/internal/ pycore_runtime.h, pycore_interp.h, pystate.h), and never used before the
 * process's memory has confirmed it.
 */
#ifndef GILSCOPE_PYTHON_INTERPRETER_LAYOUT_H
#define GILSCOPE_PYTHON_INTERPRETER_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "python/target.h"

struct layout {
	uint32_t runtime_head; /* _PyRuntimeState.interpreters.head */
	uint32_t runtime_gil;  /* 3.8 to 3.11: the one struct _gil_runtime_state; later 0 */
	uint32_t interp_gil;   /* 3.12 on: PyInterpreterState.ceval.gil, a pointer; before 0 */
	uint32_t interp_next, interp_id, interp_threads;
	uint32_t tstate_next, tstate_interp, tstate_thread_id;
	int32_t tstate_native_thread_id; /* -1 before 3.11 */
	uint32_t interp_modules;	 /* sys.modules, a dict */
	uint32_t tstate_dict;		 /* up to 3.12: PyThreadState.dict; later 0 */
	uint32_t tstate_loop; /* 3.13: _PyThreadStateImpl.asyncio_running_loop, its first field
				 behind the PyThreadState; else 0 */
	bool free_threaded;
	struct gil_layout gil;
	enum drop_request_kind drop_request_kind;
	uint32_t drop_request; /* ADDRESS: in _PyRuntime */
};

/*
 * `runtime` is _PyRuntime's address and `runtime_size` its size (0: not known). -ENOTSUP: this
 * version's layout is not known, or the process's debug offsets do not look as that version writes
 * them.
 */
int layout_read(pid_t pid, uint32_t version_hex, uint64_t runtime, uint64_t runtime_size,
		struct layout *ret_layout);

/* From the bytes of a struct _Py_DebugOffsets. */
int layout_parse_debug_offsets(const uint64_t *words, size_t count, uint32_t version_hex,
			       uint64_t runtime_size, struct layout *ret_layout);

#endif
