/* SPDX-License-Identifier: MIT */
#include "capture/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"

struct member *member_add(struct capture *capture, uint32_t tid, struct tracee *tracee)
{
	struct member *member;

	HASH_FIND(hh, capture->members, &tid, sizeof(tid), member);
	if (!member) {
		member = calloc(1, sizeof(*member));
		if (!member)
			return NULL;
		member->tid = tid;
		HASH_ADD(hh, capture->members, tid, sizeof(member->tid), member);
	}
	member->tracee = tracee;
	return member;
}

static struct tracee *tracee_of_thread(const struct capture *capture, uint32_t tid)
{
	struct member *member;

	HASH_FIND(hh, capture->members, &tid, sizeof(tid), member);
	return member ? member->tracee : NULL;
}

static struct tracee *tracee_of_process(const struct capture *capture, uint32_t pid)
{
	for (uint32_t i = 0; i < capture->tracee_count; i++)
		if (capture->tracees[i]->target->info.pid == pid)
			return capture->tracees[i];
	return NULL;
}

/* What a record means for the capture itself; the model has its own eyes. */
static int note_record(struct capture *capture, const union event *event)
{
	struct tracee *tracee;
	struct member *member;

	switch (event->hdr.type) {
	case EV_THREAD:
		tracee = tracee_of_process(capture, event->thread.pid);
		return tracee && !member_add(capture, event->hdr.tid, tracee) ? -ENOMEM : 0;
	case EV_THREAD_EXIT:
		HASH_FIND(hh, capture->members, &event->hdr.tid, sizeof(event->hdr.tid), member);
		if (member) {
			HASH_DEL(capture->members, member);
			free(member);
		}
		return 0;
	case EV_PROCESS_EXIT:
		tracee = tracee_of_process(capture, event->hdr.tid);
		if (tracee && !tracee->gone) {
			tracee->gone = true;
			capture->status.targets--;
			capture->status.execed |= event->hdr.flags & EVF_PROCESS_EXIT_EXEC;
		}
		return 0;
	case EV_UNKNOWN_GIL:
		tracee = tracee_of_thread(capture, event->hdr.tid);
		if (tracee)
			tracee->look_for_gils = true;
		return 0;
	case EV_EPOLL_ENTER:
		tracee = tracee_of_thread(capture, event->hdr.tid);
		if (!tracee || tracee->gone || event->epoll_enter.epfd >= EPFD_SEEN_MAX)
			return 0;
		if (tracee->epfd_seen[event->epoll_enter.epfd / 8] & 1u << event->epoll_enter.epfd % 8)
			return 0;
		tracee->epfd_seen[event->epoll_enter.epfd / 8] |= (unsigned char)(1u << event->epoll_enter.epfd % 8);
		return target_describe_epoll(tracee->target, event->epoll_enter.epfd, &capture->sink);
	default:
		return 0;
	}
}

int capture_handle_record(void *ctx, void *data, size_t size)
{
	struct capture *capture = ctx;
	union event event = {0};

	/* records are told from ours by nothing but their size; a mismatch would be a build that mixes two versions */
	if (size < sizeof(event.hdr) || size > sizeof(event))
		return capture->error = -EPROTO;
	memcpy(&event, data, size);
	if (event_size(event.hdr.type) != size)
		return capture->error = -EPROTO;
	capture->status.events++;
	if (event.hdr.type >= EV_EPOLL_ENTER)
		capture->error = note_record(capture, &event);
	if (!capture->error)
		capture->error = sink_event(&capture->sink, &event);
	return capture->error;
}

/* Losses counted since the last look become LOST events. The probes count in the other slot meanwhile. */
static int drain_losses(struct capture *capture)
{
	uint32_t slot = capture->skeleton->bss->loss_slot & 1;
	size_t bytes = sizeof(*capture->loss) * (size_t)capture->cpu_count;
	bool any = false;
	int err;

	__atomic_store_n(&capture->skeleton->bss->loss_slot, !slot, __ATOMIC_SEQ_CST);
	err = bpf_map__lookup_elem(capture->skeleton->maps.losses, &slot, sizeof(slot), capture->loss, bytes, 0);
	if (err)
		return err;
	for (int cpu = 0; cpu < capture->cpu_count; cpu++) {
		const struct shared_loss *loss = &capture->loss[cpu];
		union event event = {.lost = {
			.hdr = {.ts = loss->first_ts, .type = EV_LOST, .aux = (uint16_t)cpu},
			.count = loss->count,
			.last_ts = loss->last_ts,
		}};

		if (!loss->count)
			continue;
		any = true;
		capture->status.lost += loss->count;
		err = sink_event(&capture->sink, &event);
		if (err)
			return err;
	}
	if (!any)
		return 0;
	memset(capture->loss, 0, bytes);
	for (uint32_t i = 0; i < capture->tracee_count; i++)
		capture->tracees[i]->look_again = true;
	return bpf_map__update_elem(capture->skeleton->maps.losses, &slot, sizeof(slot), capture->loss, bytes, BPF_ANY);
}

/*
 * The order matters: what was stamped before `horizon` is in the ring or counted as lost by now, but for what is in flight on a CPU this instant,
 * which the stage's window covers.
 */
int capture_drain(struct capture *capture)
{
	uint64_t horizon = clock_now_ns();
	int err = drain_losses(capture);

	if (err)
		return err;
	ring_buffer__consume(capture->ring);
	if (capture->error)
		return capture->error;
	return reorder_advance(capture->reorder, horizon);
}
