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
#define SAME_MAX	100	   /* files of one second */
#define FILES_MAX	65536	   /* in the folder that are looked at */
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

static bool is_ours(const char *name)
{
	size_t length = strlen(name);

	return !strncmp(name, PREFIX, strlen(PREFIX)) && length > strlen(PREFIX SUFFIX) &&
	       !strcmp(name + length - strlen(SUFFIX), SUFFIX);
}

/* ── the budget ──────────────────────────────────────────────────────────────────────────────── */

struct kept_file {
	char name[SNAPSHOT_NAME_MAX];
	struct timespec written;
	uint64_t bytes;
};

static int compare_age(const void *a, const void *b)
{
	const struct kept_file *left = a, *right = b;

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
	*ret_file = (struct kept_file){.written = file.st_mtim, .bytes = (uint64_t)file.st_size};
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

	while (folder && count < FILES_MAX && (entry = readdir(folder))) {
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

/* Removes the oldest ones until there are `room` bytes left of the budget. False: there are not. */
static bool make_room(const struct recorder *recorder, uint64_t room)
{
	struct kept_file *list;
	size_t count = list_files(&list), i;
	uint64_t bytes = room;

	for (i = 0; i < count; i++)
		bytes += list[i].bytes;
	for (i = 0; i < count && bytes > recorder->budget; i++)
		if (!unlink(list[i].name))
			bytes -= list[i].bytes;
	free(list);
	return bytes <= recorder->budget;
}

/* ── writing ─────────────────────────────────────────────────────────────────────────────────── */

const char *recorder_want(struct recorder *recorder, uint64_t from, uint64_t ts, bool urgent)
{
	uint64_t due = ts + SETTLES_NS;

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
	       begin + BEGIN_MARGIN_NS > recorder->from;
}

static void write_recording(struct recorder *recorder, uint64_t ts, struct recorded *recorded)
{
	const struct pipeline *pipeline = recorder->pipeline;
	uint64_t room = recorder->largest		    ? recorder->largest
			: recorder->budget / 4 < FIRST_SIZE ? recorder->budget / 4
							    : FIRST_SIZE;
	uint64_t begin = keep_begin(pipeline->keep);
	struct stat file;

	make_room(recorder, room < recorder->budget ? room : recorder->budget);
	if (snapshot_write_as(recorded->name, pipeline->keep, &pipeline->head, &recorded->diag))
		return;
	recorded->bytes = stat(recorded->name, &file) ? 0 : (uint64_t)file.st_size;
	if (recorded->bytes > recorder->largest)
		recorder->largest = recorded->bytes;
	if (!make_room(recorder, 0) || !is_there(recorded->name)) {
		diag_set(&recorded->diag, EXIT_FAILED, -EFBIG,
			 "it is larger than all recordings may be together");
		return;
	}
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
