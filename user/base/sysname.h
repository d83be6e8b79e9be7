/* SPDX-License-Identifier: MIT */
/*
 * sysname.h - names of system calls by architecture ("x86_64", "aarch64"), generated at build time
 * from the C library's and kernel's headers.
 */
#ifndef GILSCOPE_BASE_SYSNAME_H
#define GILSCOPE_BASE_SYSNAME_H

#include <stdint.h>

/* The name without "sys_", or NULL if the number or the machine is unknown. */
const char *sysname(const char *machine, int32_t sysno);

#endif
