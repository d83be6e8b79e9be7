/* SPDX-License-Identifier: MIT */
#include "stream/script/script_reader.h"

#include <errno.h>
#include <string.h>

#include "base/diag.h"
#include "base/duration.h"
#include "base/escape.h"
#include "stream/schema.h"

static bool signed_parse(const char *word, int32_t *ret_value)
{
	bool negative = word[0] == '-';
	uint64_t value;

	if (!script_unsigned(word + negative, (uint64_t)INT32_MAX + negative, &value))
		return false;
	*ret_value = (int32_t)(negative ? -(int64_t)value : (int64_t)value);
	return true;
}

/* Seconds with up to nine decimals. */
static bool time_parse(char *word, uint64_t *ret_ns)
{
	char *point = strchr(word, '.');
	uint64_t s, ns = 0;

	if (point) {
		size_t decimals = strspn(point + 1, "0123456789");

		if (!decimals || decimals > 9 || point[1 + decimals])
			return false;
		for (size_t i = 0; i < 9; i++)
			ns = ns * 10 + (i < decimals ? (uint64_t)(point[1 + i] - '0') : 0);
		*point = '\0';
	}
	if (word[strspn(word, "0123456789")] || !script_unsigned(word, UINT64_MAX, &s))
		return false;
	return !__builtin_mul_overflow(s, NS_PER_S, &s) && !__builtin_add_overflow(s, ns, ret_ns);
}

/* Puts the keys that the event's lines may have into the hint. */
static void hint_keys(struct diag *diag, const struct event_schema *schema)
{
	char *end = diag->hint + sizeof(diag->hint), *at = diag->hint;

#define SAY(...) (at += at < end ? snprintf(at, (size_t)(end - at), __VA_ARGS__) : 0)
	SAY("after %s may come: %s=, flags=", schema->name,
	    strcmp(schema->aux, "-") == 0 ? "aux" : schema->aux);
	for (const struct event_flag *flag = schema->flags; flag->name; flag++)
		SAY(", %s", flag->name);
	for (const struct event_field *field = schema->fields; field->name; field++)
		SAY(", %s=", field->name);
#undef SAY
}

static void hint_events(struct diag *diag)
{
	char *end = diag->hint + sizeof(diag->hint), *at = diag->hint;

	for (unsigned int type = 0; type < EV_COUNT; type++)
		if (event_name(type) && at < end)
			at += snprintf(at, (size_t)(end - at), "%s%s",
				       at == diag->hint ? "the events are: " : ", ",
				       event_name(type));
}

static int field_parse(struct script_reader *reader, const struct event_field *field,
		       const char *value, union event *event)
{
	char *at = (char *)event + field->offset, text[sizeof(wire_comm) + 1],
	     word[SCRIPT_SHOWN_MAX];
	uint64_t u64;
	int32_t s32;
	int length, err;

	switch (field->type) {
	case FIELD_u32:
	case FIELD_u64:
		err = script_number(reader, field->name, value,
				    field->type == FIELD_u32 ? UINT32_MAX : UINT64_MAX, &u64);
		if (!err)
			memcpy(at, &u64, field->type == FIELD_u32 ? 4 : 8);
		return err;
	case FIELD_s32:
		if (!signed_parse(value, &s32))
			return script_wrong(reader,
					    "%s='%s' is not a number of -2147483648 to 2147483647",
					    field->name, script_shown(word, value));
		memcpy(at, &s32, sizeof(s32));
		return 0;
	case FIELD_comm:
		length = unescape_text(text, sizeof(text), value);
		if (length < 0)
			return script_wrong(reader, "%s='%s' has a backslash that is not \\xHH",
					    field->name, script_shown(word, value));
		if ((size_t)length > sizeof(wire_comm))
			return script_wrong(reader, "%s='%s' is longer than 16 bytes", field->name,
					    script_shown(word, value));
		memcpy(at, text, (size_t)length);
		return 0;
	}
	return -EINVAL;
}

/* flags=: only bits without a name, so that there is one way to write any set of flags. */
static int flags_parse(struct script_reader *reader, const struct event_schema *schema,
		       const char *value, union event *event)
{
	uint64_t number;
	int err = script_number(reader, "flags", value, UINT8_MAX, &number);

	if (err)
		return err;
	for (const struct event_flag *flag = schema->flags; flag->name; flag++)
		if (number & 1u << flag->bit)
			return script_wrong(
				reader,
				"flags=%s has the bit of '%s', which is to be written by its name",
				value, flag->name);
	event->hdr.flags |= (uint8_t)number;
	return 0;
}

#define SEEN_FIELDS 8 /* the bits below are for the flags */
#define SEEN_FLAGS  (UINT64_C(1) << 62)
#define SEEN_AUX    (UINT64_C(1) << 63)

/* A word after the event's name; `value` is NULL if it has no '='. ret_seen is the bit that the
 * word sets, at most once per line. */
static int word_parse(struct script_reader *reader, const struct event_schema *schema,
		      const char *key, const char *value, union event *event, uint64_t *ret_seen)
{
	char word[SCRIPT_SHOWN_MAX];
	uint64_t number;
	int err;

	for (const struct event_flag *flag = schema->flags; flag->name && !value; flag++) {
		if (strcmp(flag->name, key) != 0)
			continue;
		event->hdr.flags |= (uint8_t)(1u << flag->bit);
		*ret_seen = UINT64_C(1) << flag->bit;
		return 0;
	}
	for (const struct event_field *field = schema->fields; field->name && value; field++) {
		if (strcmp(field->name, key) != 0)
			continue;
		*ret_seen = UINT64_C(1) << (SEEN_FIELDS + (field - schema->fields));
		return field_parse(reader, field, value, event);
	}
	if (value && strcmp(key, strcmp(schema->aux, "-") == 0 ? "aux" : schema->aux) == 0) {
		*ret_seen = SEEN_AUX;
		err = script_number(reader, key, value, UINT16_MAX, &number);
		if (!err)
			event->hdr.aux = (uint16_t)number;
		return err;
	}
	if (value && strcmp(key, "flags") == 0) {
		*ret_seen = SEEN_FLAGS;
		return flags_parse(reader, schema, value, event);
	}
	err = script_wrong(reader, "%s has no %s '%s'", schema->name, value ? "field" : "flag",
			   script_shown(word, key));
	hint_keys(reader->diag, schema);
	return err;
}

static int words_parse(struct script_reader *reader, const struct event_schema *schema, char *rest,
		       union event *event)
{
	uint64_t seen = 0, seen_now = 0;

	for (char *key; (key = strsep(&rest, SCRIPT_BLANKS));) {
		char *value = strchr(key, '=');
		int err;

		if (!*key)
			continue;
		if (value)
			*value++ = '\0';
		err = word_parse(reader, schema, key, value, event, &seen_now);
		if (err)
			return err;
		if (seen & seen_now)
			return script_wrong(reader, "'%s' comes twice", key);
		seen |= seen_now;
	}
	return 0;
}

int script_event_parse(struct script_reader *reader, char *text)
{
	char *time = script_next_word(&text), *tid = script_next_word(&text),
	     *name = script_next_word(&text), word[SCRIPT_SHOWN_MAX];
	union event event = {0};
	int type = event_type(name), err;
	uint64_t number;

	if (!time_parse(time, &number)) {
		err = script_wrong(reader, "'%s' is not a time", script_shown(word, time));
		diag_hint(reader->diag,
			  "a line begins with seconds.nanoseconds, below 18446744073.709551616; or "
			  "with process, function, stack, text or #");
		return err;
	}
	event.hdr.ts = number;
	if (!script_unsigned(tid, UINT32_MAX, &number)) {
		err = script_wrong(reader, "'%s' is not a tid", script_shown(word, tid));
		diag_hint(reader->diag,
			  "after the time comes the tid, a number of 0 to 4294967295");
		return err;
	}
	event.hdr.tid = (uint32_t)number;
	if (type < 0) {
		err = script_wrong(reader, "'%s' is not an event", script_shown(word, name));
		hint_events(reader->diag);
		return err;
	}
	event.hdr.type = (uint8_t)type;
	err = words_parse(reader, event_schema((unsigned int)type), text, &event);
	return err ? err : script_stopped(reader, sink_event(&reader->sink, &event));
}
