/* SPDX-License-Identifier: MIT */
#include "stream/describe.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"

enum kind { KIND_TEXT, KIND_TEXT_IF_ANY, KIND_U32, KIND_U64, KIND_BOOL, KIND_FACT };

struct json_member {
	const char *name;
	enum kind kind;
	size_t offset, size;
	const struct fact_names *names; /* KIND_FACT */
};

#define MEMBER(type, member, kind)                                                                 \
	{#member, kind, offsetof(type, member), sizeof(((type *)0)->member), NULL}
#define FACT(type, member, names)                                                                  \
	{#member, KIND_FACT, offsetof(type, member), sizeof(((type *)0)->member), &names}

_Static_assert(sizeof(enum evidence_mode) == sizeof(uint32_t) &&
		       sizeof(enum site_method) == sizeof(uint32_t) &&
		       sizeof(enum confidence) == sizeof(uint32_t) &&
		       sizeof(enum gc_evidence) == sizeof(uint32_t),
	       "facts are copied as 32 bits");

static const struct json_member head_members[] = {
	MEMBER(struct stream_head, version, KIND_TEXT),
	FACT(struct stream_head, mode, mode_names),
	MEMBER(struct stream_head, kernel, KIND_TEXT),
	MEMBER(struct stream_head, realtime_ns, KIND_U64),
	MEMBER(struct stream_head, monotonic_ns, KIND_U64),
	MEMBER(struct stream_head, stacks, KIND_BOOL),
	MEMBER(struct stream_head, rate_hz, KIND_U32),
	{0},
};

static const struct json_member process_members[] = {
	MEMBER(struct process_info, pid, KIND_U32),
	MEMBER(struct process_info, parent, KIND_U32),
	MEMBER(struct process_info, cmdline, KIND_TEXT),
	MEMBER(struct process_info, python, KIND_TEXT),
	MEMBER(struct process_info, gil_enabled, KIND_BOOL),
	FACT(struct process_info, method, method_names),
	FACT(struct process_info, confidence, confidence_names),
	MEMBER(struct process_info, take, KIND_U32),
	MEMBER(struct process_info, drop, KIND_U32),
	MEMBER(struct process_info, wait, KIND_U32),
	MEMBER(struct process_info, image, KIND_TEXT),
	MEMBER(struct process_info, machine, KIND_TEXT),
	FACT(struct process_info, gc, gc_names),
	MEMBER(struct process_info, container, KIND_TEXT_IF_ANY),
	{0},
};

#define TEXT_MAX sizeof(((struct process_info *)0)->cmdline)

static json_t *member_json(const struct json_member *member, const char *from)
{
	char text[4 * TEXT_MAX + 1];
	uint64_t u64;
	uint32_t u32;

	switch (member->kind) {
	case KIND_TEXT:
	case KIND_TEXT_IF_ANY:
		return json_string(escape_text(text, sizeof(text), from, member->size));
	case KIND_U32:
		memcpy(&u32, from, sizeof(u32));
		return json_integer(u32);
	case KIND_U64:
		memcpy(&u64, from, sizeof(u64));
		return json_integer((json_int_t)u64);
	case KIND_BOOL:
		return json_boolean(*(const bool *)from);
	case KIND_FACT:
		memcpy(&u32, from, sizeof(u32));
		return json_string(fact_name(member->names, u32));
	}
	return NULL;
}

static int describe(const struct json_member *members, const void *from,
		    char ret_text[static DESCRIBE_TEXT_MAX])
{
	_cleanup_(json_decrefp) json_t *object = json_object();
	size_t length;

	if (!object)
		return -ENOMEM;
	for (const struct json_member *member = members; member->name; member++) {
		const char *at = (const char *)from + member->offset;

		if (member->kind == KIND_TEXT_IF_ANY && !*at)
			continue;
		if (json_object_set_new(object, member->name, member_json(member, at)))
			return -ENOMEM;
	}
	length = json_dumpb(object, ret_text, DESCRIBE_TEXT_MAX - 1, 0);
	if (!length || length >= DESCRIBE_TEXT_MAX)
		return -ENOMEM;
	ret_text[length] = '\0';
	return 0;
}

int describe_head(const struct stream_head *head, char ret_text[static DESCRIBE_TEXT_MAX])
{
	if (head->realtime_ns > INT64_MAX || head->monotonic_ns > INT64_MAX)
		return -EOVERFLOW;
	return describe(head_members, head, ret_text);
}

int describe_process(const struct process_info *info, char ret_text[static DESCRIBE_TEXT_MAX])
{
	return describe(process_members, info, ret_text);
}

static int wrong(char ret_why[static DESCRIBE_WHY_MAX], const char *name, const char *what)
{
	char shown[64];

	snprintf(ret_why, DESCRIBE_WHY_MAX, "\"%s\" %s",
		 escape_text(shown, sizeof(shown), name, strlen(name)), what);
	return -EINVAL;
}

static int text_parse(const struct json_member *member, const json_t *value, char *to,
		      char ret_why[static DESCRIBE_WHY_MAX])
{
	char text[TEXT_MAX];
	int length;

	if (!json_is_string(value))
		return wrong(ret_why, member->name, "must be a string");
	length = unescape_text(text, member->size, json_string_value(value));
	if (length < 0)
		return wrong(ret_why, member->name, "has a backslash that is not \\xHH");
	if ((size_t)length >= member->size)
		return wrong(ret_why, member->name, "is too long");
	if (memchr(text, '\0', (size_t)length))
		return wrong(ret_why, member->name, "has a NUL in it");
	memcpy(to, text, (size_t)length);
	return 0;
}

static int fact_parse(const struct json_member *member, const json_t *value, char *to,
		      char ret_why[static DESCRIBE_WHY_MAX])
{
	char choices[64], what[96];
	int fact;

	if (!json_is_string(value))
		return wrong(ret_why, member->name, "must be a string");
	fact = fact_find(member->names, json_string_value(value));
	if (fact < 0) {
		snprintf(what, sizeof(what), "must be one of %s",
			 fact_choices(member->names, choices, sizeof(choices)));
		return wrong(ret_why, member->name, what);
	}
	memcpy(to, &(uint32_t){(uint32_t)fact}, sizeof(uint32_t));
	return 0;
}

static int member_parse(const struct json_member *member, const json_t *value, char *to,
			char ret_why[static DESCRIBE_WHY_MAX])
{
	json_int_t number = json_integer_value(value);

	if (member->kind == KIND_TEXT || member->kind == KIND_TEXT_IF_ANY)
		return text_parse(member, value, to, ret_why);
	if (member->kind == KIND_FACT)
		return fact_parse(member, value, to, ret_why);
	if (member->kind == KIND_BOOL) {
		if (!json_is_boolean(value))
			return wrong(ret_why, member->name, "must be true or false");
		*(bool *)to = json_is_true(value);
		return 0;
	}
	if (!json_is_integer(value) || number < 0 ||
	    (member->kind == KIND_U32 && number > UINT32_MAX))
		return wrong(ret_why, member->name,
			     member->kind == KIND_U32 ? "must be a number from 0 to 4294967295"
						      : "must be a number from 0");
	if (member->kind == KIND_U32)
		memcpy(to, &(uint32_t){(uint32_t)number}, sizeof(uint32_t));
	else
		memcpy(to, &(uint64_t){(uint64_t)number}, sizeof(uint64_t));
	return 0;
}

static const struct json_member *json_member_find(const struct json_member *members,
						  const char *name)
{
	for (; members->name; members++)
		if (strcmp(members->name, name) == 0)
			return members;
	return NULL;
}

/* `to` holds the values of missing members. */
static int parse(const struct json_member *members, const char *text, size_t length, bool strict,
		 void *to, char ret_why[static DESCRIBE_WHY_MAX])
{
	json_error_t error;
	_cleanup_(json_decrefp)
		json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	const char *name;
	json_t *value;

	if (!json_is_object(object)) {
		char shown[DESCRIBE_WHY_MAX / 2];

		snprintf(
			ret_why, DESCRIBE_WHY_MAX, "not a JSON object%s%s", object ? "" : ": ",
			object ? ""
			       : escape_text(shown, sizeof(shown), error.text, sizeof(error.text)));
		return -EINVAL;
	}
	json_object_foreach(object, name, value)
	{
		const struct json_member *member = json_member_find(members, name);
		int err = 0;

		if (member)
			err = member_parse(member, value, (char *)to + member->offset, ret_why);
		else if (strict)
			err = wrong(ret_why, name, "is unknown");
		if (err)
			return err;
	}
	return 0;
}

int parse_head(const char *text, size_t length, bool strict, struct stream_head *ret_head,
	       char ret_why[static DESCRIBE_WHY_MAX])
{
	struct stream_head head = {0};
	int err = parse(head_members, text, length, strict, &head, ret_why);

	if (!err)
		*ret_head = head;
	return err;
}

int parse_process(const char *text, size_t length, bool strict, struct process_info *ret_info,
		  char ret_why[static DESCRIBE_WHY_MAX])
{
	struct process_info info = {.gil_enabled = true};
	int err = parse(process_members, text, length, strict, &info, ret_why);

	if (err)
		return err;
	if (!info.pid)
		return wrong(ret_why, "pid", "is missing or 0");
	*ret_info = info;
	return 0;
}
