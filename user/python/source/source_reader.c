/* SPDX-License-Identifier: MIT */
#include "python/source/source_reader.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "python/process/bounded.h"
#include "python/process/proc.h"

struct source_reader {
	pid_t child;
	int line;
};

/* ── the child: when was the program started? ────────────────────────────── */

/* Of a process, from its stat file (proc(5)). */
struct program {
	uint64_t parent, start_ticks;
	uint64_t start_code, start_stack; /* random, and the same after a fork */
};

static int program_read(pid_t pid, struct program *ret_program)
{
	uint64_t fields[29] = {0};
	char path[64], text[1024], *at;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	length = proc_read(path, text, sizeof(text));
	if (length < 0)
		return (int)length;
	at = strrchr(text, ')');
	if (!at || strlen(at) < 4)
		return -EINVAL;
	at += 3; /* behind the state, field 3 */
	for (int field = 4; field <= 28; field++)
		fields[field] = strtoull(at, &at, 10);
	*ret_program = (struct program){.parent = fields[4],
					.start_ticks = fields[22],
					.start_code = fields[26],
					.start_stack = fields[28]};
	return 0;
}

/* Up to the process that started this program; all others are forks of it. */
static int program_origin(pid_t pid, struct program *ret_program)
{
	enum { GENERATIONS = 16 };
	struct program parent;
	int err = program_read(pid, ret_program);

	for (int i = 0; !err && i < GENERATIONS && ret_program->parent; i++) {
		if (program_read((pid_t)ret_program->parent, &parent) || !parent.start_stack ||
		    parent.start_stack != ret_program->start_stack ||
		    parent.start_code != ret_program->start_code)
			break;
		*ret_program = parent;
	}
	return err;
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Time of day, with the grain of a tick, by which start times are rounded down. */
static int program_started(pid_t pid, uint64_t *ret_ns)
{
	uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
	struct program program;
	int err = program_origin(pid, &program);

	if (!err)
		*ret_ns = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME) +
			  (program.start_ticks + 1) * tick_ns;
	return err;
}

/* ── the child: who may read what? ───────────────────────────────────────── */

enum { GROUPS_MAX = 1024 };

static int groups_read(const char *path, gid_t *groups, int *ret_count)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	_cleanup_(freep) char *line = NULL;
	size_t size = 0;

	if (!file)
		return -errno;
	while (getline(&line, &size, file) > 0) {
		char *at = line + strlen("Groups:"), *end;

		if (strncmp(line, "Groups:", strlen("Groups:")) != 0)
			continue;
		for (*ret_count = 0; *ret_count < GROUPS_MAX; at = end) {
			gid_t group = (gid_t)strtoul(at, &end, 10);

			if (end == at)
				return 0;
			groups[(*ret_count)++] = group;
		}
		return 0;
	}
	return -ENOENT;
}

/* Becomes the process's user, with the rights by which it opens files, and no other. */
static int become(pid_t pid)
{
	gid_t groups[GROUPS_MAX];
	uint32_t uid, gid;
	int err, count = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	err = proc_status_last(path, "Uid", &uid);
	if (!err)
		err = proc_status_last(path, "Gid", &gid);
	if (!err)
		err = groups_read(path, groups, &count);
	if (err)
		return err;
	if (setgroups((size_t)count, groups) && geteuid() != uid)
		return -errno;
	if (setresgid(gid, gid, gid) && getegid() != gid)
		return -errno;
	if (setresuid(uid, uid, uid) && geteuid() != uid)
		return -errno;
	capng_clear(CAPNG_SELECT_BOTH);
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

/* ── the child: files ────────────────────────────────────────────────────── */

struct reading {
	int root, directory;
	uint64_t started_ns;
	struct {
		char path[DEFINE_TEXT_MAX];
		char *text;
		size_t length;
	} file; /* the last one */
};

/* A relative path is one in the directory that the process is in, and does not leave it. */
static int open_file(const struct reading *reading, const char *path)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK};
	bool absolute = path[0] == '/';
	long fd;

	how.resolve = RESOLVE_NO_MAGICLINKS | (absolute ? RESOLVE_IN_ROOT : RESOLVE_BENEATH);
	fd = syscall(SYS_openat2, absolute ? reading->root : reading->directory, path, &how,
		     sizeof(how));
	return fd < 0 ? -errno : (int)fd;
}

/* Is it what the process has loaded, as far as a file's own times say? */
static bool is_unchanged(const struct reading *reading, const struct stat *stat)
{
	return (uint64_t)stat->st_ctim.tv_sec * NS_PER_S + (uint64_t)stat->st_ctim.tv_nsec <=
	       reading->started_ns;
}

static int read_file(struct reading *reading, const char *path)
{
	_cleanup_(closep) int fd = open_file(reading, path);
	struct stat stat;
	ssize_t got = 1;

	if (fd < 0)
		return fd;
	if (fstat(fd, &stat))
		return -errno;
	if (!S_ISREG(stat.st_mode) || stat.st_size > SOURCE_FILE_MAX ||
	    !is_unchanged(reading, &stat))
		return -ESTALE;
	while (got > 0 && reading->file.length < SOURCE_FILE_MAX) {
		got = read(fd, reading->file.text + reading->file.length,
			   SOURCE_FILE_MAX - reading->file.length);
		if (got > 0)
			reading->file.length += (size_t)got;
	}
	return got < 0 ? -errno : 0;
}

/* The text of a file; empty if it cannot be told. */
static void look_at_file(struct reading *reading, const char *path)
{
	if (reading->file.path[0] && strcmp(reading->file.path, path) == 0)
		return;
	snprintf(reading->file.path, sizeof(reading->file.path), "%s", path);
	reading->file.length = 0;
	bounded_at(path);
	if (read_file(reading, path))
		reading->file.length = 0;
}

static void answer(struct reading *reading, const struct source_question *question,
		   struct source_answer *ret_answer)
{
	struct source_place place = {.name = question->name,
				     .file = question->file,
				     .first_line = question->first_line,
				     .line = question->line};

	*ret_answer = (struct source_answer){.function = question->function,
					     .line = question->line};
	look_at_file(reading, question->file);
	if (!source_find(reading->file.text, reading->file.length, &place, ret_answer->text))
		ret_answer->text[0] = '\0';
}

static int open_folder(pid_t pid, const char *link)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, link);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int serve(void *ctx, int line)
{
	pid_t pid = *(const pid_t *)ctx;
	struct reading reading = {.root = open_folder(pid, "root"),
				  .directory = open_folder(pid, "cwd"),
				  .file.text = malloc(SOURCE_FILE_MAX)};
	struct source_question question;
	struct source_answer ours;
	int err = program_started(pid, &reading.started_ns);

	if (!err)
		err = become(pid);
	if (err || reading.root < 0 || !reading.file.text)
		return err ? err : -EACCES;
	while (recv(line, &question, sizeof(question), 0) == sizeof(question)) {
		answer(&reading, &question, &ours);
		if (send(line, &ours, sizeof(ours), MSG_NOSIGNAL) < 0)
			break;
	}
	return 0;
}

/* ── the parent ──────────────────────────────────────────────────────────── */

int source_reader_new(pid_t pid, struct source_reader **ret_reader)
{
	struct source_reader *reader = calloc(1, sizeof(*reader));
	int err = reader ? bounded_start(serve, &pid, &reader->line, &reader->child) : -ENOMEM;

	if (err) {
		free(reader);
		return err;
	}
	fcntl(reader->line, F_SETFL, O_NONBLOCK);
	*ret_reader = reader;
	return 0;
}

void source_reader_free(struct source_reader *reader)
{
	if (!reader)
		return;
	close(reader->line);
	bounded_end(reader->child);
	free(reader);
}

/* send() and recv() are not allowed to a confined process. */
static bool is_gone(void)
{
	return errno != EAGAIN && errno != EINTR;
}

bool source_reader_ask(struct source_reader *reader, const struct source_question *question,
		       bool *ret_gone)
{
	bool sent = write(reader->line, question, sizeof(*question)) >= 0;

	*ret_gone = !sent && is_gone();
	return sent;
}

bool source_reader_answer(struct source_reader *reader, struct source_answer *ret_answer,
			  bool *ret_gone)
{
	ssize_t got = read(reader->line, ret_answer, sizeof(*ret_answer));

	*ret_gone = got < 0 ? is_gone() : got != sizeof(*ret_answer);
	if (*ret_gone || got < 0)
		return false;
	ret_answer->text[sizeof(ret_answer->text) - 1] = '\0';
	return true;
}

void source_reader_wait(const struct source_reader *reader, int timeout_ms)
{
	struct pollfd polled = {.fd = reader->line, .events = POLLIN};

	poll(&polled, 1, timeout_ms);
}
