/* SPDX-License-Identifier: MIT */
#include "cmd/pipeline/confine.h"

#include <asm/termbits.h>
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CAPS	     64 /* as many as a set has bits */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1 /* as gcc does */
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

#define NOWHERE (-1) /* nothing is written */
static int folder = NOWHERE;

void confine_write_into(int where)
{
	folder = where;
}

static int accepting = NOWHERE; /* a socket that listens */

void confine_accept(int listener)
{
	accepting = listener;
}

static int talking = NOWHERE; /* a socket */

void confine_talk(int socket)
{
	talking = socket;
}

/* ── capabilities ────────────────────────────────────────────────────────── */

/* Bits of capabilities. */
#define BIT(cap) (1ull << (cap))

static unsigned long long had_caps(void)
{
	unsigned long long had = 0;

	capng_get_caps_process();
	for (unsigned int cap = 0; cap < CAPS; cap++)
		if (capng_have_capability(CAPNG_PERMITTED, cap) > 0)
			had |= BIT(cap);
	return had;
}

static void set_caps(unsigned long long effective, unsigned long long permitted)
{
	capng_clear(CAPNG_SELECT_CAPS);
	for (unsigned int cap = 0; cap < CAPS; cap++) {
		if (effective & BIT(cap))
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, cap);
		if (permitted & BIT(cap))
			capng_update(CAPNG_ADD, CAPNG_PERMITTED, cap);
	}
	capng_apply(CAPNG_SELECT_CAPS);
}

/* Closes every way to regain capabilities. Must run while CAP_SETPCAP is there. */
static void close_ways_back(void)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) <= 0)
		return;
	capng_lock();
	capng_clear(CAPNG_SELECT_BOUNDS);
	capng_apply(CAPNG_SELECT_BOUNDS);
}

/* Can files be created in `folder` with the capabilities that are kept? */
static bool can_write(void)
{
	return folder == NOWHERE || !faccessat(folder, ".", W_OK | X_OK, AT_EACCESS) ||
	       errno != EACCES;
}

static void drop_caps(unsigned long long keep, bool (*can_go_on)(void *ctx), void *ctx)
{
	unsigned long long had = had_caps();
	struct stat owner;

	close_ways_back();
	keep &= had;
	set_caps(keep, had);
	if (can_go_on && !can_go_on(ctx)) {
		keep |= had & BIT(CAP_BPF) ? BIT(CAP_BPF) : had & BIT(CAP_SYS_ADMIN);
		set_caps(keep, had);
	}
	if (!can_write() && !fstatat(folder, "", &owner, AT_EMPTY_PATH)) {
		set_caps(had, had);
		setfsuid(owner.st_uid);
	}
	set_caps(keep, keep);
}

/* ── system calls ────────────────────────────────────────────────────────── */

/*
 * For reading, computing, writing and exiting. setfsuid and setfsgid are for ncurses 6.5 and later,
 * which sets them before it reads a terminal's description; without CAP_SETUID that is harmless.
 * Names that this architecture or libseccomp does not know are skipped.
 */
static const char *const CALLS[] = {
	"access",
	"brk",
	"clock_getres",
	"clock_gettime",
	"clock_nanosleep",
	"close",
	"dup",
	"dup2",
	"dup3",
	"epoll_ctl",
	"epoll_pwait",
	"epoll_pwait2",
	"epoll_wait",
	"exit",
	"exit_group",
	"faccessat",
	"faccessat2",
	"fadvise64",
	"fallocate",
	"fchmod",
	"fcntl",
	"fdatasync",
	"flock",
	"fstat",
	"fstatfs",
	"fsync",
	"ftruncate",
	"futex",
	"getcwd",
	"getdents64",
	"getegid",
	"geteuid",
	"getgid",
	"getpgid",
	"getpgrp",
	"getpid",
	"getppid",
	"getrandom",
	"gettid",
	"gettimeofday",
	"getuid",
	"link",
	"linkat",
	"lseek",
	"lstat",
	"madvise",
	"memfd_create",
	"mmap",
	"mprotect",
	"mremap",
	"munmap",
	"nanosleep",
	"newfstatat",
	"poll",
	"ppoll",
	"pread64",
	"preadv",
	"pselect6",
	"pwrite64",
	"pwritev",
	"read",
	"readlink",
	"readlinkat",
	"readv",
	"rename",
	"renameat",
	"renameat2",
	"restart_syscall",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"rt_sigtimedwait",
	"sched_getaffinity",
	"sched_yield",
	"select",
	"setfsgid",
	"setfsuid",
	"setitimer",
	"sigaltstack",
	"stat",
	"statfs",
	"statx",
	"sysinfo",
	"time",
	"timer_create",
	"timer_delete",
	"timer_settime",
	"umask",
	"uname",
	"unlink",
	"unlinkat",
	"wait4",
	"waitid",
	"write",
	"writev",
};
static const char *const OBSERVER_CALLS[] = {"process_vm_readv"};

/* Modes of a terminal can be read and set; TIOCSTI, which fakes input, is not allowed. */
static const unsigned long IOCTLS[] = {
	TCGETS,	 TCSETS,  TCSETSW,  TCSETSF,  TCFLSH, TIOCGWINSZ, TIOCGPGRP, FIONREAD,
#ifdef TCGETS2
	TCGETS2, TCSETS2, TCSETSW2, TCSETSF2,
#endif
};
static const unsigned long OBSERVER_IOCTLS[] = {PERF_EVENT_IOC_ENABLE, PERF_EVENT_IOC_DISABLE};
static const unsigned int BPF_COMMANDS[] = {BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM,
					    BPF_MAP_DELETE_ELEM, BPF_MAP_GET_NEXT_KEY,
					    BPF_OBJ_GET_INFO_BY_FD};

static void allow(scmp_filter_ctx filter, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int call = seccomp_syscall_resolve_name(names[i]);

		if (call != __NR_SCMP_ERROR)
			seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
	}
}

static void allow_ioctls(scmp_filter_ctx filter, const unsigned long *requests, size_t count)
{
	/* the kernel uses 32 bits of it, and musl passes it sign-extended */
	for (size_t i = 0; i < count; i++)
		seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				 SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, requests[i]));
}

/* For reading, or creating a new file. */
static void allow_opening(scmp_filter_ctx filter)
{
	const unsigned int created = O_CREAT | O_EXCL, changed = O_ACCMODE | O_CREAT | O_TRUNC;

	seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
			 SCMP_A2(SCMP_CMP_MASKED_EQ, changed, O_RDONLY));
	seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
			 SCMP_A2(SCMP_CMP_MASKED_EQ, created, created));
#ifdef __NR_open
	seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
			 SCMP_A1(SCMP_CMP_MASKED_EQ, changed, O_RDONLY));
	seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
			 SCMP_A1(SCMP_CMP_MASKED_EQ, created, created));
#endif
}

static void filter_calls(bool observer)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = -ENOMEM;

	if (filter) {
		allow(filter, CALLS, COUNT(CALLS));
		allow_ioctls(filter, IOCTLS, COUNT(IOCTLS));
		allow_opening(filter);
		/* signals to oneself: to end the process by that signal, and to stop it, as
		 * ncurses' handler of Ctrl-Z does with kill() */
		seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				 SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)getpid()));
		seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(kill), 1,
				 SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)getpid()));
		if (accepting != NOWHERE)
			seccomp_rule_add(
				filter, SCMP_ACT_ALLOW, SCMP_SYS(accept4), 1,
				SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, (scmp_datum_t)accepting));
		if (talking >= 0) {
			const struct scmp_arg_cmp there = SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX,
								  (scmp_datum_t)talking);

			seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(recvmsg), 1, there);
			seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(sendmsg), 1, there);
		}
		if (observer) {
			allow(filter, OBSERVER_CALLS, COUNT(OBSERVER_CALLS));
			allow_ioctls(filter, OBSERVER_IOCTLS, COUNT(OBSERVER_IOCTLS));
			for (size_t i = 0; i < COUNT(BPF_COMMANDS); i++)
				seccomp_rule_add(
					filter, SCMP_ACT_ALLOW, SCMP_SYS(bpf), 1,
					SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, BPF_COMMANDS[i]));
		}
		err = seccomp_load(filter);
		seccomp_release(filter);
	}
	if (err)
		fprintf(stderr,
			"gilscope: no filter of system calls, which is one safeguard less (%s).\n",
			strerror(-err));
}

static void confine(unsigned long long keep, bool observer, bool (*can_go_on)(void *ctx), void *ctx)
{
	static bool confined;

	if (confined)
		return;
	confined = true;
	tzset(); /* reads a file that may not be readable afterwards */
	drop_caps(keep, can_go_on, ctx);
	if (!SANITIZED)
		filter_calls(observer);
}

void confine_reader(void)
{
	confine(0, false, NULL, NULL);
}

void confine_observer(bool (*can_go_on)(void *ctx), void *ctx)
{
	confine(BIT(CAP_SYS_PTRACE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_CHECKPOINT_RESTORE), true,
		can_go_on, ctx);
}
