/* SPDX-License-Identifier: MIT */
#include "cmd/pipeline/ready.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int ready_take(const char *text)
{
	char *end;
	unsigned long fd = strtoul(text, &end, 10);
	int flags;

	if (*text < '0' || *text > '9' || *end || fd <= STDERR_FILENO || fd > INT_MAX)
		return -EBADF;
	flags = fcntl((int)fd, F_GETFL);
	/* O_PATH: open, but for neither reading nor writing */
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || flags & O_PATH)
		return -EBADF;
	return fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0 ? -EBADF : (int)fd;
}

/* 0 or -errno. */
static int write_line(int fd)
{
	static const char line[] = "ready\n";
	struct pollfd out = {.fd = fd, .events = POLLOUT};
	ssize_t written;

	if (poll(&out, 1, 0) < 1)
		return -EAGAIN;
	written = write(fd, line, sizeof(line) - 1);
	if (written < 0)
		return -errno;
	return written == sizeof(line) - 1 ? 0 : -EIO;
}

void ready_report(int fd)
{
	int err;

	if (!fd)
		return;
	err = write_line(fd);
	if (err)
		fprintf(stderr,
			"gilscope: cannot write to descriptor %d (%s); the observation has begun "
			"all the same.\n",
			fd, strerror(-err));
	close(fd);
}
