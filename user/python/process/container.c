/* SPDX-License-Identifier: MIT */
#include "python/process/container.h"

#include <stdio.h>
#include <string.h>

#include "python/process/proc.h"

enum {
	CGROUP_FILE_MAX = 8192, /* a line for each hierarchy of version 1 */
	ID_DIGITS = 64,		/* of a container's id; shown are 12 */
	NAME_BYTES = 40,	/* of an LXC container, a machine */
};

#define HEX_DIGITS "0123456789abcdef"

/*
 * The last part of a path that ends with an id is named by who made the container:
 * docker-ID.scope (docker with systemd's cgroups) or /docker/ID (without), libpod-ID.scope,
 * cri-containerd-ID.scope, crio-ID.scope; below kubepods also the bare id.
 */
static const struct maker {
	const char *before; /* the id */
	const char *name;
} MAKERS[] = {
	{"docker-", "docker"}, {"docker/", "docker"},
	{"libpod-", "podman"}, {"cri-containerd-", "containerd"},
	{"crio-", "CRI-O"},    {"", "container"},
};

static bool ends_with(const char *text, size_t length, const char *end)
{
	size_t bytes = strlen(end);

	return length >= bytes && memcmp(text + length - bytes, end, bytes) == 0;
}

/* The last id in the path, as the conmon of podman has a cgroup of its own beside it. */
static bool by_id(const char *path, size_t length, char to[static CONTAINER_NAME_MAX])
{
	for (size_t at = length; at-- > 0;) {
		const struct maker *maker = MAKERS;

		if (at + ID_DIGITS > length || strspn(path + at, HEX_DIGITS) != ID_DIGITS ||
		    (at && strchr(HEX_DIGITS, path[at - 1])))
			continue;
		while (!ends_with(path, at, maker->before))
			maker++;
		snprintf(to, CONTAINER_NAME_MAX, "%s %.12s", maker->name, path + at);
		return true;
	}
	return false;
}

/* "/lxc/web", "/lxc.payload.web", "/machine.slice/machine-web.scope" */
static bool by_name(const char *path, char to[static CONTAINER_NAME_MAX])
{
	static const struct {
		const char *before, *end, *name;
	} NAMED[] = {
		{"/lxc.payload.", "/", "LXC"},
		{"/lxc/", "/", "LXC"},
		{"/machine.slice/machine-", ".", "machine"},
	};

	for (size_t i = 0; i < sizeof(NAMED) / sizeof(NAMED[0]); i++) {
		const char *at = strstr(path, NAMED[i].before);
		int bytes;

		if (!at)
			continue;
		at += strlen(NAMED[i].before);
		bytes = (int)strcspn(at, NAMED[i].end);
		snprintf(to, CONTAINER_NAME_MAX, "%s %.*s", NAMED[i].name,
			 bytes < NAME_BYTES ? bytes : NAME_BYTES, at);
		return bytes > 0;
	}
	return false;
}

void container_name_parse(const char *text, char to[static CONTAINER_NAME_MAX])
{
	char path[1024];

	/* lines are "number:controllers:path" (proc(5)) */
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const char *at = strchr(line, ':');
		size_t length;

		at = at ? strchr(at + 1, ':') : NULL;
		if (!at)
			break;
		length = strcspn(++at, "\n");
		if (length >= sizeof(path))
			continue;
		memcpy(path, at, length);
		path[length] = '\0';
		if (by_id(path, length, to) || by_name(path, to))
			return;
	}
	to[0] = '\0';
}

void container_name(pid_t pid, char to[static CONTAINER_NAME_MAX])
{
	char path[64], text[CGROUP_FILE_MAX];

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	if (proc_read(path, text, sizeof(text)) < 0)
		text[0] = '\0';
	container_name_parse(text, to);
}

bool container_has_pid(pid_t pid, uint32_t inside)
{
	uint32_t last = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return proc_status_last(path, "NSpid", &last) == 0 && last == inside &&
	       last != (uint32_t)pid;
}
