/* SPDX-License-Identifier: MIT */
#include "capture/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "capture/kernel/bpf_probes.h"

/* How long a poll reads what was requested; the ring has room for seconds. */
#define SERVE_NS (10 * NS_PER_MS)

DEFINE_CLEANUP(capture_free, struct capture *, capture_free, NULL)

static const struct process_reader target_reader = {
	.alive = target_alive,
	.refresh_gils = target_refresh_gils,
	.snapshot = target_snapshot,
	.states = target_states,
	.locks = target_locks,
	.describe_epoll = target_describe_epoll,
	.describe_loop = target_describe_loop,
	.describe_loops = target_describe_loops,
	.thread_names = target_thread_names,
	.stills = target_stills,
	.children = target_children,
	.native = target_native,
	.free = target_free,
	.below = target_below,
};

int capture_new(const struct features *features, const struct capture_options *options,
		struct reorder *to, struct diag *diag, struct capture **ret_capture)
{
	_cleanup_(capture_freep) struct capture *capture = calloc(1, sizeof(*capture));
	int err;

	if (!capture)
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
	capture->reader = target_reader;
	capture->reorder = to;
	capture->sink = reorder_sink(to);
	capture->options = *options;
	if (!options->mode)
		capture->options.mode = MODE_EXACT;
	if (!options->stacks && capture->options.mode == MODE_EXACT)
		capture->options.rate_hz = 0;
	/* nobody else is to pay for one process; and without cookies a file that has two names
	 * would be probed twice */
	capture->shares_images = options->follow && features->cookies;
	err = kernel_probes_load(features, &capture->options, capture_handle_record, capture, diag,
				 &capture->kernel);
	if (err)
		return err;
	capture->probes = kernel_probes_interface(capture->kernel);
	capture->program_count = kernel_probes_programs(capture->kernel, capture->programs,
							BOUNDED_KEEP_MAX);
	capture->family.helper.line = -1;
	capture->symbols = symbols_new(capture->sink);
	if (!capture->symbols)
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
	*ret_capture = STEAL(capture, NULL);
	return 0;
}

void capture_free(struct capture *capture)
{
	struct member *member, *next;

	if (!capture)
		return;
	if (capture->kernel)
		kernel_probes_enable(capture->kernel, false);
	family_free(capture);
	for (uint32_t i = 0; i < IMAGES_MAX; i++)
		if (capture->images.list[i].number)
			probes_remove_uprobes(&capture->probes, &capture->images.list[i].uprobes);
	for (uint32_t i = 0; i < capture->tracee_count; i++) {
		probes_remove_uprobes(&capture->probes, &capture->tracees[i]->uprobes);
		tracee_free(capture, capture->tracees[i]);
	}
	free(capture->tracees);
	free(capture->free_gils);
	kernel_probes_free(capture->kernel);
	HASH_ITER(hh, capture->members, member, next)
	{
		HASH_DEL(capture->members, member);
		free(member);
	}
	symbols_free(capture->symbols);
	free(capture);
}

static int begin_window(struct capture *capture)
{
	union event event = {.window = {.hdr = {.ts = clock_now_ns(), .type = EV_WINDOW}}};
	int err = sink_event(&capture->sink, &event);

	capture_begin_misses(capture);
	capture->enabled = true;
	kernel_probes_enable(capture->kernel, true);
	return err;
}

/* Is there a process whose waits are not seen in its C library? */
static bool needs_syscalls(const struct capture *capture)
{
	for (uint32_t i = 0; i < capture->tracee_count; i++)
		if (!waits_are_probed(capture, capture->tracees[i]->target))
			return true;
	return false;
}

/* A process that ends meanwhile leaves the others. */
static int for_each(struct capture *capture,
		    int (*do_it)(struct capture *capture, struct tracee *tracee))
{
	int err = 0;

	for (uint32_t i = 0; i < capture->tracee_count && !err; i++) {
		struct tracee *tracee = capture->tracees[i];

		if (tracee->gone)
			continue;
		err = do_it(capture, tracee);
		if (err != -ESRCH)
			continue;
		tracee_gone(capture, tracee);
		err = capture->status.targets ? 0 : -ESRCH;
	}
	return err;
}

static int snapshot(struct capture *capture, struct tracee *tracee)
{
	return tracee_snapshot(capture, tracee, false);
}

int capture_start(struct capture *capture, struct diag *diag)
{
	int err;

	capture->syscalls = needs_syscalls(capture);
	err = kernel_probes_attach(capture->kernel, capture->syscalls, diag);
	if (err)
		return err;
	err = for_each(capture, tracee_declare);
	if (!err)
		err = begin_window(capture);
	if (!err)
		err = for_each(capture, snapshot);
	if (!err)
		err = family_begin(capture);
	if (!err && capture->family.helper.line >= 0)
		err = kernel_probes_watch(capture->kernel, capture->family.helper.line);
	if (err == -ESRCH)
		return diag_set(diag, EXIT_FAILED, err,
				"the process exited while the probes were set");
	return err ? diag_set(diag, EXIT_FAILED, err, "cannot begin: %s", strerror(-err)) : 0;
}

int capture_poll(struct capture *capture, int timeout_ms)
{
	int err;

	timeout_ms = family_timeout(capture, timeout_ms);
	err = timeout_ms ? kernel_probes_wait(capture->kernel, timeout_ms) : 0;

	if (!err)
		err = capture_drain(capture, clock_now_ns());
	if (!err)
		err = capture_serve(capture, SERVE_NS);
	if (!err)
		err = family_serve(capture);
	return err ? err : symbols_sources(capture->symbols);
}

/* Drains up to the end of the window and no further, however long it takes, so that the stage
 * still has room in time for every record of the window. */
static int drain_last(struct capture *capture, uint64_t ts_end)
{
	uint64_t flight_ns = REORDER_WINDOW_NS, now;
	int err = capture_drain(capture, ts_end);

	/* a probe that was running when `enabled` fell has sent its record within the window */
	while (!err && (now = clock_now_ns()) < ts_end + flight_ns) {
		uint64_t left_ns = ts_end + flight_ns - now;

		nanosleep(&(struct timespec){.tv_nsec = (long)left_ns}, NULL);
	}
	return err ? err : capture_drain(capture, ts_end);
}

int capture_stop(struct capture *capture)
{
	union event event = {.window = {.hdr = {.type = EV_WINDOW, .flags = EVF_WINDOW_END}}};
	int err = 0;

	/* no probe sees that a thread is renamed in Python, nor that a mutex is handed on among
	 * others while a thread sleeps on it */
	for (uint32_t i = 0; i < capture->tracee_count && !err; i++)
		if (!capture->tracees[i]->gone)
			err = tracee_names(capture, capture->tracees[i]);
	for (uint32_t i = 0; i < capture->tracee_count && !err; i++)
		if (!capture->tracees[i]->gone)
			err = tracee_locks(capture, capture->tracees[i]);
	event.hdr.ts = clock_now_ns();
	capture->enabled = false;
	kernel_probes_enable(capture->kernel, false);
	if (err)
		return err;
	/* before the drain: if that takes long (under a CPU quota, say), it would be late */
	err = sink_event(&capture->sink, &event);
	if (!err)
		err = drain_last(capture, event.hdr.ts);
	if (!err)
		err = symbols_finish_sources(capture->symbols, SOURCES_WAIT_MS);
	return err ? err : reorder_flush(capture->reorder);
}

bool capture_may_go_on(const struct capture *capture)
{
	return kernel_probes_usable(capture->kernel);
}

struct capture_status capture_status(const struct capture *capture)
{
	struct symbols_status symbols = symbols_status(capture->symbols);
	struct capture_status status = capture->status;

	status.stacks.distinct = symbols.stacks;
	status.stacks.frames_missing = symbols.frames_missing;
	return status;
}
