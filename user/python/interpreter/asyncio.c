/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "python/interpreter/asyncio.h"
#include "python/versions/debug_offsets.h"
#include "python/process/memory.h"
#include "python/private.h"

enum {
	TASK_BYTES_MAX = 1 << 15,
	MODULES_BYTES_MAX = 4 << 20,
	/* struct Py_AsyncioModuleDebugOffsets, in bytes */
	TASK_SIZE = 0,
	TASK_NAME = 8,
	THREAD_STATE_SIZE = 72,
	THREAD_STATE_LOOP = 80,
	THREAD_STATE_TASK = 88,
};

int asyncio_parse(const uint64_t words[ASYNCIO_DEBUG_WORDS], struct target *target)
{
	struct debug_reader r = {.words = words};
	uint64_t task_bytes = words[TASK_SIZE / 8], state_bytes = words[THREAD_STATE_SIZE / 8];
	uint32_t name = debug_field(&r, TASK_NAME, task_bytes, 8);
	uint32_t loop = debug_field(&r, THREAD_STATE_LOOP, state_bytes, 8);
	uint32_t task = debug_field(&r, THREAD_STATE_TASK, state_bytes, 8);

	if (r.bad || task_bytes > TASK_BYTES_MAX || state_bytes > TASK_BYTES_MAX || !name ||
	    !loop || !task || loop == task)
		return -EINVAL;
	target->private->tstate_loop = loop;
	target->stack.tstate_task = (uint16_t)task;
	target->stack.task_name = (uint16_t)name;
	return 0;
}

static bool examined(const struct target *target)
{
	return !target->layout.asyncio_section || target->private->tstate_loop;
}

void asyncio_examine_image(struct target *target, const struct image *image)
{
	uint64_t words[ASYNCIO_DEBUG_WORDS], vaddr, size;

	if (examined(target) || elf_image_section(&image->elf, ".AsyncioDebug", &vaddr, &size) ||
	    size != sizeof(words) ||
	    memory_read((pid_t)target->info.pid, vaddr + image->bias, words, sizeof(words)))
		return;
	(void)asyncio_parse(words, target);
}

static bool is_module(const struct mapping *mapping)
{
	const char *slash = strrchr(mapping->path, '/');

	return mapping->executable && mapping->inode && slash &&
	       strncmp(slash + 1, "_asyncio.", 9) == 0;
}

void asyncio_examine_modules(struct target *target)
{
	_cleanup_(mappings_done) struct mappings mappings = {0};
	struct elf_budget budget = {MODULES_BYTES_MAX}; /* this is asked often */
	pid_t pid = (pid_t)target->info.pid;

	if (examined(target) || mappings_read(pid, &mappings))
		return;
	for (size_t i = 0; i < mappings.count && !examined(target) && !elf_budget_spent(&budget);
	     i++) {
		_cleanup_(image_done) struct image image = {.fd = -1, .elf.fd = -1};

		if (is_module(&mappings.list[i]) &&
		    image_open(pid, &mappings.list[i], &budget, &image) == 0)
			asyncio_examine_image(target, &image);
	}
}
