/* SPDX-License-Identifier: MIT */
/* Frames, loops, names and the collector of real processes: compared with what every installed
 * Python prints about itself. */
#include "tests/unit/python/python_child.h"

#include "python/interpreter/gc_sites.h"
#include "python/process/memory.h"

static uint64_t word(const struct target *target, uint64_t address)
{
	uint64_t value = 0;

	assert_int_equal(memory_read_u64((pid_t)target->info.pid, address, &value), 0);
	return value;
}

/* ── the walker's layout ─────────────────────────────────────────────────── */

/* Follows the only thread's frames like the probes. Returns the number of code objects. */
static unsigned int walk(const struct target *target, uint64_t *codes, bool *generators,
			 int64_t *lasti, unsigned int room)
{
	const struct stack_layout *at = &target->stack;
	uint64_t tstate = word(target, word(target, at->runtime + at->runtime_interpreters) +
					       at->interp_threads);
	uint64_t frame = word(target, tstate + at->tstate_frame);
	unsigned int count = 0;

	if (at->cframe_current != STACK_NONE)
		frame = word(target, frame + at->cframe_current);
	for (int steps = 0; frame && steps < 100;
	     steps++, frame = word(target, frame + at->frame_previous)) {
		uint8_t owner = at->frame_owner != STACK_NONE
					? (uint8_t)word(target, frame + at->frame_owner)
					: 0;

		if (at->frame_owner != STACK_NONE && owner >= at->owner_shim_min)
			continue;
		assert_true(count < room);
		generators[count] = at->frame_owner != STACK_NONE
					    ? owner == at->owner_generator
					    : word(target, frame + at->frame_generator) != 0;
		codes[count] = word(target, frame + at->frame_code) &
			       ~(at->code_tagged ? UINT64_C(3) : 0);
		lasti[count] = (int64_t)word(target, frame + at->frame_instr);
		if (at->instr_kind == STACK_INSTR)
			lasti[count] -= (int64_t)(codes[count] + at->code_instructions);
		else
			lasti[count] = (int32_t)lasti[count] *
				       (at->instr_kind == STACK_LASTI_UNITS ? 2 : 1);
		count++;
	}
	return count;
}

static void code_checked(const struct target *target, uint64_t code, uint64_t name, uint64_t file,
			 uint64_t table, int first)
{
	const struct stack_layout *at = &target->stack;

	assert_int_equal(word(target, code + at->code_span + at->code_name_word * 8u), name);
	assert_int_equal(word(target, code + at->code_span + at->code_linetable_word * 8u), table);
	assert_int_equal(word(target, code + target->layout.code_name), name);
	assert_int_equal(word(target, code + target->layout.code_linetable), table);
	assert_int_equal(word(target, code + target->layout.code_filename), file);
	assert_int_equal((int)word(target, code + target->layout.code_firstlineno), first);
}

static void frames_followed(const char *program)
{
	_cleanup_(child_kill) struct child child = python(
		program, "import sys\n"
			 "def say():\n"
			 "    frame = sys._getframe(1)\n"
			 "    while frame:\n"
			 "        code = frame.f_code\n"
			 "        table = code.co_linetable if sys.version_info >= (3, 10) else "
			 "code.co_lnotab\n"
			 "        print(id(code), id(code.co_name), id(code.co_filename), "
			 "id(table), code.co_firstlineno, code.co_flags >> 5 & 1,\n"
			 "              frame.f_lasti)\n"
			 "        frame = frame.f_back\n"
			 "    print('end', flush=True)\n"
			 "def inner():\n"
			 "    say(); sys.stdin.readline()\n"
			 "def generator():\n"
			 "    inner(); yield\n"
			 "class A:\n"
			 "    def __init__(self): list(generator())\n"
			 "[0].sort(key=lambda x: A())\n");
	_cleanup_(target_freep) struct target *target = NULL;
	uint64_t code[8], name[8], file[8], table[8], found[8];
	int first[8], flag[8], lasti[8];
	int64_t found_lasti[8];
	bool generator[8];
	unsigned int count = 0;
	const char *line;

	while (strcmp(line = line_of(&child), "end") != 0) {
		assert_true(count < 8);
		assert_int_equal(sscanf(line, "%lu %lu %lu %lu %d %d %d", &code[count],
					&name[count], &file[count], &table[count], &first[count],
					&flag[count], &lasti[count]),
				 7);
		count++;
	}
	target = open_target(child.pid);
	usleep(20000); /* until it waits for its line */
	assert_int_equal(target->stack.runtime, target->runtime);
	assert_int_equal(count, 5);
	assert_int_equal(walk(target, found, generator, found_lasti, 8), count);
	for (unsigned int i = 0; i < count; i++) {
		assert_int_equal(found[i], code[i]);
		assert_int_equal(generator[i], flag[i]);
		if (i) /* the innermost frame has moved on from one call to the next */
			assert_int_equal(found_lasti[i], lasti[i]);
		code_checked(target, code[i], name[i], file[i], table[i], first[i]);
	}
	assert_int_equal(target->stack.code_weak, target->version_hex < 0x030c0000);
}

static void frames_and_code_objects_lie_where_the_layout_says(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, frames_followed);
}

/* ── loops ───────────────────────────────────────────────────────────────── */

static void loop_is(const struct events *events, uint32_t tid, int expected_flags,
		    enum loop_kind kind)
{
	const union event *event = event_of(events, EV_RUNS_LOOP, tid);

	assert_non_null(event);
	assert_int_equal(event->hdr.flags, expected_flags);
	assert_int_equal(event->runs_loop.kind, kind);
	assert_true(event->hdr.ts - event->runs_loop.span_ns >= events->ts_begin);
}

static void loops_reported(const char *program)
{
	_cleanup_(child_kill) struct child child = python(
		program,
		"import asyncio, threading, os, sys, time\n"
		"tid = lambda: threading.current_thread().native_id\n"
		"class Own(asyncio.SelectorEventLoop): pass\n"
		"class Strange(asyncio.AbstractEventLoop): pass\n"
		"told = {}\n"
		"def say(what): told[what] = tid()\n"
		"async def run(what): say(what); await asyncio.sleep(60)\n"
		"def derived(): Own().run_until_complete(run('derived'))\n"
		"def ended(): asyncio.new_event_loop().run_until_complete(asyncio.sleep(0)); "
		"say('ended'); time.sleep(60)\n"
		"def none(): say('none'); time.sleep(60)\n"
		"def strange(): asyncio._set_running_loop(Strange()); say('strange'); "
		"time.sleep(60)\n"
		"for target in derived, ended, none, strange: threading.Thread(target=target, "
		"daemon=True).start()\n"
		"while len(told) < 4: time.sleep(0.01)\n"
		"async def main(): print(tid(), *(told[k] for k in ('derived', 'ended', 'none', "
		"'strange')), flush=True); await asyncio.sleep(60)\n"
		"asyncio.run(main())\n");
	_cleanup_(target_freep) struct target *target = NULL;
	struct stream_sink sink = {.event = event_keep};
	static struct events events;
	uint32_t tid[5];

	assert_int_equal(sscanf(line_of(&child), "%u %u %u %u %u", &tid[0], &tid[1], &tid[2],
				&tid[3], &tid[4]),
			 5);
	target = open_target(child.pid);
	assert_int_equal(snapshot(target, &events), 0);
	loop_is(&events, tid[0], EVF_RUNS_LOOP_YES, LOOP_ASYNCIO);
	loop_is(&events, tid[1], EVF_RUNS_LOOP_YES, LOOP_ASYNCIO);
	loop_is(&events, tid[2], 0, LOOP_UNKNOWN);
	loop_is(&events, tid[3], 0, LOOP_UNKNOWN);
	loop_is(&events, tid[4], EVF_RUNS_LOOP_YES, LOOP_UNKNOWN);
	sink.ctx = &events;
	events.count = 0;
	assert_int_equal(target_describe_loop(target, tid[1], &sink), 0);
	loop_is(&events, tid[1], EVF_RUNS_LOOP_YES, LOOP_ASYNCIO);
	assert_int_equal(events.count, 1);
	assert_int_equal(target_describe_loop(target, 1, &sink), 0); /* for none of its threads */
	assert_int_equal(events.count, 1);
}

static void the_threads_that_run_a_loop_are_reported(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, loops_reported);
}

/* Up to 3.11 a forked child still has its parent's loop, which must not count there. */
static void loop_left_behind(const char *program)
{
	_cleanup_(child_kill) struct child child = python(
		program,
		"import asyncio, os, time\n"
		"async def main():\n"
		"    if os.fork() == 0:\n"
		"        print(os.getpid(), asyncio._get_running_loop() is None, flush=True)\n"
		"    time.sleep(60)\n"
		"asyncio.run(main())\n");
	_cleanup_(target_freep) struct target *target = NULL;
	static struct events events;
	char none[8];
	int pid;

	assert_int_equal(sscanf(line_of(&child), "%d %7s", &pid, none), 2);
	target = open_target(pid);
	assert_int_equal(snapshot(target, &events), 0);
	kill(pid, SIGKILL);
	assert_non_null(event_of(&events, EV_RUNS_LOOP, (uint32_t)pid));
	assert_int_equal(event_of(&events, EV_RUNS_LOOP, (uint32_t)pid)->hdr.flags,
			 strcmp(none, "True") == 0 ? 0 : EVF_RUNS_LOOP_YES);
}

static void a_loop_of_before_the_fork_does_not_run(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, loop_left_behind);
}

static void uvloop_is_known_by_its_type(void **state)
{
	_cleanup_(child_kill) struct child child = python(
		DEBIAN_PYTHON,
		"import asyncio, sys\n"
		"try: import uvloop\n"
		"except ImportError: print('none', flush=True); sys.exit()\n"
		"class Own(uvloop.Loop): pass\n"
		"async def main(): print('up', flush=True); await asyncio.sleep(60)\n"
		"Own().run_until_complete(main())\n");
	_cleanup_(target_freep) struct target *target = NULL;
	static struct events events;

	if (strcmp(line_of(&child), "none") == 0) {
		print_message("           uvloop is not installed\n");
		skip();
	}
	target = open_target(child.pid);
	assert_int_equal(snapshot(target, &events), 0);
	loop_is(&events, target->info.pid, EVF_RUNS_LOOP_YES, LOOP_UVLOOP);
}

/* ── names ───────────────────────────────────────────────────────────────── */

enum { NAMES_MAX = 128 };

struct names {
	struct {
		uint32_t tid;
		uint32_t limit;
		char text[DEFINE_TEXT_MAX];
	} list[NAMES_MAX];
	unsigned int count, stop_after;
};

static int name_keep(void *ctx, uint32_t tid, const char *text, uint32_t limit)
{
	struct names *names = ctx;

	assert_true(names->count < NAMES_MAX && strlen(text) < DEFINE_TEXT_MAX);
	names->list[names->count].tid = tid;
	names->list[names->count].limit = limit;
	snprintf(names->list[names->count++].text, DEFINE_TEXT_MAX, "%s", text);
	return names->stop_after && names->count == names->stop_after ? -E2BIG : 0;
}

static const char *name_of(const struct names *names, uint32_t tid)
{
	const char *text = NULL;

	for (unsigned int i = 0; i < names->count; i++) {
		if (names->list[i].tid != tid)
			continue;
		assert_null(text); /* once per thread */
		text = names->list[i].text;
	}
	return text;
}

static uint32_t limit_of(const struct names *names, uint32_t tid)
{
	for (unsigned int i = 0; i < names->count; i++)
		if (names->list[i].tid == tid)
			return names->list[i].limit;
	fail_msg("thread %u has no name", tid);
	return 0;
}

static const char NAMED[] =
	"import threading, sys, time\n"
	"class Own(threading.Thread):\n"
	"    def __init__(self, **kw):\n"
	"        for i in range(40): setattr(self, 'x%d' % i, i)\n"
	"        super().__init__(**kw)\n"
	"class Slots(threading.Thread):\n"
	"    __slots__ = ('a', 'b')\n"
	"def start(cls, name):\n"
	"    thread = cls(target=time.sleep, args=(60,), name=name, daemon=True); "
	"thread.start(); return thread\n"
	"plain = start(threading.Thread, 'plain')\n"
	"own = start(Own, 'W\\u00f6rker')\n"
	"slots = start(Slots, '\\u65e5\\u672c\\U0001f600')\n"
	"looked = start(threading.Thread, 'looked'); looked.__dict__['_name'] = 'changed'\n"
	"renamed = start(threading.Thread, 'a'); renamed.name = 'b\\ud800\\n'\n"
	"long = start(threading.Thread, 'x' * 5000)\n"
	"odd = start(threading.Thread, 'odd'); odd._name = 5\n"
	"many = [start(threading.Thread, 'many-%d' % i) for i in range(40)]\n"
	"for t in many[::2]: t.extra = 1; t.__dict__.pop('extra')\n"
	"t = threading.Thread(target=print, name='gone'); t.start(); t.join()\n"
	"from concurrent.futures import ThreadPoolExecutor\n"
	"pool = ThreadPoolExecutor(max_workers=7, thread_name_prefix='pool')\n"
	"pool.submit(time.sleep, 60)\n"
	"print(*(t.native_id for t in (plain, own, slots, looked, renamed, long, odd, "
	"*many, *pool._threads)), flush=True)\n"
	"time.sleep(60)\n";

static void names_reported(const char *program)
{
	_cleanup_(child_kill) struct child child = python(program, NAMED);
	_cleanup_(target_freep) struct target *target = NULL;
	static struct names names;
	const char *text;
	uint32_t tid[48];
	char line[1024] = "", *at = line, expected[16];

	names = (struct names){0};
	line_of(&child); /* a line printed by the thread that has ended */
	while (!strchr(line, '\n'))
		assert_non_null(
			fgets(line + strlen(line), (int)(sizeof(line) - strlen(line)), child.from));
	for (int i = 0; i < 48; i++)
		tid[i] = (uint32_t)strtoul(at, &at, 10);
	target = open_target(child.pid);
	assert_int_equal(target_thread_names(target, name_keep, &names), 0);
	assert_string_equal(name_of(&names, target->info.pid), "MainThread");
	assert_string_equal(name_of(&names, tid[47]), "pool_0");
	assert_int_equal(limit_of(&names, tid[47]), 7);
	assert_int_equal(limit_of(&names, tid[0]), 0);
	assert_string_equal(name_of(&names, tid[0]), "plain");
	assert_string_equal(name_of(&names, tid[1]), "W\xc3\xb6rker");
	assert_string_equal(name_of(&names, tid[2]), "\xe6\x97\xa5\xe6\x9c\xac\xf0\x9f\x98\x80");
	assert_string_equal(name_of(&names, tid[3]), "changed");
	assert_string_equal(name_of(&names, tid[4]), "b\xef\xbf\xbd\n");
	text = name_of(&names, tid[5]);
	assert_int_equal(strlen(text), DEFINE_TEXT_MAX - 1);
	assert_int_equal(strspn(text, "x"), DEFINE_TEXT_MAX - 1);
	assert_null(name_of(&names, tid[6]));
	for (int i = 0; i < 40; i++) {
		snprintf(expected, sizeof(expected), "many-%d", i);
		assert_string_equal(name_of(&names, tid[7 + i]), expected);
	}
	assert_int_equal(names.count, 48);
	names = (struct names){.stop_after = 3};
	assert_int_equal(target_thread_names(target, name_keep, &names), -E2BIG);
	assert_int_equal(names.count, 3);
}

static void threads_have_the_names_that_python_gives_them(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, names_reported);
}

/* One thread in two interpreters: its name is that in the main interpreter, and it runs the loop
 * that either of them runs. */
static void interpreters_reported(const char *program)
{
	_cleanup_(child_kill) struct child child = python(
		program, "try: import _xxsubinterpreters as interpreters\n"
			 "except ImportError: import _interpreters as interpreters\n"
			 "import sys, threading\n"
			 "threading.current_thread().name = 'the main one'\n"
			 "interpreters.run_string(interpreters.create(), '''import asyncio, sys, "
			 "threading, time\n"
			 "threading.current_thread().name = 'another'\n"
			 "async def main(): print(1, flush=True); time.sleep(60)\n"
			 "asyncio.run(main())''')\n");
	_cleanup_(target_freep) struct target *target = NULL;
	static struct events events;
	static struct names names;

	assert_string_equal(line_of(&child), "1");
	names = (struct names){0};
	target = open_target(child.pid);
	assert_int_equal(target_thread_names(target, name_keep, &names), 0);
	assert_string_equal(name_of(&names, target->info.pid), "the main one");
	assert_int_equal(names.count, 1);
	assert_int_equal(snapshot(target, &events), 0);
	loop_is(&events, target->info.pid, EVF_RUNS_LOOP_YES, LOOP_ASYNCIO);
}

static void a_thread_in_two_interpreters_is_one(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, interpreters_reported);
}

static void without_threading_there_are_no_names(void **state)
{
	_cleanup_(child_kill) struct child child = python(
		DEBIAN_PYTHON,
		"import sys; sys.modules.pop('threading', None); print(1, flush=True)\n"
		"sys.stdin.readline()");
	_cleanup_(target_freep) struct target *target = NULL;
	static struct names names;

	line_of(&child);
	target = open_target(child.pid);
	assert_int_equal(target_thread_names(target, name_keep, &names), 0);
	assert_int_equal(names.count, 0);
}

/* ── the collector ───────────────────────────────────────────────────────── */

static void collecting_seen(const char *program)
{
	_cleanup_(child_kill) struct child child = python(
		program, "import gc, sys\n"
			 "def say(phase, info): phase == 'start' and (print(1, flush=True), "
			 "sys.stdin.readline())\n"
			 "gc.collect(); gc.disable(); gc.callbacks.append(say)\n"
			 "print(0, flush=True); sys.stdin.readline()\n"
			 "gc.collect()\n"
			 "print(2, flush=True); sys.stdin.readline()\n");
	_cleanup_(target_freep) struct target *target = NULL;
	uint64_t interpreter;

	assert_string_equal(line_of(&child), "0");
	target = open_target(child.pid);
	if (target->version_hex < 0x03090000) {
		assert_int_equal(target->stack.interp_gc_collecting, 0);
		return;
	}
	interpreter = word(target, target->stack.runtime + target->stack.runtime_interpreters);
	assert_int_equal((uint32_t)word(target, interpreter + target->stack.interp_gc_collecting),
			 0);
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(write(child.to, "\n", 1), 1);
		assert_int_equal(atoi(line_of(&child)), i);
		assert_int_equal(
			(uint32_t)word(target, interpreter + target->stack.interp_gc_collecting),
			i == 1);
	}
}

static void a_collection_shows_in_the_interpreters_flag(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, collecting_seen);
}

static void collector_found(const char *program)
{
	_cleanup_(child_kill) struct child child = python(
		program, "import time; print(1, flush=True); time.sleep(60)");
	_cleanup_(target_freep) struct target *target = NULL;
	unsigned int ends = 0;
	int fd;

	line_of(&child);
	target = open_target(child.pid);
	/* Debian's builds have probe points, those with symbols the collector's functions; others
	 * have neither */
	if (target->info.gc != GC_PROBES) {
		assert_string_not_equal(program, DEBIAN_PYTHON);
		assert_int_equal(target->gc_site_count, 0);
		return;
	}
	fd = open(target->image_path, O_RDONLY | O_CLOEXEC);
	for (uint32_t i = 0; i < target->gc_site_count; i++) {
		const struct gc_site *site = &target->gc_sites[i];
		uint8_t in_file[4], in_memory[4];

		ends += site->end;
		assert_int_equal(pread(fd, in_file, sizeof(in_file), (off_t)site->offset),
				 sizeof(in_file));
		assert_int_equal(memory_read(child.pid, site->vaddr + target->image_bias, in_memory,
					     sizeof(in_memory)),
				 0);
		without_probes(in_memory, in_file, sizeof(in_file));
		assert_memory_equal(in_file, in_memory, sizeof(in_file));
		if (!site->semaphore)
			continue;
#if defined(__x86_64__)
		assert_int_equal(in_file[0], 0x90); /* a probe point is a nop */
#endif
		assert_int_equal(pread(fd, in_file, 2, (off_t)site->semaphore), 2);
		assert_memory_equal(in_file, "\0\0", 2);
		assert_true(site->end || site->generation_register >= -1 ||
			    site->generation_base >= 0);
	}
	close(fd);
	assert_true(ends && ends < target->gc_site_count);
}

static void every_python_says_where_its_collector_works(void **state)
{
	for_each_python(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX, collector_found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_and_code_objects_lie_where_the_layout_says),
		cmocka_unit_test(the_threads_that_run_a_loop_are_reported),
		cmocka_unit_test(a_loop_of_before_the_fork_does_not_run),
		cmocka_unit_test(uvloop_is_known_by_its_type),
		cmocka_unit_test(threads_have_the_names_that_python_gives_them),
		cmocka_unit_test(a_thread_in_two_interpreters_is_one),
		cmocka_unit_test(without_threading_there_are_no_names),
		cmocka_unit_test(a_collection_shows_in_the_interpreters_flag),
		cmocka_unit_test(every_python_says_where_its_collector_works),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
