/* SPDX-License-Identifier: MIT */
/*
 * What the stream costs: a synthetic stream of a busy application (one GIL, an event loop, workers that compute and workers that wait) through the
 * reorder stage, the trace writer and the trace reader. `stream [MILLIONS]`
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "base/duration.h"
#include "stream/reorder.h"
#include "stream/trace.h"

#define THREADS 12
#define CPUS 8

static uint64_t random_state = 88172645463325252u;

static uint64_t random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	return random_state ^= random_state << 17;
}

/* Log-normal, as lengths of things that programs do are: about a factor of four around the median. */
static uint64_t about(double median_ns)
{
	double sum = 0;

	for (int i = 0; i < 4; i++)
		sum += (double)(random_u64() >> 40) / (1 << 24);
	return (uint64_t)(median_ns * exp((sum - 2) * 2.4));
}

struct generator {
	union event *events;
	uint64_t length, max, ts;
};

static union event *add(struct generator *generator, unsigned int type, uint32_t tid, unsigned int flags, unsigned int aux, double median_ns)
{
	static union event spill;
	union event *event = generator->length < generator->max ? &generator->events[generator->length++] : &spill;

	generator->ts += about(median_ns);
	memset(event, 0, sizeof(*event));
	event->hdr = (struct event_hdr){generator->ts, tid, (wire_u8)type, (wire_u8)flags, (wire_u16)aux};
	return event;
}

/* One thread's turn: it wakes, waits for the GIL now and then, computes with short releases in between, and sleeps again. */
static void turn(struct generator *generator)
{
	static const int32_t calls[] = {202, 232, 0, 1, 45, 44};
	unsigned int thread = (unsigned int)(random_u64() % THREADS), cpu = (unsigned int)((thread + (random_u64() % 8 == 0)) % CPUS);
	uint32_t tid = 41000 + thread * (1 + thread % 3);
	union event *event;

	add(generator, EV_WAKE, tid, 0, cpu, 2000);
	add(generator, EV_SWITCH_IN, tid, 0, cpu, 3000);
	if (thread == 0)
		add(generator, EV_EPOLL_EXIT, tid, 0, 0, 900)->epoll_exit.ret = (int32_t)(random_u64() % 3);
	if (random_u64() % 4 == 0) {
		add(generator, EV_WAIT, tid, 0, 0, 500);
		add(generator, EV_WAIT_END, tid, 0, 0, 40000);
	}
	add(generator, EV_TAKE, tid, 0, 0, 700);
	for (uint64_t releases = random_u64() % 6; releases; releases--) {
		add(generator, EV_DROP, tid, random_u64() % 16 == 0, 0, 9000);
		add(generator, EV_TAKE, tid, 0, 0, 1800);
	}
	add(generator, EV_DROP, tid, 0, 0, 20000);
	if (thread == 0)
		add(generator, EV_EPOLL_ENTER, tid, 0, 0, 1100)->epoll_enter.epfd = 5;
	event = add(generator, EV_SWITCH_OUT, tid, EVF_SWITCH_OUT_SYSCALL, cpu, 1500);
	event->switch_out.sysno = calls[thread == 0 ? 1 : random_u64() % 6];
}

struct count {
	uint64_t events, inversions, ts;
};

static int count_event(void *ctx, const union event *event)
{
	struct count *count = ctx;

	count->events++;
	count->inversions += event->hdr.ts < count->ts;
	count->ts = event->hdr.ts;
	return 0;
}

static int count_process(void *ctx, const struct process_info *info)
{
	return 0;
}

static void show(const char *what, uint64_t dur_ns, uint64_t events)
{
	printf("%-24s %6.1f ns/event   %6.2f million events/s\n", what, (double)dur_ns / (double)events, (double)events * 1e3 / (double)dur_ns);
}

static int bench_trace(const struct generator *generator)
{
	struct stream_head head = {.version = "bench", .mode = "exact"};
	struct trace_outcome outcome;
	struct count count = {0};
	struct trace_writer *writer;
	struct diag diag = {0};
	FILE *file = tmpfile();
	uint64_t ts = clock_now_ns();
	struct stream_sink sink;

	if (!file || trace_writer_new(file, &head, &diag, &writer))
		return 1;
	sink = trace_writer_sink(writer);
	for (uint64_t i = 0; i < generator->length; i++)
		sink_event(&sink, &generator->events[i]);
	if (trace_writer_finish(writer, &diag))
		return 1;
	show("trace, writing", clock_now_ns() - ts, generator->length);
	printf("%-24s %6.2f bytes/event\n", "trace, size", (double)ftell(file) / (double)generator->length);
	trace_writer_free(writer);

	rewind(file);
	ts = clock_now_ns();
	if (trace_read(file, NULL, NULL, (struct stream_sink){count_process, count_event, &count}, &diag, &outcome))
		return 1;
	show("trace, reading", clock_now_ns() - ts, generator->length);
	fclose(file);
	return !outcome.complete || count.events != generator->length;
}

/* Exchanges neighbours as two CPUs do: an event in eight comes some places too late, one in 65536 by half a millisecond. */
static int bench_reorder(const struct generator *generator)
{
	struct count count = {0};
	struct reorder *reorder;
	struct stream_sink sink;
	uint64_t ts;

	for (uint64_t i = 1024; i < generator->length; i++) {
		uint64_t places = i % 65536 == 0 ? 1000 : i % 8 == 0 ? random_u64() % 8 : 0;
		union event early = generator->events[i - places];

		memmove(&generator->events[i - places], &generator->events[i - places + 1], places * sizeof(early));
		generator->events[i] = early;
	}
	ts = clock_now_ns();
	reorder = reorder_new((struct stream_sink){count_process, count_event, &count}, REORDER_WINDOW_NS, 1 << 20);
	if (!reorder)
		return 1;
	sink = reorder_sink(reorder);
	for (uint64_t i = 0; i < generator->length; i++) {
		sink_event(&sink, &generator->events[i]);
		if (i % 4096 == 0)
			reorder_advance(reorder, generator->events[i].hdr.ts);
	}
	reorder_flush(reorder);
	show("reorder", clock_now_ns() - ts, generator->length);
	printf("%-24s %6" PRIu64 " late\n", "", reorder_late(reorder));
	reorder_free(reorder);
	return count.inversions || count.events != generator->length;
}

int main(int argc, char **argv)
{
	struct generator generator = {.max = (argc > 1 ? strtoull(argv[1], NULL, 10) : 10) * 1000000, .ts = 1000 * NS_PER_S};

	generator.events = malloc(generator.max * sizeof(*generator.events));
	if (!generator.events || !generator.max)
		return 1;
	while (generator.length < generator.max)
		turn(&generator);
	if (bench_trace(&generator) || bench_reorder(&generator)) {
		fprintf(stderr, "something is wrong: events were lost or came out of order\n");
		return 1;
	}
	free(generator.events);
	return 0;
}
