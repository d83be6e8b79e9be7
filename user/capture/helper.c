/* SPDX-License-Identifier: MIT */
#include "capture/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "python/source/source_reader.h"
#include "python/target.h"

/* What it is asked or told: one of the two. */
struct message {
	uint32_t pid;	/* examine this process, or search */
	uint32_t image; /* forget this image */
};

/* What an answer begins with. The descriptors come in this order: of the image's uprobes, of the
 * target's own, of the reader. */
struct head {
	uint32_t pid, length; /* of what follows: the target, if there is one, or PIDs */
	uint32_t image;
	struct image_id image_id;
	uint32_t shared, own, readers;
	int err;
	struct diag diag;
};

static void target_freep(struct target **target)
{
	target_free(*target);
}

/* ── the helper ──────────────────────────────────────────────────────────────────────────────── */

/* In pieces that bounded_receive() takes as a whole. */
static int send_part(int line, const void *bytes, size_t length)
{
	enum { PIECE = 8192 };
	const char *from = bytes;
	int err = 0;

	for (size_t sent = 0; sent < length && !err; sent += PIECE)
		err = bounded_send(line, from + sent,
				   length - sent < PIECE ? length - sent : PIECE);
	return err;
}

static int send_fds(int line, const struct uprobes *uprobes)
{
	int err = 0;

	for (uint32_t i = 0; i < uprobes->fd_count && !err; i++)
		err = bounded_send_fd(line, uprobes->fds[i]);
	return err;
}

static int send_answer(int line, struct head *head, const struct target *target,
		       const struct helper_probes *probes, int reader)
{
	int err;

	head->length = target ? (uint32_t)target_bytes(target) : 0;
	head->image = probes->image;
	head->shared = probes->shared.fd_count;
	head->own = target ? probes->own.fd_count : 0;
	head->readers = reader >= 0;
	err = send_part(line, head, sizeof(*head));
	if (!err && target)
		err = target_send(target, send_part, line);
	if (!err)
		err = send_fds(line, &probes->shared);
	if (!err && target)
		err = send_fds(line, &probes->own);
	if (!err && reader >= 0)
		err = bounded_send_fd(line, reader);
	return err;
}

static void close_all(struct uprobes *uprobes)
{
	for (uint32_t i = 0; i < uprobes->fd_count; i++)
		close(uprobes->fds[i]);
	free(uprobes->fds);
	*uprobes = (struct uprobes){0};
}

static void close_probes(struct helper_probes *probes)
{
	close_all(&probes->shared);
	close_all(&probes->own);
}

static int answer(const struct helper_work *work, int line, uint32_t pid)
{
	_cleanup_(target_freep) struct target *target = NULL;
	_cleanup_(close_probes) struct helper_probes probes = {0};
	_cleanup_(closep) int reader = -1;
	struct head head = {.pid = pid};

	head.err = target_open((pid_t)pid, &head.diag, &target);
	if (!head.err) {
		head.image_id = target->image_id;
		head.err = work->set_uprobes(work->ctx, target, &probes, &head.diag);
	}
	if (!head.err && work->sources)
		reader = source_reader_line((pid_t)pid);
	return send_answer(line, &head, head.err ? NULL : target, &probes, reader);
}

static int answer_search(const struct helper_work *work, int line)
{
	uint32_t pids[CAPTURE_SEARCH_MAX], count = 0;
	struct head head = {.pid = HELPER_SEARCH};
	int err;

	if (work->search.find)
		count = work->search.find(work->search.ctx, pids, CAPTURE_SEARCH_MAX);
	head.length = count * (uint32_t)sizeof(*pids);
	err = send_part(line, &head, sizeof(head));
	return err ? err : send_part(line, pids, head.length);
}

/*
 * Closing the last descriptor of an uprobe takes the kernel a fifth of a second, in which no other
 * can be set; so that is left to a child which exits, and waits until nobody has asked for REST_MS:
 * a worker that has ended is replaced at once.
 */
enum { REST_MS = 500, REMOVED_MOST = 256 };

static void give_up(struct bounded_answer *request)
{
	_cleanup_(closep) int ours = -1, theirs = -1;
	int line[2];

	/* the child has them last only if it is still there then */
	if (!pipe2(line, O_CLOEXEC)) {
		theirs = line[0];
		ours = line[1];
	}
	if (!fork()) {
		close(ours);
		(void)!read(theirs, &(char){0}, 1);
		_exit(0);
	}
	for (uint32_t i = 0; i < request->fd_count; i++)
		close(request->fds[i]);
	request->fd_count = 0;
}

static int handle(const struct helper_work *work, int line, const struct message *message)
{
	if (message->image)
		work->forget_image(work->ctx, message->image);
	if (message->pid == HELPER_SEARCH)
		return answer_search(work, line);
	return message->pid ? answer(work, line, message->pid) : 0;
}

static bool is_wanted(int line)
{
	struct pollfd polled = {.fd = line, .events = POLLIN};

	return poll(&polled, 1, REST_MS) > 0;
}

static int serve(void *ctx, int line)
{
	_cleanup_(bounded_answer_done) struct bounded_answer request = {0};
	struct message message;
	int err = 0;

	while (!err && bounded_receive(line, &request) > 0) {
		if (request.length == sizeof(message)) {
			memcpy(&message, request.bytes, sizeof(message));
			request.length = 0;
			err = handle(ctx, line, &message);
		}
		if (request.fd_count && (request.fd_count >= REMOVED_MOST || !is_wanted(line)))
			give_up(&request);
		/* children that have given up, and readers of processes that have ended */
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	return err;
}

/* ── the observer ────────────────────────────────────────────────────────────────────────────── */

int helper_start(struct probe_helper *helper, const struct helper_work *work)
{
	int err;

	*helper = (struct probe_helper){.line = -1};
	err = bounded_start(serve, (void *)(uintptr_t)work, work->programs, work->program_count,
			    &helper->line, &helper->child);
	if (!err)
		fcntl(helper->line, F_SETFL, O_NONBLOCK);
	else
		helper->line = -1;
	return err;
}

void helper_end(struct probe_helper *helper)
{
	if (helper->line < 0)
		return;
	close(STEAL(helper->line, -1));
	bounded_end(helper->child);
	bounded_answer_done(&helper->answer);
}

/* send() is not allowed to a confined process */
static bool tell(const struct probe_helper *helper, const struct message *message)
{
	return write(helper->line, message, sizeof(*message)) == sizeof(*message);
}

bool helper_ask(struct probe_helper *helper, uint32_t pid)
{
	const struct message message = {.pid = pid};

	if (helper->line < 0 || helper->asked)
		return false;
	if (!tell(helper, &message)) {
		if (errno == EPIPE || errno == ECONNRESET)
			helper_end(helper); /* somebody has killed it */
		return false;
	}
	helper->asked = pid;
	return true;
}

bool helper_forget_image(struct probe_helper *helper, uint32_t image)
{
	const struct message message = {.image = image};

	return helper->line < 0 || (!helper->asked && tell(helper, &message));
}

void helper_remove_uprobes(struct probe_helper *helper, struct uprobes *uprobes)
{
	for (uint32_t i = 0; i < uprobes->fd_count && helper->line >= 0; i++)
		if (bounded_send_fd(helper->line, uprobes->fds[i]))
			break; /* it is closed here, then */
}

/* Is all there? The head is only then known to be whole. */
static bool is_whole(const struct bounded_answer *answer, struct head *ret_head)
{
	if (answer->length < sizeof(*ret_head))
		return false;
	memcpy(ret_head, answer->bytes, sizeof(*ret_head));
	return answer->length >= sizeof(*ret_head) + ret_head->length &&
	       answer->fd_count >= ret_head->shared + ret_head->own + ret_head->readers;
}

/* The first ones that are left; on failure they are left. */
static int take_fds(struct bounded_answer *answer, uint32_t count, struct uprobes *ret_uprobes)
{
	if (!count)
		return 0;
	ret_uprobes->fds = reallocarray(NULL, count, sizeof(*ret_uprobes->fds));
	if (!ret_uprobes->fds)
		return -ENOMEM;
	memcpy(ret_uprobes->fds, answer->fds, count * sizeof(*ret_uprobes->fds));
	ret_uprobes->fd_count = count;
	answer->fd_count -= count;
	memmove(answer->fds, answer->fds + count, answer->fd_count * sizeof(*answer->fds));
	return 0;
}

static void take_found(const struct bounded_answer *answer, const struct head *head,
		       struct helper_finding *ret_finding)
{
	ret_finding->found_count = head->length / sizeof(*ret_finding->found);
	ret_finding->found = malloc(head->length + 1);
	if (!ret_finding->found)
		ret_finding->found_count = 0; /* the next search finds them */
	else
		memcpy(ret_finding->found, answer->bytes + sizeof(*head), head->length);
}

/* The answer's descriptors are the finding's from here on. */
static void take_parts(struct bounded_answer *answer, const struct head *head,
		       struct helper_finding *ret_finding)
{
	*ret_finding = (struct helper_finding){.pid = head->pid,
					       .err = head->err,
					       .diag = head->diag,
					       .image = head->image,
					       .image_id = head->image_id};
	if (head->pid == HELPER_SEARCH) {
		take_found(answer, head, ret_finding);
		return;
	}
	if (take_fds(answer, head->shared, &ret_finding->shared))
		ret_finding->err = -ENOMEM;
	if (!ret_finding->err && take_fds(answer, head->own, &ret_finding->uprobes))
		ret_finding->err = -ENOMEM;
	if (!ret_finding->err)
		ret_finding->target = target_receive(answer->bytes + sizeof(*head), head->length);
	if (!ret_finding->target) {
		if (!head->err)
			ret_finding->err = diag_set(&ret_finding->diag, EXIT_FAILED, -ENOMEM,
						    "no memory");
		return;
	}
	if (head->readers && answer->fd_count)
		ret_finding->sources = source_reader_on(answer->fds[--answer->fd_count]);
}

bool helper_take(struct probe_helper *helper, struct helper_finding *ret_finding)
{
	struct head head;
	int more = 1;

	if (!helper->asked)
		return false;
	while (!is_whole(&helper->answer, &head) && more > 0)
		more = bounded_receive(helper->line, &helper->answer);
	if (more == -EAGAIN)
		return false;
	if (more > 0) {
		take_parts(&helper->answer, &head, ret_finding);
	} else {
		*ret_finding = (struct helper_finding){.pid = helper->asked, .err = -EPIPE};
		diag_set(&ret_finding->diag, EXIT_FAILED, -EPIPE,
			 "the helper that examines new processes has ended");
		helper_end(helper);
	}
	bounded_answer_done(&helper->answer);
	helper->asked = 0;
	return true;
}
