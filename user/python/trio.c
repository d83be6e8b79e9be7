/* SPDX-License-Identifier: MIT */
#include "python/trio.h"

#include <errno.h>
#include <string.h>

#include "python/interpreter/frames.h"
#include "python/interpreter/objects.h"
#include "python/process/memory.h"
#include "python/target.h"

static const char RUNNER_FILE[] = "trio/_core/_run.py", RUNNER[] = "run";

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

static int is_runner(const struct target *target, uint64_t code, bool *ret_is)
{
	char name[sizeof(RUNNER) + 1], file[DEFINE_TEXT_MAX];
	int err = member_text(target, code, target->layout.code_name, name, sizeof(name));

	*ret_is = false;
	if (err || strcmp(name, RUNNER) != 0)
		return err;
	err = member_text(target, code, target->layout.code_filename, file, sizeof(file));
	if (!err)
		*ret_is = ends_with(file, RUNNER_FILE);
	return err;
}

/* Outermost first: that is where it is. */
int trio_runs(const struct target *target, uint64_t state, bool *ret_runs)
{
	pid_t pid = (pid_t)target->info.pid;
	struct python_frames frames;
	bool whole = true, is = false;

	if (!target->stack.runtime || target->layout.code_filename == LAYOUT_NONE)
		return -ENOTSUP;
	if (!frames_read(pid, &target->stack, state, &frames))
		return -EAGAIN;
	for (uint32_t i = frames.count; i-- > 0 && !is;)
		whole &= is_runner(target, frames.list[i].code, &is) == 0;
	if (!is && (!whole || frames.cut))
		return -EAGAIN;
	*ret_runs = is;
	return 0;
}
