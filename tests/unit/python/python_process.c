/* SPDX-License-Identifier: MIT */
/* The python room against real processes: compared with what every installed Python prints about
 * itself. */
#include "tests/unit/python/python_child.h"

static void examine(const char *program)
{
	_cleanup_(child_kill) struct child child = python(
		program,
		"import sys, time; print(sys.hexversion, '%d.%d.%d' % sys.version_info[:3], "
		"int(getattr(sys, '_is_gil_enabled', lambda: 1)()), flush=True); time.sleep(60)");
	_cleanup_(target_freep) struct target *target = NULL;
	unsigned int hex = 0;
	char version[32] = "";
	int gil = 0;

	assert_int_equal(sscanf(line_of(&child), "%u %31s %d", &hex, version, &gil), 3);
	target = open_target(child.pid);
	assert_int_equal(target->version_hex, hex);
	assert_string_equal(target->info.python, version);
	assert_int_equal(target->info.pid, child.pid);
	assert_non_null(strstr(target->info.cmdline, "time.sleep(60)"));
	assert_int_equal(target->info.gil_enabled, gil);
	assert_true(target->gil_proven || !gil); /* perhaps no thread has ever had it */
	assert_int_equal(target->gil_count, 1);
	assert_int_equal(target->gils[0].interpreter, 0);
	assert_true(target->info.take >= 1 && target->info.drop >= 1 && target->info.wait >= 1);
	assert_int_equal(target->info.take + target->info.drop + target->info.wait,
			 target->site_count);
	assert_int_equal(target->info.method, METHOD_SCAN);
	assert_int_equal(target->info.confidence, CONFIDENCE_EXACT);
	assert_int_equal(access(target->image_path, R_OK), 0);
	assert_true(target_alive(target));
	target->start_time++;
	assert_false(target_alive(target)); /* another process with the same PID */
	target->start_time--;
	/* the builds whose sites were counted by hand from their debug information */
	if (strcmp(program, DEBIAN_PYTHON) == 0 && hex == 0x030b02f0) {
		assert_int_equal(target->info.wait, 1);
		assert_int_equal(target->info.take, 2);
		assert_int_equal(target->info.drop, 6);
	} else if (hex == 0x030812f0) {
		assert_int_equal(target->info.wait, 2);
		assert_int_equal(target->info.take, 2);
		assert_int_equal(target->info.drop, 1);
	}
	kill(child.pid, SIGKILL);
	waitid(P_PID, (id_t)child.pid, NULL, WEXITED | WNOWAIT);
	assert_false(target_alive(target));
}

static void every_python_is_examined_right(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, examine);
}

/* At each site the process's memory has a call of the right function, and `after` is the next
 * instruction. */
static void sites_are_calls(const char *program)
{
	_cleanup_(child_kill) struct child child = python(
		program, "import time; print(1, flush=True); time.sleep(60)");
	_cleanup_(target_freep) struct target *target = NULL;
	_cleanup_(closep) int image = -1, memory = -1;
	char path[64];

	line_of(&child);
	target = open_target(child.pid);
	snprintf(path, sizeof(path), "/proc/%d/mem", child.pid);
	image = open(target->image_path, O_RDONLY | O_CLOEXEC);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(image >= 0 && memory >= 0);
	for (uint32_t i = 0; i < target->site_count; i++) {
		const struct gil_site *site = &target->sites[i];
		uint8_t in_file[8], in_memory[8];

		assert_int_equal(pread(image, in_file, 8, (off_t)site->offset), 8);
		assert_int_equal(
			pread(memory, in_memory, 8, (off_t)(site->vaddr + target->image_bias)), 8);
		without_probes(in_memory, in_file, sizeof(in_file));
		assert_memory_equal(in_file, in_memory, 8);
#if defined(__x86_64__)
		assert_true((in_file[0] == 0xe8 && site->after == site->offset + 5) ||
			    (in_file[0] == 0xff && site->after == site->offset + 6));
#endif
	}
}

static void every_site_is_a_call_in_file_and_memory(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, sites_are_calls);
}

static const char *const holder_script = "import ctypes, threading, time\n"
					 "def io():\n"
					 "    while True: time.sleep(0.001)\n"
					 "threading.Thread(target=io, daemon=True).start()\n"
					 "time.sleep(0.05)\n"
					 "print(1, flush=True)\n"
					 "ctypes.PyDLL(None).usleep(60000000)\n";

/* Waits until the snapshot shows the GIL held by the main thread. */
static void wait_until_held(struct target *target, struct events *events)
{
	for (int i = 0; i < 500; i++) {
		const union event *observe;

		assert_int_equal(snapshot(target, events), 0);
		observe = event_of(events, EV_OBSERVE, 0);
		if (observe && observe->observe.holder == target->info.pid)
			return;
		usleep(10000);
	}
	fail_msg("the main thread was never seen to hold the GIL");
}

static void holder_named(const char *program)
{
	_cleanup_(child_kill) struct child child = python(program, holder_script);
	_cleanup_(target_freep) struct target *target = NULL;
	static struct events events;
	uint32_t waiters = 0;

	line_of(&child);
	target = open_target(child.pid);
	if (!target->info.gil_enabled)
		return;
	wait_until_held(target, &events);
	/* the other thread soon waits, and sleeps except for moments every 5 ms, which are longer
	 * on a busy machine */
	for (int i = 0; i < 5000 && (i < 20 || waiters < 10); i++) {
		const union event *observe, *main_state;

		assert_int_equal(snapshot(target, &events), 0);
		observe = event_of(&events, EV_OBSERVE, 0);
		assert_non_null(observe);
		assert_int_equal(observe->hdr.aux, 40);
		assert_int_equal(observe->hdr.flags, EVF_OBSERVE_LOCKED);
		/* the waiter takes the GIL's mutex every 5 ms; the holder may then be unknown, but
		 * never another thread */
		assert_true(observe->observe.holder == 0 ||
			    observe->observe.holder == target->info.pid);
		main_state = event_of(&events, EV_STATE, target->info.pid);
		assert_int_equal(main_state->hdr.flags, EVF_STATE_ASLEEP | EVF_STATE_SYSCALL);
		for (uint32_t k = 0; k < events.count; k++) {
			const union event *event = &events.list[k];

			if (event->hdr.type == EV_THREAD)
				assert_true(event->hdr.flags & EVF_THREAD_PYTHON);
			if (event->hdr.type != EV_STATE || !(event->hdr.flags & EVF_STATE_GIL_WAIT))
				continue;
			assert_int_not_equal(event->hdr.tid, target->info.pid);
			assert_int_equal(event->hdr.aux, 40);
			waiters++;
		}
	}
	assert_true(waiters >= 10);
}

static void the_thread_that_sleeps_with_the_gil_is_named(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, holder_named);
}

static void a_holder_is_never_a_thread_without_python(void **state)
{
	_cleanup_(child_kill) struct child child = python(
		DEBIAN_PYTHON,
		"import threading\n"
		"def spin():\n"
		"    while True: pass\n"
		"for i in range(3): threading.Thread(target=spin, daemon=True).start()\n"
		"print(1, flush=True)\n"
		"spin()\n");
	_cleanup_(target_freep) struct target *target = NULL;
	static struct events events;
	uint32_t named = 0;

	line_of(&child);
	target = open_target(child.pid);
	for (int i = 0; i < 200; i++) {
		const union event *observe;

		assert_int_equal(snapshot(target, &events), 0);
		observe = event_of(&events, EV_OBSERVE, 0);
		if (!observe->observe.holder)
			continue;
		named++;
		assert_non_null(event_of(&events, EV_THREAD, observe->observe.holder));
		/* the holder does not wait for the GIL, or a handover happened between the two
		 * reads */
		assert_true(observe->hdr.flags & EVF_OBSERVE_LOCKED);
	}
	assert_true(named >= 100);
}

static void loops_found(const char *program)
{
	_cleanup_(child_kill) struct child child = python(
		program,
		"import asyncio, os, select, socket\n"
		"loop = asyncio.new_event_loop()\n"
		"other = select.epoll()\n"
		"server = socket.socket(); server.bind(('127.0.0.1', 0)); server.listen()\n"
		"other.register(server)\n"
		"print(loop._selector.fileno(), other.fileno(), flush=True)\n"
		"loop.run_until_complete(asyncio.sleep(60))\n");
	_cleanup_(target_freep) struct target *target = NULL;
	static struct events events;
	struct stream_sink sink = {.event = event_keep, .ctx = &events};
	uint32_t loop, other;
	const union event *state;

	assert_int_equal(sscanf(line_of(&child), "%u %u", &loop, &other), 2);
	target = open_target(child.pid);
	usleep(50000);
	assert_int_equal(snapshot(target, &events), 0);
	assert_non_null(epoll_of(&events, loop));
	assert_int_equal(epoll_of(&events, loop)->hdr.flags, EVF_EPOLL_WAKEUP);
	assert_int_equal(epoll_of(&events, loop)->epoll.kind, LOOP_ASYNCIO);
	assert_int_equal(epoll_of(&events, other)->hdr.flags, 0);
	assert_int_equal(epoll_of(&events, other)->epoll.kind, LOOP_UNKNOWN);
	state = event_of(&events, EV_STATE, target->info.pid);
	assert_int_equal(state->hdr.flags, EVF_STATE_ASLEEP | EVF_STATE_SYSCALL | EVF_STATE_EPOLL);
	assert_int_equal(state->state.epfd, loop);
	events.count = 0;
	assert_int_equal(target_describe_epoll(target, loop, &sink), 0);
	assert_int_equal(events.count, 1);
	assert_int_equal(events.list[0].epoll.kind, LOOP_ASYNCIO);
	assert_int_equal(target_describe_epoll(target, 999, &sink), 0);
	assert_int_equal(target_describe_epoll(target, 1, &sink), 0);
	assert_int_equal(events.count, 1);
}

static void the_loops_epoll_descriptor_is_known_by_its_wake_up_channel(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, loops_found);
}

static void uvloop_and_asyncio_in_one_process_are_distinguished(void **state)
{
	_cleanup_(child_kill) struct child child = python(
		DEBIAN_PYTHON,
		"import sys\n"
		"try: import uvloop\n"
		"except ImportError: print('none', flush=True); sys.exit()\n"
		"import asyncio, os, threading\n"
		"def run(loop): loop.run_until_complete(asyncio.sleep(60))\n"
		"link = lambda fd: os.path.realpath('/proc/self/fd/%d' % fd)\n"
		"fds = lambda: {fd for fd in range(64) if link(fd).endswith('[eventpoll]')}\n"
		"plain = asyncio.SelectorEventLoop()\n"
		"plain.add_reader(os.eventfd(0), print)\n"
		"uv = uvloop.new_event_loop()\n"
		"one = plain._selector.fileno()\n"
		"(two,) = fds() - {one}\n"
		"for loop in plain, uv: threading.Thread(target=run, args=(loop,), "
		"daemon=True).start()\n"
		"import time; time.sleep(0.2); print(one, two, flush=True); time.sleep(60)\n");
	_cleanup_(target_freep) struct target *target = NULL;
	static struct events events;
	uint32_t plain, uv;
	const char *line = line_of(&child);

	if (strcmp(line, "none") == 0) {
		print_message("           uvloop is not installed\n");
		skip();
	}
	assert_int_equal(sscanf(line, "%u %u", &plain, &uv), 2);
	target = open_target(child.pid);
	assert_int_equal(snapshot(target, &events), 0);
	assert_int_equal(epoll_of(&events, plain)->epoll.kind, LOOP_ASYNCIO);
	assert_int_equal(epoll_of(&events, uv)->epoll.kind, LOOP_UVLOOP);
	assert_int_equal(epoll_of(&events, uv)->hdr.flags, EVF_EPOLL_WAKEUP);
}

static void new_interpreter(const char *program)
{
	_cleanup_(child_kill) struct child child = python(
		program, "try: import _xxsubinterpreters as interpreters\n"
			 "except ImportError: import _interpreters as interpreters\n"
			 "import sys, time\n"
			 "print(1, flush=True); sys.stdin.readline()\n"
			 "kept = interpreters.create(); print(2, flush=True); time.sleep(60)\n");
	_cleanup_(target_freep) struct target *target = NULL;
	static struct events events;

	line_of(&child);
	target = open_target(child.pid);
	assert_int_equal(target->gil_count, 1);
	assert_int_equal(target_refresh_gils(target), 0);
	assert_int_equal(write(child.to, "\n", 1), 1);
	line_of(&child);
	assert_int_equal(target_refresh_gils(target), 1);
	assert_int_equal(target_refresh_gils(target), 0);
	assert_int_equal(target->gil_count, 2);
	assert_int_equal(target->gils[1].interpreter, 1);
	assert_int_not_equal(target->gils[0].address, target->gils[1].address);
	assert_int_equal(snapshot(target, &events), 0);
}

static void a_new_interpreters_own_gil_is_found(void **state)
{
	for_each_python(12, PYTHON_MINOR_MAX, new_interpreter);
}

static void threads_in_another_pid_namespace_have_two_numbers(void **state)
{
	int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	_cleanup_(target_freep) struct target *target = NULL;
	static struct events events;
	struct child child;

	if (unshare(CLONE_NEWPID)) {
		print_message("           needs CAP_SYS_ADMIN\n");
		skip();
	}
	child = python(DEBIAN_PYTHON, holder_script);
	assert_int_equal(setns(own, CLONE_NEWPID), 0);
	close(own);
	line_of(&child);
	target = open_target(child.pid);
	wait_until_held(target, &events);
	assert_int_equal(event_of(&events, EV_THREAD, target->info.pid)->thread.nstid, 1);
	assert_true(event_of(&events, EV_THREAD, target->info.pid)->hdr.flags & EVF_THREAD_PYTHON);
	child_kill(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_python_is_examined_right),
		cmocka_unit_test(every_site_is_a_call_in_file_and_memory),
		cmocka_unit_test(the_thread_that_sleeps_with_the_gil_is_named),
		cmocka_unit_test(a_holder_is_never_a_thread_without_python),
		cmocka_unit_test(the_loops_epoll_descriptor_is_known_by_its_wake_up_channel),
		cmocka_unit_test(uvloop_and_asyncio_in_one_process_are_distinguished),
		cmocka_unit_test(a_new_interpreters_own_gil_is_found),
		cmocka_unit_test(threads_in_another_pid_namespace_have_two_numbers),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("target_process", tests, NULL, NULL);
}
