/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "python/interpreter/gil.h"
#include "python/process/memory.h"

/* As CPython declares it, so that the padding between the fields and the size are right. */
struct gil_with {
	unsigned long interval;
	void *last_holder;
	int locked;
	unsigned long switch_number;
	pthread_cond_t cond;
	pthread_mutex_t mutex;
	pthread_cond_t switch_cond;
	pthread_mutex_t switch_mutex;
};

struct gil_without {
	int enabled;
	struct gil_with rest; /* aligned as its first field */
};

enum { GIL_BYTES_MAX = sizeof(struct gil_without) };

struct gil_layout gil_layout_of(bool free_threaded)
{
	unsigned short first = free_threaded ? offsetof(struct gil_without, rest) : 0;

#define AT(field) (unsigned short)(first + offsetof(struct gil_with, field))
	return (struct gil_layout){
		.enabled = free_threaded ? offsetof(struct gil_without, enabled) : GIL_NO_FIELD,
		.interval = AT(interval),
		.last_holder = AT(last_holder),
		.locked = AT(locked),
		.switch_number = AT(switch_number),
		.cond = AT(cond),
		.mutex = AT(mutex),
		.switch_cond = AT(switch_cond),
		.size = (unsigned short)(first + sizeof(struct gil_with)),
		.waiters = GIL_NO_FIELD,
	};
#undef AT
}

void gil_layout_for_musl(struct gil_layout *layout)
{
	/* arch/aarch64 and arch/x86_64/bits/alltypes.h.in, pthread_mutex_t: int[10]; pthread_cond_t
	 * is int[12], as glibc's */
	enum { MUSL_MUTEX_BYTES = 40, MUSL_COND_HEAD = 8 };
	unsigned short excess = sizeof(pthread_mutex_t) - MUSL_MUTEX_BYTES;

	_Static_assert(sizeof(pthread_mutex_t) >= MUSL_MUTEX_BYTES && sizeof(pthread_cond_t) == 48,
		       "another C library");
	layout->switch_cond -= excess;
	layout->size -= 2 * excess;
	layout->waiters = MUSL_COND_HEAD; /* src/internal/pthread_impl.h, _c_head */
}

static bool list_has_waiter(pid_t pid, uint64_t list, uint64_t futex)
{
	uint64_t node = futex - offsetof(struct musl_waiter, barrier), at = 0;

	if (memory_read(pid, list, &at, sizeof(at)))
		return false;
	for (int i = 0; i < MUSL_WAITERS_MAX && at; i++) {
		if (at == node)
			return true;
		if (memory_read(pid, at + offsetof(struct musl_waiter, next), &at, sizeof(at)))
			return false;
	}
	return false;
}

uint64_t gil_futex_offset(pid_t pid, const struct gil_layout *layout, uint64_t address,
			  uint64_t futex)
{
	const unsigned short conditions[] = {layout->cond, layout->switch_cond};

	if (futex - address < layout->size)
		return futex - address;
	for (size_t i = 0; layout->waiters != GIL_NO_FIELD && i < 2; i++)
		if (list_has_waiter(pid, address + conditions[i] + layout->waiters, futex))
			return conditions[i];
	return UINT64_MAX;
}

struct gil_words gil_words_of(const struct gil_layout *layout, const uint8_t *bytes)
{
	struct gil_words words = {.enabled = 1};

	if (layout->enabled != GIL_NO_FIELD)
		memcpy(&words.enabled, bytes + layout->enabled, sizeof(words.enabled));
	memcpy(&words.interval_us, bytes + layout->interval, sizeof(words.interval_us));
	memcpy(&words.last_holder, bytes + layout->last_holder, sizeof(words.last_holder));
	memcpy(&words.locked, bytes + layout->locked, sizeof(words.locked));
	memcpy(&words.switch_number, bytes + layout->switch_number, sizeof(words.switch_number));
	memcpy(&words.mutex, bytes + layout->mutex, sizeof(words.mutex));
	return words;
}

int gil_words_read(pid_t pid, const struct gil_layout *layout, uint64_t address,
		   struct gil_words *ret_words)
{
	uint8_t bytes[GIL_BYTES_MAX];
	int err = memory_read(pid, address, bytes, layout->size);

	if (!err)
		*ret_words = gil_words_of(layout, bytes);
	return err;
}
