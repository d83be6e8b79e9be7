/* SPDX-License-Identifier: MIT */
/*
 * epoll.h - which epoll descriptors of a process belong to event loops, and of which kind.
 *
 * Every event loop has a channel by which other threads and signal handlers wake it, with both ends
 * in the process. asyncio's is a socket pair (selector_events.py, _make_self_pipe).
 * libuv's, and so uvloop's, are an eventfd for wake-ups and a pipe for signals (src/unix/async.c,
 * signal.c; made with the loop).
 */
#ifndef GILSCOPE_PYTHON_PROCESS_EPOLL_H
#define GILSCOPE_PYTHON_PROCESS_EPOLL_H

#include "python/target.h"

/* Emits EPOLL for every epoll descriptor of the process. 0 or -errno; emits nothing without
 * permission to read the descriptors. */
int epoll_emit_all(const struct target *target, const struct stream_sink *sink);

/* Whether an epoll descriptor of the process watches a listening socket, so that it accepts
 * connections. False without permission to read the descriptors, and for one that waits in accept,
 * select or poll. */
bool epoll_accepts(pid_t pid);

#endif
