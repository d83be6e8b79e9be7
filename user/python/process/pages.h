/* SPDX-License-Identifier: MIT */
/*
 * pages.h - whether a page of another process can be read without waiting for a third process.
 *
 * Reading an absent page makes the kernel fetch it, and for that it may have to ask a process: the
 * server of a FUSE file system, or the handler of a userfaultfd. Such a process need not answer,
 * and until it does, the reader sleeps where no signal reaches it (fs/fuse/dev.c,
 * request_wait_answer). So absent pages are not read from
 *   - a file of a FUSE file system, of an overlay that was mounted in another user namespace (it
 *     may lie over FUSE), or of a file system that neither the process nor gilscope has mounted;
 *   - a mapping of shared memory that is registered with a userfaultfd.
 * A child that can be abandoned (bounded.h) does read the former, so the data of a healthy server
 * is available all the same. Absent private memory without a file was never written and is all
 * zeros, unless a userfaultfd would fill it, and is not read. Pages that are present or swapped
 * (Documentation/admin-guide/mm/pagemap.rst) are always read; an interpreter works on no others.
 *
 * A hostile process could exchange the page in the microseconds between this check and the read;
 * there is no system call that reads without fetching.
 */
#ifndef GILSCOPE_PYTHON_PROCESS_PAGES_H
#define GILSCOPE_PYTHON_PROCESS_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum page {
	PAGE_READ,
	PAGE_ZERO,
	PAGE_WAITS
}; /* read it; it is zeros; not mapped, not readable, or a reader may never return */

/* The mapping, or the gap between two, in which an absent page was found last; initialised to
 * zeros. Discard it after one call's reads, since mappings change. */
struct pages_seen {
	uint64_t start, end;
	enum page page;
	int err; /* why PAGE_WAITS: -EFAULT: not mapped or not readable; -EBUSY: a reader may never
		    return; -ETIME: no time is left; or an error of /proc */
};

/*
 * The kind of page at `address`, and how many bytes from there on, at least 1 and at most `length`,
 * are of the same kind. Where the page map cannot be read (no CONFIG_PROC_PAGE_MONITOR, or no
 * permission), everything is PAGE_READ, and the read itself reports the error.
 */
enum page pages_look(pid_t pid, uint64_t address, size_t length, struct pages_seen *seen,
		     size_t *ret_length);

/*
 * Limits the CPU time of checks and reads until the next call; when it is spent, every page is
 * PAGE_WAITS. A hostile process can have long lists and tables, each page of which costs more than
 * the one before. Without any call there is no limit.
 */
void pages_allow(uint64_t cpu_ns);
#define PAGES_ALLOW_OPEN_NS (2000 * UINT64_C(1000000)) /* to examine a process */
#define PAGES_ALLOW_STACK_NS                                                                       \
	(1000 * UINT64_C(1000000)) /* to name the functions of a stack: 128 line tables of a       \
				      megabyte at most */
#define PAGES_ALLOW_NS                                                                             \
	(300 * UINT64_C(1000000)) /* for a snapshot while observing; 10 µs a thread are usual */

/*
 * Whether the file of a mapping can be opened and read without waiting for a server, judged by its
 * device in /proc/PID/maps; the file is not touched. A disk may have a server behind it too, so
 * where there is a choice, open the file in a child (bounded.h) instead.
 */
bool pages_file_answers(pid_t pid, uint64_t device);

/* How often so far a page or a file was skipped, although it might have been readable, because of a
 * possible wait or for lack of time: data that is missing. */
uint64_t pages_unread(void);

/* For a child whose descriptors were closed: forgets the open page map. */
void pages_forget(void);

/*
 * True when the user has asked to stop (base/interrupt.h) and PAGES_ALLOW_END_NS of CPU time have
 * passed since. Every page is PAGE_WAITS then, and unbounded loops over a process's data end. What
 * they leave out counts as unreadable.
 */
bool pages_over(void);
#define PAGES_ALLOW_END_NS (200 * UINT64_C(1000000))

/* Whether the whole range can be read without waiting. */
bool pages_answer(pid_t pid, uint64_t address, size_t length, struct pages_seen *seen);

#endif
