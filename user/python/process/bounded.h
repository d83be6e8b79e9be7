/* SPDX-License-Identifier: MIT */
/*
 * bounded.h - work that may never return: done by a child process, which is given up when it takes
 * too long.
 *
 * Whoever opens, stats or reads a file asks its file system, and that may ask a server: of FUSE, of
 * NFS. A server that has stopped leaves the caller asleep in the kernel, where no handler runs
 * (NFS) and not even SIGKILL ends it (fs/fuse/dev.c, request_wait_answer(): a request that the
 * server has read is waited for). What sleeps like that must not be gilscope. So every file of a
 * target is opened and read in a child, whatever file system it lies on, for that is not to be told
 * from here: a disk may be a file of FUSE itself.
 *
 * A child that was given up is killed, and goes away when the file system answers or is unmounted.
 * It keeps nothing open but the socket to us.
 */
#ifndef GILSCOPE_PYTHON_PROCESS_BOUNDED_H
#define GILSCOPE_PYTHON_PROCESS_BOUNDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BOUNDED_WAIT_S = 10
}; /* asleep in the kernel, all together; time on a CPU, or waiting for one, is not limited here */

/* What the work has sent. Buffers and descriptors are the caller's: bounded_answer_done(). */
struct bounded_answer {
	int err; /* what the work returned */
	unsigned char *bytes;
	size_t length;
	int *fds;
	uint32_t fd_count;
	char at[512]; /* what bounded_at() was told last */
};

/* In the child. All descriptors are closed but those that bounded_run() was told to keep; standard
 * input, output and error are /dev/null. */
typedef int bounded_work(void *ctx, int line);

/*
 * Runs the work. 0: it returned, see the answer; -ETIMEDOUT: it was given up, and answer->at says
 * where; -ECHILD: it crashed; or what failed before. `ret_answer` is set in every case. Not for a
 * confined process, which can make no other (cmd/pipeline/confine.h).
 */
enum { BOUNDED_KEEP_MAX = 16 };
int bounded_run(bounded_work *work, void *ctx, const int *keep, uint32_t keep_count,
		struct bounded_answer *ret_answer);
void bounded_answer_done(struct bounded_answer *answer);

/* For the work: sends bytes, or a descriptor, which stays open here too. 0 or -errno. */
int bounded_send(int line, const void *bytes, size_t length);
int bounded_send_fd(int line, int fd);

/* What is about to be touched, for the message should it never answer. Nothing happens outside of a
 * child. */
void bounded_at(const char *text);

/*
 * For a child process that outlives the moment: closes every descriptor but `line` and those to
 * keep, and makes the standard streams /dev/null. Whoever reads our output must not wait for its
 * end because a child sleeps; nor may a lock or a probe outlive us by it.
 */
void bounded_close_others(int line, const int *keep, uint32_t keep_count);

/* Is this such a child? Then it may wait. */
bool bounded_inside(void);

#endif
