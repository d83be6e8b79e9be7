/* SPDX-License-Identifier: MIT */
/*
 * confine.h - gives up, for good, what a command does not need any more. The only file that knows
 * libseccomp; docs/security.md says what for.
 *
 * Capabilities: what is not kept leaves all five sets (effective, permitted, inheritable, bounding,
 * ambient), the securebits say that uid 0 is nobody special any more, and no_new_privs that no
 * program can be started that is. An observer keeps, as far as it had them CAP_SYS_PTRACE memory
 * and /proc/PID of the targets (ptrace_may_access(), kernel/ptrace.c) CAP_DAC_READ_SEARCH
 * /proc/PID/fd and fdinfo of another user's process CAP_CHECKPOINT_RESTORE  /proc/PID/map_files:
 * which file a module that is loaded later is (fs/proc/base.c, proc_map_files_get_link()) CAP_BPF
 * or CAP_SYS_ADMIN where that is what there is: only if the kernel refuses our own maps without.
 * Kernels before 5.19 do where sysctl kernel.unprivileged_bpf_disabled is set (c8644cd0efe7). It is
 * tried, not told by the version. CAP_PERFMON is not needed once the probes are in place, and a
 * reader of recordings needs none.
 *
 * System calls: those of a list, the rest fail with EPERM: a call that is missing from the list
 * must not kill an observation in production; a test proves that none is. Files can be opened to be
 * read or made anew (O_CREAT and O_EXCL), never to change what is there: with CAP_SYS_PTRACE
 * /proc/PID/mem would be such a file. No sockets, no exec, no new processes, no ptrace; of bpf()
 * what works on maps that are open.
 *
 * Nothing of this can fail a command. A part that the kernel or a missing CAP_SETPCAP does not
 * allow (the bounding set and the securebits need it) is left out; without the filter a line on
 * stderr says so. In builds with sanitizers there is no filter: they do as they like.
 */
#ifndef GILSCOPE_CMD_PIPELINE_CONFINE_H
#define GILSCOPE_CMD_PIPELINE_CONFINE_H

#include <stdbool.h>

/*
 * Files will be made or renamed in this folder after confining: a descriptor (O_PATH will do), open
 * until then, or AT_FDCWD. Where that takes the right to pass over permissions (root in a user's
 * home), the folder's owner is whom we write as from then on (fsuid), instead of keeping that
 * right. The last call counts.
 */
void confine_write_into(int folder);

/* Before the first byte of a recording is read, with all files open. */
void confine_reader(void);

/* When the probes are in place. `can_go_on` tries with the rights of the moment what the
 * observation will do. */
void confine_observer(bool (*can_go_on)(void *ctx), void *ctx);

#endif
