/* SPDX-License-Identifier: MIT */
/*
 * shared.h - the maps' types: what user space hands to the probes and what it reads from them besides the ring. capture/ fills and reads them.
 */
#ifndef GILSCOPE_SHARED_H
#define GILSCOPE_SHARED_H

#include "wire.h"

#define SHARED_MAX_TARGETS 256
#define SHARED_MAX_GILS 1024
#define SHARED_MAX_THREADS 32768
#define SHARED_MAX_CPUS 4096

struct shared_gil_key {
	wire_u64 address;
	wire_u32 tgid;
	wire_u32 spare;
};

struct shared_gil {
	wire_u64 drop_request;	    /* address or offset: target.h, enum drop_request_kind */
	wire_s32 tstate_interp;	    /* PyThreadState.interp */
	wire_u16 drop_request_kind;
	wire_u16 index;		    /* the stream's index of this GIL */
	wire_u32 pending;	    /* a waiter ran out of patience since the last DROP: the drop request is worth reading */
	wire_u32 spare;
};

/* Records of one CPU that found no room in the ring. */
struct shared_loss {
	wire_u64 count, first_ts, last_ts;
};

#endif
