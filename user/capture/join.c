/* SPDX-License-Identifier: MIT */
/* join.c - how a process becomes one of the capture's: before the window, or while it is open. */
#include "capture/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"

/* It is the capture's from then on, even on failure. */
static int add_tracee(struct capture *capture, struct target *target, struct tracee **ret_tracee)
{
	struct tracee *tracee = calloc(1, sizeof(*tracee));
	struct tracee **list = realloc(capture->tracees,
				       (capture->tracee_count + 1) * sizeof(*list));

	if (list)
		capture->tracees = list;
	if (!tracee || !list) {
		free(tracee);
		target_free(target);
		return -ENOMEM;
	}
	tracee->target = target;
	list[capture->tracee_count++] = tracee;
	*ret_tracee = tracee;
	return 0;
}

static int tell_probes(struct capture *capture, const struct tracee *tracee)
{
	const struct target *target = tracee->target;
	struct shared_target value = {.gil = target->layout.gil,
				      .waits_probed = waits_are_probed(capture, target),
				      .image = tracee->image ? tracee->image->number : 0};

	memcpy(value.calls, target->libc.addresses, sizeof(value.calls));
	return probes_set(&capture->probes, PROBES_TARGETS, &target->info.pid, &value);
}

/* From here on the probes report what it does. */
static int admit(struct capture *capture, struct tracee *tracee)
{
	int err = tell_probes(capture, tracee);

	tracee->admitted = clock_now_ns();
	return err;
}

static int unlisted(const struct target *target, int err, struct diag *diag)
{
	return diag_set(diag, EXIT_FAILED, err, "cannot add process %u to the probes' list: %s",
			target->info.pid, strerror(-err));
}

int capture_add(struct capture *capture, struct target *target, struct diag *diag)
{
	struct tracee *tracee;
	int err = add_tracee(capture, target, &tracee);

	if (err)
		return diag_set(diag, EXIT_FAILED, err, "no memory");
	err = tracee_declare_stacks(capture, tracee, NULL);
	if (!err)
		err = admit(capture, tracee);
	if (err)
		return unlisted(target, err, diag);
	capture->status.targets++;
	err = tracee_attach(capture, tracee, diag);
	if (!err && tracee->image) { /* since now */
		err = tell_probes(capture, tracee);
		if (err)
			unlisted(target, err, diag);
	}
	if (err)
		tracee_gone(capture, tracee);
	return err;
}

/* Garbage collections that are recognised by samples are not seen without a sampling clock. */
static int declare_process(const struct capture *capture, const struct target *target)
{
	struct process_info info = target->info;

	if (capture->options.mode == MODE_FUTEX) {
		info.method = METHOD_FUTEX;
		info.gc = GC_SAMPLES;
	}
	if ((!capture->options.stacks || !capture->options.rate_hz) && info.gc == GC_SAMPLES)
		info.gc = GC_NONE;
	return sink_process(&capture->sink, &info);
}

/* What precedes the first record that refers to it. */
int tracee_declare(struct capture *capture, struct tracee *tracee)
{
	int err = declare_process(capture, tracee->target);

	/* examining it and what else there was to do have taken a while; without an answer it has
	 * those that it had */
	capture->reader.refresh_gils(tracee->target);
	if (!err)
		err = tracee_declare_gils(capture, tracee);
	if (!err)
		err = tracee_snapshot(capture, tracee, true);
	return err ? err : tracee_children(capture, tracee);
}

static void refuse(struct capture *capture, const struct target *target, const char *why)
{
	capture->status.refused++;
	diag_set(&capture->status.refusal, EXIT_UNSUPPORTED, -ENOTSUP, "process %u: %s",
		 target->info.pid, why);
}

/* Its states are read when the probes report what changes them. */
static int join(struct capture *capture, struct tracee *tracee, struct source_reader *sources)
{
	int err = tracee_declare_stacks(capture, tracee, sources);

	if (!err)
		err = tracee_declare(capture, tracee);
	if (!err)
		err = admit(capture, tracee);
	return err ? err : tracee_snapshot(capture, tracee, false);
}

static const char *why_not(const struct capture *capture, const struct target *target)
{
	/* the tracepoints cannot be attached any more */
	if (!capture->syscalls && !waits_are_probed(capture, target))
		return "how its event loops wait can only be seen in mode exact";
	return NULL;
}

int capture_join(struct capture *capture, struct helper_finding *finding, uint64_t since)
{
	const struct target *target = finding->target;
	const char *why = why_not(capture, target);
	struct tracee *tracee;
	int err = capture_release_former(capture, target->info.pid);

	if (err) {
		capture_remove_uprobes(capture, &finding->uprobes);
		source_reader_free(finding->sources);
		target_free(finding->target);
		return err;
	}
	if (why) {
		refuse(capture, target, why);
		capture_remove_uprobes(capture, &finding->uprobes);
		source_reader_free(finding->sources);
		target_free(finding->target);
		return 0;
	}
	err = add_tracee(capture, finding->target, &tracee);
	if (err) {
		capture_remove_uprobes(capture, &finding->uprobes);
		source_reader_free(finding->sources);
		return err;
	}
	tracee->uprobes = finding->uprobes;
	tracee->since = since;
	tracee->image = images_numbered(&capture->images, finding->image);
	if (tracee->image)
		images_use(tracee->image);
	capture->status.targets++;
	capture->status.followed++;
	err = join(capture, tracee, finding->sources);
	if (err == -ESRCH || err == -EINTR || (err && !capture->reader.alive(target))) {
		tracee_gone(capture, tracee);
		return 0;
	}
	if (err == -E2BIG) {
		refuse(capture, target, "more than can be observed at a time");
		tracee_gone(capture, tracee);
		return 0;
	}
	return err;
}
