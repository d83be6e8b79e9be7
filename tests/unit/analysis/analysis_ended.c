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

#include "tests/sim/report_sums.h"

#define PARENT	50
#define LASTING 40 /* process that lives, when workers are threads of it */

/* … and with a GIL of their own, of an interpreter that begins and ends with them. */
static bool workers_are_threads, workers_are_interpreters;
static uint64_t stall_ns = 300;

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

/* ── the stream ──────────────────────────────────────────────────────────── */

static struct stream_sink sink;
static uint64_t now;

static void setup(uint32_t kept, bool partial, bool growth)
{
	const struct stream_head head = {
		.version = "0.1.0", .mode = MODE_EXACT, .stacks = true, .rate_hz = 10000000};

	define_threads();
	builder = report_builder_new(stall_ns, &head, names, (struct handler_finder *)names);
	assert_non_null(builder);
	report_builder_keep_ended(builder, kept, 0);
	if (growth)
		report_builder_growth(builder);
	world = world_new(report_builder_sink(builder), partial ? MODE_EDGES : MODE_EXACT);
	assert_non_null(world);
	sink = world_sink(world);
	now = 1;
}

static uint32_t process_of_worker(uint32_t worker)
{
	return workers_are_threads ? LASTING : SIM_PID + 1000 + worker % 7 * 50;
}

static uint32_t task_of_worker(uint32_t worker, uint32_t tid)
{
	return tid >= SIM_PID && tid < SIM_PID + SIM_TIDS ? tid + 1000 + worker % 7 * 50 : tid;
}

static void renumber(uint32_t worker, union event *event)
{
	event->hdr.tid = task_of_worker(worker, event->hdr.tid);
	switch (event->hdr.type) {
	case EV_GIL:
	case EV_EPOLL:
		event->hdr.tid = process_of_worker(worker);
		break;
	case EV_THREAD:
		event->thread.pid = process_of_worker(worker);
		/* else it would be a late word of the one that had this tid before */
		event->hdr.flags |= workers_are_threads ? EVF_THREAD_NEW : 0;
		break;
	case EV_OBSERVE:
		event->observe.holder = task_of_worker(worker, event->observe.holder);
		break;
	case EV_RUN:
		event->run.pid = process_of_worker(worker);
		break;
	default:
		break;
	}
	if (workers_are_threads && !workers_are_interpreters)
		return;
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

static uint64_t gil_address(uint32_t worker, uint32_t gil)
{
	return 0x550000000000 + (worker * SIM_GILS + gil) * 0x1000ull;
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

static void end_threads(void)
{
	const struct thread *thread;
	uint32_t position = 0;

	while ((thread = world_next_thread(world, &position)))
		if (!thread->gone && thread->tid != LASTING)
			put((union event){.thread_exit = {.hdr = {.type = EV_THREAD_EXIT,
								  .tid = thread->tid}}});
}

/* Every fourth is killed. */
static void end_process(uint32_t worker, uint32_t pid)
{
	if (worker % 4 == 3)
		put((union event){.signal = {.hdr = {.type = EV_SIGNAL, .tid = pid, .aux = 9},
					     .sender = worker > 4
							       ? task_of_worker(worker - 3, SIM_PID)
							       : 0}});
	if (worker % 4 == 3)
		put((union event){.death = {.hdr = {.type = EV_DEATH, .tid = pid, .aux = 9}}});
	put((union event){.process_exit = {.hdr = {.type = EV_PROCESS_EXIT, .tid = pid}}});
}

/* A thread that lasts has been in each of them. */
static void visit_interpreter(uint16_t gil)
{
	put((union event){.take = {.hdr = {.type = EV_TAKE, .tid = LASTING, .aux = gil}}});
	put((union event){.drop = {.hdr = {.type = EV_DROP, .tid = LASTING, .aux = gil}}});
}

/* Of the others it is seen only when their indices are given to the next ones. */
static void end_interpreter(uint32_t worker, uint32_t gils)
{
	for (uint32_t gil = 0; gil < gils; gil++)
		put((union event){.gil = {.hdr = {.type = EV_GIL,
						  .tid = LASTING,
						  .aux = (uint16_t)(gil + worker % 3 * SIM_GILS),
						  .flags = EVF_GIL_GONE},
					  .address = gil_address(worker, gil)}});
}

/* Of a process that lasts, everything but what declares it again. */
static bool is_fed(uint32_t worker, const union event *event)
{
	switch (event->hdr.type) {
	case EV_WINDOW:
		return !worker && !(event->hdr.flags & EVF_WINDOW_END);
	case EV_GIL:
		return !worker || !workers_are_threads || workers_are_interpreters;
	default:
		return true;
	}
}

static void run_worker(uint32_t worker, bool partial, uint32_t steps)
{
	static struct sim sim;
	const uint32_t pid = process_of_worker(worker);
	struct process_info info = {
		.pid = pid, .parent = PARENT, .gil_enabled = true, .gc = GC_PROBES};
	uint64_t begin = now;

	sim_init(&sim, worker + 1, partial);
	sim_run(&sim, steps, 20);
	if (!worker || !workers_are_threads)
		assert_int_equal(sink_process(&sink, &info), 0);
	for (uint32_t i = 0; i < sim.events.count; i++) {
		union event event = sim.events.at[i].event;

		if (!is_fed(worker, &event))
			continue;
		if (event.hdr.type == EV_GIL && workers_are_interpreters) {
			event.gil.address = gil_address(worker, event.hdr.aux);
			event.gil.interpreter = worker * SIM_GILS + event.hdr.aux;
		}
		renumber(worker, &event);
		event.hdr.ts = begin + event.hdr.ts - sim.events.at[0].event.hdr.ts;
		now = event.hdr.ts;
		assert_int_equal(sink_event(&sink, &event), 0);
	}
	stop_world(worker, pid);
	if (workers_are_threads)
		end_threads();
	else
		end_process(worker, pid);
	if (workers_are_interpreters)
		visit_interpreter((uint16_t)(worker % 3 * SIM_GILS));
	if (workers_are_interpreters && worker % 2)
		end_interpreter(worker, sim.gils_used);
	sim_done(&sim);
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
	assert_int_equal(all.deaths, workers_are_threads ? 0 : WORKERS / 4);
	assert_int_equal(all.pauses, WORKERS);
	assert_true(all.gil_count >=
		    (workers_are_threads && !workers_are_interpreters ? 1 : WORKERS));
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

static void so_are_those_of_threads_of_one_process(void **state)
{
	workers_are_threads = true;
	compare(false);
	compare(true);
}

static void so_are_those_of_interpreters_of_one_process(void **state)
{
	workers_are_threads = workers_are_interpreters = true;
	compare(false);
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

static void run_many(uint32_t workers, uint32_t kept)
{
	struct held early = {0}, held;

	setup(kept, false, false);
	for (uint32_t worker = 0; worker < workers; worker++) {
		run_worker(worker, false, 40);
		world_tidy(world);
		held = held_now();
		for (size_t i = 0; i < sizeof(held) / sizeof(uint64_t); i++) {
			uint64_t *most = &((uint64_t *)&early)[i];

			if (worker < workers / 2)
				*most = later(*most, ((uint64_t *)&held)[i]);
			else if (((uint64_t *)&held)[i] > *most + *most / 4)
				fail_msg(
					"after %u workers: %llu of number %zu, before at most %llu",
					worker, (unsigned long long)((uint64_t *)&held)[i], i,
					(unsigned long long)*most);
		}
	}
	assert_true(held.processes <= 2 * kept);
	assert_null(world_window(world).full);
	world_end(world, now);
	finish();
}

static void nothing_grows_with_the_number_of_workers(void **state)
{
	enum { WORKERS = 20000, KEPT = 16 };

	run_many(WORKERS, KEPT);
	assert_int_equal(found->processes[found->process_count - 1].process->stands_for +
				 found->process_count - 1,
			 WORKERS);
}

static void nor_with_the_number_of_threads(void **state)
{
	enum { WORKERS = 20000, KEPT = 16 };

	workers_are_threads = true;
	stall_ns = UINT64_MAX; /* who had a part in a listed one stays */
	run_many(WORKERS, KEPT);
	assert_int_equal(found->process_count, 1);
}

static void nor_with_the_number_of_interpreters(void **state)
{
	enum { WORKERS = 20000, KEPT = 16 };
	const struct gil_report *last;

	workers_are_threads = workers_are_interpreters = true;
	stall_ns = UINT64_MAX;
	run_many(WORKERS, KEPT);
	assert_int_equal(found->process_count, 1);
	last = &found->processes[0].gils[found->processes[0].gil_count - 1];
	assert_true(found->processes[0].gil_count < 3 * KEPT);
	assert_true(last->gil->stands_for > WORKERS - 3 * KEPT);
	assert_true(last->held_ns > 0 && last->contended_ns > 0);
}

/* A view wants to keep them for a while, but a world has room for so many only. */
static void they_do_not_fill_the_world_before_they_may_go(void **state)
{
	enum { WORKERS = 3 * WORLD_GILS_MAX };

	workers_are_threads = workers_are_interpreters = true;
	setup(16, false, false);
	report_builder_keep_ended(builder, 16, UINT64_MAX / 2);
	for (uint32_t worker = 0; worker < WORKERS; worker++) {
		put((union event){.gil = {.hdr = {.type = EV_GIL, .tid = LASTING},
					  .address = gil_address(worker, 0),
					  .interpreter = worker}});
		visit_interpreter(0);
		world_tidy(world);
	}
	assert_null(world_window(world).full);
	world_end(world, now);
	finish();
	assert_true(found->processes[0].gil_count < WORLD_GILS_MAX / 2);
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
	uint32_t processes, threads, gils;
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
	for (uint32_t position = 0; world_next_thread(world, &position);)
		watched.threads++;
	for (uint32_t position = 0; world_next_gil(world, &position);)
		watched.gils++;
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

static void also_of_threads_of_one_process(void **state)
{
	enum { WORKERS = 250 };
	struct watched all, none;

	workers_are_threads = true;
	all = watch(UINT32_MAX / 2, WORKERS);
	none = watch(0, WORKERS);
	assert_int_equal(all.digest, none.digest);
	assert_true(none.threads < all.threads / 2);
}

/* What a thread that stays remembers of a GIL that leaves is let go of. */
static void also_of_interpreters_of_one_process(void **state)
{
	enum { WORKERS = 250 };
	struct watched all, none;

	workers_are_threads = workers_are_interpreters = true;
	all = watch(UINT32_MAX / 2, WORKERS);
	none = watch(0, WORKERS);
	assert_int_equal(all.digest, none.digest);
	assert_true(all.gils >= WORKERS && none.gils < all.gils / 2);
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

static int end_of_test(void **state)
{
	workers_are_threads = workers_are_interpreters = false;
	stall_ns = 300;
	return teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_sums_are_those_of_a_world_that_frees_nothing,
					  teardown),
		cmocka_unit_test_teardown(also_with_contended_transitions_alone, teardown),
		cmocka_unit_test_teardown(so_are_those_of_threads_of_one_process, end_of_test),
		cmocka_unit_test_teardown(so_are_those_of_interpreters_of_one_process, end_of_test),
		cmocka_unit_test_teardown(nothing_grows_with_the_number_of_workers, teardown),
		cmocka_unit_test_teardown(nor_with_the_number_of_threads, end_of_test),
		cmocka_unit_test_teardown(nor_with_the_number_of_interpreters, end_of_test),
		cmocka_unit_test_teardown(they_do_not_fill_the_world_before_they_may_go,
					  end_of_test),
		cmocka_unit_test_teardown(a_live_view_shows_the_same, teardown),
		cmocka_unit_test_teardown(also_of_threads_of_one_process, end_of_test),
		cmocka_unit_test_teardown(also_of_interpreters_of_one_process, end_of_test),
		cmocka_unit_test_teardown(the_interesting_ones_stay, teardown),
	};

	return cmocka_run_group_tests_name("analysis_ended", tests, NULL, NULL);
}
