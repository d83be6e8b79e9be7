/* SPDX-License-Identifier: MIT */
/*
 * stream.h - what flows: descriptions of processes, definitions and events, pushed from a source
 * (capture, trace file, text script) into a sink.
 *
 * A stream consists of `process` for every process, before its first event; `define` for every
 * function, stack and text, before the first event or definition that refers to it (how much
 * earlier is not significant), and for lines of source whenever they were read; and events. After
 * the reorder stage, events are ordered by their timestamps. A stream starts with the events that
 * declare threads and GILs, then WINDOW, and ends with WINDOW(end) unless it was cut off. Sinks
 * chain: reorder and stages (stage.h) feed others.
 */
#ifndef GILSCOPE_STREAM_STREAM_H
#define GILSCOPE_STREAM_STREAM_H

#include <stdbool.h>
#include <stdint.h>
#include "bpf/wire.h"
#include "stream/facts.h"

struct diag;

/* What is known of a traced process from its files and memory. Strings come from the target:
 * hostile text, valid UTF-8 or not, escaped only when shown. */
struct process_info {
	uint32_t pid;	    /* as the records have it (wire.h) */
	uint32_t parent;    /* its parent's when it was described; 0: unknown */
	char cmdline[1024]; /* arguments joined by spaces, cut if longer */
	char python[32];    /* "3.11.2" */
	bool gil_enabled;   /* false on a free-threaded build whose GIL is off */
	enum site_method method;
	enum confidence confidence;
	uint32_t take, drop, wait; /* number of sites */
	char image[256];	   /* path of the Python image, as the target sees it */
	char machine[16];	   /* decides which system call `sysno` is */
	enum gc_evidence gc;
	char container[64]; /* python/process/container.h; hostile text */
};

/*
 * What events refer to by number. Each kind has numbers of its own, from 1 without gaps, in the
 * order of definition; 0 stands for unknown. They are valid for all processes of the stream, and
 * until DEFINE_..._MAX / 2 later ones of their kind are defined: what is still needed then is
 * defined once more, under a new number. Who remembers one for longer than an event lasts
 * translates it first (names/dictionary.h). Names and files come from the target: hostile text.
 */
enum definition_kind { DEFINE_FUNCTION, DEFINE_STACK, DEFINE_TEXT, DEFINE_SOURCE, DEFINE_KINDS };

#define DEFINE_TEXT_MAX                                                                            \
	1024 /* bytes of a name, a file or a text, terminator included; longer ones are cut by any \
		code that stores or writes them */
#define DEFINE_FRAMES_MAX    128    /* frames of a stack; of deeper ones the middle is left out */
#define DEFINE_FUNCTIONS_MAX 262144 /* at most this many of a kind are known at a time */
#define DEFINE_STACKS_MAX    100000
#define DEFINE_TEXTS_MAX     65536
#define DEFINE_SOURCES_MAX   16384

struct stack_frame {
	uint32_t function; /* 0: the frame is there, but its code could not be read */
	uint32_t line;	   /* 0: unknown, or an instruction without a line */
};
#define STACK_GAP_LINE                                                                             \
	UINT32_MAX /* with function 0: stands for frames that were left out of a deep stack */

struct definition {
	enum definition_kind kind;
	uint32_t id;
	union {
		struct {
			const char *name; /* qualified from Python 3.11 on, else the plain name */
			const char *file; /* as the code object has it */
			uint32_t line;	  /* of its definition */
		} function;
		struct {
			const struct stack_frame *frames; /* innermost first */
			uint32_t count;			  /* 1 … DEFINE_FRAMES_MAX */
			bool cut;			  /* there are more frames outside */
		} stack;
		const char *text;
		/* No event refers to these: they say what a place looks like in its file. A later
		 * one for the same place replaces the earlier. */
		struct {
			uint32_t function;
			uint32_t line; /* 0: the function's decorator, the route's before others */
			const char *text; /* "": not known, after all */
		} source;
	};
};

struct stream_sink {
	/* All return 0 or -errno, which stops the source and becomes its result. Arguments are
	 * valid during the call only. */
	int (*process)(void *ctx, const struct process_info *info);
	int (*event)(void *ctx, const union event *event);
	void *ctx;
	int (*define)(void *ctx, const struct definition *definition); /* NULL: ignored */
};

static inline int sink_process(const struct stream_sink *sink, const struct process_info *info)
{
	return sink->process(sink->ctx, info);
}

static inline int sink_event(const struct stream_sink *sink, const union event *event)
{
	return sink->event(sink->ctx, event);
}

static inline int sink_define(const struct stream_sink *sink, const struct definition *definition)
{
	return sink->define ? sink->define(sink->ctx, definition) : 0;
}

/* Receives what somebody refers to, one by one; ids that are 0 or not known any more, too. */
struct definition_visit {
	void (*one)(void *ctx, enum definition_kind kind, uint32_t id);
	void *ctx;
};

static inline void visit_definition(const struct definition_visit *visit, enum definition_kind kind,
				    uint32_t id)
{
	visit->one(visit->ctx, kind, id);
}

/*
 * What follows a stream and can describe the state that it has reached. Whoever is given one owns
 * it, and ends it with free(sink.ctx).
 */
struct stream_state {
	struct stream_sink sink;
	/* Pushes the state as of `ts`, which all that was fed is not later than, as the beginning
	 * of a stream up to its WINDOW and what holds then. 0 or the sink's error. */
	int (*write)(const void *ctx, uint64_t ts, const struct stream_sink *to);
	/* Visits all definitions that the state refers to. */
	void (*refers)(const void *ctx, const struct definition_visit *visit);
	void (*free)(void *ctx);
};

/* Name of an event type, from events.def. NULL if unknown. */
const char *event_name(unsigned int type);

/* Facts about a recording that are not events; kept in the head of a trace and of a script. */
struct stream_head {
	char version[32];	 /* version of gilscope that recorded it */
	enum evidence_mode mode; /* of every GIL that is not declared to have another */
	char kernel[96];	 /* uname: release and machine */
	uint64_t realtime_ns;	 /* CLOCK_REALTIME … */
	uint64_t monotonic_ns;	 /* at the same instant, to derive times of day */
	bool stacks;		 /* Python stacks were taken */
	uint32_t rate_hz;	 /* of the sampling clock; 0: it was off */
};

#endif
