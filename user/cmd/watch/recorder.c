/* SPDX-License-Identifier: MIT */
#include "cmd/watch/recorder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/duration.h"
#include "cmd/pipeline/confine.h"
#include "cmd/pipeline/output.h"

#define PREFIX		"watch-"
#define SUFFIX		".gsc"
#define SETTLES_NS	NS_PER_S /* what follows is in the recording, too */
#define BEGIN_MARGIN_NS (2 * NS_PER_S)
#define SHORT_SHARE	4	   /* of a short window, neither is more than that part */
#define SAME_MAX	100	   /* files of one second */
#define FILES_MAX	1000	   /* that are kept, however small */
#define LISTED_MAX	65536	   /* that are looked at */
#define FIRST_SIZE	(8u << 20) /* what a recording may take, until one has been written */

int recorder_enter(const char *folder, struct diag *diag)
{
	int err = mkdir(folder, 0700) && errno != EEXIST ? -errno : 0;

	if (!err && (chdir(folder) || access(".", W_OK | X_OK)))
		err = -errno;
	if (err) {
		diag_set(diag, EXIT_FAILED, err, "cannot write recordings into %s: %s", folder,
			 strerror(-err));
		diag_hint(diag, "choose a folder that can be written to: --recordings DIR");
		return err;
	}
	confine_write_into(AT_FDCWD);
	return 0;
}

/* ── names ───────────────────────────────────────────────────────────────────────────────────── */

static bool is_there(const char *name)
{
	struct stat file;

	return !lstat(name, &file);
}

/* Several within one second are numbered. */
static void choose_name(char name[static SNAPSHOT_NAME_MAX])
{
	time_t now = time(NULL);
	char stem[32] = "";
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(stem, sizeof(stem), "%Y%m%d-%H%M%S", &tm);
	for (int i = 0; i < SAME_MAX; i++) {
		char number[16] = "";

		if (i)
			snprintf(number, sizeof(number), "-%d", i);
		snprintf(name, SNAPSHOT_NAME_MAX, PREFIX "%s%s" SUFFIX, stem, number);
		if (!is_there(name))
			return;
	}
}

/* Skips `count` digits, or with 0 all there are. NULL: they are not there. */
static const char *skip_digits(const char *text, size_t count)
{
	size_t there = strspn(text, "0123456789");

	return there && (!count || there == count) ? text + there : NULL;
}

/* Only what choose_name() can have chosen: one that somebody has renamed is to be kept. */
static bool is_ours(const char *name)
{
	const char *at = strncmp(name, PREFIX, strlen(PREFIX)) ? NULL : name + strlen(PREFIX);

	if (at)
		at = skip_digits(at, strlen("20261130"));
	if (at)
		at = *at == '-' ? skip_digits(at + 1, strlen("235959")) : NULL;
	if (at && *at == '-')
		at = skip_digits(at + 1, 0);
	return at && !strcmp(at, SUFFIX);
}

/* ── the budget ──────────────────────────────────────────────────────────────────────────────── */

struct kept_file {
	char name[SNAPSHOT_NAME_MAX];
	bool in_future; /* the clock has been set back since */
	struct timespec written;
	uint64_t bytes;
};

static int compare_age(const void *a, const void *b)
{
	const struct kept_file *left = a, *right = b;

	if (left->in_future != right->in_future)
		return left->in_future ? -1 : 1;
	if (left->written.tv_sec != right->written.tv_sec)
		return left->written.tv_sec < right->written.tv_sec ? -1 : 1;
	if (left->written.tv_nsec != right->written.tv_nsec)
		return left->written.tv_nsec < right->written.tv_nsec ? -1 : 1;
	return strcmp(left->name, right->name);
}

static bool examine(const char *name, struct kept_file *ret_file)
{
	struct stat file;

	if (!is_ours(name) || strlen(name) >= sizeof(ret_file->name) || lstat(name, &file) ||
	    !S_ISREG(file.st_mode))
		return false;
	*ret_file = (struct kept_file){.in_future = file.st_mtim.tv_sec > time(NULL) + 1,
				       .written = file.st_mtim,
				       .bytes = (uint64_t)file.st_size};
	strcpy(ret_file->name, name);
	return true;
}

/* Earlier recordings, the oldest first. Returns how many there are, and the list, which the caller
 * frees. */
static size_t list_files(struct kept_file **ret_list)
{
	struct kept_file *list = NULL, *grown;
	size_t count = 0, room = 0;
	DIR *folder = opendir(".");
	struct dirent *entry;

	while (folder && count < LISTED_MAX && (entry = readdir(folder))) {
		if (count == room) {
			room = room ? 2 * room : 64;
			grown = reallocarray(list, room, sizeof(*list));
			if (!grown)
				break;
			list = grown;
		}
		count += examine(entry->d_name, &list[count]);
	}
	if (folder)
		closedir(folder);
	if (count)
		qsort(list, count, sizeof(*list), compare_age);
	*ret_list = list;
	return count;
}

/* Removes the oldest ones, but not `spared`, until there are `room` bytes left of the budget. 0, or
 * -errno: one could not be removed, and there are not. */
static int make_room(const struct recorder *recorder, uint64_t room, const char *spared)
{
	struct kept_file *list;
	size_t count = list_files(&list), left = count;
	uint64_t bytes = room;
	int err = 0;

	for (size_t i = 0; i < count; i++)
		bytes += list[i].bytes;
	for (size_t i = 0; i < count && (bytes > recorder->budget || left > FILES_MAX); i++) {
		if (spared && !strcmp(list[i].name, spared))
			continue;
		if (unlink(list[i].name) && errno != ENOENT) {
			err = -errno;
			continue;
		}
		bytes -= list[i].bytes;
		left--;
	}
	free(list);
	return bytes > recorder->budget ? err : 0;
}

/* ── writing ─────────────────────────────────────────────────────────────────────────────────── */

static uint64_t at_most_share(const struct recorder *recorder, uint64_t ns)
{
	uint64_t share = recorder->keep_ns / SHORT_SHARE;

	return ns < share ? ns : share;
}

/* One within the length of the window after another one waits as stalls do: in a crash loop each
 * recording would have nearly the same as the one before. */
static bool may_hurry(struct recorder *recorder, uint64_t ts)
{
	uint64_t before = recorder->urgent;

	recorder->urgent = ts;
	return !before || ts >= before + recorder->keep_ns;
}

const char *recorder_want(struct recorder *recorder, uint64_t from, uint64_t ts, bool urgent)
{
	uint64_t due = ts + at_most_share(recorder, SETTLES_NS);

	urgent = urgent && may_hurry(recorder, ts);
	if (!recorder->wanted[0]) {
		choose_name(recorder->wanted);
		recorder->from = from;
		recorder->due = UINT64_MAX;
	}
	if (from < recorder->from)
		recorder->from = from;
	/* so that it begins where the one before ends */
	if (!urgent && recorder->end && due < recorder->end + recorder->keep_ns)
		due = recorder->end + recorder->keep_ns;
	if (due < recorder->due)
		recorder->due = due;
	return recorder->wanted;
}

/* Would it lose the begin of what it is wanted for, as the window has moved on? A begin that is
 * gone already is no reason. */
static bool loses_begin(const struct recorder *recorder)
{
	uint64_t begin = keep_begin(recorder->pipeline->keep);

	return begin > recorder->first && begin <= recorder->from &&
	       begin + at_most_share(recorder, BEGIN_MARGIN_NS) > recorder->from;
}

/* It counts as written only if it and the others keep the budget. */
static int keep_budget(const struct recorder *recorder, struct recorded *recorded)
{
	int err = make_room(recorder, 0, recorded->name);

	if (recorded->bytes > recorder->budget) {
		err = diag_set(&recorded->diag, EXIT_FAILED, -EFBIG,
			       "it is larger than all recordings may be together");
		diag_hint(&recorded->diag, "raise --disk-budget");
	} else if (err) {
		diag_set(&recorded->diag, EXIT_FAILED, err,
			 "older recordings cannot be removed: %s", strerror(-err));
	}
	if (err)
		unlink(recorded->name);
	return err;
}

static void write_recording(struct recorder *recorder, uint64_t ts, struct recorded *recorded)
{
	const struct pipeline *pipeline = recorder->pipeline;
	uint64_t room = recorder->largest		    ? recorder->largest
			: recorder->budget / 4 < FIRST_SIZE ? recorder->budget / 4
							    : FIRST_SIZE;
	uint64_t begin = keep_begin(pipeline->keep);
	struct stat file;

	make_room(recorder, room < recorder->budget ? room : recorder->budget, NULL);
	if (snapshot_write_as(recorded->name, pipeline->keep, &pipeline->head, &recorded->diag))
		return;
	recorded->bytes = stat(recorded->name, &file) ? 0 : (uint64_t)file.st_size;
	if (recorded->bytes > recorder->largest)
		recorder->largest = recorded->bytes;
	if (keep_budget(recorder, recorded))
		return;
	recorded->start = begin;
	recorded->end = ts;
}

int recorder_serve(struct recorder *recorder, uint64_t ts, bool now, struct recorded *ret_recorded)
{
	if (!recorder->first)
		recorder->first = keep_begin(recorder->pipeline->keep);
	if (!recorder->wanted[0] || (!now && ts < recorder->due && !loses_begin(recorder)))
		return 0;
	*ret_recorded = (struct recorded){0};
	strcpy(ret_recorded->name, recorder->wanted);
	write_recording(recorder, ts, ret_recorded);
	recorder->wanted[0] = '\0';
	recorder->end = ts;
	return 1;
}
