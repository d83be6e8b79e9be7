/* SPDX-License-Identifier: MIT */
/* Work in a child process: the result, what is closed in the child, and that a child that sleeps is
 * given up. */
#include "tests/unit/python/python_child.h"

#include "python/process/bounded.h"

static int answers(void *ctx, int line)
{
	static char many[100000];
	int ends[2], err;

	if (!bounded_inside() || pipe(ends) || write(ends[1], ctx, 5) != 5)
		return -EIO;
	memset(many, 'x', sizeof(many));
	err = bounded_send(line, many, sizeof(many));
	return err ? err : bounded_send_fd(line, ends[0]);
}

static void what_the_work_says_comes_back(void **state)
{
	struct bounded_answer answer;
	char text[6] = "";

	assert_false(bounded_inside());
	assert_int_equal(bounded_run(answers, "hello", NULL, 0, &answer), 0);
	assert_int_equal(answer.err, 0);
	assert_int_equal(answer.length, 100000);
	assert_int_equal(answer.bytes[99999], 'x');
	assert_int_equal(answer.fd_count, 1);
	assert_int_equal(read(answer.fds[0], text, 5), 5);
	assert_string_equal(text, "hello");
	assert_true(fcntl(answer.fds[0], F_GETFD) & FD_CLOEXEC);
	bounded_answer_done(&answer);
}

/* A bit for each of the named descriptors, from the lowest: 1 if it is open. */
static int looks(void *ctx, int line)
{
	const int *fds = ctx;
	int open = 0;

	for (int i = 0; fds[i] >= 0; i++)
		open |= (fcntl(fds[i], F_GETFD) >= 0) << i;
	return open;
}

static void nothing_stays_open_but_what_is_to_be_kept(void **state)
{
	struct bounded_answer answer;
	int fds[7];

	for (int i = 0; i < 6; i++)
		fds[i] = open("/dev/null", O_RDONLY);
	fds[6] = -1;
	assert_int_equal(bounded_run(looks, fds, (int[]){fds[4], fds[1], -1}, 3, &answer), 0);
	assert_int_equal(answer.err, 1 << 4 | 1 << 1);
	bounded_answer_done(&answer);
	for (int i = 0; i < 6; i++)
		close(fds[i]);
}

static int crashes(void *ctx, int line)
{
	raise(SIGKILL);
	return 0;
}

static int sleeps(void *ctx, int line)
{
	bounded_at("a place");
	while (pause() < 0)
		;
	return 0;
}

static void a_child_that_does_not_return_is_given_up(void **state)
{
	struct bounded_answer answer;
	uint64_t begun = clock_now_ns();

	assert_int_equal(bounded_run(crashes, NULL, NULL, 0, &answer), -ECHILD);
	bounded_answer_done(&answer);
	alarm(60);
	assert_int_equal(bounded_run(sleeps, NULL, NULL, 0, &answer), -ETIMEDOUT);
	assert_string_equal(answer.at, "a place");
	assert_true(clock_now_ns() - begun >= BOUNDED_WAIT_S * NS_PER_S);
	/* It was killed, or this would never end; without a CPU it was perhaps not reaped yet. */
	while (waitpid(-1, NULL, 0) > 0)
		;
	alarm(0);
	bounded_answer_done(&answer);
}

static int computes(void *ctx, int line)
{
	for (uint64_t until = clock_now_ns() + (BOUNDED_WAIT_S + 2) * NS_PER_S;
	     clock_now_ns() < until;)
		;
	return 7;
}

/* Under a quota of CPU time a little work takes long. */
static void a_child_that_works_is_waited_for(void **state)
{
	struct bounded_answer answer;

	assert_int_equal(bounded_run(computes, NULL, NULL, 0, &answer), 0);
	assert_int_equal(answer.err, 7);
	bounded_answer_done(&answer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_work_says_comes_back),
		cmocka_unit_test(nothing_stays_open_but_what_is_to_be_kept),
		cmocka_unit_test(a_child_that_does_not_return_is_given_up),
		cmocka_unit_test(a_child_that_works_is_waited_for),
	};

	return cmocka_run_group_tests_name("target_bounded", tests, NULL, NULL);
}
