/* SPDX-License-Identifier: MIT */
/*
 * At a random instant a second world is fed the checkpoint of the first, and then the rest of the
 * events. For the time from there on it must report the same as the first world, or "unknown". The
 * same is repeated with a checkpoint of the second world.
 *
 * MODEL_SIM_SEED=n runs one seed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "model/checkpoint/checkpoint.h"
#include "tests/sim/gilrun.h"

enum { SEEDS = 500, STEPS = 1500 };

/* A hold, wait or turn. */
struct span {
	uint64_t start, end;
	uint32_t tid;
	int gil;
	bool whole;
};
struct spans {
	struct span *at;
	uint32_t count, room;
};

/* The output of a world. */
struct output {
	struct world *world;
	bool partial;
	uint64_t since; /* keeps intervals from here on */
	struct {
		struct interval *at;
		uint32_t count, room;
	} intervals[SIM_TIDS];
	struct spans holds, waits, turns;
	uint64_t now, loop_known[SIM_TIDS]; /* since when the thread is known to run a loop */
};

static uint64_t seed, known_ns, lost_ns;
static uint32_t whole_turns, lost_turns;

#define EXPECT(condition, ...)                                                                     \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "MODEL_SIM_SEED=%llu: ", (unsigned long long)seed);        \
			fprintf(stderr, __VA_ARGS__);                                              \
			fprintf(stderr, "\n");                                                     \
			fail_msg("%s", #condition);                                                \
		}                                                                                  \
	} while (0)

#define SPAN(x) (unsigned long long)(x)->start, (unsigned long long)(x)->end
#define FIELDS(i)                                                                                  \
	thread_state_name((i)->state), (i)->gil ? (i)->gil->index : -1, (i)->cpu, (i)->sysno,      \
		(i)->gc, SPAN(i)

static void on_loop(void *ctx, struct loop *loop)
{
	struct output *output = ctx;
	uint64_t *known = &output->loop_known[loop->thread->tid - SIM_PID];

	if (!*known)
		*known = output->now;
}

static void on_interval(void *ctx, const struct interval *i)
{
	struct output *output = ctx;

	if (i->start >= output->since)
		SIM_PUSH(output->intervals[i->thread->tid - SIM_PID], *i);
}

static void on_hold(void *ctx, const struct hold *h)
{
	SIM_PUSH(((struct output *)ctx)->holds,
		 (struct span){h->start, h->end, h->thread->tid, h->gil->index, h->whole});
}

static void on_wait(void *ctx, const struct gil_wait *w)
{
	SIM_PUSH(((struct output *)ctx)->waits,
		 (struct span){w->start, w->end, w->thread->tid, w->gil->index, w->whole});
}

static void on_turn(void *ctx, const struct turn *t)
{
	SIM_PUSH(((struct output *)ctx)->turns,
		 (struct span){t->start, t->end, t->loop->thread->tid, -1, t->whole});
}

static void output_init(struct output *output, uint64_t since, bool partial)
{
	const struct model_sink sink = {.loop = on_loop,
					.interval = on_interval,
					.hold = on_hold,
					.wait = on_wait,
					.turn = on_turn,
					.ctx = output};

	*output = (struct output){.since = since,
				  .partial = partial,
				  .world = world_new(sink, partial ? MODE_EDGES : MODE_EXACT)};
	assert_non_null(output->world);
}

static void output_done(struct output *output)
{
	world_free(output->world);
	for (uint32_t n = 0; n < SIM_TIDS; n++)
		free(output->intervals[n].at);
	free(output->holds.at);
	free(output->waits.at);
	free(output->turns.at);
}

/* ── comparing ───────────────────────────────────────────────────────────── */

static bool runs(const struct interval *i)
{
	return i->state == TS_PYTHON || i->state == TS_NATIVE;
}

/* Whether `b` agrees with `a`, or knows less. GILs are compared by index, since each world has its
 * own. */
static bool agrees(const struct interval *a, const struct interval *b)
{
	if (b->sampled || a->sampled)
		return b->state == TS_UNKNOWN || (runs(a) && runs(b));
	if (interval_holds(b) && (!interval_holds(a) || a->gil->index != b->gil->index))
		return false;
	if (b->gc && (!a->gc || a->generation != b->generation))
		return false;
	if (b->state == TS_UNKNOWN)
		return true;
	return a->state == b->state && (!a->gil || (b->gil && a->gil->index == b->gil->index)) &&
	       (b->cpu == CPU_NONE || a->cpu == b->cpu) && a->throttled == b->throttled &&
	       (b->sysno == a->sysno || b->sysno == SYSNO_UNKNOWN);
}

/* Until a loop is known to be one, its waits are ordinary system calls. */
static bool is_unknown_loop(const struct output *output, uint32_t n, const struct interval *i)
{
	return i->state == TS_BLOCKED &&
	       (!output->loop_known[n] || output->loop_known[n] >= i->end);
}

/* With partial GILs the checkpoint's OBSERVE may prove what earlier events left open (model_sim.c
 * compares it with the truth). */
static bool is_settled(const struct output *b, const struct interval *a)
{
	return b->partial && a->state == TS_UNKNOWN;
}

static void compare_thread(const struct output *a, const struct output *b, uint32_t n)
{
	uint32_t k = 0;

	for (uint32_t i = 0; i < b->intervals[n].count; i++) {
		const struct interval *mine = &b->intervals[n].at[i];

		while (k < a->intervals[n].count && a->intervals[n].at[k].end <= mine->start)
			k++;
		EXPECT(k < a->intervals[n].count && a->intervals[n].at[k].start <= mine->start,
		       "thread %u was not there in [%llu, %llu]", SIM_PID + n, SPAN(mine));
		for (uint32_t m = k; m < a->intervals[n].count; m++) {
			const struct interval *other = &a->intervals[n].at[m];
			uint64_t start = other->start > mine->start ? other->start : mine->start,
				 end = other->end < mine->end ? other->end : mine->end;

			if (other->start >= mine->end)
				break;
			EXPECT(agrees(other, mine) || is_unknown_loop(b, n, mine) ||
				       is_settled(b, other),
			       "thread %u is %s gil %d cpu %d sysno %d gc %d in [%llu, %llu], and "
			       "was "
			       "%s gil %d cpu %d sysno %d gc %d in [%llu, %llu]",
			       SIM_PID + n, FIELDS(mine), FIELDS(other));
			known_ns += other->state != TS_UNKNOWN ? end - start : 0;
			lost_ns += other->state != TS_UNKNOWN && mine->state == TS_UNKNOWN
					   ? end - start
					   : 0;
		}
	}
}

/* Of a turn that began earlier, `b` may know more: where returns from waits are not traced, a
 * thread that has been woken when the checkpoint is made is in a turn since then (model_sim.c
 * compares it with the truth). */
static const struct span *find(const struct spans *spans, const struct span *span)
{
	for (uint32_t i = 0; i < spans->count; i++) {
		const struct span *other = &spans->at[i];

		if (other->tid == span->tid && other->gil == span->gil &&
		    (span->whole ? other->whole && other->start == span->start &&
					   other->end == span->end
				 : (other->start <= span->start || !other->whole) &&
					   span->end <= other->end))
			return other;
	}
	return NULL;
}

static void compare_spans(const char *what, const struct spans *a, const struct spans *b)
{
	for (uint32_t i = 0; i < b->count; i++)
		EXPECT(find(a, &b->at[i]), "no such %s of thread %u: [%llu, %llu]%s", what,
		       b->at[i].tid, SPAN(&b->at[i]), b->at[i].whole ? " whole" : "");
}

static void compare(const struct output *a, const struct output *b)
{
	for (uint32_t n = 0; n < SIM_TIDS; n++)
		compare_thread(a, b, n);
	/* as in is_settled() */
	if (!b->partial)
		compare_spans("hold", &a->holds, &b->holds);
	compare_spans("wait", &a->waits, &b->waits);
	compare_spans("turn", &a->turns, &b->turns);
	for (uint32_t i = 0; i < a->turns.count; i++) {
		if (!a->turns.at[i].whole || a->turns.at[i].start <= b->since)
			continue;
		whole_turns++;
		lost_turns += !find(&b->turns, &a->turns.at[i]);
	}
}

/* ── running ─────────────────────────────────────────────────────────────── */

/* The index of the first event later than event `i`. */
static uint32_t behind(const struct sim *sim, uint32_t i)
{
	uint64_t ts = sim->events.at[i].event.hdr.ts;

	while (i < sim->events.count && sim->events.at[i].event.hdr.ts <= ts)
		i++;
	return i;
}

static void feed(const struct sim *sim, struct output *output, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++) {
		output->now = sim->events.at[i].event.hdr.ts;
		assert_int_equal(world_feed(output->world, &sim->events.at[i].event), 0);
	}
}

/* Starts `b` with the checkpoint of `a`, which has been fed all events before `next`. */
static void begin_with(const struct sim *sim, struct output *b, struct output *a, uint32_t next)
{
	uint64_t ts = sim->events.at[next - 1].event.hdr.ts;
	struct stream_sink sink;

	output_init(b, ts, sim->partial);
	sink = world_sink(b->world);
	assert_int_equal(world_checkpoint(a->world, ts, &sink), 0);
	world_cut(a->world, ts);
}

static void run_seed(bool partial, uint32_t losses, uint32_t snapshots)
{
	static struct sim sim;
	struct output a, b, c;
	uint32_t first, second, begin = 0;

	sim_init(&sim, seed, partial);
	sim.tracing = seed % 2 ? SIM_TRACED : SIM_ALONE;
	sim.apart = sim.gils_used == 2 && seed % 3;
	sim_run(&sim, STEPS, snapshots);
	sim_lose(&sim, losses ? sim_random(&sim, losses) : 0);
	sim_finish(&sim);
	while (sim.events.at[begin].event.hdr.type != EV_WINDOW)
		begin++;
	first = behind(&sim, begin + sim_random(&sim, (sim.events.count - begin) / 2));
	second = behind(&sim, first + sim_random(&sim, (sim.events.count - first) / 2));
	output_init(&a, 0, partial);
	feed(&sim, &a, 0, first);
	begin_with(&sim, &b, &a, first);
	feed(&sim, &a, first, sim.events.count);
	feed(&sim, &b, first, second);
	begin_with(&sim, &c, &b, second);
	feed(&sim, &b, second, sim.events.count);
	feed(&sim, &c, second, sim.events.count);
	compare(&a, &b);
	compare(&a, &c);
	output_done(&a);
	output_done(&b);
	output_done(&c);
	sim_done(&sim);
}

/* Limits: of the time that the first world knows at most 1/50 is unknown, and of its whole turns
 * 1/`turns_in`. */
static void run_seeds(bool partial, uint32_t losses, uint32_t snapshots, uint32_t turns_in)
{
	const char *one = getenv("MODEL_SIM_SEED");
	uint64_t first = one ? strtoull(one, NULL, 0) : 1, last = one ? first : SEEDS;

	known_ns = lost_ns = whole_turns = lost_turns = 0;
	for (seed = first; seed <= last; seed++)
		run_seed(partial, losses, snapshots);
	if (getenv("MODEL_SIM_VERBOSE"))
		fprintf(stderr, "%llu of %llu ns, %u of %u turns are unknown\n",
			(unsigned long long)lost_ns, (unsigned long long)known_ns, lost_turns,
			whole_turns);
	if (one)
		return;
	assert_true(whole_turns > SEEDS && lost_turns < whole_turns / turns_in);
	assert_true(known_ns > 0 && lost_ns < known_ns / 50);
}

static void the_rest_is_the_same(void **state)
{
	run_seeds(false, 0, 0, 50);
}

static void the_rest_is_the_same_with_snapshots(void **state)
{
	run_seeds(false, 0, 30, 50);
}

static void the_rest_is_the_same_with_losses(void **state)
{
	run_seeds(false, 12, 30, 30);
}

static void the_rest_is_the_same_with_contended_transitions_alone(void **state)
{
	run_seeds(true, 0, 30, 10);
	run_seeds(true, 12, 30, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rest_is_the_same),
		cmocka_unit_test(the_rest_is_the_same_with_snapshots),
		cmocka_unit_test(the_rest_is_the_same_with_losses),
		cmocka_unit_test(the_rest_is_the_same_with_contended_transitions_alone),
	};

	return cmocka_run_group_tests_name("model_checkpoint_sim", tests, NULL, NULL);
}
