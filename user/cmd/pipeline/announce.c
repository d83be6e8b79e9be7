/* SPDX-License-Identifier: MIT */
#include "cmd/pipeline/announce.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "diagnosis/diagnosis.h"
#include "words/canvas.h"
#include "words/names.h"
#include "words/stall.h"

#define FIRST_NS      NS_PER_S
#define TITLE_COLUMNS 60

/* A stall in progress that lasts. */
struct announced_stall {
	struct announced_stall *next;
	const struct loop *loop;
	uint64_t start;
	uint64_t due_ns; /* the next line is written when it is that long */
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

bool announcer_many_loops(const struct pipeline *pipeline)
{
	uint32_t position = 0, loops = 0;
	struct thread *thread;

	while ((thread = world_next_thread(pipeline->world, &position)))
		loops += thread->loop != NULL;
	return loops > 1;
}

/* 0: stderr is not a terminal. */
static unsigned terminal_columns(void)
{
	struct winsize size;

	return isatty(STDERR_FILENO) && !ioctl(STDERR_FILENO, TIOCGWINSZ, &size) ? size.ws_col : 0;
}

/* On a terminal the line replaces the progress line, which is printed again later. */
static int put_line(const struct text_buffer *text)
{
	_cleanup_(freep) char *line = NULL;
	size_t length;
	FILE *file = open_memstream(&line, &length);
	const struct canvas canvas = {.file = file};

	if (!file)
		return -ENOMEM;
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", file);
	canvas_cell(&canvas, text->bytes, 0, false);
	fputc('\n', file);
	if (fclose(file))
		return -ENOMEM;
	put(line, length);
	return 0;
}

/* On a terminal it fits into one of its lines. */
static int announce(const struct announcer *announcer, const struct report *report,
		    const struct loop *loop, const struct stall *stall)
{
	struct text_buffer text = {0};

	if (announcer->on_stall)
		return announcer->on_stall(announcer->ctx, report, loop, stall);
	text_add_stall_line(&text, report, loop, stall, announcer_many_loops(announcer->pipeline),
			    terminal_columns());
	return put_line(&text);
}

void announcer_add_death(struct text_buffer *text, const struct report *report,
			 const struct process *process)
{
	char title[PROCESS_TITLE_MAX];

	text_add_time(text, report, process->death.ts);
	text_add(text, "  process %u (", process->info.pid);
	text_add_name(text, process_title(process, title), TITLE_COLUMNS);
	text_add(text, ")");
	text_add_death(text, process, false);
}

static int announce_death(const struct announcer *announcer, const struct report *report,
			  const struct process *process)
{
	struct text_buffer text = {0}, line = {0};
	unsigned columns = terminal_columns();

	if (announcer->on_death)
		return announcer->on_death(announcer->ctx, report, process);
	announcer_add_death(&text, report, process);
	text_add_cut(&line, text.bytes, columns ? columns : UINT32_MAX);
	return put_line(&line);
}

/* Processes that have died since the last time, in the order in which they appeared. */
static int announce_deaths(struct announcer *announcer)
{
	struct pipeline *pipeline = announcer->pipeline;
	const struct process *process;
	uint64_t newest = announcer->ts_death;
	uint32_t position = 0;
	int err = 0;

	while (!err && (process = world_next_process(pipeline->world, &position))) {
		uint64_t ts = process->death.ts;

		if (ts > announcer->ts_death &&
		    (announcer->on_death || death_is_trouble(process, false)))
			err = announce_death(
				announcer, report_builder_names(pipeline->builder, pipeline->world),
				process);
		newest = ts > newest ? ts : newest;
	}
	announcer->ts_death = newest;
	return err;
}

static void note_longest(struct announcer *announcer, const struct stall *stall)
{
	uint64_t ns = stall->end - stall->start;

	if (ns > announcer->pipeline->worst_ns)
		announcer->pipeline->worst_ns = ns;
}

static int on_ongoing(void *ctx, const struct ongoing *ongoing)
{
	const struct stall *stall = &ongoing->stall;
	struct announcer *announcer = ctx;
	struct announced_stall *known = find(announcer, ongoing->loop, stall->start);

	note_longest(announcer, stall);
	if (stall->end - stall->start < FIRST_NS && !stall->earlier && !announcer->at_once)
		return 0;
	if (!known) {
		known = calloc(1, sizeof(*known));
		if (!known)
			return -ENOMEM;
		*known = (struct announced_stall){
			.next = announcer->ongoing,
			.loop = ongoing->loop,
			.start = stall->start,
			.due_ns = stall->earlier || announcer->at_once ? 0 : FIRST_NS};
		announcer->ongoing = known;
	}
	if (stall->end - stall->start < known->due_ns)
		return 0;
	while (known->due_ns <= stall->end - stall->start)
		known->due_ns = known->due_ns ? 2 * known->due_ns : FIRST_NS;
	return announce(announcer, ongoing->report, ongoing->loop, stall);
}

static void forget_known(struct announcer *announcer, const struct loop *loop, uint64_t start)
{
	for (struct announced_stall **link = &announcer->ongoing, *known; (known = *link);) {
		if (known->loop != loop || known->start > start) {
			link = &known->next;
			continue;
		}
		*link = known->next;
		free(known);
	}
}

static int on_ended(void *ctx, const struct report *report, const struct loop *loop,
		    const struct stall *stall)
{
	struct announcer *announcer = ctx;

	note_longest(announcer, stall);
	announcer->pipeline->stalls++;
	forget_known(announcer, loop, stall->start);
	return announce(announcer, report, loop, stall);
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
		err = report_builder_ended(pipeline->builder, pipeline->world, on_ended, announcer);
	if (!err)
		err = announce_deaths(announcer);
	if (announcer->forget)
		report_builder_forget(pipeline->builder, ts_known);
	return err;
}

int announcer_finish(struct announcer *announcer)
{
	int err = report_builder_ended(announcer->pipeline->builder, announcer->pipeline->world,
				       on_ended, announcer);

	return err ? err : announce_deaths(announcer);
}

void announcer_done(struct announcer *announcer)
{
	for (struct announced_stall *known = announcer->ongoing, *next; known; known = next) {
		next = known->next;
		free(known);
	}
	announcer->ongoing = NULL;
}
