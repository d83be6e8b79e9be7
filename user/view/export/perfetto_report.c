/* SPDX-License-Identifier: MIT */
/* The report as annotations. They are made of its JSON, so that figures and names are the same. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/escape.h"
#include "view/json_out.h"
#include "view/export/perfetto.h"

/* ── JSON as annotations ─────────────────────────────────────────────────── */

/* Parts of an annotation, each allocated separately. */
struct parts {
	Perfetto__DebugAnnotation **list;
	size_t count;
};

static void free_parts(struct parts *parts);

static void free_annotation(Perfetto__DebugAnnotation *annotation)
{
	struct parts entries = {annotation->dict_entries, annotation->n_dict_entries},
		     values = {annotation->array_values, annotation->n_array_values};

	free_parts(&entries);
	free_parts(&values);
	free(annotation->name);
	free(annotation->string_value);
	free(annotation);
}

static void free_parts(struct parts *parts)
{
	for (size_t i = 0; i < parts->count; i++)
		free_annotation(parts->list[i]);
	free(parts->list);
}

static char *escaped(const char *text)
{
	size_t length = strlen(text), size = 4 * length + 1;
	char *copy = malloc(size);

	return copy ? escape_text(copy, size, text, length) : NULL;
}

static bool is_nothing(const json_t *value)
{
	return json_is_null(value) || (json_is_array(value) && !json_array_size(value)) ||
	       (json_is_object(value) && !json_object_size(value));
}

static int make_parts(const json_t *value, struct parts *ret_parts);

/* A string, a number or a boolean; or a composite of some. */
static int fill(Perfetto__DebugAnnotation *annotation, const json_t *value)
{
	struct parts parts = {0};
	int err = json_is_array(value) || json_is_object(value) ? make_parts(value, &parts) : 0;

	if (json_is_array(value)) {
		annotation->array_values = parts.list;
		annotation->n_array_values = parts.count;
	} else if (json_is_object(value)) {
		annotation->dict_entries = parts.list;
		annotation->n_dict_entries = parts.count;
	} else if (json_is_string(value)) {
		annotation->string_value = escaped(json_string_value(value));
		err = annotation->string_value ? 0 : -ENOMEM;
	} else if (json_is_integer(value)) {
		annotation->has_int_value = true;
		annotation->int_value = json_integer_value(value);
	} else {
		annotation->has_bool_value = true;
		annotation->bool_value = json_is_true(value);
	}
	return err;
}

static int add_part(struct parts *parts, const char *key, const json_t *value)
{
	Perfetto__DebugAnnotation *part = malloc(sizeof(*part));

	if (!part)
		return -ENOMEM;
	perfetto__debug_annotation__init(part);
	parts->list[parts->count++] = part;
	if (key)
		part->name = strdup(key);
	return key && !part->name ? -ENOMEM : fill(part, value);
}

/* The elements of a list or an object. The caller frees the result, even after an error. */
static int make_parts(const json_t *value, struct parts *ret_parts)
{
	size_t size = json_is_array(value) ? json_array_size(value) : json_object_size(value),
	       index;
	const char *key;
	json_t *element;
	int err = 0;

	ret_parts->list = calloc(size + 1, sizeof(*ret_parts->list));
	if (!ret_parts->list)
		return -ENOMEM;
	if (json_is_array(value)) {
		json_array_foreach(value, index, element)
			err = err ? err : add_part(ret_parts, NULL, element);
		return err;
	}
	json_object_foreach((json_t *)value, key,
			    element) if (!is_nothing(element) && !(json_is_integer(element) &&
								   !json_integer_value(element)))
		err = err ? err : add_part(ret_parts, key, element);
	return err;
}

/* A slice with a value as its annotations; releases the value. */
static void put_slice(struct perfetto *perfetto, uint64_t track, uint64_t start, uint64_t end,
		      const char *name, json_t *value)
{
	struct perfetto_event event = {.track = track, .ts = start, .text = name};
	struct parts parts = {0};
	int err = value ? make_parts(value, &parts) : -ENOMEM;

	event.annotations = parts.list;
	event.annotation_count = parts.count;
	if (err)
		perfetto_fail(perfetto, err);
	else
		perfetto_begin(perfetto, &event);
	perfetto_end(perfetto, track, end);
	free_parts(&parts);
	json_decref(value);
}

/* ── what is said ────────────────────────────────────────────────────────── */

void perfetto_put_stall(struct perfetto *perfetto, uint64_t track, const struct report *report,
			const struct stall *stall, const struct process *process)
{
	const char *more = stall->ongoing ? " so far" : stall->whole ? "" : " or more";
	const struct view_options options = {0};
	char name[64], length[DURATION_TEXT_MAX];

	snprintf(name, sizeof(name), "stall: %s %s%s", thread_state_name(stall->cause),
		 duration_text(stall->end - stall->start, length), more);
	put_slice(perfetto, track, stall->start, stall->end, name,
		  json_stall(report, &options, stall, process));
}

void perfetto_put_recording(struct perfetto *perfetto, uint64_t track, const struct report *report)
{
	const struct view_options options = {0};
	const struct perfetto_event cut = {
		.track = track, .ts = report->window.end, .text = "the recording is cut off here"};

	put_slice(perfetto, track, report->window.start, report->window.end, "recording",
		  json_recording(report, &options));
	if (report->truncated)
		perfetto_instant(perfetto, &cut);
}
