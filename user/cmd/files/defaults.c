/* SPDX-License-Identifier: MIT */
#include "cmd/files/defaults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

enum { NUMBER_MAX = 10000, FOLDER_MAX = 100000, DEFAULT_NAME_MAX = 64 };

DEFINE_CLEANUP(closedir, DIR *, closedir, NULL)

/* "gilscope.gsc", 2: "gilscope-2.gsc" */
static void number_name(const char *name, int number, char to[static DEFAULT_NAME_MAX])
{
	const char *point = strrchr(name, '.');

	if (number == 1)
		snprintf(to, DEFAULT_NAME_MAX, "%s", name);
	else
		snprintf(to, DEFAULT_NAME_MAX, "%.*s-%d%s", (int)(point - name), name, number,
			 point);
}

int defaults_begin(struct output *output, struct options *options, const char *input,
		   struct diag *diag)
{
	static char name[DEFAULT_NAME_MAX]; /* output_begin_fresh() wants it to stay */
	const char *wanted = options->output;
	int err = -EEXIST;

	if (options->output_given)
		return output_begin(output, wanted, input, diag);
	for (int number = 1; number < NUMBER_MAX && (err == -EEXIST || err == -EBUSY); number++) {
		number_name(wanted, number, name);
		err = output_begin_fresh(output, name, diag);
	}
	options->output = name;
	return err;
}

/* "gilscope.gsc", "gilscope-2.gsc", "gilscope-20261129-160312.gsc". Other characters could harm the
 * terminal that the name is printed on. */
static bool is_default_name(const char *name)
{
	size_t stem = strlen("gilscope"), number;

	if (strncmp(name, "gilscope", stem) != 0 || strlen(name) >= DEFAULT_NAME_MAX)
		return false;
	number = name[stem] == '-' ? strspn(name + stem, "-0123456789") : 0;
	return !strcmp(name + stem + number, ".gsc");
}

static bool is_newer(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

const char *defaults_recording(void)
{
	static char newest[DEFAULT_NAME_MAX] = DEFAULT_FILE;
	_cleanup_(closedirp) DIR *folder = opendir(".");
	struct timespec when = {0};
	const struct dirent *entry;
	unsigned int count = 0;
	struct stat file;

	for (int i = 0; folder && i < FOLDER_MAX && (entry = readdir(folder)); i++) {
		if (!is_default_name(entry->d_name) ||
		    fstatat(dirfd(folder), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) ||
		    !S_ISREG(file.st_mode))
			continue;
		count++;
		if (!is_newer(&file.st_mtim, &when))
			continue;
		when = file.st_mtim;
		snprintf(newest, sizeof(newest), "%s", entry->d_name);
	}
	if (count > 1)
		fprintf(stderr, "gilscope: %s is the newest of %u recordings here.\n", newest,
			count);
	return newest;
}
