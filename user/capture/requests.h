/* SPDX-License-Identifier: MIT */
/*
 * requests.h - what is to be read of the targets: a bounded queue between the ring's callback,
 * which only adds to it, and capture_serve(), which reads /proc and memory when the ring is empty.
 *
 * Order. Requests are served in the order in which they came, with one exception: a snapshot
 * answers the requests for single descriptors and threads of its process, so it takes the place of
 * the first of them; the end of a process does the same with all of its requests. A request
 * therefore waits for those before it and for nothing else, and is served even when each tick has
 * time for only one.
 *
 * Why the order of events stays right although a fact is read later than the record that asked for
 * it. A fact carries the time when it was read, and the reorder stage sorts by time:
 *  - Every record that the stage has seen by then was stamped earlier, so the fact comes behind all
 *    of them and is never late.
 *  - Records that are stamped while the fact is read are consumed by the next drain before the
 *    stage advances, so they are sorted in before or behind it, however long the reading takes.
 * What a fact says is true at its own time. If a thread waits on descriptor 5, closes it, and opens
 * another loop's descriptor 5 before the request is served, then the fact is about the second one
 * and comes behind the EPOLL_CLOSE of the first.
 *
 * Overflow. At most REQUESTS_MAX requests for single descriptors and threads are held. One more
 * becomes a snapshot of its process, which answers it too. All other kinds are held once per
 * process, and always have room.
 */
#ifndef GILSCOPE_CAPTURE_REQUESTS_H
#define GILSCOPE_CAPTURE_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>
#include "bpf/shared.h"

struct tracee;

enum request_kind {
	REQUEST_EPOLL,	  /* what kind of epoll descriptor `key` is */
	REQUEST_LOOP,	  /* whether a thread runs an event loop; `key`: request_loop_key() */
	REQUEST_NAMES,	  /* the names that Python has for the threads */
	REQUEST_GILS,	  /* the GILs of interpreters that are new */
	REQUEST_SNAPSHOT, /* all threads, GILs, descriptors and loops */
	REQUEST_GONE,	  /* the process has ended: release what is held for it */
	REQUEST_KINDS
};

struct request {
	struct tracee *tracee;
	enum request_kind kind;
	uint64_t key; /* 0 for all kinds that are held once per process */
	uint64_t due; /* CLOCK_MONOTONIC; not served before */
};

#define REQUESTS_MAX 256

struct requests {
	uint32_t count, keyed; /* all; those for single descriptors and threads */
	struct request list[REQUESTS_MAX + SHARED_MAX_TARGETS * (REQUEST_KINDS - REQUEST_NAMES)];
};

/* A thread that waits on an epoll descriptor. It is of interest only if the descriptor is a loop's,
 * which a request before this one may have to find out. */
static inline uint64_t request_loop_key(uint32_t tid, uint32_t epfd)
{
	return (uint64_t)tid << 32 | epfd;
}

/*
 * Adds a request, unless the same one (tracee, kind, key) is there already, or one that answers it:
 * a snapshot answers EPOLL and LOOP, and nothing is asked of a process that is gone. Takes away
 * what the new one answers. Never fails: see "Overflow".
 */
void requests_put(struct requests *requests, const struct request *request);

/* Takes the next request that is due at `now`. False: there is none. */
bool requests_take(struct requests *requests, uint64_t now, struct request *ret_request);

/* Takes away a request of a kind that is held once per process. False: there was none. */
bool requests_cancel(struct requests *requests, const struct tracee *tracee,
		     enum request_kind kind);

#endif
