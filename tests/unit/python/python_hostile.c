/* SPDX-License-Identifier: MIT */
/*
 * The python room against a process that lies. A child of this program passes for a CPython 3.9: it
 * has the runtime's section, the version's text, and functions that look like take_gil and
 * drop_gil. The test chooses the contents of its memory.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/duration.h"
#include "python/target.h"

/* Offsets of 3.9, in words of 8 bytes */
enum { RUNTIME_HEAD = 32 / 8, RUNTIME_GIL = 352 / 8, INTERP_NEXT = 0, INTERP_THREADS = 1 };
enum { TSTATE_NEXT = 1, TSTATE_INTERP = 2, TSTATE_DICT = 152 / 8, TSTATE_THREAD_ID = 176 / 8 };
enum { INTERP_MODULES = 856 / 8 };
/* … and in its GIL, which begins like this whatever the size of conditions and mutexes */
enum {
	GIL_INTERVAL,
	GIL_LAST_HOLDER,
	GIL_LOCKED,
	GIL_SWITCH_NUMBER,
	GIL_COND,
	GIL_MUTEX = GIL_COND + sizeof(pthread_cond_t) / 8
};

static uint64_t runtime[82] __attribute__((section(".PyRuntime"))) = {1};
static char version[250] = "3.9.18 (main, Jan  1 2026, 00:00:00) \n[GCC 12.2.0]";
static uint64_t interpreter[128], tstate[40];
static uint32_t pthread_block[512]; /* the target of a pthread_t */

static pthread_cond_t cond, switch_cond;
static pthread_mutex_t mutex;

int looks_like_timedwait(pthread_cond_t *on, const struct timespec *until);
int looks_like_take_gil(const struct timespec *until);
void looks_like_drop_gil(void);

/* A function of its own, as where nothing is inlined. take_gil must not wait by a tail call. */
__attribute__((noinline)) int looks_like_timedwait(pthread_cond_t *on, const struct timespec *until)
{
	return pthread_cond_timedwait(on, &mutex, until) == ETIMEDOUT;
}

__attribute__((noinline)) int looks_like_take_gil(const struct timespec *until)
{
	int ret = looks_like_timedwait(&cond, until);

	pthread_cond_signal(&switch_cond);
	return ret + pthread_mutex_unlock(&mutex);
}

__attribute__((noinline)) void looks_like_drop_gil(void)
{
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&mutex);
}

/* A GIL held by the only thread state of the only interpreter. */
static void honest_memory(void)
{
	uint64_t *gil = runtime + RUNTIME_GIL, self = (uintptr_t)pthread_block;

	memset(runtime, 0, sizeof(runtime));
	memset(interpreter, 0, sizeof(interpreter));
	memset(tstate, 0, sizeof(tstate));
	memset(pthread_block, 0, sizeof(pthread_block));
	runtime[RUNTIME_HEAD] = (uintptr_t)interpreter;
	interpreter[INTERP_THREADS] = (uintptr_t)tstate;
	tstate[TSTATE_INTERP] = (uintptr_t)interpreter;
	tstate[TSTATE_THREAD_ID] = (uintptr_t)pthread_block;
	memcpy(pthread_block, &self, sizeof(self)); /* like the begin of libc's structure */
	gil[GIL_INTERVAL] = 5000;
	gil[GIL_LAST_HOLDER] = (uintptr_t)tstate;
	gil[GIL_LOCKED] = 1;
}

static void *second_thread(void *arg)
{
	*(uint32_t *)arg = (uint32_t)syscall(SYS_gettid);
	pause();
	return NULL;
}

static void child_kill(pid_t *pid)
{
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
}

/* Starts the liar with the memory as it is now. `in_child` runs in it, with the tid of its second
 * thread. */
static pid_t liar(void (*in_child)(uint32_t other))
{
	char byte;
	int ready[2];
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		_Atomic uint32_t other = 0;
		pthread_t thread;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pthread_create(&thread, NULL, second_thread, (void *)&other);
		while (!other)
			usleep(100);
		if (in_child)
			in_child(other);
		if (write(ready[1], version, 1) == 1)
			pause();
		looks_like_take_gil(NULL);
		looks_like_drop_gil();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

struct seen {
	uint32_t observed, holder, python, events, loops, loops_run, names;
};

static int event_see(void *ctx, const union event *event)
{
	struct seen *seen = ctx;

	seen->events++;
	if (event->hdr.type == EV_THREAD && event->hdr.flags & EVF_THREAD_PYTHON)
		seen->python++;
	if (event->hdr.type == EV_RUNS_LOOP) {
		seen->loops++;
		seen->loops_run += event->hdr.flags;
	}
	if (event->hdr.type == EV_OBSERVE) {
		seen->observed++;
		seen->holder = event->observe.holder;
		assert_int_equal(event->hdr.flags, EVF_OBSERVE_LOCKED);
	}
	return 0;
}

static int name_see(void *ctx, uint32_t tid, const char *text, uint32_t limit)
{
	((struct seen *)ctx)->names++;
	return 0;
}

/* Opens the process and takes a snapshot. This must not take long, whatever the process
 * contains. */
static int look(pid_t pid, bool *ret_proven, struct seen *ret_seen)
{
	struct stream_sink sink = {.event = event_see, .ctx = ret_seen};
	static const uint16_t gil_index[1024];
	struct diag diag = {0};
	struct target *target;
	clock_t begin = clock(); /* CPU time: the machine may be busy */
	int err = target_open(pid, &diag, &target);

	*ret_seen = (struct seen){0};
	if (!err) {
		*ret_proven = target->gil_proven;
		assert_string_equal(target->info.python, "3.9.18");
		err = target_snapshot(target, gil_index, &sink);
		assert_int_equal(err, 0);
		assert_int_equal(target_thread_names(target, name_see, ret_seen), 0);
		target_free(target);
	} else {
		assert_int_equal(diag.status, EXIT_UNSUPPORTED);
	}
	assert_true(clock() - begin < 10 * CLOCKS_PER_SEC);
	return err;
}

static void name_main(uint32_t other)
{
	pthread_block[100] = (uint32_t)getpid();
}

static void name_both(uint32_t other)
{
	pthread_block[100] = (uint32_t)getpid();
	pthread_block[200] = other;
}

static void a_holder_is_named_when_there_is_one_answer(void **state)
{
	_cleanup_(child_kill) pid_t pid = (honest_memory(), liar(name_main));
	struct seen seen;
	bool proven = false;

	assert_int_equal(look(pid, &proven, &seen), 0);
	assert_true(proven);
	assert_int_equal(seen.observed, 1);
	assert_int_equal(seen.python, 1);
	assert_int_equal(seen.holder, pid);
}

static void a_holder_is_not_named_when_there_are_two_answers(void **state)
{
	_cleanup_(child_kill) pid_t pid = (honest_memory(), liar(name_both));
	struct seen seen;
	bool proven = false;

	assert_int_equal(look(pid, &proven, &seen), 0);
	assert_int_equal(seen.observed, 1);
	assert_int_equal(seen.python, 0);
	assert_int_equal(seen.holder, 0);
}

/* take_gil sets `locked` before `last_holder`, both with the mutex held. In between, the last
 * holder is the previous one. */
static void a_holder_is_not_named_while_the_gil_changes_hands(void **state)
{
	struct seen seen;
	bool proven;
	pid_t pid;

	honest_memory();
	runtime[RUNTIME_GIL + GIL_MUTEX] = 1;
	pid = liar(name_main);
	assert_int_equal(look(pid, &proven, &seen), 0);
	assert_int_equal(seen.python, 1);
	assert_int_equal(seen.observed, 1);
	assert_int_equal(seen.holder, 0);
	child_kill(&pid);
}

static int still_see(void *ctx, const struct still_stack *still)
{
	*(struct still_stack *)ctx = *still;
	return 0;
}

/* Its frame is its own caller. Whether the child already sleeps can only be found by trying. */
static void frames_that_are_a_circle_end(void **state)
{
	enum { TSTATE_FRAME = 3, FRAME_BACK = 3, FRAME_CODE = 4 };
	static uint64_t frame[64];
	static struct still_stack still;
	struct target *target;
	struct diag diag = {0};
	pid_t pid;

	honest_memory();
	frame[FRAME_BACK] = frame[FRAME_CODE] = (uintptr_t)frame;
	tstate[TSTATE_FRAME] = (uintptr_t)frame;
	pid = liar(name_main);
	assert_int_equal(target_open(pid, &diag, &target), 0);
	for (int try = 0; try < 1000 && !still.tid; try++) {
		usleep(1000);
		assert_int_equal(target_stills(target, still_see, &still), 0);
	}
	assert_int_equal(still.tid, pid);
	assert_int_equal(still.frames.count, PYTHON_FRAMES_MAX);
	assert_true(still.frames.cut);
	assert_int_equal(still.frames.list[0].code, (uintptr_t)frame);
	target_free(target);
	child_kill(&pid);
}

static void lists_that_are_circles_end(void **state)
{
	struct seen seen;
	bool proven;
	pid_t pid;

	honest_memory();
	interpreter[INTERP_NEXT] = (uintptr_t)interpreter;
	tstate[TSTATE_NEXT] = (uintptr_t)tstate;
	pid = liar(NULL);
	assert_int_equal(look(pid, &proven, &seen), 0);
	assert_int_equal(seen.observed, 1);
	child_kill(&pid);
}

static void pointers_to_nowhere_are_no_harm(void **state)
{
	void *closed = mmap(NULL, 1 << 16, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const uint64_t nowhere[] = {8, (uintptr_t)closed, UINT64_C(0x8000000000000000),
				    UINT64_MAX - 8, UINT64_MAX};

	mprotect(closed, 1 << 16, PROT_NONE);
	for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
		uint64_t *const places[] = {
			&interpreter[INTERP_NEXT], &interpreter[INTERP_THREADS],
			&tstate[TSTATE_NEXT],	   &tstate[TSTATE_THREAD_ID],
			&tstate[TSTATE_INTERP],	   &runtime[RUNTIME_GIL + GIL_LAST_HOLDER],
			&runtime[RUNTIME_HEAD]};

		for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
			struct seen seen;
			bool proven;
			pid_t pid;
			int err;

			honest_memory();
			*places[p] = nowhere[i];
			pid = liar(NULL);
			err = look(pid, &proven, &seen);
			child_kill(&pid);
			assert_int_equal(seen.holder, 0);
			if (places[p] == &runtime[RUNTIME_HEAD])
				assert_int_equal(err, -ENOTSUP);
			else
				assert_int_equal(err, 0);
		}
	}
}

/* Python 3.9's objects: the parts that are read */
struct str {
	uint64_t references, type, length, hash, state, wstr;
	char text[40];
};

static uint64_t str_type[40] = {[21] = 1 << 28}, int_type[40] = {[21] = 1 << 24},
		dict_type[40] = {[21] = 1 << 29};
static uint64_t holder_type[40] = {0, 0, 0, (uintptr_t)"_RunningLoopHolder"},
		loop_type[40] = {0, 0, 0, (uintptr_t)"Loop"};
static uint64_t holder[4], loop[2], module[3], thread_type[40] = {[36] = 16}, thread_object[3];
static uint64_t integer[4];
static struct str text_key, text_name;
static uint64_t text_dicts[5][6], text_keys[5][6 + 3];

static uint64_t text(struct str *str, const char *text)
{
	*str = (struct str){.type = (uintptr_t)str_type,
			    .length = strlen(text),
			    .state = 1 << 2 | 1 << 5 | 1 << 6};
	memcpy(str->text, text, strlen(text));
	return (uintptr_t)str;
}

/* A dict with one item. */
static uint64_t dict(int index, uint64_t key, uint64_t value)
{
	uint64_t keys[] = {1, 8, 0, 0, 1, 0, 0, key, value};

	memcpy(text_keys[index], keys, sizeof(keys));
	memcpy(text_dicts[index],
	       (uint64_t[]){1, (uintptr_t)dict_type, 1, 1, (uintptr_t)text_keys[index], 0},
	       sizeof(text_dicts[index]));
	return (uintptr_t)text_dicts[index];
}

/* An honest Python 3.9 with one thread, which has a name and runs a loop of unknown kind. The words
 * that lead to these are returned, so that the test can corrupt them. */
static void honest_objects(void)
{
	static struct str names[5];
	uint64_t ident = (uintptr_t)pthread_block;

	honest_memory();
	memcpy(holder, (uint64_t[]){1, (uintptr_t)holder_type, (uintptr_t)loop, 0}, sizeof(holder));
	tstate[TSTATE_DICT] = dict(0, text(&names[0], "__asyncio_running_event_loop__"),
				   (uintptr_t)holder);
	memcpy(integer,
	       (uint64_t[]){1, (uintptr_t)int_type, ident >> 30 ? 2 : 1,
			    (ident & 0x3fffffff) | ident >> 30 << 32},
	       sizeof(integer));
	loop[1] = (uintptr_t)loop_type;
	thread_object[1] = (uintptr_t)thread_type;
	thread_object[2] = dict(1, text(&text_key, "_name"), text(&text_name, "worker"));
	module[2] = dict(3, text(&names[2], "_active"),
			 dict(2, (uintptr_t)integer, (uintptr_t)thread_object));
	interpreter[INTERP_MODULES] = dict(4, text(&names[3], "threading"), (uintptr_t)module);
}

static void name_objects(uint32_t other)
{
	name_main(other);
	memcpy(&holder[3], &(uint32_t){(uint32_t)getpid()}, 4);
}

static void an_honest_process_shows_its_loop_and_name(void **state)
{
	struct seen seen;
	bool proven;
	pid_t pid;

	honest_objects();
	pid = liar(name_objects);
	assert_int_equal(look(pid, &proven, &seen), 0);
	child_kill(&pid);
	assert_int_equal(seen.loops_run, 1);
	assert_int_equal(seen.names, 1);
	/* the PID of before the fork */
	honest_objects();
	pid = liar(name_main);
	assert_int_equal(look(pid, &proven, &seen), 0);
	child_kill(&pid);
	assert_int_equal(seen.loops_run, 0);
	/* no dict yet */
	honest_objects();
	tstate[TSTATE_DICT] = 0;
	pid = liar(name_objects);
	assert_int_equal(look(pid, &proven, &seen), 0);
	child_kill(&pid);
	assert_int_equal(seen.loops_run, 0);
}

/* The words that lead to the loop, and to the name. If one of these is corrupt, that one is not
 * reported, and the other still is. */
static void invalid_objects_yield_nothing(void **state)
{
	uint64_t *const to_loop[] = {
		&tstate[TSTATE_DICT], &text_keys[0][8], &text_dicts[0][1], &text_dicts[0][4],
		&holder[1],	      &holder[2],	&loop[1]};
	uint64_t *const to_name[] = {&interpreter[INTERP_MODULES],
				     &text_keys[4][8],
				     &text_dicts[4][4],
				     &module[2],
				     &text_keys[3][8],
				     &text_keys[2][7],
				     &text_keys[2][8],
				     &thread_object[1],
				     &thread_object[2],
				     &text_keys[1][8],
				     &text_name.type,
				     &integer[1]};
	static uint64_t zeros[128], garbage[128];
	const uint64_t wrong[] = {8, (uintptr_t)zeros, (uintptr_t)garbage, UINT64_MAX - 7};
	size_t loops = sizeof(to_loop) / sizeof(to_loop[0]),
	       names = sizeof(to_name) / sizeof(to_name[0]);

	memset(garbage, 0x80, sizeof(garbage));
	for (size_t i = 0; i < (loops + names) * 4; i++) {
		size_t place = i / 4;
		struct seen seen;
		bool proven;
		pid_t pid;

		honest_objects();
		*(place < loops ? to_loop[place] : to_name[place - loops]) = wrong[i % 4];
		pid = liar(name_objects);
		assert_int_equal(look(pid, &proven, &seen), 0);
		child_kill(&pid);
		assert_int_equal(seen.loops_run, place < loops ? 0 : 1);
		assert_int_equal(seen.names, place < loops ? 1 : 0);
	}
}

static void objects_that_are_circles_end(void **state)
{
	struct seen seen;
	bool proven;
	pid_t pid;

	honest_objects();
	/* every dict leads to itself; a thread has endless states; a type derives from itself */
	for (int i = 1; i < 5; i++)
		text_keys[i][8] = (uintptr_t)text_dicts[i];
	tstate[TSTATE_NEXT] = (uintptr_t)tstate;
	loop_type[32] = (uintptr_t)loop_type;
	pid = liar(name_objects);
	assert_int_equal(look(pid, &proven, &seen), 0);
	child_kill(&pid);
	loop_type[32] = 0;
	assert_int_equal(seen.names, 0);
	assert_true(seen.loops <= 1);
	/* the largest number of keys, all alike */
	honest_objects();
	text_keys[4][1] = text_keys[4][4] = 1 << 15;
	pid = liar(name_objects);
	assert_int_equal(look(pid, &proven, &seen), 0);
	child_kill(&pid);
}

static void what_does_not_look_like_a_gil_is_refused(void **state)
{
	static const struct {
		unsigned int word;
		uint64_t value;
		int err;
	} spoilt[] = {
		{GIL_LOCKED, 2, -ENOTSUP},
		{GIL_LOCKED, UINT32_MAX, -EAGAIN}, /* -1: not created yet */
		{GIL_INTERVAL, UINT64_MAX, -ENOTSUP},
		{GIL_SWITCH_NUMBER, UINT64_MAX, -ENOTSUP},
	};

	for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		struct seen seen;
		bool proven;
		pid_t pid;

		honest_memory();
		runtime[RUNTIME_GIL + spoilt[i].word] = spoilt[i].value;
		pid = liar(NULL);
		assert_int_equal(look(pid, &proven, &seen), spoilt[i].err);
		child_kill(&pid);
	}
}

static void the_proof_needs_exactly_one_place_and_the_right_one(void **state)
{
	uint64_t *gil = runtime + RUNTIME_GIL, *other = runtime + 10;
	struct seen seen;
	bool proven = true;
	pid_t pid;

	/* a second one elsewhere: either could be the right one */
	honest_memory();
	memcpy(other, gil, 32);
	pid = liar(NULL);
	assert_int_equal(look(pid, &proven, &seen), 0);
	assert_false(proven);
	child_kill(&pid);
	/* none at all, since the program changed its switch interval */
	honest_memory();
	gil[GIL_INTERVAL] = 1000;
	proven = true;
	pid = liar(NULL);
	assert_int_equal(look(pid, &proven, &seen), 0);
	assert_false(proven);
	child_kill(&pid);
	/* only elsewhere: the row of this version is wrong */
	honest_memory();
	memcpy(other, gil, 32);
	gil[GIL_INTERVAL] = 1;
	pid = liar(NULL);
	assert_int_equal(look(pid, &proven, &seen), -ENOTSUP);
	child_kill(&pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_holder_is_named_when_there_is_one_answer),
		cmocka_unit_test(a_holder_is_not_named_when_there_are_two_answers),
		cmocka_unit_test(a_holder_is_not_named_while_the_gil_changes_hands),
		cmocka_unit_test(frames_that_are_a_circle_end),
		cmocka_unit_test(lists_that_are_circles_end),
		cmocka_unit_test(pointers_to_nowhere_are_no_harm),
		cmocka_unit_test(an_honest_process_shows_its_loop_and_name),
		cmocka_unit_test(invalid_objects_yield_nothing),
		cmocka_unit_test(objects_that_are_circles_end),
		cmocka_unit_test(what_does_not_look_like_a_gil_is_refused),
		cmocka_unit_test(the_proof_needs_exactly_one_place_and_the_right_one),
	};

	return cmocka_run_group_tests_name("target_hostile", tests, NULL, NULL);
}
