/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "python/process/memory.h"
#include "python/process/pages.h"
#include "python/private.h"
#include "python/process/proc.h"
#include "python/threads.h"

enum {
	THREADS_MAX = 1 << 16,
	PTHREAD_BYTES = 1024, /* of libc's structure are compared; glibc 2.28 to 2.41 has the tid at
				 720 on x86-64, musl at 48 */
	PTHREAD_WORDS = PTHREAD_BYTES / 4,
	PTHREADS_MAX = 64, /* that many settle it */
};

DEFINE_CLEANUP(closedir, DIR *, closedir, NULL)

static int by_nstid(const void *a, const void *b)
{
	const struct target_thread *x = a, *y = b;

	return (x->nstid > y->nstid) - (x->nstid < y->nstid);
}

static struct target_thread *find(const struct threads *threads, uint64_t nstid)
{
	struct target_thread key = {.nstid = (uint32_t)nstid};

	if (nstid == 0 || nstid > INT32_MAX || !threads->count)
		return NULL;
	return bsearch(&key, threads->list, threads->count, sizeof(key), by_nstid);
}

static int list_tasks(pid_t pid, struct threads *threads)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	uint32_t room = 0;
	struct dirent *entry;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((entry = readdir(dir)) && threads->count < THREADS_MAX) {
		struct target_thread thread = {.tid = (uint32_t)strtoul(entry->d_name, NULL, 10)};

		if (!thread.tid)
			continue;
		if (pages_over())
			return -EINTR;
		snprintf(path, sizeof(path), "/proc/%d/task/%u/status", pid, thread.tid);
		if (proc_status_last(path, "NSpid", &thread.nstid) == -ENOENT)
			continue; /* gone */
		if (threads->count == room) {
			struct target_thread *list = reallocarray(
				threads->list, room ? room * 2 : 64, sizeof(*list));

			if (!list)
				return -ENOMEM;
			threads->list = list;
			room = room ? room * 2 : 64;
		}
		threads->list[threads->count++] = thread;
		if (thread.tid == (uint32_t)pid)
			threads->nspid = thread.nstid;
	}
	qsort(threads->list, threads->count, sizeof(*threads->list), by_nstid);
	return threads->count ? 0 : -ESRCH;
}

/* The beginnings of libc's structures of some distinct threads. */
struct pthreads {
	uint64_t address[PTHREADS_MAX];
	uint32_t words[PTHREADS_MAX][PTHREAD_WORDS];
	uint32_t count;
};

/* On x86-64 the structure begins with a pointer to itself, in glibc and musl alike; so a stale or
 * foreign pthread_t is not taken for one. */
static bool is_pthread(uint64_t address, const uint32_t *words)
{
#if defined(__x86_64__)
	return ((uint64_t)words[1] << 32 | words[0]) == address;
#else
	return true;
#endif
}

static void pthreads_add(pid_t pid, struct pthreads *pthreads, uint64_t address)
{
	uint32_t *words = pthreads->words[pthreads->count];

	for (uint32_t i = 0; i < pthreads->count; i++)
		if (pthreads->address[i] == address)
			return;
	if (!address || memory_read(pid, address, words, PTHREAD_BYTES) ||
	    !is_pthread(address, words))
		return;
#if defined(__x86_64__)
	words[0] = words[1] = 0; /* half of an address can look like a tid */
#endif
	pthreads->address[pthreads->count++] = address;
}

/* How many of the structures name a thread of the process in this word; 0 when two name the same.
 */
static uint32_t word_matches(const struct threads *threads, const struct pthreads *pthreads,
			     uint32_t word)
{
	uint32_t matches = 0;

	for (uint32_t i = 0; i < pthreads->count; i++) {
		if (!find(threads, pthreads->words[i][word]))
			continue;
		matches++;
		for (uint32_t j = 0; j < i; j++)
			if (pthreads->words[j][word] == pthreads->words[i][word])
				return 0;
	}
	return matches;
}

static bool words_agree(const struct threads *threads, const struct pthreads *pthreads, uint32_t a,
			uint32_t b)
{
	for (uint32_t i = 0; i < pthreads->count; i++)
		if (find(threads, pthreads->words[i][a]) != find(threads, pthreads->words[i][b]))
			return false;
	return true;
}

/* The word that names the most threads; -1 when none does, or when two words that name as many
 * disagree. */
static int32_t pthread_tid_find(const struct threads *threads, const struct pthreads *pthreads)
{
	uint32_t best = 0, best_word = 0;
	bool doubt = false;

	for (uint32_t word = 0; word < PTHREAD_WORDS; word++) {
		uint32_t matches = word_matches(threads, pthreads, word);

		if (matches > best) {
			best = matches;
			best_word = word;
			doubt = false;
		} else if (matches && matches == best &&
			   !words_agree(threads, pthreads, word, best_word)) {
			doubt = true;
		}
	}
	return best && !doubt ? (int32_t)(best_word * 4) : -1;
}

static struct target_thread *thread_of(const struct threads *threads, const struct target *target,
				       const struct python_thread_state *state)
{
	uint32_t nstid;

	if (target->layout.tstate_native_thread_id != LAYOUT_NONE)
		return find(threads, state->native_thread_id);
	if (threads->pthread_tid < 0 || !state->thread_id ||
	    memory_read_u32((pid_t)target->info.pid,
			    state->thread_id + (uint32_t)threads->pthread_tid, &nstid))
		return NULL;
	return find(threads, nstid);
}

/* Of a process with one state: who forks without PyOS_AfterFork_Child(), as uWSGI does, leaves the
 * number of the parent's thread in it. NULL: there are several threads. */
static struct target_thread *only_thread(const struct threads *threads)
{
	return threads->count == 1 ? &threads->list[0] : NULL;
}

static int pthread_tid_calibrate(const struct target *target, struct threads *threads,
				 const struct python_thread_state *states, int count)
{
	_cleanup_(freep) struct pthreads *pthreads = calloc(1, sizeof(*pthreads));

	if (!pthreads)
		return -ENOMEM;
	for (int i = 0; i < count && pthreads->count < PTHREADS_MAX; i++)
		pthreads_add((pid_t)target->info.pid, pthreads, states[i].thread_id);
	threads->pthread_tid = pthread_tid_find(threads, pthreads);
	return 0;
}

static int mark_python(const struct target *target, struct threads *threads)
{
	_cleanup_(freep) struct python_thread_state *states = NULL;
	bool whole;
	int count = runtime_thread_states((pid_t)target->info.pid, &target->layout, target->runtime,
					  &states, &whole);
	int err = count == -ENOMEM ? -ENOMEM : 0;

	if (!err && target->layout.tstate_native_thread_id == LAYOUT_NONE)
		err = pthread_tid_calibrate(target, threads, states, count);
	if (!err && count > 0) {
		threads->python = calloc((size_t)count, sizeof(*threads->python));
		err = threads->python ? 0 : -ENOMEM;
	}
	threads->whole = whole && count > 0;
	for (int i = 0; !err && i < count; i++) {
		struct target_thread *thread = thread_of(threads, target, &states[i]);

		if (!thread && count == 1)
			thread = only_thread(threads);
		if (!thread) {
			threads->whole = false;
			continue;
		}
		thread->python = true;
		threads->python[threads->python_count++] = (struct python_thread){
			states[i].address, states[i].thread_id, thread->tid, 0};
		*(thread->last ? &threads->python[thread->last - 1].next
			       : &thread->first) = threads->python_count;
		thread->last = threads->python_count;
	}
	return err;
}

int threads_read(const struct target *target, struct threads *ret_threads)
{
	_cleanup_(threads_done) struct threads threads = {.pthread_tid = -1};
	int err = list_tasks((pid_t)target->info.pid, &threads);

	if (!err)
		err = mark_python(target, &threads);
	if (err)
		return err;
	*ret_threads = STEAL(threads, (struct threads){0});
	return 0;
}

int threads_list(pid_t pid, struct threads *ret_threads)
{
	_cleanup_(threads_done) struct threads threads = {.pthread_tid = -1};
	int err = list_tasks(pid, &threads);

	if (!err)
		*ret_threads = STEAL(threads, (struct threads){0});
	return err;
}

void threads_done(struct threads *threads)
{
	free(threads->list);
	free(threads->python);
	*threads = (struct threads){0};
}

const struct target_thread *threads_find(const struct threads *threads, uint32_t tid)
{
	for (uint32_t i = 0; i < threads->count; i++)
		if (threads->list[i].tid == tid)
			return &threads->list[i];
	return NULL;
}

const struct target_thread *threads_of_state(const struct threads *threads,
					     const struct target *target, uint64_t address)
{
	struct python_thread_state state;
	const struct target_thread *thread;

	if (runtime_thread_state((pid_t)target->info.pid, &target->layout, address, &state))
		return NULL;
	thread = thread_of(threads, target, &state);
	if (!thread && threads->python_count == 1 && threads->python[0].state == address)
		thread = only_thread(threads);
	return thread;
}
