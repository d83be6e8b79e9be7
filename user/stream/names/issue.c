/* SPDX-License-Identifier: MIT */
#include "stream/names/issue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream/names/references.h"

void issue_done(struct issue *issue)
{
	for (int kind = 0; kind < DEFINE_KINDS; kind++) {
		free(issue->issued[kind]);
		issue->issued[kind] = NULL;
		issue->room[kind] = 0;
	}
}

static int issue_reserve(struct issue *issue, enum definition_kind kind, uint32_t place)
{
	uint32_t room = issue->room[kind] ? issue->room[kind] : 64;
	struct issued *grown;

	if (place < issue->room[kind])
		return 0;
	while (room <= place)
		room *= 2;
	grown = reallocarray(issue->issued[kind], room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	memset(grown + issue->room[kind], 0, (room - issue->room[kind]) * sizeof(*grown));
	issue->issued[kind] = grown;
	issue->room[kind] = room;
	return 0;
}

/* 0: none that is new enough. */
static uint32_t number_of(const struct issue *issue, enum definition_kind kind, uint32_t id)
{
	uint32_t place = dictionary_place(kind, id);
	const struct issued *issued;

	if (place >= issue->room[kind])
		return 0;
	issued = &issue->issued[kind][place];
	return issued->id == id && definition_age(&issue->counts, kind, issued->number) <
					   definition_renewal(kind)
		       ? issued->number
		       : 0;
}

static int push(struct issue *issue, const struct definition *definition)
{
	struct definition numbered = *definition;
	int err;

	numbered.id = definition_next(&issue->counts, definition->kind);
	err = sink_define(&issue->to, &numbered);
	if (!err)
		issue->counts.of[definition->kind]++;
	return err;
}

/* Its functions come first. Those that a stack has are as recent as the stack then. */
static int push_stack(struct issue *issue, const struct definition *stack)
{
	struct stack_frame frames[DEFINE_FRAMES_MAX];
	struct definition numbered = *stack;
	int err = 0;

	numbered.stack.frames = frames;
	for (uint32_t i = 0; i < stack->stack.count && !err; i++) {
		frames[i].line = stack->stack.frames[i].line;
		err = issue_number(issue, DEFINE_FUNCTION, stack->stack.frames[i].function,
				   &frames[i].function);
	}
	return err ? err : push(issue, &numbered);
}

static int push_source(struct issue *issue, const struct definition *source)
{
	struct definition numbered = *source;

	numbered.source.function = number_of(issue, DEFINE_FUNCTION, source->source.function);
	return numbered.source.function ? push(issue, &numbered) : 0;
}

static int push_sources(struct issue *issue, uint32_t function)
{
	const struct definition *source = NULL;
	int err = 0;

	while (!err && (source = dictionary_next_source(issue->dictionary, function, source)))
		if (source->source.text[0])
			err = push_source(issue, source);
	return err;
}

static int push_first(struct issue *issue, const struct definition *definition,
		      uint32_t *ret_number)
{
	enum definition_kind kind = definition->kind;
	uint32_t id = definition->id, place = dictionary_place(kind, id);
	int err = issue_reserve(issue, kind, place);

	if (err)
		return err;
	err = kind == DEFINE_STACK ? push_stack(issue, definition) : push(issue, definition);
	if (err)
		return err;
	*ret_number = (uint32_t)((issue->counts.of[kind] - 1) % UINT32_MAX) + 1;
	issue->issued[kind][place] = (struct issued){id, *ret_number};
	return kind == DEFINE_FUNCTION ? push_sources(issue, id) : 0;
}

int issue_number(struct issue *issue, enum definition_kind kind, uint32_t id, uint32_t *ret_number)
{
	const struct definition *definition = dictionary_find(issue->dictionary, kind, id);

	*ret_number = definition ? number_of(issue, kind, id) : 0;
	if (!definition)
		return 0;
	dictionary_use(issue->dictionary, kind, id);
	return *ret_number ? 0 : push_first(issue, definition, ret_number);
}

int issue_source(struct issue *issue, uint32_t function, uint32_t line)
{
	const struct definition *source = NULL;

	while ((source = dictionary_next_source(issue->dictionary, function, source)))
		if (source->source.line == line)
			return push_source(issue, source);
	return 0;
}

int issue_event(struct issue *issue, const union event *event)
{
	struct reference references[REFERENCES_MAX];
	uint32_t count = event_references(event, references);
	union event copy;
	int err = 0;

	if (!count)
		return sink_event(&issue->to, event);
	copy = *event;
	for (uint32_t i = 0; i < count && !err; i++) {
		uint32_t number;

		err = issue_number(issue, references[i].kind, reference_get(event, &references[i]),
				   &number);
		reference_set(&copy, &references[i], number);
	}
	return err ? err : sink_event(&issue->to, &copy);
}

static int issue_any_event(void *ctx, const union event *event)
{
	return issue_event(ctx, event);
}

static int issue_process(void *ctx, const struct process_info *info)
{
	const struct issue *issue = ctx;

	return sink_process(&issue->to, info);
}

struct stream_sink issue_sink(struct issue *issue)
{
	return (struct stream_sink){
		.process = issue_process, .event = issue_any_event, .ctx = issue};
}
