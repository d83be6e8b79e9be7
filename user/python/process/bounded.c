/* SPDX-License-Identifier: MIT */
#include "python/process/bounded.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/interrupt.h"
#include "python/process/proc.h"

enum { LOOK_MS = 50 };

/* Memory of both. */
struct shared {
	bool returned;
	int err;
	char at[sizeof(((struct bounded_answer *)0)->at)];
};

static struct shared *mine; /* in the child */

/* ── the child ───────────────────────────────────────────────────────────── */

bool bounded_inside(void)
{
	return mine;
}

void bounded_at(const char *text)
{
	if (mine)
		snprintf(mine->at, sizeof(mine->at), "%s", text);
}

static int send_all(int line, const struct msghdr *message)
{
	ssize_t sent;

	do
		sent = sendmsg(line, message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : (int)sent;
}

int bounded_send(int line, const void *bytes, size_t length)
{
	const char *from = bytes;

	while (length) {
		struct iovec part = {.iov_base = (void *)(uintptr_t)from,
				     .iov_len = length < 1 << 20 ? length : 1 << 20};
		int sent = send_all(line, &(struct msghdr){.msg_iov = &part, .msg_iovlen = 1});

		if (sent < 0)
			return sent;
		from += sent;
		length -= (size_t)sent;
	}
	return 0;
}

/* Room for one descriptor, aligned as a control message has to be. */
union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

int bounded_send_fd(int line, int fd)
{
	/* a descriptor does not travel alone */
	struct iovec part = {.iov_base = "f", .iov_len = 1};
	union control control = {0};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	int sent;

	control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
					  .cmsg_level = SOL_SOCKET,
					  .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	sent = send_all(line, &message);
	return sent < 0 ? sent : 0;
}

void bounded_unbroken(void)
{
	sigset_t all;

	prctl(PR_SET_PDEATHSIG, 0);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
}

static void close_from_to(unsigned int first, unsigned int last)
{
	if (first > last)
		return;
#ifdef SYS_close_range
	if (!syscall(SYS_close_range, first, last, 0))
		return;
#endif
	/* before 5.9 */
	for (unsigned int fd = first; fd <= last && fd < (unsigned int)sysconf(_SC_OPEN_MAX); fd++)
		close((int)fd);
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void bounded_close_others(int line, const int *keep, uint32_t keep_count)
{
	int list[BOUNDED_KEEP_MAX + 1], nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
	unsigned int first = STDERR_FILENO + 1;

	for (int fd = 0; nowhere >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(nowhere, fd);
	for (uint32_t i = 0; i < keep_count; i++)
		list[i] = keep[i];
	list[keep_count] = line;
	qsort(list, keep_count + 1, sizeof(*list), by_number);
	for (uint32_t i = 0; i <= keep_count; i++) {
		if (list[i] < (int)first)
			continue;
		close_from_to(first, (unsigned int)list[i] - 1);
		first = (unsigned int)list[i] + 1;
	}
	close_from_to(first, ~0u);
}

static _Noreturn void be_child(pid_t parent, struct shared *shared, bounded_work *work, void *ctx,
			       int line, const int *keep, uint32_t keep_count)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	prctl(PR_SET_NAME, "gilscope-reader");
	interrupt_forget_handlers();
	mine = shared;
	bounded_close_others(line, keep, keep_count);
	mine->err = work(ctx, line);
	mine->returned = true;
	shutdown(line, SHUT_WR); /* closing what else is open may take its time */
	_exit(0);
}

/* ── the parent ──────────────────────────────────────────────────────────── */

static int keep_bytes(struct bounded_answer *answer, const void *bytes, size_t length)
{
	unsigned char *more = realloc(answer->bytes, answer->length + length);

	if (!more)
		return -ENOMEM;
	memcpy(more + answer->length, bytes, length);
	answer->bytes = more;
	answer->length += length;
	return 0;
}

static int keep_fd(struct bounded_answer *answer, int fd)
{
	int *more = reallocarray(answer->fds, answer->fd_count + 1, sizeof(*more));

	if (!more) {
		close(fd);
		return -ENOMEM;
	}
	more[answer->fd_count++] = fd;
	answer->fds = more;
	return 0;
}

int bounded_receive(int line, struct bounded_answer *answer)
{
	unsigned char bytes[16384];
	struct iovec part = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	union control control = {0};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	ssize_t got = recvmsg(line, &message, MSG_CMSG_CLOEXEC);
	int err, fd;

	if (got <= 0)
		return got < 0 && errno != EINTR ? -errno : got < 0;
	if (message.msg_flags & MSG_CTRUNC)
		return -EMFILE;
	/* the byte that came with the descriptor is the last one, what was sent before may be in
	 * front of it (unix(7)) */
	if (message.msg_controllen) {
		memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
		err = keep_fd(answer, fd);
		if (err)
			return err;
		got--;
	}
	err = got ? keep_bytes(answer, bytes, (size_t)got) : 0;
	return err ? err : 1;
}

/* Asleep, and not for want of a CPU: a quota leaves it runnable. */
static bool is_asleep(pid_t child)
{
	struct proc_stat stat;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	return proc_stat_read(path, &stat) || stat.state == 'D' || stat.state == 'S';
}

static int collect(int line, pid_t child, struct bounded_answer *answer)
{
	int asleep_ms = 0, more = 1;

	while (more > 0) {
		struct pollfd polled = {.fd = line, .events = POLLIN};
		int ready = poll(&polled, 1, LOOK_MS);

		if (ready > 0)
			more = bounded_receive(line, answer);
		else if (ready < 0 && errno != EINTR)
			more = -errno;
		else if (!ready && is_asleep(child) &&
			 (asleep_ms += LOOK_MS) >= BOUNDED_WAIT_S * 1000)
			more = -ETIMEDOUT;
	}
	return more;
}

/* One that sleeps in the kernel may be there for long; it is not waited for. */
static void end(pid_t child, bool kills)
{
	enum { TRIES = 100 };

	for (int i = 0; i < TRIES && !waitpid(child, NULL, WNOHANG); i++) {
		if (kills && i == TRIES / 2)
			kill(child, SIGKILL);
		nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
	}
}

/* A confined process cannot kill it, and need not: its line is closed. */
void bounded_end(pid_t child)
{
	end(child, false);
}

int bounded_run(bounded_work *work, void *ctx, const int *keep, uint32_t keep_count,
		struct bounded_answer *ret_answer)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	_cleanup_(closep) int ours = -1, theirs = -1;
	pid_t parent = getpid(), child;
	int line[2], err;

	*ret_answer = (struct bounded_answer){0};
	if (shared == MAP_FAILED)
		return -errno;
	err = keep_count > BOUNDED_KEEP_MAX				 ? -E2BIG
	      : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) ? -errno
									 : 0;
	if (!err) {
		ours = line[0];
		theirs = line[1];
		child = fork();
		if (!child)
			be_child(parent, shared, work, ctx, theirs, keep, keep_count);
		err = child < 0 ? -errno : 0;
	}
	if (!err) {
		close(STEAL(theirs, -1));
		err = collect(ours, child, ret_answer);
		if (err)
			kill(child, SIGKILL);
		end(child, true);
		if (!err && !shared->returned)
			err = -ECHILD;
		ret_answer->err = shared->err;
		snprintf(ret_answer->at, sizeof(ret_answer->at), "%.*s",
			 (int)sizeof(shared->at) - 1, shared->at);
	}
	munmap(shared, sizeof(*shared));
	return err;
}

int bounded_start(bounded_work *work, void *ctx, const int *keep, uint32_t keep_count,
		  int *ret_line, pid_t *ret_child)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t parent = getpid(), child;
	int line[2], err;

	if (shared == MAP_FAILED)
		return -errno;
	err = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line) ? -errno : 0;
	if (!err) {
		child = fork();
		if (!child)
			be_child(parent, shared, work, ctx, line[1], keep, keep_count);
		err = child < 0 ? -errno : 0;
		close(line[1]);
		if (err)
			close(line[0]);
		*ret_line = line[0];
		*ret_child = child;
	}
	munmap(shared, sizeof(*shared));
	return err;
}

void bounded_answer_done(struct bounded_answer *answer)
{
	for (uint32_t i = 0; i < answer->fd_count; i++)
		close(answer->fds[i]);
	free(answer->fds);
	free(answer->bytes);
	*answer = (struct bounded_answer){0};
}
