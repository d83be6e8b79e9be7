/* SPDX-License-Identifier: MIT */
/* What a stack says about a thread of a pool: stacks like those of real pools, by version. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "symbols/pools/pools.h"

#define STDLIB "/usr/lib/python3.11/"
#define SITE   "/srv/venv/lib/python3.11/site-packages/"

struct frame {
	const char *function, *file;
};

#define BOOT                                                                                       \
	{"Thread._bootstrap", STDLIB "threading.py"},                                              \
		{"Thread._bootstrap_inner", STDLIB "threading.py"}
#define RUN   {"Thread.run", STDLIB "threading.py"}
#define ANYIO {"WorkerThread.run", SITE "anyio/_backends/_asyncio.py"}
#define WORK  {"_worker", STDLIB "concurrent/futures/thread.py"}
#define ITEM  {"_WorkItem.run", STDLIB "concurrent/futures/thread.py"}
#define GET   {"Queue.get", STDLIB "queue.py"}
#define WAIT  {"Condition.wait", STDLIB "threading.py"}
#define JOB   {"job", "/srv/app.py"}
#define INNER {"inner", "/srv/app.py"}
#define SYNC  SITE "gunicorn/workers/sync.py"
#define ARBITER                                                                                    \
	{"<module>", "/srv/venv/bin/gunicorn"}, {"run", SITE "gunicorn/app/wsgiapp.py"},           \
		{"Arbiter.run", SITE "gunicorn/arbiter.py"},                                       \
		{"Worker.init_process", SITE "gunicorn/workers/base.py"}
#define RUN_FOR_ONE                                                                                \
	{"SyncWorker.run", SYNC},                                                                  \
	{                                                                                          \
		"SyncWorker.run_for_one", SYNC                                                     \
	}
#define FRAMES_MAX 16

static const struct test_case {
	const char *what;
	struct frame frames[FRAMES_MAX]; /* outermost first */
	enum pool_kind kind;
	enum pool_place place;
	const char *job;
} CASES[] = {
	{"AnyIO, idle", {BOOT, ANYIO, GET, WAIT}, POOL_ANYIO, PLACE_QUEUE, NULL},
	{"AnyIO, a job", {BOOT, ANYIO, JOB, INNER}, POOL_ANYIO, PLACE_JOB, "job"},
	{"AnyIO, a job that is a C function", {BOOT, ANYIO}, POOL_ANYIO, PLACE_JOB, NULL},
	{"AnyIO, a job that waits for a queue",
	 {BOOT, ANYIO, JOB, GET, WAIT},
	 POOL_ANYIO,
	 PLACE_JOB,
	 "job"},
	{"AnyIO, a job is over",
	 {BOOT, ANYIO, {"BaseEventLoop.call_soon_threadsafe", STDLIB "asyncio/base_events.py"}},
	 POOL_ANYIO,
	 PLACE_BETWEEN,
	 NULL},
	{"AnyIO, a job is over, at the queue's lock",
	 {BOOT, ANYIO, {"Queue.task_done", STDLIB "queue.py"}},
	 POOL_ANYIO,
	 PLACE_BETWEEN,
	 NULL},
	{"AnyIO before 3.11",
	 {{"_bootstrap_inner", "/usr/lib/python3.9/threading.py"},
	  {"run", SITE "anyio/_backends/_asyncio.py"},
	  JOB},
	 POOL_ANYIO,
	 PLACE_JOB,
	 "job"},
	{"an executor, idle", {BOOT, RUN, WORK}, POOL_EXECUTOR, PLACE_QUEUE, NULL},
	{"an executor, a job",
	 {BOOT, RUN, WORK, ITEM, JOB, INNER},
	 POOL_EXECUTOR,
	 PLACE_JOB,
	 "job"},
	{"an executor, a job of 3.14",
	 {BOOT, RUN, WORK, ITEM, {"WorkerContext.run", STDLIB "concurrent/futures/thread.py"}, JOB},
	 POOL_EXECUTOR,
	 PLACE_JOB,
	 "job"},
	{"an executor, a job that is a C function",
	 {BOOT, RUN, WORK, ITEM},
	 POOL_EXECUTOR,
	 PLACE_JOB,
	 NULL},
	{"an executor, a job that is Queue.get()",
	 {BOOT, RUN, WORK, ITEM, GET, WAIT},
	 POOL_EXECUTOR,
	 PLACE_JOB,
	 "Queue.get"},
	{"an executor, a job is over",
	 {BOOT,
	  RUN,
	  WORK,
	  ITEM,
	  {"Future.set_result", STDLIB "concurrent/futures/_base.py"},
	  {"Future._invoke_callbacks", STDLIB "concurrent/futures/_base.py"},
	  {"_chain_future.<locals>._call_set_state", STDLIB "asyncio/futures.py"}},
	 POOL_EXECUTOR,
	 PLACE_BETWEEN,
	 NULL},
	{"an executor, counts itself idle",
	 {BOOT, RUN, WORK, {"Semaphore.release", STDLIB "threading.py"}},
	 POOL_EXECUTOR,
	 PLACE_BETWEEN,
	 NULL},
	{"an executor, its initializer", {BOOT, RUN, WORK, JOB}, POOL_EXECUTOR, PLACE_JOB, "job"},
	{"an executor, under Sentry",
	 {BOOT,
	  {"setup_once.<locals>.run", SITE "sentry_sdk/integrations/threading.py"},
	  RUN,
	  WORK,
	  ITEM,
	  JOB},
	 POOL_EXECUTOR,
	 PLACE_JOB,
	 "job"},
	{"waitress, idle",
	 {BOOT, RUN, {"ThreadedTaskDispatcher.handler_thread", SITE "waitress/task.py"}, WAIT},
	 POOL_WAITRESS,
	 PLACE_QUEUE,
	 NULL},
	{"waitress, a job",
	 {BOOT,
	  RUN,
	  {"ThreadedTaskDispatcher.handler_thread", SITE "waitress/task.py"},
	  {"HTTPChannel.service", SITE "waitress/channel.py"},
	  JOB},
	 POOL_WAITRESS,
	 PLACE_JOB,
	 "HTTPChannel.service"},
	{"gunicorn's sync worker, idle",
	 {ARBITER, RUN_FOR_ONE, {"SyncWorker.wait", SYNC}},
	 POOL_GUNICORN_SYNC,
	 PLACE_QUEUE,
	 NULL},
	{"gunicorn's sync worker, looks for a request",
	 {ARBITER, RUN_FOR_ONE, {"SyncWorker.accept", SYNC}, {"socket.accept", STDLIB "socket.py"}},
	 POOL_GUNICORN_SYNC,
	 PLACE_BETWEEN,
	 NULL},
	{"gunicorn's sync worker, reads a request",
	 {ARBITER,
	  RUN_FOR_ONE,
	  {"SyncWorker.accept", SYNC},
	  {"SyncWorker.handle", SYNC},
	  {"Parser.__next__", SITE "gunicorn/http/parser.py"}},
	 POOL_GUNICORN_SYNC,
	 PLACE_JOB,
	 NULL},
	{"gunicorn's sync worker, a view",
	 {ARBITER,
	  RUN_FOR_ONE,
	  {"SyncWorker.accept", SYNC},
	  {"SyncWorker.handle", SYNC},
	  {"SyncWorker.handle_request", SYNC},
	  JOB},
	 POOL_GUNICORN_SYNC,
	 PLACE_JOB,
	 NULL},
	{"gunicorn's sync worker in a thread: not gunicorn's",
	 {BOOT, RUN, RUN_FOR_ONE, {"SyncWorker.wait", SYNC}},
	 POOL_NONE,
	 PLACE_QUEUE,
	 NULL},
	{"cheroot, idle",
	 {BOOT,
	  {"WorkerThread.run", SITE "cheroot/workers/threadpool.py"},
	  {"WorkerThread._process_connections_until_interrupted",
	   SITE "cheroot/workers/threadpool.py"},
	  GET,
	  WAIT},
	 POOL_CHEROOT,
	 PLACE_QUEUE,
	 NULL},
	{"cheroot, a job",
	 {BOOT,
	  {"WorkerThread.run", SITE "cheroot/workers/threadpool.py"},
	  {"WorkerThread._process_connections_until_interrupted",
	   SITE "cheroot/workers/threadpool.py"},
	  {"HTTPConnection.communicate", SITE "cheroot/server.py"}},
	 POOL_CHEROOT,
	 PLACE_JOB,
	 "HTTPConnection.communicate"},
	{"a thread of the application", {BOOT, RUN, JOB}, POOL_NONE, PLACE_QUEUE, NULL},
	{"a file that is only called so",
	 {BOOT, RUN, {"_worker", "/srv/thread.py"}},
	 POOL_NONE,
	 PLACE_QUEUE,
	 NULL},
	{"the main thread, which runs a worker's code",
	 {{"<module>", "/srv/app.py"}, WORK, ITEM, JOB},
	 POOL_NONE,
	 PLACE_QUEUE,
	 NULL},
};

static uint32_t define(struct dictionary *dictionary, const struct test_case *test)
{
	struct stack_frame frames[FRAMES_MAX];
	struct definition stack = {.kind = DEFINE_STACK, .stack = {.frames = frames}};
	uint32_t count = 0, id;

	while (count < FRAMES_MAX && test->frames[count].function)
		count++;
	for (uint32_t i = 0; i < count; i++) {
		struct definition function = {
			.kind = DEFINE_FUNCTION,
			.function = {test->frames[i].function, test->frames[i].file, 1}};

		assert_int_equal(dictionary_intern(dictionary, &function, &id), 0);
		frames[count - 1 - i] = (struct stack_frame){id, 1};
	}
	stack.stack.count = count;
	assert_int_equal(dictionary_intern(dictionary, &stack, &id), 0);
	return id;
}

static void real_stacks(void **state)
{
	struct dictionary *dictionary = dictionary_new();

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct pool_stack found = pool_stack_of(dictionary, define(dictionary, &CASES[i]));
		const struct definition *job = dictionary_find(dictionary, DEFINE_FUNCTION,
							       found.job);

		if (found.kind != CASES[i].kind || (found.kind && found.place != CASES[i].place) ||
		    !job != !CASES[i].job || (job && strcmp(job->function.name, CASES[i].job) != 0))
			fail_msg("%s: kind %d, place %d, job %s", CASES[i].what, found.kind,
				 found.place, job ? job->function.name : "none");
	}
	dictionary_free(dictionary);
}

static void what_is_not_there_is_no_pool(void **state)
{
	struct dictionary *dictionary = dictionary_new();
	struct stack_frame frames[] = {{0, 0}, {0, 0}};
	struct definition stack = {.kind = DEFINE_STACK, .id = 1, .stack = {frames, 2, false}};

	(void)state;
	assert_int_equal(pool_stack_of(dictionary, 0).kind, POOL_NONE);
	assert_int_equal(pool_stack_of(dictionary, 7).kind, POOL_NONE);
	assert_int_equal(dictionary_define(dictionary, &stack), 0);
	assert_int_equal(pool_stack_of(dictionary, 1).kind, POOL_NONE);
	dictionary_free(dictionary);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_stacks),
		cmocka_unit_test(what_is_not_there_is_no_pool),
	};

	return cmocka_run_group_tests_name("symbols_pools", tests, NULL, NULL);
}
