/* SPDX-License-Identifier: MIT */
/*
 * memory.h - reads the memory of another process. No address is trusted: a bad one gives -EFAULT,
 * never a crash. A page that another process would have to supply is not read (pages.h), because
 * that process need not answer.
 */
#ifndef GILSCOPE_PYTHON_PROCESS_MEMORY_H
#define GILSCOPE_PYTHON_PROCESS_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * All `length` bytes or nothing. -EFAULT: not all of it is mapped and readable; -EPERM:
 * CAP_SYS_PTRACE is missing; -ESRCH: the process is gone; -EBUSY: not read, because the read might
 * never return; -ETIME: not read, because the time limit of pages_allow() has passed.
 */
int memory_read(pid_t pid, uint64_t address, void *to, size_t length);

/* Reads `size` bytes at each of the addresses into consecutive slots of `to`; a slot that cannot be
 * read is zeroed. Far cheaper than single reads. */
void memory_read_each(pid_t pid, const uint64_t *addresses, size_t count, void *to, size_t size);

/* A C string, cut at size - 1 bytes and terminated. Errors as above. */
int memory_read_text(pid_t pid, uint64_t address, char *to, size_t size);

int memory_read_u64(pid_t pid, uint64_t address, uint64_t *ret_value);
int memory_read_u32(pid_t pid, uint64_t address, uint32_t *ret_value);

#endif
