/* SPDX-License-Identifier: MIT */
/*
 * bounded.h - runs work that may never return in a child process, which is abandoned when it takes
 * too long.
 *
 * Opening, stat()ing or reading a file asks its file system, which may ask a server (FUSE, NFS). A
 * server that has stopped leaves the caller asleep in the kernel, where no signal handler runs
 * (NFS) and not even SIGKILL helps (fs/fuse/dev.c, request_wait_answer() waits for a request that
 * the server has read). That must not happen to gilscope itself, so every file of a target is
 * opened and read in a child. This applies to all file systems, because their nature cannot be seen
 * from here: a disk may itself be a file on FUSE.
 *
 * An abandoned child is killed, and exits when the file system answers or is unmounted. It keeps
 * nothing open but its socket.
 */
#ifndef GILSCOPE_PYTHON_PROCESS_BOUNDED_H
#define GILSCOPE_PYTHON_PROCESS_BOUNDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	BOUNDED_WAIT_S = 10
}; /* total sleep in the kernel; time on a CPU, or waiting for one, is not limited here */

/* What the work has sent. Buffers and descriptors are the caller's: bounded_answer_done(). */
struct bounded_answer {
	int err; /* what the work returned */
	unsigned char *bytes;
	size_t length;
	int *fds;
	uint32_t fd_count;
	char at[512]; /* the last text given to bounded_at() */
};

/* Runs in the child. All descriptors but those passed as `keep` to bounded_run() are closed;
 * standard input, output and error are /dev/null. */
typedef int bounded_work(void *ctx, int line);

/*
 * Runs the work. 0: it returned, see the answer; -ETIMEDOUT: it was abandoned at answer->at;
 * -ECHILD: it crashed; or the error of starting it. `ret_answer` is set in every case. Cannot be
 * used by a confined process, which may not fork (cmd/pipeline/confine.h).
 */
enum { BOUNDED_KEEP_MAX = 16 };
int bounded_run(bounded_work *work, void *ctx, const int *keep, uint32_t keep_count,
		struct bounded_answer *ret_answer);
void bounded_answer_done(struct bounded_answer *answer);

/*
 * Starts work that goes on beside: `line` is a socket that keeps the borders of messages
 * (SOCK_SEQPACKET), and is all that leads to the child, which is to end when it is closed. 0, or
 * the error of starting it. A confined process cannot use it, but what it leads to.
 */
int bounded_start(bounded_work *work, void *ctx, const int *keep, uint32_t keep_count,
		  int *ret_line, pid_t *ret_child);
/* Of such a child whose line is closed. Waits some milliseconds for it, not until it has ended. */
void bounded_end(pid_t child);

/* For the work: sends bytes, or a descriptor, which stays open here too. 0 or -errno. */
int bounded_send(int line, const void *bytes, size_t length);
int bounded_send_fd(int line, int fd);
/* For who asked it: what has come of that so far, at most 16 KiB of it, is added to `answer`. 1:
 * there may be more; 0: the end of the line; -errno (-EAGAIN: nothing yet, if `line` does not
 * wait). */
int bounded_receive(int line, struct bounded_answer *answer);

/*
 * For the work: from here on neither a signal nor the end of the parent breaks off a system call;
 * only SIGKILL does. Once the parent has ended, bounded_send() and bounded_send_fd() fail.
 */
void bounded_unbroken(void);

/* Notes which file is about to be accessed, for the message in case it never answers. Does nothing
 * outside a child. */
void bounded_at(const char *text);

/*
 * For a child that may outlive its parent: closes every descriptor but `line` and `keep`, and
 * redirects the standard streams to /dev/null. Otherwise a sleeping child would keep gilscope's
 * output pipe, a lock or a probe open after gilscope has exited.
 */
void bounded_close_others(int line, const int *keep, uint32_t keep_count);

/* Whether this is such a child, which may wait. */
bool bounded_inside(void);

#endif
