/* SPDX-License-Identifier: MIT */
/*
 * confine.h - drops for good the privileges that a command does not need any more. The only file
 * that knows libseccomp; docs/security.md explains what it protects from.
 *
 * Capabilities: those that are not kept are removed from all five sets (effective, permitted,
 * inheritable, bounding, ambient). The securebits take away the privileges of uid 0, and
 * no_new_privs those of set-uid programs. An observer keeps, if it has them:
 *  - CAP_SYS_PTRACE, for memory and /proc/PID of the targets (ptrace_may_access(),
 *    kernel/ptrace.c);
 *  - CAP_DAC_READ_SEARCH, for /proc/PID/fd and fdinfo of other users' processes;
 *  - CAP_CHECKPOINT_RESTORE, for /proc/PID/map_files, by which a module that is loaded later is
 *    identified (fs/proc/base.c, proc_map_files_get_link());
 *  - CAP_BPF, or CAP_SYS_ADMIN instead of it, only if the kernel refuses access to our own maps
 *    without it. Kernels before 5.19 do if sysctl kernel.unprivileged_bpf_disabled is set
 *    (c8644cd0efe7). That is tried out, not derived from the version.
 * CAP_PERFMON is not needed once the probes are in place. A reader of recordings keeps none.
 *
 * System calls: only those on a list are allowed. The others fail with EPERM, so that a call that
 * is missing from the list does not kill an observation in production; a test proves that none is
 * missing. Files can be opened for reading or newly created (O_CREAT and O_EXCL), but existing ones
 * cannot be changed: with CAP_SYS_PTRACE, /proc/PID/mem would be such a file. No sockets
 * but connections to one that listens already (confine_accept()) and messages on one that is
 * connected (confine_talk()), no exec,
 * no new processes, no ptrace; of bpf(), only commands on open maps.
 *
 * None of this can make a command fail. Parts that the kernel or a missing CAP_SETPCAP does not
 * allow (the bounding set and the securebits need it) are left out; if the filter cannot be
 * installed, a line on stderr says so. Builds with sanitizers have no filter, since these use other
 * system calls.
 */
#ifndef GILSCOPE_CMD_PIPELINE_CONFINE_H
#define GILSCOPE_CMD_PIPELINE_CONFINE_H

#include <stdbool.h>

/*
 * Announces that files will be created or renamed in this folder after confining: a descriptor (of
 * O_PATH, too) that stays open, or AT_FDCWD. If that needs a capability (root in a user's home),
 * the process writes as the folder's owner from then on (fsuid) instead of keeping the capability.
 * The last call counts.
 */
void confine_write_into(int folder);

/* Announces that connections will be accepted on this socket after confining. */
void confine_accept(int listener);

/* Announces that messages with descriptors will be sent and received on this socket after
 * confining. */
void confine_talk(int socket);

/* To be called when all files are open, before the first byte of a recording is read. */
void confine_reader(void);

/* To be called when the probes are in place. `can_go_on` tries what the observation will do, with
 * the capabilities of the moment. */
void confine_observer(bool (*can_go_on)(void *ctx), void *ctx);

#endif
