/* SPDX-License-Identifier: MIT */
#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "python/process/pages.h"
#include "python/process/proc.h"

enum { MAPPINGS_MAX = 1 << 20, ARGUMENTS_MAX = 64 << 10 };

ssize_t proc_read(const char *path, char *to, size_t size)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;

	if (fd < 0)
		return -errno;
	while (length < size - 1) {
		ssize_t got = read(fd, to + length, size - 1 - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	to[length] = 0;
	return (ssize_t)length;
}

int proc_stat_parse(const char *text, struct proc_stat *ret_stat)
{
	const char *p = strrchr(text, ')');
	struct proc_stat stat;

	/* pid (comm) state ppid … : state is field 3, the start time field 22 */
	if (!p || p[1] != ' ' || !p[2] || p[3] != ' ')
		return -EINVAL;
	stat.state = p[2];
	p += 3;
	for (int field = 4; field < 22; field++) {
		p = strchr(p + 1, ' ');
		if (!p)
			return -EINVAL;
	}
	if (sscanf(p, " %" SCNu64, &stat.start_time) != 1)
		return -EINVAL;
	*ret_stat = stat;
	return 0;
}

int proc_stat_read(const char *path, struct proc_stat *ret_stat)
{
	char text[1024];
	ssize_t length = proc_read(path, text, sizeof(text));

	if (length < 0)
		return (int)length;
	return proc_stat_parse(text, ret_stat);
}

int proc_status_last(const char *path, const char *key, uint32_t *ret_value)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	_cleanup_(freep) char *line = NULL;
	size_t size = 0, key_length = strlen(key);

	if (!file)
		return -errno;
	while (getline(&line, &size, file) > 0) {
		const char *last;

		if (strncmp(line, key, key_length) != 0 || line[key_length] != ':')
			continue;
		last = strrchr(line, '\t');
		return last && sscanf(last, "%" SCNu32, ret_value) == 1 ? 0 : -EINVAL;
	}
	return -ENOENT;
}

bool proc_may_trace(void)
{
	capng_get_caps_process();
	return capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_PTRACE);
}

/* The kernel reads the arguments from the process's own memory, at the addresses in fields 48 and
 * 49 of its stat, which are visible to those who may trace it. */
static bool arguments_answer(pid_t pid)
{
	struct pages_seen seen = {0};
	char path[64], text[1024];
	const char *p;
	uint64_t from, end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	p = proc_read(path, text, sizeof(text)) > 0 ? strrchr(text, ')') : NULL;
	for (int field = 3; p && field <= 48; field++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p, " %" SCNu64 " %" SCNu64, &from, &end) != 2)
		return false;
	return end <= from ||
	       pages_answer(pid, from, end - from < ARGUMENTS_MAX ? end - from : ARGUMENTS_MAX,
			    &seen);
}

int proc_cmdline(pid_t pid, char *to, size_t size)
{
	char path[64];
	ssize_t length;

	*to = 0;
	if (!arguments_answer(pid))
		return 0;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	length = proc_read(path, to, size);
	if (length < 0)
		return (int)length;
	while (length > 0 && to[length - 1] == 0)
		length--;
	for (ssize_t i = 0; i < length; i++)
		if (to[i] == 0)
			to[i] = ' ';
	return 0;
}

static int mapping_parse(char *line, struct mapping *ret_mapping)
{
	struct mapping m = {0};
	unsigned int major, minor;
	char perms[5];
	int path = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &m.start,
		   &m.end, perms, &m.offset, &major, &minor, &m.inode, &path) != 7)
		return -EINVAL;
	m.device = makedev(major, minor);
	m.readable = perms[0] == 'r';
	m.writable = perms[1] == 'w';
	m.executable = perms[2] == 'x';
	line[strcspn(line, "\n")] = 0;
	m.path = strdup(path ? line + path : "");
	if (!m.path)
		return -ENOMEM;
	*ret_mapping = m;
	return 0;
}

static int mappings_add(struct mappings *mappings, size_t *room, char *line)
{
	if (mappings->count >= MAPPINGS_MAX)
		return -E2BIG;
	if (mappings->count == *room) {
		size_t more = *room ? *room * 2 : 256;
		struct mapping *list = reallocarray(mappings->list, more, sizeof(*list));

		if (!list)
			return -ENOMEM;
		mappings->list = list;
		*room = more;
	}
	return mapping_parse(line, &mappings->list[mappings->count]);
}

int mappings_read(pid_t pid, struct mappings *ret_mappings)
{
	_cleanup_(mappings_done) struct mappings mappings = {0};
	_cleanup_(fclosep) FILE *file = NULL;
	_cleanup_(freep) char *line = NULL;
	size_t size = 0, room = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	errno = 0;
	while (getline(&line, &size, file) > 0) {
		int err = mappings_add(&mappings, &room, line);

		if (err)
			return err;
		mappings.count++;
	}
	if (ferror(file))
		return errno ? -errno : -EIO;
	*ret_mappings = STEAL(mappings, (struct mappings){0});
	return 0;
}

void mappings_done(struct mappings *mappings)
{
	for (size_t i = 0; i < mappings->count; i++)
		free(mappings->list[i].path);
	free(mappings->list);
	*mappings = (struct mappings){0};
}
