/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "python/interpreter/debug_offsets.h"
#include "python/interpreter/gil.h"
#include "python/interpreter/layout.h"
#include "python/process/memory.h"
#include "python/interpreter/version.h"

/* 3.8 to 3.12, rows by minor version; interp_next is 0 in all */
static const struct layout rows[] = {
	[8] = {.runtime_head = 32,
	       .runtime_gil = 1152,
	       .interp_id = 16,
	       .interp_threads = 8,
	       .tstate_next = 8,
	       .tstate_interp = 16,
	       .tstate_thread_id = 176,
	       .tstate_native_thread_id = -1,
	       .interp_modules = 56,
	       .tstate_dict = 152,
	       .drop_request_kind = DROP_REQUEST_ADDRESS,
	       .drop_request = 596},
	[9] = {.runtime_head = 32,
	       .runtime_gil = 352,
	       .interp_id = 24,
	       .interp_threads = 8,
	       .tstate_next = 8,
	       .tstate_interp = 16,
	       .tstate_thread_id = 176,
	       .tstate_native_thread_id = -1,
	       .interp_modules = 856,
	       .tstate_dict = 152,
	       .drop_request_kind = DROP_REQUEST_INTERP,
	       .drop_request = 76},
	[10] = {.runtime_head = 32,
		.runtime_gil = 352,
		.interp_id = 24,
		.interp_threads = 8,
		.tstate_next = 8,
		.tstate_interp = 16,
		.tstate_thread_id = 176,
		.tstate_native_thread_id = -1,
		.interp_modules = 856,
		.tstate_dict = 152,
		.drop_request_kind = DROP_REQUEST_INTERP,
		.drop_request = 72},
	[11] = {.runtime_head = 40,
		.runtime_gil = 360,
		.interp_id = 48,
		.interp_threads = 16,
		.tstate_next = 8,
		.tstate_interp = 16,
		.tstate_thread_id = 152,
		.tstate_native_thread_id = 160,
		.interp_modules = 888,
		.tstate_dict = 128,
		.drop_request_kind = DROP_REQUEST_INTERP,
		.drop_request = 104},
	[12] = {.runtime_head = 40,
		.interp_gil = 384,
		.interp_id = 8,
		.interp_threads = 72,
		.tstate_next = 8,
		.tstate_interp = 16,
		.tstate_thread_id = 136,
		.tstate_native_thread_id = 144,
		.interp_modules = 944,
		.tstate_dict = 112,
		.drop_request_kind = DROP_REQUEST_INTERP,
		.drop_request = 372},
};
VERSION_TABLE(rows, PYTHON_MINOR_ROWS);

/* Where struct _Py_DebugOffsets itself keeps a field, in bytes */
enum {
	DEBUG_COOKIE = 0,
	DEBUG_VERSION = 8,
	DEBUG_RUNTIME_SIZE = 24,
	DEBUG_RUNTIME_HEAD = 40,
	DEBUG_INTERP_SIZE = 48,
	DEBUG_INTERP_ID = 56,
	DEBUG_INTERP_NEXT = 64,
	DEBUG_INTERP_THREADS = 72,
	EVAL_BREAKER = 24, /* PyThreadState.eval_breaker, 3.13 to 3.15; bit 0 asks for the GIL
			      (pycore_ceval.h, _PY_GIL_DROP_REQUEST_BIT) */
};

static const struct debug_positions {
	uint16_t interp_modules, interp_gil, gil_state, gil_enabled, gil_locked, gil_holder;
	uint16_t tstate_size, tstate_next, tstate_interp, tstate_thread_id, tstate_native_thread_id;
} positions[] = {
	[13] = {88, 112, 120, 128, 136, 144, 152, 168, 176, 192, 200},
	[14] = {96, 120, 128, 136, 144, 152, 176, 192, 200, 216, 224},
	[15] = {96, 120, 128, 136, 144, 152, 176, 192, 200, 240, 248},
};
VERSION_TABLE(positions, PYTHON_MINOR_MAX);

static uint32_t field(struct debug_reader *reader, unsigned int position, uint64_t struct_size)
{
	return debug_field(reader, position, struct_size, 4);
}

int layout_parse_debug_offsets(const uint64_t *words, size_t count, uint32_t version_hex,
			       uint64_t runtime_size, struct layout *ret_layout)
{
	enum { STRUCT_SIZE_MAX = 1 << 24 };
	const struct debug_positions *at;
	uint64_t runtime_bytes, interp_bytes, tstate_bytes;
	struct debug_reader r = {.words = words};
	struct layout layout;
	uint32_t state;

	if (!version_has_debug_offsets(version_hex) || count < DEBUG_OFFSETS_WORDS ||
	    memcmp(words, "xdebugpy", 8) != 0 || words[DEBUG_VERSION / 8] != version_hex ||
	    words[DEBUG_FREE_THREADED / 8] > 1)
		return -ENOTSUP;
	at = &positions[version_minor(version_hex)];
	runtime_bytes = words[DEBUG_RUNTIME_SIZE / 8];
	interp_bytes = words[DEBUG_INTERP_SIZE / 8];
	tstate_bytes = words[at->tstate_size / 8];
	if (runtime_bytes > STRUCT_SIZE_MAX || interp_bytes > STRUCT_SIZE_MAX ||
	    tstate_bytes > STRUCT_SIZE_MAX || (runtime_size && runtime_bytes != runtime_size))
		return -ENOTSUP;
	layout = (struct layout){
		.runtime_head = field(&r, DEBUG_RUNTIME_HEAD, runtime_bytes),
		.interp_modules = field(&r, at->interp_modules, interp_bytes),
		.tstate_loop = version_minor(version_hex) == 13 ? (uint32_t)tstate_bytes : 0,
		.interp_gil = field(&r, at->interp_gil, interp_bytes),
		.interp_next = field(&r, DEBUG_INTERP_NEXT, interp_bytes),
		.interp_id = field(&r, DEBUG_INTERP_ID, interp_bytes),
		.interp_threads = field(&r, DEBUG_INTERP_THREADS, interp_bytes),
		.tstate_next = field(&r, at->tstate_next, tstate_bytes),
		.tstate_interp = field(&r, at->tstate_interp, tstate_bytes),
		.tstate_thread_id = field(&r, at->tstate_thread_id, tstate_bytes),
		.tstate_native_thread_id = (int32_t)field(&r, at->tstate_native_thread_id,
							  tstate_bytes),
		.free_threaded = words[DEBUG_FREE_THREADED / 8],
		.drop_request_kind = DROP_REQUEST_TSTATE,
		.drop_request = EVAL_BREAKER,
	};
	layout.gil = gil_layout_of(layout.free_threaded);
	/* it tells where some fields of the GIL are that we hold for constant; where `enabled` is,
	 * which comes first, within the GIL itself */
	state = field(&r, at->gil_state, interp_bytes);
	if (field(&r, at->gil_locked, interp_bytes) - state != layout.gil.locked ||
	    field(&r, at->gil_holder, interp_bytes) - state != layout.gil.last_holder ||
	    words[at->gil_enabled / 8] != 0 || r.bad)
		return -ENOTSUP;
	*ret_layout = layout;
	return 0;
}

int layout_read(pid_t pid, uint32_t version_hex, uint64_t runtime, uint64_t runtime_size,
		struct layout *ret_layout)
{
	uint64_t words[DEBUG_OFFSETS_WORDS];
	int err;

	if (!version_supported(version_hex))
		return -ENOTSUP;
	if (!version_has_debug_offsets(version_hex)) {
		*ret_layout = rows[version_minor(version_hex)];
		ret_layout->gil = gil_layout_of(false);
		return 0;
	}
	err = memory_read(pid, runtime, words, sizeof(words));
	return err ? err
		   : layout_parse_debug_offsets(words, sizeof(words) / sizeof(words[0]),
						version_hex, runtime_size, ret_layout);
}
