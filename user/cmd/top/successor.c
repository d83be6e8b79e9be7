/* SPDX-License-Identifier: MIT */
#include "cmd/top/successor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Returns when it is its turn; else ends with the one before. */
static void wait_for_turn(int line)
{
	char byte;
	ssize_t count;

	/* the terminal's keys are for the one before */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	do
		count = read(line, &byte, 1);
	while (count < 0 && errno == EINTR);
	close(line);
	if (count != 1)
		_exit(EXIT_SUCCESS);
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
}

bool successor_begin(struct successor *successor, int close_fd)
{
	int ends[2];

	*successor = (struct successor){.pid = -1, .line = -1};
	if (pipe2(ends, O_CLOEXEC))
		return false;
	successor->pid = fork();
	if (successor->pid) {
		close(ends[0]);
		successor->line = ends[1];
		return false;
	}
	close(ends[1]);
	if (close_fd)
		close(close_fd);
	wait_for_turn(ends[0]);
	return true;
}

static int wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILURE;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int successor_run(struct successor *successor)
{
	/* the terminal's keys are for the successor; if this one is killed, it is signalled */
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	if (write(successor->line, "", 1) != 1)
		return EXIT_FAILURE;
	close(successor->line);
	return wait_for(successor->pid);
}

void successor_dismiss(struct successor *successor)
{
	if (successor->pid < 0)
		return;
	close(successor->line);
	wait_for(successor->pid);
}
