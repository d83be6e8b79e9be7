/* SPDX-License-Identifier: MIT */
/*
 * perfetto.h - a trace for https://ui.perfetto.dev, packet by packet. Internal to the room.
 *
 * All packets are of one sequence (trusted_packet_sequence_id). What is said again and again is
 * interned: names, names of annotations and their texts, places in the source. It is defined right
 * before its first use, so a reader needs no look ahead. Descriptions of tracks come before the
 * first event on the track, because Perfetto's trace_processor looks them up for counters while it
 * reads; names of threads that become known later are told again at the end, which it takes as the
 * thread's name for the whole trace, since it reads all packets before it sorts their events by
 * time. So events of different tracks may come in any order, those of one at the same instant in
 * the order in which they are to be seen.
 *
 * Memory is bounded: of places and texts only so many are interned, what is beyond is written out
 * each time. Names of the target are escaped.
 */
#ifndef GILSCOPE_VIEW_EXPORT_PERFETTO_H
#define GILSCOPE_VIEW_EXPORT_PERFETTO_H

#include "perfetto.pb-c.h"
#include "view/drawing.h"
#include "view/flames.h"

/* Names of annotations: PERFETTO_KEY_NAMES has the words. */
enum perfetto_key {
	KEY_CPU,
	KEY_SYSCALL,
	KEY_THROTTLED,
	KEY_SAMPLED,
	KEY_GC,
	KEY_FORCED,
	KEY_HANDOFF,
	KEY_WHOLE,
	KEY_ONGOING,
	KEY_TASK,
	KEY_EVENTS,
	KEY_COUNT
};

/* What an event's annotation says; as many as an event has here at most. */
struct perfetto_fact {
	enum perfetto_key key;
	enum { FACT_FLAG, FACT_NUMBER, FACT_TEXT, FACT_WORDS } kind;
	int64_t value;	   /* or the number of an interned text … */
	const char *words; /* … or, with FACT_WORDS, one that is not */
};
#define PERFETTO_FACTS_MAX 4

/* Interned names of events: the states, then these. */
enum {
	NAME_STATES = 1,
	NAME_TURN = NAME_STATES + TS_COUNT,
	NAME_CUT,
	NAME_UNREAD,
	NAME_LOSS,
	NAME_FREE
};
#define NAME_UNKNOWN (NAME_STATES + TS_UNKNOWN)

struct perfetto_event {
	uint64_t track, ts;
	uint64_t name;			 /* interned, or 0 with … */
	const char *text;		 /* … one of its own */
	const struct stack_frame *frame; /* where it is in the source, or NULL */
	uint64_t flow_to, flow_at;	 /* a flow begins or ends here; 0: none */
	struct perfetto_fact facts[PERFETTO_FACTS_MAX];
	unsigned fact_count;
	Perfetto__DebugAnnotation **annotations; /* instead of facts */
	size_t annotation_count;
};

struct perfetto;

/* Writes to `file`, which stays the caller's. NULL when memory is short. Begins with what every
 * trace has. */
struct perfetto *perfetto_new(FILE *file, const struct stream_head *head,
			      const struct dictionary *names);
void perfetto_free(struct perfetto *perfetto);
/* Writes what is left. 0, or the first error of all. */
int perfetto_finish(struct perfetto *perfetto);
/* Says that something failed; the first counts. */
void perfetto_fail(struct perfetto *perfetto, int error);

/* A number for a track that is not given again. */
uint64_t perfetto_track(struct perfetto *perfetto);
void perfetto_describe(struct perfetto *perfetto, const Perfetto__TrackDescriptor *track);
/* Describes a track below another one, 0 = none. The description may be NULL. */
void perfetto_describe_child(struct perfetto *perfetto, uint64_t track, uint64_t parent,
			     const char *name, const char *description);
/* The same of a counter. */
void perfetto_describe_counter(struct perfetto *perfetto, uint64_t track, uint64_t parent,
			       const char *name, Perfetto__CounterDescriptor__Unit unit);

/* A slice lasts from its begin to its end on the same track; slices of a track may only be one
 * inside the other. */
void perfetto_begin(struct perfetto *perfetto, const struct perfetto_event *event);
void perfetto_end(struct perfetto *perfetto, uint64_t track, uint64_t ts);
void perfetto_instant(struct perfetto *perfetto, const struct perfetto_event *event);
void perfetto_count(struct perfetto *perfetto, uint64_t track, uint64_t ts, uint64_t value);

/* Adds to the facts of an event, for which there is room. */
void perfetto_flag(struct perfetto_event *event, enum perfetto_key key, bool flag);
void perfetto_number(struct perfetto_event *event, enum perfetto_key key, uint64_t number);
/* `text` is ours, or escaped, and lives until the event is written. */
void perfetto_text(struct perfetto *perfetto, struct perfetto_event *event, enum perfetto_key key,
		   const char *text);

/* Interned names: of a function, and a new one of whatever is told (escaped). */
uint64_t perfetto_function(struct perfetto *perfetto, uint32_t function);
uint64_t perfetto_new_name(struct perfetto *perfetto, const char *name);

/* Slices with all that the report says of a stall and of the recording as a whole; what is 0, empty
 * or null there is left out. */
void perfetto_put_stall(struct perfetto *perfetto, uint64_t track, const struct report *report,
			const struct stall *stall, const struct process *process);
void perfetto_put_recording(struct perfetto *perfetto, uint64_t track, const struct report *report);

#endif
