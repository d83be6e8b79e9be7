/* SPDX-License-Identifier: MIT */
/* A loop that did not come back: in a stall since before the window, and still at its end. What it
 * is in is the other rules' finding. */
#include "base/duration.h"
#include "diagnosis/rule.h"
#include "words/names.h"
#include "words/words.h"

#define HUNG_NS NS_PER_S /* for less than that it is a stall like others */

static void process_hung(struct collector *collector, const struct report *report,
			 const struct process_report *process)
{
	for (uint32_t n = 0; n < process->loop_count; n++) {
		const struct loop_report *loop = &process->loops[n];
		const struct stall *last = loop->stall_count ? &loop->stalls[loop->stall_count - 1]
							     : NULL;

		if (!last || !last->earlier || !last->ongoing ||
		    last->start > report->window.start || last->end - last->start < HUNG_NS)
			continue;
		collector_add_whole(collector,
				    &(struct finding){.id = FINDING_HUNG,
						      .subject = SUBJECT_THREAD,
						      .process = process,
						      .thread = loop->loop->thread,
						      .sysno = SYSNO_UNKNOWN,
						      .ns = last->end - last->start,
						      .count = 1,
						      .worst_ns = last->end - last->start,
						      .ongoing = true,
						      .evidence = EVIDENCE_BOUNDED});
	}
}

static void text_hung(struct text_buffer *text, const struct report *report,
		      const struct finding *finding)
{
	text_add(text, "The event loop of ");
	text_add_thread(text, report, finding->thread);
	text_add(text, " hung all the time: it was stalled before gilscope attached, and still ");
	text_add_duration(text, finding->ns);
	text_add(text, " later");
}

static void advise_hung(struct text_buffer *text, const struct report *report,
			const struct finding *finding)
{
	text_add(text, "It answers nothing meanwhile. The other findings say what it is doing.");
}

const struct rule rule_hung = {.process = process_hung, .text = text_hung, .advice = advise_hung};
