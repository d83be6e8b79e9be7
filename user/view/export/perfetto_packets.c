/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "view/export/perfetto.h"

#define SEQUENCE 1
#define ROOM	 (1u << 18) /* of the buffer before the file; a larger packet bypasses it */
#define SMALL                                                                                      \
	1024 /* no packet without texts is larger: at most PERFETTO_FACTS_MAX annotations and a    \
		dozen numbers */
/* this many are interned; further ones are written out each time */
#define TEXTS_MAX	  16384
#define SOURCE_PLACES_MAX 262144

struct perfetto {
	FILE *file;
	int error; /* the first */
	uint8_t *buffer;
	size_t used;
	struct report names; /* only its dictionary is valid, which frame_names() and the like need
				before there is a report */
	uint64_t tracks, new_names; /* given so far */
	uint8_t *functions;	    /* one bit for each: its name has been interned */
	struct flame_index *places, *texts;
};

void perfetto_fail(struct perfetto *perfetto, int error)
{
	if (!perfetto->error)
		perfetto->error = error;
}

/* ── packets ─────────────────────────────────────────────────────────────── */

static void write_out(struct perfetto *perfetto, const uint8_t *bytes, size_t size)
{
	errno = 0;
	if (!perfetto->error && fwrite(bytes, 1, size, perfetto->file) != size)
		perfetto->error = errno ? -errno : -EIO;
}

static void flush(struct perfetto *perfetto)
{
	write_out(perfetto, perfetto->buffer, perfetto->used);
	perfetto->used = 0;
}

static void put_large(struct perfetto *perfetto, const Perfetto__Trace *trace, size_t size)
{
	uint8_t *bytes = malloc(size);

	if (bytes)
		write_out(perfetto, bytes, perfetto__trace__pack(trace, bytes));
	else
		perfetto_fail(perfetto, -ENOMEM);
	free(bytes);
}

/* A file of packets is a Trace: concatenated protobuf messages are one message. Most packets have
 * only numbers (`small`), and need not be measured first. */
static void put_packet(struct perfetto *perfetto, Perfetto__TracePacket *packet, bool small)
{
	Perfetto__Trace trace = PERFETTO__TRACE__INIT;
	size_t size;

	packet->has_trusted_packet_sequence_id = true;
	packet->trusted_packet_sequence_id = SEQUENCE;
	trace.n_packet = 1;
	trace.packet = &packet;
	if (small && ROOM - perfetto->used >= SMALL) {
		perfetto->used += perfetto__trace__pack(&trace, perfetto->buffer + perfetto->used);
		return;
	}
	size = perfetto__trace__get_packed_size(&trace);
	if (perfetto->used + size > ROOM)
		flush(perfetto);
	if (size <= ROOM)
		perfetto->used += perfetto__trace__pack(&trace, perfetto->buffer + perfetto->used);
	else
		put_large(perfetto, &trace, size);
}

static void put_ordinary(struct perfetto *perfetto, Perfetto__TracePacket *packet)
{
	put_packet(perfetto, packet, false);
}

static void put_interned(struct perfetto *perfetto, Perfetto__InternedData *data)
{
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;

	packet.has_sequence_flags = true;
	packet.sequence_flags = PERFETTO__TRACE_PACKET__SEQUENCE_FLAGS__SEQ_NEEDS_INCREMENTAL_STATE;
	packet.interned_data = data;
	put_ordinary(perfetto, &packet);
}

/* ── the begin of every trace ────────────────────────────────────────────── */

static const char *const KEYS[KEY_COUNT] = {
	[KEY_CPU] = "cpu",	   [KEY_SYSCALL] = "syscall", [KEY_THROTTLED] = "throttled",
	[KEY_SAMPLED] = "sampled", [KEY_GC] = "gc",	      [KEY_FORCED] = "forced",
	[KEY_HANDOFF] = "handoff", [KEY_WHOLE] = "whole",     [KEY_ONGOING] = "ongoing",
	[KEY_TASK] = "task",	   [KEY_EVENTS] = "events",
};

static void put_sequence(struct perfetto *perfetto)
{
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;
	Perfetto__TracePacketDefaults defaults = PERFETTO__TRACE_PACKET_DEFAULTS__INIT;
	Perfetto__InternedData data = PERFETTO__INTERNED_DATA__INIT;
	static const char *const others[] = {"turn", "[cut]", "[unknown]", "lost events"};
	Perfetto__Interned names[NAME_FREE - 1], keys[KEY_COUNT], *name_list[NAME_FREE - 1],
		*key_list[KEY_COUNT];

	for (int i = 0; i < NAME_FREE - 1; i++) {
		perfetto__interned__init(&names[i]);
		names[i].has_iid = true;
		names[i].iid = NAME_STATES + (uint64_t)i;
		names[i].name = (char *)(i < TS_COUNT ? thread_state_name((enum thread_state)i)
						      : others[i - TS_COUNT]);
		name_list[i] = &names[i];
	}
	for (int i = 0; i < KEY_COUNT; i++) {
		perfetto__interned__init(&keys[i]);
		keys[i].has_iid = true;
		keys[i].iid = (uint64_t)i + 1;
		keys[i].name = (char *)KEYS[i];
		key_list[i] = &keys[i];
	}
	data.n_event_names = NAME_FREE - 1;
	data.event_names = name_list;
	data.n_debug_annotation_names = KEY_COUNT;
	data.debug_annotation_names = key_list;
	defaults.has_timestamp_clock_id = true;
	defaults.timestamp_clock_id = PERFETTO__BUILTIN_CLOCK__BUILTIN_CLOCK_MONOTONIC;
	packet.interned_data = &data;
	packet.trace_packet_defaults = &defaults;
	packet.has_first_packet_on_sequence = packet.first_packet_on_sequence = true;
	packet.has_sequence_flags = true;
	packet.sequence_flags =
		PERFETTO__TRACE_PACKET__SEQUENCE_FLAGS__SEQ_INCREMENTAL_STATE_CLEARED;
	put_ordinary(perfetto, &packet);
}

/* The clock of all times, and the time of day at some instant of it, which a script may not
 * know. */
static void put_clocks(struct perfetto *perfetto, const struct stream_head *head)
{
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;
	Perfetto__ClockSnapshot snapshot = PERFETTO__CLOCK_SNAPSHOT__INIT;
	Perfetto__ClockSnapshot__Clock clocks[2], *list[2] = {&clocks[0], &clocks[1]};

	for (int i = 0; i < 2; i++) {
		perfetto__clock_snapshot__clock__init(&clocks[i]);
		clocks[i].has_clock_id = clocks[i].has_timestamp = true;
	}
	clocks[0].clock_id = PERFETTO__BUILTIN_CLOCK__BUILTIN_CLOCK_MONOTONIC;
	clocks[0].timestamp = head->monotonic_ns;
	clocks[1].clock_id = PERFETTO__BUILTIN_CLOCK__BUILTIN_CLOCK_REALTIME;
	clocks[1].timestamp = head->realtime_ns;
	snapshot.n_clocks = head->realtime_ns ? 2 : 1;
	snapshot.clocks = list;
	snapshot.has_primary_trace_clock = true;
	snapshot.primary_trace_clock = PERFETTO__BUILTIN_CLOCK__BUILTIN_CLOCK_MONOTONIC;
	packet.clock_snapshot = &snapshot;
	put_ordinary(perfetto, &packet);
}

struct perfetto *perfetto_new(FILE *file, const struct stream_head *head,
			      const struct dictionary *names)
{
	struct perfetto *perfetto = calloc(1, sizeof(*perfetto));

	if (!perfetto)
		return NULL;
	perfetto->file = file;
	perfetto->names.names = names;
	perfetto->buffer = malloc(ROOM);
	perfetto->functions = calloc(1, DEFINE_FUNCTIONS_MAX / 8 + 1);
	perfetto->places = flame_index_new();
	perfetto->texts = flame_index_new();
	if (!perfetto->buffer || !perfetto->functions || !perfetto->places || !perfetto->texts) {
		perfetto_free(perfetto);
		return NULL;
	}
	put_sequence(perfetto);
	put_clocks(perfetto, head);
	return perfetto;
}

void perfetto_free(struct perfetto *perfetto)
{
	if (!perfetto)
		return;
	flame_index_free(perfetto->places);
	flame_index_free(perfetto->texts);
	free(perfetto->functions);
	free(perfetto->buffer);
	free(perfetto);
}

int perfetto_finish(struct perfetto *perfetto)
{
	flush(perfetto);
	if (!perfetto->error && fflush(perfetto->file) == EOF)
		perfetto->error = -errno;
	return perfetto->error;
}

/* ── tracks ──────────────────────────────────────────────────────────────── */

uint64_t perfetto_track(struct perfetto *perfetto)
{
	return ++perfetto->tracks;
}

void perfetto_describe(struct perfetto *perfetto, const Perfetto__TrackDescriptor *track)
{
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;

	packet.track_descriptor = (Perfetto__TrackDescriptor *)track;
	put_ordinary(perfetto, &packet);
}

static void describe(struct perfetto *perfetto, Perfetto__TrackDescriptor *track, uint64_t uuid,
		     uint64_t parent, const char *name)
{
	track->has_uuid = true;
	track->uuid = uuid;
	track->has_parent_uuid = parent != 0;
	track->parent_uuid = parent;
	track->name = (char *)name;
	track->has_sibling_merge_behavior = true;
	track->sibling_merge_behavior =
		PERFETTO__TRACK_DESCRIPTOR__SIBLING_MERGE_BEHAVIOR__SIBLING_MERGE_BEHAVIOR_NONE;
	perfetto_describe(perfetto, track);
}

void perfetto_describe_child(struct perfetto *perfetto, uint64_t track, uint64_t parent,
			     const char *name, const char *description)
{
	Perfetto__TrackDescriptor descriptor = PERFETTO__TRACK_DESCRIPTOR__INIT;

	descriptor.description = (char *)description;
	describe(perfetto, &descriptor, track, parent, name);
}

void perfetto_describe_counter(struct perfetto *perfetto, uint64_t track, uint64_t parent,
			       const char *name, Perfetto__CounterDescriptor__Unit unit)
{
	Perfetto__TrackDescriptor descriptor = PERFETTO__TRACK_DESCRIPTOR__INIT;
	Perfetto__CounterDescriptor counter = PERFETTO__COUNTER_DESCRIPTOR__INIT;

	counter.has_unit = true;
	counter.unit = unit;
	descriptor.counter = &counter;
	describe(perfetto, &descriptor, track, parent, name);
}

/* ── events ──────────────────────────────────────────────────────────────── */

static bool has_no_text(const Perfetto__TrackEvent *event)
{
	for (size_t i = 0; i < event->n_debug_annotations; i++)
		if (event->debug_annotations[i]->string_value ||
		    event->debug_annotations[i]->name ||
		    event->debug_annotations[i]->n_dict_entries ||
		    event->debug_annotations[i]->n_array_values)
			return false;
	return !event->name && !event->source_location &&
	       event->n_debug_annotations <= PERFETTO_FACTS_MAX;
}

static void put_event(struct perfetto *perfetto, Perfetto__TrackEvent *event,
		      Perfetto__TrackEvent__Type type, uint64_t track, uint64_t ts, bool refers)
{
	Perfetto__TracePacket packet = PERFETTO__TRACE_PACKET__INIT;

	event->has_type = event->has_track_uuid = true;
	event->type = type;
	event->track_uuid = track;
	packet.has_timestamp = true;
	packet.timestamp = ts;
	packet.track_event = event;
	packet.has_sequence_flags = refers;
	packet.sequence_flags = PERFETTO__TRACE_PACKET__SEQUENCE_FLAGS__SEQ_NEEDS_INCREMENTAL_STATE;
	put_packet(perfetto, &packet, has_no_text(event));
}

static void annotate(Perfetto__DebugAnnotation *annotation, const struct perfetto_fact *fact)
{
	perfetto__debug_annotation__init(annotation);
	annotation->has_name_iid = true;
	annotation->name_iid = (uint64_t)fact->key + 1;
	switch (fact->kind) {
	case FACT_FLAG:
		annotation->has_bool_value = true;
		annotation->bool_value = fact->value != 0;
		break;
	case FACT_NUMBER:
		annotation->has_int_value = true;
		annotation->int_value = fact->value;
		break;
	case FACT_TEXT:
		annotation->has_string_value_iid = true;
		annotation->string_value_iid = (uint64_t)fact->value;
		break;
	case FACT_WORDS:
		annotation->string_value = (char *)fact->words;
		break;
	}
}

/* The number of an item in an index, from 1; 0 if memory is short. */
static uint64_t number_of(struct perfetto *perfetto, struct flame_index *index,
			  const struct flame_frame *frame, bool *ret_new)
{
	uint32_t number = 0;

	*ret_new = false;
	if (flame_index_add(index, frame, &number, ret_new) < 0) {
		perfetto_fail(perfetto, -ENOMEM);
		return 0;
	}
	return (uint64_t)number + 1;
}

static void fill_place(const struct perfetto *perfetto, Perfetto__SourceLocation *place,
		       const struct stack_frame *frame, struct flame_words *words)
{
	flame_words(&perfetto->names,
		    &(struct flame_frame){.function = frame->function, .line = frame->line}, words);
	perfetto__source_location__init(place);
	place->file_name = words->file;
	place->has_line_number = words->line != 0;
	place->line_number = words->line;
}

/* Where a frame is: the id of an interned location, or the location itself. A frame that could not
 * be read has none. */
static void put_place(struct perfetto *perfetto, Perfetto__TrackEvent *event,
		      const struct stack_frame *frame, Perfetto__SourceLocation *place,
		      struct flame_words *words)
{
	Perfetto__InternedData data = PERFETTO__INTERNED_DATA__INIT;
	bool new;

	if (!dictionary_find(perfetto->names.names, DEFINE_FUNCTION, frame->function))
		return;
	if (flame_index_count(perfetto->places) >= SOURCE_PLACES_MAX) {
		fill_place(perfetto, place, frame, words);
		event->source_location = place;
		return;
	}
	event->has_source_location_iid = true;
	event->source_location_iid = number_of(
		perfetto, perfetto->places,
		&(struct flame_frame){.function = frame->function, .line = frame->line}, &new);
	if (!new)
		return;
	fill_place(perfetto, place, frame, words);
	place->has_iid = true;
	place->iid = event->source_location_iid;
	data.n_source_locations = 1;
	data.source_locations = &place;
	put_interned(perfetto, &data);
}

static void put_named(struct perfetto *perfetto, const struct perfetto_event *event,
		      Perfetto__TrackEvent__Type type)
{
	Perfetto__TrackEvent what = PERFETTO__TRACK_EVENT__INIT;
	Perfetto__DebugAnnotation annotations[PERFETTO_FACTS_MAX], *list[PERFETTO_FACTS_MAX];
	uint64_t flow_to = event->flow_to, flow_at = event->flow_at;
	Perfetto__SourceLocation place;
	struct flame_words words;

	for (unsigned i = 0; i < event->fact_count; i++) {
		annotate(&annotations[i], &event->facts[i]);
		list[i] = &annotations[i];
	}
	what.n_debug_annotations = event->annotations ? event->annotation_count : event->fact_count;
	what.debug_annotations = event->annotations ? event->annotations : list;
	what.has_name_iid = event->name != 0;
	what.name_iid = event->name;
	what.name = (char *)event->text;
	if (event->frame)
		put_place(perfetto, &what, event->frame, &place, &words);
	what.n_flow_ids = flow_to != 0;
	what.flow_ids = &flow_to;
	what.n_terminating_flow_ids = flow_at != 0;
	what.terminating_flow_ids = &flow_at;
	put_event(perfetto, &what, type, event->track, event->ts, true);
}

void perfetto_begin(struct perfetto *perfetto, const struct perfetto_event *event)
{
	put_named(perfetto, event, PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_BEGIN);
}

void perfetto_instant(struct perfetto *perfetto, const struct perfetto_event *event)
{
	put_named(perfetto, event, PERFETTO__TRACK_EVENT__TYPE__TYPE_INSTANT);
}

void perfetto_end(struct perfetto *perfetto, uint64_t track, uint64_t ts)
{
	Perfetto__TrackEvent what = PERFETTO__TRACK_EVENT__INIT;

	put_event(perfetto, &what, PERFETTO__TRACK_EVENT__TYPE__TYPE_SLICE_END, track, ts, false);
}

void perfetto_count(struct perfetto *perfetto, uint64_t track, uint64_t ts, uint64_t value)
{
	Perfetto__TrackEvent what = PERFETTO__TRACK_EVENT__INIT;

	what.has_counter_value = true;
	what.counter_value = value > INT64_MAX ? INT64_MAX : (int64_t)value;
	put_event(perfetto, &what, PERFETTO__TRACK_EVENT__TYPE__TYPE_COUNTER, track, ts, false);
}

void perfetto_flag(struct perfetto_event *event, enum perfetto_key key, bool flag)
{
	event->facts[event->fact_count++] = (struct perfetto_fact){
		.key = key, .kind = FACT_FLAG, .value = flag};
}

void perfetto_number(struct perfetto_event *event, enum perfetto_key key, uint64_t number)
{
	event->facts[event->fact_count++] = (struct perfetto_fact){
		.key = key, .kind = FACT_NUMBER, .value = (int64_t)number};
}

/* ── what is interned ────────────────────────────────────────────────────── */

static void intern_name(struct perfetto *perfetto, uint64_t iid, const char *name)
{
	Perfetto__InternedData data = PERFETTO__INTERNED_DATA__INIT;
	Perfetto__Interned interned = PERFETTO__INTERNED__INIT, *list[] = {&interned};

	interned.has_iid = true;
	interned.iid = iid;
	interned.name = (char *)name;
	data.n_event_names = 1;
	data.event_names = list;
	put_interned(perfetto, &data);
}

/* Functions have even ids and everything else odd ones: so all are small, and a function's needs no
 * lookup. */
uint64_t perfetto_function(struct perfetto *perfetto, uint32_t function)
{
	uint64_t iid = (NAME_FREE / 2 + 1 + (uint64_t)function) * 2;
	struct flame_words words;

	if (!dictionary_find(perfetto->names.names, DEFINE_FUNCTION, function))
		return NAME_UNREAD;
	if (perfetto->functions[function / 8] & 1u << function % 8)
		return iid;
	perfetto->functions[function / 8] |= (uint8_t)(1u << function % 8);
	flame_words(&perfetto->names, &(struct flame_frame){.function = function}, &words);
	intern_name(perfetto, iid, words.name);
	return iid;
}

uint64_t perfetto_new_name(struct perfetto *perfetto, const char *name)
{
	uint64_t iid = (NAME_FREE / 2 + 1 + perfetto->new_names++) * 2 + 1;

	intern_name(perfetto, iid, name);
	return iid;
}

void perfetto_text(struct perfetto *perfetto, struct perfetto_event *event, enum perfetto_key key,
		   const char *text)
{
	Perfetto__InternedData data = PERFETTO__INTERNED_DATA__INIT;
	Perfetto__Interned interned = PERFETTO__INTERNED__INIT, *list[] = {&interned};
	uint64_t number;
	bool new;

	if (flame_index_count(perfetto->texts) >= TEXTS_MAX) {
		event->facts[event->fact_count++] = (struct perfetto_fact){
			.key = key, .kind = FACT_WORDS, .words = text};
		return;
	}
	number = number_of(perfetto, perfetto->texts, &(struct flame_frame){.label = text}, &new);
	event->facts[event->fact_count++] = (struct perfetto_fact){
		.key = key, .kind = FACT_TEXT, .value = (int64_t)number};
	if (!new)
		return;
	interned.has_iid = true;
	interned.iid = number;
	interned.name = (char *)text;
	data.n_debug_annotation_string_values = 1;
	data.debug_annotation_string_values = list;
	put_interned(perfetto, &data);
}
