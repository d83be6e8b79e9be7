/* SPDX-License-Identifier: MIT */
#include "cmd/watch/teller.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "words/canvas.h"
#include "words/words.h"

/* poll() says that a terminal can be written to as soon as there is room for a byte, and write()
 * then waits for all. It is opened anew, because O_NONBLOCK is all its users'. */
void teller_begin(struct teller *teller, bool json)
{
	*teller = (struct teller){.json = json, .fd = -1};
	if (isatty(STDOUT_FILENO))
		teller->fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	teller->opened = teller->fd >= 0;
	if (!teller->opened)
		teller->fd = STDOUT_FILENO;
}

static size_t waiting(const struct teller *teller)
{
	return teller->length - teller->begin;
}

static int append(struct teller *teller, const char *line, size_t length)
{
	if (teller->length + length > teller->room) {
		size_t room = 2 * (teller->length + length);
		char *waiting = realloc(teller->waiting, room);

		if (!waiting)
			return -ENOMEM;
		teller->waiting = waiting;
		teller->room = room;
	}
	memcpy(teller->waiting + teller->length, line, length);
	teller->length += length;
	return 0;
}

static int print(FILE *file, const struct teller *teller, const struct told_event *event)
{
	const struct canvas canvas = {.file = file};

	if (teller->json)
		return view_event_json(file, event);
	canvas_cell(&canvas, event->text->bytes, 0, false);
	fputc('\n', file);
	return 0;
}

static int tell_now(struct teller *teller, const struct told_event *event)
{
	_cleanup_(freep) char *line = NULL;
	size_t length;
	FILE *file = open_memstream(&line, &length);
	int err = file ? print(file, teller, event) : -ENOMEM;

	if (file && fclose(file) && !err)
		err = -ENOMEM;
	if (!err && !event->untold && event->kind != EVENT_WATCH &&
	    waiting(teller) + length > TELLER_BYTES_MAX)
		teller->left_out++;
	else if (!err)
		err = append(teller, line, length);
	return err;
}

/* That something was left out, once there is room again, or it is the last chance. */
static int tell_left_out(struct teller *teller, const struct told_event *before)
{
	struct text_buffer text = {0};
	const struct told_event event = {.kind = EVENT_LOSS,
					 .state = EVENT_ENDED,
					 .ts = before->ts,
					 .text = &text,
					 .report = before->report,
					 .untold = teller->left_out - teller->left_out_told};

	if (!event.untold ||
	    (before->kind != EVENT_WATCH && waiting(teller) > TELLER_BYTES_MAX / 2))
		return 0;
	text_add_time(&text, before->report, before->ts);
	text_add(&text, "  ");
	text_add_number_of(&text, event.untold, "event", "events");
	text_add(&text, " could not be told: the reader of the standard output did not keep up");
	teller->left_out_told = teller->left_out;
	return tell_now(teller, &event);
}

int teller_tell(struct teller *teller, const struct told_event *event)
{
	int err = tell_left_out(teller, event);

	return err ? err : tell_now(teller, event);
}

/* A disk that is full may have room again. */
static bool may_pass(int number)
{
	return number == EINTR || number == EAGAIN || number == ENOSPC || number == EDQUOT;
}

/* A pipe that can be written to has room for PIPE_BUF (pipe(7)). */
static int write_some(struct teller *teller, int timeout_ms)
{
	struct pollfd out = {.fd = teller->fd, .events = POLLOUT};
	size_t length = waiting(teller) < PIPE_BUF ? waiting(teller) : PIPE_BUF;
	ssize_t written;
	int ready = poll(&out, 1, timeout_ms);

	if (ready <= 0)
		return ready < 0 && errno != EINTR ? -errno : 0;
	written = write(teller->fd, teller->waiting + teller->begin, length);
	teller->refused = written < 0 && errno != EINTR && errno != EAGAIN ? -errno : 0;
	if (written < 0)
		return may_pass(errno) ? 0 : -errno;
	teller->begin += (size_t)written;
	return (int)written;
}

static int write_waiting(struct teller *teller, int timeout_ms)
{
	int written = 1;

	while (waiting(teller) && written > 0)
		written = write_some(teller, timeout_ms);
	if (teller->begin)
		memmove(teller->waiting, teller->waiting + teller->begin, waiting(teller));
	teller->length = waiting(teller);
	teller->begin = 0;
	return written < 0 ? written : 0;
}

int teller_flush(struct teller *teller)
{
	return write_waiting(teller, 0);
}

int teller_finish(struct teller *teller, int timeout_ms)
{
	int err = write_waiting(teller, timeout_ms);

	if (err || !teller->length)
		return err;
	return teller->refused ? teller->refused : -ETIMEDOUT;
}

void teller_done(struct teller *teller)
{
	if (teller->opened)
		close(teller->fd);
	free(teller->waiting);
}
