/* SPDX-License-Identifier: MIT */
#include "capture/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/duration.h"

int tracee_attach(struct capture *capture, struct tracee *tracee, struct diag *diag)
{
	const struct target *target = tracee->target;
	int err = uprobes_set(&tracee->uprobes, capture->skeleton, target, capture->options.stacks, capture->multi);

	if (!err)
		return 0;
	diag_set(diag, err == -EPERM || err == -EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED, err, "cannot set uprobes in %s (%s): %s", target->image_path,
		 target->info.image, strerror(-err));
	diag_hint(diag, "run gilscope doctor %u; uprobes need CAP_PERFMON (or CAP_SYS_ADMIN) and a file system that allows them", target->info.pid);
	return err;
}

/* For the probes to tell the GILs' own futexes from others. */
static int list_gils(struct capture *capture, const struct tracee *tracee)
{
	const struct target *target = tracee->target;
	struct shared_gil_list list = {.count = target->gil_count < SHARED_GIL_LIST_MAX ? target->gil_count : SHARED_GIL_LIST_MAX};

	for (uint32_t i = 0; i < list.count; i++)
		list.gils[i] = (struct shared_gil_span){
			.address = target->gils[i].address, .size = GIL_SIZE, .handover = GIL_SWITCH_COND, .index = tracee->gil_index[i]};
	return bpf_map__update_elem(capture->skeleton->maps.gil_lists, &target->info.pid, sizeof(target->info.pid), &list, sizeof(list), BPF_ANY);
}

int tracee_declare_gils(struct capture *capture, struct tracee *tracee, uint32_t from, uint64_t ts)
{
	const struct target *target = tracee->target;
	uint16_t *index = realloc(tracee->gil_index, target->gil_count * sizeof(*index));

	if (!index)
		return -ENOMEM;
	tracee->gil_index = index;
	for (uint32_t i = from; i < target->gil_count; i++) {
		struct shared_gil_key key = {.address = target->gils[i].address, .tgid = target->info.pid};
		struct shared_gil value = {
			.drop_request = target->layout.drop_request,
			.drop_request_kind = (uint16_t)target->layout.drop_request_kind,
			.tstate_interp = target->layout.tstate_interp,
			.index = capture->next_gil,
		};
		union event event = {.gil = {
			.hdr = {.ts = ts, .tid = target->info.pid, .type = EV_GIL, .aux = capture->next_gil},
			.address = target->gils[i].address,
			.interpreter = target->gils[i].interpreter,
		}};
		int err = bpf_map__update_elem(capture->skeleton->maps.gils, &key, sizeof(key), &value, sizeof(value), BPF_ANY);

		if (err)
			return err;
		index[i] = capture->next_gil++;
		err = sink_event(&capture->sink, &event);
		if (err)
			return err;
	}
	return list_gils(capture, tracee);
}

static void note_descriptor(const struct tracee_stage *stage, const struct ev_epoll *epoll)
{
	struct shared_loop_key key = {.tgid = epoll->hdr.tid, .epfd = epoll->epfd};
	unsigned char bit = (unsigned char)(1u << epoll->epfd % 8), value = 1;

	if (epoll->epfd < EPFD_SEEN_MAX)
		stage->tracee->epfd_seen[epoll->epfd / 8] |= bit;
	if (!(epoll->hdr.flags & EVF_EPOLL_WAKEUP))
		return;
	if (epoll->epfd < EPFD_SEEN_MAX)
		stage->tracee->epfd_loop[epoll->epfd / 8] |= bit;
	/* without room for it the loop's sleeps are told with their stacks, which is too much and not wrong */
	(void)bpf_map__update_elem(stage->capture->skeleton->maps.loop_fds, &key, sizeof(key), &value, sizeof(value), BPF_ANY);
}

static int stage_event(void *ctx, const union event *event)
{
	struct tracee_stage *stage = ctx;
	struct member *member;

	switch (event->hdr.type) {
	case EV_THREAD:
		if (!member_add(stage->capture, event->hdr.tid, stage->tracee))
			return -ENOMEM;
		break;
	case EV_EPOLL:
		note_descriptor(stage, &event->epoll);
		break;
	case EV_RUNS_LOOP:
		member = member_find(stage->capture, event->hdr.tid);
		if (member)
			member->runs_loop = event->hdr.flags & EVF_RUNS_LOOP_YES;
		if (stage->identity_only)
			return 0;
		break;
	case EV_STATE:
	case EV_OBSERVE:
		if (stage->identity_only)
			return 0;
		break;
	default:
		break;
	}
	return sink_event(&stage->capture->sink, event);
}

static int stage_process(void *ctx, const struct process_info *info)
{
	const struct tracee_stage *stage = ctx;

	return sink_process(&stage->capture->sink, info);
}

struct stream_sink tracee_sink(struct tracee_stage *stage)
{
	return (struct stream_sink){.event = stage_event, .process = stage_process, .ctx = stage};
}

int tracee_snapshot(struct capture *capture, struct tracee *tracee, bool identity_only)
{
	struct tracee_stage stage = {.capture = capture, .tracee = tracee, .identity_only = identity_only};
	struct stream_sink sink = tracee_sink(&stage);
	int err;

	tracee->look_again = false;
	err = target_snapshot(tracee->target, tracee->gil_index, &sink);
	return err || identity_only ? err : tracee_names(capture, tracee);
}

void tracee_free(struct tracee *tracee)
{
	if (!tracee)
		return;
	uprobes_done(&tracee->uprobes);
	free(tracee->gil_index);
	target_free(tracee->target);
	free(tracee);
}
