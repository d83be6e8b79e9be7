/* SPDX-License-Identifier: MIT */
/*
 * stream_helpers.h - for the tests of user/stream: a sink that stores what it gets, and random
 * streams.
 */
#ifndef GILSCOPE_TESTS_STREAM_HELPERS_H
#define GILSCOPE_TESTS_STREAM_HELPERS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/definition.h"
#include "stream/schema.h"
#include "stream/stream.h"
#include "stream/trace/trace.h"

struct item {
	bool is_process;
	union event event;
	struct process_info info;
};

/* A definition, and the number of items before it. */
struct kept_definition {
	size_t after;
	enum definition_kind kind;
	uint32_t id, line, count;
	bool cut;
	struct stack_frame frames[DEFINE_FRAMES_MAX];
	char texts[2][DEFINE_TEXT_MAX]; /* a function's name and file, or a text */
};

/* Everything the sink received, in order. */
struct kept {
	struct item *items;
	size_t length, room;
	struct kept_definition *definitions;
	size_t defined, define_room;
	struct definition_counts counts;
	struct stream_head head;
	unsigned int heads;
	size_t fail_at,
		fail_define_at; /* when not 0: this item or definition is refused with -ECANCELED */
};

static inline int keep(struct kept *kept, const union event *event, const struct process_info *info)
{
	if (kept->fail_at && kept->length + 1 == kept->fail_at)
		return -ECANCELED;
	if (kept->length == kept->room) {
		kept->room = kept->room ? 2 * kept->room : 64;
		kept->items = realloc(kept->items, kept->room * sizeof(*kept->items));
		assert_non_null(kept->items);
	}
	memset(&kept->items[kept->length], 0, sizeof(struct item));
	kept->items[kept->length].is_process = info;
	if (info)
		kept->items[kept->length].info = *info;
	else
		kept->items[kept->length].event = *event;
	kept->length++;
	return 0;
}

static inline int keep_event(void *ctx, const union event *event)
{
	return keep(ctx, event, NULL);
}

static inline int keep_process(void *ctx, const struct process_info *info)
{
	return keep(ctx, NULL, info);
}

static inline int keep_define(void *ctx, const struct definition *definition)
{
	struct kept *kept = ctx;
	struct kept_definition *copy;

	if (kept->fail_define_at && kept->defined + 1 == kept->fail_define_at)
		return -ECANCELED;
	assert_null(definition_fault(&kept->counts, definition));
	kept->counts.of[definition->kind]++;
	if (kept->defined == kept->define_room) {
		kept->define_room = kept->define_room ? 2 * kept->define_room : 64;
		kept->definitions = realloc(kept->definitions,
					    kept->define_room * sizeof(*kept->definitions));
		assert_non_null(kept->definitions);
	}
	copy = &kept->definitions[kept->defined++];
	memset(copy, 0, sizeof(*copy));
	copy->after = kept->length;
	copy->kind = definition->kind;
	copy->id = definition->id;
	if (definition->kind == DEFINE_STACK) {
		copy->count = definition->stack.count;
		copy->cut = definition->stack.cut;
		memcpy(copy->frames, definition->stack.frames, copy->count * sizeof(*copy->frames));
	} else if (definition->kind == DEFINE_FUNCTION) {
		copy->line = definition->function.line;
		snprintf(copy->texts[0], DEFINE_TEXT_MAX, "%s", definition->function.name);
		snprintf(copy->texts[1], DEFINE_TEXT_MAX, "%s", definition->function.file);
	} else if (definition->kind == DEFINE_SOURCE) {
		copy->line = definition->source.line;
		copy->count = definition->source.function;
		snprintf(copy->texts[0], DEFINE_TEXT_MAX, "%s", definition->source.text);
	} else {
		snprintf(copy->texts[0], DEFINE_TEXT_MAX, "%s", definition->text);
	}
	return 0;
}

static inline int keep_head(void *ctx, const struct stream_head *head)
{
	struct kept *kept = ctx;

	kept->head = *head;
	kept->heads++;
	return 0;
}

static inline struct stream_sink keep_sink(struct kept *kept)
{
	return (struct stream_sink){keep_process, keep_event, kept, keep_define};
}

static inline void kept_done(struct kept *kept)
{
	free(kept->items);
	free(kept->definitions);
	*kept = (struct kept){0};
}

static inline bool same_item(const struct item *a, const struct item *b)
{
	if (a->is_process != b->is_process)
		return false;
	return memcmp(&a->event, &b->event, sizeof(a->event)) == 0 && a->info.pid == b->info.pid &&
	       strcmp(a->info.cmdline, b->info.cmdline) == 0 &&
	       strcmp(a->info.python, b->info.python) == 0 &&
	       a->info.gil_enabled == b->info.gil_enabled && a->info.method == b->info.method &&
	       a->info.confidence == b->info.confidence && a->info.take == b->info.take &&
	       a->info.drop == b->info.drop && a->info.wait == b->info.wait &&
	       strcmp(a->info.image, b->info.image) == 0 &&
	       strcmp(a->info.machine, b->info.machine) == 0 && a->info.gc == b->info.gc;
}

/* The definition as it was received; valid as long as the copy. */
static inline struct definition kept_definition(const struct kept_definition *copy)
{
	struct definition definition = {.kind = copy->kind, .id = copy->id};

	if (copy->kind == DEFINE_STACK) {
		definition.stack.frames = copy->frames;
		definition.stack.count = copy->count;
		definition.stack.cut = copy->cut;
	} else if (copy->kind == DEFINE_FUNCTION) {
		definition.function.name = copy->texts[0];
		definition.function.file = copy->texts[1];
		definition.function.line = copy->line;
	} else if (copy->kind == DEFINE_SOURCE) {
		definition.source.function = copy->count;
		definition.source.line = copy->line;
		definition.source.text = copy->texts[0];
	} else {
		definition.text = copy->texts[0];
	}
	return definition;
}

static inline bool same_definition(const struct kept_definition *a, const struct kept_definition *b)
{
	return a->kind == b->kind && a->id == b->id && a->line == b->line && a->count == b->count &&
	       a->cut == b->cut && memcmp(a->frames, b->frames, sizeof(a->frames)) == 0 &&
	       memcmp(a->texts, b->texts, sizeof(a->texts)) == 0;
}

/* Definitions may arrive earlier than they did originally, but never later. */
static inline void assert_prefix(const struct kept *prefix, const struct kept *whole)
{
	assert_true(prefix->length <= whole->length);
	for (size_t i = 0; i < prefix->length; i++)
		if (!same_item(&prefix->items[i], &whole->items[i]))
			fail_msg("item %zu differs", i);
	assert_true(prefix->defined <= whole->defined);
	for (size_t i = 0; i < prefix->defined; i++)
		if (!same_definition(&prefix->definitions[i], &whole->definitions[i]) ||
		    prefix->definitions[i].after > whole->definitions[i].after)
			fail_msg("definition %zu differs or comes too late", i);
	if (prefix->defined < whole->defined &&
	    whole->definitions[prefix->defined].after < prefix->length)
		fail_msg("definition %zu is missing", prefix->defined);
}

static inline void assert_same(const struct kept *a, const struct kept *b)
{
	assert_int_equal(a->length, b->length);
	assert_int_equal(a->defined, b->defined);
	assert_prefix(a, b);
}

/* Also compares the positions of definitions. */
static inline void assert_identical(const struct kept *a, const struct kept *b)
{
	assert_same(a, b);
	assert_same(b, a);
}

static inline uint64_t random_u64(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

/* Random bits of random length, so that small numbers, large ones and 0 all occur. */
static inline uint64_t random_bits(void)
{
	return random_u64() >> random_u64() % 64 >> random_u64() % 2;
}

static inline union event random_event(unsigned int type)
{
	const struct event_schema *schema = event_schema(type);
	union event event = {0};

	event.hdr = (struct event_hdr){random_bits(), (wire_u32)random_bits(), (wire_u8)type,
				       (wire_u8)random_bits(), (wire_u16)random_bits()};
	for (const struct event_field *field = schema->fields; field->name; field++) {
		uint64_t words[2] = {random_bits(), random_bits()};
		size_t size = field->type == FIELD_comm ? 16 : field->type == FIELD_u64 ? 8 : 4;

		memcpy((char *)&event + field->offset, words, size);
	}
	return event;
}

static inline void random_text(char *to, size_t size)
{
	static const char *const pieces[] = {"python3",	     "\"",	 "\\",	     "\\x41",
					     "\n\t",	     "\x1b[31m", "\xff\xfe", "好",
					     "\xe2\x80\xae", " {}",	 "\x7f"};
	size_t length = random_u64() % size;

	memset(to, 0, size);
	for (size_t i = 0; i < length;) {
		char byte[2] = {(char)(1 + random_u64() % 255), '\0'};
		const char *piece =
			random_u64() % 2
				? byte
				: pieces[random_u64() % (sizeof(pieces) / sizeof(pieces[0]))];

		for (; *piece && i < length; i++)
			to[i] = *piece++;
	}
}

static inline struct process_info random_process(void)
{
	struct process_info info = {.pid = (uint32_t)random_u64() | 1,
				    .gil_enabled = random_u64() & 1};

	info.take = (uint32_t)random_bits();
	info.drop = (uint32_t)random_bits();
	info.wait = (uint32_t)random_bits();
	random_text(info.cmdline, sizeof(info.cmdline));
	random_text(info.python, sizeof(info.python));
	info.method = random_u64() % method_names.count;
	info.confidence = random_u64() % confidence_names.count;
	random_text(info.image, sizeof(info.image));
	random_text(info.machine, sizeof(info.machine));
	info.gc = random_u64() % gc_names.count;
	return info;
}

static inline struct stream_head random_head(void)
{
	struct stream_head head = {.realtime_ns = random_u64() >> 1,
				   .monotonic_ns = random_bits() >> 1};

	random_text(head.version, sizeof(head.version));
	head.mode = random_u64() % mode_names.count;
	random_text(head.kernel, sizeof(head.kernel));
	head.stacks = random_u64() & 1;
	head.rate_hz = (uint32_t)random_bits();
	return head;
}

static inline void random_define(struct kept *kept)
{
	static struct kept_definition made;
	struct definition definition;

	memset(&made, 0, sizeof(made));
	made.kind = (enum definition_kind)(random_u64() % DEFINE_KINDS);
	made.id = kept->counts.of[made.kind] + 1;
	made.line = (uint32_t)random_bits();
	made.cut = random_u64() & 1;
	made.count = 1 + (uint32_t)(random_u64() % (random_u64() % 4 ? 20 : DEFINE_FRAMES_MAX));
	for (uint32_t i = 0; i < made.count; i++)
		made.frames[i] = (struct stack_frame){
			(uint32_t)(random_u64() % (kept->counts.of[DEFINE_FUNCTION] + 1)),
			(uint32_t)random_bits()};
	random_text(made.texts[0], random_u64() % 4 ? 30 : DEFINE_TEXT_MAX);
	random_text(made.texts[1], random_u64() % 4 ? 30 : DEFINE_TEXT_MAX);
	if (made.kind == DEFINE_SOURCE && !kept->counts.of[DEFINE_FUNCTION])
		return;
	if (made.kind == DEFINE_SOURCE)
		made.count = 1 + (uint32_t)(random_u64() % kept->counts.of[DEFINE_FUNCTION]);
	definition = kept_definition(&made);
	keep_define(kept, &definition);
}

/* Processes and definitions among events of every type. */
static inline void random_stream(struct kept *kept, size_t length)
{
	struct stream_head head = random_head();

	keep_head(kept, &head);
	while (kept->length < length) {
		unsigned int type = (unsigned int)(random_u64() % EV_COUNT);
		struct process_info info = random_process();
		union event event;

		if (random_u64() % 16384 == 0 || kept->length % 400 == 3) {
			keep_process(kept, &info);
		} else if (event_name(type)) {
			event = random_event(type);
			keep_event(kept, &event);
			if (random_u64() % 16 == 0)
				random_define(kept);
		}
	}
}

/* Sends item `i` and the definitions before it, of which *next is the first. After the last item it
 * sends the remaining definitions. */
static inline int play_one(const struct kept *kept, size_t i, size_t *next, struct stream_sink sink)
{
	int err = 0;

	for (; *next < kept->defined && kept->definitions[*next].after == i && !err; ++*next) {
		struct definition definition = kept_definition(&kept->definitions[*next]);

		err = sink_define(&sink, &definition);
	}
	if (err || i == kept->length)
		return err;
	return kept->items[i].is_process ? sink_process(&sink, &kept->items[i].info)
					 : sink_event(&sink, &kept->items[i].event);
}

static inline int play(const struct kept *kept, struct stream_sink sink)
{
	size_t next = 0;
	int err = 0;

	for (size_t i = 0; i <= kept->length && !err; i++)
		err = play_one(kept, i, &next, sink);
	return err;
}

static inline void assert_same_head(const struct stream_head *a, const struct stream_head *b)
{
	assert_string_equal(a->version, b->version);
	assert_int_equal(a->mode, b->mode);
	assert_string_equal(a->kernel, b->kernel);
	assert_int_equal(a->realtime_ns, b->realtime_ns);
	assert_int_equal(a->monotonic_ns, b->monotonic_ns);
	assert_int_equal(a->stacks, b->stacks);
	assert_int_equal(a->rate_hz, b->rate_hz);
}

/* A trace in memory. */
struct bytes {
	unsigned char *at;
	size_t length, room;
};

static inline int read_trace(const unsigned char *bytes, size_t length, struct kept *kept,
			     struct trace_outcome *ret_outcome, struct diag *diag)
{
	FILE *file = length ? fmemopen((void *)bytes, length, "r") : fopen("/dev/null", "r");
	int err;

	assert_non_null(file);
	err = trace_read(file, keep_head, kept, keep_sink(kept), diag, ret_outcome);
	fclose(file);
	return err;
}

static inline size_t events_of(const struct kept *kept)
{
	size_t events = 0;

	for (size_t i = 0; i < kept->length; i++)
		events += !kept->items[i].is_process;
	return events;
}

#endif
