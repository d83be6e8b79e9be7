/* SPDX-License-Identifier: MIT */
#include "cmd/watch/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/duration.h"

/* A path, or with '@' an abstract name. Returns the socket; -1: there is none. */
static int connect_to(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(name);
	int fd;

	if ((*name != '/' && *name != '@') || length >= sizeof(address.sun_path))
		return -1;
	memcpy(address.sun_path, name, length);
	if (*name == '@')
		address.sun_path[0] = '\0';
	else
		length++;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address,
			       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* How often a sign of life is wanted: half of what the manager allows, as it recommends. */
static uint64_t period_ns(void)
{
	const char *pid = getenv("WATCHDOG_PID"), *usec = getenv("WATCHDOG_USEC");

	if (!usec || (pid && strtoul(pid, NULL, 10) != (unsigned long)getpid()))
		return 0;
	return strtoull(usec, NULL, 10) * 1000 / 2;
}

void notify_begin(struct notify *notify)
{
	const char *name = getenv("NOTIFY_SOCKET");

	*notify = (struct notify){.socket = name ? connect_to(name) : -1};
	notify->every_ns = notify->socket < 0 ? 0 : period_ns();
	notify->ts = clock_now_ns();
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_PID");
	unsetenv("WATCHDOG_USEC");
}

void notify_send(const struct notify *notify, const char *state)
{
	if (notify->socket >= 0 && write(notify->socket, state, strlen(state)) < 0)
		return; /* the manager does not listen now, and will see that */
}

void notify_alive(struct notify *notify, uint64_t now)
{
	if (!notify->every_ns || now - notify->ts < notify->every_ns)
		return;
	notify->ts = now;
	notify_send(notify, "WATCHDOG=1");
}

void notify_done(struct notify *notify)
{
	if (notify->socket >= 0)
		close(notify->socket);
	notify->socket = -1;
}
