/* SPDX-License-Identifier: MIT */
#include "capture/private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/duration.h"
#include "capture/load.h"

DEFINE_CLEANUP(capture_free, struct capture *, capture_free, NULL)

int capture_new(const struct features *features, const struct capture_options *options,
		struct reorder *to, struct diag *diag, struct capture **ret_capture)
{
	_cleanup_(capture_freep) struct capture *capture = calloc(1, sizeof(*capture));
	int err;

	if (!capture)
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
	capture->cpu_count = libbpf_num_possible_cpus();
	if (capture->cpu_count < 1)
		return diag_set(diag, EXIT_FAILED, capture->cpu_count,
				"cannot tell the number of CPUs");
	capture->loss = calloc((size_t)capture->cpu_count, sizeof(*capture->loss));
	capture->reorder = to;
	capture->sink = reorder_sink(to);
	capture->symbols = symbols_new(capture->sink);
	capture->options = *options;
	if (!options->stacks)
		capture->options.rate_hz = 0;
	if (!capture->loss || !capture->symbols)
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
	capture->multi = features_have(features, FEATURE_UPROBE_MULTI);
	err = load_programs(features, &capture->options, capture->cpu_count, diag,
			    &capture->skeleton);
	if (err)
		return err;
	capture->ring = ring_buffer__new(bpf_map__fd(capture->skeleton->maps.ring),
					 capture_handle_record, capture, NULL);
	if (!capture->ring)
		return diag_set(diag, EXIT_FAILED, -errno, "cannot map the ring buffer: %s",
				strerror(errno));
	*ret_capture = STEAL(capture, NULL);
	return 0;
}

void capture_free(struct capture *capture)
{
	struct member *member, *next;

	if (!capture)
		return;
	if (capture->skeleton && capture->skeleton->bss)
		capture->skeleton->bss->enabled = 0;
	for (uint32_t i = 0; i < capture->tracee_count; i++)
		tracee_free(capture->tracees[i]);
	free(capture->tracees);
	clocks_done(&capture->clocks);
	ring_buffer__free(capture->ring);
	gilscope_bpf__destroy(capture->skeleton);
	HASH_ITER(hh, capture->members, member, next)
	{
		HASH_DEL(capture->members, member);
		free(member);
	}
	symbols_free(capture->symbols);
	free(capture->loss);
	free(capture);
}

int capture_add(struct capture *capture, struct target *target, struct diag *diag)
{
	struct tracee *tracee = calloc(1, sizeof(*tracee));
	struct tracee **list = realloc(capture->tracees,
				       (capture->tracee_count + 1) * sizeof(*list));
	struct shared_target value = {.gil = target->layout.gil};
	int err;

	if (list)
		capture->tracees = list;
	if (!tracee || !list) {
		free(tracee);
		target_free(target);
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
	}
	tracee->target = target;
	list[capture->tracee_count++] = tracee;
	err = tracee_declare_stacks(capture, tracee);
	if (!err)
		err = bpf_map__update_elem(capture->skeleton->maps.targets, &target->info.pid,
					   sizeof(target->info.pid), &value, sizeof(value),
					   BPF_ANY);
	if (err)
		return diag_set(diag, EXIT_FAILED, err,
				"cannot add process %u to the probes' list: %s", target->info.pid,
				strerror(-err));
	capture->status.targets++;
	return tracee_attach(capture, tracee, diag);
}

/* The raw tracepoints; the uprobes have no place of their own and are left out by libbpf. */
static int attach_tracepoints(struct capture *capture, struct diag *diag)
{
	int err = gilscope_bpf__attach(capture->skeleton);

	if (!err)
		return 0;
	diag_set(diag, err == -EPERM ? EXIT_NOT_PERMITTED : EXIT_FAILED, err,
		 "cannot attach to the kernel's tracepoints: %s (%s)", strerror(-err),
		 load_last_words());
	diag_hint(diag, "see gilscope doctor");
	return err;
}

static int set_clocks(struct capture *capture, struct diag *diag)
{
	uint32_t rate_hz = capture->options.rate_hz;
	int err = rate_hz ? clocks_set(&capture->clocks, capture->skeleton->progs.on_clock,
				       capture->cpu_count, rate_hz)
			  : 0;

	if (!err)
		return 0;
	diag_set(diag, err == -EPERM || err == -EACCES ? EXIT_NOT_PERMITTED : EXIT_FAILED, err,
		 "cannot set a sampling clock of %u Hz: %s", rate_hz, strerror(-err));
	diag_hint(diag, err == -EINVAL ? "sysctl kernel.perf_event_max_sample_rate is the limit; a "
					 "lower --rate, or 0 for none, will do"
				       : "see gilscope doctor");
	return err;
}

/* A process as the stream describes it: what is not sampled is not seen by samples. */
static int tell_process(const struct capture *capture, const struct target *target)
{
	struct process_info info = target->info;

	if (!capture->options.rate_hz && !strcmp(info.gc, "samples"))
		info.gc[0] = '\0';
	return sink_process(&capture->sink, &info);
}

static int begin_window(struct capture *capture)
{
	union event event = {.window = {.hdr = {.ts = clock_now_ns(), .type = EV_WINDOW}}};
	int err = sink_event(&capture->sink, &event);

	capture_begin_misses(capture);
	__atomic_store_n(&capture->skeleton->bss->enabled, 1, __ATOMIC_SEQ_CST);
	return err;
}

int capture_start(struct capture *capture, struct diag *diag)
{
	int err = attach_tracepoints(capture, diag);

	if (!err)
		err = set_clocks(capture, diag);
	if (err)
		return err;
	/* who is there, before the first record that speaks of it */
	for (uint32_t i = 0; i < capture->tracee_count && !err; i++) {
		err = tell_process(capture, capture->tracees[i]->target);
		if (!err)
			err = tracee_declare_gils(capture, capture->tracees[i], 0, clock_now_ns());
		if (!err)
			err = tracee_snapshot(capture, capture->tracees[i], true);
	}
	if (!err)
		err = begin_window(capture);
	for (uint32_t i = 0; i < capture->tracee_count && !err; i++)
		err = tracee_snapshot(capture, capture->tracees[i], false);
	if (err == -ESRCH)
		return diag_set(diag, EXIT_FAILED, err,
				"the process exited while the probes were set");
	return err ? diag_set(diag, EXIT_FAILED, err, "cannot begin: %s", strerror(-err)) : 0;
}

/* What the last records made necessary. A process that is just going away is no error: its exit is
 * on the way. */
static int look_at_targets(struct capture *capture)
{
	for (uint32_t i = 0; i < capture->tracee_count; i++) {
		struct tracee *tracee = capture->tracees[i];
		uint32_t known = tracee->target->gil_count;
		int err = 0;

		if (tracee->gone)
			continue;
		if (tracee->look_for_gils && target_refresh_gils(tracee->target) > 0)
			err = tracee_declare_gils(capture, tracee, known, clock_now_ns());
		tracee->look_for_gils = false;
		if (!err && tracee->look_again)
			err = tracee_snapshot(capture, tracee, false);
		if (!err && tracee->names_due && clock_now_ns() >= tracee->names_due)
			err = tracee_names(capture, tracee);
		/* that it ended may never be told, when records are lost */
		if (err == -ESRCH && !target_alive(tracee->target)) {
			tracee_gone(capture, tracee);
			err = 0;
		}
		if (err && err != -ESRCH)
			return err;
	}
	return 0;
}

int capture_poll(struct capture *capture, int timeout_ms)
{
	int err;

	if (timeout_ms) {
		struct epoll_event ready;

		/* wakes early only when the ring fills up or a signal comes */
		if (epoll_wait(ring_buffer__epoll_fd(capture->ring), &ready, 1, timeout_ms) < 0 &&
		    errno != EINTR)
			return -errno;
	}
	err = capture_drain(capture, clock_now_ns());
	return err ? err : look_at_targets(capture);
}

void capture_look_again(struct capture *capture)
{
	for (uint32_t i = 0; i < capture->tracee_count; i++)
		capture->tracees[i]->look_again = true;
}

/* Up to the end of the window, however long that takes, and no further: what is of the window finds
 * its place. */
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

	/* threads are renamed without a trace */
	for (uint32_t i = 0; i < capture->tracee_count && !err; i++)
		if (!capture->tracees[i]->gone)
			err = tracee_names(capture, capture->tracees[i]);
	event.hdr.ts = clock_now_ns();
	__atomic_store_n(&capture->skeleton->bss->enabled, 0, __ATOMIC_SEQ_CST);
	if (err)
		return err;
	/* at once: what is fed after a drain that took long (a CPU quota is enough) would be late
	 */
	err = sink_event(&capture->sink, &event);
	if (!err)
		err = drain_last(capture, event.hdr.ts);
	return err ? err : reorder_flush(capture->reorder);
}

bool capture_may_go_on(const struct capture *capture)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info), pid = 0;
	struct shared_target value;
	int err = bpf_map__lookup_elem(capture->skeleton->maps.targets, &pid, sizeof(pid), &value,
				       sizeof(value), 0);

	if (err && err != -ENOENT)
		return false;
	return !bpf_obj_get_info_by_fd(bpf_program__fd(capture->skeleton->progs.gil_take), &info,
				       &size);
}

struct capture_status capture_status(const struct capture *capture)
{
	struct symbols_status symbols = symbols_status(capture->symbols);
	struct capture_status status = capture->status;

	status.stacks.distinct = symbols.stacks;
	status.stacks.refused = symbols.refused;
	status.stacks.frames_missing = symbols.frames_missing;
	return status;
}
