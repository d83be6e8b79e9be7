/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "python/process/memory.h"
#include "python/interpreter/objects.h"
#include "python/process/pages.h"
#include "python/private.h"
#include "python/threads.h"

enum { INTERPRETERS_NAMED_MAX = 128 };

struct naming {
	struct objects objects;
	struct threads
		threads; /* threads.python by ident; those that have got their name have tid 0 */
	int (*name)(void *ctx, uint32_t tid, const char *text, uint32_t limit);
	void *ctx;
	int err; /* what `name` returned */
};

static void naming_done(struct naming *naming)
{
	threads_done(&naming->threads);
}

static int by_ident(const void *a, const void *b)
{
	const struct python_thread *x = a, *y = b;

	return (x->ident > y->ident) - (x->ident < y->ident);
}

/* All thread states of one thread have the same ident. */
static uint32_t take_tid(struct threads *threads, uint64_t ident)
{
	struct python_thread key = {.ident = ident}, *list = threads->python;
	struct python_thread *found = threads->python_count
					      ? bsearch(&key, list, threads->python_count,
							sizeof(key), by_ident)
					      : NULL;
	uint32_t tid = found ? found->tid : 0;

	if (!tid)
		return 0;
	while (found > list && found[-1].ident == ident)
		found--;
	for (; found < list + threads->python_count && found->ident == ident; found++)
		found->tid = 0;
	return tid;
}

static int is_executor(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "ThreadPoolExecutor") == 0;
}

/* The executor that a weak reference refers to; 0: it is none, or of another object. */
static uint64_t executor_of(const struct objects *objects, uint64_t reference)
{
	char name[32];
	uint64_t executor;

	if (object_type_name(objects, reference, name, sizeof(name)) ||
	    strncmp(name, "weakref", 7) != 0 ||
	    memory_read_u64(objects->pid, reference + objects->layout->object_type + 8,
			    &executor) ||
	    !executor || object_type_visit(objects, executor, is_executor, NULL) != 1)
		return 0;
	return executor;
}

/*
 * How many threads the ThreadPoolExecutor may have that the thread works for; 0: for none, or it is
 * unknown. Its target's first argument is a weak reference to the executor
 * (Lib/concurrent/futures/thread.py, in all versions). A tuple's items follow its size, since 3.14
 * with a hash between; the types say which.
 */
static uint32_t executor_limit(const struct objects *objects, uint64_t thread)
{
	uint64_t arguments, item, executor = 0, attribute, limit;
	uint32_t items = objects->layout->object_type + 16;
	char name[32];

	if (object_attribute(objects, thread, "_args", &arguments) ||
	    object_type_name(objects, arguments, name, sizeof(name)) || strcmp(name, "tuple") != 0)
		return 0;
	for (uint32_t at = items; at <= items + 8 && !executor; at += 8)
		if (memory_read_u64(objects->pid, arguments + at, &item) == 0 && item)
			executor = executor_of(objects, item);
	if (!executor || object_attribute(objects, executor, "_max_workers", &attribute) ||
	    object_int(objects, attribute, &limit) || limit > UINT32_MAX)
		return 0;
	return (uint32_t)limit;
}

/* An item of threading._active: { ident: Thread }. What cannot be read has no name. */
static int name_thread(void *ctx, uint64_t key, uint64_t value)
{
	struct naming *naming = ctx;
	char text[DEFINE_TEXT_MAX];
	uint64_t ident, name;
	uint32_t tid;

	if (object_int(&naming->objects, key, &ident) ||
	    object_attribute(&naming->objects, value, "_name", &name) ||
	    object_text(&naming->objects, name, text, sizeof(text)))
		return 0;
	tid = take_tid(&naming->threads, ident);
	if (tid)
		naming->err = naming->name(naming->ctx, tid, text,
					   executor_limit(&naming->objects, value));
	return naming->err;
}

static void name_threads_of(struct naming *naming, const struct target *target,
			    uint64_t interpreter)
{
	const struct objects *objects = &naming->objects;
	uint64_t modules, module, dict, active;

	if (memory_read_u64(objects->pid, interpreter + target->layout.interp_modules, &modules) ||
	    object_dict_get(objects, modules, "threading", &module) ||
	    memory_read_u64(objects->pid, module + objects->layout->module_dict, &dict) ||
	    object_dict_get(objects, dict, "_active", &active))
		return;
	(void)object_dict_visit(objects, active, name_thread, naming);
}

int target_thread_names(struct target *target,
			int (*name)(void *ctx, uint32_t tid, const char *text, uint32_t limit),
			void *ctx)
{
	_cleanup_(naming_done) struct naming naming = {
		.objects = objects_of(target), .name = name, .ctx = ctx};
	_cleanup_(freep) struct interpreter *interpreters = NULL;
	int count, err;
	bool whole;

	if (!target->stack.runtime)
		return 0;
	interpreters = calloc(INTERPRETERS_MAX, sizeof(*interpreters));
	if (!interpreters)
		return -ENOMEM;
	pages_allow(PAGES_ALLOW_NS);
	err = threads_read(target, &naming.threads);
	if (err)
		return err;
	if (naming.threads.python_count)
		qsort(naming.threads.python, naming.threads.python_count,
		      sizeof(*naming.threads.python), by_ident);
	count = runtime_interpreters((pid_t)target->info.pid, &target->layout, target->runtime,
				     interpreters, &whole);
	for (int i = 0; i < count && i < INTERPRETERS_NAMED_MAX && !naming.err; i++)
		name_threads_of(&naming, target, interpreters[i].address);
	return naming.err;
}
