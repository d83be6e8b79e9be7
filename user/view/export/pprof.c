/* SPDX-License-Identifier: MIT */
/*
 * Flames for pprof: gzip of a Profile message. Readers merge concatenated protobuf messages, so the
 * Profile is written in pieces, one sample, location or string at a time, and needs no memory that
 * grows with the rows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "pprof.pb-c.h"
#include "base/container_of.h"
#include "view/flames.h"

#define GZIP (15 + 16) /* deflateInit2(): the largest window, with gzip's header and trailer */

struct pprof {
	ProtobufCBuffer packed; /* protobuf-c passes this back to append() */
	z_stream deflate;
	FILE *file;
	int error; /* the first */
	const struct report *report;
	struct flame_index *locations, *functions; /* the latter with line 0 */
	int64_t texts;				   /* written to the string table */
};

static void deflate_some(struct pprof *pprof, const uint8_t *data, size_t length, int flush)
{
	unsigned char room[16384];

	pprof->deflate.next_in = (unsigned char *)data;
	pprof->deflate.avail_in = (unsigned int)length;
	do {
		pprof->deflate.next_out = room;
		pprof->deflate.avail_out = sizeof(room);
		deflate(&pprof->deflate, flush);
		if (!pprof->error && fwrite(room, 1, sizeof(room) - pprof->deflate.avail_out,
					    pprof->file) != sizeof(room) - pprof->deflate.avail_out)
			pprof->error = -EIO;
	} while (!pprof->deflate.avail_out);
}

static void append(ProtobufCBuffer *buffer, size_t length, const uint8_t *data)
{
	deflate_some(container_of(buffer, struct pprof, packed), data, length, Z_NO_FLUSH);
}

static void put_piece(struct pprof *pprof, const Pprof__Profile *piece)
{
	pprof__profile__pack_to_buffer(piece, &pprof->packed);
}

/* Adds to the string table. Returns the index. */
static int64_t add_string(struct pprof *pprof, const char *text)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	char *texts[] = {(char *)text};

	piece.n_string_table = 1;
	piece.string_table = texts;
	put_piece(pprof, &piece);
	return pprof->texts++;
}

/* The strings with which every profile begins. */
enum {
	TEXT_EMPTY,
	TEXT_TIME,
	TEXT_NANOSECONDS,
	TEXT_THREAD,
	TEXT_HANDLER,
	TEXT_STATE,
	TEXT_MADE_WAIT,
	TEXT_STATES,
	TEXT_FIRST = TEXT_STATES + TS_COUNT
};
/* … followed by two for each function: its name and its file. */
static int64_t text_of_function(uint32_t function)
{
	return TEXT_FIRST + 2 * (int64_t)function;
}

static void put_fixed_texts(struct pprof *pprof)
{
	static const char *const texts[] = {"",	       "time",	"nanoseconds", "thread",
					    "handler", "state", "made_wait"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		add_string(pprof, texts[i]);
	for (int i = 0; i < TS_COUNT; i++)
		add_string(pprof, thread_state_name((enum thread_state)i));
}

/* The function of a frame, whatever its line. Its id is its number + 1. */
static uint32_t put_function(struct pprof *pprof, const struct flame_frame *frame)
{
	const struct flame_frame of_any_line = {.label = frame->label, .function = frame->function};
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Function function = PPROF__FUNCTION__INIT, *functions[] = {&function};
	struct flame_words words;
	uint32_t number = 0;
	bool new = false;

	if (flame_index_add(pprof->functions, &of_any_line, &number, &new) < 0)
		pprof->error = pprof->error ? pprof->error : -ENOMEM;
	if (!new)
		return number;
	flame_words(pprof->report, &of_any_line, &words);
	function.id = number + 1;
	function.name = add_string(pprof, words.name);
	function.filename = add_string(pprof, words.file);
	function.start_line = words.defined;
	piece.n_function = 1;
	piece.function = functions;
	put_piece(pprof, &piece);
	return number;
}

/* The id of a frame's location. `ret_function` is the number of its function. */
static uint64_t put_location(struct pprof *pprof, const struct flame_frame *frame,
			     uint32_t *ret_function)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Location location = PPROF__LOCATION__INIT, *locations[] = {&location};
	Pprof__Line line = PPROF__LINE__INIT, *lines[] = {&line};
	uint32_t number = 0;
	bool new = false;

	*ret_function = put_function(pprof, frame);
	if (flame_index_add(pprof->locations, frame, &number, &new) < 0)
		pprof->error = pprof->error ? pprof->error : -ENOMEM;
	location.id = number + 1;
	if (!new)
		return location.id;
	line.function_id = *ret_function + 1;
	line.line = frame->line;
	location.n_line = 1;
	location.line = lines;
	piece.n_location = 1;
	piece.location = locations;
	put_piece(pprof, &piece);
	return location.id;
}

static void add_sample(struct pprof *pprof, const struct flame_row *row)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__Sample sample = PPROF__SAMPLE__INIT, *samples[] = {&sample};
	Pprof__Label thread = PPROF__LABEL__INIT, handler = PPROF__LABEL__INIT,
		     state = PPROF__LABEL__INIT, *labels[] = {&thread, &handler, &state};
	struct flame_frame frames[FLAME_FRAMES_MAX];
	uint64_t ids[FLAME_FRAMES_MAX];
	uint32_t functions[FLAME_FRAMES_MAX];
	struct flame_labels words;
	unsigned depth = flame_frames(pprof->report, row, false, &words, frames),
		 first = pprof->report->process_count > 1;
	int64_t ns = row->ns > INT64_MAX ? INT64_MAX : (int64_t)row->ns;

	for (unsigned i = 0; i < depth; i++)
		ids[depth - 1 - i] = put_location(pprof, &frames[i], &functions[i]);
	thread.key = TEXT_THREAD;
	thread.str = text_of_function(functions[first]);
	handler.key = TEXT_HANDLER;
	handler.str = text_of_function(functions[first + 1]);
	state.key = TEXT_STATE;
	state.str = row->by_holder ? TEXT_MADE_WAIT : TEXT_STATES + (int64_t)row->state;
	sample.n_location_id = depth;
	sample.location_id = ids;
	sample.n_value = 1;
	sample.value = &ns;
	sample.n_label = 3;
	sample.label = labels;
	piece.n_sample = 1;
	piece.sample = samples;
	put_piece(pprof, &piece);
}

/* What the samples are, how long the observation took, and, after the last function, which parts
 * are exact. */
static void put_frame_of_profile(struct pprof *pprof, const struct view_options *options)
{
	Pprof__Profile piece = PPROF__PROFILE__INIT;
	Pprof__ValueType time = PPROF__VALUE_TYPE__INIT, *types[] = {&time};
	struct view_note notes[VIEW_FLAME_NOTES];
	int64_t comments[VIEW_FLAME_NOTES];

	time.type = TEXT_TIME;
	time.unit = TEXT_NANOSECONDS;
	piece.n_sample_type = 1;
	piece.sample_type = types;
	piece.duration_nanos = (int64_t)(pprof->report->window.end - pprof->report->window.start);
	piece.n_comment = view_flame_notes(pprof->report, options, notes);
	for (size_t i = 0; i < piece.n_comment; i++)
		comments[i] = add_string(pprof, notes[i].text);
	piece.comment = comments;
	put_piece(pprof, &piece);
}

static int write_rows(struct pprof *pprof, const struct view_options *options)
{
	_cleanup_(freep) struct flame_row *rows = NULL;
	size_t count;
	int err = flame_rows(pprof->report, options, &rows, &count);

	if (err < 0)
		return err;
	put_fixed_texts(pprof);
	for (size_t i = 0; i < count; i++)
		add_sample(pprof, &rows[i]);
	put_frame_of_profile(pprof, options);
	deflate_some(pprof, NULL, 0, Z_FINISH);
	if (!pprof->error && fflush(pprof->file) == EOF)
		pprof->error = -errno;
	return pprof->error;
}

static int show_pprof(FILE *file, const struct report *report, const struct view_options *options)
{
	struct pprof pprof = {.packed = {.append = append},
			      .file = file,
			      .report = report,
			      .locations = flame_index_new(),
			      .functions = flame_index_new()};
	int err = -ENOMEM;

	if (pprof.locations && pprof.functions &&
	    deflateInit2(&pprof.deflate, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP, 8,
			 Z_DEFAULT_STRATEGY) == Z_OK) {
		err = write_rows(&pprof, options);
		deflateEnd(&pprof.deflate);
	}
	flame_index_free(pprof.locations);
	flame_index_free(pprof.functions);
	return err;
}

const struct view view_pprof = {.name = "pprof", .show = show_pprof};
