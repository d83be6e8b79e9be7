/* SPDX-License-Identifier: MIT */
#include "cmd/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/confine.h"

#define TEMPORARY ".XXXXXX"

static int failed(const struct output *output, int err, struct diag *diag)
{
	return diag_set(diag, EXIT_FAILED, err, "cannot write %s: %s", output->name, strerror(-err));
}

/* A new file with the rights that any other new file gets. */
static FILE *create_beside(struct output *output)
{
	mode_t mask = umask(0);
	FILE *file = NULL;
	int fd;

	umask(mask);
	snprintf(output->temporary, sizeof(output->temporary), "%.*s" TEMPORARY, (int)(sizeof(output->temporary) - sizeof(TEMPORARY)), output->path);
	fd = mkostemp(output->temporary, O_CLOEXEC);
	if (fd >= 0 && !fchmod(fd, 0666 & ~mask))
		file = fdopen(fd, "w");
	if (!file) {
		int err = errno;

		if (fd >= 0) {
			close(fd);
			unlink(output->temporary);
		}
		output->temporary[0] = '\0';
		errno = err;
	}
	return file;
}

int output_begin(struct output *output, const char *path, struct diag *diag)
{
	struct stat there;
	bool exists;

	*output = (struct output){.name = path};
	if (path)
		confine_write_beside(path);
	if (!path || !strcmp(path, "-")) {
		output->name = "the standard output";
		output->file = stdout;
		return 0;
	}
	exists = !stat(path, &there);
	if (exists && !S_ISREG(there.st_mode)) {
		output->file = fopen(path, "we");
	} else if (exists ? !realpath(path, output->path) : strlen(path) >= sizeof(output->path) - sizeof(TEMPORARY)) {
		errno = exists ? errno : ENAMETOOLONG;
	} else {
		if (!exists)
			strcpy(output->path, path);
		output->file = create_beside(output);
	}
	return output->file ? 0 : diag_set(diag, EXIT_FAILED, -errno, "cannot create %s: %s", path, strerror(errno));
}

int output_end(struct output *output, struct diag *diag)
{
	FILE *file = output->file;
	int err = fflush(file) || ferror(file) ? errno ? -errno : -EIO : 0;

	output->file = NULL;
	if (file != stdout && fclose(file) && !err)
		err = -errno;
	if (!err && output->temporary[0] && rename(output->temporary, output->path))
		err = -errno;
	if (err)
		return failed(output, err, diag);
	output->temporary[0] = '\0';
	return 0;
}

void output_done(struct output *output)
{
	if (output->file && output->file != stdout)
		fclose(output->file);
	output->file = NULL;
	if (output->temporary[0])
		unlink(output->temporary);
	output->temporary[0] = '\0';
}
