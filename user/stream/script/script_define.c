/* SPDX-License-Identifier: MIT */
#include "stream/script/script_reader.h"

#include <string.h>

#include "base/diag.h"
#include "base/escape.h"

static const struct kind {
	const char *texts[2], *numbers[2]; /* keys of its texts and of its numbers */
	const char *hint;
} kinds[DEFINE_KINDS] = {
	[DEFINE_FUNCTION] = {{"name", "file"},
			     {"line"},
			     "a function is: function ID line=… name=… file=…"},
	[DEFINE_STACK] = {.hint = "a stack is: stack ID [cut] FUNCTION:LINE …, innermost first"},
	[DEFINE_TEXT] = {{"text"}, .hint = "a text is: text ID text=…"},
	[DEFINE_SOURCE] = {{"text"},
			   {"line", "function"},
			   "a line of source is: source ID function=… line=… text=…"},
};

/* Where the values of those keys go. */
struct values {
	char texts[2][DEFINE_TEXT_MAX];
	uint64_t numbers[2];
};

static int text_parse(struct script_reader *reader, const char *key, const char *value,
		      char text[static DEFINE_TEXT_MAX])
{
	int length = unescape_text(text, DEFINE_TEXT_MAX, value);

	if (length < 0)
		return script_wrong(reader, "%s= has a backslash that is not \\xHH", key);
	if (length == DEFINE_TEXT_MAX)
		return script_wrong(reader, "%s= is longer than %d bytes", key,
				    DEFINE_TEXT_MAX - 1);
	if (memchr(text, '\0', (size_t)length))
		return script_wrong(reader, "%s= has a NUL in it", key);
	text[length] = '\0';
	return 0;
}

static bool is_key(const char *key, const char *word)
{
	return key && strcmp(key, word) == 0;
}

enum { KEY_TEXT_0 = 1, KEY_TEXT_1 = 2, KEY_NUMBER_0 = 4, KEY_NUMBER_1 = 8 };

/* Which of the kind's keys this is; 0: none of them. */
static unsigned int key_of(const struct kind *kind, const char *word)
{
	if (is_key(kind->texts[0], word))
		return KEY_TEXT_0;
	if (is_key(kind->texts[1], word))
		return KEY_TEXT_1;
	if (is_key(kind->numbers[0], word))
		return KEY_NUMBER_0;
	return is_key(kind->numbers[1], word) ? KEY_NUMBER_1 : 0;
}

static int values_parse(struct script_reader *reader, const struct kind *kind, char *rest,
			struct values *values)
{
	unsigned int seen = 0, bit;

	for (char *key; (key = strsep(&rest, SCRIPT_BLANKS));) {
		char *value = strchr(key, '='), word[SCRIPT_SHOWN_MAX];
		int err;

		if (!*key)
			continue;
		if (value)
			*value++ = '\0';
		bit = key_of(kind, key);
		if (!value || !bit) {
			err = script_wrong(reader, "'%s' does not belong to this definition",
					   script_shown(word, key));
			diag_hint(reader->diag, "%s", kind->hint);
			return err;
		}
		if (seen & bit)
			return script_wrong(reader, "'%s' comes twice", key);
		seen |= bit;
		if (bit >= KEY_NUMBER_0)
			err = script_number(reader, key, value, UINT32_MAX,
					    &values->numbers[bit == KEY_NUMBER_1]);
		else
			err = text_parse(reader, key, value, values->texts[bit == KEY_TEXT_1]);
		if (err)
			return err;
	}
	return 0;
}

static bool frame_parse(char *word, struct stack_frame *ret_frame)
{
	char *line = strchr(word, ':');
	uint64_t function, number;
	bool valid;

	if (!line)
		return false;
	*line = '\0';
	valid = script_unsigned(word, UINT32_MAX, &function) &&
		script_unsigned(line + 1, UINT32_MAX, &number);
	*line = ':'; /* for the message */
	if (valid)
		*ret_frame = (struct stack_frame){.function = (uint32_t)function,
						  .line = (uint32_t)number};
	return valid;
}

static int frames_parse(struct script_reader *reader, char *rest, struct definition *definition,
			struct stack_frame frames[static DEFINE_FRAMES_MAX])
{
	definition->stack.frames = frames;
	for (char *word; (word = strsep(&rest, SCRIPT_BLANKS));) {
		char shown[SCRIPT_SHOWN_MAX];
		int err;

		if (!*word)
			continue;
		if (strcmp(word, "cut") == 0 && !definition->stack.count &&
		    !definition->stack.cut) {
			definition->stack.cut = true;
			continue;
		}
		if (definition->stack.count == DEFINE_FRAMES_MAX)
			return script_wrong(reader, "a stack has more than %d frames",
					    DEFINE_FRAMES_MAX);
		if (!frame_parse(word, &frames[definition->stack.count])) {
			err = script_wrong(reader, "'%s' is not a frame",
					   script_shown(shown, word));
			diag_hint(reader->diag, "%s", kinds[DEFINE_STACK].hint);
			return err;
		}
		definition->stack.count++;
	}
	return 0;
}

int script_definition_parse(struct script_reader *reader, enum definition_kind kind, char *text)
{
	const char *id = script_next_word(&text), *fault;
	struct definition definition = {.kind = kind};
	struct stack_frame frames[DEFINE_FRAMES_MAX];
	struct values values = {0};
	char word[SCRIPT_SHOWN_MAX];
	uint64_t number;
	int err;

	if (!script_unsigned(id, UINT32_MAX, &number)) {
		err = script_wrong(reader, "'%s' is not the number of a %s", script_shown(word, id),
				   definition_name(kind));
		diag_hint(reader->diag, "%s", kinds[kind].hint);
		return err;
	}
	definition.id = (uint32_t)number;
	err = kind == DEFINE_STACK ? frames_parse(reader, text, &definition, frames)
				   : values_parse(reader, &kinds[kind], text, &values);
	if (err)
		return err;
	if (kind == DEFINE_FUNCTION) {
		definition.function.name = values.texts[0];
		definition.function.file = values.texts[1];
		definition.function.line = (uint32_t)values.numbers[0];
	} else if (kind == DEFINE_TEXT) {
		definition.text = values.texts[0];
	} else if (kind == DEFINE_SOURCE) {
		definition.source.line = (uint32_t)values.numbers[0];
		definition.source.function = (uint32_t)values.numbers[1];
		definition.source.text = values.texts[0];
	}
	fault = definition_fault(&reader->defined, &definition);
	if (fault)
		return script_wrong(reader, "%s", fault);
	reader->defined.of[kind]++;
	return script_stopped(reader, sink_define(&reader->sink, &definition));
}
