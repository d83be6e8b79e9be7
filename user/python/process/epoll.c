/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "python/process/epoll.h"
#include "python/process/pages.h"
#include "python/process/proc.h"

enum { DESCRIPTORS_MAX = 1 << 18 };

DEFINE_CLEANUP(closedir, DIR *, closedir, NULL)

enum descriptor_kind {
	FD_OTHER,
	FD_EPOLL,
	FD_EVENTFD,
	FD_PIPE,
	FD_PIPE_TO_ITSELF,
	FD_SOCKET,
	FD_SOCKET_PAIR,
	FD_LISTENING
};

struct open_descriptor {
	uint32_t fd;
	enum descriptor_kind kind;
	uint64_t inode; /* of a pipe or socket */
};

/*
 * The descriptors of a process, by number. FD_PIPE_TO_ITSELF: a pipe both of whose ends are in the
 * process. FD_SOCKET_PAIR: a connected unix socket without a name, as socketpair(2) makes it.
 */
struct descriptors {
	struct open_descriptor *list;
	uint32_t count, sockets_paired;
};

static void descriptors_done(struct descriptors *descriptors)
{
	free(descriptors->list);
}

static struct open_descriptor descriptor_parse(uint32_t fd, const char *link)
{
	struct open_descriptor descriptor = {.fd = fd};

	if (strcmp(link, "anon_inode:[eventpoll]") == 0)
		descriptor.kind = FD_EPOLL;
	else if (strcmp(link, "anon_inode:[eventfd]") == 0)
		descriptor.kind = FD_EVENTFD;
	else if (sscanf(link, "pipe:[%" SCNu64 "]", &descriptor.inode) == 1)
		descriptor.kind = FD_PIPE;
	else if (sscanf(link, "socket:[%" SCNu64 "]", &descriptor.inode) == 1)
		descriptor.kind = FD_SOCKET;
	return descriptor;
}

static int by_fd(const void *a, const void *b)
{
	const struct open_descriptor *x = a, *y = b;

	return (x->fd > y->fd) - (x->fd < y->fd);
}

static int by_inode(const void *a, const void *b)
{
	const struct open_descriptor *x = a, *y = b;

	return (x->inode > y->inode) - (x->inode < y->inode);
}

static struct open_descriptor *find_fd(const struct descriptors *descriptors, uint32_t fd)
{
	struct open_descriptor key = {.fd = fd};

	return descriptors->count
		       ? bsearch(&key, descriptors->list, descriptors->count, sizeof(key), by_fd)
		       : NULL;
}

static int descriptors_list(pid_t pid, struct descriptors *descriptors)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *entry;
	uint32_t room = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir)) && descriptors->count < DESCRIPTORS_MAX) {
		if (pages_over())
			return -EINTR;
		char link[64];
		ssize_t length = entry->d_name[0] == '.' ? -1
							 : readlinkat(dirfd(dir), entry->d_name,
								      link, sizeof(link) - 1);

		if (length < 0)
			continue;
		link[length] = 0;
		if (descriptors->count == room) {
			struct open_descriptor *list = reallocarray(
				descriptors->list, room ? room * 2 : 64, sizeof(*list));

			if (!list)
				return -ENOMEM;
			descriptors->list = list;
			room = room ? room * 2 : 64;
		}
		descriptors->list[descriptors->count++] = descriptor_parse(
			(uint32_t)strtoul(entry->d_name, NULL, 10), link);
	}
	return 0;
}

/* Finds which pipes have both ends here; the list must be sorted by inode. */
static void pipes_mark(struct descriptors *descriptors)
{
	struct open_descriptor *list = descriptors->list;

	for (uint32_t i = 0; i + 1 < descriptors->count; i++)
		if (list[i + 1].kind == FD_PIPE &&
		    (list[i].kind == FD_PIPE || list[i].kind == FD_PIPE_TO_ITSELF) &&
		    list[i].inode == list[i + 1].inode)
			list[i].kind = list[i + 1].kind = FD_PIPE_TO_ITSELF;
}

/* Finds which sockets are ends of unnamed pairs; the list must be sorted by inode. /proc/PID/net is
 * the process's own network namespace. */
static void sockets_mark(pid_t pid, struct descriptors *descriptors)
{
	_cleanup_(fclosep) FILE *file = NULL;
	_cleanup_(freep) char *line = NULL;
	size_t size = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/net/unix", pid);
	file = fopen(path, "re");
	while (file && !pages_over() && getline(&line, &size, file) > 0) {
		enum { CONNECTED = 3 };
		struct open_descriptor key = {0}, *found;
		unsigned int state;
		char name[2];

		/* Num: RefCount Protocol Flags Type St Inode [Path] */
		if (sscanf(line, "%*s %*x %*x %*x %*x %x %" SCNu64 " %1s", &state, &key.inode,
			   name) != 2 ||
		    state != CONNECTED)
			continue;
		found = descriptors->count ? bsearch(&key, descriptors->list, descriptors->count,
						     sizeof(key), by_inode)
					   : NULL;
		if (!found || found->kind != FD_SOCKET)
			continue;
		found->kind = FD_SOCKET_PAIR;
		descriptors->sockets_paired++;
	}
}

static int descriptors_read(pid_t pid, struct descriptors *descriptors)
{
	int err = descriptors_list(pid, descriptors);

	if (err || !descriptors->count)
		return err;
	qsort(descriptors->list, descriptors->count, sizeof(*descriptors->list), by_inode);
	pipes_mark(descriptors);
	sockets_mark(pid, descriptors);
	qsort(descriptors->list, descriptors->count, sizeof(*descriptors->list), by_fd);
	return 0;
}

/* What an epoll descriptor watches that a wake-up channel is made of. */
struct watched {
	bool eventfd, pipe, socket_pair;
	bool any;     /* it watches something */
	bool accepts; /* a listening socket */
};

static int watched_read(pid_t pid, uint32_t epfd, const struct descriptors *descriptors,
			struct watched *ret_watched)
{
	_cleanup_(fclosep) FILE *file = NULL;
	_cleanup_(freep) char *line = NULL;
	struct watched watched = {0};
	size_t size = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%u", pid, epfd);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (!pages_over() && getline(&line, &size, file) > 0) {
		const struct open_descriptor *descriptor;
		const char *inode_text = strstr(line, " ino:");
		uint64_t inode;
		uint32_t fd;

		if (sscanf(line, "tfd: %" SCNu32, &fd) != 1)
			continue;
		watched.any = true;
		descriptor = find_fd(descriptors, fd);
		if (!descriptor)
			continue;
		/* the number may mean another file by now than the one that is watched */
		if (descriptor->inode && inode_text &&
		    sscanf(inode_text, " ino:%" SCNx64, &inode) == 1 && inode != descriptor->inode)
			continue;
		watched.eventfd |= descriptor->kind == FD_EVENTFD;
		watched.pipe |= descriptor->kind == FD_PIPE_TO_ITSELF;
		watched.accepts |= descriptor->kind == FD_LISTENING;
		watched.socket_pair |= descriptor->kind == FD_SOCKET_PAIR &&
				       descriptors->sockets_paired > 1;
	}
	*ret_watched = watched;
	return 0;
}

/* Of one of these files; the kernel lists TCP's listening sockets first (tcp_get_idx() of
 * net/ipv4/tcp_ipv4.c). */
#define LISTENING_LINES_MAX 8192

/* Lines of one of these files that say that a socket listens: `format` finds state and inode. The
 * list must be sorted by inode. */
static void listening_mark(pid_t pid, const char *name, const char *format, unsigned int listens,
			   struct descriptors *descriptors)
{
	_cleanup_(fclosep) FILE *file = NULL;
	_cleanup_(freep) char *line = NULL;
	size_t size = 0;
	uint32_t lines = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, name);
	file = fopen(path, "re");
	while (file && !pages_over() && getline(&line, &size, file) > 0) {
		struct open_descriptor key = {0}, *found, *end;
		unsigned int state;

		if (++lines > LISTENING_LINES_MAX)
			return;
		if (sscanf(line, format, &state, &key.inode) != 2 || state != listens)
			continue;
		found = bsearch(&key, descriptors->list, descriptors->count, sizeof(key), by_inode);
		end = descriptors->list + descriptors->count;
		while (found && found > descriptors->list && found[-1].inode == key.inode)
			found--; /* a socket may have several descriptors */
		for (; found && found < end && found->inode == key.inode; found++)
			if (found->kind == FD_SOCKET)
				found->kind = FD_LISTENING;
	}
}

static bool has_epoll(const struct descriptors *descriptors)
{
	for (uint32_t i = 0; i < descriptors->count; i++)
		if (descriptors->list[i].kind == FD_EPOLL)
			return true;
	return false;
}

bool epoll_accepts(pid_t pid)
{
	_cleanup_(descriptors_done) struct descriptors descriptors = {0};
	struct watched watched = {0};

	if (descriptors_list(pid, &descriptors) || !has_epoll(&descriptors))
		return false;
	qsort(descriptors.list, descriptors.count, sizeof(*descriptors.list), by_inode);
	for (int i = 0; i < 2; i++) /* sl local remote st … inode; TCP_LISTEN */
		listening_mark(pid, i ? "tcp6" : "tcp",
			       "%*s %*s %*s %x %*s %*s %*s %*s %*s %" SCNu64, 0x0a, &descriptors);
	/* Num RefCount Protocol Flags Type St Inode; __SO_ACCEPTCON */
	listening_mark(pid, "unix", "%*s %*x %*x %x %*x %*x %" SCNu64, 1 << 16, &descriptors);
	qsort(descriptors.list, descriptors.count, sizeof(*descriptors.list), by_fd);
	for (uint32_t i = 0; i < descriptors.count && !watched.accepts && !pages_over(); i++)
		if (descriptors.list[i].kind == FD_EPOLL)
			(void)watched_read(pid, descriptors.list[i].fd, &descriptors, &watched);
	return watched.accepts;
}

static bool has_uvloop(pid_t pid)
{
	_cleanup_(mappings_done) struct mappings mappings = {0};

	if (mappings_read(pid, &mappings))
		return false;
	for (size_t i = 0; i < mappings.count; i++)
		if (mappings.list[i].executable && strstr(mappings.list[i].path, "/uvloop/loop."))
			return true;
	return false;
}

static uint32_t kind_of(const struct watched *watched, bool uvloop)
{
	if ((watched->eventfd && watched->pipe) || (uvloop && !watched->any))
		return uvloop ? LOOP_UVLOOP : LOOP_UNKNOWN;
	return watched->socket_pair ? LOOP_ASYNCIO : LOOP_UNKNOWN;
}

static int emit_epoll(const struct target *target, uint32_t epfd,
		      const struct descriptors *descriptors, bool uvloop,
		      const struct stream_sink *sink)
{
	union event event = {
		.epoll = {.hdr = {.type = EV_EPOLL, .tid = target->info.pid}, .epfd = epfd}};
	struct watched watched = {0};

	if (watched_read((pid_t)target->info.pid, epfd, descriptors, &watched))
		return 0; /* closed meanwhile */
	/* libuv adds its channel in its first wait (uv__io_poll), after the first callbacks */
	if (watched.eventfd || watched.pipe || watched.socket_pair || (uvloop && !watched.any))
		event.hdr.flags = EVF_EPOLL_WAKEUP;
	event.epoll.kind = kind_of(&watched, uvloop);
	event.hdr.ts = clock_now_ns();
	return sink_event(sink, &event);
}

int epoll_emit_all(const struct target *target, const struct stream_sink *sink)
{
	_cleanup_(descriptors_done) struct descriptors descriptors = {0};
	pid_t pid = (pid_t)target->info.pid;
	bool uvloop = has_uvloop(pid);
	int err = descriptors_read(pid, &descriptors);

	if (err == -ENOMEM)
		return err;
	for (uint32_t i = 0; i < descriptors.count && !pages_over(); i++) {
		if (descriptors.list[i].kind != FD_EPOLL)
			continue;
		err = emit_epoll(target, descriptors.list[i].fd, &descriptors, uvloop, sink);
		if (err)
			return err;
	}
	return 0;
}

int target_describe_epoll(struct target *target, uint32_t epfd, const struct stream_sink *sink)
{
	_cleanup_(descriptors_done) struct descriptors descriptors = {0};
	pid_t pid = (pid_t)target->info.pid;
	const struct open_descriptor *descriptor;
	int err = descriptors_read(pid, &descriptors);

	if (err)
		return err == -ENOMEM ? err : 0;
	descriptor = find_fd(&descriptors, epfd);
	if (!descriptor || descriptor->kind != FD_EPOLL)
		return 0;
	return emit_epoll(target, epfd, &descriptors, has_uvloop(pid), sink);
}
