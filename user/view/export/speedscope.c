/* SPDX-License-Identifier: MIT */
/* Flames for https://www.speedscope.app: a profile for each state, all over one list of frames. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "view/flames.h"
#include "view/json_out.h"

struct speedscope {
	struct json_out out;
	const struct report *report;
	struct flame_index *index;
};

static void put_sample(struct speedscope *speedscope, const struct flame_row *row, uint32_t number)
{
	struct flame_frame frames[FLAME_FRAMES_MAX];
	struct flame_labels labels;
	unsigned depth = flame_frames(speedscope->report, row, false, &labels, frames);
	json_t *sample = json_array();

	for (unsigned i = 0; i < depth; i++) {
		uint32_t frame;
		bool new;

		if (flame_index_add(speedscope->index, &frames[i], &frame, &new) < 0)
			speedscope->out.error = speedscope->out.error ? speedscope->out.error
								      : -ENOMEM;
		else
			json_array_append_new(sample, json_integer(frame));
	}
	json_put_next(&speedscope->out, number);
	json_put_value(&speedscope->out, sample, JSON_COMPACT);
}

/* All rows have the same state. */
static void put_profile(struct speedscope *speedscope, const struct flame_row *rows, size_t count)
{
	uint64_t total = 0;
	char name[128];

	for (size_t i = 0; i < count; i++)
		total += rows[i].ns;
	snprintf(name, sizeof(name), "%s: %s", flame_row_kind(rows),
		 flame_row_evidence(speedscope->report, rows));
	json_put(&speedscope->out, "{");
	json_put_value(&speedscope->out,
		       json_pack("{s:s, s:s, s:s, s:i, s:o}", "type", "sampled", "name", name,
				 "unit", "nanoseconds", "startValue", 0, "endValue",
				 json_uint(total)),
		       JSON_EMBED);
	json_put(&speedscope->out, ", \"samples\": [");
	for (size_t i = 0; i < count; i++)
		put_sample(speedscope, &rows[i], (uint32_t)i);
	json_put(&speedscope->out, "],\n\"weights\": [");
	for (size_t i = 0; i < count; i++) {
		json_put_next(&speedscope->out, (uint32_t)i);
		json_put_value(&speedscope->out, json_uint(rows[i].ns), JSON_ENCODE_ANY);
	}
	json_put(&speedscope->out, "]}");
}

static json_t *frame_json(const struct report *report, const struct flame_frame *frame)
{
	struct flame_words words;
	json_t *value;

	flame_words(report, frame, &words);
	value = json_pack("{s:s}", "name", words.name);
	if (words.file[0])
		json_object_set_new(value, "file", json_string(words.file));
	if (words.line)
		json_object_set_new(value, "line", json_integer(words.line));
	return value;
}

static void put_rows(struct speedscope *speedscope, const struct flame_row *rows, size_t count)
{
	uint32_t profiles = 0;

	json_put(&speedscope->out, "{");
	json_put_value(&speedscope->out,
		       json_pack("{s:s, s:s, s:s}", "$schema",
				 "https://www.speedscope.app/file-format-schema.json", "exporter",
				 "gilscope " GILSCOPE_VERSION, "name", "gilscope"),
		       JSON_EMBED);
	json_put(&speedscope->out, ",\n\"profiles\": [");
	for (size_t i = 0, alike; i < count; i += alike) {
		alike = flame_rows_alike(rows + i, count - i);
		json_put_next(&speedscope->out, profiles++);
		put_profile(speedscope, rows + i, alike);
	}
	json_put(&speedscope->out, "],\n\"shared\": {\"frames\": [");
	for (uint32_t i = 0; i < flame_index_count(speedscope->index); i++) {
		struct flame_frame frame = flame_index_frame(speedscope->index, i);

		json_put_next(&speedscope->out, i);
		json_put_value(&speedscope->out, frame_json(speedscope->report, &frame), 0);
	}
	json_put(&speedscope->out, "]}}\n");
}

static int show_speedscope(FILE *file, const struct report *report,
			   const struct view_options *options)
{
	struct speedscope speedscope = {
		.out = {.file = file}, .report = report, .index = flame_index_new()};
	_cleanup_(freep) struct flame_row *rows = NULL;
	size_t count;
	int err = speedscope.index ? flame_rows(report, options, &rows, &count) : -ENOMEM;

	if (!err) {
		put_rows(&speedscope, rows, count);
		err = json_out_finish(&speedscope.out);
	}
	flame_index_free(speedscope.index);
	return err;
}

const struct view view_speedscope = {.name = "speedscope", .show = show_speedscope};
