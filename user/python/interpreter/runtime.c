/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "python/interpreter/gil.h"
#include "python/process/memory.h"
#include "python/interpreter/runtime.h"

static int interpreter_read(pid_t pid, const struct python_layout *layout, uint64_t runtime,
			    uint64_t address, struct interpreter *ret_interpreter)
{
	struct interpreter interpreter = {.address = address};
	uint64_t id;
	int err = memory_read_u64(pid, address + layout->interp_id, &id);

	if (!err && layout->interp_gil != LAYOUT_NONE)
		err = memory_read_u64(pid, address + layout->interp_gil, &interpreter.gil);
	else
		interpreter.gil = runtime + layout->runtime_gil;
	if (err)
		return err;
	interpreter.id = (uint32_t)id;
	*ret_interpreter = interpreter;
	return 0;
}

static bool known(const struct interpreter *list, int count, uint64_t address)
{
	for (int i = 0; i < count; i++)
		if (list[i].address == address)
			return true;
	return false;
}

int runtime_interpreters(pid_t pid, const struct python_layout *layout, uint64_t runtime,
			 struct interpreter *list, bool *ret_whole)
{
	uint64_t address;
	int count = 0, err = memory_read_u64(pid, runtime + layout->runtime_interpreters, &address);

	while (!err && address && count < INTERPRETERS_MAX && !known(list, count, address)) {
		err = interpreter_read(pid, layout, runtime, address, &list[count]);
		if (err)
			break;
		count++;
		err = memory_read_u64(pid, address + layout->interp_next, &address);
	}
	*ret_whole = !err && !address;
	if (!count)
		return err ? err : -EAGAIN;
	/* new interpreters are put in front, so the main one is the last */
	for (int i = 0; i < count / 2; i++) {
		struct interpreter swap = list[i];

		list[i] = list[count - 1 - i];
		list[count - 1 - i] = swap;
	}
	return list[0].gil ? count : -EAGAIN;
}

int runtime_thread_state(pid_t pid, const struct python_layout *layout, uint64_t address,
			 struct python_thread_state *ret_state)
{
	struct python_thread_state state = {.address = address};
	int err = memory_read_u64(pid, address + layout->tstate_thread_id, &state.thread_id);

	if (!err && layout->tstate_native_thread_id != LAYOUT_NONE)
		err = memory_read_u64(pid, address + layout->tstate_native_thread_id,
				      &state.native_thread_id);
	if (!err)
		*ret_state = state;
	return err;
}

struct thread_states {
	struct python_thread_state *list;
	int count, room;
	bool whole;
};

/* Room for one more. What a few threads need is small: a snapshot must not wait for the pages of a
 * list that could hold them all. */
static bool states_grow(struct thread_states *states)
{
	int room = states->room ? 2 * states->room : 64;
	struct python_thread_state *list;

	if (states->count < states->room)
		return true;
	list = reallocarray(states->list, (size_t)room, sizeof(*list));
	if (!list)
		return false;
	states->list = list;
	states->room = room;
	return true;
}

/* One interpreter's threads. THREAD_STATES_MAX bounds them and ends cycles; what lies behind that,
 * or behind a state that cannot be read, is not known. */
static int threads_walk(pid_t pid, const struct python_layout *layout, uint64_t interpreter,
			struct thread_states *states)
{
	uint64_t address;
	int err = memory_read_u64(pid, interpreter + layout->interp_threads, &address);

	while (!err && address && states->count < THREAD_STATES_MAX) {
		if (!states_grow(states))
			return -ENOMEM;
		err = runtime_thread_state(pid, layout, address, &states->list[states->count]);
		if (!err)
			err = memory_read_u64(pid, address + layout->tstate_next, &address);
		if (!err)
			states->count++;
	}
	if (err || address)
		states->whole = false;
	return 0;
}

int runtime_thread_states(pid_t pid, const struct python_layout *layout, uint64_t runtime,
			  struct python_thread_state **ret_list, bool *ret_whole)
{
	_cleanup_(freep) struct interpreter *interpreters = calloc(INTERPRETERS_MAX,
								   sizeof(*interpreters));
	struct thread_states states = {0};
	int interpreter_count, err = 0;

	*ret_whole = false;
	if (!interpreters)
		return -ENOMEM;
	interpreter_count = runtime_interpreters(pid, layout, runtime, interpreters, &states.whole);
	if (interpreter_count < 0)
		return interpreter_count;
	for (int i = 0; i < interpreter_count && !err; i++)
		err = threads_walk(pid, layout, interpreters[i].address, &states);
	if (err) {
		free(states.list);
		return err;
	}
	*ret_list = states.list;
	*ret_whole = states.whole;
	return states.count;
}

static bool gil_plausible(const struct gil_words *words)
{
	const uint64_t interval_max_us = UINT64_C(3600) * 1000 * 1000, switches_max = UINT64_C(1)
										      << 40;

	return words->interval_us > 0 && words->interval_us <= interval_max_us &&
	       (words->locked == 0 || words->locked == 1) && words->switch_number < switches_max &&
	       words->enabled >= 0;
}

/* A thread state in memory, whose interpreter is one of those that the runtime lists. */
static bool holder_plausible(pid_t pid, const struct python_layout *layout, uint64_t holder,
			     const struct interpreter *interpreters, int count)
{
	uint64_t interpreter;

	return holder && memory_read_u64(pid, holder + layout->tstate_interp, &interpreter) == 0 &&
	       known(interpreters, count, interpreter);
}

static enum gil_verdict verdict(const struct gil_words *claimed, int hits, bool hit_claimed)
{
	if (claimed->locked == -1 ||
	    (claimed->interval_us == 0 && claimed->locked == 0 && claimed->switch_number == 0))
		return GIL_ABSENT;
	if (!gil_plausible(claimed))
		return GIL_WRONG;
	if (hits == 0)
		return GIL_PLAUSIBLE;
	if (!hit_claimed)
		return GIL_WRONG;
	return hits == 1 ? GIL_PROVEN : GIL_PLAUSIBLE;
}

int runtime_calibrate(pid_t pid, uint64_t runtime, uint64_t runtime_size, uint64_t gil,
		      const struct python_layout *layout, enum gil_verdict *ret_verdict)
{
	enum { INTERVAL_DEFAULT_US = 5000, RUNTIME_BYTES_MAX = 16 << 20 };
	_cleanup_(freep) struct interpreter *interpreters = calloc(INTERPRETERS_MAX,
								   sizeof(*interpreters));
	_cleanup_(freep) uint8_t *bytes = NULL;
	const struct gil_layout *gil_layout = &layout->gil;
	struct gil_words words, claimed;
	int hits = 0, count, err;
	bool hit_claimed = false, whole;

	if (runtime_size < gil_layout->size || runtime_size > RUNTIME_BYTES_MAX || gil % 8)
		return -ENOTSUP;
	bytes = malloc(runtime_size);
	if (!bytes || !interpreters)
		return -ENOMEM;
	count = runtime_interpreters(pid, layout, runtime, interpreters, &whole);
	err = memory_read(pid, runtime, bytes, runtime_size);
	if (err || count < 0)
		return err ? err : count;
	err = gil_words_read(pid, gil_layout, gil, &claimed);
	if (err)
		return err;
	for (uint64_t at = 0; at + gil_layout->size <= runtime_size; at += 8) {
		words = gil_words_of(gil_layout, bytes + at);
		if (words.interval_us != INTERVAL_DEFAULT_US || !gil_plausible(&words) ||
		    !holder_plausible(pid, layout, words.last_holder, interpreters, count))
			continue;
		hits++;
		hit_claimed |= runtime + at == gil;
	}
	*ret_verdict = verdict(&claimed, hits, hit_claimed);
	return 0;
}
