/* SPDX-License-Identifier: MIT */
/*
 * gil.h - makes struct gil_layout, and reads a GIL with it.
 */
#ifndef GILSCOPE_PYTHON_INTERPRETER_GIL_H
#define GILSCOPE_PYTHON_INTERPRETER_GIL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "python/interpreter/gil_layout.h"

/*
 * The layout in a build with or without --disable-gil. The order of the fields is the same in every
 * version (tools/python-layout.c checks it); the sizes of condition variables and mutexes are those
 * of the C library that gilscope was compiled with.
 */
struct gil_layout gil_layout_of(bool free_threaded);

/* … of a target whose C library is musl: on arm64 its mutexes are smaller than glibc's, and nobody
 * sleeps on a condition variable itself. */
void gil_layout_for_musl(struct gil_layout *layout);

/* Where in the GIL at `address` is what a thread waits for that sleeps on `futex`? That may be on
 * its stack (struct musl_waiter). UINT64_MAX: not there. */
uint64_t gil_futex_offset(pid_t pid, const struct gil_layout *layout, uint64_t address,
			  uint64_t futex);

/* The fields of a GIL as read at one instant; not trusted. */
struct gil_words {
	uint64_t interval_us, last_holder, switch_number;
	int32_t locked;
	int32_t enabled; /* 1 in a build that always has a GIL */
	uint64_t mutex;	 /* the first word of its mutex: 0 while no thread is inside take_gil or
			    drop_gil */
};

/* `bytes` are layout->size bytes. */
struct gil_words gil_words_of(const struct gil_layout *layout, const uint8_t *bytes);

/* Errors as memory_read(). */
int gil_words_read(pid_t pid, const struct gil_layout *layout, uint64_t address,
		   struct gil_words *ret_words);

#endif
