/* SPDX-License-Identifier: MIT */
/*
 * private.h - what target.c, snapshot.c and epoll.c share of a target and nobody else needs.
 */
#ifndef GILSCOPE_TARGET_PRIVATE_H
#define GILSCOPE_TARGET_PRIVATE_H

#include "target/layout.h"
#include "target/target.h"

struct target_private {
	struct layout layout;
	uint64_t runtime_size;
};

#endif
