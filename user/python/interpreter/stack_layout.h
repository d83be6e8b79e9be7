/* SPDX-License-Identifier: MIT */
/*
 * stack_layout.h - where CPython keeps what the stack walker (bpf/pystack) reads, as numbers handed
 * in per process. stack_layout_of() derives them from the process's struct python_layout
 * (versions/layout.h); the probes never know a version. Shared with BPF, so it includes nothing and
 * has fixed types.
 *
 * Offsets are in bytes. STACK_NONE: this version has no such field.
 */
#ifndef GILSCOPE_PYTHON_INTERPRETER_STACK_LAYOUT_H
#define GILSCOPE_PYTHON_INTERPRETER_STACK_LAYOUT_H

#define STACK_NONE 0xffffu

/* How a frame stores its current instruction. */
enum {
	STACK_LASTI_BYTES = 1, /* int: offset of the instruction in bytes
				  (PyFrameObject.f_lasti, 3.8 and 3.9) */
	STACK_LASTI_UNITS = 2, /* int: … in units of two bytes (3.10) */
	STACK_INSTR = 3,       /* pointer to the instruction (prev_instr in 3.11 and 3.12, instr_ptr
				  from 3.13 on) */
};

/*
 * The part of a code object that is read at every frame to distinguish it from another one that
 * reuses its address later (allocators do that all the time): CODE_SPAN_WORDS words from
 * code_span on, which hold the first line, the addresses of names, file and line table, and
 * from 3.12 on a version that no two code objects share. Before that (code_weak) the name's hash
 * and the head of the line table are read too.
 */
#define CODE_SPAN_WORDS 11

struct stack_layout {
	unsigned long long
		runtime; /* address of _PyRuntime; 0: no stacks can be read in this process */
	unsigned int runtime_interpreters; /* _PyRuntimeState.interpreters.head */
	unsigned short interp_next, interp_id;
	unsigned short interp_gil;   /* 3.12 on: PyInterpreterState.ceval.gil, a pointer; else 0 */
	unsigned int interp_threads; /* PyInterpreterState.threads.head, or tstate_head */
	unsigned int interp_gc_collecting; /* int gc.collecting; 0: unknown */
	unsigned short tstate_next, tstate_interp, tstate_thread_id;
	unsigned short tstate_frame;	/* 3.8 to 3.10: frame; 3.11, 3.12: cframe; from 3.13 on:
					   current_frame */
	unsigned short tstate_bound;	/* 3.12 on: number of a bit, from the state's begin, that is
					   set   in the one state of its thread that counts: of the
					   interpreter that it is in, or was in last … */
	unsigned short tstate_active;	/* … and of one that is set while it runs Python there */
	unsigned short tstate_state;	/* free-threaded: int state, on which a thread sleeps while
					   the world is stopped … */
	unsigned short tstate_critical; /* … and critical_section; else STACK_NONE */
	unsigned short cframe_current;	/* 3.11, 3.12: _PyCFrame.current_frame, which cframe points
					   to; else STACK_NONE */
	unsigned short
		tstate_task; /* 3.14 on: _PyThreadStateImpl.asyncio_running_task; else STACK_NONE */
	unsigned short
		task_name; /* TaskObj.task_name: a str, or an int N that stands for "Task-N" */
	unsigned short frame_previous, frame_code, frame_instr;
	unsigned short frame_owner;	/* 3.11 on: a byte; before STACK_NONE */
	unsigned short frame_generator; /* 3.8 to 3.10: PyFrameObject.f_gen, not NULL in a
					   generator's or coroutine's frame; later STACK_NONE */
	unsigned char owner_generator;	/* value of frame_owner */
	unsigned char owner_shim_min; /* … from this value on the frame is an entry from C, without
					 Python code; 255: this version has none */
	unsigned char instr_kind;     /* STACK_LASTI_… */
	unsigned char code_tagged;    /* 1: the low two bits of frame_code are tags (3.14 on) */
	unsigned short code_instructions; /* PyCodeObject.co_code_adaptive: what an instruction's
					     address is relative to */
	unsigned short frame_copy;    /* free-threaded, 3.14 on: int tlbc_index, of the thread's own
					 copy of the instructions; else STACK_NONE */
	unsigned short code_copies;   /* … PyCodeObject.co_tlbc: a pointer to the copies' number and
					 addresses; 0 is the one in the object */
	unsigned short code_span;     /* see above */
	unsigned char code_weak;      /* see above */
	unsigned char code_name_word; /* which word of the span is co_name */
	unsigned char code_linetable_word; /* … and co_lnotab or co_linetable */
	unsigned char parks;		   /* 1: it has a parking lot (3.13 on) */
	unsigned char free_threaded; /* objects have another header: code_weak's reads and task
					names are left out */
	unsigned short unicode_hash; /* PyASCIIObject.hash, .length, .state */
	unsigned short unicode_length, unicode_state;
	unsigned short unicode_compact; /* where those of another compact string begin */
	unsigned short unicode_ascii;	/* where the characters of a compact ASCII string begin */
	unsigned short bytes_size, bytes_data; /* PyBytesObject.ob_size, .ob_sval */
};

#endif
