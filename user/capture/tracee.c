/* SPDX-License-Identifier: MIT */
#include "capture/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/duration.h"
#include "python/process/bounded.h"

/* ── threads ─────────────────────────────────────────────────────────────────────────────────── */

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

void member_remove(struct capture *capture, uint32_t tid)
{
	struct member *member = member_find(capture, tid);

	if (!member)
		return;
	HASH_DEL(capture->members, member);
	free(member);
}

struct tracee *tracee_of_process(const struct capture *capture, uint32_t pid)
{
	for (uint32_t i = 0; i < capture->tracee_count; i++)
		if (!capture->tracees[i]->gone && capture->tracees[i]->target->info.pid == pid)
			return capture->tracees[i];
	return NULL;
}

/* ── processes ───────────────────────────────────────────────────────────────────────────────── */

/* NULL: there is no room for another image. */
static int share_image(struct capture *capture, const struct target *target,
		       struct shared_image **ret_image)
{
	struct shared_image *image = images_find(&capture->images, &target->image_id);
	int err;

	*ret_image = image;
	if (image)
		return 0;
	image = images_add(&capture->images, &target->image_id, 0, clock_now_ns());
	if (!image)
		return 0;
	err = probes_set_uprobes(&capture->probes, target, UPROBES_IMAGE, image->number,
				 &image->uprobes);
	if (err)
		images_remove(image);
	else
		*ret_image = image;
	return err;
}

static int set_uprobes(struct capture *capture, struct tracee *tracee)
{
	const struct target *target = tracee->target;
	struct shared_image *image = NULL;
	int err = capture->shares_images ? share_image(capture, target, &image) : 0;

	if (!err)
		err = probes_set_uprobes(&capture->probes, target,
					 image ? UPROBES_OWN : UPROBES_ALL, 0, &tracee->uprobes);
	if (err || !image)
		return err;
	images_use(image);
	tracee->image = image;
	return 0;
}

int tracee_attach(struct capture *capture, struct tracee *tracee, struct diag *diag)
{
	const struct target *target = tracee->target;
	int err = capture->options.mode == MODE_FUTEX ? 0 : set_uprobes(capture, tracee);

	if (!err)
		return 0;
	/* first: if the process has ended, that is why it failed */
	if (!target_alive(target))
		return diag_set(diag, EXIT_FAILED, -ESRCH,
				"the process exited while the probes were set");
	if (err == -ETIMEDOUT) {
		diag_set(diag, EXIT_FAILED, err,
			 "no uprobes can be set in %s (%s): the file does not answer",
			 target->image_path, target->info.image);
		diag_hint(diag,
			  "no answer came for %d s; look at the file system behind it (FUSE, NFS), "
			  "and try again when that answers",
			  BOUNDED_WAIT_S);
		return err;
	}
	diag_set(diag, err == -EPERM || err == -EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED, err,
		 "cannot set uprobes in %s (%s): %s", target->image_path, target->info.image,
		 strerror(-err));
	if (err == -EPERM || err == -EACCES)
		diag_hint(diag,
			  "uprobes need CAP_PERFMON (or CAP_SYS_ADMIN); run gilscope doctor %u",
			  target->info.pid);
	else if (err == -EMFILE || err == -ENFILE)
		diag_hint(diag, "raise the limit of open files (ulimit -n): this kernel takes one "
				"for each place that is probed");
	else if (err == -ENOENT || err == -ESTALE)
		diag_hint(diag, "the file was deleted or replaced while gilscope looked at it; "
				"restart the service");
	else
		diag_hint(diag, "uprobes need a file system that allows them; some overlay and "
				"network file systems do not");
	return err;
}

/* Makes a GIL known to the probes. */
static int add_gil(struct capture *capture, const struct tracee *tracee,
		   const struct gil_address *gil, uint16_t index)
{
	const struct target *target = tracee->target;
	const struct python_layout *layout = &target->layout;
	struct shared_gil value = {
		.address = gil->address,
		.interpreter = gil->interpreter,
		.drop_request = layout->drop_request +
				(layout->drop_request_kind == DROP_REQUEST_ADDRESS ? target->runtime
										   : 0),
		.drop_request_kind = (uint16_t)layout->drop_request_kind,
		.tstate_interp = layout->tstate_interp,
		.index = index,
		.layout = layout->gil,
		.image = tracee->image ? tracee->image->number : 0,
	};
	uint16_t offsets[] = {
		[CONDITION_COND] = layout->gil.cond, [CONDITION_SWITCH] = layout->gil.switch_cond};

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		struct shared_gil_key key = {.condition = gil->address + offsets[i],
					     .tgid = target->info.pid};
		int err;

		value.condition = i;
		err = probes_set(&capture->probes, PROBES_GILS, &key, &value);
		if (err)
			return err;
	}
	return 0;
}

/* Of one that is gone, or a new one. */
static int take_index(struct capture *capture, uint16_t *ret_index)
{
	if (capture->free_gil_count) {
		*ret_index = capture->free_gils[--capture->free_gil_count];
		return 0;
	}
	if (capture->next_gil == UINT16_MAX)
		return -E2BIG;
	*ret_index = capture->next_gil++;
	return 0;
}

/* Without memory for that, it is not used again. */
static void give_index_back(struct capture *capture, uint16_t index)
{
	uint16_t *list = reallocarray(capture->free_gils, capture->free_gil_count + 1u,
				      sizeof(*list));

	if (!list)
		return;
	capture->free_gils = list;
	list[capture->free_gil_count++] = index;
}

static void remove_gil(struct capture *capture, const struct target *target, uint64_t address)
{
	uint16_t offsets[] = {target->layout.gil.cond, target->layout.gil.switch_cond};

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		struct shared_gil_key key = {.condition = address + offsets[i],
					     .tgid = target->info.pid};

		probes_remove(&capture->probes, PROBES_GILS, &key);
	}
}

void capture_expire_image(struct capture *capture)
{
	struct shared_image *image = images_unused(&capture->images, clock_now_ns());
	struct uprobes uprobes;

	/* the helper must know, or it would not set them again */
	if (!image || !helper_forget_image(&capture->family.helper, image->number))
		return;
	uprobes = images_remove(image);
	capture_remove_uprobes(capture, &uprobes);
}

void capture_remove_uprobes(struct capture *capture, struct uprobes *uprobes)
{
	helper_remove_uprobes(&capture->family.helper, uprobes);
	probes_remove_uprobes(&capture->probes, uprobes);
}

/* The PID may be used again, by a process that is not traced. */
void tracee_release(struct capture *capture, struct tracee *tracee)
{
	const struct probes *probes = &capture->probes;
	const struct target *target = tracee->target;
	uint32_t pid = target->info.pid;
	struct member *member, *next;

	symbols_remove_process(capture->symbols, pid);
	capture_remove_uprobes(capture, &tracee->uprobes);
	if (tracee->image)
		images_leave(STEAL(tracee->image, NULL), clock_now_ns());
	/* most of these may be missing: when a process executes another program, the probes have
	 * removed it themselves */
	probes_remove(probes, PROBES_TARGETS, &pid);
	probes_remove(probes, PROBES_PYTHONS, &pid);
	for (uint32_t i = 0; i < target->gil_count; i++)
		remove_gil(capture, target, target->gils[i].address);
	for (uint32_t i = 0; i < tracee->declared; i++)
		give_index_back(capture, tracee->gil_index[i]);
	tracee->declared = 0;
	probes_remove(probes, PROBES_GIL_LISTS, &pid);
	for (uint32_t fd = 0; fd < EPFD_SEEN_MAX; fd++) {
		struct shared_loop_key key = {.tgid = pid, .epfd = fd};

		if (epfd_is_in(tracee->epfd_loop, fd))
			probes_remove(probes, PROBES_LOOP_FDS, &key);
	}
	tracee_forget_gc_sites(capture, tracee);
	HASH_ITER(hh, capture->members, member, next)
	{
		if (member->tracee != tracee)
			continue;
		HASH_DEL(capture->members, member);
		free(member);
	}
}

/* Lets the probes distinguish futexes inside a GIL from others. */
static int list_gils(struct capture *capture, const struct tracee *tracee)
{
	const struct target *target = tracee->target;
	struct shared_gil_list list = {.count = 0};

	for (uint32_t i = 0; i < target->gil_count && list.count < SHARED_GIL_LIST_MAX; i++)
		list.gils[list.count++] = (struct shared_gil_span){
			.address = target->gils[i].address,
			.size = target->layout.gil.size,
			.mutex = target->layout.gil.mutex,
			.handover = target->layout.gil.switch_cond,
			.index = tracee->gil_index[i]};
	return probes_set(&capture->probes, PROBES_GIL_LISTS, &target->info.pid, &list);
}

static union event gil_event(const struct tracee *tracee, uint32_t number, uint8_t flags)
{
	const struct target *target = tracee->target;

	return (union event){.gil = {.hdr = {.tid = target->info.pid,
					     .type = EV_GIL,
					     .flags = flags,
					     .aux = tracee->gil_index[number]},
				     .address = target->gils[number].address,
				     .interpreter = target->gils[number].interpreter}};
}

static int declare_gil(struct capture *capture, struct tracee *tracee, uint32_t number)
{
	struct gil_address *gil = &tracee->target->gils[number];
	union event event;
	int err = number < tracee->declared ? 0 : take_index(capture, &tracee->gil_index[number]);

	if (err)
		return err;
	if (tracee->declared <= number)
		tracee->declared = number + 1;
	gil->declared = true;
	err = add_gil(capture, tracee, gil, tracee->gil_index[number]);
	/* its takes are traced a little later than its drops, and before that it is none */
	event = gil_event(tracee, number, 0);
	event.hdr.ts = clock_now_ns();
	return err ? err : sink_event(&capture->sink, &event);
}

/*
 * It is in no list any more, and its slots and its index are free for others. What the probes have
 * reported with this index comes before the event in time: they do not know the address any more,
 * and the next GIL with the index is declared later.
 */
static int drop_gil(struct capture *capture, struct tracee *tracee, uint32_t number)
{
	struct target *target = tracee->target;
	uint64_t address = target->gils[number].address;
	union event event = {0};
	int err = 0;

	if (number < tracee->declared) {
		remove_gil(capture, target, address);
		event = gil_event(tracee, number, EVF_GIL_GONE);
		event.hdr.ts = clock_now_ns();
		err = sink_event(&capture->sink, &event);
		give_index_back(capture, tracee->gil_index[number]);
		tracee->declared--;
		memmove(&tracee->gil_index[number], &tracee->gil_index[number + 1],
			(tracee->declared - number) * sizeof(*tracee->gil_index));
	}
	target->gil_count--;
	memmove(&target->gils[number], &target->gils[number + 1],
		(target->gil_count - number) * sizeof(*target->gils));
	return err;
}

/* The first is the main interpreter's, which lasts. */
static int drop_ended_gils(struct capture *capture, struct tracee *tracee)
{
	const struct target *target = tracee->target;
	int err = 0;

	for (uint32_t i = 1; i < target->gil_count && !err;)
		if (target->gils[i].gone)
			err = drop_gil(capture, tracee, i);
		else
			i++;
	return err;
}

/* Without room for it, one of a sub-interpreter stays unknown; it is found again later. */
static int declare_new_gils(struct capture *capture, struct tracee *tracee)
{
	const struct target *target = tracee->target;
	int err = 0;

	for (uint32_t i = 0; i < target->gil_count && !err;) {
		if (!target->gils[i].declared)
			err = declare_gil(capture, tracee, i);
		if (err == -E2BIG && i)
			err = drop_gil(capture, tracee, i);
		else
			i++;
	}
	return err;
}

int tracee_declare_gils(struct capture *capture, struct tracee *tracee)
{
	uint16_t *index;
	int err = drop_ended_gils(capture, tracee);

	if (err)
		return err;
	index = realloc(tracee->gil_index, tracee->target->gil_count * sizeof(*index));
	if (!index)
		return -ENOMEM;
	tracee->gil_index = index;
	err = declare_new_gils(capture, tracee);
	return err ? err : list_gils(capture, tracee);
}

static void note_descriptor(const struct tracee_stage *stage, const struct ev_epoll *epoll)
{
	const struct probes *probes = &stage->capture->probes;
	struct shared_loop_key key = {.tgid = epoll->hdr.tid, .epfd = epoll->epfd};
	uint8_t yes = 1;

	/* Beyond, a loop's sleeps are reported with their stacks, as below. One that is no loop's
	 * may yet become one: libuv adds its wake-up descriptor when it waits for the first time,
	 * and uvloop runs callbacks before that. So it is read again then. */
	if (epoll->epfd >= EPFD_SEEN_MAX || !(epoll->hdr.flags & EVF_EPOLL_WAKEUP))
		return;
	epfd_add(stage->tracee->epfd_seen, epoll->epfd);
	epfd_add(stage->tracee->epfd_loop, epoll->epfd);
	/* without room for it the loop's sleeps are reported with their stacks, which costs more
	 * and is not wrong */
	(void)probes_set(probes, PROBES_LOOP_FDS, &key, &yes);
}

static void note_state(const struct tracee_stage *stage, const struct ev_state *state)
{
	struct member *member = member_find(stage->capture, state->hdr.tid);

	if (member)
		member->waits = state->hdr.flags & EVF_STATE_EPOLL &&
				epfd_is_in(stage->tracee->epfd_loop, state->epfd);
}

/* Says of a loop's descriptor how its waits are seen. */
static int describe_waits(const struct tracee_stage *stage, const struct ev_epoll *epoll)
{
	union event event = {.epoll = *epoll};

	note_descriptor(stage, epoll);
	if (waits_are_probed(stage->capture, stage->tracee->target))
		event.hdr.flags |= EVF_EPOLL_ALONE;
	return sink_event(&stage->capture->sink, &event);
}

/* The process's first thread is that old, at least. */
static int stage_thread(const struct tracee_stage *stage, const union event *event)
{
	struct tracee *tracee = stage->tracee;
	const struct event_hdr *hdr = &event->hdr;
	const union event began = {
		.began = {.hdr = {.ts = hdr->ts, .tid = hdr->tid, .type = EV_BEGAN},
			  .since = tracee->since}};
	int err;

	if (!member_add(stage->capture, hdr->tid, tracee))
		return -ENOMEM;
	err = sink_event(&stage->capture->sink, event);
	if (err || !tracee->since || hdr->tid != tracee->target->info.pid)
		return err;
	tracee->since = 0;
	return sink_event(&stage->capture->sink, &began);
}

static int stage_event(void *ctx, const union event *event)
{
	struct tracee_stage *stage = ctx;
	struct member *member;

	switch (event->hdr.type) {
	case EV_THREAD:
		return stage_thread(stage, event);
	case EV_EPOLL:
		return describe_waits(stage, &event->epoll);
	case EV_RUNS_LOOP:
		member = member_find(stage->capture, event->hdr.tid);
		if (member)
			member->runs_loop = event->hdr.flags & EVF_RUNS_LOOP_YES;
		break;
	case EV_STATE:
		note_state(stage, &event->state);
		if (stage->identity_only)
			return 0;
		break;
	case EV_OBSERVE:
	case EV_FUTEX:
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

static int put_state(void *ctx, uint64_t address, uint64_t thread_id, uint32_t tid)
{
	const struct tracee_stage *stage = ctx;
	const struct probes *probes = &stage->capture->probes;
	struct shared_state_key key = {.tstate = address, .tgid = stage->tracee->target->info.pid};
	struct shared_state owner = {.pointer = thread_id, .tid = tid};

	/* without room for it, a holder may have no name */
	(void)probes_set(probes, PROBES_STATES, &key, &owner);
	(void)probes_set(probes, PROBES_THREAD_STATES, &tid, &key);
	return 0;
}

/* Threads that sleep all the time never pass a probe that would find out which state is theirs. */
static int put_states(const struct tracee_stage *stage)
{
	const struct capture *capture = stage->capture;
	int err = capture->options.mode == MODE_EXACT
			  ? 0
			  : capture->reader.states(stage->tracee->target, put_state, (void *)stage);

	return err == -EINTR ? 0 : err;
}

int tracee_snapshot(struct capture *capture, struct tracee *tracee, bool identity_only)
{
	struct tracee_stage stage = {
		.capture = capture, .tracee = tracee, .identity_only = identity_only};
	struct stream_sink sink = tracee_sink(&stage);
	int err;

	err = put_states(&stage);
	if (!err)
		err = capture->reader.snapshot(tracee->target, tracee->gil_index, &sink);
	if (err == -EINTR) /* the user has pressed Ctrl-C, and reading takes too long */
		return 0;
	if (!err && !identity_only)
		err = tracee_stills(capture, tracee);
	return err || identity_only ? err : tracee_names(capture, tracee);
}

int tracee_locks(struct capture *capture, struct tracee *tracee)
{
	struct tracee_stage stage = {.capture = capture, .tracee = tracee};
	struct stream_sink sink = tracee_sink(&stage);
	int err = capture->reader.locks(tracee->target, tracee->gil_index, &sink);

	return err == -ESRCH || err == -EINTR ? 0 : err;
}

static int report_child(void *ctx, uint32_t pid, uint8_t flags, const char *cmdline)
{
	const struct tracee_stage *stage = ctx;
	union event event = {.child = {.hdr = {.tid = stage->tracee->target->info.pid,
					       .type = EV_CHILD,
					       .flags = flags},
				       .pid = pid}};
	int err = symbols_name(stage->capture->symbols, cmdline, &event.child.text);

	event.hdr.ts = clock_now_ns();
	return err ? err : sink_event(&stage->capture->sink, &event);
}

int tracee_children(struct capture *capture, struct tracee *tracee)
{
	struct tracee_stage stage = {.capture = capture, .tracee = tracee};

	return capture->reader.children(tracee->target, report_child, &stage);
}

void tracee_free(struct capture *capture, struct tracee *tracee)
{
	free(tracee->gil_index);
	capture->reader.free(tracee->target);
	free(tracee);
}
