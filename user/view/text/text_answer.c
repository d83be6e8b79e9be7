/* SPDX-License-Identifier: MIT */
#include "view/text/text_answer.h"

#include <stdlib.h>
#include <string.h>

#include "words/names.h"

/* ── how much ────────────────────────────────────────────────────────────── */

void text_unresponsive(struct text_buffer *text, const struct report *report,
		       const struct unresponsive *all)
{
	const char *least = all->bounded ? "≥" NBSP : "";

	text_add(text,
		 all->loops > 1 ? "The %u event loops were unresponsive for "
				: "The event loop was unresponsive for ",
		 all->loops);
	text_add(text, "%s", least);
	text_add_share(text, all->ns, all->observed_ns);
	text_add(text, " of the time: ");
	text_add_number_of(text, all->stalls, "stall", "stalls");
	text_add(text, ", %s", least);
	text_add_duration(text, all->ns);
	if (all->stalls > 1) {
		text_add(text, "; longest stall ");
		text_add_duration(text, all->longest_ns);
	}
	if (all->freeze.stalls) {
		text_add(text, ", longest freeze ");
		text_add_duration(text, all->freeze.end - all->freeze.start);
	}
	text_add(text, ".");
}

/* ── where it went ───────────────────────────────────────────────────────── */

#define ID(NAME) (1u << FINDING_##NAME)
_Static_assert(FINDING_IDS <= 32, "a bit for each");

static int largest_first(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	return (x->ns < y->ns) - (x->ns > y->ns);
}

uint32_t unresponsive_split(const struct unresponsive *all,
			    struct share shares[static UNRESPONSIVE_PARTS])
{
	const uint64_t *ns = all->states.ns;
	uint64_t asleep = ns[TS_BLOCKED] + ns[TS_HELD_BLOCKED];
	uint64_t stopped = all->stopped_ns < asleep ? all->stopped_ns : asleep;
	uint64_t gc = all->gc_ns < ns[TS_PYTHON] ? all->gc_ns : ns[TS_PYTHON];
	const struct share list[UNRESPONSIVE_PARTS] = {
		{"blocking calls", asleep - stopped,
		 ID(BLOCKING_CALL) | ID(HELD_ASLEEP) | ID(LOCK_HELD_BY) | ID(WORLD_STOPPED) |
			 ID(NATIVE_THREADS)},
		{"waiting for the GIL", ns[TS_GIL_WAIT], ID(GIL_HELD_BY)},
		{"no CPU", ns[TS_RUNNABLE] + ns[TS_HELD_RUNNABLE], ID(NO_CPU) | ID(QUOTA)},
		{"running Python", ns[TS_PYTHON] - gc,
		 ID(RUNNING_PYTHON) | ID(IMPORT_ON_LOOP) | ID(RESPONSE_OR_REQUEST_BODY) |
			 ID(NEVER_YIELDS)},
		{"C code", ns[TS_NATIVE], ID(NATIVE_CODE)},
		{"garbage collection", gc, ID(GARBAGE_COLLECTION)},
		{"stopped", stopped, ID(STOPPED)},
		{"unknown", ns[TS_UNKNOWN] + ns[TS_IDLE], 0},
	};
	uint32_t count = 0;

	memcpy(shares, list, sizeof(list));
	qsort(shares, UNRESPONSIVE_PARTS, sizeof(*shares), largest_first);
	while (count < UNRESPONSIVE_PARTS && shares[count].ns)
		count++;
	return count;
}

void share_who(struct text_buffer *text, const struct report *report,
	       const struct finding_list *findings, uint32_t ids)
{
	const struct finding *finding = NULL;

	for (uint32_t i = 0; i < findings->count && !finding; i++)
		if (ids & (1u << findings->list[i].id))
			finding = &findings->list[i];
	if (!finding)
		return;
	if (finding->id == FINDING_QUOTA)
		text_add(text, "the cgroup's CPU quota");
	else if (finding->id == FINDING_NO_CPU && finding->neighbour_count)
		text_add_occupant(text, one_process(finding), &finding->neighbours[0]);
	else if (finding->id == FINDING_STOPPED)
		text_add(text, "%s", text_stop(finding->stop));
	else if (finding->handler.role != HANDLER_NONE)
		text_add_frame(text, report, &finding->handler.frame);
	else if (finding->inner.function)
		text_add_frame(text, report, &finding->inner);
	else if (finding->thread && finding->id == FINDING_GIL_HELD_BY)
		text_add_thread(text, report, finding->thread);
}
