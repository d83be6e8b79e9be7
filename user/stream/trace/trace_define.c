/* SPDX-License-Identifier: MIT */
/* Records of definitions, written and read. */
#include "stream/trace/trace_format.h"

#include <errno.h>
#include <string.h>

static size_t put_text(unsigned char *to, const char *text)
{
	size_t length = definition_text_length(text);

	memcpy(to, text, length);
	to[length] = '\0';
	return length + 1;
}

size_t trace_put_definition(unsigned char *to, const struct definition *definition)
{
	struct trace_definition record = {.kind = (uint8_t)definition->kind};
	unsigned char *body = to + sizeof(record);
	size_t size = 0;

	switch (definition->kind) {
	case DEFINE_FUNCTION:
		memcpy(body, &definition->function.line, sizeof(uint32_t));
		size = sizeof(uint32_t);
		size += put_text(body + size, definition->function.name);
		size += put_text(body + size, definition->function.file);
		break;
	case DEFINE_STACK:
		size = definition->stack.count * sizeof(struct stack_frame);
		memcpy(body, definition->stack.frames, size);
		record.flags = definition->stack.cut ? TRACE_STACK_CUT : 0;
		break;
	case DEFINE_TEXT:
		size = put_text(body, definition->text);
		break;
	case DEFINE_SOURCE:
		memcpy(body, &definition->source.function, sizeof(uint32_t));
		memcpy(body + sizeof(uint32_t), &definition->source.line, sizeof(uint32_t));
		size = 2 * sizeof(uint32_t);
		size += put_text(body + size, definition->source.text);
		break;
	case DEFINE_KINDS:
		break;
	}
	record.size = (uint16_t)size;
	memcpy(to, &record, sizeof(record));
	return sizeof(record) + size;
}

/* The rest of a block or of a record. */
struct span {
	const unsigned char *at;
	size_t left;
};

static const void *span_take(struct span *span, size_t length)
{
	const void *taken = span->at;

	if (length > span->left)
		return NULL;
	span->at += length;
	span->left -= length;
	return taken;
}

/* The text up to its NUL, or NULL if there is none within the bounds. */
static const char *take_text(struct span *span)
{
	const unsigned char *end = memchr(
		span->at, '\0', span->left < DEFINE_TEXT_MAX ? span->left : DEFINE_TEXT_MAX);

	return end ? span_take(span, (size_t)(end - span->at) + 1) : NULL;
}

static const char *take_source(struct span *body, struct definition *ret)
{
	const void *numbers = span_take(body, 2 * sizeof(uint32_t));

	if (!numbers)
		return "a line of source is too short";
	memcpy(&ret->source.function, numbers, sizeof(uint32_t));
	memcpy(&ret->source.line, (const char *)numbers + sizeof(uint32_t), sizeof(uint32_t));
	ret->source.text = take_text(body);
	return ret->source.text && !body->left ? NULL
					       : "a line of source does not end where it should";
}

static const char *take_function(struct span *body, struct definition *ret)
{
	const void *line = span_take(body, sizeof(ret->function.line));

	if (!line)
		return "a function is too short";
	memcpy(&ret->function.line, line, sizeof(ret->function.line));
	ret->function.name = take_text(body);
	ret->function.file = ret->function.name ? take_text(body) : NULL;
	return ret->function.file && !body->left
		       ? NULL
		       : "a function's texts do not end where they should";
}

/* Reads the next record. The definition's texts are in the block, its frames in `frames`. NULL, or
 * what is wrong. */
static const char *take_definition(struct span *block, struct trace_kinds kinds,
				   const struct definition_counts *known,
				   struct stack_frame frames[static DEFINE_FRAMES_MAX],
				   struct definition *ret)
{
	struct trace_definition record;
	const void *bytes = span_take(block, sizeof(record));
	struct span body;

	if (!bytes)
		return "a definition is cut off";
	memcpy(&record, bytes, sizeof(record));
	body = (struct span){span_take(block, record.size), record.size};
	if (!body.at)
		return "a definition is cut off";
	if (record.kind < kinds.first || record.kind >= kinds.first + kinds.count)
		return "a definition is of no kind";
	*ret = (struct definition){.kind = record.kind, .id = definition_next(known, record.kind)};
	if (record.kind == DEFINE_STACK) {
		if (record.size % sizeof(*frames) ||
		    record.size > DEFINE_FRAMES_MAX * sizeof(*frames))
			return "a stack has an impossible size";
		ret->stack.frames = memcpy(frames, body.at, record.size);
		ret->stack.count = record.size / sizeof(*frames);
		ret->stack.cut = record.flags & TRACE_STACK_CUT;
		return NULL;
	}
	if (record.kind == DEFINE_TEXT) {
		ret->text = take_text(&body);
		return ret->text && !body.left ? NULL : "a text does not end where it should";
	}
	return record.kind == DEFINE_SOURCE ? take_source(&body, ret) : take_function(&body, ret);
}

int trace_decode_definitions(struct trace_decoder *decoder, enum trace_chunk_type type,
			     const void *payload, uint32_t length, const struct stream_sink *sink,
			     struct definition_counts *known, const char **ret_why)
{
	struct trace_kinds kinds = trace_kinds_of(type);
	struct stack_frame frames[DEFINE_FRAMES_MAX];
	struct trace_definitions head;
	struct span block;
	const void *bytes;
	int err = trace_decompress(decoder, payload, length, &block.at, &block.left, ret_why);

	if (err)
		return err;
	bytes = span_take(&block, sizeof(head));
	if (!bytes)
		return *ret_why = "a block is shorter than its header", -EBADMSG;
	memcpy(&head, bytes, sizeof(head));
	for (int i = 0; i < kinds.count; i++)
		if (head.next[i] != definition_next(known, (enum definition_kind)(kinds.first + i)))
			return *ret_why = "definitions before these are missing", -EBADMSG;
	for (uint32_t i = 0; i < head.count; i++) {
		struct definition definition;

		*ret_why = take_definition(&block, kinds, known, frames, &definition);
		if (!*ret_why)
			*ret_why = definition_fault(known, &definition);
		if (*ret_why)
			return -EBADMSG;
		err = sink_define(sink, &definition);
		if (err)
			return err;
		known->of[definition.kind]++;
	}
	if (block.left)
		return *ret_why = "there are bytes after the last definition", -EBADMSG;
	return 0;
}
