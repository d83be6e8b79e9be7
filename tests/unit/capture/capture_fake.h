/* SPDX-License-Identifier: MIT */
/*
 * capture_fake.h - a capture without a kernel: the ring is filled by the test, which also defines
 * the threads and descriptors of the processes. Every read of a process is logged, and fails the
 * test if it happens inside the ring's callback.
 */
#ifndef GILSCOPE_TESTS_CAPTURE_FAKE_H
#define GILSCOPE_TESTS_CAPTURE_FAKE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/private.h"

enum { FAKE_LOSSES = 2, FAKE_RECORDS = 1024, FAKE_READS = 256, FAKE_EVENTS = 2048 };

struct fake_record {
	size_t bytes;
	unsigned char data[sizeof(struct shared_stack)];
};

struct fake;

struct fake_process {
	struct target target;
	struct fake *fake;
	struct tracee *tracee;
	uint32_t new_gils;  /* found by the next read … */
	bool gils_end;	    /* … by which the interpreters of all but the first have ended */
	uint32_t gils_made; /* so far, each at an address of its own */
	bool ended;	    /* nothing can be read from it */
	bool reaped;	    /* its PID is gone, too */
	bool loops_cannot_be_read;
	uint32_t epfds;		      /* its epoll descriptors are 1 to this */
	bool epfd_loop[512];	      /* descriptors that belong to loops */
	const char *name;	      /* of its main thread */
	struct fake_record meanwhile; /* a record that arrives while the process is being read */
};

struct fake {
	struct capture capture;
	struct fake_process *processes[4];
	uint32_t process_count;
	char reads[FAKE_READS][24]; /* "epoll 10 5": kind, process, descriptor or thread */
	uint32_t read_count;
	struct fake_record records[FAKE_RECORDS];
	uint32_t record_count, record_next;
	bool in_callback;
	struct {
		uint32_t whose;
		uint16_t cpu;
		struct shared_loss loss;
	} losses[FAKE_LOSSES];
	uint32_t loss_count;
	struct misses misses;
	char maps[FAKE_READS][24]; /* "set 4", "remove 4": operation and map */
	uint32_t map_count;
	union event events[FAKE_EVENTS]; /* the output of the reorder stage */
	uint32_t event_count, definition_count;
};

/* ── the processes ───────────────────────────────────────────────────────────────────────────── */

static inline struct fake_process *fake_process_of(const struct target *target)
{
	return (struct fake_process *)((char *)target - offsetof(struct fake_process, target));
}

static inline void fake_note_read(struct fake *fake, const char *kind, uint32_t pid, uint32_t what)
{
	char *text = fake->reads[fake->read_count++];

	assert_false(fake->in_callback);
	assert_true(fake->read_count < FAKE_READS);
	snprintf(text, sizeof(fake->reads[0]), what ? "%s %u %u" : "%s %u", kind, pid, what);
}

static inline void fake_meanwhile(struct fake_process *process)
{
	struct fake *fake = process->fake;

	if (process->meanwhile.bytes)
		fake->records[fake->record_count++] = process->meanwhile;
	process->meanwhile.bytes = 0;
}

static inline bool fake_alive(const struct target *target)
{
	return !fake_process_of(target)->reaped;
}

static inline int fake_refresh_gils(struct target *target)
{
	struct fake_process *process = fake_process_of(target);
	int found = (int)process->new_gils;

	fake_note_read(process->fake, "gils", target->info.pid, 0);
	for (uint32_t i = 1; i < target->gil_count; i++)
		target->gils[i].gone |= process->gils_end;
	for (; process->new_gils; process->new_gils--) {
		target->gils = reallocarray(target->gils, target->gil_count + 1,
					    sizeof(*target->gils));
		assert_non_null(target->gils);
		target->gils[target->gil_count] = (struct gil_address){
			.address = 0x1000ull * ++process->gils_made};
		target->gil_count++;
	}
	return found;
}

static inline int fake_epoll(struct target *target, uint32_t epfd, const struct stream_sink *sink)
{
	struct fake_process *process = fake_process_of(target);
	union event event = {
		.epoll = {.hdr = {.type = EV_EPOLL,
				  .tid = target->info.pid,
				  .flags = process->epfd_loop[epfd] ? EVF_EPOLL_WAKEUP : 0},
			  .epfd = epfd}};

	event.hdr.ts = clock_now_ns();
	return sink_event(sink, &event);
}

static inline int fake_snapshot(struct target *target, const uint16_t *gil_index,
				const struct stream_sink *sink)
{
	struct fake_process *process = fake_process_of(target);
	union event observe = {.observe = {.hdr = {.type = EV_OBSERVE}}};
	int err = 0;

	fake_note_read(process->fake, "snapshot", target->info.pid, 0);
	if (process->ended)
		return -ESRCH;
	for (uint32_t i = 0; i < target->gil_count && !err; i++) {
		observe.hdr.ts = clock_now_ns();
		observe.hdr.aux = gil_index[i];
		err = sink_event(sink, &observe);
	}
	for (uint32_t epfd = 1; epfd <= process->epfds && !err; epfd++)
		err = fake_epoll(target, epfd, sink);
	return err;
}

static inline int fake_locks(struct target *target, const uint16_t *gil_index,
			     const struct stream_sink *sink)
{
	union event event = {.futex = {.hdr = {.type = EV_FUTEX,
					       .tid = target->info.pid,
					       .flags = EVF_FUTEX_MUTEX,
					       .ts = clock_now_ns()},
				       .address = 0x700}};

	fake_note_read(fake_process_of(target)->fake, "locks", target->info.pid, 0);
	return fake_process_of(target)->ended ? -ESRCH : sink_event(sink, &event);
}

static inline int fake_describe_epoll(struct target *target, uint32_t epfd,
				      const struct stream_sink *sink)
{
	fake_note_read(fake_process_of(target)->fake, "epoll", target->info.pid, epfd);
	fake_meanwhile(fake_process_of(target));
	if (epfd > 500)
		return 0; /* there is no such descriptor any more */
	return fake_epoll(target, epfd, sink);
}

static inline int fake_describe_loop(struct target *target, uint32_t tid,
				     const struct stream_sink *sink)
{
	union event event = {
		.runs_loop = {
			.hdr = {.type = EV_RUNS_LOOP, .tid = tid, .flags = EVF_RUNS_LOOP_YES}}};

	fake_note_read(fake_process_of(target)->fake, "loop", target->info.pid, tid);
	if (fake_process_of(target)->loops_cannot_be_read)
		return 0;
	event.hdr.ts = clock_now_ns();
	return sink_event(sink, &event);
}

static inline int fake_describe_loops(struct target *target, const struct stream_sink *sink)
{
	fake_note_read(fake_process_of(target)->fake, "loops", target->info.pid, 0);
	return 0;
}

static inline int fake_thread_names(struct target *target,
				    int (*name)(void *ctx, uint32_t tid, const char *text,
						uint32_t limit),
				    void *ctx)
{
	struct fake_process *process = fake_process_of(target);

	fake_note_read(process->fake, "names", target->info.pid, 0);
	if (process->ended)
		return -ESRCH;
	return process->name ? name(ctx, target->info.pid, process->name, 0) : 0;
}

static inline int fake_stills(struct target *target,
			      int (*still)(void *ctx, const struct still_stack *stack), void *ctx)
{
	return fake_process_of(target)->ended ? -ESRCH : 0;
}

/* Targets are parts of the test's processes. */
static inline void fake_target_free(struct target *target)
{
}

static inline int fake_children(const struct target *target,
				int (*child)(void *ctx, uint32_t pid, uint8_t flags,
					     const char *cmdline),
				void *ctx)
{
	return 0;
}

/* ── the probes ──────────────────────────────────────────────────────────────────────────────── */

static inline void fake_consume(void *ctx)
{
	struct fake *fake = ctx;
	int stop = 0;

	while (!stop && fake->record_next < fake->record_count) {
		struct fake_record record = fake->records[fake->record_next++];

		fake->in_callback = true;
		stop = capture_handle_record(&fake->capture, record.data, record.bytes);
		fake->in_callback = false;
	}
}

static inline int fake_take_losses(void *ctx, probes_loss *loss, void *arg)
{
	struct fake *fake = ctx;
	int err = 0;

	for (uint32_t i = 0; i < fake->loss_count && !err; i++)
		err = loss(arg, fake->losses[i].whose, fake->losses[i].cpu, &fake->losses[i].loss);
	fake->loss_count = 0;
	return err;
}

static inline struct misses fake_misses(void *ctx)
{
	return ((struct fake *)ctx)->misses;
}

static inline void fake_map(struct fake *fake, const char *what, unsigned int number)
{
	assert_false(fake->in_callback);
	assert_true(fake->map_count < FAKE_READS);
	snprintf(fake->maps[fake->map_count++], sizeof(fake->maps[0]), "%s %u", what, number);
}

static inline int fake_set(void *ctx, enum probes_map map, const void *key, const void *value)
{
	fake_map(ctx, "set", map);
	return 0;
}

static inline void fake_remove(void *ctx, enum probes_map map, const void *key)
{
	fake_map(ctx, "remove", map);
}

static inline void fake_remove_uprobes(void *ctx, struct uprobes *uprobes)
{
	fake_map(ctx, "uprobes of", uprobes->fd_count);
}

/* Number of such operations on the maps. */
static inline uint32_t fake_maps(const struct fake *fake, const char *what)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < fake->map_count; i++)
		count += !strcmp(fake->maps[i], what);
	return count;
}

/* ── the stream ──────────────────────────────────────────────────────────────────────────────── */

static inline int fake_event(void *ctx, const union event *event)
{
	struct fake *fake = ctx;

	assert_true(fake->event_count < FAKE_EVENTS);
	fake->events[fake->event_count++] = *event;
	return 0;
}

static inline int fake_info(void *ctx, const struct process_info *info)
{
	return 0;
}

/* Definitions bypass the reorder stage, so they come immediately. */
static inline int fake_define(void *ctx, const struct definition *definition)
{
	struct fake *fake = ctx;

	assert_false(fake->in_callback);
	fake->definition_count++;
	return 0;
}

/* ── setup and driving
 * ─────────────────────────────────────────────────────────────────────────── */

/* Adds a process with a thread of the same number. */
static inline struct fake_process *fake_add(struct fake *fake, uint32_t pid)
{
	struct fake_process *process = calloc(1, sizeof(*process));
	struct tracee *tracee = calloc(1, sizeof(*tracee));

	assert_true(process && tracee && fake->process_count < 4);
	process->fake = fake;
	process->target.info.pid = pid;
	tracee->target = &process->target;
	process->tracee = tracee;
	fake->processes[fake->process_count] = process;
	fake->capture.tracees[fake->process_count++] = tracee;
	fake->capture.tracee_count = fake->process_count;
	fake->capture.status.targets++;
	assert_non_null(member_add(&fake->capture, pid, tracee));
	return process;
}

static inline struct fake *fake_new(void)
{
	struct fake *fake = calloc(1, sizeof(*fake));
	struct capture *capture = &fake->capture;

	assert_non_null(fake);
	capture->probes = (struct probes){.consume = fake_consume,
					  .take_losses = fake_take_losses,
					  .misses = fake_misses,
					  .set = fake_set,
					  .remove = fake_remove,
					  .remove_uprobes = fake_remove_uprobes,
					  .ctx = fake};
	capture->reader = (struct process_reader){.alive = fake_alive,
						  .refresh_gils = fake_refresh_gils,
						  .snapshot = fake_snapshot,
						  .locks = fake_locks,
						  .describe_epoll = fake_describe_epoll,
						  .describe_loop = fake_describe_loop,
						  .describe_loops = fake_describe_loops,
						  .thread_names = fake_thread_names,
						  .stills = fake_stills,
						  .children = fake_children,
						  .free = fake_target_free};
	capture->options.mode = MODE_EXACT;
	capture->reorder = reorder_new((struct stream_sink){.process = fake_info,
							    .event = fake_event,
							    .define = fake_define,
							    .ctx = fake},
				       REORDER_WINDOW_NS, 4096);
	assert_non_null(capture->reorder);
	capture->sink = reorder_sink(capture->reorder);
	capture->symbols = symbols_new(capture->sink);
	capture->tracees = calloc(4, sizeof(struct tracee *));
	assert_true(capture->symbols && capture->tracees);
	capture->enabled = true;
	capture_begin_misses(capture);
	return fake;
}

static inline void fake_free(struct fake *fake)
{
	struct capture *capture = &fake->capture;

	while (capture->members)
		member_remove(capture, capture->members->tid);
	for (uint32_t i = 0; i < capture->tracee_count; i++)
		tracee_free(capture, capture->tracees[i]);
	for (uint32_t i = 0; i < fake->process_count; i++) {
		free(fake->processes[i]->target.gils);
		free(fake->processes[i]);
	}
	free(capture->free_gils);
	symbols_free(capture->symbols);
	reorder_free(capture->reorder);
	free(capture->tracees);
	free(fake);
}

static inline struct fake_record fake_record_of(const void *data, size_t bytes)
{
	struct fake_record record = {.bytes = bytes};

	assert_true(bytes <= sizeof(record.data));
	memcpy(record.data, data, bytes);
	return record;
}

/* Puts a record into the ring. */
static inline void fake_put(struct fake *fake, const void *data, size_t bytes)
{
	assert_true(fake->record_count < FAKE_RECORDS);
	fake->records[fake->record_count++] = fake_record_of(data, bytes);
}

/* Puts an event into the ring, with the current time unless it has one. */
static inline void fake_push(struct fake *fake, union event event)
{
	if (!event.hdr.ts)
		event.hdr.ts = clock_now_ns();
	fake_put(fake, &event, event_size(event.hdr.type));
}

static inline void fake_wait(struct fake *fake, uint32_t tid, uint32_t epfd)
{
	fake_push(fake, (union event){.epoll_enter = {.hdr = {.type = EV_EPOLL_ENTER, .tid = tid},
						      .epfd = epfd}});
}

static inline void fake_close(struct fake *fake, uint32_t tid, uint32_t epfd)
{
	fake_push(fake, (union event){.epoll_close = {.hdr = {.type = EV_EPOLL_CLOSE, .tid = tid},
						      .epfd = epfd}});
}

static inline void fake_of_thread(struct fake *fake, uint8_t type, uint32_t tid)
{
	fake_push(fake, (union event){.hdr = {.type = type, .tid = tid}});
}

static inline void fake_thread(struct fake *fake, uint32_t pid, uint32_t tid)
{
	fake_push(fake,
		  (union event){.thread = {.hdr = {.type = EV_THREAD, .tid = tid}, .pid = pid}});
}

static inline void fake_drain(struct fake *fake)
{
	assert_int_equal(capture_drain(&fake->capture, clock_now_ns()), 0);
}

/* Polls with unlimited time. */
static inline void fake_poll(struct fake *fake)
{
	fake_drain(fake);
	assert_int_equal(capture_serve(&fake->capture, UINT64_MAX), 0);
}

/* The reads since the last call, separated by "; ". */
static inline const char *fake_reads(struct fake *fake)
{
	static char text[FAKE_READS * 26];
	size_t length = 0;

	text[0] = 0;
	for (uint32_t i = 0; i < fake->read_count; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s",
					   i ? "; " : "", fake->reads[i]);
	fake->read_count = 0;
	return text;
}

/* Flushes the reorder stage. Returns the index of the first event of the type, which must exist. */
static inline uint32_t fake_find(struct fake *fake, uint8_t type)
{
	assert_int_equal(reorder_flush(fake->capture.reorder), 0);
	for (uint32_t i = 0; i < fake->event_count; i++)
		if (fake->events[i].hdr.type == type)
			return i;
	fail_msg("no %s came out", event_name(type));
	return 0;
}

#endif
