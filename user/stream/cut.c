/* SPDX-License-Identifier: MIT */
#include "stream/cut.h"

#include <errno.h>
#include <stdlib.h>

#include "stream/names/issue.h"
#include "stream/reorder.h"

#define EVENTS_MAX (1u << 14) /* a recording is nearly in order */

struct cut {
	struct cut_range range;
	struct stream_state state; /* as of the last event before the part */
	struct stream_sink to;
	/* Of a part that begins later: definitions so far, since its begin may refer to any. */
	struct issue issue;
	struct reorder *reorder;
	uint64_t ts_from, ts_to; /* valid from WINDOW on */
	enum { CUT_DECLARED, CUT_BEFORE, CUT_INSIDE, CUT_BEHIND } place;
};

static uint64_t place_of(const struct cut_bound *bound, uint64_t begin, uint64_t otherwise)
{
	uint64_t ts;

	if (!bound->given)
		return otherwise;
	if (bound->absolute)
		return bound->ns > begin ? bound->ns : begin;
	return __builtin_add_overflow(begin, bound->ns, &ts) ? UINT64_MAX : ts;
}

static int begin_part(struct cut *cut)
{
	cut->place = CUT_INSIDE;
	if (!cut->range.from.given)
		return 0;
	return cut->state.write(cut->state.sink.ctx, cut->ts_from, &cut->to);
}

static int end_part(struct cut *cut)
{
	const union event end = {
		.window = {.hdr = {.ts = cut->ts_to, .type = EV_WINDOW, .flags = EVF_WINDOW_END}}};

	cut->place = CUT_BEHIND;
	return sink_event(&cut->to, &end);
}

/* Where events go before the part has ended. A part that begins with the stream needs no state. */
static const struct stream_sink *sink_of(const struct cut *cut)
{
	return cut->place == CUT_INSIDE || !cut->range.from.given ? &cut->to : &cut->state.sink;
}

static int on_window_begin(struct cut *cut, const union event *window)
{
	cut->ts_from = place_of(&cut->range.from, window->hdr.ts, window->hdr.ts);
	cut->ts_to = place_of(&cut->range.to, window->hdr.ts, UINT64_MAX);
	cut->place = CUT_BEFORE;
	return sink_event(sink_of(cut), window);
}

static int on_event(void *ctx, const union event *event)
{
	struct cut *cut = ctx;
	uint64_t ts = event->hdr.ts;
	union event copy;
	int err = 0;

	if (cut->issue.dictionary)
		event = dictionary_translate(cut->issue.dictionary, event, &copy);

	if (cut->place == CUT_DECLARED && event->hdr.type == EV_WINDOW)
		return on_window_begin(cut, event);
	if (cut->place == CUT_BEFORE && ts > cut->ts_from && cut->ts_from < cut->ts_to)
		err = begin_part(cut);
	if (!err && cut->place == CUT_INSIDE && ts > cut->ts_to)
		err = end_part(cut);
	if (err || cut->place == CUT_BEHIND)
		return err;
	return sink_event(sink_of(cut), event);
}

static int on_process(void *ctx, const struct process_info *info)
{
	struct cut *cut = ctx;

	return cut->place == CUT_BEHIND ? 0 : sink_process(sink_of(cut), info);
}

static int on_definition(void *ctx, const struct definition *definition)
{
	struct cut *cut = ctx;
	struct dictionary *dictionary = cut->issue.dictionary;
	int err;

	if (!dictionary)
		return sink_define(&cut->to, definition);
	err = dictionary_define(dictionary, definition);
	if (err || definition->kind != DEFINE_SOURCE)
		return err;
	return issue_source(&cut->issue,
			    dictionary_id(dictionary, DEFINE_FUNCTION, definition->source.function),
			    definition->source.line);
}

static void cut_refers(void *ctx, struct dictionary *dictionary)
{
	const struct cut *cut = ctx;
	const struct definition_visit visit = dictionary_keeping(dictionary);

	cut->state.refers(cut->state.sink.ctx, &visit);
}

static int begin_naming(struct cut *cut)
{
	struct dictionary *dictionary = dictionary_new();

	if (!dictionary)
		return -ENOMEM;
	cut->issue = (struct issue){.dictionary = dictionary, .to = cut->to};
	cut->to = issue_sink(&cut->issue);
	return dictionary_forgets(dictionary,
				  (struct dictionary_user){.refers = cut_refers, .ctx = cut});
}

struct cut *cut_new(const struct cut_range *range, struct stream_state state, struct stream_sink to)
{
	struct cut *cut = state.sink.ctx ? calloc(1, sizeof(*cut)) : NULL;

	if (!cut) {
		state.free(state.sink.ctx);
		return NULL;
	}
	*cut = (struct cut){.range = *range, .state = state, .to = to};
	cut->reorder = reorder_new((struct stream_sink){.process = on_process,
							.event = on_event,
							.define = on_definition,
							.ctx = cut},
				   REORDER_WINDOW_NS, EVENTS_MAX);
	if (cut->reorder && (!range->from.given || !begin_naming(cut)))
		return cut;
	cut_free(cut);
	return NULL;
}

struct stream_sink cut_sink(struct cut *cut)
{
	return reorder_sink(cut->reorder);
}

int cut_finish(struct cut *cut)
{
	int err = reorder_flush(cut->reorder);

	return !err && cut->place <= CUT_BEFORE ? -ERANGE : err;
}

void cut_free(struct cut *cut)
{
	if (!cut)
		return;
	reorder_free(cut->reorder);
	cut->state.free(cut->state.sink.ctx);
	dictionary_free(cut->issue.dictionary);
	issue_done(&cut->issue);
	free(cut);
}
