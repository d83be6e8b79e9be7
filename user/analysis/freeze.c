/* SPDX-License-Identifier: MIT */
/* Runs of stalls: a client that waits sees one interruption. */
#include "analysis/fold.h"

void freeze_add(const struct report_builder *builder, struct loop_report *report,
		struct freeze *freeze, const struct stall *stall)
{
	if (!freeze->stalls || stall->start - freeze->end >= builder->stall_ns)
		*freeze = (struct freeze){.start = stall->start};
	freeze->end = stall->end;
	freeze->stalls++;
	if (freeze->stalls == 2)
		report->freezes++;
	if (freeze->stalls > 1 &&
	    freeze->end - freeze->start > report->freeze.end - report->freeze.start)
		report->freeze = *freeze;
}
