/* SPDX-License-Identifier: MIT */
/*
 * stalls.c - selects the finished stalls that a report lists: the longest that fit in
 * STALLS_BYTES_MAX. The others are counted, and included in the sums.
 */
#include <errno.h>
#include <stdlib.h>

#include "analysis/fold.h"

/* Which stalls to keep: all longer than `ns`, and `ties` of those exactly that long. */
struct selection {
	uint64_t ns;
	uint32_t ties;
};

struct listed {
	uint64_t ns;
	size_t bytes;
};

static uint64_t length_of(const struct stall *stall)
{
	return stall->end - stall->start;
}

size_t stall_bytes(const struct stall *stall)
{
	return sizeof(*stall) + breakdown_bytes(&stall->what) +
	       stall->part_count * sizeof(*stall->parts) +
	       stall->chain_count * sizeof(*stall->chain);
}

static int leave_out(struct report_builder *builder, struct loop_fold *loop, struct stall *stall)
{
	int err = blame_left_out(builder, stall);

	loop->report.stalls_left_out++;
	stall_done(stall);
	return err;
}

static int longest_first(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return (x->ns < y->ns) - (x->ns > y->ns);
}

/* Keeps the longest, up to half of STALLS_BYTES_MAX, so that the next selection is due only after
 * as much again was added. */
static struct selection choose(struct listed *listed, uint32_t count)
{
	struct selection selection = {0};
	size_t bytes = 0;
	uint32_t n = 0;

	qsort(listed, count, sizeof(*listed), longest_first);
	while (n + 1 < count && (bytes += listed[n].bytes) <= STALLS_BYTES_MAX / 2)
		n++;
	selection.ns = listed[n].ns;
	while (selection.ties < n && listed[n - 1 - selection.ties].ns == selection.ns)
		selection.ties++;
	return selection;
}

static int apply(struct report_builder *builder, struct loop_fold *loop,
		 struct selection *selection)
{
	struct loop_report *report = &loop->report;
	uint32_t kept = 0;
	int err = 0;

	for (uint32_t i = 0; i < report->stall_count; i++) {
		struct stall *stall = &report->stalls[i];
		uint64_t ns = length_of(stall);

		if (ns > selection->ns || (ns == selection->ns && selection->ties)) {
			selection->ties -= ns == selection->ns;
			report->stalls[kept++] = *stall;
			continue;
		}
		builder->stall_bytes -= stall_bytes(stall);
		if (leave_out(builder, loop, stall) < 0)
			err = -ENOMEM;
	}
	report->stall_count = kept;
	return err;
}

static int make_room(struct report_builder *builder)
{
	struct selection selection;
	struct listed *listed;
	uint32_t count = 0;
	int err = 0;

	for (const struct process_fold *process = builder->processes; process;
	     process = process->next)
		for (uint32_t n = 0; n < process->loop_count; n++)
			count += process->loops[n]->report.stall_count;
	listed = calloc(count + 1, sizeof(*listed));
	if (!listed)
		return -ENOMEM;
	count = 0;
	for (const struct process_fold *process = builder->processes; process;
	     process = process->next)
		for (uint32_t n = 0; n < process->loop_count; n++)
			for (uint32_t i = 0; i < process->loops[n]->report.stall_count; i++) {
				const struct stall *stall = &process->loops[n]->report.stalls[i];

				listed[count++] = (struct listed){.ns = length_of(stall),
								  .bytes = stall_bytes(stall)};
			}
	selection = choose(listed, count);
	free(listed);
	builder->report.left_out_ns = selection.ns;
	for (struct process_fold *process = builder->processes; process; process = process->next)
		for (uint32_t n = 0; n < process->loop_count; n++)
			if (apply(builder, process->loops[n], &selection) < 0)
				err = -ENOMEM;
	return err;
}

int stall_list(struct report_builder *builder, struct loop_fold *loop, struct stall *stall)
{
	int err;

	if (builder->report.left_out_ns && length_of(stall) <= builder->report.left_out_ns)
		return leave_out(builder, loop, stall);
	err = loop_fold_reserve(loop);
	if (err < 0) {
		stall_done(stall);
		return err;
	}
	loop->report.stalls[loop->report.stall_count++] = *stall;
	builder->stall_bytes += stall_bytes(stall);
	return builder->stall_bytes > STALLS_BYTES_MAX ? make_room(builder) : 0;
}
