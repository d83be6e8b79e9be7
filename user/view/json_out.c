/* SPDX-License-Identifier: MIT */
#include "view/json_out.h"

#include <errno.h>
#include <string.h>

#include "base/escape.h"

void json_put(struct json_out *out, const char *text)
{
	if (!out->error && fputs(text, out->file) == EOF)
		out->error = -errno;
}

/* jansson never cuts within a character. */
static int put_dumped(const char *json, size_t length, void *file)
{
	return escape_json(file, json, length);
}

void json_put_value(struct json_out *out, json_t *value, size_t flags)
{
	if (!value && !out->error)
		out->error = -ENOMEM;
	errno = 0;
	if (!out->error && json_dump_callback(value, put_dumped, out->file, flags) < 0)
		out->error = errno ? -errno : -EIO;
	json_decref(value);
}

void json_put_key(struct json_out *out, const char *separator, const char *key)
{
	json_put(out, separator);
	json_put(out, "\"");
	json_put(out, key);
	json_put(out, "\": ");
}

void json_put_next(struct json_out *out, uint32_t index)
{
	json_put(out, index ? ",\n" : "\n");
}

int json_out_finish(struct json_out *out)
{
	if (!out->error && fflush(out->file) == EOF)
		out->error = -errno;
	return out->error;
}

/* A reference count that jansson leaves alone, as that of its own constants. */
json_t json_left_out = {JSON_NULL, (size_t)-1};

json_t *json_new(const struct json_key *keys, json_t *const *values)
{
	json_t *object = json_object();
	bool failed = !object;

	for (size_t i = 0; keys[i].name; i++) {
		bool left_out = values[i] == JSON_LEFT_OUT;

		if (left_out ? keys[i].kind == JSON_KEY_OPTIONAL
			     : !values[i] && keys[i].kind == JSON_KEY_STREAMED)
			continue;
		if (left_out || json_object_set_new_nocheck(object, keys[i].name, values[i]) < 0)
			failed = true;
	}
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
}

json_t *json_text(const char *text)
{
	json_t *value = json_string(text);
	char escaped[4 * 1024 + 1];

	return value ? value
		     : json_string(escape_text(escaped, sizeof(escaped), text, strlen(text)));
}

json_t *json_text_or_null(const char *text)
{
	return text ? json_text(text) : json_null();
}

json_t *json_words(const struct text_buffer *text)
{
	struct text_buffer plain = {0};

	for (size_t i = 0; i < text->length; i++)
		if (!strncmp(text->bytes + i, NBSP, sizeof(NBSP) - 1)) {
			plain.bytes[plain.length++] = ' ';
			i += sizeof(NBSP) - 2;
		} else {
			plain.bytes[plain.length++] = text->bytes[i];
		}
	return json_text(plain.bytes);
}

json_t *json_uint(uint64_t ns)
{
	return json_integer(ns > INT64_MAX ? INT64_MAX : (json_int_t)ns);
}

json_t *json_count(uint64_t count)
{
	return count ? json_uint(count) : JSON_LEFT_OUT;
}
