/* SPDX-License-Identifier: MIT */
/*
 * Services that restart their workers: simulated workers (tests/sim/gilsim.h) one after the other,
 * with PIDs, TIDs and indices of GILs used again. A builder that keeps few of those that have ended
 * has the same sums as one that keeps all, and what it and the world hold does not grow.
 */
#include "analysis/fold.h"
#include "analysis/live/live.h"

#include "tests/sim/named.h"

#include "tests/sim/gilrun.h"

#define PARENT 50

static void define_threads(void)
{
	names = dictionary_new();
	assert_non_null(names);
	for (uint32_t id = 1; id < SIM_PID + SIM_TIDS; id++) {
		define_function(id, "function", id % 2 ? "/srv/app.py" : "/usr/lib/python3/abc.py",
				id);
		define_stack(id, (struct stack_frame){id, id}, (struct stack_frame){0});
	}
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

/* ── the stream ──────────────────────────────────────────────────────────── */

static struct stream_sink sink;
static uint64_t now;

static void setup(uint32_t kept, bool partial, bool growth)
{
	const struct stream_head head = {
		.version = "0.1.0", .mode = MODE_EXACT, .stacks = true, .rate_hz = 10000000};

	define_threads();
	builder = report_builder_new(300, &head, names, (struct handler_finder *)names);
	assert_non_null(builder);
	report_builder_keep_ended(builder, kept, 0);
	if (growth)
		report_builder_growth(builder);
	world = world_new(report_builder_sink(builder), partial ? MODE_EDGES : MODE_EXACT);
	assert_non_null(world);
	sink = world_sink(world);
	now = 1;
}

static uint32_t task_of_worker(uint32_t worker, uint32_t tid)
{
	return tid >= SIM_PID && tid < SIM_PID + SIM_TIDS ? tid + 1000 + worker % 7 * 50 : tid;
}

static void renumber(uint32_t worker, union event *event)
{
	event->hdr.tid = task_of_worker(worker, event->hdr.tid);
	switch (event->hdr.type) {
	case EV_THREAD:
		event->thread.pid = task_of_worker(worker, event->thread.pid);
		break;
	case EV_OBSERVE:
		event->observe.holder = task_of_worker(worker, event->observe.holder);
		break;
	case EV_RUN:
		event->run.pid = task_of_worker(worker, SIM_PID);
		break;
	default:
		break;
	}
	switch (event->hdr.type) {
	case EV_TAKE:
	case EV_DROP:
	case EV_WAIT:
	case EV_WAIT_END:
	case EV_OBSERVE:
	case EV_GIL:
	case EV_STATE:
	case EV_STACK:
		event->hdr.aux = (uint16_t)(event->hdr.aux + worker % 3 * SIM_GILS);
		break;
	case EV_SWITCH_OUT:
		event->switch_out.gil = (uint16_t)(event->switch_out.gil + worker % 3 * SIM_GILS);
		break;
	default:
		break;
	}
}

static void put(union event event)
{
	event.hdr.ts = ++now;
	assert_int_equal(sink_event(&sink, &event), 0);
}

static void put_at(uint64_t ts, union event event)
{
	now = ts - 1;
	put(event);
}

/* One thread stops the world of the worker for another one, longer with each worker. */
static void stop_world(uint32_t worker, uint32_t pid)
{
	const uint32_t by = 3000 + worker % 7 * 2, waits = by + 1;
	const uint64_t address = 0x7f0000002000;
	uint64_t asleep;

	for (uint32_t tid = by; tid <= waits; tid++) {
		put((union event){.thread = {.hdr = {.type = EV_THREAD,
						     .tid = tid,
						     .flags = EVF_THREAD_PYTHON | EVF_THREAD_NEW},
					     .pid = pid}});
		put((union event){.switch_in = {.hdr = {.type = EV_SWITCH_IN, .tid = tid}}});
	}
	asleep = now + 10;
	put_at(asleep, (union event){.switch_out = {.hdr = {.type = EV_SWITCH_OUT,
							    .tid = waits,
							    .flags = EVF_SWITCH_OUT_SYSCALL},
						    .sysno = 202}});
	put_at(asleep, (union event){.futex = {.hdr = {.type = EV_FUTEX,
						       .tid = waits,
						       .flags = EVF_FUTEX_SEMAPHORE},
					       .address = address}});
	put_at(asleep,
	       (union event){
		       .park = {.hdr = {.type = EV_PARK, .tid = waits, .flags = EVF_PARK_SUSPENDED},
				.address = address + 8}});
	put_at(asleep + 100 + worker,
	       (union event){
		       .futex = {.hdr = {.type = EV_FUTEX, .tid = waits, .flags = EVF_FUTEX_WOKEN},
				 .address = address,
				 .other = by}});
	put((union event){.wake = {.hdr = {.type = EV_WAKE, .tid = waits}}});
	put((union event){.switch_in = {.hdr = {.type = EV_SWITCH_IN, .tid = waits}}});
}

/* Every fourth is killed. */
static void run_worker(uint32_t worker, bool partial, uint32_t steps)
{
	static struct sim sim;
	const uint32_t pid = task_of_worker(worker, SIM_PID);
	struct process_info info = {
		.pid = pid, .parent = PARENT, .gil_enabled = true, .gc = GC_PROBES};
	uint64_t begin = now;

	sim_init(&sim, worker + 1, partial);
	sim_run(&sim, steps, 20);
	assert_int_equal(sink_process(&sink, &info), 0);
	for (uint32_t i = 0; i < sim.events.count; i++) {
		union event event = sim.events.at[i].event;

		if (event.hdr.type == EV_WINDOW && (worker || event.hdr.flags & EVF_WINDOW_END))
			continue;
		renumber(worker, &event);
		event.hdr.ts = begin + event.hdr.ts - sim.events.at[0].event.hdr.ts;
		now = event.hdr.ts;
		assert_int_equal(sink_event(&sink, &event), 0);
	}
	sim_done(&sim);
	stop_world(worker, pid);
	if (worker % 4 == 3)
		put((union event){.signal = {.hdr = {.type = EV_SIGNAL, .tid = pid, .aux = 9},
					     .sender = worker > 4
							       ? task_of_worker(worker - 3, SIM_PID)
							       : 0}});
	if (worker % 4 == 3)
		put((union event){.death = {.hdr = {.type = EV_DEATH, .tid = pid, .aux = 9}}});
	put((union event){.process_exit = {.hdr = {.type = EV_PROCESS_EXIT, .tid = pid}}});
}

/* ── sums ────────────────────────────────────────────────────────────────── */

struct sums {
	uint64_t threads, gils, loops, stalls, flames, waits, blame, totals, deaths, processes;
	uint64_t pauses, paused_ns, longest_pause_ns;
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
			      17 * gil->wait.count + 19 * gil->wait.sum_ns;
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

static struct sums run_service(uint32_t kept, uint32_t workers, bool partial)
{
	struct sums sums;

	setup(kept, partial, false);
	for (uint32_t worker = 0; worker < workers; worker++) {
		run_worker(worker, partial, 300);
		world_tidy(world);
	}
	world_end(world, now);
	assert_null(world_window(world).full);
	finish();
	sums = sums_of(found);
	teardown(NULL);
	return sums;
}

static void compare(bool partial)
{
	enum { WORKERS = 600 };
	const struct sums all = run_service(UINT32_MAX / 2, WORKERS, partial),
			  few = run_service(8, WORKERS, partial),
			  none = run_service(0, WORKERS, partial);

	assert_true(all.stalls && all.waits && all.blame);
	assert_true(all.processes > 2 * WORKERS); /* and threads */
	assert_int_equal(all.deaths, WORKERS / 4);
	assert_int_equal(all.pauses, WORKERS);
	for (size_t i = 0; i < sizeof(all) / sizeof(uint64_t); i++) {
		if (((const uint64_t *)&all)[i] != ((const uint64_t *)&few)[i] ||
		    ((const uint64_t *)&all)[i] != ((const uint64_t *)&none)[i])
			fail_msg("sum %zu differs: of all %llu, of few %llu, of none %llu", i,
				 (unsigned long long)((const uint64_t *)&all)[i],
				 (unsigned long long)((const uint64_t *)&few)[i],
				 (unsigned long long)((const uint64_t *)&none)[i]);
	}
}

static void the_sums_are_those_of_a_world_that_frees_nothing(void **state)
{
	compare(false);
}

static void also_with_contended_transitions_alone(void **state)
{
	compare(true);
}

/* ── memory ──────────────────────────────────────────────────────────────── */

struct held {
	uint64_t processes, threads, gils, flames, waits, folds, highest_index;
};

static struct held held_now(void)
{
	struct held held = {.flames = builder->flames.count, .waits = builder->waits.count};
	const struct thread *thread;
	uint32_t position = 0;

	while (world_next_process(world, &position))
		held.processes++;
	for (position = 0; (thread = world_next_thread(world, &position)); held.threads++)
		held.highest_index = later(held.highest_index, thread->index);
	for (position = 0; world_next_gil(world, &position);)
		held.gils++;
	for (const struct thread_fold *fold = builder->threads; fold; fold = fold->next)
		held.folds++;
	return held;
}

static void nothing_grows_with_the_number_of_workers(void **state)
{
	enum { WORKERS = 20000, KEPT = 16 };
	struct held early = {0}, held;

	setup(KEPT, false, false);
	for (uint32_t worker = 0; worker < WORKERS; worker++) {
		run_worker(worker, false, 40);
		world_tidy(world);
		held = held_now();
		for (size_t i = 0; i < sizeof(held) / sizeof(uint64_t); i++) {
			uint64_t *most = &((uint64_t *)&early)[i];

			if (worker < WORKERS / 2)
				*most = later(*most, ((uint64_t *)&held)[i]);
			else if (((uint64_t *)&held)[i] > *most + *most / 4)
				fail_msg(
					"after %u workers: %llu of number %zu, before at most %llu",
					worker, (unsigned long long)((uint64_t *)&held)[i], i,
					(unsigned long long)*most);
		}
	}
	assert_true(held.processes <= 2 * KEPT);
	assert_null(world_window(world).full);
	world_end(world, now);
	finish();
	assert_int_equal(found->processes[found->process_count - 1].process->stands_for +
				 found->process_count - 1,
			 WORKERS);
}

/* ── live views ──────────────────────────────────────────────────────────── */

/* Reads everything that the view points to. */
static uint64_t names_read;

static uint64_t view_digest(const struct live_view *view)
{
	uint64_t digest = mix(mix(view->lost, view->unknown_ns), view->thread_ns);

	for (uint32_t i = 0; i < view->thread_count; i++)
		names_read += view->threads[i].thread->process->info.pid;
	for (uint32_t i = 0; i < view->gil_count; i++)
		names_read += view->gils[i].gil->process->info.pid;
	for (uint32_t i = 0; i < view->loop_count; i++)
		names_read += view->loops[i].loop->thread->tid;
	for (uint32_t i = 0; i < view->process_count; i++)
		names_read += view->processes[i]->info.pid;
	for (uint32_t i = 0; i < view->wait_count; i++)
		names_read += view->waits[i].waiter->tid;
	for (uint32_t i = 0; i < view->stall_count; i++) {
		const struct live_stall *stall = view->stalls[i];

		names_read += stall->loop->thread->tid;
		for (uint32_t n = 0; n < stall->stall.what.blocker_count; n++)
			names_read += stall->stall.what.blockers[n].thread->tid;
		digest += mix(stall->stall.start, stall->stall.end);
	}
	for (uint32_t i = 0; i < view->blame_count; i++) {
		uint64_t seed = view->blame[i].handler.frame.function;

		digest += states_digest(seed, &view->blame[i].loop) +
			  states_digest(seed + 1, &view->blame[i].elsewhere) +
			  mix(seed, 1) * view->blame[i].made_wait_ns;
	}
	return digest;
}

struct watched {
	uint64_t digest;
	uint32_t processes;
};

static struct watched watch(uint32_t kept, uint32_t workers)
{
	struct watched watched = {0};
	struct live_stall *chosen = NULL;
	struct live_view view = {0};
	struct live *live = live_new();

	setup(kept, false, true);
	report_builder_keep_ended(builder, kept, 200000); /* until later workers are seen */
	assert_int_equal(attribution_add(report_builder_attribution(builder), live_sink(live)), 0);
	for (uint32_t worker = 0; worker < workers; worker++) {
		run_worker(worker, false, 300);
		world_cut(world, now);
		world_tidy(world);
		live_view_done(&view);
		assert_int_equal(report_builder_finish(builder, world, false, &found), 0);
		assert_int_equal(live_update(live, found), 0);
		report_builder_forget(builder, found->window.end);
		assert_int_equal(live_view_make(live, &view), 0);
		watched.digest = mix(watched.digest, view_digest(&view));
		if (!chosen && view.stall_count)
			chosen = live_stall_get(view.stalls[0]);
	}
	assert_true(chosen && chosen->loop->thread->process->info.pid);
	for (uint32_t position = 0; world_next_process(world, &position);)
		watched.processes++;
	live_stall_put(chosen);
	live_view_done(&view);
	live_free(live);
	teardown(NULL);
	return watched;
}

/* A process leaves only when nobody can look at one of its stalls any more. */
static void a_live_view_shows_the_same(void **state)
{
	enum { WORKERS = 250 };
	const struct watched all = watch(UINT32_MAX / 2, WORKERS), none = watch(0, WORKERS);

	assert_int_equal(all.digest, none.digest);
	assert_int_equal(all.processes, WORKERS);
	assert_true(none.processes < WORKERS && names_read);
}

/* Those with the longest stalls stay, and those that did not end well. */
static void the_interesting_ones_stay(void **state)
{
	enum { WORKERS = 300, KEPT = 16 };
	const struct process_report *ended;
	uint64_t longest = 0, longest_of_ended = 0, shortest = UINT64_MAX;

	setup(KEPT, false, false);
	for (uint32_t worker = 0; worker < WORKERS; worker++) {
		run_worker(worker, false, 300);
		world_tidy(world);
	}
	world_end(world, now);
	finish();
	ended = &found->processes[found->process_count - 1];
	assert_true(ended->process->stands_for >= WORKERS - 2 * KEPT);
	assert_int_equal(ended->process->info.pid, 0);
	for (uint32_t p = 0; p < found->process_count; p++) {
		uint64_t *most = p + 1 < found->process_count ? &longest : &longest_of_ended,
			 here = 0;

		for (uint32_t l = 0; l < found->processes[p].loop_count; l++)
			here = later(here, found->processes[p].loops[l].longest_ns);
		*most = later(*most, here);
		if (here)
			shortest = here < shortest ? here : shortest;
	}
	assert_true(longest > longest_of_ended && shortest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_sums_are_those_of_a_world_that_frees_nothing,
					  teardown),
		cmocka_unit_test_teardown(also_with_contended_transitions_alone, teardown),
		cmocka_unit_test_teardown(nothing_grows_with_the_number_of_workers, teardown),
		cmocka_unit_test_teardown(a_live_view_shows_the_same, teardown),
		cmocka_unit_test_teardown(the_interesting_ones_stay, teardown),
	};

	return cmocka_run_group_tests_name("analysis_ended", tests, NULL, NULL);
}
