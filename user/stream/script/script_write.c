/* SPDX-License-Identifier: MIT */
#include "stream/script/script.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/duration.h"
#include "base/escape.h"
#include "stream/definition.h"
#include "stream/describe.h"
#include "stream/schema.h"

static int written(FILE *file, int result)
{
	return result >= 0 && !ferror(file) ? 0 : errno ? -errno : -EIO;
}

int script_write_head(FILE *file, const struct stream_head *head)
{
	char text[DESCRIBE_TEXT_MAX];
	int err = describe_head(head, text);

	errno = 0;
	return err ? err : written(file, fprintf(file, "gilscope-script 1 %s\n", text));
}

static int write_process(void *ctx, const struct process_info *info)
{
	char text[DESCRIBE_TEXT_MAX];
	int err = describe_process(info, text);

	errno = 0;
	return err ? err : written(ctx, fprintf(ctx, "process %s\n", text));
}

/* Writes one word. escape_text() keeps blanks and stops at NUL; here both are escaped, too. */
static void write_word(FILE *file, const char *bytes, size_t length)
{
	char shown[4 * DEFINE_TEXT_MAX];

	for (size_t i = 0; i < length;) {
		size_t run = 0;

		while (i + run < length && bytes[i + run] && bytes[i + run] != ' ')
			run++;
		fputs(escape_text(shown, sizeof(shown), bytes + i, run), file);
		i += run;
		if (i < length)
			fprintf(file, "\\x%02x", (unsigned char)bytes[i++]);
	}
}

/* Fields that are easier to compare in hexadecimal. */
static bool is_address(const struct event_field *field)
{
	return strcmp(field->name, "address") == 0 || strcmp(field->name, "root") == 0;
}

static void write_field(FILE *file, const struct event_field *field, const union event *event)
{
	static const union event zero;
	static const size_t sizes[] = {[FIELD_u32] = 4,
				       [FIELD_s32] = 4,
				       [FIELD_u64] = 8,
				       [FIELD_comm] = sizeof(wire_comm)};
	const char *at = (const char *)event + field->offset;
	size_t length = sizes[field->type];
	uint64_t u64 = 0;
	int32_t s32;

	if (memcmp(at, &zero, sizes[field->type]) == 0)
		return;
	fprintf(file, " %s=", field->name);
	switch (field->type) {
	case FIELD_u32:
	case FIELD_u64:
		memcpy(&u64, at, sizes[field->type]);
		fprintf(file, is_address(field) ? "0x%" PRIx64 : "%" PRIu64, u64);
		break;
	case FIELD_s32:
		memcpy(&s32, at, sizeof(s32));
		fprintf(file, "%" PRId32, s32);
		break;
	case FIELD_comm:
		while (!at[length - 1]) /* NULs at the end are implied */
			length--;
		write_word(file, at, length);
		break;
	}
}

static int write_event(void *ctx, const union event *event)
{
	const struct event_schema *schema = event_schema(event->hdr.type);
	unsigned int unnamed = event->hdr.flags;
	FILE *file = ctx;

	if (!schema)
		return -EINVAL;
	errno = 0;
	fprintf(file, "%llu.%09llu %u %s", event->hdr.ts / NS_PER_S, event->hdr.ts % NS_PER_S,
		event->hdr.tid, schema->name);
	if (strcmp(schema->aux, "-") != 0)
		fprintf(file, " %s=%u", schema->aux, event->hdr.aux);
	else if (event->hdr.aux)
		fprintf(file, " aux=%u", event->hdr.aux);
	for (const struct event_flag *flag = schema->flags; flag->name; flag++) {
		if (event->hdr.flags & 1u << flag->bit)
			fprintf(file, " %s", flag->name);
		unnamed &= ~(1u << flag->bit);
	}
	if (unnamed)
		fprintf(file, " flags=0x%02x", unnamed);
	for (const struct event_field *field = schema->fields; field->name; field++)
		write_field(file, field, event);
	return written(file, fputc('\n', file));
}

static int write_define(void *ctx, const struct definition *definition)
{
	FILE *file = ctx;

	if ((unsigned int)definition->kind >= DEFINE_KINDS)
		return -EINVAL;
	errno = 0;
	fprintf(file, "%s %u", definition_name(definition->kind), definition->id);
	if (definition->kind == DEFINE_FUNCTION) {
		fprintf(file, " line=%u name=", definition->function.line);
		write_word(file, definition->function.name,
			   definition_text_length(definition->function.name));
		fputs(" file=", file);
		write_word(file, definition->function.file,
			   definition_text_length(definition->function.file));
	} else if (definition->kind == DEFINE_TEXT) {
		fputs(" text=", file);
		write_word(file, definition->text, definition_text_length(definition->text));
	} else if (definition->kind == DEFINE_SOURCE) {
		fprintf(file, " function=%u line=%u text=", definition->source.function,
			definition->source.line);
		write_word(file, definition->source.text,
			   definition_text_length(definition->source.text));
	} else {
		fputs(definition->stack.cut ? " cut" : "", file);
		for (uint32_t i = 0; i < definition->stack.count; i++)
			fprintf(file, " %u:%u", definition->stack.frames[i].function,
				definition->stack.frames[i].line);
	}
	return written(file, fputc('\n', file));
}

struct stream_sink script_sink(FILE *file)
{
	return (struct stream_sink){.process = write_process,
				    .event = write_event,
				    .define = write_define,
				    .ctx = file};
}
