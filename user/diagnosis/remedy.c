/* SPDX-License-Identifier: MIT */
/* What to do about one stall: the advice of its findings. */
#include <errno.h>
#include <string.h>

#include "diagnosis/diagnosis.h"
#include "diagnosis/findings.h"

#define SHOWN 2

int remedy_add(struct text_buffer *text, const struct report *report, const struct process *process,
	       const struct stall *stall)
{
	const struct process_report about = {.process = process};
	struct finding_list *findings = findings_of_stall(report, &about, stall);
	uint32_t shown = 0;

	if (!findings)
		return -ENOMEM;
	for (uint32_t i = 0; i < findings->count && shown < SHOWN; i++) {
		struct text_buffer advice = {0};

		finding_advice(&advice, report, &findings->list[i]);
		if (!advice.length || strstr(text->bytes, advice.bytes)) /* two blockers, say */
			continue;
		text_add(text, "%s%s", shown++ ? " " : "", advice.bytes);
	}
	findings_free(findings);
	return 0;
}
