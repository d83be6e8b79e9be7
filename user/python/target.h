/* SPDX-License-Identifier: MIT */
/*
 * target.h - a CPython process: what it is, where its GIL sites and its GILs are, and what its
 * threads are doing right now.
 *
 * Knows /proc, ELF and CPython, no BPF. Everything read from the target (memory, files, names) is
 * hostile: every read is bounded, every pointer is checked by reading through process_vm_readv, and
 * every list is walked with a limit. The target is never stopped, traced by ptrace or written to.
 *
 * How the sites are found in stripped PGO/LTO builds (cpython/Python/ceval_gil.h, 3.8 to 3.15): in
 * every CPython binary pthread_cond_timedwait is called only by take_gil (WAIT),
 * pthread_cond_signal in that same function signals gil->switch_cond on every acquisition (TAKE),
 * and every other pthread_cond_signal is drop_gil or an inlined copy of it, signalling gil->cond
 * (DROP). At the call instruction the first argument is the condition variable, which identifies
 * the GIL and the operation.
 */
#ifndef GILSCOPE_PYTHON_TARGET_H
#define GILSCOPE_PYTHON_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "stream/stream.h"
#include "python/interpreter/frames.h"
#include "python/elf/libc_calls.h"
#include "python/versions/layout.h"

struct diag;

enum site_kind { SITE_TAKE, SITE_DROP, SITE_WAIT, SITE_KINDS };

struct gil_site {
	enum site_kind kind;
	uint64_t offset; /* in the image file: of the call instruction */
	uint64_t after; /* in the image file: of the instruction behind the call; where WAIT ends */
	uint64_t vaddr; /* in the ELF's address space */
};

struct gil_address {
	uint64_t address;     /* struct _gil_runtime_state in the process */
	uint32_t interpreter; /* interpreter id */
	bool missing;	      /* that was not found when last read */
	bool gone;     /* that interpreter has ended; another one's GIL may get its address */
	bool declared; /* for the reader to set; not when it is new, or has become another one's */
};

/* Where a garbage collection begins and ends: the static probe points that distributions build in
 * (gc__start, gc__done of .note.stapsdt), or symbols. */
struct gc_site {
	bool end;	    /* it ends there */
	bool at_return;	    /* `offset` is a function's entry, the site is its return */
	uint64_t offset;    /* in the image file */
	uint64_t vaddr;	    /* in the ELF's address space */
	uint64_t semaphore; /* offset in the image file of the counter that switches the probe point
			       on; 0: it needs none */
	int8_t generation_register; /* where the generation is then: number of the DWARF register
				       that holds it, -1: a constant; -2: neither */
	int8_t generation_base; /* with -2: number of the register that its address is relative to
				   (an int in memory); -1: unknown */
	int32_t generation;	/* the constant, or the distance from generation_base's address */
};

/* Which file: two processes with the same one have the same code at the same offsets. */
struct image_id {
	uint64_t device, inode, size, modified_ns; /* as stat() has them */
	uint8_t build_id[32];			   /* zeros: it has none, or behind a shorter one */
};

/* Where functions of the process's C library are probed (libc.h). */
struct libc_places {
	char path[128];			/* opens the library's file from here, as image_path */
	uint64_t offsets[LIBC_CALLS];	/* in the file; 0: not there */
	uint64_t addresses[LIBC_CALLS]; /* in the process */
	bool waits;			/* event loops wait through these functions … */
	char why[80];			/* … or why that is not so, or not known; "" with `waits` */
};

struct target {
	struct process_info info; /* pid, command line, version, method … */
	uint32_t version_hex;	  /* PY_VERSION_HEX, for example 0x030b02f0 */
	uint64_t start_time;	  /* field 22 of /proc/PID/stat; recognises a reused pid */
	char image_path[128];	  /* opens the image's very file from here: /proc/PID/map_files/…,
				     /proc/PID/exe or /proc/PID/root/… */
	struct image_id image_id;
	bool scanned; /* the image's code was searched for its sites, as it was not known yet */
	uint64_t image_bias; /* added to the ELF's addresses in the process */
	uint64_t runtime;    /* address of _PyRuntime in the process */
	struct gil_site *sites;
	uint32_t site_count;
	struct gil_address *gils; /* of every interpreter, main first; shared GILs once */
	uint32_t gil_count;
	bool gil_proven; /* the calibration scan found the main GIL where the offsets say */
	struct python_layout layout; /* offsets: the version's, and the process's own */
	struct stack_layout stack;   /* for the probes; stack.runtime 0: no stacks. tstate_task may
					become known later, see target_describe_loop() */
	uint64_t code_type;	     /* address of PyCode_Type; 0: unknown */
	uint64_t code_gone; /* where code objects end: PyCode_Type.tp_dealloc, offset in the image
			       file; 0: not found */
	struct gc_site *gc_sites;
	uint32_t gc_site_count;
	struct libc_places libc;
	struct target_private *private;
};

/*
 * Examines a process. On failure the diag explains it: gone (EXIT_FAILED), not
 * permitted (EXIT_NOT_PERMITTED, capability named), no Python, PyPy, 32-bit, another architecture,
 * an unknown version, no sites (EXIT_UNSUPPORTED, why is named). -EAGAIN: Python is there but not
 * up yet. A process that was started a moment ago may also have no Python yet (-ENOEXEC): its
 * loader has not mapped it. Takes 10 to 30 ms for an image that this process has not seen yet
 * (elf/scans.h), and 2 to 4 for one that it has.
 */
int target_open(pid_t pid, struct diag *diag, struct target **ret_target);
void target_free(struct target *target);

/* A target as bytes, for another process of this program: how many these are; and `send` is called
 * for each part, in order, with `line`. 0, or what `send` returned. */
size_t target_bytes(const struct target *target);
int target_send(const struct target *target, int (*send)(int line, const void *, size_t), int line);
/* The target that these bytes are; NULL: they are none, or there is no memory. */
struct target *target_receive(const void *from, size_t length);

/* Still the same process (not gone, not a reused pid, not a zombie)? */
bool target_alive(const struct target *target);

/* Reads the interpreter list again: sub-interpreters made since have GILs of their own, and others
 * have ended. Returns the number of new entries in `gils`, or -errno. */
int target_refresh_gils(struct target *target);

/*
 * What the process is doing now, as events with true uncertainty spans, in time order and all with
 * ts <= the time of return: THREAD and COMM for every thread, STATE for every thread, OBSERVE for
 * every GIL (holder named through last_holder's native thread id, or before 3.11 through its
 * pthread_t, only if that is certain; a `locked` GIL whose holder is not certain has holder 0; the
 * observer is 0), FUTEX for every thread that sleeps on one, EPOLL for every epoll descriptor,
 * RUNS_LOOP for every Python thread. `gil_index[i]` is the stream's index of target->gils[i]. Used
 * when the probes are in place, and again after losses. 0 or -errno (-ESRCH: gone).
 */
int target_snapshot(struct target *target, const uint16_t *gil_index,
		    const struct stream_sink *sink);

/* The PyThreadStates whose thread is certain: their addresses and thread_id. 0, -errno (-ESRCH:
 * gone), or what `state` returned. */
typedef int target_state_found(void *ctx, uint64_t address, uint64_t thread_id, uint32_t tid);
int target_states(struct target *target, target_state_found *state, void *ctx);

/* FUTEX for every thread that sleeps on one that is no GIL's, as a part of target_snapshot(). Asked
 * before the window ends, since a mutex may have another owner by then. */
int target_locks(struct target *target, const uint16_t *gil_index, const struct stream_sink *sink);

/*
 * RUNS_LOOP for one thread, from Python's own state (tstate->dict's __asyncio_running_event_loop__
 * up to 3.12, asyncio_running_loop of the thread state later): asked when the thread waits on a
 * loop's descriptor for the first time, and part of every snapshot for all Python threads. Nothing
 * is emitted when this cannot be read: before 3.14's _asyncio module is loaded, or asyncio without
 * its C part. Where a 3.14 keeps its tasks is found by the first call (of this or of
 * target_snapshot()) after that module was loaded, which then fills target->stack.tstate_task and
 * task_name.
 */
int target_describe_loop(struct target *target, uint32_t tid, const struct stream_sink *sink);

/* RUNS_LOOP for every Python thread, as a part of target_snapshot(). */
int target_describe_loops(struct target *target, const struct stream_sink *sink);

/*
 * The names that Python itself has for the threads (threading._active, Thread._name). `name` is
 * called once per thread whose name could be read, with UTF-8 text of at most DEFINE_TEXT_MAX
 * bytes; `limit` is PYTHON_NAME's. Takes about 0.1 ms per thread; asked with a snapshot and when a
 * new thread has appeared. 0 or -errno; a version or a state in which they cannot be found is no
 * error.
 */
int target_thread_names(struct target *target,
			int (*name)(void *ctx, uint32_t tid, const char *text, uint32_t limit),
			void *ctx);

/* What a thread sleeps on. */
struct sleep_file {
	uint32_t type;	   /* S_IFIFO, S_IFCHR (a terminal) or S_IFSOCK; 0: unknown, or another */
	uint32_t terminal; /* number of the pseudo-terminal */
	uint16_t family;   /* of a socket: AF_…; AF_UNSPEC: unknown */
	uint16_t socket_type; /* SOCK_… */
	uint16_t port;	      /* of its peer, in the network's byte order; 0: none, or unknown */
	uint8_t address[16];  /* the first 4, or all bytes */
};

/* The stack of a thread that slept during all of [ts - span_ns, ts]. */
struct still_stack {
	uint32_t tid, span_ns;
	uint64_t ts;
	struct python_frames frames;
	char task[DEFINE_TEXT_MAX]; /* name of the asyncio task that runs in it; "": none, or not
				       known */
	struct sleep_file file;
};

/*
 * The Python stacks of the threads that sleep or are stopped, the process's first thread first: of
 * those whose switches, as the kernel counts them, did not change while their frames were read.
 * Threads that run are left to the probes. Takes some 0.3 ms a thread, and ends after half a
 * second; threads beyond are left out. 0, -errno (-ESRCH: gone), or what `still` returned.
 */
int target_stills(struct target *target, int (*still)(void *ctx, const struct still_stack *stack),
		  void *ctx);

/*
 * Calls `child` for the processes below this one (three generations, 16 Pythons at most) that are
 * Pythons and serve. `flags` are those of the event CHILD: they run an event loop, by RUNS_LOOP, or
 * (CHILD_WORKER) without one they accept connections or take tasks, by their stacks and by what
 * they wait for in epoll; and this process is known as their supervisor (CHILD_SUPERVISED), as it
 * is if it runs no event loop. Takes some 30 ms for each Python below it; the kernel has the lists
 * if it was built with CONFIG_PROC_CHILDREN, as all distributions' are. 0, -ENOMEM, or what `child`
 * returned.
 */
int target_children(const struct target *target,
		    int (*child)(void *ctx, uint32_t pid, uint8_t flags, const char *cmdline),
		    void *ctx);

/* Calls `child` for all processes below this one, sixteen generations of them; parents first. 0,
 * -ENOMEM, or what `child` returned. */
int target_below(const struct target *target, int (*child)(void *ctx, uint32_t pid), void *ctx);

/* Whether one of its threads is in the main loop of a known supervisor (gunicorn's arbiter,
 * uvicorn's and granian's parent), whatever event loops it runs beside. */
bool target_supervises(const struct target *target);

/* Emits EPOLL for one descriptor that was seen for the first time; nothing when it is closed. */
int target_describe_epoll(struct target *target, uint32_t epfd, const struct stream_sink *sink);

#endif
