/* SPDX-License-Identifier: MIT */
/*
 * private.h - what capture's own files share.
 *
 * A poll has two steps. capture_drain() moves records from the ring into the reorder stage;
 * capture_note() turns those that call for a read of a process into requests (requests.h). Then,
 * with the ring empty, capture_serve() reads what was requested and inserts it into the stream.
 *
 * Of threads and descriptors capture keeps which process they belong to, and what it has already
 * read about them, so as not to read it again. It does not interpret events; the model does.
 */
#ifndef GILSCOPE_CAPTURE_PRIVATE_H
#define GILSCOPE_CAPTURE_PRIVATE_H

#include "base/duration.h"
#include "base/hash.h"
#include "capture/capture.h"
#include "capture/helper.h"
#include "capture/images.h"
#include "capture/probes.h"
#include "capture/requests.h"
#include "symbols/symbols.h"

#define NATIVES_WANTED_MAX 16	/* further addresses are left to later samples */
#define SOURCES_WAIT_MS	   200	/* for lines of source, at a process's or the window's end */
#define EPFD_SEEN_MAX	   4096 /* descriptors from here on are described by snapshots only */

/* How a process is read: the functions of python/target.h, or a test's own. */
struct process_reader {
	bool (*alive)(const struct target *target);
	int (*refresh_gils)(struct target *target);
	int (*snapshot)(struct target *target, const uint16_t *gil_index,
			const struct stream_sink *sink);
	int (*states)(struct target *target, target_state_found *state, void *ctx);
	int (*locks)(struct target *target, const uint16_t *gil_index,
		     const struct stream_sink *sink);
	int (*describe_epoll)(struct target *target, uint32_t epfd, const struct stream_sink *sink);
	int (*describe_loop)(struct target *target, uint32_t tid, const struct stream_sink *sink);
	int (*describe_loops)(struct target *target, const struct stream_sink *sink);
	int (*thread_names)(struct target *target,
			    int (*name)(void *ctx, uint32_t tid, const char *text, uint32_t limit),
			    void *ctx);
	int (*stills)(struct target *target,
		      int (*still)(void *ctx, const struct still_stack *stack), void *ctx);
	int (*children)(const struct target *target,
			int (*child)(void *ctx, uint32_t pid, uint8_t flags, const char *cmdline),
			void *ctx);
	int (*native)(struct target *target, uint64_t address, struct native_code *ret_code);
	void (*free)(struct target *target);
	int (*below)(const struct target *target, int (*child)(void *ctx, uint32_t pid), void *ctx);
};

/* A target in the capture. */
struct tracee {
	struct target *target;
	uint16_t *gil_index; /* the stream's index of target->gils[i], of the first `declared` */
	uint32_t declared;
	struct shared_image *image; /* whose uprobes it uses; NULL: all that it has are its own */
	struct uprobes uprobes;	    /* its own */
	unsigned char epfd_seen[EPFD_SEEN_MAX / 8]; /* descriptors that have been read */
	unsigned char epfd_loop[EPFD_SEEN_MAX / 8]; /* … and belong to a loop */
	uint64_t ts_loops; /* which threads run loops is not asked again before that … */
	uint64_t ts_gils;  /* … nor which GILs there are */
	uint64_t natives[NATIVES_WANTED_MAX]; /* addresses of code that is not known yet */
	uint32_t native_count;
	uint64_t since;	   /* when it began, until the stream knows; 0: it does, or need not */
	uint64_t admitted; /* when the probes have begun to report on it */
	bool gone;	   /* it has ended or become another program: is not read any more */
	bool ended;	   /* the stream has its PROCESS_EXIT */
};

/* A thread of a tracee. */
struct member {
	uint32_t tid;
	uint32_t name;	     /* text: the Python name that the stream has for it … */
	uint32_t pool_limit; /* … and PYTHON_NAME's limit */
	struct tracee *tracee;
	uint64_t loop_asked; /* when Python was asked whether it runs a loop; 0: not yet */
	bool runs_loop;	     /* it does; Python need not be asked again */
	bool waits;	     /* in a loop's wait, when last read */
	UT_hash_handle hh;
};

/* A process of the family (follow.c). */
struct relative {
	uint32_t pid;
	uint32_t tries;	   /* how often it was examined as this program */
	uint64_t due;	   /* when it is examined next; 0: it is not */
	uint64_t pause_ns; /* until the time after that */
	uint64_t since;	   /* when it became this program; 1: before it was observed */
	bool asked;	   /* the helper examines it as this program */
	UT_hash_handle hh;
};

struct family {
	struct relative *list;
	uint32_t due_count; /* of those that are examined yet */
	struct probe_helper helper;
	uint64_t searched; /* when the helper was asked for those that are wanted */
};

/* A record that defines a stack or a text, copied out of the ring. */
struct held_record {
	size_t bytes; /* 0: there is none */
	union {
		struct event_hdr hdr;
		struct shared_stack stack;
		struct shared_text text;
	};
};

struct kernel_probes;

struct capture {
	struct kernel_probes *kernel; /* what `probes` leads to */
	struct probes probes;
	struct process_reader reader;
	struct reorder *reorder;
	struct stream_sink sink; /* of the reorder stage */
	struct tracee **tracees;
	uint32_t tracee_count;
	struct member *members;
	struct images images;
	bool shares_images; /* uprobes in Python images are set once for all processes */
	struct requests requests;
	uint16_t next_gil;
	uint16_t *free_gils; /* indices of GILs that are gone, for new ones */
	uint32_t free_gil_count;
	uint32_t next_process; /* number of the next process with stacks, from 1 */
	struct family family;
	int programs[BOUNDED_KEEP_MAX]; /* descriptors of those that uprobes run */
	uint32_t program_count;
	bool syscalls; /* the system-call tracepoints are attached */
	struct symbols *symbols;
	struct capture_options options;
	struct capture_status status;
	bool enabled;		 /* the window is open */
	uint64_t horizon;	 /* up to where the drain in progress empties the ring */
	struct misses misses;	 /* as of … */
	uint64_t ts_misses;	 /* … this time */
	uint64_t unread;	 /* pages_unread() that the stream knows of */
	uint64_t unsampled;	 /* lost samples that it does not know of yet */
	struct held_record held; /* is resolved before the next record is consumed */
	int error;		 /* of the ring's callback, for drain_ring() */
};

/* Are the process's waits seen in its C library, by uprobes? They do not say when a wait that did
 * not sleep has returned, and in mode exact every boundary is a traced fact. */
static inline bool waits_are_probed(const struct capture *capture, const struct target *target)
{
	return target->libc.waits && capture->options.mode == MODE_EDGES;
}

/* ── join.c ──────────────────────────────────────────────────────────────────────────────────── */

/* Declares the process, its GILs and threads in the stream, which precedes the first record that
 * refers to them. */
int tracee_declare(struct capture *capture, struct tracee *tracee);
/* Adds a process below the targets, which began at `since`; the finding's parts are the capture's
 * from then on. One that has ended meanwhile is no error. 0 or the sink's error. */
int capture_join(struct capture *capture, struct helper_finding *finding, uint64_t since);

/* ── follow.c ────────────────────────────────────────────────────────────────────────────────── */

/* Takes the targets and all processes below them into the family, and starts the helper. */
int family_begin(struct capture *capture);
void family_free(struct capture *capture);
/* A record of the ring. 0, -EPROTO or -ENOMEM. */
int capture_note_family(struct capture *capture, const struct shared_family *record, size_t size);
/* How long a poll may wait, at most `timeout_ms`. */
int family_timeout(const struct capture *capture, int timeout_ms);
/* Examines the process that is due, in the helper, and makes a target of one that is a Python. 0
 * or the sink's error. */
int family_serve(struct capture *capture);

/* ── tracee.c: processes and their threads ───────────────────────────────────────────────────── */

/* Sets the uprobes, those of its image if no other target has it. */
int tracee_attach(struct capture *capture, struct tracee *tracee, struct diag *diag);
/* Hands the process's GILs that are not declared to the probes, and declares them in the stream;
 * those of interpreters that have ended are taken out of both. */
int tracee_declare_gils(struct capture *capture, struct tracee *tracee);
/* Every thread and descriptor as it is now. With `identity_only` the states are left out: they
 * cannot be used before the probes report. */
int tracee_snapshot(struct capture *capture, struct tracee *tracee, bool identity_only);
/* Reports who has the mutexes that threads sleep on now. */
int tracee_locks(struct capture *capture, struct tracee *tracee);
/* Reports which processes below it run event loops. */
int tracee_children(struct capture *capture, struct tracee *tracee);
/* Removes the uprobes of an image that has not been used for long. */
void capture_expire_image(struct capture *capture);
/* Removes them without waiting for the kernel to be done with that (helper.h). */
void capture_remove_uprobes(struct capture *capture, struct uprobes *uprobes);
/* Of a process that is gone: removes everything that the probes have under its PID, its uprobes and
 * its threads. */
void tracee_release(struct capture *capture, struct tracee *tracee);
void tracee_free(struct capture *capture, struct tracee *tracee);
/* If a process that is gone had this PID, and is not released yet: does that now. What it had would
 * be taken from the process that has its PID. 0 or the sink's error. */
int capture_release_former(struct capture *capture, uint32_t pid);
/* Of a process that has ended, or is not observed any more: it counts no longer. What is held for
 * it is released and freed later (serve.c), and if the probes have not reported its end, as of one
 * that ended before they knew it, the stream gets a PROCESS_EXIT then. */
void tracee_gone(struct capture *capture, struct tracee *tracee);

/* NULL if there is none. Those of a process exclude one that is gone. */
struct member *member_find(const struct capture *capture, uint32_t tid);
struct tracee *tracee_of_process(const struct capture *capture, uint32_t pid);
/* Finds it or makes it; a tid that was another process's belongs to `tracee` now. NULL: no memory.
 */
struct member *member_add(struct capture *capture, uint32_t tid, struct tracee *tracee);
void member_remove(struct capture *capture, uint32_t tid);

/*
 * What python/ reports about a process, on its way into the stream: capture takes note of threads,
 * of loops and of their descriptors. With `identity_only` states go no further.
 */
struct tracee_stage {
	struct capture *capture;
	struct tracee *tracee;
	bool identity_only;
};
struct stream_sink tracee_sink(struct tracee_stage *stage);

static inline bool epfd_is_in(const unsigned char *set, uint32_t epfd)
{
	return epfd < EPFD_SEEN_MAX && set[epfd / 8] >> epfd % 8 & 1;
}

static inline void epfd_add(unsigned char *set, uint32_t epfd)
{
	set[epfd / 8] |= (unsigned char)(1u << epfd % 8);
}

static inline void epfd_drop(unsigned char *set, uint32_t epfd)
{
	set[epfd / 8] &= (unsigned char)~(1u << epfd % 8);
}

/* ── stacks.c ────────────────────────────────────────────────────────────────────────────────── */

/* Hands the probes what they need for the process's stacks and garbage collections. */
/* `sources`: reads the application's sources; NULL: one is started, while that is possible. */
int tracee_declare_stacks(struct capture *capture, struct tracee *tracee,
			  struct source_reader *sources);
void tracee_forget_gc_sites(struct capture *capture, struct tracee *tracee);
/* Reads the threads' names in Python and reports those that have changed. */
int tracee_names(struct capture *capture, struct tracee *tracee);
/* Reads and reports the stacks of the threads that sleep, except those that wait in a loop. */
int tracee_stills(struct capture *capture, struct tracee *tracee);

/* Finds out what code is at tracee->natives. 0 or -errno (-ESRCH: gone). */
int tracee_natives(struct capture *capture, struct tracee *tracee);

/* A sample from the ring. 0, -EPROTO for one that this build's probes do not send, or the sink's
 * error. */
int capture_handle_sample(struct capture *capture, const struct shared_sample *sample, size_t size);
int capture_handle_native(struct capture *capture, const struct shared_native *sample, size_t size);
/* "pipe", "file orders.db", "TCP 10.0.0.5:5432"; "" for files of no kind that has a name. */
void capture_file_text(const struct shared_file *file, char *to, size_t size);
/* What a sleeping thread's descriptor is, from the ring. Same errors, and -ENOMEM. */
int capture_handle_file(struct capture *capture, const struct shared_file *file, size_t size);
/* Resolves capture->held, if there is one, and defines it in the stream. Same errors. */
int capture_resolve_held(struct capture *capture);

/* ── drain.c ─────────────────────────────────────────────────────────────────────────────────── */

/* Records and losses into the reorder stage, which then advances to `horizon`: the time of the call
 * or an earlier one. */
int capture_drain(struct capture *capture, uint64_t horizon);
/* Losses counted since the last time become LOST events. 0, the sink's error or that of reading
 * them. */
int capture_drain_losses(struct capture *capture);
/* Hits that were skipped before the window are of no interest. */
void capture_begin_misses(struct capture *capture);
/* The ring's callback; `ctx` is the capture. Non-zero: capture_drain() has to do something before
 * the next record. */
int capture_handle_record(void *ctx, void *data, size_t size);

/* ── serve.c ─────────────────────────────────────────────────────────────────────────────────── */

/* Requests the reads that a record calls for; reads nothing itself. 0 or -ENOMEM. */
int capture_note(struct capture *capture, const union event *event);
/* The same for a stack that was not seen before, of this thread. */
void capture_note_stack(struct capture *capture, uint32_t tid);
/* Of this process, unless it has ended. */
void capture_request_snapshot(struct capture *capture, uint32_t pid);
/*
 * Serves requests until none is due or `budget_ns` are spent, which is checked after each; the rest
 * is left to the next call. At least one is served. One that takes longer than the budget is
 * finished; python/ has limits of its own. A process that turns out to be gone is not an error. 0
 * or the sink's error.
 */
int capture_serve(struct capture *capture, uint64_t budget_ns);

#endif
