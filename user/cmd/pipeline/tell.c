/* SPDX-License-Identifier: MIT */
#include "cmd/pipeline/tell.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "words/stall.h"

#define AGAIN_NS NS_PER_S

struct told_stall {
	struct told_stall *next;
	const struct loop *loop;
	uint64_t start;
	uint64_t ts_told, gap_ns; /* the last line, and how long the next one waits */
	enum thread_state cause;
	uint32_t handler; /* function */
	bool lasts;	  /* at this tick */
};

static struct told_stall *find(const struct teller *teller, const struct loop *loop, uint64_t start)
{
	struct told_stall *told = teller->told;

	while (told && (told->loop != loop || told->start != start))
		told = told->next;
	return told;
}

/* Whoever does not read what is told must not hold up the observation: then the line is left out.
 */
static void put(const char *line, size_t length)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&out, 1, 0) == 1 && out.revents & POLLOUT &&
	    write(STDERR_FILENO, line, length) < 0)
		return; /* with stderr gone there is nobody to tell */
}

/* `ongoing` is NULL when the stall is over. On a terminal the progress line, which has no end,
 * gives way; it comes again. */
static int tell(const struct ongoing *ongoing, const struct report *report, const struct loop *loop,
		const struct stall *stall)
{
	_cleanup_(freep) char *line = NULL;
	size_t length;
	FILE *file = open_memstream(&line, &length);
	int err;

	if (!file)
		return -ENOMEM;
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", file);
	err = ongoing ? print_ongoing(file, ongoing) : print_resumed(file, report, loop, stall);
	if (fclose(file))
		err = -ENOMEM;
	if (!err)
		put(line, length);
	return err;
}

static bool is_news(const struct told_stall *told, const struct stall *stall)
{
	uint64_t since = stall->end - told->ts_told;
	bool changed = told->cause != stall->cause ||
		       told->handler != stall->handler.frame.function;

	return since >= told->gap_ns || (changed && since >= told->gap_ns / 4);
}

static int on_ongoing(void *ctx, const struct ongoing *ongoing)
{
	const struct stall *stall = &ongoing->stall;
	struct teller *teller = ctx;
	struct told_stall *told = find(teller, ongoing->loop, stall->start);
	bool is_new = !told;

	if (is_new) {
		told = calloc(1, sizeof(*told));
		if (!told)
			return -ENOMEM;
		*told = (struct told_stall){.next = teller->told,
					    .loop = ongoing->loop,
					    .start = stall->start,
					    .gap_ns = AGAIN_NS};
		teller->told = told;
	}
	told->lasts = true;
	if (!is_new && !is_news(told, stall))
		return 0;
	if (!is_new)
		told->gap_ns *= 2;
	told->ts_told = stall->end;
	told->cause = stall->cause;
	told->handler = stall->handler.frame.function;
	return tell(ongoing, ongoing->report, ongoing->loop, stall);
}

/* Tells what is over, and drops it. 0 or -ENOMEM. */
static int tell_ends(struct teller *teller)
{
	const struct report report = {.window = world_window(teller->pipeline->world),
				      .names = teller->pipeline->dictionary,
				      .finder = teller->pipeline->finder};
	int err = 0;

	for (struct told_stall **link = &teller->told, *told; (told = *link);) {
		const struct stall *stall;

		if (told->lasts) {
			told->lasts = false;
			link = &told->next;
			continue;
		}
		stall = report_builder_stall(teller->pipeline->builder, told->loop, told->start);
		if (stall && !err) /* else it was no turn after all */
			err = tell(NULL, &report, told->loop, stall);
		*link = told->next;
		free(told);
	}
	return err;
}

int teller_tick(void *ctx, uint64_t ts_known)
{
	struct teller *teller = ctx;
	struct pipeline *pipeline = teller->pipeline;
	int err = 0;

	/* the world is cut only when there is something to tell */
	if (report_builder_stalled(pipeline->builder, ts_known)) {
		world_cut(pipeline->world, ts_known);
		err = report_builder_ongoing(pipeline->builder, pipeline->world, on_ongoing,
					     teller);
	}
	if (!err)
		err = tell_ends(teller);
	if (teller->forget)
		report_builder_forget(pipeline->builder, ts_known);
	return err;
}

void teller_done(struct teller *teller)
{
	for (struct told_stall *told = teller->told, *next; told; told = next) {
		next = told->next;
		free(told);
	}
	teller->told = NULL;
}
