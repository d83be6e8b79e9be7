/* SPDX-License-Identifier: MIT */
#include "cmd/pipeline/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/pipeline/confine.h"

static const int SIGNALS[] = {SIGINT, SIGTERM, SIGHUP};

/* For the signal handler: the incomplete file and its folder, or "". Only one is written at a time.
 */
static char unfinished[NAME_MAX + 1];
static int unfinished_folder;

static int failed(const struct output *output, int err, struct diag *diag)
{
	return diag_set(diag, EXIT_FAILED, err, "cannot write %s: %s", output->name,
			strerror(-err));
}

static void on_signal(int number)
{
	if (unfinished[0])
		unlinkat(unfinished_folder, unfinished, 0);
	signal(number, SIG_DFL);
	raise(number);
}

static void catch_signals(const struct output *output)
{
	unfinished_folder = output->folder;
	memcpy(unfinished, output->temporary, sizeof(unfinished));
	for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++) {
		struct sigaction now;

		/* signals that are ignored (nohup) or handled stay so */
		if (!sigaction(SIGNALS[i], NULL, &now) && now.sa_handler == SIG_DFL)
			sigaction(SIGNALS[i], &(struct sigaction){.sa_handler = on_signal}, NULL);
	}
}

/* Blocks signals, so that none arrives between the creation of a file and catch_signals(). Returns
 * the previous mask. */
static sigset_t hold_signals(void)
{
	sigset_t held, before;

	sigemptyset(&held);
	for (size_t i = 0; i < sizeof(SIGNALS) / sizeof(SIGNALS[0]); i++)
		sigaddset(&held, SIGNALS[i]);
	sigprocmask(SIG_BLOCK, &held, &before);
	return before;
}

/* ── NAME.partial ────────────────────────────────────────────────────────── */

/* Does the open file still have this name? While it is locked, no other gilscope removes it. */
static bool has_name(int fd, int folder, const char *name)
{
	struct stat open, named;

	return !fstat(fd, &open) && !fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) &&
	       open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

/* Removes a leftover file. 0 if there is none any more; -EBUSY: it is being written. */
static int remove_stale(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC), err = 0;
	struct stat there;

	if (fd < 0) {
		err = errno == ENOENT ? 0 : -errno;
		if (err == -ELOOP) /* a symbolic link */
			err = unlinkat(folder, name, 0) ? -errno : 0;
		return err;
	}
	if (!fstat(fd, &there) && S_ISREG(there.st_mode) && flock(fd, LOCK_EX | LOCK_NB) &&
	    errno == EWOULDBLOCK)
		err = -EBUSY;
	/* another process removed it before we locked it; the name now belongs to its new file */
	else if (!has_name(fd, folder, name))
		err = -EBUSY;
	else if (unlinkat(folder, name, 0) && errno != ENOENT)
		err = -errno;
	close(fd);
	return err;
}

/* Creates a locked file; mode 0600 for root. Returns its descriptor, or -errno. */
static int create_locked(int folder, const char *name)
{
	mode_t mode = geteuid() ? 0666 : 0600;
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	if (fd < 0)
		return errno == EEXIST ? -EBUSY : -errno;
	/* file systems without locks fail with another error */
	if ((!flock(fd, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK) && has_name(fd, folder, name))
		return fd;
	/* race: another process took our file for a leftover before we locked it, and removes it */
	close(fd);
	return -EBUSY;
}

/* The same for NAME.partial, which a signal then removes. */
static int create_partial(const struct output *output)
{
	sigset_t before = hold_signals();
	int fd = create_locked(output->folder, output->temporary);

	if (fd >= 0)
		catch_signals(output);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return fd;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Opens the folder of `path` by O_PATH, for which it need not be readable. Returns its descriptor,
 * or -errno. */
static int open_folder(const char *path)
{
	char folder[PATH_MAX];
	size_t length = (size_t)(last_part(path) - path);
	int fd;

	if (length >= sizeof(folder))
		return -ENAMETOOLONG;
	memcpy(folder, path, length);
	folder[length] = '\0';
	fd = open(length ? folder : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* There is no file any more that has to be removed. */
static void forget(struct output *output)
{
	unfinished[0] = '\0';
	if (output->temporary[0])
		close(output->folder);
	output->temporary[0] = '\0';
}

/* Creates NAME.partial. `folder` is open and `temporary` set only on success. Returns its
 * descriptor, or -errno. */
static int open_partial(struct output *output)
{
	const char *name = last_part(output->path);
	int fd;

	if (strlen(name) + sizeof(OUTPUT_PARTIAL) > sizeof(output->temporary))
		return -ENAMETOOLONG;
	output->folder = open_folder(output->path);
	if (output->folder < 0)
		return output->folder;
	sprintf(output->temporary, "%s" OUTPUT_PARTIAL, name);
	fd = remove_stale(output->folder, output->temporary);
	if (!fd)
		fd = create_partial(output);
	if (fd < 0)
		forget(output);
	return fd;
}

static int begin_partial(struct output *output, struct diag *diag)
{
	int fd = open_partial(output);

	if (fd == -EBUSY) {
		diag_set(diag, EXIT_FAILED, fd, "another process is writing %s", output->path);
		diag_hint(diag, "wait for it, or choose another file with -o");
		return fd;
	}
	if (fd < 0)
		return diag_set(diag, EXIT_FAILED, fd, "cannot create %s: %s", output->path,
				strerror(-fd));
	output->file = fdopen(fd, "w");
	if (!output->file) {
		close(fd);
		output_done(output);
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "cannot create %s: %s", output->path,
				strerror(ENOMEM));
	}
	confine_write_into(output->folder);
	return 0;
}

/* ── beginning ───────────────────────────────────────────────────────────── */

static bool is_system_link(const char *path)
{
	return !strncmp(path, "/dev/", 5) || !strncmp(path, "/proc/", 6);
}

static bool is_same(const struct stat *there, const char *input)
{
	struct stat in;

	return input && !(strcmp(input, "-") ? stat(input, &in) : fstat(STDIN_FILENO, &in)) &&
	       in.st_dev == there->st_dev && in.st_ino == there->st_ino;
}

/* Checks what is at `path` now. 0: nothing, or a file that may be replaced; 1: something that is
 * written directly; or -errno with a diag. */
static int look_at_place(const char *path, const char *input, struct stat *ret_there,
			 struct diag *diag)
{
	struct stat there;

	if (lstat(path, &there))
		return 0;
	if (S_ISLNK(there.st_mode) && (!is_system_link(path) || stat(path, &there) ||
				       S_ISREG(there.st_mode) || S_ISBLK(there.st_mode))) {
		diag_set(diag, EXIT_FAILED, -ELOOP,
			 "%s is a symbolic link, and nothing is written through one", path);
		diag_hint(diag, "name the file itself with -o, or remove the link");
		return -ELOOP;
	}
	if (S_ISDIR(there.st_mode))
		return diag_set(diag, EXIT_FAILED, -EISDIR, "cannot create %s: %s", path,
				strerror(EISDIR));
	*ret_there = there;
	if (!S_ISREG(there.st_mode))
		return 1;
	if (!is_same(&there, input))
		return 0;
	diag_set(diag, EXIT_USAGE, -EINVAL, "%s is the file that is read", path);
	diag_hint(diag, "choose another file with -o");
	return -EINVAL;
}

/*
 * Opens what look_at_place() found. Race: by now the name may be a link to an important file. So
 * the file is neither created nor truncated, and it must be the one that was found. 0 or -errno.
 */
static int open_directly(const char *path, const struct stat *there, FILE **ret_file)
{
	int fd = open(path,
		      O_WRONLY | O_CLOEXEC | O_NOCTTY | (is_system_link(path) ? 0 : O_NOFOLLOW));
	struct stat opened;
	FILE *file;
	int err;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &opened) || opened.st_dev != there->st_dev ||
	    opened.st_ino != there->st_ino) {
		close(fd);
		return -EAGAIN;
	}
	file = fdopen(fd, "w");
	if (!file) {
		err = -errno;
		close(fd);
		return err;
	}
	*ret_file = file;
	return 0;
}

int output_begin(struct output *output, const char *path, const char *input, struct diag *diag)
{
	struct stat there = {0};
	int directly, err;

	*output = (struct output){.name = path, .path = path};
	if (!path || !strcmp(path, "-")) {
		output->name = "the standard output";
		output->file = stdout;
		return 0;
	}
	directly = look_at_place(path, input, &there, diag);
	if (directly < 0)
		return directly;
	if (!directly)
		return begin_partial(output, diag);
	err = open_directly(path, &there, &output->file);
	return err ? diag_set(diag, EXIT_FAILED, err, "cannot create %s: %s", path, strerror(-err))
		   : 0;
}

int output_begin_fresh(struct output *output, const char *path, struct diag *diag)
{
	struct stat there;

	*output = (struct output){.name = path, .path = path, .fresh = true};
	if (!lstat(path, &there))
		return diag_set(diag, EXIT_FAILED, -EEXIST, "cannot create %s: %s", path,
				strerror(EEXIST));
	return begin_partial(output, diag);
}

/* ── the end ─────────────────────────────────────────────────────────────── */

static int put_in_place(const struct output *output)
{
	const char *name = last_part(output->path);
	int folder = output->folder, err;

	if (output->fresh) {
		if (!renameat2(folder, output->temporary, folder, name, RENAME_NOREPLACE))
			return 0;
		err = -errno;
		if (err != -EINVAL) /* of file systems without RENAME_NOREPLACE */
			return err;
		if (!faccessat(folder, name, F_OK, 0))
			return -EEXIST;
	}
	return renameat(folder, output->temporary, folder, name) ? -errno : 0;
}

static int write_out(FILE *file)
{
	bool failed_before = ferror(file);
	int err = fflush(file) || failed_before ? -errno : 0;

	return failed_before && !err ? -EIO : err;
}

int output_end(struct output *output, struct diag *diag)
{
	FILE *file = output->file;
	int err = write_out(file);

	/* moved before it is closed, which releases the lock; synced before it is moved, because
	 * network file systems and quotas may refuse late */
	if (!err && output->temporary[0])
		err = fsync(fileno(file)) ? -errno : put_in_place(output);
	if (!err)
		forget(output);
	output->file = NULL;
	if (file != stdout && fclose(file) && !err)
		err = -errno;
	return err ? failed(output, err, diag) : 0;
}

const char *output_keep(struct output *output)
{
	static char kept[PATH_MAX + sizeof(OUTPUT_PARTIAL)];

	if (!output->temporary[0])
		return NULL;
	snprintf(kept, sizeof(kept), "%s" OUTPUT_PARTIAL, output->path);
	forget(output);
	return kept;
}

void output_done(struct output *output)
{
	if (output->temporary[0])
		unlinkat(output->folder, output->temporary, 0);
	forget(output);
	if (output->file && output->file != stdout)
		fclose(output->file);
	output->file = NULL;
}
