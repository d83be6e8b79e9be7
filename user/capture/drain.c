/* SPDX-License-Identifier: MIT */
#include "capture/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "python/process/pages.h"

#define NAMES_AFTER_NS (200 * NS_PER_MS) /* a new thread has its name by then */

struct member *member_find(const struct capture *capture, uint32_t tid)
{
	struct member *member;

	HASH_FIND(hh, capture->members, &tid, sizeof(tid), member);
	return member;
}

struct member *member_add(struct capture *capture, uint32_t tid, struct tracee *tracee)
{
	struct member *member = member_find(capture, tid);

	if (!member) {
		member = calloc(1, sizeof(*member));
		if (!member)
			return NULL;
		member->tid = tid;
		HASH_ADD(hh, capture->members, tid, sizeof(member->tid), member);
		if (HASH_FAILED(member)) {
			free(member);
			return NULL;
		}
	}
	member->tracee = tracee;
	return member;
}

static struct tracee *tracee_of_thread(const struct capture *capture, uint32_t tid)
{
	const struct member *member = member_find(capture, tid);

	return member ? member->tracee : NULL;
}

static struct tracee *tracee_of_process(const struct capture *capture, uint32_t pid)
{
	for (uint32_t i = 0; i < capture->tracee_count; i++)
		if (!capture->tracees[i]->gone && capture->tracees[i]->target->info.pid == pid)
			return capture->tracees[i];
	return NULL;
}

static bool has_bit(const unsigned char *bits, uint32_t number)
{
	return bits[number / 8] >> number % 8 & 1;
}

/* A wait on an epoll descriptor: what kind of descriptor it is, and whether the thread runs a loop,
 * is asked at the first. */
static int note_wait(struct capture *capture, const struct ev_epoll_enter *enter)
{
	struct member *member = member_find(capture, enter->hdr.tid);
	struct tracee *tracee = member ? member->tracee : NULL;
	struct tracee_stage stage = {.capture = capture, .tracee = tracee};
	struct stream_sink sink = tracee_sink(&stage);
	int err = 0;

	if (!tracee || tracee->gone || enter->epfd >= EPFD_SEEN_MAX)
		return 0;
	if (!has_bit(tracee->epfd_seen, enter->epfd)) {
		tracee->epfd_seen[enter->epfd / 8] |= (unsigned char)(1u << enter->epfd % 8);
		err = target_describe_epoll(tracee->target, enter->epfd, &sink);
	}
	return err || !has_bit(tracee->epfd_loop, enter->epfd)
		       ? err
		       : tracee_ask_loop(capture, tracee, member);
}

/* The number is free for another descriptor, and the thread for another loop: both are asked for
 * anew. */
static void note_close(const struct capture *capture, const struct ev_epoll_close *closed)
{
	struct member *member = member_find(capture, closed->hdr.tid);
	unsigned char bit = (unsigned char)(1u << closed->epfd % 8);

	if (!member)
		return;
	member->runs_loop = false;
	member->loop_asked = 0;
	if (closed->epfd >= EPFD_SEEN_MAX)
		return;
	member->tracee->epfd_seen[closed->epfd / 8] &= (unsigned char)~bit;
	member->tracee->epfd_loop[closed->epfd / 8] &= (unsigned char)~bit;
}

static void names_later(struct tracee *tracee)
{
	if (tracee && !tracee->names_due)
		tracee->names_due = clock_now_ns() + NAMES_AFTER_NS;
}

/* What a record means for the capture itself; the model has its own eyes. */
static int note_record(struct capture *capture, const union event *event)
{
	struct tracee *tracee;
	struct member *member;

	switch (event->hdr.type) {
	case EV_THREAD:
		tracee = tracee_of_process(capture, event->thread.pid);
		names_later(tracee);
		return tracee && !member_add(capture, event->hdr.tid, tracee) ? -ENOMEM : 0;
	case EV_COMM: /* newer versions give the kernel the Python name whenever it is set */
		names_later(tracee_of_thread(capture, event->hdr.tid));
		return 0;
	case EV_THREAD_EXIT:
		member = member_find(capture, event->hdr.tid);
		if (member) {
			HASH_DEL(capture->members, member);
			free(member);
		}
		return 0;
	case EV_PROCESS_EXIT:
		tracee = tracee_of_process(capture, event->hdr.tid);
		if (tracee && !tracee->gone) {
			tracee_gone(capture, tracee);
			capture->status.execed |= event->hdr.flags & EVF_PROCESS_EXIT_EXEC;
		}
		return 0;
	case EV_UNKNOWN_GIL:
		tracee = tracee_of_thread(capture, event->hdr.tid);
		if (tracee)
			tracee->look_for_gils = true;
		return 0;
	case EV_EPOLL_ENTER:
		return note_wait(capture, &event->epoll_enter);
	case EV_EPOLL_CLOSE:
		note_close(capture, &event->epoll_close);
		return 0;
	default:
		return 0;
	}
}

static int handle_event(struct capture *capture, const void *data, size_t size)
{
	union event event = {0};
	int err = 0;

	if (size > sizeof(event))
		return -EPROTO;
	memcpy(&event, data, size);
	if (event_size(event.hdr.type) != size)
		return -EPROTO;
	capture->status.events++;
	if (event.hdr.type >= EV_EPOLL_ENTER)
		err = note_record(capture, &event);
	return err ? err : sink_event(&capture->sink, &event);
}

static int handle_record(struct capture *capture, const void *data, size_t size)
{
	const struct event_hdr *hdr = data;

	/* records are told from ours by nothing but type and size; a mismatch would be a build that
	 * mixes two versions */
	if (size < sizeof(*hdr))
		return -EPROTO;
	switch (hdr->type) {
	case RING_STACK:
		return capture_handle_stack(capture, data, size);
	case RING_TEXT:
		return capture_handle_text(capture, data, size);
	case RING_SAMPLE:
		return capture_handle_sample(capture, data, size);
	default:
		return handle_event(capture, data, size);
	}
}

/* Probes that are faster than we are must not hold us here: with a record that lies behind the
 * window all that the horizon promises has come. */
int capture_handle_record(void *ctx, void *data, size_t size)
{
	const struct event_hdr *hdr = data;
	struct capture *capture = ctx;

	capture->error = handle_record(capture, data, size);
	if (!capture->error && hdr->ts > capture->horizon &&
	    hdr->ts - capture->horizon > REORDER_WINDOW_NS)
		return -EAGAIN;
	return capture->error;
}

/* Losses counted since the last look become LOST events. The probes count in the other slot
 * meanwhile. */
static int drain_losses(struct capture *capture)
{
	uint32_t slot = capture->skeleton->bss->loss_slot & 1;
	size_t bytes = sizeof(*capture->loss) * (size_t)capture->cpu_count;
	bool events = false, any = false;
	int err;

	__atomic_store_n(&capture->skeleton->bss->loss_slot, !slot, __ATOMIC_SEQ_CST);
	err = bpf_map__lookup_elem(capture->skeleton->maps.losses, &slot, sizeof(slot),
				   capture->loss, bytes, 0);
	if (err)
		return err;
	for (int cpu = 0; cpu < capture->cpu_count; cpu++) {
		const struct shared_loss *loss = &capture->loss[cpu];
		union event event = {.lost = {
					     .hdr = {.ts = loss->first_ts,
						     .type = EV_LOST,
						     .aux = (uint16_t)cpu},
					     .count = loss->count,
					     .last_ts = loss->last_ts,
				     }};

		any |= loss->count || loss->samples;
		capture->status.stacks.taken += loss->samples;
		capture->status.stacks.missing += loss->samples;
		if (!loss->count)
			continue;
		events = true;
		capture->status.lost += loss->count;
		err = sink_event(&capture->sink, &event);
		if (err)
			return err;
	}
	if (!any)
		return 0;
	memset(capture->loss, 0, bytes);
	if (events)
		capture_look_again(capture);
	return bpf_map__update_elem(capture->skeleton->maps.losses, &slot, sizeof(slot),
				    capture->loss, bytes, BPF_ANY);
}

static uint64_t misses_of(const struct bpf_program *program)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	int fd = bpf_program__fd(program);

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.recursion_misses;
}

/* As the programs count them (bpf_prog_info.recursion_misses, kernel 5.12; before, none are
 * counted). */
static struct misses misses_now(const struct capture *capture)
{
	const struct gilscope_bpf *skeleton = capture->skeleton;
	struct misses misses = {.samples = misses_of(skeleton->progs.on_clock)};
	struct bpf_program *program;

	bpf_object__for_each_program(program, skeleton->obj)
	{
		if (program != skeleton->progs.on_clock)
			misses.hits += misses_of(program);
	}
	return misses;
}

void capture_begin_misses(struct capture *capture)
{
	capture->misses = misses_now(capture);
	capture->misses.ts = clock_now_ns();
}

/* Often enough for the stage to hold all that came since the last look: what has gone on cannot be
 * unknown any more. */
#define MISSES_EVERY_NS (REORDER_WINDOW_NS / 2)

/*
 * Skipped hits are losses like others: the stream says so, and everybody who reads it. The kernel
 * counts those of all processes, and not when they were, so nothing is known since the last look.
 */
static int drain_misses(struct capture *capture, uint64_t horizon)
{
	bool enabled = capture->skeleton->bss->enabled;
	struct misses before = capture->misses, now;
	union event event = {
		.lost = {.hdr = {.ts = before.ts, .type = EV_LOST, .flags = EVF_LOST_MISSED}}};
	uint64_t ts = clock_now_ns();

	if (enabled && ts - before.ts < MISSES_EVERY_NS)
		return 0;
	now = misses_now(capture);
	now.ts = ts;
	capture->misses = now;
	capture->status.stacks.taken += now.samples - before.samples;
	capture->status.stacks.missing += now.samples - before.samples;
	event.lost.count = now.hits - before.hits;
	if (!event.lost.count)
		return 0;
	/* the window's end belongs to it no more */
	event.lost.last_ts = enabled ? clock_now_ns() : horizon - 1;
	if (event.hdr.ts > event.lost.last_ts)
		event.hdr.ts = event.lost.last_ts;
	capture->status.missed += event.lost.count;
	capture_look_again(capture);
	return sink_event(&capture->sink, &event);
}

/* Memory of the targets that was refused since the last drain, and that somebody may miss. */
static int drain_unread(struct capture *capture, uint64_t horizon)
{
	union event event = {.unread = {.hdr = {.ts = horizon - 1, .type = EV_UNREAD},
					.count = pages_unread() - capture->unread}};

	capture->unread += event.unread.count;
	return event.unread.count ? sink_event(&capture->sink, &event) : 0;
}

/*
 * The order matters: what was stamped before `horizon` is in the ring or counted as lost by now,
 * but for what is in flight on a CPU this instant, which the stage's window covers.
 */
int capture_drain(struct capture *capture, uint64_t horizon)
{
	int err = drain_losses(capture);

	if (!err)
		err = drain_misses(capture, horizon);
	if (!err)
		err = drain_unread(capture, horizon);
	if (err)
		return err;
	capture->horizon = horizon;
	ring_buffer__consume(capture->ring);
	if (capture->error)
		return capture->error;
	return reorder_advance(capture->reorder, horizon);
}
