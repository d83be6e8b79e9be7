/* SPDX-License-Identifier: MIT */
#include "python/source/source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/duration.h"

enum { LINKS_MAX = 40 }; /* as in the kernel */

struct way {
	const struct source_folders *folders;
	bool absolute;
	char path[PATH_MAX]; /* without links, and without a slash in front */
	size_t length;
	int links;
};

static int open_at(const struct way *way, int flags)
{
	struct open_how how = {.flags = (unsigned int)(flags | O_CLOEXEC | O_NOFOLLOW),
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	long fd = syscall(SYS_openat2, way->absolute ? way->folders->root : way->folders->directory,
			  way->path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static uint64_t ns_of(struct timespec ts)
{
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* An entry that comes or goes sets both of a folder's times, its new name only one. Overlayfs sets
 * one when it copies the folder up, for a file that is written below it. */
static bool only_entries_changed(int fd, const struct stat *stat)
{
	struct statfs system;

	return S_ISDIR(stat->st_mode) &&
	       (ns_of(stat->st_ctim) == ns_of(stat->st_mtim) ||
		(!fstatfs(fd, &system) && system.f_type == OVERLAYFS_SUPER_MAGIC));
}

int source_file_check(const struct source_folders *folders, int fd, struct stat *ret_stat)
{
	if (fstat(fd, ret_stat))
		return -errno;
	return ns_of(ret_stat->st_ctim) <= folders->started_ns || only_entries_changed(fd, ret_stat)
		       ? 0
		       : -ESTALE;
}

static int enter(struct way *way, const char *name, size_t length)
{
	if (way->length + length + 2 > sizeof(way->path))
		return -ENAMETOOLONG;
	if (way->length)
		way->path[way->length++] = '/';
	memcpy(way->path + way->length, name, length);
	way->length += length;
	way->path[way->length] = '\0';
	return 0;
}

static int leave(struct way *way)
{
	const char *slash = memrchr(way->path, '/', way->length);

	if (!way->length && !way->absolute)
		return -EXDEV;
	way->length = slash ? (size_t)(slash - way->path) : 0;
	way->path[way->length] = '\0';
	return 0;
}

static int follow(struct way *way, const char *path);

/* A link leads on from the folder that it is in. */
static int follow_link(struct way *way, int fd)
{
	char path[PATH_MAX];
	ssize_t length = readlinkat(fd, "", path, sizeof(path) - 1);
	int err = length < 0 ? -errno : ++way->links > LINKS_MAX ? -ELOOP : leave(way);

	if (err)
		return err;
	path[length] = '\0';
	return follow(way, path);
}

static int step(struct way *way, const char *name, size_t length)
{
	_cleanup_(closep) int fd = -1;
	struct stat stat;
	int err;

	if (!length || (length == 1 && name[0] == '.'))
		return 0;
	if (length == 2 && memcmp(name, "..", 2) == 0)
		return leave(way);
	err = enter(way, name, length);
	if (err)
		return err;
	fd = open_at(way, O_PATH);
	err = fd < 0 ? fd : source_file_check(way->folders, fd, &stat);
	return err || !S_ISLNK(stat.st_mode) ? err : follow_link(way, fd);
}

static int follow(struct way *way, const char *path)
{
	int err = 0;

	if (path[0] == '/') {
		if (!way->absolute)
			return -EXDEV;
		way->length = 0;
	}
	while (!err && *path) {
		size_t length = strcspn(path, "/");

		err = step(way, path, length);
		path += length + (path[length] == '/');
	}
	return err;
}

int source_file_open(const struct source_folders *folders, const char *path)
{
	struct way way = {.folders = folders, .absolute = path[0] == '/'};
	_cleanup_(closep) int fd = -1;
	struct stat stat;
	int err = follow(&way, path);

	if (err)
		return err;
	fd = open_at(&way, O_PATH);
	if (fd < 0)
		return fd;
	if (fstat(fd, &stat))
		return -errno;
	return S_ISREG(stat.st_mode) ? open_at(&way, O_RDONLY | O_NONBLOCK | O_NOCTTY) : -EINVAL;
}
