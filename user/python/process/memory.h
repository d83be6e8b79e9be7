/* SPDX-License-Identifier: MIT */
/*
 * memory.h - reads the memory of another process. Every address is distrusted: a bad one is
 * -EFAULT, never a crash; and a page that somebody might have to be asked for is not read
 * (pages.h), for whoever is asked need not answer.
 */
#ifndef GILSCOPE_PYTHON_PROCESS_MEMORY_H
#define GILSCOPE_PYTHON_PROCESS_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * All `length` bytes or nothing. -EFAULT: not all of it is mapped and readable; -EPERM:
 * CAP_SYS_PTRACE is missing; -ESRCH: the process is gone; -EBUSY: not read, for whoever reads it
 * may wait for ever; -ETIME: not read, for the time that pages_allow() gave is over.
 */
int memory_read(pid_t pid, uint64_t address, void *to, size_t length);

/* `size` bytes at each of the addresses, into one row; what cannot be read becomes zeros. Far
 * cheaper than one by one. */
void memory_read_each(pid_t pid, const uint64_t *addresses, size_t count, void *to, size_t size);

/* A C string, cut at size - 1 bytes and terminated. Errors as above. */
int memory_read_text(pid_t pid, uint64_t address, char *to, size_t size);

int memory_read_u64(pid_t pid, uint64_t address, uint64_t *ret_value);
int memory_read_u32(pid_t pid, uint64_t address, uint32_t *ret_value);

#endif
