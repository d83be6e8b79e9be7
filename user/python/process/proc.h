/* SPDX-License-Identifier: MIT */
/*
 * proc.h - reads /proc: small files, a process's state and start time, its mappings.
 */
#ifndef GILSCOPE_PYTHON_PROCESS_PROC_H
#define GILSCOPE_PYTHON_PROCESS_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Reads at most size - 1 bytes of a file and terminates them. Returns their number or -errno. */
ssize_t proc_read(const char *path, char *to, size_t size);

struct proc_stat {
	char state;	     /* R, S, D, Z, … as in proc(5) */
	uint64_t start_time; /* field 22 */
};

/* `path` is a stat file's, of a process or a thread. The name in it may hold any bytes, also ')'
 * and blanks. */
int proc_stat_read(const char *path, struct proc_stat *ret_stat);
/* The same from the file's text; -EINVAL when it is not one. */
int proc_stat_parse(const char *text, struct proc_stat *ret_stat);

/* A number from a line "Key:\t1\t2\t3" of a status file: the last one on the line (NSpid: the
 * innermost namespace's). */
int proc_status_last(const char *path, const char *key, uint32_t *ret_value);

/* Whether CAP_SYS_PTRACE is in effect. (Inside a user namespace it does not apply to processes
 * outside.) */
bool proc_may_trace(void);

/* Arguments joined by blanks. Empty for a kernel thread, and when they cannot be read without
 * waiting (pages.h). 0 or -errno. */
int proc_cmdline(pid_t pid, char *to, size_t size);

struct mapping {
	uint64_t start, end;
	uint64_t offset; /* in the file */
	uint64_t device; /* dev_t of the file's device; 0 with inode 0: no file */
	uint64_t inode;
	bool readable, writable, executable;
	char *path; /* as the process sees it, perhaps with " (deleted)"; "" for none */
};

struct mappings {
	struct mapping *list; /* by address */
	size_t count;
};

/* 0 or -errno (-EACCES without the right to trace the process). -E2BIG when there are absurdly
 * many. */
int mappings_read(pid_t pid, struct mappings *ret_mappings);
void mappings_done(struct mappings *mappings);

#endif
