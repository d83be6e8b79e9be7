/* SPDX-License-Identifier: MIT */
/*
 * hash.h - uthash as everybody here includes it: when memory is short an addition fails, and
 * HASH_FAILED() says so, while uthash left to itself ends the process.
 */
#ifndef GILSCOPE_BASE_HASH_H
#define GILSCOPE_BASE_HASH_H

#define HASH_NONFATAL_OOM	     1
#define uthash_nonfatal_oom(element) ((void)(element)) /* the handle's table stays NULL */
#include <uthash.h>

/* Right after HASH_ADD…: the element is not in the table, for want of memory. */
#define HASH_FAILED(element) (!(element)->hh.tbl)

#endif
