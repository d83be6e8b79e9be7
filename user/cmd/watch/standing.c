/* SPDX-License-Identifier: MIT */
#include "cmd/watch/standing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "words/words.h"

/* A finding whose figures are about as large as its rule asks for comes and goes with every look.
 */
#define ABSENT_NS (15 * NS_PER_S)

struct standing_finding {
	struct finding_key key;
	uint64_t began, seen; /* first, and in the latest report that had it */
	char *text, *payload;
};

DEFINE_CLEANUP(findings_free, struct finding_list *, findings_free, NULL)

static struct standing_finding *find(const struct standing *standing, const struct finding_key *key)
{
	for (uint32_t i = 0; i < standing->count; i++)
		if (!memcmp(&standing->list[i].key, key, sizeof(*key)))
			return &standing->list[i];
	return NULL;
}

static struct standing_finding *add(struct standing *standing, const struct finding_key *key,
				    uint64_t ts)
{
	struct standing_finding *grown;

	if (standing->count == STANDING_MAX)
		return NULL;
	grown = reallocarray(standing->list, standing->count + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	standing->list = grown;
	grown[standing->count] = (struct standing_finding){.key = *key, .began = ts};
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
	const struct finding_key key = finding_key_of(finding);
	struct standing_finding *known = find(standing, &key);
	bool is_new = !known;
	struct text_buffer text = {0};

	if (is_new)
		known = add(standing, &key, ts);
	if (!known)
		return standing->count == STANDING_MAX ? 0 : -ENOMEM;
	known->seen = ts;
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

/* Those that have not been there for so long. */
static int end_absent(struct standing *standing, const struct report *report, uint64_t ts,
		      uint64_t absent_ns)
{
	int err = 0;

	for (uint32_t i = standing->count; i-- > 0 && !err;) {
		if (ts - standing->list[i].seen < absent_ns)
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

	for (uint32_t i = 0; !err && i < findings->count; i++)
		if (findings->list[i].id != FINDING_NOTHING_FOUND)
			err = see(standing, report, &findings->list[i], ts);
	return err ? err : end_absent(standing, report, ts, ABSENT_NS);
}

int standing_finish(struct standing *standing, const struct report *report, uint64_t ts)
{
	return end_absent(standing, report, ts, 0);
}

void standing_done(struct standing *standing)
{
	while (standing->count)
		remove_at(standing, standing->count - 1);
	free(standing->list);
}
