/* SPDX-License-Identifier: MIT */
/*
 * perfetto.h - writes a trace for https://ui.perfetto.dev, packet by packet.
 *
 * All packets belong to one sequence (trusted_packet_sequence_id). Whatever is repeated is
 * interned: names, names of annotations and their texts, source locations. An interned item is
 * defined right before its first use, so readers need not look ahead. Tracks are described before
 * their first event, because Perfetto's trace_processor looks them up for counters while it reads.
 * Names of threads that become known later are sent again at the end; trace_processor uses the last
 * one for the whole trace, since it reads all packets before it sorts their events by time. For the
 * same reason events of different tracks may come in any order; those of one track at the same
 * instant come in the order in which they are to be shown.
 *
 * Memory is bounded: only so many locations and texts are interned, further ones are written out
 * each time. Names from the target are escaped.
 */
#ifndef GILSCOPE_VIEW_EXPORT_PERFETTO_H
#define GILSCOPE_VIEW_EXPORT_PERFETTO_H

#include "perfetto.pb-c.h"
#include "view/drawing.h"
#include "view/flames.h"

/* Names of annotations; PERFETTO_KEY_NAMES are their texts. */
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

/* An annotation of an event; an event here has at most this many. */
struct perfetto_fact {
	enum perfetto_key key;
	enum { FACT_FLAG, FACT_NUMBER, FACT_TEXT, FACT_WORDS } kind;
	int64_t value;	   /* or the id of an interned text … */
	const char *words; /* … or, with FACT_WORDS, one that is not interned */
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

/* Writes to `file`, which remains the caller's, and starts with what every trace has. NULL if
 * memory is short. */
struct perfetto *perfetto_new(FILE *file, const struct stream_head *head,
			      const struct dictionary *names);
void perfetto_free(struct perfetto *perfetto);
/* Writes the rest. 0, or the first error that occurred. */
int perfetto_finish(struct perfetto *perfetto);
/* Records a failure; the first one counts. */
void perfetto_fail(struct perfetto *perfetto, int error);

/* A new number for a track. */
uint64_t perfetto_track(struct perfetto *perfetto);
void perfetto_describe(struct perfetto *perfetto, const Perfetto__TrackDescriptor *track);
/* Describes a track below another one (0: none). The description may be NULL. */
void perfetto_describe_child(struct perfetto *perfetto, uint64_t track, uint64_t parent,
			     const char *name, const char *description);
/* The same for a counter. */
void perfetto_describe_counter(struct perfetto *perfetto, uint64_t track, uint64_t parent,
			       const char *name, Perfetto__CounterDescriptor__Unit unit);

/* A slice lasts from its begin to its end on the same track. Slices of one track must be nested. */
void perfetto_begin(struct perfetto *perfetto, const struct perfetto_event *event);
void perfetto_end(struct perfetto *perfetto, uint64_t track, uint64_t ts);
void perfetto_instant(struct perfetto *perfetto, const struct perfetto_event *event);
void perfetto_count(struct perfetto *perfetto, uint64_t track, uint64_t ts, uint64_t value);

/* Adds to the facts of an event, which must have space for it. */
void perfetto_flag(struct perfetto_event *event, enum perfetto_key key, bool flag);
void perfetto_number(struct perfetto_event *event, enum perfetto_key key, uint64_t number);
/* `text` is ours or escaped, and must live until the event is written. */
void perfetto_text(struct perfetto *perfetto, struct perfetto_event *event, enum perfetto_key key,
		   const char *text);

/* Interned names: of a function, and a new one for any escaped text. */
uint64_t perfetto_function(struct perfetto *perfetto, uint32_t function);
uint64_t perfetto_new_name(struct perfetto *perfetto, const char *name);

/* Slices with everything that the report says about a stall and about the recording as a whole;
 * values that are 0, empty or null are left out. */
void perfetto_put_stall(struct perfetto *perfetto, uint64_t track, const struct report *report,
			const struct stall *stall, const struct process *process);
void perfetto_put_recording(struct perfetto *perfetto, uint64_t track, const struct report *report);

#endif
