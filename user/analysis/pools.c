/* SPDX-License-Identifier: MIT */
/*
 * pools.c - thread pools: how many of their threads were busy, and for how long all of them.
 *
 * A thread belongs to a pool as soon as one of its stacks says so (symbols/pools/pools.h). It is
 * idle while it is asleep in the wait for the pool's queue, where its stack is a fact; busy in
 * every other known state, also while it waits for the GIL or a CPU; and neither while its state,
 * or where it sleeps, is unknown.
 *
 * Every change of a thread counts at its instant, so the sums are exact. Nothing grows with time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/fold.h"
#include "base/duration.h"

/* A thread that is idle for less, after all were busy, has a job as soon as it is free: with AnyIO
 * it is the event loop that hands over the next one. (An executor has a queue: a job that has
 * waited there is taken without idling.) */
#define AT_ONCE_NS (10 * NS_PER_MS)

static struct pool_stack place_of(struct report_builder *builder, uint32_t stack)
{
	struct pool_stack_entry *entry;
	uint32_t before = builder->pool_stacks.count;

	if (!stack || !builder->report.names ||
	    pool_stacks_get(&builder->pool_stacks, &stack, &entry) < 0)
		return (struct pool_stack){0};
	if (builder->pool_stacks.count > before)
		entry->found = pool_stack_of(builder->report.names, stack);
	return entry->found;
}

bool pools_in_job(struct report_builder *builder, uint32_t stack)
{
	struct pool_stack place = place_of(builder, stack);

	return place.kind && place.place == PLACE_JOB;
}

/* ── which pool ──────────────────────────────────────────────────────────── */

/* An executor's threads are called like it, with a number: "asyncio_3". */
static uint32_t name_length(const char *name)
{
	uint32_t length = (uint32_t)strlen(name), end = length;

	while (end && name[end - 1] >= '0' && name[end - 1] <= '9')
		end--;
	return end && end < length && name[end - 1] == '_' ? end - 1 : length;
}

static struct pool_key key_of(const struct report_builder *builder, const struct thread *thread,
			      enum pool_kind kind)
{
	const struct definition *text = dictionary_find(builder->report.names, DEFINE_TEXT,
							thread->python_name);
	struct pool_key key = {.process = thread->process, .kind = kind};

	uint32_t length = text && kind == POOL_EXECUTOR ? name_length(text->text) : 0;

	if (length >= sizeof(key.name))
		length = sizeof(key.name) - 1;
	if (length)
		memcpy(key.name, text->text, length);
	return key;
}

static struct pool_fold *pool_of(const struct report_builder *builder,
				 const struct thread_fold *thread)
{
	return thread->pool ? table_at(&builder->pools, thread->pool - 1) : NULL;
}

/* ── the sums ────────────────────────────────────────────────────────────── */

static bool all_busy(const struct pool_fold *pool)
{
	return pool->alive && pool->busy == pool->alive && pool->alive == pool->report.threads;
}

static void advance(struct pool_fold *pool, uint64_t ts)
{
	if (ts <= pool->ts)
		return;
	pool->report.busy_ns += pool->busy * (ts - pool->ts);
	pool->ts = ts;
}

/* Now, or until shortly before. */
static bool was_full(const struct pool_fold *pool)
{
	return pool->full || (pool->ts_full_end && pool->ts - pool->ts_full_end < AT_ONCE_NS);
}

/* Ends the stretch in which all were busy, or begins one. */
static void note_full(struct pool_fold *pool)
{
	struct pool_report *report = &pool->report;
	bool full = all_busy(pool);
	uint64_t ns = pool->ts - pool->ts_full;

	if (full == pool->full)
		return;
	pool->full = full;
	if (full) {
		pool->ts_full = pool->ts;
		return;
	}
	pool->ts_full_end = pool->ts;
	report->full_ns += ns;
	report->full_worst_ns = later(report->full_worst_ns, ns);
}

/* One more than ever: up to now it could grow, so it was not full. */
static void note_growth(struct pool_fold *pool)
{
	if (pool->alive <= pool->report.threads)
		return;
	pool->report.threads = pool->alive;
	pool->report.full_ns = pool->report.full_worst_ns = 0;
	pool->report.back_to_back = pool->reported.back_to_back = pool->reported.full_ns = 0;
	pool->full = false;
}

static uint32_t *count_of(struct pool_fold *pool, enum worker_is is)
{
	return is == WORKER_BUSY ? &pool->busy : is == WORKER_IDLE ? &pool->idle : NULL;
}

static void worker_set(struct pool_fold *pool, struct thread_fold *worker, enum worker_is is,
		       uint64_t ts)
{
	uint32_t *from = count_of(pool, worker->is), *to = count_of(pool, is);

	if (worker->is == is)
		return;
	advance(pool, ts);
	if (worker->job_seen && is == WORKER_BUSY && ts - worker->ts_worker < AT_ONCE_NS)
		pool->report.back_to_back++;
	if (from)
		--*from;
	if (to)
		++*to;
	worker->is = is;
	worker->ts_worker = ts;
	if (is != WORKER_BUSY) {
		worker->job_seen = is == WORKER_IDLE && worker->job_known &&
				   pool->report.kind != POOL_EXECUTOR && was_full(pool);
		worker->job_over = worker->job_known = false;
	}
	if (pool->busy > pool->report.busy_max)
		pool->report.busy_max = pool->busy;
	note_full(pool);
}

static void leave(struct report_builder *builder, struct thread_fold *worker, uint64_t ts)
{
	struct pool_fold *pool = pool_of(builder, worker);

	if (!pool)
		return;
	worker_set(pool, worker, WORKER_UNKNOWN, ts);
	advance(pool, ts);
	pool->alive--;
	worker->pool = 0;
	note_full(pool);
	pool_step(builder, pool);
}

/* The name of a new thread is read a little later: then it has been in no pool of that name. */
static void forget_unnamed(const struct report_builder *builder, struct pool_fold *pool)
{
	if (pool->alive || pool->report.kind != POOL_EXECUTOR || pool->report.name[0])
		return;
	pool->report = (struct pool_report){.process = pool->report.process,
					    .kind = pool->report.kind};
	memset(&pool->reported, 0, sizeof(pool->reported));
	pool_step(builder, pool);
}

/* It may be read later than the name, and not of every thread. */
static void take_limit(struct pool_fold *pool, const struct thread *thread)
{
	if (thread->pool_limit)
		pool->report.limit = thread->pool_limit;
	if (pool->mixed)
		pool->report.limit = 0;
}

/*
 * An executor numbers its threads, which stay to its end. Two threads of one number are two
 * executors of one name, whose threads together are nothing that has a limit.
 */
static void note_limit(struct pool_fold *pool, const struct thread *thread, const char *name)
{
	uint32_t length = name_length(name);
	unsigned long number = name[length] ? strtoul(name + length + 1, NULL, 10) : 64;
	uint64_t bit = number < 64 ? UINT64_C(1) << number : 0;

	if (pool->numbers & bit)
		pool->mixed = true;
	pool->numbers |= bit;
	take_limit(pool, thread);
}

static void note_name(const struct report_builder *builder, struct pool_fold *pool,
		      struct thread_fold *worker)
{
	worker->pool_name = worker->report.thread->python_name;
	if (pool->key.name[0])
		note_limit(pool, worker->report.thread,
			   dictionary_find(builder->report.names, DEFINE_TEXT, worker->pool_name)
				   ->text);
}

static struct pool_fold *join(struct report_builder *builder, struct thread_fold *worker,
			      const struct pool_key *key, uint64_t ts)
{
	struct pool_fold *pool;
	int err = pools_get(&builder->pools, key, &pool);

	if (err < 0) {
		check(builder, err == -ENOSPC ? 0 : err);
		return NULL;
	}
	if (!pool->report.kind) {
		pool->id = builder->pool_count++;
		pool->report.process = key->process;
		pool->report.kind = key->kind;
		pool->ts = ts;
		memcpy(pool->report.name, key->name, sizeof(key->name));
	}
	advance(pool, ts);
	worker->pool = 1 + (uint32_t)(pool - (struct pool_fold *)builder->pools.entries);
	worker->was_pool = worker->pool;
	worker->is = WORKER_UNKNOWN;
	worker->job_seen = worker->job_over = worker->job_known = false;
	note_name(builder, pool, worker);
	pool->alive++;
	note_growth(pool);
	note_full(pool);
	pool_step(builder, pool);
	return pool;
}

/* ── jobs ────────────────────────────────────────────────────────────────── */

/* A job that is followed by another one, without idling between: that one has waited, for nothing
 * is put into a queue that a thread is waiting at. */
static void note_job(struct pool_fold *pool, struct thread_fold *worker,
		     const struct pool_stack *place)
{
	if (place->place != PLACE_JOB) {
		worker->job_over |= worker->job_known;
		return;
	}
	if (worker->job_known &&
	    (worker->job_over || (place->job && worker->job && place->job != worker->job)))
		pool->report.back_to_back++;
	worker->job_known = true;
	worker->job_over = false;
	worker->job = place->job;
}

/* ── from the model ──────────────────────────────────────────────────────── */

/* `still`: where it sleeps, if it does. */
static enum worker_is worker_now(struct report_builder *builder, const struct thread *thread,
				 uint32_t still)
{
	if (thread->state == TS_UNKNOWN || (thread->state == TS_BLOCKED && !still))
		return WORKER_UNKNOWN;
	return thread->state == TS_BLOCKED && place_of(builder, still).place == PLACE_QUEUE
		       ? WORKER_IDLE
		       : WORKER_BUSY;
}

/* The thread may have another name than when it joined, and with it another pool. */
static struct pool_fold *change_pool(struct report_builder *builder, struct thread_fold *worker,
				     struct pool_fold *pool, enum pool_kind kind, uint64_t ts)
{
	struct pool_key key = key_of(builder, worker->report.thread, kind);

	if (pool && !memcmp(&pool->key, &key, sizeof(key))) {
		if (worker->pool_name != worker->report.thread->python_name)
			note_name(builder, pool, worker);
		return pool;
	}
	if (pool) {
		leave(builder, worker, ts);
		forget_unnamed(builder, pool);
	}
	return join(builder, worker, &key, ts);
}

void pools_sample(struct report_builder *builder, struct thread_fold *worker,
		  const struct sample *sample)
{
	struct pool_stack place = place_of(builder, sample->stack);
	const struct thread *thread = sample->thread;
	struct pool_fold *pool = pool_of(builder, worker);

	if (!place.kind)
		return;
	pool = change_pool(builder, worker, pool, place.kind, sample->ts);
	if (!pool)
		return;
	take_limit(pool, thread);
	worker_set(pool, worker, worker_now(builder, thread, sample->stack), sample->ts);
	pool_step(builder, pool);
	note_job(pool, worker, &place);
}

void pools_state(struct report_builder *builder, const struct thread *thread, uint64_t ts)
{
	struct thread_fold *worker = thread->data;
	struct pool_fold *pool = worker ? pool_of(builder, worker) : NULL;
	enum worker_is is;

	if (!pool)
		return;
	if (thread->gone) {
		leave(builder, worker, ts);
		return;
	}
	if (worker->pool_name != thread->python_name)
		pool = change_pool(builder, worker, pool, pool->report.kind, ts);
	if (!pool)
		return;
	take_limit(pool, thread);
	is = worker_now(builder, thread, still_of(builder, thread).stack);
	if (ts < pool->ts && is != worker->is) /* what it was taken for was wrong since then */
		pool->full = false;
	worker_set(pool, worker, is, ts);
	pool_step(builder, pool);
}

/* ── the report ──────────────────────────────────────────────────────────── */

static int most_first(const void *a, const void *b)
{
	const struct pool_function *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns < y->ns ? 1 : -1;
	return (x->stack > y->stack) - (x->stack < y->stack);
}

/* Adds time of a pool's thread to the function that it ran; what is beyond the limit is left out.
 */
static void count_function(struct report_builder *builder, struct pool_report *pool,
			   const struct flame_entry *flame, uint64_t ns)
{
	struct handler handler = handler_of_key(builder, flame->key.stack, &flame->key.of);
	struct pool_function *to = NULL;

	for (uint32_t i = 0; i < pool->function_count && !to; i++)
		if (pool->functions[i].handler.frame.function == handler.frame.function)
			to = &pool->functions[i];
	if (!to && pool->function_count == POOL_FUNCTIONS_MAX)
		return;
	if (!to) {
		to = &pool->functions[pool->function_count++];
		*to = (struct pool_function){.handler = handler};
	}
	to->ns += ns;
	if (ns <= to->stack_ns || !flame->key.stack)
		return;
	to->stack_ns = ns;
	to->stack = flame->key.stack;
	to->handler = handler;
}

static void add_flames(struct report_builder *builder, struct pool_report *pools)
{
	for (uint32_t n = 0; n < builder->flames.count; n++) {
		struct flame_entry *flame = table_at(&builder->flames, n);
		const struct thread_fold *worker = flame->key.thread->data;
		uint64_t ns = flame->time.ns - flame->reported;

		if (builder->growth)
			flame->reported = flame->time.ns;
		if (!worker->was_pool || !ns)
			continue;
		if (flame->key.of.in_job || pools_in_job(builder, flame->key.stack))
			count_function(builder, &pools[worker->was_pool - 1], flame, ns);
	}
}

/* Leaves in the report what came since the one before. */
static void take_growth(struct pool_fold *pool, struct pool_report *report)
{
	const struct pool_report now = *report;

	report->busy_ns -= pool->reported.busy_ns;
	report->full_ns -= pool->reported.full_ns;
	report->back_to_back -= pool->reported.back_to_back;
	pool->reported.busy_ns = now.busy_ns;
	pool->reported.full_ns = now.full_ns;
	pool->reported.back_to_back = now.back_to_back;
	pool->report.busy_max = pool->busy;
	pool->report.full_worst_ns = 0;
}

/* As if it ended now, without ending anything. */
static struct pool_report report_now(const struct report_builder *builder, struct pool_fold *pool)
{
	struct pool_fold copy = *pool;

	advance(&copy, builder->report.window.end);
	copy.alive = 0;
	note_full(&copy);
	copy.report.functions = calloc(POOL_FUNCTIONS_MAX, sizeof(*copy.report.functions));
	copy.report.function_count = 0;
	if (builder->growth)
		take_growth(pool, &copy.report);
	return copy.report;
}

/* Those that were forgotten. */
static void drop_unnamed(struct report *report)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < report->pool_count; i++)
		if (report->pools[i].threads)
			report->pools[kept++] = report->pools[i];
		else
			free(report->pools[i].functions);
	report->pool_count = kept;
}

int report_pools(struct report_builder *builder)
{
	struct report *report = &builder->report;
	uint32_t count = builder->pools.count;

	report->pools = calloc(count + 1, sizeof(*report->pools));
	if (!report->pools)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		report->pools[i] = report_now(builder, table_at(&builder->pools, i));
		report->pools[i].id = ((struct pool_fold *)table_at(&builder->pools, i))->id;
		report->pool_count++;
		if (!report->pools[i].functions)
			return -ENOMEM;
	}
	if (count)
		add_flames(builder, report->pools);
	for (uint32_t i = 0; i < count; i++)
		qsort(report->pools[i].functions, report->pools[i].function_count,
		      sizeof(struct pool_function), most_first);
	drop_unnamed(report);
	return 0;
}
