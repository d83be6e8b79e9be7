/* SPDX-License-Identifier: MIT */
/*
 * follow.c - the family: the targets, and the processes below them, which become targets as soon as
 * they are Pythons.
 *
 * The probes report who of the family forks, executes a program or exits. A fork is often followed
 * by an exec, and a new program takes a while to become a Python; so a process is examined a little
 * later, again and again if it is no Python yet, and less and less often.
 */
#include "capture/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/duration.h"

#define SETTLES_NS   (10 * NS_PER_MS) /* after a fork or exec */
#define RETRY_NS     (20 * NS_PER_MS)
#define RETRIES	     20		     /* at that pace; then each pause is twice as long … */
#define RETRY_MAX_NS (16 * NS_PER_S) /* … up to this, which is the last one */

/* All of /proc is read for it; a service that is gone may be back any moment. */
#define SEARCH_GONE_NS (200 * NS_PER_MS)
#define SEARCH_NS      (5 * NS_PER_S)

/* ── members ─────────────────────────────────────────────────────────────────────────────────── */

static struct relative *relative_find(const struct capture *capture, uint32_t pid)
{
	struct relative *relative;

	HASH_FIND(hh, capture->family.list, &pid, sizeof(pid), relative);
	return relative;
}

static struct relative *relative_get(struct capture *capture, uint32_t pid)
{
	struct relative *relative = relative_find(capture, pid);

	if (relative || !(relative = calloc(1, sizeof(*relative))))
		return relative;
	relative->pid = pid;
	HASH_ADD(hh, capture->family.list, pid, sizeof(relative->pid), relative);
	if (HASH_FAILED(relative)) {
		free(relative);
		return NULL;
	}
	return relative;
}

/* One that has not become a Python by then is none, most likely. */
static bool is_awaited(const struct relative *relative)
{
	return relative->due && relative->tries <= RETRIES;
}

/* `due` 0: it is not examined, unless it becomes another program. */
static void schedule(struct capture *capture, struct relative *relative, uint32_t tries,
		     uint64_t due)
{
	capture->family.due_count += (due != 0) - (relative->due != 0);
	capture->status.awaited -= is_awaited(relative);
	relative->tries = tries;
	relative->due = due;
	capture->status.awaited += is_awaited(relative);
}

static void relative_remove(struct capture *capture, struct relative *relative)
{
	schedule(capture, relative, 0, 0);
	HASH_DEL(capture->family.list, relative);
	free(relative);
}

static int put(struct capture *capture, uint32_t pid, uint64_t since, uint64_t due)
{
	struct relative *relative = relative_get(capture, pid);

	if (!relative)
		return -ENOMEM;
	relative->pause_ns = RETRY_NS;
	relative->asked = false;
	relative->since = since;
	schedule(capture, relative, 0, due);
	return 0;
}

/* It became another program before the probes reported on it, and so without their PROCESS_EXIT:
 * what was examined and joined is no more. */
static int end_former(struct capture *capture, const struct shared_family *record)
{
	struct tracee *tracee = tracee_of_process(capture, record->hdr.tid);
	union event event = {.process_exit = {.hdr = {.ts = clock_now_ns(),
						      .tid = record->hdr.tid,
						      .type = EV_PROCESS_EXIT,
						      .flags = EVF_PROCESS_EXIT_EXEC}}};

	if (record->hdr.flags != SHARED_FAMILY_EXEC || !tracee || tracee->admitted < record->hdr.ts)
		return 0;
	tracee->ended = true;
	tracee_gone(capture, tracee);
	return sink_event(&capture->sink, &event);
}

int capture_note_family(struct capture *capture, const struct shared_family *record, size_t size)
{
	struct relative *relative;
	int err;

	if (size != sizeof(*record))
		return -EPROTO;
	if (!capture->options.follow)
		return 0;
	err = end_former(capture, record);
	if (err)
		return err;
	if (record->hdr.flags != SHARED_FAMILY_EXIT)
		return put(capture, record->hdr.tid, record->hdr.ts, record->hdr.ts + SETTLES_NS);
	relative = relative_find(capture, record->hdr.tid);
	if (relative)
		relative_remove(capture, relative);
	return 0;
}

/* ── the begin ───────────────────────────────────────────────────────────────────────────────── */

static int add_to_map(struct capture *capture, uint32_t pid)
{
	uint8_t yes = 1;

	return probes_set(&capture->probes, PROBES_FAMILY, &pid, &yes);
}

/* Children that were there before the probes are found in /proc; those that come while it is read
 * are reported, because their parent is in the map by then. */
static int add_below(void *ctx, uint32_t pid)
{
	struct capture *capture = ctx;
	int err = add_to_map(capture, pid);

	if (err || tracee_of_process(capture, pid))
		return err == -E2BIG ? 0 : err;
	return put(capture, pid, 1, clock_now_ns());
}

/* multiprocessing starts one beside its children: it reads a pipe, and nobody waits for it
 * (Lib/multiprocessing/resource_tracker.py). */
static bool is_tracker(const struct target *target)
{
	return strstr(target->info.cmdline, "multiprocessing.resource_tracker import main");
}

/* In the helper, whose capture is a copy: of its images it has the numbers only. */
static int set_for_helper(void *ctx, struct target *target, struct helper_probes *ret_probes,
			  struct diag *diag)
{
	struct capture *capture = ctx;
	uint32_t last = capture->images.last_number;
	struct tracee tracee = {.target = target};
	struct shared_image *image;
	int err = is_tracker(target) ? 0 : tracee_attach(capture, &tracee, diag);

	/* others may use it even if this process has ended meanwhile */
	image = capture->shares_images ? images_find(&capture->images, &target->image_id) : NULL;
	if (image)
		ret_probes->image = image->number;
	if (image && image->number > last)
		ret_probes->shared = STEAL(image->uprobes, (struct uprobes){0});
	ret_probes->own = tracee.uprobes;
	return err;
}

static void forget_image(void *ctx, uint32_t number)
{
	struct capture *capture = ctx;
	struct shared_image *image = images_numbered(&capture->images, number);

	if (image)
		images_remove(image);
}

int capture_helper_line(const struct capture *capture)
{
	return capture->family.helper.line;
}

int family_begin(struct capture *capture)
{
	struct helper_work work = {.set_uprobes = set_for_helper,
				   .forget_image = forget_image,
				   .ctx = capture,
				   .search = capture->options.search,
				   .sources = capture->options.sources};
	int err;

	if (!capture->options.follow)
		return 0;
	work.program_count = capture->program_count;
	memcpy(work.programs, capture->programs, sizeof(work.programs));
	err = helper_start(&capture->family.helper, &work);
	for (uint32_t i = 0; i < capture->tracee_count && !err; i++)
		err = add_to_map(capture, capture->tracees[i]->target->info.pid);
	for (uint32_t i = 0; i < capture->tracee_count && !err; i++)
		err = capture->reader.below(capture->tracees[i]->target, add_below, capture);
	return err;
}

void family_free(struct capture *capture)
{
	struct relative *relative, *next;

	helper_end(&capture->family.helper);
	HASH_ITER(hh, capture->family.list, relative, next)
	{
		HASH_DEL(capture->family.list, relative);
		free(relative);
	}
}

/* ── becoming targets ────────────────────────────────────────────────────────────────────────── */

/* It has none yet, as far as could be seen. */
static bool may_come(int err)
{
	return err == -ENOEXEC || err == -EAGAIN;
}

static void try_again(struct capture *capture, struct relative *relative, uint64_t now)
{
	if (relative->tries >= RETRIES)
		relative->pause_ns *= 2;
	schedule(capture, relative, relative->tries + 1,
		 relative->pause_ns > RETRY_MAX_NS ? 0 : now + relative->pause_ns);
}

static void finding_done(struct helper_finding *finding)
{
	target_free(finding->target);
	source_reader_free(finding->sources);
}

/* The helper has set the probes of an image, or knows it already. Without memory, and that is what
 * it takes for them not to be there, the process is not observed. */
static void take_image(struct capture *capture, struct helper_finding *finding)
{
	struct shared_image *image = images_numbered(&capture->images, finding->image);

	if (!finding->image)
		return;
	if (!image && finding->shared.fd_count)
		image = images_add(&capture->images, &finding->image_id, finding->image,
				   clock_now_ns());
	if (image && finding->shared.fd_count)
		image->uprobes = STEAL(finding->shared, (struct uprobes){0});
	else if (!image && !finding->err)
		finding->err = diag_set(&finding->diag, EXIT_FAILED, -ENOMEM, "no memory");
	if (!image)
		capture_remove_uprobes(capture, &finding->shared);
}

/* A process that is wanted, or is below one, and was there before anybody reported it. */
static int add_wanted(void *ctx, uint32_t pid)
{
	struct capture *capture = ctx;
	int err;

	if (relative_find(capture, pid) || tracee_of_process(capture, pid))
		return 0;
	err = add_to_map(capture, pid);
	if (err)
		return err == -E2BIG ? 0 : err;
	return put(capture, pid, 1, clock_now_ns());
}

static int take_searched(struct capture *capture, struct helper_finding *finding)
{
	int err = 0;

	for (uint32_t i = 0; i < finding->found_count && !err; i++)
		err = add_wanted(capture, finding->found[i]);
	free(finding->found);
	return err;
}

/* One that a search has found may have started others before. */
static int add_family_of(struct capture *capture, uint32_t pid)
{
	const struct tracee *tracee = tracee_of_process(capture, pid);

	return tracee && capture->options.search.find
		       ? capture->reader.below(tracee->target, add_wanted, capture)
		       : 0;
}

/* Of one that nobody reported, up to a tick of the kernel's too early. */
static uint64_t start_of(const struct target *target)
{
	uint64_t suspended_ns = clock_ns(CLOCK_BOOTTIME) - clock_now_ns(),
		 ns = target->start_time * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));

	return ns > suspended_ns ? ns - suspended_ns : 1;
}

/* What the helper has found of a process that may have ended or become another since. */
static int take_finding(struct capture *capture, struct helper_finding *finding)
{
	struct relative *relative = relative_find(capture, finding->pid);
	uint64_t now = clock_now_ns();
	/* not if it has executed a program since it was asked about: that is examined again */
	bool fits = relative && relative->asked && !tracee_of_process(capture, finding->pid);

	take_image(capture, finding);
	if (relative)
		relative->asked = false;
	if (!finding->err && fits) {
		schedule(capture, relative, 0, 0);
		if (!is_tracker(finding->target)) {
			uint64_t since = relative->since > 1 ? relative->since
							     : start_of(finding->target);
			int err = capture_join(capture, finding, since);

			return err ? err : add_family_of(capture, finding->pid);
		}
	}
	capture_remove_uprobes(capture, &finding->uprobes);
	if (finding->err && fits && may_come(finding->err)) {
		try_again(capture, relative, now);
	} else if (finding->err == -ESRCH && fits) {
		relative_remove(capture, relative); /* its EXIT may have been lost */
	} else if (finding->err && fits) {
		schedule(capture, relative, 0, 0);
		capture->status.refused++;
		capture->status.refusal = finding->diag;
	}
	finding_done(finding);
	return 0;
}

/* Whether the helper was asked to. */
static bool search(struct capture *capture)
{
	uint64_t pause_ns = capture->status.targets ? SEARCH_NS : SEARCH_GONE_NS,
		 now = clock_now_ns();

	if (!capture->options.search.find || now - capture->family.searched < pause_ns)
		return false;
	capture->family.searched = now;
	return helper_ask(&capture->family.helper, HELPER_SEARCH);
}

static struct relative *next_due(const struct capture *capture)
{
	struct relative *relative, *next, *first = NULL;

	HASH_ITER(hh, capture->family.list, relative, next)
	{
		if (relative->due && (!first || relative->due < first->due))
			first = relative;
	}
	return first;
}

int family_timeout(const struct capture *capture, int timeout_ms)
{
	const struct relative *relative;
	uint64_t now = clock_now_ns(), wait_ms;

	if (!capture->family.due_count || capture->family.helper.asked)
		return timeout_ms;
	relative = next_due(capture);
	if (!relative || relative->due <= now)
		return 0;
	wait_ms = (relative->due - now + NS_PER_MS - 1) / NS_PER_MS;
	return wait_ms < (uint64_t)timeout_ms ? (int)wait_ms : timeout_ms;
}

int family_serve(struct capture *capture)
{
	struct helper_finding finding;
	struct relative *relative;
	int err = 0;

	if (helper_take(&capture->family.helper, &finding))
		err = finding.pid == HELPER_SEARCH ? take_searched(capture, &finding)
						   : take_finding(capture, &finding);
	if (!err)
		capture_expire_image(capture);
	if (err || capture->family.helper.asked || search(capture) || !capture->family.due_count)
		return err;
	relative = next_due(capture);
	if (!relative || relative->due > clock_now_ns())
		return 0;
	relative->asked = !tracee_of_process(capture, relative->pid) &&
			  helper_ask(&capture->family.helper, relative->pid);
	if (!relative->asked)
		schedule(capture, relative, 0, 0); /* or there is no helper any more */
	return 0;
}
