/* SPDX-License-Identifier: MIT */
/* Thread pools in words: whose one is, what it did, and what helps when it is full. */
#include "diagnosis/pools.h"

#include <string.h>

#include "words/names.h"

#define NAME_COLUMNS 40

static const struct pool_owner OWNERS[] = {
	{POOL_ANYIO, NULL, NULL, "AnyIO's pool", true,
	 "`def` routes and dependencies wait until one of its threads is free, however idle the "
	 "event loop is: make those that can await `async def`, give slow work an executor of its "
	 "own, or raise the limit, which is 40 unless the application says another "
	 "(anyio.to_thread.current_default_thread_limiter().total_tokens)."},
	{POOL_EXECUTOR, "asyncio", NULL, "asyncio's default executor", true,
	 "asyncio.to_thread(), run_in_executor(None, …) and the event loop's look-ups of host "
	 "names wait until one of its threads is free: give slow work an executor of its own, or "
	 "set a larger default (loop.set_default_executor())."},
	{POOL_EXECUTOR, NULL, "/gunicorn/workers/", "gunicorn's pool", true,
	 "Requests wait until one of its threads is free: raise --threads or --workers, and give "
	 "slow calls a timeout."},
	{POOL_EXECUTOR, NULL, "/a2wsgi/", "a2wsgi's pool", true,
	 "Requests wait until one of its threads is free: raise `workers` of WSGIMiddleware, and "
	 "give slow calls a timeout."},
	{POOL_EXECUTOR, NULL, "/asgiref/", "asgiref's executor", false,
	 "sync_to_async() runs what is thread-sensitive, such as the ORM, one after the other in "
	 "this thread: make slow work asynchronous, or call it with thread_sensitive=False."},
	{POOL_EXECUTOR, NULL, NULL, NULL, false,
	 "What is submitted to it waits until one of its threads is free: raise max_workers, or "
	 "give slow work an executor of its own."},
	{POOL_WAITRESS, NULL, NULL, "waitress", true,
	 "Requests wait until one of its threads is free: raise `threads`, run more processes, and "
	 "give slow calls a timeout."},
	{POOL_CHEROOT, NULL, NULL, "cheroot", true,
	 "Requests wait until one of its threads is free: raise `numthreads` "
	 "(server.thread_pool of CherryPy), and give slow calls a timeout."},
	{POOL_GUNICORN_SYNC, NULL, NULL, "gunicorn's sync worker", true,
	 "It serves one request at a time, and the others wait: raise --workers, give each worker "
	 "threads (--threads), and give slow calls a timeout."},
};

static bool runs(const struct report *report, const struct pool_report *pool, const char *directory)
{
	uint32_t stack = pool->function_count ? pool->functions[0].stack : 0;
	const struct definition *job = dictionary_find(report->names, DEFINE_FUNCTION,
						       pool_stack_of(report->names, stack).job);

	return job && strstr(job->function.file, directory);
}

const struct pool_owner *pool_owner_of(const struct report *report, const struct pool_report *pool)
{
	const struct pool_owner *owner = OWNERS;

	while (owner->kind != pool->kind || (owner->name && strcmp(owner->name, pool->name) != 0) ||
	       (owner->directory && !runs(report, pool, owner->directory)))
		owner++;
	return owner;
}

void text_add_pool(struct text_buffer *text, const struct report *report,
		   const struct pool_report *pool)
{
	const struct pool_owner *owner = pool_owner_of(report, pool);

	if (owner->what) {
		text_add(text, "%s", owner->what);
	} else if (!pool->name[0]) {
		text_add(text, "a ThreadPoolExecutor");
	} else {
		text_add(text, "the executor '");
		text_add_name(text, pool->name, NAME_COLUMNS);
		text_add(text, "'");
	}
}

void text_add_back_to_back(struct text_buffer *text, const struct pool_report *pool)
{
	if (!pool->back_to_back)
		return;
	text_add(text, "; ");
	text_add_number_of(text, pool->back_to_back, "job", "jobs");
	text_add(text, " began as soon as %s was free", pool->threads > 1 ? "a thread" : "it");
}

static void add_functions(struct text_buffer *text, const struct report *report,
			  const struct pool_report *pool)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < pool->function_count; i++)
		total += pool->functions[i].ns;
	for (uint32_t i = 0; i < pool->function_count && i < 3; i++) {
		const struct pool_function *function = &pool->functions[i];

		if (function->ns < total / 100)
			return;
		text_add(text, i ? ", " : "; ");
		if (function->handler.role == HANDLER_NONE)
			text_add(text, "no function of the application");
		else
			text_add_frame(text, report, &function->handler.frame);
		text_add(text, " ");
		text_add_share(text, function->ns, total);
	}
}

static void add_pool(struct text_buffer *text, const struct report *report,
		     const struct pool_report *pool)
{
	uint64_t window = text_window_ns(report);

	text_add_pool(text, report, pool);
	text_add(text, ": ");
	text_add_number_of(text, pool->threads, "thread", "threads");
	if (pool->threads > 1)
		text_add(text, ", up to %u busy at a time, %.1f on average", pool->busy_max,
			 (double)pool->busy_ns / (double)window);
	if (pool->full_ns) {
		text_add(text, pool->threads > 1 ? "; all busy at once for " : ", busy for ");
		text_add_duration(text, pool->full_ns);
		text_add(text, " of ");
		text_add_duration(text, window);
	}
	text_add_back_to_back(text, pool);
	add_functions(text, report, pool);
	if (text->bytes[0] == 'a' && pool->name[0] == '\0')
		text->bytes[0] = 'A';
}

void pools_paragraphs(const struct report *report, const struct process_report *process,
		      const struct paragraph_sink *sink)
{
	for (uint32_t i = 0; i < report->pool_count; i++) {
		struct text_buffer text = {0};

		if (report->pools[i].process != process->process)
			continue;
		add_pool(&text, report, &report->pools[i]);
		sink->put(sink->ctx, &text);
	}
}
