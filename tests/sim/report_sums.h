/* SPDX-License-Identifier: MIT */
/*
 * report_sums.h - what a report adds up, as a few numbers: two reports have the same ones when all
 * of their sums are the same, however they are spread over processes and threads.
 */
#ifndef TESTS_SIM_REPORT_SUMS_H
#define TESTS_SIM_REPORT_SUMS_H

#include "analysis/fold.h"

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

struct sums {
	uint64_t threads, gils, loops, stalls, flames, waits, blame, totals, deaths, processes;
	uint64_t pauses, paused_ns, longest_pause_ns, gil_count;
};

static uint64_t states_digest(uint64_t seed, const struct state_sums *sums)
{
	uint64_t digest = 0;

	for (unsigned int n = 0; n < TS_COUNT; n++)
		digest += mix(seed, n) * sums->ns[n];
	return digest;
}

static void add_stall(struct sums *sums, const struct stall *stall)
{
	uint64_t seed = mix(stall->start, stall->end), digest = 1;

	digest += states_digest(seed, &stall->what.states);
	for (uint32_t i = 0; i < stall->what.blocker_count; i++) {
		assert_non_null(stall->what.blockers[i].thread->process);
		digest += states_digest(seed, &stall->what.blockers[i].states);
		digest += states_digest(seed, &stall->what.blockers[i].stacks[0].states);
	}
	for (uint32_t i = 0; i < stall->what.lock_count; i++)
		digest += mix(seed, stall->what.locks[i].ns + !stall->what.locks[i].by->process);
	sums->stalls += digest + mix(seed, stall->handler.frame.function);
}

static void add_loop(struct sums *sums, const struct loop_report *loop)
{
	sums->loops += (loop->stands_for ? loop->stands_for : 1) + loop->turn.count +
		       3 * loop->turn.sum_ns + 5 * loop->freezes + 7 * loop_stall_count(loop) +
		       states_digest(1, &loop->stalled.states) +
		       11 * (uint64_t)(dist_percentile(&loop->turn, 1) > loop->turn.max_ns);
	for (uint32_t i = 0; i < loop->stall_count; i++)
		add_stall(sums, &loop->stalls[i]);
}

static void add_process(struct sums *sums, const struct process_report *process)
{
	sums->threads += states_digest(2, &process->states);
	sums->processes += process->process->stands_for ? process->process->stands_for : 1;
	sums->deaths += process->process->death.known;
	sums->pauses += process_pauses(process).count;
	sums->paused_ns += process_pauses(process).ns;
	if (process_pauses(process).worst_ns > sums->longest_pause_ns)
		sums->longest_pause_ns = process_pauses(process).worst_ns;
	for (uint32_t i = 0; i < process->thread_count; i++) {
		const struct thread_report *thread = &process->threads[i];

		assert_ptr_equal(thread->thread->process, process->process);
		sums->processes += thread->thread->stands_for ? thread->thread->stands_for : 1;
		sums->threads += states_digest(1, &thread->states) + 3 * thread->holds +
				 5 * thread->waits + 7 * thread->held_ns + 11 * thread->sampled_ns +
				 13 * thread->starved.count;
	}
	for (uint32_t i = 0; i < process->gil_count; i++) {
		const struct gil_report *gil = &process->gils[i];

		sums->gils += gil->held_ns + 3 * gil->contended_ns + 5 * gil->handoffs +
			      7 * gil->forced + 11 * gil->hold.count + 13 * gil->hold.sum_ns +
			      17 * gil->wait.count + 19 * gil->wait.sum_ns + 23 * gil->waited_ns +
			      29 * gil->unknown_ns;
		sums->gil_count += gil->gil->stands_for ? gil->gil->stands_for : 1;
	}
	for (uint32_t i = 0; i < process->loop_count; i++)
		add_loop(sums, &process->loops[i]);
}

static void add_flames(struct sums *sums, const struct report *report)
{
	for (uint32_t i = 0; i < report->flame_count; i++) {
		const struct flame *flame = &report->flames[i];

		assert_true(flame->thread->process->index < report->process_count);
		sums->flames += mix(mix(flame->stack, flame->state), flame->in_turn) * flame->ns;
	}
	for (uint32_t i = 0; i < report->wait_flame_count; i++) {
		const struct wait_flame *wait = &report->wait_flames[i];

		sums->waits += mix(mix(wait->waiter_stack, wait->holder_stack), !wait->holder) *
			       (wait->ns + 3 * wait->asleep_ns + 5 * wait->no_cpu_ns);
	}
	for (uint32_t i = 0; i < report->blame_count; i++) {
		const struct blame *blame = &report->blame[i];
		uint64_t seed = blame->handler.frame.function;

		sums->blame += states_digest(seed, &blame->loop) +
			       states_digest(seed + 1, &blame->elsewhere) +
			       mix(seed, 1) * blame->made_wait_ns +
			       mix(seed, 2) * blame->made_loops_wait_ns +
			       mix(seed, 3) * blame->stalls + mix(seed, 4) * blame->stall_ns +
			       mix(seed, 5) * blame->worst_ns + mix(seed, 6) * blame->samples;
	}
}

static struct sums sums_of(const struct report *report)
{
	struct sums sums = {0};

	for (uint32_t i = 0; i < report->process_count; i++)
		add_process(&sums, &report->processes[i]);
	for (uint32_t i = 0; i < report->ended_death_count; i++)
		sums.deaths += report->ended_deaths[i].count;
	add_flames(&sums, report);
	sums.totals = mix(mix(report->unknown_ns, report->sampled_ns), report->thread_ns);
	return sums;
}

#endif
