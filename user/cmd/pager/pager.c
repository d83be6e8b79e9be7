/* SPDX-License-Identifier: MIT */
#include "cmd/pager/pager.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_MAX 32

static pid_t pager;
static int terminal = -1;   /* the standard output, while the pager has it */
static bool ignores_ctrl_z; /* the pager does */

/* ── which pager ─────────────────────────────────────────────────────────── */

/* The command line of the pager; NULL: none is wanted. */
static const char *choose(void)
{
	const char *own = getenv("GILSCOPE_PAGER"), *name = own, *term = getenv("TERM");

	if (!own && (!term || !*term || !strcmp(term, "dumb")))
		return NULL;
	if (!name)
		name = getenv("PAGER");
	if (!name)
		name = "less";
	return name[strspn(name, " ")] && strcmp(name, "cat") != 0 ? name : NULL;
}

/* What only a shell understands. */
static bool needs_shell(const char *command)
{
	return command[strcspn(command, "|&;<>()$`\\\"'*?[#~=%\n")];
}

/* Returns only if it cannot be started. */
static void run_words(const char *command)
{
	char *words[WORDS_MAX + 1] = {NULL}, *text = strdup(command), *rest = text;
	int count = 0;

	for (char *word; text && count < WORDS_MAX && (word = strsep(&rest, " \t"));)
		if (*word)
			words[count++] = word;
	if (count)
		execvp(words[0], words);
}

static void run_shell(const char *command)
{
	/* 127: the shell has not found it, and nothing has been read */
	execl("/bin/sh", "sh", "-c", "eval \"$1\"; [ $? -ne 127 ] || exec cat", "sh", command,
	      (char *)NULL);
}

/* ── its privileges ──────────────────────────────────────────────────────── */

static bool number_of(const char *name, unsigned int *ret_number)
{
	const char *text = getenv(name);
	char *end;
	unsigned long number;

	if (!text || *text < '0' || *text > '9')
		return false;
	number = strtoul(text, &end, 10);
	*ret_number = (unsigned int)number;
	return !*end && number < UINT32_MAX;
}

/* The user who called sudo. False: nobody, or root. */
static bool caller_of(unsigned int *ret_uid, unsigned int *ret_gid)
{
	return number_of("SUDO_UID", ret_uid) && number_of("SUDO_GID", ret_gid) && *ret_uid;
}

static bool become_caller(void)
{
	unsigned int uid, gid;

	return caller_of(&uid, &gid) && !setgroups(1, &(gid_t){gid}) && !setresgid(gid, gid, gid) &&
	       !setresuid(uid, uid, uid);
}

/* The pager can run other programs and write files, so it gets no privilege that its user has not.
 */
static void drop_privileges(void)
{
	if (!geteuid() && !become_caller())
		setenv("LESSSECURE", "1", 1);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	capng_clear(CAPNG_SELECT_BOTH);
	capng_lock();
	capng_apply(CAPNG_SELECT_BOTH);
}

/* ── the child ───────────────────────────────────────────────────────────── */

/* For want of a pager. */
static void copy_plainly(void)
{
	char bytes[4096];
	ssize_t length;

	while ((length = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0 ||
	       (length < 0 && errno == EINTR))
		for (ssize_t done = 0, part; done < length; done += part) {
			part = write(STDOUT_FILENO, bytes + done, (size_t)(length - done));
			if (part < 0)
				_exit(EXIT_SUCCESS);
		}
}

static void close_others(void)
{
#ifdef SYS_close_range
	if (!syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0))
		return;
#endif
	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
		close(fd);
}

/* Waits for the first byte: until then the terminal belongs to gilscope's messages and to Ctrl-C.
 */
static void be_pager(const char *command)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

	signal(SIGINT, SIG_IGN);
	signal(SIGPIPE, SIG_DFL);
	close_others();
	drop_privileges();
	while (poll(&input, 1, -1) < 0 && errno == EINTR)
		continue;
	if (!(input.revents & POLLIN))
		_exit(EXIT_SUCCESS);
	setenv("LESS", "FRX", 0);
	setenv("LV", "-c", 0);
	signal(SIGINT, SIG_DFL);
	(needs_shell(command) ? run_shell : run_words)(command);
	copy_plainly();
	_exit(EXIT_SUCCESS);
}

/* ── the parent ──────────────────────────────────────────────────────────── */

/* Is it less, which does not stop with LESSSECURE? */
static bool is_secured_less(const char *command)
{
	size_t end = strcspn(command, " \t");
	const char *slash = memrchr(command, '/', end), *name = slash ? slash + 1 : command;
	unsigned int uid, gid;

	return command + end - name == 4 && !strncmp(name, "less", 4) && !geteuid() &&
	       !caller_of(&uid, &gid);
}

/* Called at exit: the terminal is the pager's until it ends. */
static void finish(void)
{
	fflush(stdout);
	dup2(terminal, STDOUT_FILENO);
	while (waitpid(pager, NULL, 0) < 0 && errno == EINTR)
		continue;
}

void pager_begin(void)
{
	const char *command = isatty(STDOUT_FILENO) ? choose() : NULL;
	int ends[2];

	if (!command || pager || pipe2(ends, O_CLOEXEC))
		return;
	ignores_ctrl_z = is_secured_less(command);
	terminal = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	fflush(NULL);
	pager = terminal < 0 ? -1 : fork();
	if (!pager) {
		dup2(ends[0], STDIN_FILENO);
		be_pager(command);
	}
	if (pager > 0) {
		dup2(ends[1], STDOUT_FILENO);
		signal(SIGPIPE, SIG_IGN);
		atexit(finish);
	}
	close(ends[0]);
	close(ends[1]);
}

void pager_shown_now(void)
{
	if (pager <= 0)
		return;
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
	/* if gilscope alone stopped, the shell would read the terminal beside the pager */
	if (ignores_ctrl_z)
		signal(SIGTSTP, SIG_IGN);
}

bool pager_gone(void)
{
	struct pollfd output = {.fd = STDOUT_FILENO};

	return pager > 0 && poll(&output, 1, 0) > 0 && (output.revents & POLLERR);
}

int pager_terminal(void)
{
	return pager > 0 ? terminal : STDOUT_FILENO;
}
