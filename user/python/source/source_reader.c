/* SPDX-License-Identifier: MIT */
#include "python/source/source_reader.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "python/process/bounded.h"
#include "python/process/proc.h"
#include "python/source/source_file.h"

struct source_reader {
	pid_t child;
	int line;
};

/* ── the child: when was the program started? ────────────────────────────── */

/* Of a process, from its stat file (proc(5)). */
struct program {
	uint64_t parent, start_ticks;
	uint64_t start_code, start_stack; /* random, and the same after a fork */
	bool forked;			  /* and has not called exec since */
};

#define PF_FORKNOEXEC 0x40u /* include/linux/sched.h */

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
					.forked = fields[9] & PF_FORKNOEXEC,
					.start_ticks = fields[22],
					.start_code = fields[26],
					.start_stack = fields[28]};
	return 0;
}

/* The process that started this program, of which all others are forks. -ESRCH: it, or one between,
 * is gone or runs another program now. */
static int program_origin(pid_t pid, struct program *ret_program)
{
	enum { GENERATIONS = 16 };
	struct program parent;
	int err = program_read(pid, ret_program);

	for (int i = 0; !err && i < GENERATIONS && ret_program->forked; i++) {
		if (program_read((pid_t)ret_program->parent, &parent) || !parent.start_stack ||
		    parent.start_stack != ret_program->start_stack ||
		    parent.start_code != ret_program->start_code)
			return -ESRCH;
		*ret_program = parent;
	}
	return !err && ret_program->forked ? -ESRCH : err;
}

/* Time of day, with the grain of a tick, by which start times are rounded down. */
static int program_started(pid_t pid, uint64_t *ret_ns)
{
	uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
	struct program program;
	int err = program_origin(pid, &program);

	if (!err)
		*ret_ns = clock_epoch_ns(CLOCK_BOOTTIME) + (program.start_ticks + 1) * tick_ns;
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

/* Becomes the process's user, with the rights by which it opens files, and no other. No other
 * process of that user may trace it. */
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
	prctl(PR_SET_DUMPABLE, 0);
	capng_clear(CAPNG_SELECT_BOTH);
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

/* ── the child: files ────────────────────────────────────────────────────── */

struct reading {
	struct source_folders folders;
	struct {
		struct stat stat;
		char *text;
		size_t length; /* 0: of none */
	} file;		       /* the last one */
};

static bool same_text(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Checked behind reading, since it may be written at the same time. */
static int read_file(struct reading *reading, int fd)
{
	ssize_t got = 1;
	int err;

	reading->file.length = 0;
	while (got > 0 && reading->file.length < SOURCE_FILE_MAX) {
		got = read(fd, reading->file.text + reading->file.length,
			   SOURCE_FILE_MAX - reading->file.length);
		if (got > 0)
			reading->file.length += (size_t)got;
	}
	err = got < 0 ? -errno : source_file_check(&reading->folders, fd, &reading->file.stat);
	return err || reading->file.stat.st_size <= SOURCE_FILE_MAX ? err : -EFBIG;
}

/* The text of a file; empty if it cannot be told. Looks at the file each time: what was read before
 * does not fit code that the process has loaded since, from a file that has changed. */
static void look_at_file(struct reading *reading, const char *path)
{
	_cleanup_(closep) int fd = -1;
	struct stat stat;

	bounded_at(path);
	fd = source_file_open(&reading->folders, path);
	if (fd >= 0 && !source_file_check(&reading->folders, fd, &stat) &&
	    ((reading->file.length && same_text(&stat, &reading->file.stat)) ||
	     !read_file(reading, fd)))
		return;
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
	struct reading reading = {
		.folders = {.root = open_folder(pid, "root"), .directory = open_folder(pid, "cwd")},
		.file.text = malloc(SOURCE_FILE_MAX)};
	struct source_question question;
	struct source_answer ours;
	int err = program_started(pid, &reading.folders.started_ns);

	if (!err)
		err = become(pid);
	if (err || reading.folders.root < 0 || !reading.file.text)
		return err ? err : -EACCES;
	while (recv(line, &question, sizeof(question), 0) == sizeof(question)) {
		answer(&reading, &question, &ours);
		if (send(line, &ours, sizeof(ours), MSG_NOSIGNAL) < 0)
			break;
	}
	return 0;
}

/* ── the parent ──────────────────────────────────────────────────────────── */

int source_reader_line(pid_t pid)
{
	pid_t child;
	int line, err = bounded_start(serve, &pid, NULL, 0, &line, &child);

	return err ? err : line;
}

struct source_reader *source_reader_on(int line)
{
	struct source_reader *reader = calloc(1, sizeof(*reader));

	if (!reader) {
		close(line);
		return NULL;
	}
	fcntl(line, F_SETFL, O_NONBLOCK);
	reader->line = line;
	return reader;
}

int source_reader_new(pid_t pid, struct source_reader **ret_reader)
{
	pid_t child;
	int line, err = bounded_start(serve, &pid, NULL, 0, &line, &child);

	if (err)
		return err;
	*ret_reader = source_reader_on(line);
	if (!*ret_reader)
		return -ENOMEM;
	(*ret_reader)->child = child;
	return 0;
}

void source_reader_free(struct source_reader *reader)
{
	if (!reader)
		return;
	close(reader->line);
	if (reader->child) /* else it is another process's */
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
