/* SPDX-License-Identifier: MIT */
#ifndef GILSCOPE_BASE_CONTAINER_OF_H
#define GILSCOPE_BASE_CONTAINER_OF_H

#include <stddef.h>

/* The `type` whose `member` `pointer` points at. The result is not const, even if `pointer` is. */
#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

#endif
