/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "python/process/listening.h"

enum {
	LISTENERS_MAX = 4096,
	FILES_MAX = 1 << 16,
	TCP_LISTENING = 0x0a, /* TCP_LISTEN of include/net/tcp_states.h */
};

DEFINE_CLEANUP(closedir, DIR *, closedir, NULL)

struct listener {
	uint64_t inode;
	uint16_t port;
};

struct listeners {
	struct listener list[LISTENERS_MAX];
	uint32_t count;
};

/* sl local remote st … inode. The kernel lists listening sockets first (tcp_get_idx() of
 * net/ipv4/tcp_ipv4.c), so the table of connections is not read. */
static void listeners_read(pid_t pid, const char *name, struct listeners *listeners)
{
	_cleanup_(fclosep) FILE *file = NULL;
	char path[64], line[512];

	snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, name);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file)) /* the heading */
		return;
	while (listeners->count < LISTENERS_MAX && fgets(line, sizeof(line), file)) {
		struct listener *listener = &listeners->list[listeners->count];
		unsigned int state;

		if (sscanf(line, "%*s %*[0-9A-F]:%" SCNx16 " %*s %x %*s %*s %*s %*s %*s %" SCNu64,
			   &listener->port, &state, &listener->inode) != 3 ||
		    state != TCP_LISTENING)
			return;
		listeners->count++;
	}
}

static void add_port(struct listening_ports *ports, uint16_t port)
{
	uint32_t at = 0;

	while (at < ports->count && ports->list[at] < port)
		at++;
	if (at == LISTENING_PORTS_MAX || (at < ports->count && ports->list[at] == port))
		return;
	if (ports->count < LISTENING_PORTS_MAX)
		ports->count++;
	memmove(ports->list + at + 1, ports->list + at,
		(ports->count - at - 1) * sizeof(ports->list[0]));
	ports->list[at] = port;
}

static void add_socket(const struct listeners *listeners, uint64_t inode,
		       struct listening_ports *ports)
{
	for (uint32_t i = 0; i < listeners->count; i++)
		if (listeners->list[i].inode == inode)
			add_port(ports, listeners->list[i].port);
}

int listening_ports_read(pid_t pid, struct listening_ports *ret_ports)
{
	_cleanup_(freep) struct listeners *listeners = calloc(1, sizeof(*listeners));
	_cleanup_(closedirp) DIR *folder = NULL;
	const struct dirent *entry;
	char path[64];

	*ret_ports = (struct listening_ports){0};
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	folder = opendir(path);
	if (!folder)
		return -errno;
	if (!listeners)
		return -ENOMEM;
	listeners_read(pid, "tcp", listeners);
	listeners_read(pid, "tcp6", listeners);
	for (uint32_t i = 0; listeners->count && i < FILES_MAX && (entry = readdir(folder)); i++) {
		char link[64];
		uint64_t inode;
		ssize_t length = readlinkat(dirfd(folder), entry->d_name, link, sizeof(link) - 1);

		link[length > 0 ? length : 0] = 0;
		if (sscanf(link, "socket:[%" SCNu64 "]", &inode) == 1)
			add_socket(listeners, inode, ret_ports);
	}
	return 0;
}
