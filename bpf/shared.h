/* SPDX-License-Identifier: MIT */
/*
 * shared.h - the types of the maps that capture/ fills and reads, and the ring's records that are
 * not events yet: stacks and texts as the probes saw them, from which symbols/ makes definitions.
 */
#ifndef GILSCOPE_SHARED_H
#define GILSCOPE_SHARED_H

#include "wire.h"
#include "../user/python/interpreter/gil_layout.h"
#include "../user/python/interpreter/stack_layout.h"
#include "../user/python/elf/libc_calls.h"

#define SHARED_MAX_TARGETS  1024
#define SHARED_MAX_FAMILY   16384
#define SHARED_GIL_SLOTS    16384 /* for condition variables, two of every GIL */
#define SHARED_MAX_THREADS  32768
#define SHARED_MAX_CPUS	    4096
#define SHARED_MAX_LOOPS    4096
#define SHARED_MAX_GC_SITES 4096

/*
 * A process can be an observed one only if the bit of its PID, modulo this, is set. Every context
 * switch and wake-up of the machine asks, and looking into the map each time costs ten times as
 * much. A bit that is set for another process costs that look and does no harm.
 */
#define SHARED_TARGET_BITS 4096

/* How the GIL's transitions are seen (--mode): as enum evidence_mode in stream/facts.h */
enum { SHARED_MODE_EXACT = 1, SHARED_MODE_EDGES = 2, SHARED_MODE_FUTEX = 3 };

/* An observed process. */
struct shared_target {
	struct gil_layout gil;
	wire_u64 calls[LIBC_CALLS]; /* where these functions are probed, in the process; 0: not */
	wire_u32 waits_probed; /* its waits are; what the tracepoints of system calls say of them is
				  ignored */
	wire_u32 image;	       /* the cookie of the probes of its image; 0: they are its own */
};

/*
 * A GIL is looked up by what its sites are passed: the address of one of its two condition
 * variables. Which one it is says what the call means, so the probes need no offset within the GIL.
 */
struct shared_gil_key {
	wire_u64 condition;
	wire_u32 tgid;
	wire_u32 spare;
};

enum {
	CONDITION_COND,
	CONDITION_SWITCH
}; /* COND: waiters sleep on it, DROP signals it. SWITCH: TAKE signals it. */

struct shared_gil {
	wire_u64 address;	/* of the GIL */
	wire_u64 drop_request;	/* address or offset: target.h, enum drop_request_kind */
	wire_s32 tstate_interp; /* PyThreadState.interp */
	wire_u16 drop_request_kind;
	wire_u16 index;	    /* the stream's index of this GIL */
	wire_u16 condition; /* CONDITION_…: the one that this entry is for */
	wire_u16 pending;   /* with COND: a waiter has waited out the switch interval since the last
			       DROP, so the drop request is worth reading */
	struct gil_layout layout;
	wire_u32 interpreter; /* its id */
	wire_u32 image;	      /* as in shared_target */
};

/* Whose PyThreadState is at this address, and its thread_id then. */
struct shared_state_key {
	wire_u64 tstate;
	wire_u32 tgid;
	wire_u32 spare;
};
struct shared_state {
	wire_u64 pointer;
	wire_u32 tid;
	wire_u32 spare;
};

/*
 * The map of GILs is a hash table in an array: every take and every drop of a GIL looks into it,
 * and finds its entry in a tenth of the time that the kernel's own hash maps need. An entry is in
 * the slot that shared_gil_slot() gives for 0, or in one of the next. A free one has the key 0.
 */
#define SHARED_GIL_TRIES 8
struct shared_gil_slot {
	struct shared_gil_key key;
	struct shared_gil gil;
};

/* The GILs of a process, to distinguish their futexes from others. GILs beyond SHARED_GIL_LIST_MAX
 * are not distinguished. */
#define SHARED_GIL_LIST_MAX 72
struct shared_gil_list {
	wire_u32 count;
	wire_u32 spare;
	struct shared_gil_span {
		wire_u64 address;
		wire_u16 size;
		wire_u16 mutex;	   /* offset of the mutex, behind the condition variable */
		wire_u16 handover; /* … of the part for the forced handoff */
		wire_u16 index;
	} gils[SHARED_GIL_LIST_MAX];
};

/* Part of a GIL (gil_layout.h), in the order in which take_gil writes it, but for `locked`, which
 * is first. */
struct shared_gil_words {
	wire_u64 last_holder;
	wire_u32 locked;
	wire_u32 spare;
	wire_u64 switch_number;
};

/* Whose records found no room in the ring: those of a process, by its PID, or one of these. */
enum {
	SHARED_LOSS_ALL = 0,	       /* nobody knows whose */
	SHARED_LOSS_RUNS = 0x7fffffff, /* RUN, and names of tasks: no process's */
};
struct shared_loss_key {
	wire_u32 whose;
	wire_u32 half; /* user space reads one while the probes count in the other */
};
#define SHARED_LOSSES (2 * (SHARED_MAX_TARGETS + 2))

/* These, on one CPU. Samples are not part of them: losing these falsifies nothing. */
struct shared_loss {
	wire_u64 count, first_ts, last_ts;
	wire_u32 epoch; /* of loss_epoch; the rest means nothing if that is not the half's last */
	wire_u32 spare;
};

/* A process whose stacks can be read: its layout, and values derived from it in advance. */
struct shared_python {
	struct stack_layout layout;
	wire_u64 code_type; /* address of PyCode_Type; 0: unknown */
	wire_u64 code_mask; /* removes the tag bits from a frame's code pointer */
	wire_u64 gil;	    /* address of the main interpreter's GIL */
	struct gil_layout gil_layout;
	wire_u16 frame_first; /* a frame is read in one piece, from here … */
	wire_u16 frame_bytes; /* … of this length, at most SHARED_FRAME_BYTES_MAX */
	wire_u16 previous, code, instr, owner, generator,
		copy;	  /* offsets in that piece; STACK_NONE as in the layout */
	wire_u32 process; /* its number in this capture; 0: nothing reports freed code objects, so
			     their checks must not be cached */
};
#define SHARED_FRAME_BYTES_MAX 120

/* An epoll descriptor of an event loop. */
struct shared_loop_key {
	wire_u32 tgid, epfd;
};

/* Where a garbage collection begins, and how to read its generation there. */
struct shared_gc_key {
	wire_u64 address; /* in the process */
	wire_u32 tgid;
	wire_u32 spare;
};
struct shared_gc {
	wire_u32 kind;
	wire_s32 generation;  /* the constant, or the offset from the address in the register */
	wire_s32 regs_offset; /* of the register in struct pt_regs */
	wire_u32 spare;
};
enum { GENERATION_UNKNOWN, GENERATION_CONSTANT, GENERATION_REGISTER, GENERATION_MEMORY };

/* ── stacks as the probes see them ───────────────────────────────────────── */

#define SHARED_FRAMES_MAX 128
#define SHARED_FRAMES_OUTER                                                                        \
	32 /* of a deeper stack so many of the outermost frames are kept; before                   \
	      them is one with code 0, which stands for those left out */
#define SHARED_TEXT_MAX 64

/*
 * Types of ring records in addition to EV_…; they never leave capture/. A stack or text is sent
 * once, before the first record that refers to it by its hash, and again when the probes have
 * forgotten that they sent it.
 */
enum {
	RING_STACK = 240,  /* struct shared_stack, only as many frames as `count` says */
	RING_TEXT = 241,   /* struct shared_text */
	RING_SAMPLE = 242, /* struct shared_sample: becomes STACK */
	RING_FILE = 243,   /* struct shared_file: becomes SLEEPS_ON */
	RING_NATIVE = 244, /* struct shared_native: becomes NATIVE */
	RING_FAMILY = 245, /* struct shared_family */
};

struct shared_frame {
	wire_u64 code;	/* address of the code object */
	wire_u32 lasti; /* offset of the instruction in bytes; UINT32_MAX: unknown */
	wire_u32 check; /* shared_check() of the code object at that time: a later reader checks
			   with it whether it is still the same one */
};

struct shared_stack {
	struct event_hdr
		hdr;   /* tid: whose; aux: number of frames; flags bit 0: more frames outside */
	wire_u64 hash; /* of the process and all frames; never 0 or SHARED_STACK_EMPTY */
	wire_u32 pid;
	wire_u32 spare;
	struct shared_frame frames[SHARED_FRAMES_MAX]; /* innermost first */
};
#define SHARED_STACK_CUT   1
#define SHARED_STACK_EMPTY 1 /* in a sample: the thread has no frames; nothing is missing */
#define SHARED_STACK_BYTES(count)                                                                  \
	(__builtin_offsetof(struct shared_stack, frames) + (count) * sizeof(struct shared_frame))

struct shared_text {
	struct event_hdr hdr;	     /* aux: number of bytes; flags: 0, or bytes per character */
	wire_u64 hash;		     /* never 0 */
	char bytes[SHARED_TEXT_MAX]; /* UTF-8 if flags is 0, else units of Python's str; cut if
					longer */
};

struct shared_sample {
	struct event_hdr hdr; /* as in STACK */
	wire_u64 stack, task; /* hashes; 0: none */
	wire_u64 root;
	wire_u64 address; /* with STACK_CLOCK, _PREEMPT: of the instruction in user space; 0: not
			     known */
};

/*
 * A process of the family: an observed one, or any below one. Who has forked it is a member; so are
 * programs between that are no Pythons.
 */
struct shared_family {
	struct event_hdr hdr; /* tid: the process; flags: SHARED_FAMILY_… */
};
enum { SHARED_FAMILY_FORK, SHARED_FAMILY_EXEC, SHARED_FAMILY_EXIT };

/* A sample of a thread that has no Python stack. */
struct shared_native {
	struct event_hdr hdr; /* as in NATIVE */
	wire_u64 address;     /* of the instruction in user space; 0: not known */
};

/* What a descriptor of a sleeping thread is. */
#define SHARED_FILE_NAME 48
struct shared_file {
	struct event_hdr hdr; /* as in SLEEPS_ON */
	wire_u32 mode;	      /* inode.i_mode: which of the rest counts */
	wire_u32 device;      /* of a character device: inode.i_rdev as the kernel packs it */
	wire_u16 family;      /* of a socket: AF_… */
	wire_u16 type;	      /* … SOCK_… */
	wire_u16 port;	      /* … of the peer, in the network's byte order; 0: none */
	wire_u16 spare;
	union {
		wire_u8 address[16];	     /* of a socket's peer: the first 4, or all bytes */
		char name[SHARED_FILE_NAME]; /* of any other file, cut if longer; terminated */
	};
};

static inline __attribute__((always_inline)) wire_u64 shared_mix(wire_u64 hash, wire_u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
	return hash ^ hash >> 29;
}

static inline __attribute__((always_inline)) wire_u32
shared_gil_slot(const struct shared_gil_key *key, wire_u32 number)
{
	wire_u64 hash = shared_mix(key->condition, key->tgid);

	return ((wire_u32)(hash >> 32) + number) % SHARED_GIL_SLOTS;
}

/*
 * Distinguishes code objects that follow each other at one address. The probes and symbols/ compute
 * the same value: over the CODE_SPAN_WORDS words at stack_layout.code_span, in order; then, with
 * code_weak and unless the build is free-threaded, over the hash of the name (the word at
 * unicode_hash of the object that word code_name_word of the span points to) and the first three
 * words of the line table from bytes_size on (its size, its hash, its first eight bytes; word
 * code_linetable_word points to it). Words that cannot be read count as 0.
 */
#define SHARED_CHECK_BEGIN 0x67696c73636f7065ull
static inline __attribute__((always_inline)) wire_u32 shared_check_end(wire_u64 hash)
{
	return (wire_u32)(hash ^ hash >> 32);
}

#endif
