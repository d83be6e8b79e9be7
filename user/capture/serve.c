/* SPDX-License-Identifier: MIT */
#include "capture/private.h"

#include <errno.h>

#define NAMES_AFTER_NS	  (200 * NS_PER_MS) /* a new thread has set its name by then */
#define ASK_AGAIN_NS	  NS_PER_S
#define SNAPSHOT_AFTER_NS (20 * NS_PER_MS) /* there may be more of them */
#define LOOPS_AGAIN_NS	  (50 * NS_PER_MS)
#define LOOPS_SHARE	  100 /* times as long as it took it is not asked again: 1 % of a CPU */
#define GILS_SHARE	  10  /* the same: what is unknown until then matters more */

/* ── what a record calls for ─────────────────────────────────────────────────────────────────── */

static void request_names(struct capture *capture, struct tracee *tracee, uint64_t ts)
{
	requests_put(&capture->requests, &(struct request){.tracee = tracee,
							   .kind = REQUEST_NAMES,
							   .due = ts + NAMES_AFTER_NS});
}

static void request(struct capture *capture, struct tracee *tracee, enum request_kind kind,
		    uint64_t key)
{
	requests_put(&capture->requests,
		     &(struct request){.tracee = tracee, .kind = kind, .key = key});
}

/* A process may make and end interpreters all the time, or seem to. */
static void request_gils(struct capture *capture, struct tracee *tracee)
{
	requests_put(
		&capture->requests,
		&(struct request){.tracee = tracee, .kind = REQUEST_GILS, .due = tracee->ts_gils});
}

/* Is the thread known to run a loop, or was Python asked about it within the last second? */
static bool is_asked(const struct member *member, uint64_t now)
{
	return member->runs_loop || (member->loop_asked && now < member->loop_asked + ASK_AGAIN_NS);
}

/* The first wait on an epoll descriptor calls for two reads: what kind of descriptor it is, and
 * whether the thread runs a loop. */
static void note_wait(struct capture *capture, struct member *member,
		      const struct ev_epoll_enter *enter)
{
	struct tracee *tracee = member->tracee;
	bool seen = epfd_is_in(tracee->epfd_seen, enter->epfd);

	if (enter->epfd >= EPFD_SEEN_MAX)
		return;
	if (!seen)
		request(capture, tracee, REQUEST_EPOLL, enter->epfd);
	/* whether that belongs to a loop is known by the time this is served */
	if ((!seen || epfd_is_in(tracee->epfd_loop, enter->epfd)) &&
	    !is_asked(member, enter->hdr.ts))
		request(capture, tracee, REQUEST_LOOP, request_loop_key(member->tid, enter->epfd));
}

/* From now on the number may mean another descriptor, and the thread may run another loop, so both
 * are read again. */
static void note_close(struct capture *capture, struct member *member,
		       const struct ev_epoll_close *closed)
{
	member->runs_loop = false;
	member->loop_asked = 0;
	if (closed->epfd >= EPFD_SEEN_MAX)
		return;
	requests_drop_epfd(&capture->requests, member->tracee, closed->epfd);
	epfd_drop(member->tracee->epfd_seen, closed->epfd);
	epfd_drop(member->tracee->epfd_loop, closed->epfd);
}

static int note_thread(struct capture *capture, const struct ev_thread *thread)
{
	struct tracee *tracee = tracee_of_process(capture, thread->pid);

	if (!tracee)
		return 0;
	request_names(capture, tracee, thread->hdr.ts);
	return member_add(capture, thread->hdr.tid, tracee) ? 0 : -ENOMEM;
}

/* Counts at once, so that it does even at the end of the observation; what is held for the process
 * is released later. */
void tracee_gone(struct capture *capture, struct tracee *tracee)
{
	if (tracee->gone)
		return;
	tracee->gone = true;
	capture->status.targets--;
	request(capture, tracee, REQUEST_GONE, 0);
}

static void note_exit(struct capture *capture, const struct ev_process_exit *exit)
{
	struct tracee *tracee = tracee_of_process(capture, exit->hdr.tid);

	if (!tracee)
		return;
	capture->status.execed |= exit->hdr.flags & EVF_PROCESS_EXIT_EXEC;
	tracee->ended = true;
	tracee_gone(capture, tracee);
}

static void note_of_member(struct capture *capture, struct member *member, const union event *event)
{
	switch (event->hdr.type) {
	case EV_COMM: /* newer versions give the kernel the Python name whenever it is set */
		request_names(capture, member->tracee, event->hdr.ts);
		break;
	case EV_UNKNOWN_GIL:
		request_gils(capture, member->tracee);
		break;
	case EV_EPOLL_ENTER:
		note_wait(capture, member, &event->epoll_enter);
		break;
	case EV_EPOLL_CLOSE:
		note_close(capture, member, &event->epoll_close);
		break;
	default:
		break;
	}
}

int capture_note(struct capture *capture, const union event *event)
{
	struct member *member;

	switch (event->hdr.type) {
	case EV_THREAD:
		return note_thread(capture, &event->thread);
	case EV_THREAD_EXIT:
		member_remove(capture, event->hdr.tid);
		return 0;
	case EV_PROCESS_EXIT:
		note_exit(capture, &event->process_exit);
		return 0;
	case EV_COMM:
	case EV_UNKNOWN_GIL:
	case EV_EPOLL_ENTER:
	case EV_EPOLL_CLOSE:
		member = member_find(capture, event->hdr.tid);
		if (member)
			note_of_member(capture, member, event);
		return 0;
	default:
		return 0;
	}
}

/*
 * A loop may run callbacks before it waits for the first time: uvloop does so, and an application
 * may be imported in one of these. Its first sleep or sample has a stack that is new.
 */
void capture_note_stack(struct capture *capture, uint32_t tid)
{
	const struct member *member = member_find(capture, tid);

	if (member && !member->runs_loop)
		requests_put(&capture->requests,
			     &(struct request){.tracee = member->tracee,
					       .kind = REQUEST_LOOPS,
					       .due = member->tracee->ts_loops});
}

void capture_request_snapshots(struct capture *capture)
{
	for (uint32_t i = 0; i < capture->tracee_count; i++)
		if (!capture->tracees[i]->gone)
			request(capture, capture->tracees[i], REQUEST_SNAPSHOT, 0);
}

void capture_request_snapshot(struct capture *capture, uint32_t pid)
{
	struct tracee *tracee = tracee_of_process(capture, pid);

	if (tracee)
		request(capture, tracee, REQUEST_SNAPSHOT, 0);
}

void capture_request_locks(struct capture *capture)
{
	for (uint32_t i = 0; i < capture->tracee_count; i++)
		if (!capture->tracees[i]->gone)
			request(capture, capture->tracees[i], REQUEST_LOCKS, 0);
}

/* ── reading it ──────────────────────────────────────────────────────────────────────────────── */

/* Which threads have one that is new is not known before they are read again. */
static int look_for_gils(struct capture *capture, struct tracee *tracee)
{
	uint64_t begin = clock_now_ns(), end;
	int found = capture->reader.refresh_gils(tracee->target), err;

	if (found > 0)
		requests_put(&capture->requests,
			     &(struct request){.tracee = tracee,
					       .kind = REQUEST_SNAPSHOT,
					       .due = begin + SNAPSHOT_AFTER_NS});
	err = found < 0 ? 0 : tracee_declare_gils(capture, tracee);
	end = clock_now_ns();
	tracee->ts_gils = end + GILS_SHARE * (end - begin);
	return err;
}

/* New GILs first, so that the snapshot includes who holds them. */
static int take_snapshot(struct capture *capture, struct tracee *tracee)
{
	bool gils = requests_cancel(&capture->requests, tracee, REQUEST_GILS);
	int err = gils ? look_for_gils(capture, tracee) : 0;

	return err ? err : tracee_snapshot(capture, tracee, false);
}

static int describe_epoll(struct capture *capture, struct tracee *tracee, uint32_t epfd)
{
	struct tracee_stage stage = {.capture = capture, .tracee = tracee};
	struct stream_sink sink = tracee_sink(&stage);

	epfd_add(tracee->epfd_seen, epfd); /* even if there is no answer */
	return capture->reader.describe_epoll(tracee->target, epfd, &sink);
}

static int ask_loop(struct capture *capture, struct tracee *tracee, uint64_t key)
{
	struct member *member = member_find(capture, (uint32_t)(key >> 32));
	struct tracee_stage stage = {.capture = capture, .tracee = tracee};
	struct stream_sink sink = tracee_sink(&stage);
	uint64_t now = clock_now_ns();
	int err;

	if (!member || member->tracee != tracee || is_asked(member, now) ||
	    !epfd_is_in(tracee->epfd_loop, (uint32_t)key))
		return 0;
	member->loop_asked = now;
	err = capture->reader.describe_loop(tracee->target, member->tid, &sink);
	return err == -ESRCH ? 0 : err;
}

struct asking {
	struct tracee_stage stage;
	bool found;
};

/* Only answers that are news. */
static int answer_loop(void *ctx, const union event *event)
{
	struct asking *asking = ctx;
	const struct member *member = member_find(asking->stage.capture, event->hdr.tid);
	struct stream_sink sink = tracee_sink(&asking->stage);

	if (!member || member->runs_loop || !(event->hdr.flags & EVF_RUNS_LOOP_YES))
		return 0;
	asking->found = true;
	return sink_event(&sink, event);
}

/* The descriptor of a loop that is new must be known before it waits there. */
static int ask_loops(struct capture *capture, struct tracee *tracee)
{
	struct asking asking = {.stage = {.capture = capture, .tracee = tracee}};
	struct stream_sink sink = {.event = answer_loop, .ctx = &asking};
	uint64_t begin = clock_now_ns(), end, pause;
	int err = capture->reader.describe_loops(tracee->target, &sink);

	if (!err && asking.found)
		err = tracee_snapshot(capture, tracee, false);
	end = clock_now_ns();
	pause = LOOPS_SHARE * (end - begin);
	tracee->ts_loops = end + (pause > LOOPS_AGAIN_NS ? pause : LOOPS_AGAIN_NS);
	return err == -ESRCH ? 0 : err;
}

static int put_end(struct capture *capture, const struct tracee *tracee)
{
	const union event event = {.process_exit = {.hdr = {.ts = clock_now_ns(),
							    .tid = tracee->target->info.pid,
							    .type = EV_PROCESS_EXIT}}};

	return tracee->ended ? 0 : sink_event(&capture->sink, &event);
}

/* Its files are still there, for what has not been read yet. */
static int release(struct capture *capture, struct tracee *tracee)
{
	int err = symbols_finish_sources(capture->symbols, SOURCES_WAIT_MS);

	/* while they are known to be its own */
	err = err ? err : capture_drain_losses(capture);
	err = err ? err : put_end(capture, tracee);
	tracee_release(capture, tracee);
	for (uint32_t i = 0; i < capture->tracee_count; i++)
		if (capture->tracees[i] == tracee)
			capture->tracees[i] = capture->tracees[--capture->tracee_count];
	tracee_free(capture, tracee);
	return err;
}

int capture_release_former(struct capture *capture, uint32_t pid)
{
	for (uint32_t i = 0; i < capture->tracee_count; i++) {
		struct tracee *tracee = capture->tracees[i];

		if (tracee->target->info.pid == pid && tracee->gone &&
		    requests_cancel(&capture->requests, tracee, REQUEST_GONE))
			return release(capture, tracee);
	}
	return 0;
}

static int serve(struct capture *capture, const struct request *next)
{
	struct tracee *tracee = next->tracee;

	switch (next->kind) {
	case REQUEST_EPOLL:
		return describe_epoll(capture, tracee, (uint32_t)next->key);
	case REQUEST_LOOP:
		return ask_loop(capture, tracee, next->key);
	case REQUEST_LOOPS:
		return ask_loops(capture, tracee);
	case REQUEST_NAMES:
		return tracee_names(capture, tracee);
	case REQUEST_GILS:
		return look_for_gils(capture, tracee);
	case REQUEST_SNAPSHOT:
		return take_snapshot(capture, tracee);
	case REQUEST_LOCKS:
		return tracee_locks(capture, tracee);
	case REQUEST_NATIVE:
		return tracee_natives(capture, tracee);
	case REQUEST_GONE:
		return release(capture, tracee);
	case REQUEST_KINDS:
		break;
	}
	return -EINVAL;
}

/* A process that is ending is not an error. Its PROCESS_EXIT is on the way but may be lost, so a
 * process that has ended is released without waiting for it. */
static int serve_unless_gone(struct capture *capture, const struct request *next)
{
	int err = serve(capture, next);

	if (err != -ESRCH || next->kind == REQUEST_GONE)
		return err == -ESRCH ? 0 : err;
	if (!capture->reader.alive(next->tracee->target))
		tracee_gone(capture, next->tracee);
	return 0;
}

int capture_serve(struct capture *capture, uint64_t budget_ns)
{
	uint64_t start = clock_now_ns(), now = start;
	struct request next;
	int err = 0;

	while (!err && requests_take(&capture->requests, now, &next)) {
		err = serve_unless_gone(capture, &next);
		now = clock_now_ns();
		if (now - start >= budget_ns)
			break;
	}
	return err;
}
