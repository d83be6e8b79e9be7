/* SPDX-License-Identifier: MIT */
#include "python/runners.h"

#include <errno.h>
#include <string.h>

#include "python/interpreter/frames.h"
#include "python/interpreter/objects.h"
#include "python/process/memory.h"
#include "python/target.h"

enum { FUNCTION_BYTES = 32 };

/* A function: the end of its file's path, and its name. */
struct code_place {
	const char *file, *function;
};

static const struct code_place TRIO[] = {{"trio/_core/_run.py", "run"}, {0}};

static const struct code_place WORKERS[] = {
	{"gunicorn/workers/base.py", "init_process"}, /* of every kind of worker */
	{"billiard/pool.py", "workloop"},	      /* celery's prefork pool */
	{"dramatiq/cli.py", "worker_process"},
	{"socketserver.py", "serve_forever"}, /* Flask's and Django's servers for development */
	{"waitress/server.py", "run"},
	{"cheroot/server.py", "serve"},
	{0},
};

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), tail = strlen(end);

	return length >= tail && strcmp(text + length - tail, end) == 0;
}

/* The text of a code object's member. */
static int member_text(const struct target *target, uint64_t code, uint32_t offset, char *to,
		       size_t size)
{
	uint64_t text;
	int err = memory_read_u64((pid_t)target->info.pid, code + offset, &text);

	return err ? err : str_read((pid_t)target->info.pid, &target->layout, text, to, size);
}

static int is_one_of(const struct target *target, uint64_t code, const struct code_place *places,
		     bool *ret_is)
{
	char name[FUNCTION_BYTES], file[DEFINE_TEXT_MAX];
	int err = member_text(target, code, target->layout.code_name, name, sizeof(name));

	*ret_is = false;
	for (; !err && places->file && !*ret_is; places++) {
		if (strcmp(name, places->function) != 0)
			continue;
		err = member_text(target, code, target->layout.code_filename, file, sizeof(file));
		*ret_is = !err && ends_with(file, places->file);
	}
	return err;
}

/* Of servers whose supervisor may run an event loop for purposes of its own. */
static const struct code_place SUPERVISORS[] = {
	{"gunicorn/arbiter.py", "run"}, /* 26 on: a thread with a loop for gunicornc */
	{"uvicorn/supervisors/multiprocess.py", "run"},
	{"uvicorn/supervisors/basereload.py", "run"},
	{0},
};

/* Outermost first: that is where they are. */
static int runs(const struct target *target, uint64_t state, const struct code_place *places,
		bool *ret_runs)
{
	pid_t pid = (pid_t)target->info.pid;
	struct python_frames frames;
	bool whole = true, is = false;

	if (!target->stack.runtime || target->layout.code_filename == LAYOUT_NONE)
		return -ENOTSUP;
	if (!frames_read(pid, &target->stack, state, &frames))
		return -EAGAIN;
	for (uint32_t i = frames.count; i-- > 0 && !is;)
		whole &= is_one_of(target, frames.list[i].code, places, &is) == 0;
	if (!is && (!whole || frames.cut))
		return -EAGAIN;
	*ret_runs = is;
	return 0;
}

int trio_runs(const struct target *target, uint64_t state, bool *ret_runs)
{
	return runs(target, state, TRIO, ret_runs);
}

int worker_runs(const struct target *target, uint64_t state, bool *ret_runs)
{
	return runs(target, state, WORKERS, ret_runs);
}

int supervisor_runs(const struct target *target, uint64_t state, bool *ret_runs)
{
	bool worker = false;
	int err = runs(target, state, SUPERVISORS, ret_runs);

	if (!err && *ret_runs)
		err = worker_runs(target, state, &worker);
	*ret_runs &= !err && !worker;
	return err;
}
