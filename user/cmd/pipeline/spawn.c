/* SPDX-License-Identifier: MIT */
#include "cmd/pipeline/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/duration.h"
#include "base/interrupt.h"
#include "python/process/bounded.h"
#include "python/target.h"

#define TRY_MS	     10
#define PATIENCE_NS  (20 * NS_PER_S) /* how long a command may take to become Python */
#define GRACE_NS     (5 * NS_PER_S)  /* between SIGTERM and SIGKILL */
#define CHILDREN_MAX 1024	     /* handled per round; more are left to the next round */

/* What the keeper sends over the line: the result of the start, and once more when the command has
 * exited. */
struct message {
	pid_t pid;
	int err;
};

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* ── the keeper ──────────────────────────────────────────────────────────── */

/* Forks and execs. A failed exec sends its error through a pipe, which a successful one closes. */
static int start(char **argv, pid_t *ret_pid)
{
	_cleanup_(closep) int reader = -1, writer = -1;
	pid_t keeper = getpid(), pid;
	int ends[2], err = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	reader = ends[0];
	writer = ends[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		signal(SIGPIPE, SIG_DFL);	  /* gilscope ignores it */
		prctl(PR_SET_PDEATHSIG, SIGTERM); /* if the keeper is killed */
		if (getppid() != keeper)
			_exit(126);
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

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == pid;
}

/* Lists the command and the processes that lost their parent. The list is of one thread's children,
 * and the caller has only one. */
static int list_children(pid_t list[static CHILDREN_MAX])
{
	_cleanup_(fclosep) FILE *file = fopen("/proc/thread-self/children", "re");
	int count = 0;

	while (file && count < CHILDREN_MAX && fscanf(file, "%d", &list[count]) == 1)
		count++;
	return count;
}

static bool is_in(const pid_t *list, int count, pid_t pid)
{
	for (int i = 0; i < count; i++)
		if (list[i] == pid)
			return true;
	return false;
}

/* Sends SIGTERM once to every child, and to those that become children when their parent ends;
 * after GRACE_NS, SIGKILL. */
static void end_children(pid_t command)
{
	static pid_t asked[CHILDREN_MAX], now[CHILDREN_MAX];
	uint64_t begun = clock_now_ns(), dur_ns;
	int asked_count = 0;

	asked[asked_count++] = command;
	kill(command, SIGTERM);
	kill(command, SIGCONT); /* a stopped process does not handle SIGTERM */
	/* there is a limit to waiting for what cannot be killed (another user's process, one in an
	 * uninterruptible sleep) */
	for (pid_t ended; (ended = waitpid(-1, NULL, WNOHANG)) >= 0 &&
			  (dur_ns = clock_now_ns() - begun) < 2 * GRACE_NS;) {
		int count = ended ? 0 : list_children(now);

		for (int i = 0; i < count; i++) {
			if (dur_ns >= GRACE_NS) {
				kill(now[i], SIGKILL);
			} else if (asked_count < CHILDREN_MAX &&
				   !is_in(asked, asked_count, now[i])) {
				asked[asked_count++] = now[i];
				kill(now[i], SIGTERM);
				kill(now[i], SIGCONT);
			}
		}
		if (!ended)
			sleep_ms(TRY_MS);
	}
}

/* Returns when gilscope has closed its end. The command is not reaped before, so that its PID is
 * not used again. */
static void watch(int line, pid_t command)
{
	static pid_t list[CHILDREN_MAX];
	struct pollfd polled[2] = {{.fd = line, .events = POLLIN}, {.events = POLLIN}};
	struct message gone = {.pid = command};
	struct signalfd_siginfo info;
	bool reported = false;
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	polled[1].fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	for (;;) {
		int count = list_children(list);

		for (int i = 0; i < count; i++)
			if (list[i] != command)
				waitpid(list[i], NULL, WNOHANG);
		if (!reported && has_exited(command))
			reported = send(line, &gone, sizeof(gone), MSG_NOSIGNAL) == sizeof(gone);
		if (poll(polled, 2, -1) > 0 && polled[0].revents)
			return;
		while (read(polled[1].fd, &info, sizeof(info)) == sizeof(info))
			;
	}
}

static _Noreturn void keep(int line, char **argv)
{
	static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGTTOU};
	struct message message = {0};

	prctl(PR_SET_NAME, "gilscope-keeper");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	interrupt_forget_handlers();
	message.err = start(argv, &message.pid);
	/* the terminal's signals are for gilscope and the command; the keeper ends with gilscope */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	bounded_close_others(line, NULL, 0);
	if (send(line, &message, sizeof(message), MSG_NOSIGNAL) == sizeof(message) && !message.err)
		watch(line, message.pid);
	if (!message.err)
		end_children(message.pid);
	_exit(0);
}

/* ── gilscope ────────────────────────────────────────────────────────────── */

/* Starts the keeper, which starts the command. The first message reports whether that worked. */
static int start_kept(char **argv, struct spawned *ret_spawned)
{
	struct spawned spawned = {0};
	struct message message;
	ssize_t length;
	int ends[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	spawned.line = ends[0];
	spawned.keeper = fork();
	if (!spawned.keeper) {
		close(ends[0]);
		keep(ends[1], argv);
	}
	if (spawned.keeper < 0) {
		err = -errno;
		close(ends[0]);
		close(ends[1]);
		return err;
	}
	close(ends[1]);
	do
		length = recv(spawned.line, &message, sizeof(message), 0);
	while (length < 0 && errno == EINTR);
	if (length != sizeof(message) || message.err) {
		spawn_end(&spawned);
		return length == sizeof(message) ? message.err : -ECHILD;
	}
	spawned.pid = message.pid;
	*ret_spawned = spawned;
	return 0;
}

/* The keeper has reported that the command has exited, or is gone itself. */
static bool is_over(const struct spawned *spawned)
{
	struct pollfd line = {.fd = spawned->line, .events = POLLIN};

	return poll(&line, 1, 0) > 0;
}

int spawn_python(char **argv, struct diag *diag, struct spawned *ret_spawned)
{
	struct spawned spawned = {0};
	struct diag last = {0};
	/* a clock, not a count of tries: each takes time, and more where files do not answer */
	uint64_t begun = clock_now_ns();
	int err = start_kept(argv, &spawned);

	if (err) {
		diag_set(diag, EXIT_FAILED, err, "cannot start %s: %s", argv[0], strerror(-err));
		if (err == -ENOENT && !argv[0][strspn(argv[0], "0123456789")])
			diag_hint(diag, "to record a running process: gilscope record -p %s",
				  argv[0]);
		return err;
	}
	while (!is_over(&spawned)) {
		struct target *target;

		err = target_open(spawned.pid, &last, &target);
		if (!err) {
			target_free(target);
			*ret_spawned = spawned;
			return 0;
		}
		if (last.status == EXIT_NOT_PERMITTED || clock_now_ns() - begun >= PATIENCE_NS)
			break;
		sleep_ms(TRY_MS);
	}
	if (is_over(&spawned)) {
		diag_set(diag, EXIT_FAILED, -ESRCH, "%s exited before it could be observed",
			 argv[0]);
	} else {
		*diag = last;
		if (!diag->hint[0])
			diag_hint(diag, "the command itself must become Python; start wrappers by "
					"hand and attach to the Python process");
	}
	spawn_end(&spawned);
	return err ? err : -ESRCH;
}

void spawn_end(struct spawned *spawned)
{
	if (!spawned->keeper)
		return;
	close(spawned->line);
	while (waitpid(spawned->keeper, NULL, 0) < 0 && errno == EINTR)
		;
	*spawned = (struct spawned){0};
}
