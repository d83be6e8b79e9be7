/* SPDX-License-Identifier: MIT */
/* What a thread sleeps on, as the probes read it from the kernel's tables, in words. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "capture/private.h"

/* linux/kdev_t.h */
#define KERNEL_MAJOR(device) ((device) >> 20)
#define NAME_MAX_SHOWN	     40 /* less than SHARED_FILE_NAME holds, so that a cut can be seen */

/* Documentation/admin-guide/devices.txt: 4 and 5 are consoles and the like, 136 to 143 the slaves
 * of pseudo-terminals, whose names are numbers. */
static const char *device_kind(uint32_t device)
{
	uint32_t major = KERNEL_MAJOR(device);

	if (major >= 136 && major <= 143)
		return "tty pts/";
	return major == 4 || major == 5 ? "tty " : "device ";
}

static void name_socket(const struct shared_file *file, char *to, size_t size)
{
	const char *kind = file->type == SOCK_STREAM  ? "TCP"
			   : file->type == SOCK_DGRAM ? "UDP"
						      : "socket";
	char address[INET6_ADDRSTRLEN];

	if (file->family == AF_UNIX)
		snprintf(to, size, "unix socket");
	else if ((file->family != AF_INET && file->family != AF_INET6) || !file->port ||
		 !inet_ntop(file->family, file->address, address, sizeof(address)))
		snprintf(to, size, "socket");
	else
		snprintf(to, size, file->family == AF_INET ? "%s %s:%u" : "%s [%s]:%u", kind,
			 address, ntohs(file->port));
}

static void name_by(const char *kind, const struct shared_file *file, char *to, size_t size)
{
	int length = (int)strnlen(file->name, sizeof(file->name));

	if (length <= NAME_MAX_SHOWN)
		snprintf(to, size, "%s%.*s", kind, length, file->name);
	else
		snprintf(to, size, "%s%.*s…", kind, NAME_MAX_SHOWN, file->name);
}

void capture_file_text(const struct shared_file *file, char *to, size_t size)
{
	switch (file->mode & S_IFMT) {
	case S_IFSOCK:
		name_socket(file, to, size);
		break;
	case S_IFIFO:
		snprintf(to, size, "pipe");
		break;
	case S_IFCHR:
		name_by(device_kind(file->device), file, to, size);
		break;
	case S_IFBLK:
		name_by("device ", file, to, size);
		break;
	case S_IFREG:
		name_by("file ", file, to, size);
		break;
	default: /* eventfd, timerfd and the like are no kind at all */
		to[0] = '\0';
	}
}

int capture_handle_file(struct capture *capture, const struct shared_file *file, size_t size)
{
	union event event = {.sleeps_on = {.hdr = file->hdr}};
	char name[128];
	int err;

	if (size != sizeof(*file))
		return -EPROTO;
	capture_file_text(file, name, sizeof(name));
	err = name[0] ? symbols_name(capture->symbols, name, &event.sleeps_on.text) : 0;
	if (err || !event.sleeps_on.text)
		return err;
	event.hdr.type = EV_SLEEPS_ON;
	capture->status.events++;
	return sink_event(&capture->sink, &event);
}
