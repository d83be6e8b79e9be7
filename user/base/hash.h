/* SPDX-License-Identifier: MIT */
/*
 * hash.h - uthash, to be included in this way only: if memory is short, an addition fails and
 * HASH_FAILED() says so, whereas uthash by default ends the process.
 */
#ifndef GILSCOPE_BASE_HASH_H
#define GILSCOPE_BASE_HASH_H

#define HASH_NONFATAL_OOM	     1
#define uthash_nonfatal_oom(element) ((void)(element)) /* the handle's table stays NULL */
#include <uthash.h>

/* To be asked right after HASH_ADD…: the element is not in the table, because memory is short. */
#define HASH_FAILED(element) (!(element)->hh.tbl)

#endif
