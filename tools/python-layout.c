/* SPDX-License-Identifier: MIT */
/*
 * python-layout.c - writes a row of user/python/versions/rows.inc: where the CPython whose
 * headers this is compiled against keeps what gilscope reads (fields.def).
 * tools/gen-python-layouts compiles and runs it, once per version and kind of build.
 *
 * What is in a header is asked of the compiler. The rest is marked FORM and written here by
 * version: how data is to be read, and structures that are private to one .c file of CPython. So a
 * version that nobody has looked at does not compile.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define Py_BUILD_CORE 1
#include <Python.h>

#if PY_VERSION_HEX >= 0x03100000
#error "a new version: compare what is marked FORM with CPython's sources, then raise this number"
#endif

#define SINCE(minor) (PY_VERSION_HEX >= (0x03000000 | (minor) << 16))

#include <frameobject.h>
#include "internal/pycore_gil.h"
#include "internal/pycore_pystate.h"
#if SINCE(9)
#include "internal/pycore_interp.h"
#include "internal/pycore_runtime.h"
#endif
#if SINCE(11)
#include "internal/pycore_dict.h"
#include "internal/pycore_frame.h"
#include "internal/pycore_moduleobject.h"
#include "internal/pycore_object.h"
#else
#include <longintrepr.h>
#endif
#if SINCE(13)
#include "internal/pycore_critical_section.h"
#include "internal/pycore_tstate.h"
#endif
#if SINCE(14)
#include "internal/pycore_code.h"
#include "internal/pycore_interpframe_structs.h"
#endif

#include "user/python/versions/debug_offsets.h"

#ifdef Py_GIL_DISABLED
#define BUILD "FREE_THREADED"
enum { FREE_THREADED = 1 };
#else
#define BUILD "WITH_GIL"
enum { FREE_THREADED = 0 };
#endif

static void word(const char *name, const char *text)
{
	printf("\tVALUE(%s, %s)\n", name, text);
}

static void number(const char *name, size_t value)
{
	printf("\tVALUE(%s, %zu)\n", name, value);
}

#define NONE(name)	       word(#name, "LAYOUT_NONE")
#define AT(name, type, member) number(#name, offsetof(type, member))
#define CHECK(condition)       _Static_assert(condition, "CPython is another than gilscope knows")

static void runtime(void)
{
	AT(runtime_interpreters, _PyRuntimeState, interpreters.head);
#if SINCE(12)
	NONE(runtime_gil);
#else
	AT(runtime_gil, _PyRuntimeState, ceval.gil);
#endif
}

/* gil.c has the order of the fields; the sizes in between are the C library's. */
static void gil(void)
{
#define GIL(member) offsetof(struct _gil_runtime_state, member)
	CHECK(GIL(last_holder) == GIL(interval) + sizeof(long) &&
	      GIL(locked) == GIL(last_holder) + sizeof(void *) &&
	      GIL(switch_number) == GIL(locked) + sizeof(long) &&
	      GIL(cond) == GIL(switch_number) + sizeof(long) &&
	      GIL(mutex) == GIL(cond) + sizeof(pthread_cond_t) &&
	      GIL(switch_cond) == GIL(mutex) + sizeof(pthread_mutex_t) &&
	      GIL(switch_mutex) == GIL(switch_cond) + sizeof(pthread_cond_t) &&
	      GIL(interval) == (FREE_THREADED ? sizeof(long) : 0));
}

static void interpreter(void)
{
	AT(interp_next, PyInterpreterState, next);
	AT(interp_id, PyInterpreterState, id);
#if SINCE(11)
	AT(interp_threads, PyInterpreterState, threads.head);
#else
	AT(interp_threads, PyInterpreterState, tstate_head);
#endif
#if SINCE(12)
	AT(interp_modules, PyInterpreterState, imports.modules);
	AT(interp_gil, PyInterpreterState, ceval.gil);
#else
	AT(interp_modules, PyInterpreterState, modules);
	NONE(interp_gil);
#endif
#if SINCE(9)
	AT(interp_gc_collecting, PyInterpreterState, gc.collecting);
#else
	NONE(interp_gc_collecting); /* it is in _PyRuntimeState */
#endif
	/* FORM: SET_GIL_DROP_REQUEST, Python/ceval_gil.h */
#if SINCE(13)
	word("drop_request_kind", "DROP_REQUEST_TSTATE");
	AT(drop_request, PyThreadState, eval_breaker);
#elif SINCE(9)
	word("drop_request_kind", "DROP_REQUEST_INTERP");
	AT(drop_request, PyInterpreterState, ceval.gil_drop_request);
#else
	word("drop_request_kind", "DROP_REQUEST_ADDRESS");
	AT(drop_request, _PyRuntimeState, ceval.gil_drop_request);
#endif
}

#if SINCE(12)
/* The number of a bit of PyThreadState._status, from the structure's begin. */
#define STATUS_BIT(member)                                                                         \
	__extension__({                                                                            \
		union {                                                                            \
			PyThreadState state;                                                       \
			unsigned char bytes[sizeof(PyThreadState)];                                \
		} u;                                                                               \
		size_t byte = 0;                                                                   \
		memset(&u, 0, sizeof(u));                                                          \
		u.state._status.member = 1;                                                        \
		while (!u.bytes[byte])                                                             \
			byte++;                                                                    \
		8 * byte + (size_t)__builtin_ctz(u.bytes[byte]);                                   \
	})
#endif

/* FORM: each thread has one state that is bound, that of the interpreter it was last in, until it
 * enters another one: tstate_activate(), Python/pystate.c. */
static void status(void)
{
#if SINCE(12)
	number("tstate_bound", STATUS_BIT(bound_gilstate));
	number("tstate_active", STATUS_BIT(active));
#else
	NONE(tstate_bound);
	NONE(tstate_active);
#endif
#ifdef Py_GIL_DISABLED
	AT(tstate_state, PyThreadState, state);
	AT(tstate_critical, PyThreadState, critical_section);
#else
	NONE(tstate_state);
	NONE(tstate_critical);
#endif
}

static void thread(void)
{
	AT(tstate_next, PyThreadState, next);
	AT(tstate_interp, PyThreadState, interp);
	AT(tstate_thread_id, PyThreadState, thread_id);
#if SINCE(11)
	AT(tstate_native_thread_id, PyThreadState, native_thread_id);
#else
	NONE(tstate_native_thread_id);
#endif
	status();
	/* FORM: struct wait_entry, Python/parking_lot.c; struct _PyCriticalSection */
	number("parks", SINCE(13));
#ifdef Py_GIL_DISABLED
	CHECK(offsetof(PyCriticalSection, _cs_mutex) == 8 && _Py_CRITICAL_SECTION_MASK == 3);
#endif
	/* FORM: where asyncio keeps the running loop, Modules/_asynciomodule.c */
#if SINCE(13)
	NONE(tstate_dict);
#else
	AT(tstate_dict, PyThreadState, dict);
#endif
#if SINCE(14) || !SINCE(13)
	NONE(tstate_loop);
#else
	AT(tstate_loop, _PyThreadStateImpl, asyncio_running_loop);
	CHECK(offsetof(_PyThreadStateImpl, asyncio_running_loop) == sizeof(PyThreadState));
#endif
#if SINCE(13)
	AT(tstate_frame, PyThreadState, current_frame);
#elif SINCE(11)
	AT(tstate_frame, PyThreadState, cframe);
#else
	AT(tstate_frame, PyThreadState, frame);
#endif
}

static void frame(void)
{
#if SINCE(11) && !SINCE(13)
	AT(cframe_current, _PyCFrame, current_frame);
#else
	NONE(cframe_current);
#endif
#if SINCE(11)
	AT(frame_previous, _PyInterpreterFrame, previous);
#if SINCE(13)
	AT(frame_code, _PyInterpreterFrame, f_executable);
	AT(frame_instr, _PyInterpreterFrame, instr_ptr);
#else
	AT(frame_code, _PyInterpreterFrame, f_code);
	AT(frame_instr, _PyInterpreterFrame, prev_instr);
#endif
	AT(frame_owner, _PyInterpreterFrame, owner);
	NONE(frame_generator);
#else
	AT(frame_previous, PyFrameObject, f_back);
	AT(frame_code, PyFrameObject, f_code);
	AT(frame_instr, PyFrameObject, f_lasti);
	NONE(frame_owner);
	AT(frame_generator, PyFrameObject, f_gen);
#endif
#if SINCE(14) && defined(Py_GIL_DISABLED)
	AT(frame_copy, _PyInterpreterFrame, tlbc_index);
#else
	NONE(frame_copy);
#endif
#if SINCE(11)
	number("owner_generator", FRAME_OWNED_BY_GENERATOR);
#else
	NONE(owner_generator);
#endif
	/* FORM: which owners have no code of Python's, _PyFrame_IsIncomplete, pycore_frame.h */
#if SINCE(14)
	number("owner_shim_min", FRAME_OWNED_BY_INTERPRETER);
#elif SINCE(12)
	number("owner_shim_min", FRAME_OWNED_BY_CSTACK);
#else
	NONE(owner_shim_min);
#endif
	/* FORM: PyFrameObject.f_lasti; the frame's reference to its code is a _PyStackRef */
	word("instr_form", SINCE(11)   ? "STACK_INSTR"
			   : SINCE(10) ? "STACK_LASTI_UNITS"
				       : "STACK_LASTI_BYTES");
	number("code_tagged", SINCE(14));
}

static void code(void)
{
	AT(code_filename, PyCodeObject, co_filename);
	AT(code_name, PyCodeObject, co_name);
#if SINCE(11)
	AT(code_qualname, PyCodeObject, co_qualname);
#else
	NONE(code_qualname);
#endif
#if SINCE(10)
	AT(code_linetable, PyCodeObject, co_linetable);
#else
	AT(code_linetable, PyCodeObject, co_lnotab);
#endif
	AT(code_firstlineno, PyCodeObject, co_firstlineno);
#if SINCE(11)
	AT(code_instructions, PyCodeObject, co_code_adaptive);
#else
	NONE(code_instructions);
#endif
#if SINCE(14) && defined(Py_GIL_DISABLED)
	AT(code_copies, PyCodeObject, co_tlbc);
#else
	NONE(code_copies);
#endif
	/* FORM: co_version is assigned at creation, from a counter, from 3.12 on
	 * (Objects/codeobject.c); forms of the table, Objects/lnotab_notes.txt, locations.md */
	number("code_weak", !SINCE(12));
	word("lines_form", SINCE(11) ? "LINES_311" : SINCE(10) ? "LINES_310" : "LINES_LNOTAB");
}

static void type(void)
{
	AT(object_type, PyObject, ob_type);
	AT(type_name, PyTypeObject, tp_name);
	AT(type_basicsize, PyTypeObject, tp_basicsize);
	AT(type_dealloc, PyTypeObject, tp_dealloc);
	AT(type_flags, PyTypeObject, tp_flags);
	AT(type_base, PyTypeObject, tp_base);
	AT(type_dictoffset, PyTypeObject, tp_dictoffset);
	AT(type_cached_keys, PyHeapTypeObject, ht_cached_keys);
	CHECK(Py_TPFLAGS_HEAPTYPE == 1ul << 9 && Py_TPFLAGS_LONG_SUBCLASS == 1ul << 24 &&
	      Py_TPFLAGS_UNICODE_SUBCLASS == 1ul << 28 && Py_TPFLAGS_DICT_SUBCLASS == 1ul << 29);
#if SINCE(11)
	CHECK(Py_TPFLAGS_MANAGED_DICT == 1 << 4);
#endif
#if SINCE(13)
	CHECK(Py_TPFLAGS_INLINE_VALUES == 1 << 2);
#endif
}

/* The bits of PyASCIIObject.state; 0 where there are several. */
#define STATE(member)                                                                              \
	__extension__({                                                                            \
		union {                                                                            \
			PyASCIIObject str;                                                         \
			unsigned char bytes[sizeof(PyASCIIObject)];                                \
		} u;                                                                               \
		unsigned int state;                                                                \
		memset(&u, 0, sizeof(u));                                                          \
		u.str.state.member = 1;                                                            \
		memcpy(&state, u.bytes + offsetof(PyASCIIObject, state), sizeof(state));           \
		state;                                                                             \
	})

static int text(void)
{
	int shift = __builtin_ctz(STATE(kind)) - 2;

	AT(unicode_length, PyASCIIObject, length);
	AT(unicode_hash, PyASCIIObject, hash);
	AT(unicode_state, PyASCIIObject, state);
	number("unicode_shift", (size_t)shift);
	number("unicode_ascii", sizeof(PyASCIIObject));
	number("unicode_compact", sizeof(PyCompactUnicodeObject));
	AT(bytes_size, PyBytesObject, ob_base.ob_size);
	AT(bytes_data, PyBytesObject, ob_sval);
	return shift >= 0 && STATE(compact) == 32u << shift && STATE(ascii) == 64u << shift;
}

static void integer(void)
{
#if SINCE(12)
	AT(int_size, PyLongObject, long_value.lv_tag);
	AT(int_digits, PyLongObject, long_value.ob_digit);
#else
	AT(int_size, PyLongObject, ob_base.ob_size);
	AT(int_digits, PyLongObject, ob_digit);
#endif
	CHECK(PyLong_SHIFT == 30);
	number("int_tag_bits", SINCE(12) ? 3 : 0); /* FORM: pycore_long.h, NON_SIZE_BITS */
}

static void dict(void)
{
	AT(dict_head, PyDictObject, ma_used);
	CHECK(offsetof(PyDictObject, ma_keys) == offsetof(PyDictObject, ma_used) + 16 &&
	      offsetof(PyDictObject, ma_values) == offsetof(PyDictObject, ma_used) + 24);
	/* FORM: struct _dictkeysobject, up to 3.10 in Objects/dict-common.h */
#if SINCE(11)
	word("dict_keys_form", "DICT_KEYS_311");
	CHECK(offsetof(struct _dictkeysobject, dk_log2_size) == 8 &&
	      offsetof(struct _dictkeysobject, dk_log2_index_bytes) == 9 &&
	      offsetof(struct _dictkeysobject, dk_kind) == 10 &&
	      offsetof(struct _dictkeysobject, dk_version) == 12 &&
	      offsetof(struct _dictkeysobject, dk_usable) == 16 &&
	      offsetof(struct _dictkeysobject, dk_nentries) == 24 &&
	      offsetof(struct _dictkeysobject, dk_indices) == 32 && DICT_KEYS_GENERAL == 0);
	AT(dict_values_head, struct _dictvalues, values);
#else
	word("dict_keys_form", "DICT_KEYS_310");
	number("dict_values_head", 0);
#endif
	/* FORM: before an instance whose type has Py_TPFLAGS_MANAGED_DICT, pycore_object.h */
#if SINCE(13)
	word("managed_form", "MANAGED_INLINE");
	number("managed_dict", (size_t)-MANAGED_DICT_OFFSET);
	CHECK(offsetof(struct _dictvalues, valid) == 3);
#elif SINCE(12)
	word("managed_form", "MANAGED_TAGGED");
	number("managed_dict", 3 * sizeof(void *)); /* _PyObject_DictOrValuesPointer() */
#elif SINCE(11)
	word("managed_form", "MANAGED_TWO_WORDS");
	number("managed_dict", (size_t)-MANAGED_DICT_OFFSET);
#else
	word("managed_form", "MANAGED_NOT");
	NONE(managed_dict);
#endif
}

static void modules(void)
{
#if SINCE(11)
	AT(module_dict, PyModuleObject, md_dict);
#else
	number("module_dict", sizeof(PyObject)); /* FORM: Objects/moduleobject.c */
#endif
	/* FORM: Modules/_asynciomodule.c, PyRunningLoopHolder */
#if SINCE(12)
	NONE(holder_loop);
	NONE(holder_pid);
#else
	number("holder_loop", sizeof(PyObject));
	number("holder_pid", sizeof(PyObject) + sizeof(void *));
#endif
	number("asyncio_section", SINCE(14)); /* FORM: Modules/_asynciomodule.c */
	/* FORM: Modules/gcmodule.c; Python/gc.c and gc_free_threading.c from 3.13 on */
	word("collectors", SINCE(14)   ? "COLLECTOR_MAIN | COLLECTOR_EXPORTED"
			   : SINCE(10) ? "COLLECTOR_MAIN"
				       : "COLLECTOR_STATIC");
}

#if SINCE(13)
static void positions(void)
{
#define SIZE(name, path)	       AT(name, struct _Py_DebugOffsets, path);
#define CORE(name, path, size, align)  AT(name, struct _Py_DebugOffsets, path);
#define STACK(name, path, size, align) AT(name, struct _Py_DebugOffsets, path);
#define KNOWN(name, path)	       AT(name, struct _Py_DebugOffsets, path);
#if SINCE(14)
#define STACK_314(name, path, size, align) AT(name, struct _Py_DebugOffsets, path);
#else
#define STACK_314(name, path, size, align) NONE(name);
#endif
	printf("POSITIONS(%d,\n", PY_MINOR_VERSION);
#include "user/python/versions/fields.def"
	printf(")\n");
	CHECK(sizeof(struct _Py_DebugOffsets) <= DEBUG_OFFSETS_BYTES);
	CHECK(offsetof(struct _Py_DebugOffsets, version) == DEBUG_VERSION &&
	      offsetof(struct _Py_DebugOffsets, free_threaded) == DEBUG_FREE_THREADED);
}
#endif

int main(void)
{
	int known;

	printf("/* from the headers of %s%s */\nLAYOUT(%d, %s,\n", PY_VERSION,
	       FREE_THREADED ? ", --disable-gil" : "", PY_MINOR_VERSION, BUILD);
	runtime();
	gil();
	interpreter();
	thread();
	frame();
	code();
	type();
	known = text();
	integer();
	dict();
	modules();
	printf(")\n");
#if SINCE(13)
	if (!FREE_THREADED)
		positions();
#endif
	return known ? 0 : 1;
}
