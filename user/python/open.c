/* SPDX-License-Identifier: MIT */
/* A target is examined by a child process (bounded.h), for its files may never answer. What the
 * child finds comes back as bytes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/escape.h"
#include "python/elf/scans.h"
#include "python/process/bounded.h"
#include "python/process/pages.h"
#include "python/private.h"

static void target_freep(struct target **target)
{
	target_free(*target);
}

/* What is sent: a diag; and after a success this, and the lists that it counts. */
struct found {
	struct target target; /* its pointers mean nothing here */
	struct target_private private;
};

size_t target_bytes(const struct target *target)
{
	return sizeof(struct found) + target->site_count * sizeof(*target->sites) +
	       target->gil_count * sizeof(*target->gils) +
	       target->gc_site_count * sizeof(*target->gc_sites);
}

int target_send(const struct target *target, int (*send)(int line, const void *, size_t), int line)
{
	struct found found = {*target, *target->private};
	int err = send(line, &found, sizeof(found));

	if (!err)
		err = send(line, target->sites, target->site_count * sizeof(*target->sites));
	if (!err)
		err = send(line, target->gils, target->gil_count * sizeof(*target->gils));
	return err ? err
		   : send(line, target->gc_sites,
			  target->gc_site_count * sizeof(*target->gc_sites));
}

static int examine(void *ctx, int line)
{
	_cleanup_(target_freep) struct target *target = NULL;
	struct diag diag = {0};
	int err, sent;

	pages_forget(); /* its descriptor is closed */
	err = target_examine(*(const pid_t *)ctx, &diag, &target);
	sent = bounded_send(line, &diag, sizeof(diag));
	if (!err && !sent)
		sent = target_send(target, bounded_send, line);
	return err ? err : sent;
}

/* Bytes that are taken part by part. */
struct bytes {
	const unsigned char *from;
	size_t left;
};

/* False when the next part is not all there. */
static bool take_bytes(struct bytes *bytes, void *to, size_t length)
{
	if (length > bytes->left)
		return false;
	if (length)
		memcpy(to, bytes->from, length);
	bytes->from += length;
	bytes->left -= length;
	return true;
}

static void *take_list(struct bytes *bytes, uint32_t count, size_t size)
{
	void *list = calloc(count ? count : 1, size);

	if (list && !take_bytes(bytes, list, count * size)) {
		free(list);
		list = NULL;
	}
	return list;
}

struct target *target_receive(const void *from, size_t length)
{
	_cleanup_(target_freep) struct target *target = calloc(1, sizeof(*target));
	struct bytes bytes = {from, length};
	struct found found;

	if (!target || !take_bytes(&bytes, &found, sizeof(found)))
		return NULL;
	*target = found.target;
	target->private = calloc(1, sizeof(*target->private));
	target->sites = take_list(&bytes, target->site_count, sizeof(*target->sites));
	target->gils = take_list(&bytes, target->gil_count, sizeof(*target->gils));
	target->gc_sites = take_list(&bytes, target->gc_site_count, sizeof(*target->gc_sites));
	if (!target->private || !target->sites || !target->gils || !target->gc_sites)
		return NULL;
	*target->private = found.private;
	target->private->native_budget.left = ELF_BUDGET_BYTES;
	return STEAL(target, NULL);
}

static int never_answered(pid_t pid, const char *at, struct diag *diag)
{
	char name[256];

	escape_text(name, sizeof(name), at, strlen(at));
	if (*at)
		diag_set(diag, EXIT_FAILED, -ETIMEDOUT,
			 "the files of process %d do not answer; the last that was read is %s", pid,
			 name);
	else
		diag_set(diag, EXIT_FAILED, -ETIMEDOUT,
			 "process %d does not answer: the kernel blocks every access to its memory",
			 pid);
	diag_hint(diag,
		  "no answer came for %d s; look at the file system behind it (FUSE, NFS), and try "
		  "again when that answers",
		  BOUNDED_WAIT_S);
	return -ETIMEDOUT;
}

int target_open(pid_t pid, struct diag *diag, struct target **ret_target)
{
	_cleanup_(bounded_answer_done) struct bounded_answer answer = {0};
	int err = bounded_run(examine, &pid, NULL, 0, &answer);
	struct bytes bytes = {answer.bytes, answer.length};

	if (err == -ETIMEDOUT)
		return never_answered(pid, answer.at, diag);
	if (err)
		return diag_set(diag, EXIT_FAILED, err, "process %d could not be examined: %s", pid,
				strerror(-err));
	if (!take_bytes(&bytes, diag, sizeof(*diag)))
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "not enough memory");
	if (answer.err)
		return answer.err;
	*ret_target = target_receive(bytes.from, bytes.left);
	if (*ret_target)
		scans_note(*ret_target);
	return *ret_target ? 0 : diag_set(diag, EXIT_FAILED, -ENOMEM, "not enough memory");
}
