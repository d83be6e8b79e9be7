/* SPDX-License-Identifier: MIT */
#include "cmd/watch/standing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "words/words.h"

/* What makes it the same finding, whichever process has it now. */
struct identity {
	uint32_t id, function, inner, pool, tid;
};

struct standing_finding {
	struct identity identity;
	uint64_t began;
	bool there; /* in the latest report */
	char *text, *payload;
};

DEFINE_CLEANUP(findings_free, struct finding_list *, findings_free, NULL)

static struct identity identify(const struct finding *finding)
{
	return (struct identity){.id = finding->id,
				 .function = finding->handler.frame.function,
				 .inner = finding->inner.function,
				 .pool = finding->pool ? finding->pool->id : 0,
				 .tid = finding->subject == SUBJECT_THREAD && finding->thread
						? finding->thread->tid
						: 0};
}

static struct standing_finding *find(const struct standing *standing,
				     const struct identity *identity)
{
	for (uint32_t i = 0; i < standing->count; i++)
		if (!memcmp(&standing->list[i].identity, identity, sizeof(*identity)))
			return &standing->list[i];
	return NULL;
}

static struct standing_finding *add(struct standing *standing, const struct identity *identity,
				    uint64_t ts)
{
	struct standing_finding *grown;

	if (standing->count == STANDING_MAX)
		return NULL;
	grown = reallocarray(standing->list, standing->count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	standing->list = grown;
	grown[standing->count] = (struct standing_finding){.identity = *identity, .began = ts};
	return &grown[standing->count++];
}

static void replace(char **text, char *by)
{
	free(*text);
	*text = by;
}

static int tell_standing(const struct standing *standing, const struct report *report, uint64_t ts,
			 enum event_state state, const struct standing_finding *known)
{
	struct text_buffer text = {0};
	const struct told_event event = {.kind = EVENT_FINDING,
					 .state = state,
					 .ts = ts,
					 .text = &text,
					 .report = report,
					 .finding = known->payload,
					 .began = known->began};

	text_add_time(&text, report, ts);
	text_add(&text, "  %s: %s", state == EVENT_ENDED ? "no longer" : "finding", known->text);
	return standing->tell(standing->ctx, &event);
}

/* Its figures are those of the latest report. */
static int see(struct standing *standing, const struct report *report,
	       const struct finding *finding, uint64_t ts)
{
	const struct identity identity = identify(finding);
	struct standing_finding *known = find(standing, &identity);
	bool is_new = !known;
	struct text_buffer text = {0};

	if (is_new)
		known = add(standing, &identity, ts);
	if (!known)
		return standing->count == STANDING_MAX ? 0 : -ENOMEM;
	known->there = true;
	finding_text(&text, report, finding);
	replace(&known->text, strdup(text.bytes));
	replace(&known->payload, view_event_finding(report, finding));
	if (!known->text || !known->payload)
		return -ENOMEM;
	return is_new ? tell_standing(standing, report, ts, EVENT_BEGAN, known) : 0;
}

static void remove_at(struct standing *standing, uint32_t i)
{
	free(standing->list[i].text);
	free(standing->list[i].payload);
	standing->list[i] = standing->list[--standing->count];
}

/* Those that are not there any more. */
static int end_gone(struct standing *standing, const struct report *report, uint64_t ts)
{
	int err = 0;

	for (uint32_t i = standing->count; i-- > 0 && !err;) {
		if (standing->list[i].there)
			continue;
		err = tell_standing(standing, report, ts, EVENT_ENDED, &standing->list[i]);
		remove_at(standing, i);
	}
	return err;
}

int standing_update(struct standing *standing, const struct report *report, uint64_t ts)
{
	_cleanup_(findings_freep) struct finding_list *findings = findings_new(report);
	int err = findings ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < standing->count; i++)
		standing->list[i].there = false;
	for (uint32_t i = 0; !err && i < findings->count; i++)
		if (findings->list[i].id != FINDING_NOTHING_FOUND)
			err = see(standing, report, &findings->list[i], ts);
	return err ? err : end_gone(standing, report, ts);
}

int standing_finish(struct standing *standing, const struct report *report, uint64_t ts)
{
	for (uint32_t i = 0; i < standing->count; i++)
		standing->list[i].there = false;
	return end_gone(standing, report, ts);
}

void standing_done(struct standing *standing)
{
	while (standing->count)
		remove_at(standing, standing->count - 1);
	free(standing->list);
}
