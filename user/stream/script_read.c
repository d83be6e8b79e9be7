/* SPDX-License-Identifier: MIT */
#include "stream/script.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/duration.h"
#include "base/escape.h"
#include "stream/definition.h"
#include "stream/describe.h"
#include "stream/schema.h"

#define HEAD "gilscope-script"
#define BLANKS " \t"
#define SHOWN_MAX 64

struct reader {
	FILE *file;
	int (*head)(void *ctx, const struct stream_head *);
	void *head_ctx;
	struct stream_sink sink;
	struct diag *diag;
	bool has_head;
	struct definition_counts defined;
	uint64_t line; /* number of the line at hand, from 1 */
	char text[SCRIPT_LINE_MAX];
};

static int wrong(struct reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int wrong(struct reader *reader, const char *format, ...)
{
	char what[sizeof(reader->diag->what) - 32];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return diag_set(reader->diag, EXIT_FAILED, -EINVAL, "line %" PRIu64 ": %s", reader->line, what);
}

/* For messages: a word of the line, made harmless. */
static const char *shown(char text[static SHOWN_MAX], const char *word)
{
	return escape_text(text, SHOWN_MAX, word, strlen(word));
}

static int stopped(struct reader *reader, int err)
{
	if (err && reader->diag->status == EXIT_OK)
		diag_set(reader->diag, EXIT_FAILED, err, "line %" PRIu64 ": cannot go on: %s", reader->line, strerror(-err));
	return err;
}

/* ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The whole word as a number of 0 … max. strtoull() alone would take signs, blanks and octal. */
static bool unsigned_parse(const char *word, uint64_t max, uint64_t *ret_value)
{
	bool hexadecimal = word[0] == '0' && word[1] == 'x';
	const char *digits = word + (hexadecimal ? 2 : 0);
	unsigned long long value;

	if (!*digits || digits[strspn(digits, hexadecimal ? "0123456789abcdefABCDEF" : "0123456789")])
		return false;
	errno = 0;
	value = strtoull(digits, NULL, hexadecimal ? 16 : 10);
	if (errno || value > max)
		return false;
	*ret_value = value;
	return true;
}

static bool signed_parse(const char *word, int32_t *ret_value)
{
	bool negative = word[0] == '-';
	uint64_t value;

	if (!unsigned_parse(word + negative, (uint64_t)INT32_MAX + negative, &value))
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
	if (word[strspn(word, "0123456789")] || !unsigned_parse(word, UINT64_MAX, &s))
		return false;
	return !__builtin_mul_overflow(s, NS_PER_S, &s) && !__builtin_add_overflow(s, ns, ret_ns);
}

/* ── one event ───────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What a line of this event may hold, into the hint. */
static void hint_keys(struct diag *diag, const struct event_schema *schema)
{
	char *end = diag->hint + sizeof(diag->hint), *at = diag->hint;

#define SAY(...) (at += at < end ? snprintf(at, (size_t)(end - at), __VA_ARGS__) : 0)
	SAY("after %s may come: %s=, flags=", schema->name, strcmp(schema->aux, "-") == 0 ? "aux" : schema->aux);
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
			at += snprintf(at, (size_t)(end - at), "%s%s", at == diag->hint ? "the events are: " : ", ", event_name(type));
}

static int field_parse(struct reader *reader, const struct event_field *field, const char *value, union event *event)
{
	char *at = (char *)event + field->offset, text[sizeof(wire_comm) + 1], word[SHOWN_MAX];
	uint64_t u64;
	int32_t s32;
	int length;

	switch (field->type) {
	case FIELD_u32:
	case FIELD_u64:
		if (!unsigned_parse(value, field->type == FIELD_u32 ? UINT32_MAX : UINT64_MAX, &u64))
			return wrong(reader, "%s='%s' is not a number of 0 to %" PRIu64, field->name, shown(word, value),
				     field->type == FIELD_u32 ? (uint64_t)UINT32_MAX : UINT64_MAX);
		memcpy(at, &u64, field->type == FIELD_u32 ? 4 : 8);
		return 0;
	case FIELD_s32:
		if (!signed_parse(value, &s32))
			return wrong(reader, "%s='%s' is not a number of -2147483648 to 2147483647", field->name, shown(word, value));
		memcpy(at, &s32, sizeof(s32));
		return 0;
	case FIELD_comm:
		length = unescape_text(text, sizeof(text), value);
		if (length < 0)
			return wrong(reader, "%s='%s' has a backslash that is not \\xHH", field->name, shown(word, value));
		if ((size_t)length > sizeof(wire_comm))
			return wrong(reader, "%s='%s' is longer than 16 bytes", field->name, shown(word, value));
		memcpy(at, text, (size_t)length);
		return 0;
	}
	return -EINVAL;
}

static int number_parse(struct reader *reader, const char *key, const char *value, uint64_t max, uint64_t *ret_number)
{
	char word[SHOWN_MAX];

	if (unsigned_parse(value, max, ret_number))
		return 0;
	return wrong(reader, "%s='%s' is not a number of 0 to %" PRIu64, key, shown(word, value), max);
}

/* flags=: the bits that have no name, so that every set of flags is written in one way only. */
static int flags_parse(struct reader *reader, const struct event_schema *schema, const char *value, union event *event)
{
	uint64_t number;
	int err = number_parse(reader, "flags", value, UINT8_MAX, &number);

	if (err)
		return err;
	for (const struct event_flag *flag = schema->flags; flag->name; flag++)
		if (number & 1u << flag->bit)
			return wrong(reader, "flags=%s has the bit of '%s', which is to be written by its name", value, flag->name);
	event->hdr.flags |= (uint8_t)number;
	return 0;
}

#define SEEN_FIELDS 8 /* bits below are those of the flags */
#define SEEN_FLAGS (UINT64_C(1) << 62)
#define SEEN_AUX (UINT64_C(1) << 63)

/* One word after the event's name; `value` is NULL when it has no '='. ret_seen is the bit that it may set once. */
static int word_parse(struct reader *reader, const struct event_schema *schema, const char *key, const char *value, union event *event,
		      uint64_t *ret_seen)
{
	char word[SHOWN_MAX];
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
		err = number_parse(reader, key, value, UINT16_MAX, &number);
		if (!err)
			event->hdr.aux = (uint16_t)number;
		return err;
	}
	if (value && strcmp(key, "flags") == 0) {
		*ret_seen = SEEN_FLAGS;
		return flags_parse(reader, schema, value, event);
	}
	err = wrong(reader, "%s has no %s '%s'", schema->name, value ? "field" : "flag", shown(word, key));
	hint_keys(reader->diag, schema);
	return err;
}

static int words_parse(struct reader *reader, const struct event_schema *schema, char *rest, union event *event)
{
	uint64_t seen = 0, seen_now = 0;

	for (char *key; (key = strsep(&rest, BLANKS));) {
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
			return wrong(reader, "'%s' comes twice", key);
		seen |= seen_now;
	}
	return 0;
}

/* The next word of *text, or "" at its end. */
static char *next_word(char **text)
{
	char *word = *text + strspn(*text, BLANKS);
	char *end = word + strcspn(word, BLANKS);

	*text = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

static int event_parse(struct reader *reader, char *text)
{
	char *time = next_word(&text), *tid = next_word(&text), *name = next_word(&text), word[SHOWN_MAX];
	union event event = {0};
	int type = event_type(name), err;
	uint64_t number;

	if (!time_parse(time, &number)) {
		err = wrong(reader, "'%s' is not a time", shown(word, time));
		diag_hint(reader->diag, "a line begins with seconds.nanoseconds, below 18446744073.709551616; or it is 'process {…}', a definition, or '# comment'");
		return err;
	}
	event.hdr.ts = number;
	if (!unsigned_parse(tid, UINT32_MAX, &number)) {
		err = wrong(reader, "'%s' is not a tid", shown(word, tid));
		diag_hint(reader->diag, "after the time comes the tid, a number of 0 to 4294967295");
		return err;
	}
	event.hdr.tid = (uint32_t)number;
	if (type < 0) {
		err = wrong(reader, "'%s' is not an event", shown(word, name));
		hint_events(reader->diag);
		return err;
	}
	event.hdr.type = (uint8_t)type;
	err = words_parse(reader, event_schema((unsigned int)type), text, &event);
	return err ? err : stopped(reader, sink_event(&reader->sink, &event));
}

/* ── definitions ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static int text_parse(struct reader *reader, const char *key, const char *value, char text[static DEFINE_TEXT_MAX])
{
	int length = unescape_text(text, DEFINE_TEXT_MAX, value);

	if (length < 0)
		return wrong(reader, "%s= has a backslash that is not \\xHH", key);
	if (length == DEFINE_TEXT_MAX)
		return wrong(reader, "%s= is longer than %d bytes", key, DEFINE_TEXT_MAX - 1);
	if (memchr(text, '\0', (size_t)length))
		return wrong(reader, "%s= has a NUL in it", key);
	text[length] = '\0';
	return 0;
}

/* The words of a function or of a text: each key at most once. */
static int define_words_parse(struct reader *reader, char *rest, struct definition *definition, char texts[static 2][DEFINE_TEXT_MAX])
{
	static const char *const keys[DEFINE_KINDS][3] = {[DEFINE_FUNCTION] = {"name", "file", "line"}, [DEFINE_TEXT] = {"text"}};
	unsigned int seen = 0;

	for (char *key; (key = strsep(&rest, BLANKS));) {
		char *value = strchr(key, '='), word[SHOWN_MAX];
		uint64_t number = 0;
		unsigned int i = 0;
		int err;

		if (!*key)
			continue;
		if (value)
			*value++ = '\0';
		while (i < 3 && keys[definition->kind][i] && strcmp(keys[definition->kind][i], key) != 0)
			i++;
		if (!value || i == 3 || !keys[definition->kind][i]) {
			err = wrong(reader, "a definition has no %s '%s'", value ? "field" : "word", shown(word, key));
			diag_hint(reader->diag, "it is: function ID line=… name=… file=…, or text ID text=…");
			return err;
		}
		if (seen & 1u << i)
			return wrong(reader, "'%s' comes twice", key);
		seen |= 1u << i;
		err = i < 2 ? text_parse(reader, key, value, texts[i]) : number_parse(reader, key, value, UINT32_MAX, &number);
		if (err)
			return err;
		if (i == 2)
			definition->function.line = (uint32_t)number;
	}
	return 0;
}

static int frames_parse(struct reader *reader, char *rest, struct definition *definition, struct stack_frame frames[static DEFINE_FRAMES_MAX])
{
	for (char *function; (function = strsep(&rest, BLANKS));) {
		char *line = strchr(function, ':'), word[SHOWN_MAX];
		uint64_t numbers[2];

		if (!*function)
			continue;
		if (strcmp(function, "cut") == 0 && !definition->stack.count && !definition->stack.cut) {
			definition->stack.cut = true;
			continue;
		}
		if (line)
			*line++ = '\0';
		if (!line || !unsigned_parse(function, UINT32_MAX, &numbers[0]) || !unsigned_parse(line, UINT32_MAX, &numbers[1])) {
			int err = wrong(reader, "'%s%s%s' is not a frame", shown(word, function), line ? ":" : "", line ? "…" : "");

			diag_hint(reader->diag, "a stack is: stack ID [cut] FUNCTION:LINE …, innermost first, both numbers of 0 to 4294967295");
			return err;
		}
		if (definition->stack.count == DEFINE_FRAMES_MAX)
			return wrong(reader, "a stack has more than %d frames", DEFINE_FRAMES_MAX);
		frames[definition->stack.count++] = (struct stack_frame){(uint32_t)numbers[0], (uint32_t)numbers[1]};
	}
	return 0;
}

static int definition_parse(struct reader *reader, enum definition_kind kind, char *text)
{
	const char *id = next_word(&text), *fault;
	struct stack_frame frames[DEFINE_FRAMES_MAX];
	char texts[2][DEFINE_TEXT_MAX] = {"", ""}, word[SHOWN_MAX];
	struct definition definition = {.kind = kind};
	uint64_t number;
	int err;

	if (!unsigned_parse(id, UINT32_MAX, &number))
		return wrong(reader, "'%s' is not the number of a definition", shown(word, id));
	definition.id = (uint32_t)number;
	if (kind == DEFINE_STACK) {
		err = frames_parse(reader, text, &definition, frames);
		definition.stack.frames = frames;
	} else {
		err = define_words_parse(reader, text, &definition, texts);
		if (kind == DEFINE_FUNCTION) {
			definition.function.name = texts[0];
			definition.function.file = texts[1];
		} else {
			definition.text = texts[0];
		}
	}
	if (err)
		return err;
	fault = definition_fault(&reader->defined, &definition);
	if (fault)
		return wrong(reader, "%s", fault);
	reader->defined.of[kind]++;
	return stopped(reader, sink_define(&reader->sink, &definition));
}

/* ── lines ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static int head_parse(struct reader *reader, char *text)
{
	const char *name = next_word(&text), *version;
	char why[DESCRIBE_WHY_MAX], word[SHOWN_MAX];
	struct stream_head head;
	int err;

	if (strcmp(name, HEAD) != 0) {
		err = wrong(reader, "this is not a gilscope script");
		diag_hint(reader->diag, "a script begins with the line: " HEAD " 1 {\"version\": \"…\", \"mode\": \"…\"}");
		return err;
	}
	version = next_word(&text);
	if (strcmp(version, "1") != 0) {
		diag_set(reader->diag, EXIT_UNSUPPORTED, -ENOTSUP, "the script has format '%s', and this version reads format 1",
			 shown(word, version));
		diag_hint(reader->diag, "read it with a newer gilscope");
		return -ENOTSUP;
	}
	if (parse_head(text, strlen(text), true, &head, why))
		return wrong(reader, "the head: %s", why);
	reader->has_head = true;
	return stopped(reader, reader->head ? reader->head(reader->head_ctx, &head) : 0);
}

static int process_parse(struct reader *reader, const char *text)
{
	char why[DESCRIBE_WHY_MAX];
	struct process_info info;

	if (parse_process(text, strlen(text), true, &info, why))
		return wrong(reader, "the process: %s", why);
	return stopped(reader, sink_process(&reader->sink, &info));
}

static int line_parse(struct reader *reader)
{
	char *text = reader->text + strspn(reader->text, BLANKS);

	if (!*text || *text == '#')
		return 0;
	if (!reader->has_head)
		return head_parse(reader, text);
	if (strncmp(text, "process", 7) == 0 && strchr(BLANKS "{", text[7]))
		return process_parse(reader, text + 7);
	for (enum definition_kind kind = 0; kind < DEFINE_KINDS; kind++) {
		size_t length = strlen(definition_name(kind));

		if (strncmp(text, definition_name(kind), length) == 0 && strchr(BLANKS, text[length]))
			return definition_parse(reader, kind, text + length);
	}
	return event_parse(reader, text);
}

/* Reads the next line, if there is one. fgets() would not tell a NUL from an end. */
static int next_line(struct reader *reader, bool *ret_some)
{
	size_t length = 0;
	int c;

	reader->line++;
	while ((c = getc_unlocked(reader->file)) != EOF && c != '\n') {
		if (!c)
			return wrong(reader, "a NUL, which no script has");
		if (length == sizeof(reader->text) - 1)
			return wrong(reader, "longer than %zu bytes", sizeof(reader->text) - 1);
		reader->text[length++] = (char)c;
	}
	if (c == EOF && ferror(reader->file))
		return diag_set(reader->diag, EXIT_FAILED, errno ? -errno : -EIO, "cannot read the script: %s", strerror(errno ? errno : EIO));
	reader->text[length] = '\0';
	*ret_some = c != EOF || length;
	return 0;
}

int script_read(FILE *file, int (*head)(void *ctx, const struct stream_head *), void *head_ctx, struct stream_sink sink, struct diag *diag)
{
	struct reader reader = {.file = file, .head = head, .head_ctx = head_ctx, .sink = sink, .diag = diag};
	int err;

	diag->status = EXIT_OK;
	for (bool some;;) {
		errno = 0;
		err = next_line(&reader, &some);
		if (err || !some)
			break;
		err = line_parse(&reader);
		if (err)
			return err;
	}
	if (!err && !reader.has_head)
		return diag_set(diag, EXIT_FAILED, -EINVAL, "the script has no head: a line " HEAD " 1 {…}");
	return err;
}

bool script_recognise(const char *bytes, size_t length)
{
	return (length && bytes[0] == '#') || (length >= strlen(HEAD) && memcmp(bytes, HEAD, strlen(HEAD)) == 0);
}
