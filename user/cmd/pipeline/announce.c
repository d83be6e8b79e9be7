/* SPDX-License-Identifier: MIT */
#include "cmd/pipeline/announce.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "words/stall.h"

#define AGAIN_NS NS_PER_S

struct announced_stall {
	struct announced_stall *next;
	const struct loop *loop;
	uint64_t start;
	uint64_t ts_line, gap_ns; /* when the last line was written; time until the next */
	/* as in the last line */
	enum thread_state cause;
	uint32_t handler; /* function */
	bool lasts;	  /* at this tick */
};

static struct announced_stall *find(const struct announcer *announcer, const struct loop *loop,
				    uint64_t start)
{
	struct announced_stall *known = announcer->ongoing;

	while (known && (known->loop != loop || known->start != start))
		known = known->next;
	return known;
}

/* If the reader of stderr does not keep up, the line is dropped: it must not block the observation.
 */
static void put(const char *line, size_t length)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&out, 1, 0) == 1 && out.revents & POLLOUT &&
	    write(STDERR_FILENO, line, length) < 0)
		return; /* stderr is gone, and there is nowhere else to report that */
}

/* `ongoing` is NULL when the stall is over. On a terminal the line replaces the progress line,
 * which is printed again later. */
static int announce(const struct ongoing *ongoing, const struct report *report,
		    const struct loop *loop, const struct stall *stall)
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

static bool is_news(const struct announced_stall *known, const struct stall *stall)
{
	uint64_t since = stall->end - known->ts_line;
	bool changed = known->cause != stall->cause ||
		       known->handler != stall->handler.frame.function;

	return since >= known->gap_ns || (changed && since >= known->gap_ns / 4);
}

static int on_ongoing(void *ctx, const struct ongoing *ongoing)
{
	const struct stall *stall = &ongoing->stall;
	struct announcer *announcer = ctx;
	struct announced_stall *known = find(announcer, ongoing->loop, stall->start);
	bool is_new = !known;

	if (is_new) {
		known = calloc(1, sizeof(*known));
		if (!known)
			return -ENOMEM;
		*known = (struct announced_stall){.next = announcer->ongoing,
						  .loop = ongoing->loop,
						  .start = stall->start,
						  .gap_ns = AGAIN_NS};
		announcer->ongoing = known;
	}
	known->lasts = true;
	if (!is_new && !is_news(known, stall))
		return 0;
	if (!is_new)
		known->gap_ns *= 2;
	known->ts_line = stall->end;
	known->cause = stall->cause;
	known->handler = stall->handler.frame.function;
	return announce(ongoing, ongoing->report, ongoing->loop, stall);
}

/* Announces the ends of stalls, and drops these. 0 or -ENOMEM. */
static int announce_ends(struct announcer *announcer)
{
	const struct report report = {.window = world_window(announcer->pipeline->world),
				      .names = announcer->pipeline->dictionary,
				      .finder = announcer->pipeline->finder};
	int err = 0;

	for (struct announced_stall **link = &announcer->ongoing, *known; (known = *link);) {
		const struct stall *stall;

		if (known->lasts) {
			known->lasts = false;
			link = &known->next;
			continue;
		}
		stall = report_builder_stall(announcer->pipeline->world, known->loop, known->start);
		if (stall && !err) /* NULL: it has turned out not to be a turn */
			err = announce(NULL, &report, known->loop, stall);
		*link = known->next;
		free(known);
	}
	return err;
}

int announcer_tick(void *ctx, uint64_t ts_known)
{
	struct announcer *announcer = ctx;
	struct pipeline *pipeline = announcer->pipeline;
	int err = 0;

	/* the world is cut only if there is something to announce */
	if (report_builder_stalled(pipeline->builder, ts_known)) {
		world_cut(pipeline->world, ts_known);
		err = report_builder_ongoing(pipeline->builder, pipeline->world, on_ongoing,
					     announcer);
	}
	if (!err)
		err = announce_ends(announcer);
	if (announcer->forget)
		report_builder_forget(pipeline->builder, ts_known);
	return err;
}

void announcer_done(struct announcer *announcer)
{
	for (struct announced_stall *known = announcer->ongoing, *next; known; known = next) {
		next = known->next;
		free(known);
	}
	announcer->ongoing = NULL;
}
