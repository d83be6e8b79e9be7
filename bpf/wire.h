/* SPDX-License-Identifier: MIT */
/*
 * wire.h - the records that travel from the kernel to user space, and into traces.
 *
 * Includes nothing and uses fixed-width types only, for BPF programs and user space share it.
 * Records are facts ("TAKE at t by tid on gil g"), never interpretations. All times are
 * CLOCK_MONOTONIC nanoseconds. All tids and pids are those of the PID namespace of the gilscope
 * that wrote them.
 *
 * A record is a header and the event's fields; its size depends on its type alone (event_size()).
 * User space keeps records in `union event`, whose unused tail is zero.
 */
#ifndef GILSCOPE_WIRE_H
#define GILSCOPE_WIRE_H

typedef unsigned char wire_u8;
typedef unsigned short wire_u16;
typedef unsigned int wire_u32;
typedef int wire_s32;
typedef unsigned long long wire_u64;
typedef struct {
	char text[16];
} wire_comm;

#define EVENT_PAYLOAD_MAX 24

/* With this, which no id has (PID_MAX_LIMIT in include/linux/threads.h is 2^22): the kernel's own
 * id of a task that is not in that PID namespace. */
#define ID_OUTSIDE 0x40000000u

struct event_hdr {
	wire_u64 ts;   /* when, ns of CLOCK_MONOTONIC */
	wire_u32 tid;  /* whom it is about (events.def says, per event) */
	wire_u8 type;  /* EV_… */
	wire_u8 flags; /* bits of the event */
	wire_u16 aux;  /* a small number: a GIL's index, a CPU */
};

#define EVENT(id, NAME, name, aux, tid, doc) EV_##NAME = id,
enum {
#include "events.def"
	EV_COUNT /* one more than the highest id */
};

/* EVF_…: the bits of hdr.flags */
#define FLAG(NAME, bit, FLAG_NAME, flag_name, doc) EVF_##FLAG_NAME = 1u << (bit),
enum {
#include "events.def"
};

/* struct ev_take, struct ev_switch_out, … */
#define EVENT(id, NAME, name, aux, tid, doc)                                                       \
	struct ev_##name {                                                                         \
		struct event_hdr hdr;
#define FIELD(NAME, type, field, doc) wire_##type field;
#define EVENT_END(NAME)                                                                            \
	}                                                                                          \
	;
#include "events.def"

/* `words` comes first and covers everything, so that `= {0}` clears all of it: since C23 (GCC 15)
 * that is guaranteed for the first member only. */
union event {
	wire_u64 words[(16 + EVENT_PAYLOAD_MAX) / 8];
	struct event_hdr hdr;
#define EVENT(id, NAME, name, aux, tid, doc) struct ev_##name name;
#include "events.def"
};

_Static_assert(sizeof(struct event_hdr) == 16, "the header is part of the format");
_Static_assert(sizeof(union event) == 16 + EVENT_PAYLOAD_MAX,
	       "no event may be larger than the union's words");
#define EVENT(id, NAME, name, aux, tid, doc)                                                       \
	_Static_assert(sizeof(struct ev_##name) % 8 == 0, #name " must be a multiple of 8 bytes");
#include "events.def"

enum loop_kind { LOOP_UNKNOWN, LOOP_ASYNCIO, LOOP_UVLOOP, LOOP_TRIO, LOOP_KINDS };

/* Size of a record of this type in bytes, header included; 0 for an unknown type. */
static inline unsigned int event_size(unsigned int type)
{
	switch (type) {
#define EVENT(id, NAME, name, aux, tid, doc)                                                       \
	case id:                                                                                   \
		return sizeof(struct ev_##name);
#include "events.def"
	default:
		return 0;
	}
}

#endif
