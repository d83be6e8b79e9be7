/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "python/interpreter/asyncio.h"
#include "python/elf/elf_scan.h"
#include "python/elf/scans.h"
#include "python/interpreter/gil.h"
#include "python/interpreter/gc_sites.h"
#include "python/image.h"
#include "python/elf/libc.h"
#include "python/process/container.h"
#include "python/process/memory.h"
#include "python/process/pages.h"
#include "python/private.h"
#include "python/process/proc.h"
#include "python/interpreter/runtime.h"
#include "python/interpreter/stacks.h"
#include "python/interpreter/version.h"

static void target_freep(struct target **target)
{
	target_free(*target);
}

/* The error of touching a process, in words. */
static int trouble(pid_t pid, int err, const char *doing, struct diag *diag)
{
	switch (err) {
	case -ESRCH:
	case -ENOENT:
		return diag_set(diag, EXIT_FAILED, -ESRCH, "process %d does not exist", pid);
	case -EPERM:
	case -EACCES:
		if (proc_may_trace()) {
			diag_set(diag, EXIT_NOT_PERMITTED, err,
				 "not permitted to %s of process %d, although gilscope has "
				 "CAP_SYS_PTRACE",
				 doing, pid);
			diag_hint(diag, "the process is of an outer user namespace, or a security "
					"module (AppArmor, SELinux, Yama) or a sandbox forbids it");
		} else {
			diag_set(diag, EXIT_NOT_PERMITTED, err,
				 "not permitted to %s of process %d: CAP_SYS_PTRACE is missing",
				 doing, pid);
			diag_hint(diag, "run as root, or give gilscope the capability");
		}
		return err;
	case -EMFILE:
	case -ENFILE:
		diag_set(diag, EXIT_FAILED, err, "failed to %s of process %d: %s", doing, pid,
			 strerror(-err));
		diag_hint(diag, "raise the limit of open files (ulimit -n)");
		return err;
	case -EBUSY:
		diag_set(diag, EXIT_UNSUPPORTED, err,
			 "memory of process %d was not read, because a read may never "
			 "return",
			 pid);
		diag_hint(diag, "its Python's state leads to pages that a userfaultfd or a FUSE "
				"server has yet to supply, and no CPython is like that");
		return err;
	case -ETIME:
		diag_set(diag, EXIT_UNSUPPORTED, err,
			 "the memory of process %d takes too much work to read", pid);
		diag_hint(diag, "no CPython is like that; if the machine is busy, try again");
		return err;
	default:
		return diag_set(diag, EXIT_FAILED, err, "failed to %s of process %d: %s", doing,
				pid, strerror(-err));
	}
}

static int stat_of(pid_t pid, struct proc_stat *ret_stat)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	return proc_stat_read(path, ret_stat);
}

static bool has_ended(const struct proc_stat *stat)
{
	return stat->state == 'Z' || stat->state == 'X' || stat->state == 'x';
}

static int process_check(struct target *target, pid_t pid, struct diag *diag)
{
	struct proc_stat stat;
	char path[64];
	uint32_t tgid;
	int err = pid > 0 ? stat_of(pid, &stat) : -ESRCH;

	if (err)
		return trouble(pid, err, "read the state", diag);
	if (has_ended(&stat))
		return diag_set(diag, EXIT_FAILED, -ESRCH,
				"process %d has ended and only waits to be reaped by its parent",
				pid);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	err = proc_status_last(path, "Tgid", &tgid);
	if (err)
		return trouble(pid, err, "read the state", diag);
	if (tgid != (uint32_t)pid) {
		diag_set(diag, EXIT_FAILED, -ESRCH, "%d is a thread, not a process", pid);
		diag_hint(diag, "attach to its process, %u", tgid);
		return -ESRCH;
	}
	target->info.pid = (uint32_t)pid;
	if (proc_status_last(path, "PPid", &target->info.parent))
		target->info.parent = 0;
	target->start_time = stat.start_time;
	container_name(pid, target->info.container);
	err = proc_cmdline(pid, target->info.cmdline, sizeof(target->info.cmdline));
	return err ? trouble(pid, err, "read the command line", diag) : 0;
}

static int unsupported_version(pid_t pid, const char *version, struct diag *diag)
{
	return diag_set(diag, EXIT_UNSUPPORTED, -ENOTSUP,
			"process %d runs CPython %s; gilscope knows 3.%d to 3.%d", pid, version,
			PYTHON_MINOR_MIN, PYTHON_MINOR_MAX);
}

static int version_check(struct target *target, const struct image *image, struct diag *diag)
{
	pid_t pid = (pid_t)target->info.pid;
	int err = version_read(pid, &image->elf, image->bias, &target->version_hex);

	if (err == -ENODATA) {
		diag_set(diag, EXIT_UNSUPPORTED, -EAGAIN,
			 "process %d has a Python runtime that does not say its version", pid);
		diag_hint(diag, "if it has only just started, try again when it runs");
		return -EAGAIN;
	}
	if (err)
		return trouble(pid, err, "read the memory", diag);
	version_text(target->version_hex, target->info.python, sizeof(target->info.python));
	if (!version_supported(target->version_hex) || !image->runtime)
		return unsupported_version(pid, target->info.python, diag);
	return 0;
}

static bool uses_musl(const struct mappings *mappings)
{
	for (size_t i = 0; i < mappings->count; i++)
		if (libc_is_musl(&mappings->list[i]))
			return true;
	return false;
}

static int layout_find(struct target *target, const struct image *image,
		       const struct mappings *mappings, struct diag *diag)
{
	struct python_layout *layout = &target->layout;
	pid_t pid = (pid_t)target->info.pid;
	int err = layout_read(pid, target->version_hex, image->runtime, image->runtime_size,
			      layout);

	if (err == -ENOTSUP)
		return diag_set(diag, EXIT_UNSUPPORTED, err,
				"process %d runs CPython %s, but its debug offsets are not those "
				"of that version",
				pid, target->info.python);
	if (err)
		return trouble(pid, err, "read the memory", diag);
	if (uses_musl(mappings))
		gil_layout_for_musl(&layout->gil);
	target->runtime = image->runtime;
	target->private->runtime_size = image->runtime_size;
	target->private->tstate_loop = layout->tstate_loop == LAYOUT_NONE ? 0 : layout->tstate_loop;
	target->stack.tstate_task = target->stack.task_name = STACK_NONE;
	if (stack_layout_of(layout, image->runtime, &target->stack) == 0)
		target->code_type = stacks_code_type(image);
	target->code_gone = stacks_code_gone(pid, image, layout);
	asyncio_examine_image(target, image);
	asyncio_examine_modules(target);
	return 0;
}

enum {
	GILS_MAX = INTERPRETERS_MAX
}; /* also of those that are gone, until the reader has dropped them */

static bool lives(const struct gil_address *gil, const struct interpreter *interpreters, int count)
{
	for (int i = 0; i < count; i++)
		if (interpreters[i].gil == gil->address && interpreters[i].id == gil->interpreter)
			return true;
	return false;
}

/* Those of interpreters that have ended, whose ids are not used again. A list that changes while it
 * is read may seem to end early; not twice in a row. */
static int gils_forget(struct target *target, struct interpreter *interpreters, int count)
{
	bool missing = false, whole;

	for (uint32_t i = 0; i < target->gil_count; i++)
		missing |= !target->gils[i].gone && !lives(&target->gils[i], interpreters, count);
	if (!missing)
		return count;
	for (uint32_t i = 0; i < target->gil_count; i++)
		target->gils[i].missing = !lives(&target->gils[i], interpreters, count);
	count = runtime_interpreters((pid_t)target->info.pid, &target->layout, target->runtime,
				     interpreters, &whole);
	for (uint32_t i = 0; i < target->gil_count && count > 0 && whole; i++)
		target->gils[i].gone |= target->gils[i].missing &&
					!lives(&target->gils[i], interpreters, count);
	return count;
}

/* Notes one interpreter's. 1: it is new; 0: it is known, or there is no room. */
static int gil_note(struct target *target, const struct interpreter *interpreter)
{
	struct gil_address *gil = target->gils, *end = gil + target->gil_count;

	while (gil < end && gil->address != interpreter->gil)
		gil++;
	if (!interpreter->gil || (gil < end && !gil->gone) ||
	    (gil == end && target->gil_count >= GILS_MAX))
		return 0;
	*gil = (struct gil_address){.address = interpreter->gil, .interpreter = interpreter->id};
	target->gil_count += gil == end;
	return 1;
}

static int gils_refresh(struct target *target)
{
	_cleanup_(freep) struct interpreter *interpreters = calloc(INTERPRETERS_MAX,
								   sizeof(*interpreters));
	struct gil_address *gils;
	int count, added = 0;
	bool whole;

	if (!interpreters)
		return -ENOMEM;
	count = runtime_interpreters((pid_t)target->info.pid, &target->layout, target->runtime,
				     interpreters, &whole);
	if (count >= 0 && whole)
		count = gils_forget(target, interpreters, count);
	if (count < 0)
		return count;
	gils = reallocarray(target->gils, target->gil_count + (uint32_t)count, sizeof(*gils));
	if (!gils)
		return -ENOMEM;
	target->gils = gils;
	for (int i = 0; i < count; i++)
		added += gil_note(target, &interpreters[i]);
	return added;
}

int target_refresh_gils(struct target *target)
{
	pages_allow(PAGES_ALLOW_NS);
	return gils_refresh(target);
}

static int gils_find(struct target *target, struct diag *diag)
{
	const struct python_layout *layout = &target->layout;
	pid_t pid = (pid_t)target->info.pid;
	enum gil_verdict verdict;
	struct gil_words words;
	int err = gils_refresh(target);

	if (err >= 0)
		err = runtime_calibrate(pid, target->runtime, target->private->runtime_size,
					target->gils[0].address, layout, &verdict);
	if (!err)
		err = gil_words_read(pid, &layout->gil, target->gils[0].address, &words);
	if (err == -EAGAIN || (!err && verdict == GIL_ABSENT)) {
		diag_set(diag, EXIT_UNSUPPORTED, -EAGAIN,
			 "the Python of process %d has no GIL yet: it is only starting, or it is "
			 "ending",
			 pid);
		diag_hint(diag, "try again when it runs");
		return -EAGAIN;
	}
	if (err == -EFAULT || err == -ENOTSUP || (!err && verdict == GIL_WRONG)) {
		diag_set(diag, EXIT_UNSUPPORTED, -ENOTSUP,
			 "the GIL of process %d is not where CPython %s keeps it", pid,
			 target->info.python);
		diag_hint(diag,
			  "its Python is a modified build, and gilscope rather stops than guesses");
		return -ENOTSUP;
	}
	if (err)
		return trouble(pid, err, "read the memory", diag);
	target->gil_proven = verdict == GIL_PROVEN;
	target->info.gil_enabled = words.enabled != 0;
	return 0;
}

static int sites_find(struct target *target, const struct image *image, struct diag *diag)
{
	struct elf_sites sites;
	int err = elf_scan(&image->elf, diag, &sites);

	if (err)
		return err;
	target->sites = sites.list;
	target->site_count = sites.count;
	target->info.take = sites.number[SITE_TAKE];
	target->info.drop = sites.number[SITE_DROP];
	target->info.wait = sites.number[SITE_WAIT];
	target->info.confidence = sites.doubtful ? CONFIDENCE_APPROXIMATE : CONFIDENCE_EXACT;
	return 0;
}

static int collector_find(struct target *target, const struct image *image, struct diag *diag)
{
	struct gc_sites sites;

	gc_sites_find(&image->elf, target->layout.collectors, &sites);
	if (sites.count) {
		target->gc_sites = reallocarray(NULL, sites.count, sizeof(*target->gc_sites));
		if (!target->gc_sites)
			return diag_set(diag, EXIT_FAILED, -ENOMEM, "not enough memory");
		memcpy(target->gc_sites, sites.list, sites.count * sizeof(*target->gc_sites));
		target->gc_site_count = sites.count;
	}
	return 0;
}

/* All that is in the file. */
static int file_scan(struct target *target, const struct image *image, struct diag *diag)
{
	int err = scans_id_of(&image->elf, &target->image_id);

	if (err)
		return trouble((pid_t)target->info.pid, err, "read the Python image", diag);
	target->scanned = !scans_recall(target);
	if (target->scanned)
		err = sites_find(target, image, diag);
	if (!err && target->scanned)
		err = collector_find(target, image, diag);
	target->info.method = METHOD_SCAN;
	/* without sites of its own, the collector is seen where a stack is taken while it works */
	target->info.gc = target->gc_site_count		       ? GC_PROBES
			  : target->stack.interp_gc_collecting ? GC_SAMPLES
							       : GC_NONE;
	return err;
}

static int image_examine(struct target *target, struct diag *diag)
{
	_cleanup_(image_done) struct image image = {.fd = -1, .elf.fd = -1};
	_cleanup_(mappings_done) struct mappings mappings = {0};
	struct elf_budget budget = {ELF_BUDGET_BYTES};
	pid_t pid = (pid_t)target->info.pid;
	int err = mappings_read(pid, &mappings);

	if (err)
		return trouble(pid, err, "read the mappings", diag);
	err = image_find(pid, &mappings, &budget, diag, &image);
	if (err)
		return err;
	snprintf(target->image_path, sizeof(target->image_path), "%s", image.path);
	snprintf(target->info.image, sizeof(target->info.image), "%s", image.name);
	snprintf(target->info.machine, sizeof(target->info.machine), "%s", ELF_MACHINE_NAME);
	target->image_bias = image.bias;
	err = version_check(target, &image, diag);
	if (!err)
		err = layout_find(target, &image, &mappings, diag);
	if (!err)
		err = gils_find(target, diag);
	if (!err)
		err = file_scan(target, &image, diag);
	if (!err)
		libc_examine(target, &mappings, &budget);
	/* whatever was found, or not: more is there that was not read */
	return elf_budget_spent(&budget) ? image_too_much(pid, image.name, diag) : err;
}

/* A process that is ending gives up its memory, and with it the link to its program, some time
 * before it is a zombie. */
static bool has_memory(pid_t pid)
{
	char path[64], link[8];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return readlink(path, link, sizeof(link)) >= 0 || (errno != ENOENT && errno != ESRCH);
}

/* Does the very process still have its number? */
static bool is_there(const struct target *target)
{
	struct proc_stat stat;

	return stat_of((pid_t)target->info.pid, &stat) == 0 &&
	       stat.start_time == target->start_time && !has_ended(&stat);
}

int target_examine(pid_t pid, struct diag *diag, struct target **ret_target)
{
	_cleanup_(target_freep) struct target *target = calloc(1, sizeof(*target));
	bool had_memory = has_memory(pid); /* a kernel thread never has any */
	int err;

	if (target)
		target->private = calloc(1, sizeof(*target->private));
	if (!target || !target->private)
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "not enough memory");
	pages_allow(PAGES_ALLOW_OPEN_NS);
	err = process_check(target, pid, diag);
	if (!err)
		err = image_examine(target, diag);
	if (!err && !target_alive(target))
		err = -ESRCH;
	/* whatever went wrong while it ended, that it ended is the reason */
	if (err && target->start_time && !(had_memory ? target_alive(target) : is_there(target)))
		return diag_set(diag, EXIT_FAILED, -ESRCH, "process %d ended while it was examined",
				pid);
	if (err)
		return err;
	*ret_target = STEAL(target, NULL);
	return 0;
}

void target_free(struct target *target)
{
	if (!target)
		return;
	free(target->sites);
	free(target->gils);
	free(target->gc_sites);
	free(target->private);
	free(target);
}

bool target_alive(const struct target *target)
{
	return has_memory((pid_t)target->info.pid) && is_there(target);
}
