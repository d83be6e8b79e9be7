/* SPDX-License-Identifier: MIT */
/* When a thread pool is reported as full, and the text. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "diagnosis/findings.h"
#include "diagnosis/pools.h"

#define MS UINT64_C(1000000)

static struct made {
	struct report report;
	struct process process, other;
	struct process_report processes[2];
	struct pool_report pools[2];
	struct finding_list *found;
} made;

static int setup(void **state)
{
	(void)state;
	made = (struct made){.report = {.stall_ns = 50 * MS, .window = {.end = 3000 * MS}}};
	made.report.names = dictionary_new();
	made.report.processes = made.processes;
	made.report.process_count = 2;
	made.report.pools = made.pools;
	made.process.info.pid = 100;
	made.other.info.pid = 200;
	made.processes[0].process = &made.process;
	made.processes[1].process = &made.other;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	findings_free(made.found);
	dictionary_free((struct dictionary *)made.report.names);
	return 0;
}

static struct pool_report *add(enum pool_kind kind, const char *name, uint32_t threads,
			       uint64_t full_ns, uint64_t back_to_back)
{
	struct pool_report *pool = &made.pools[made.report.pool_count++];

	*pool = (struct pool_report){.process = &made.process,
				     .kind = kind,
				     .threads = threads,
				     .busy_max = threads,
				     .busy_ns = threads * full_ns,
				     .full_ns = full_ns,
				     .full_worst_ns = full_ns,
				     .back_to_back = back_to_back};
	strcpy(pool->name, name);
	return pool;
}

/* Whether the first finding is a full pool; stores its text in `text`. */
static struct text_buffer text;
static bool is_full(void)
{
	findings_free(made.found);
	made.found = findings_new(&made.report);
	assert_non_null(made.found);
	text = (struct text_buffer){0};
	finding_text(&text, &made.report, &made.found->list[0]);
	made.report.pool_count = 0;
	return made.found->list[0].id == FINDING_POOL_FULL;
}

static void all_threads_of_anyio_s_pool(void **state)
{
	(void)state;
	add(POOL_ANYIO, "", 40, 2900 * MS, 20);
	assert_true(is_full());
	assert_string_equal(text.bytes,
			    "All 40" NBSP "threads of AnyIO's pool were busy for 2.90" NBSP
			    "s of 3.00" NBSP "s; 20" NBSP
			    "jobs began as soon as a thread was free");
	assert_ptr_equal(made.found->list[0].process, &made.processes[0]);
	assert_int_equal(made.found->list[0].ns, 2900 * MS);
	assert_int_equal(made.found->count, 1);
}

static void a_pool_that_may_grow_is_not_full(void **state)
{
	(void)state;
	add(POOL_ANYIO, "", 39, 2900 * MS, 20);
	assert_false(is_full());
	assert_int_equal(made.found->list[0].id, FINDING_NOTHING_FOUND);
}

static void an_executor_s_limit_shows_when_jobs_queue(void **state)
{
	(void)state;
	add(POOL_EXECUTOR, "batch", 2, 2900 * MS, 0);
	assert_false(is_full());
	add(POOL_EXECUTOR, "batch", 2, 2900 * MS, 1);
	assert_true(is_full());
	assert_string_equal(text.bytes,
			    "Both threads of the executor 'batch' were busy for 2.90" NBSP
			    "s of 3.00" NBSP "s; 1" NBSP "job began as soon as a thread was free");
}

static void an_executor_may_have_as_many_threads_as_it_says(void **state)
{
	(void)state;
	add(POOL_EXECUTOR, "asyncio", 5, 2900 * MS, 0)->limit = 6;
	assert_false(is_full());
	add(POOL_EXECUTOR, "asyncio", 6, 2900 * MS, 0)->limit = 6;
	assert_true(is_full());
	add(POOL_EXECUTOR, "own", 6, 2900 * MS, 0)->limit = 6; /* perhaps permanent consumers */
	assert_false(is_full());
	add(POOL_EXECUTOR, "own", 5, 2900 * MS, 3)->limit = 6;
	assert_false(is_full());
}

static void a_shared_pool_without_sign_of_a_queue_is_full_from_a_second_on(void **state)
{
	(void)state;
	add(POOL_WAITRESS, "", 4, 999 * MS, 0);
	assert_false(is_full());
	add(POOL_WAITRESS, "", 4, 1000 * MS, 0);
	assert_true(is_full());
	add(POOL_WAITRESS, "", 4, 50 * MS, 1);
	assert_true(is_full());
	add(POOL_WAITRESS, "", 4, 49 * MS, 1);
	assert_false(is_full());
}

static void a_thread_alone_that_is_busy_now_and_then_is_not_full(void **state)
{
	struct pool_report *pool = add(POOL_GUNICORN_SYNC, "", 1, 1400 * MS, 0);

	(void)state;
	pool->full_worst_ns = 999 * MS;
	assert_false(is_full());
	pool = add(POOL_GUNICORN_SYNC, "", 1, 1500 * MS, 0);
	pool->full_worst_ns = 999 * MS;
	assert_true(is_full());
	assert_string_equal(text.bytes, "The thread of gunicorn's sync worker was busy for "
					"1.50" NBSP "s of 3.00" NBSP "s");
	add(POOL_GUNICORN_SYNC, "", 1, 1000 * MS, 0);
	assert_true(is_full());
	add(POOL_GUNICORN_SYNC, "", 1, 999 * MS, 9); /* a client that reconnects immediately */
	assert_false(is_full());
}

static void two_pools_are_two_findings(void **state)
{
	(void)state;
	add(POOL_WAITRESS, "", 4, 1000 * MS, 0);
	add(POOL_CHEROOT, "", 1, 2000 * MS, 0)->process = &made.other;
	assert_true(is_full());
	assert_int_equal(made.found->count, 2);
	assert_ptr_equal(made.found->list[0].process, &made.processes[1]);
	assert_string_equal(text.bytes,
			    "The thread of cheroot was busy for 2.00" NBSP "s of 3.00" NBSP "s");
}

/* A job whose outermost function is in `file`. */
static void runs(struct pool_report *pool, const char *file)
{
	static struct pool_function function;
	struct dictionary *names = (struct dictionary *)made.report.names;
	const struct {
		const char *name, *file;
	} frames[] = {{"handle", file},
		      {"_WorkItem.run", "/usr/lib/python3.11/concurrent/futures/thread.py"},
		      {"_worker", "/usr/lib/python3.11/concurrent/futures/thread.py"},
		      {"Thread.run", "/usr/lib/python3.11/threading.py"}};
	struct stack_frame list[4];
	struct definition stack = {.kind = DEFINE_STACK, .stack = {list, 4, false}};
	uint32_t id;

	for (uint32_t i = 0; i < 4; i++) {
		struct definition definition = {.kind = DEFINE_FUNCTION,
						.function = {frames[i].name, frames[i].file, 1}};

		assert_int_equal(dictionary_intern(names, &definition, &id), 0);
		list[i] = (struct stack_frame){id, 1};
	}
	assert_int_equal(dictionary_intern(names, &stack, &id), 0);
	function = (struct pool_function){.ns = 1, .stack = id};
	pool->functions = &function;
	pool->function_count = 1;
}

static const char *owner(const char *name, const char *file)
{
	struct pool_report *pool = add(POOL_EXECUTOR, name, 2, 1000 * MS, 1);
	const char *what;

	runs(pool, file);
	what = pool_owner_of(&made.report, pool)->what;
	made.report.pool_count = 0;
	return what ? what : "";
}

static void an_executor_is_whose_jobs_it_runs(void **state)
{
	(void)state;
	assert_string_equal(owner("asyncio", "/srv/app.py"), "asyncio's default executor");
	assert_string_equal(owner("ThreadPoolExecutor-0",
				  "/srv/venv/site-packages/gunicorn/workers/gthread.py"),
			    "gunicorn's pool");
	assert_string_equal(owner("", "/srv/venv/site-packages/a2wsgi/wsgi.py"), "a2wsgi's pool");
	assert_string_equal(owner("", "/srv/venv/site-packages/asgiref/sync.py"),
			    "asgiref's executor");
	assert_string_equal(owner("ThreadPoolExecutor-0", "/srv/app.py"), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_threads_of_anyio_s_pool),
		TEST(a_pool_that_may_grow_is_not_full),
		TEST(an_executor_s_limit_shows_when_jobs_queue),
		TEST(an_executor_may_have_as_many_threads_as_it_says),
		TEST(a_shared_pool_without_sign_of_a_queue_is_full_from_a_second_on),
		TEST(a_thread_alone_that_is_busy_now_and_then_is_not_full),
		TEST(two_pools_are_two_findings),
		TEST(an_executor_is_whose_jobs_it_runs),
	};

	return cmocka_run_group_tests_name("diagnosis_pools", tests, NULL, NULL);
}
