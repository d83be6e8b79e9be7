/* SPDX-License-Identifier: MIT */
/*
 * libc_calls.h - the functions of the C library in which loops wait and close their descriptors
 * (libc.h). A probe tells them apart by its address. Shared with BPF, so it includes nothing.
 */
#ifndef GILSCOPE_PYTHON_ELF_LIBC_CALLS_H
#define GILSCOPE_PYTHON_ELF_LIBC_CALLS_H

enum libc_call {
	LIBC_EPOLL_WAIT,
	LIBC_EPOLL_PWAIT,
	LIBC_EPOLL_PWAIT2,
	LIBC_CLOSE,
	LIBC_DUP2,
	LIBC_DUP3,
	LIBC_SYSCALL,
	LIBC_CALLS
};

#endif
