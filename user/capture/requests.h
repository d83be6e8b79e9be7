/* SPDX-License-Identifier: MIT */
/*
 * requests.h - what has to be read from the targets: a bounded queue between the ring's callback,
 * which only adds to it, and capture_serve(), which reads /proc and memory once the ring is empty.
 *
 * Order. Requests are served in the order of their arrival, with one exception: a snapshot answers
 * all requests for single descriptors, threads and locks of its process, so it replaces them and
 * takes the place of the first; the end of a process does the same with all its requests. A request
 * waits for those before it and for nothing else, and is served even if each poll has time for only
 * one.
 *
 * Why the order of events stays right although a fact is read later than the record that called
 * for it: a fact is stamped when it is read, and the reorder stage sorts by timestamp.
 *  - Every record that the stage has received by then was stamped earlier. The fact comes after all
 *    of them, and is never late.
 *  - Records that are stamped while the fact is being read are consumed by the next drain before
 *    the stage advances. They are sorted in before or after the fact, however long reading takes.
 * A fact is true at its own time. Example: a thread waits on descriptor 5, closes it, and opens a
 * new epoll descriptor 5; the request is served before the record of the close is consumed. The
 * fact describes the new descriptor and comes after the EPOLL_CLOSE of the old one, which then
 * makes the new one be read again. Once that record is consumed, nothing asks about the old one.
 *
 * Overflow. The queue holds at most REQUESTS_MAX requests for single descriptors and threads. One
 * more becomes a snapshot of its process, which answers it too. Requests of the other kinds are
 * held once per process and always have room.
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
	REQUEST_LOOPS,	  /* which threads newly run an event loop */
	REQUEST_NAMES,	  /* the names that Python has for the threads */
	REQUEST_GILS,	  /* the GILs of interpreters that are new */
	REQUEST_SNAPSHOT, /* all threads, GILs, descriptors and loops */
	REQUEST_LOCKS,	  /* who has the mutexes that threads sleep on */
	REQUEST_NATIVE,	  /* what machine code is at the addresses in tracee.natives */
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
	struct request list[REQUESTS_MAX + SHARED_MAX_TARGETS * (REQUEST_KINDS - REQUEST_LOOPS)];
};

/* A thread that waits on an epoll descriptor. Served only if that belongs to a loop, which an
 * earlier request may have to find out. */
static inline uint64_t request_loop_key(uint32_t tid, uint32_t epfd)
{
	return (uint64_t)tid << 32 | epfd;
}

/*
 * Adds a request, unless the queue holds the same one (tracee, kind, key) or one that answers it: a
 * snapshot answers EPOLL and LOOP, GONE makes all others pointless. Removes those that the new one
 * answers. Cannot fail: see "Overflow".
 */
void requests_put(struct requests *requests, const struct request *request);

/* Removes the next request that is due at `now` and returns it. False: there is none. */
bool requests_take(struct requests *requests, uint64_t now, struct request *ret_request);

/* Removes a request of a kind that is held once per process. False: there was none. */
bool requests_cancel(struct requests *requests, const struct tracee *tracee,
		     enum request_kind kind);

/*
 * The descriptor `epfd` is closed: takes out what was to be read about it, and about threads that
 * waited on it. Served later, such a request would find the number free or another file's, and the
 * next epoll descriptor of that number would count as read.
 */
void requests_drop_epfd(struct requests *requests, const struct tracee *tracee, uint32_t epfd);

#endif
