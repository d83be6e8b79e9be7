/* SPDX-License-Identifier: MIT */
/*
 * who_state.h - what who.c remembers and who_write.c writes. Internal to those two.
 */
#ifndef GILSCOPE_STREAM_WHO_STATE_H
#define GILSCOPE_STREAM_WHO_STATE_H

#include "base/hash.h"
#include "stream/who.h"

#define EXITED_MAX 256

enum sched { SCHED_UNKNOWN, SCHED_RUNNING, SCHED_READY, SCHED_ASLEEP };
enum place { PLACE_UNKNOWN, PLACE_OUTSIDE, PLACE_INSIDE };
enum relation { RELATION_UNKNOWN, RELATION_OTHER /* it does not wait */, RELATION_WAITS };

struct who_thread {
	uint32_t tid;
	UT_hash_handle hh;
	struct ev_thread thread;
	struct ev_comm comm; /* type 0: not told; the others likewise */
	struct ev_python_name name;
	struct ev_runs_loop runs;
	struct ev_epoll_enter loop_wait; /* the last wait on the descriptor of the loop it runs … */
	uint32_t rival_waits;		 /* … and how many there were on another loop's since */
	enum sched sched;
	union event switched; /* SWITCH_OUT of a thread that is ready or asleep, SWITCH_IN of one
				 that runs */
	enum place place;
	uint32_t epfd;
	enum relation relation;
	bool in_handover; /* its relation is in doubt as long as it sleeps */
	struct ev_wait wait;
	struct ev_stack stack;	    /* where it has stood since it went off the CPU */
	struct ev_stack wait_stack; /* … and since it waits for the GIL */
};

struct who_gil {
	uint16_t index;
	UT_hash_handle hh;
	struct ev_gil gil;
	bool known;
	bool off;	 /* as OBSERVE's `off` */
	uint32_t holder; /* 0: free */
};

struct who_descriptor {
	struct {
		uint32_t pid, epfd;
	} key;
	UT_hash_handle hh;
	struct ev_epoll epoll;
};

struct who_process {
	uint32_t pid;
	UT_hash_handle hh;
	struct process_info info;
};

struct who_name {
	uint32_t tid;
	UT_hash_handle hh;
	struct ev_comm comm;
};

struct who {
	bool partial;
	struct who_thread *threads;
	struct who_gil *gils;
	struct who_descriptor *descriptors;
	struct who_process *processes;
	struct who_name *names;
	struct ev_lost lost;	     /* the one that lasts longest */
	uint32_t exited[EXITED_MAX]; /* a snapshot may still speak of them */
	uint32_t exited_count;
};

#endif
