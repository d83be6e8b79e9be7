/* SPDX-License-Identifier: MIT */
#include "cmd/watch/teller.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "words/canvas.h"

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
	if (!err && teller->length + length > TELLER_BYTES_MAX)
		teller->left_out++;
	else if (!err)
		err = append(teller, line, length);
	return err;
}

/* That something was left out, once there is room again. */
static int tell_left_out(struct teller *teller, const struct told_event *before)
{
	struct text_buffer text = {0};
	const struct told_event event = {.kind = EVENT_LOSS,
					 .state = EVENT_ENDED,
					 .ts = before->ts,
					 .text = &text,
					 .report = before->report};

	if (teller->left_out == teller->left_out_told || teller->length > TELLER_BYTES_MAX / 2)
		return 0;
	text_add_number_of(&text, teller->left_out - teller->left_out_told, "event", "events");
	text_add(&text, " could not be told: the reader of the standard output did not keep up");
	teller->left_out_told = teller->left_out;
	return tell_now(teller, &event);
}

int teller_tell(struct teller *teller, const struct told_event *event)
{
	int err = tell_left_out(teller, event);

	return err ? err : tell_now(teller, event);
}

/* A pipe that can be written to has room for PIPE_BUF (pipe(7)). */
static int write_some(struct teller *teller, int timeout_ms)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
	ssize_t written;
	int ready = poll(&out, 1, timeout_ms);

	if (ready <= 0)
		return ready < 0 && errno != EINTR ? -errno : 0;
	written = write(STDOUT_FILENO, teller->waiting,
			teller->length < PIPE_BUF ? teller->length : PIPE_BUF);
	if (written < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	teller->length -= (size_t)written;
	memmove(teller->waiting, teller->waiting + written, teller->length);
	return (int)written;
}

int teller_flush(struct teller *teller)
{
	int written = 1;

	while (teller->length && written > 0)
		written = write_some(teller, 0);
	return written < 0 ? written : 0;
}

int teller_finish(struct teller *teller, int timeout_ms)
{
	int written = 1;

	while (teller->length && written > 0)
		written = write_some(teller, timeout_ms);
	return written < 0 ? written : teller->length ? -ETIMEDOUT : 0;
}

void teller_done(struct teller *teller)
{
	free(teller->waiting);
}
