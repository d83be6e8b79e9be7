/* SPDX-License-Identifier: MIT */
#include "symbols/pools/pools.h"

#include <string.h>

#include "symbols/owner.h"

static const struct pool_rule {
	const char *name, *file, *root, *calls, *waits;
	uint32_t limit;
} rules[POOL_KINDS] = {
#define POOL(NAME, name, file, root, calls, waits, limit, doc)                                     \
	[POOL_##NAME] = {#name, file, root, calls, waits, limit},
#include "symbols/pools/pools.def"
};

const char *pool_kind_name(enum pool_kind kind)
{
	return rules[kind].name;
}

uint32_t pool_limit(enum pool_kind kind)
{
	return rules[kind].limit;
}

/* A stack from its outer end: frame 0 is the outermost. */
struct frames {
	const struct dictionary *dictionary;
	const struct definition *stack;
};

/* NULL: there is none, or it could not be read. */
static const struct definition *function_at(const struct frames *frames, uint32_t n)
{
	uint32_t count = frames->stack->stack.count;

	return n < count ? dictionary_find(frames->dictionary, DEFINE_FUNCTION,
					   frames->stack->stack.frames[count - 1 - n].function)
			 : NULL;
}

static bool is_in(const struct definition *function, const char *file)
{
	size_t length, end = strlen(file);

	if (!function)
		return false;
	length = strlen(function->function.file);
	return length > end && function->function.file[length - end - 1] == '/' &&
	       !strcmp(function->function.file + length - end, file);
}

static bool is_called(const struct definition *function, const char *name)
{
	return function && !strcmp(function_last_part(function->function.name), name);
}

static bool is_root(const struct definition *function, const struct pool_rule *rule)
{
	return is_called(function, rule->root) && is_in(function, rule->file);
}

/* threading.py has at most three frames outside of a thread's function, and instrumentation (of
 * Sentry, OpenTelemetry) some more; gunicorn has nine, and whatever starts it. */
#define ROOT_MAX      8
#define ROOT_MAX_MAIN 24

static enum pool_kind find_root(const struct frames *frames, uint32_t *ret_root)
{
	bool is_main = !is_in(function_at(frames, 0), "threading.py");

	for (uint32_t n = 1; n < (is_main ? ROOT_MAX_MAIN : ROOT_MAX); n++) {
		const struct definition *function = function_at(frames, n);

		for (int kind = POOL_NONE + 1; kind < POOL_KINDS; kind++)
			if (is_main == (rules[kind].waits != NULL) &&
			    is_root(function, &rules[kind])) {
				*ret_root = n;
				return (enum pool_kind)kind;
			}
	}
	return POOL_NONE;
}

static bool takes_from_queue(const struct definition *function)
{
	return (is_in(function, "queue.py") && is_called(function, "get")) ||
	       (is_in(function, "threading.py") && is_called(function, "wait"));
}

/* What reports the end of a job to others. */
static bool reports_result(const struct definition *function)
{
	return is_in(function, "concurrent/futures/_base.py") || is_in(function, "threading.py") ||
	       is_in(function, "queue.py") ||
	       (is_in(function, "asyncio/base_events.py") &&
		is_called(function, "call_soon_threadsafe"));
}

/* Of a pool that is the main thread. */
static enum pool_place place_of_main(const struct frames *frames, const struct pool_rule *rule,
				     uint32_t root, uint32_t last)
{
	if (is_called(function_at(frames, last), rule->waits))
		return PLACE_QUEUE;
	while (last > root && !is_called(function_at(frames, last), rule->calls))
		last--;
	return last > root ? PLACE_JOB : PLACE_BETWEEN;
}

/* `last` is the innermost frame of the pool's own. */
static enum pool_place place_of(const struct frames *frames, const struct pool_rule *rule,
				uint32_t root, uint32_t last)
{
	const struct definition *inside = function_at(frames, last + 1);
	bool calls = !rule->calls || is_called(function_at(frames, last), rule->calls);

	if (rule->waits)
		return place_of_main(frames, rule, root, last);
	if (last + 1 == frames->stack->stack.count) { /* in a C function, or in none */
		if (rule->calls)		      /* SimpleQueue.get() is one */
			return calls ? PLACE_JOB : PLACE_QUEUE;
		return last == root ? PLACE_JOB : PLACE_BETWEEN;
	}
	if (rule->calls && calls)
		return is_in(inside, "concurrent/futures/_base.py") ? PLACE_BETWEEN : PLACE_JOB;
	if (takes_from_queue(inside))
		return PLACE_QUEUE;
	return reports_result(inside) ? PLACE_BETWEEN : PLACE_JOB;
}

struct pool_stack pool_stack_of(const struct dictionary *dictionary, uint32_t id)
{
	struct frames frames = {dictionary, dictionary_find(dictionary, DEFINE_STACK, id)};
	struct pool_stack found = {0};
	const struct definition *job;
	uint32_t root, last;

	if (!frames.stack)
		return found;
	found.kind = find_root(&frames, &root);
	if (!found.kind)
		return found;
	for (last = root; is_in(function_at(&frames, last + 1), rules[found.kind].file);)
		last++;
	found.place = place_of(&frames, &rules[found.kind], root, last);
	if (found.place != PLACE_JOB || rules[found.kind].waits)
		return found;
	job = function_at(&frames, last + 1);
	found.job = job ? job->id : 0;
	return found;
}
