/* SPDX-License-Identifier: MIT */
/*
 * source_reader.h - reads lines of a process's source files, as the process itself would read them.
 *
 * A child process does it, because a file may never answer (bounded.h), and because a confined
 * process cannot open files in another root as another user. It is started before that, has the
 * process's root (/proc/PID/root), the directory that it was in then, its user, its groups, and no
 * capability: so it can read what the process can read, and nothing else. No link leads out of that
 * root (source_file.h; openat2(), Linux 5.6).
 *
 * Files change while a process keeps running what it has loaded. A file counts only if neither its
 * content nor its attributes, nor the way to it, were changed (ctime) since the process's program
 * was started, by it or by the process that it was forked from; and only if the function is where
 * its code says (source_text.h). What does not count is not told, and nothing is if the process was
 * forked from one that is gone.
 */
#ifndef GILSCOPE_PYTHON_SOURCE_SOURCE_READER_H
#define GILSCOPE_PYTHON_SOURCE_SOURCE_READER_H

#include <sys/types.h>
#include "python/source/source_text.h"
#include "stream/stream.h"

#define SOURCE_NAME_MAX 256	   /* of a function; of one with a longer name nothing is read */
#define SOURCE_FILE_MAX (4u << 20) /* bytes; a longer file is not read */

struct source_question {
	uint32_t function, line; /* the caller's own number; as in struct source_place */
	uint32_t first_line;
	char name[SOURCE_NAME_MAX];
	char file[DEFINE_TEXT_MAX];
};

struct source_answer {
	uint32_t function, line;
	char text[SOURCE_TEXT_MAX]; /* of the file, as it is; "": cannot be told */
};

struct source_reader;

/* Starts the child, before confining (cmd/pipeline/confine.h). 0, or -errno of starting it; one
 * that may not read leaves every question unanswered. */
int source_reader_new(pid_t pid, struct source_reader **ret_reader);
void source_reader_free(struct source_reader *reader); /* accepts NULL */

/* The same in two steps, for a process that may start nothing any more: another one starts the
 * child, which is its own, and hands over the line, or -errno; on that this one has the reader,
 * NULL without memory. */
int source_reader_line(pid_t pid);
struct source_reader *source_reader_on(int line);

/* Does not wait. SIGPIPE has to be ignored. False: no more questions fit for now (*ret_gone is
 * false), or there will be no more answers (it is true). */
bool source_reader_ask(struct source_reader *reader, const struct source_question *question,
		       bool *ret_gone);
/* Takes the next answer, without waiting for it. False: there is none yet, or there will be none;
 * as above. Answers come in the order of the questions. */
bool source_reader_answer(struct source_reader *reader, struct source_answer *ret_answer,
			  bool *ret_gone);
/* Waits until there may be an answer. */
void source_reader_wait(const struct source_reader *reader, int timeout_ms);

#endif
