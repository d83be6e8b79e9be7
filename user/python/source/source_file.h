/* SPDX-License-Identifier: MIT */
/*
 * source_file.h - opens a process's source file, if it is the one that was there when the process's
 * program was started.
 */
#ifndef GILSCOPE_PYTHON_SOURCE_SOURCE_FILE_H
#define GILSCOPE_PYTHON_SOURCE_SOURCE_FILE_H

#include <stdint.h>
#include <sys/stat.h>

struct source_folders {
	int root, directory;
	uint64_t started_ns; /* time of day */
};

/*
 * An absolute path is resolved within the root, a relative one within the directory, which it does
 * not leave. Only regular files are opened, since opening anything else may have effects. -ESTALE:
 * what is there now was changed since the start, or a symbolic link on the way to it, or a folder
 * was renamed.
 */
int source_file_open(const struct source_folders *folders, const char *path);

/* Has an open file kept its content since the start, as far as its own times say? */
int source_file_check(const struct source_folders *folders, int fd, struct stat *ret_stat);

#endif
