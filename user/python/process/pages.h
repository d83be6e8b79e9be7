/* SPDX-License-Identifier: MIT */
/*
 * pages.h - whether a page of another process can be read without waiting for somebody.
 *
 * A read of memory that is not there makes the kernel fetch the page, and for that it may have to
 * ask a process: the server of a FUSE file system, or whoever serves a userfaultfd. Such a process
 * need not answer, and while it does not, the reader sleeps where no signal reaches it
 * (fs/fuse/dev.c, request_wait_answer). So what is absent is not read from
 *   - a file of a FUSE file system, of an overlay that was mounted in another user namespace
 * (whoever made that may have laid it over FUSE), or of a file system that neither the process nor
 * we have mounted;
 *   - a mapping of shared memory that is registered with a userfaultfd.
 * A child that can be given up (bounded.h) reads the former all the same, and so what a healthy
 * server has is there for us too. Absent private memory that has no file is all zeros, unless a
 * userfaultfd would fill it, and need not be read: nothing was ever written there. What is present
 * or swapped (Documentation/admin-guide/mm/pagemap.rst) is read, wherever it comes from: all that
 * an interpreter works with is.
 *
 * Between this look and the read, some microseconds, a process that is after it could exchange the
 * page; there is no read that does not fetch.
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
}; /* read it; it is zeros; not mapped, not readable, or whoever reads it may wait for ever */

/* The mapping, or the gap between two, in which something absent was found last; all zeros at
 * first. Not kept for longer than a call's reads, for mappings change. */
struct pages_seen {
	uint64_t start, end;
	enum page page;
	int err; /* why PAGE_WAITS: -EFAULT: not mapped or not readable; -EBUSY: its reader may wait
		    for ever; -ETIME: no time is left; or of /proc */
};

/*
 * Where `address` lies, and how many bytes from there on, at least 1 and at most `length`, are of
 * the same kind. Where the kernel shows no page map (CONFIG_PROC_PAGE_MONITOR), or to us none of
 * this process, everything is PAGE_READ: the read itself says what is wrong.
 */
enum page pages_look(pid_t pid, uint64_t address, size_t length, struct pages_seen *seen,
		     size_t *ret_length);

/*
 * From now on until the next call, looking and reading may take so much of our CPU time; after that
 * every page is PAGE_WAITS. For lists and tables of a process may be long, and each page of them
 * cost more than the one before. Without any call there is no limit.
 */
void pages_allow(uint64_t cpu_ns);
#define PAGES_ALLOW_OPEN_NS (2000 * UINT64_C(1000000)) /* to examine a process */
#define PAGES_ALLOW_STACK_NS                                                                       \
	(1000 * UINT64_C(1000000)) /* to name the functions of a stack: 128 line tables of a       \
				      megabyte at most */
#define PAGES_ALLOW_NS                                                                             \
	(300 * UINT64_C(1000000)) /* to look at it while observing; 10 µs a thread are usual */

/*
 * Can a file be opened and read without waiting for a server? Of a mapping of the process, by the
 * device that /proc/PID/maps says; the file is not touched. A disk may have a server behind it too,
 * so where there is a choice, ask nobody and open the file in a child (bounded.h).
 */
bool pages_file_answers(pid_t pid, uint64_t device);

/* How many times so far a page or a file was refused, for want of an answer or of time, that could
 * perhaps have been read: evidence that is missing. */
uint64_t pages_unread(void);

/* For a child whose descriptors were closed: the page map that was open is not any more. */
void pages_forget(void);

/*
 * The user wants to end (base/interrupt.h), and PAGES_ALLOW_END_NS of our CPU time have gone by
 * since: then every page is PAGE_WAITS, and loops over what a process can have many of end where
 * they are. What is left out counts as missing, as if it could not be read.
 */
bool pages_over(void);
#define PAGES_ALLOW_END_NS (200 * UINT64_C(1000000))

/* Is all of it there, or can be read without waiting? */
bool pages_answer(pid_t pid, uint64_t address, size_t length, struct pages_seen *seen);

#endif
