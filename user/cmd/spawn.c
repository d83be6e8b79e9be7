/* SPDX-License-Identifier: MIT */
#include "cmd/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "target/target.h"

#define TRY_MS 10
#define TRIES 1000

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Forks and execs. The error of a failed exec comes back through a pipe that a successful one closes. */
static int start(char **argv, pid_t *ret_pid)
{
	_cleanup_(closep) int reader = -1, writer = -1;
	int ends[2], err = 0;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	reader = ends[0];
	writer = ends[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		signal(SIGPIPE, SIG_DFL);
		execvp(argv[0], argv);
		err = errno;
		if (write(writer, &err, sizeof(err)) < 0)
			_exit(126);
		_exit(127);
	}
	close(STEAL(writer, -1));
	if (read(reader, &err, sizeof(err)) == sizeof(err)) {
		waitpid(pid, NULL, 0);
		return -err;
	}
	*ret_pid = pid;
	return 0;
}

static bool has_exited(pid_t pid)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

int spawn_python(char **argv, struct diag *diag, pid_t *ret_pid)
{
	struct diag last = {0};
	pid_t pid = 0;
	int err = start(argv, &pid);

	if (err)
		return diag_set(diag, EXIT_FAILED, err, "cannot start %s: %s", argv[0], strerror(-err));
	for (int i = 0; i < TRIES && !has_exited(pid); i++) {
		struct target *target;

		err = target_open(pid, &last, &target);
		if (!err) {
			target_free(target);
			*ret_pid = pid;
			return 0;
		}
		if (last.status == EXIT_NOT_PERMITTED)
			break;
		sleep_ms(TRY_MS);
	}
	if (has_exited(pid)) {
		diag_set(diag, EXIT_FAILED, -ESRCH, "%s exited before it could be observed", argv[0]);
	} else {
		*diag = last;
		if (!diag->hint[0])
			diag_hint(diag, "the command itself must become Python; start wrappers by hand and attach to the Python process");
	}
	spawn_end(pid);
	return err ? err : -ESRCH;
}

void spawn_end(pid_t pid)
{
	if (!has_exited(pid))
		kill(pid, SIGTERM);
	for (int i = 0; i < 500 && !has_exited(pid); i++)
		sleep_ms(TRY_MS);
	if (!has_exited(pid))
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
