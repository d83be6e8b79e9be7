/* SPDX-License-Identifier: MIT */
/* What the python room refuses, and unusual targets that it accepts. */
#include "tests/unit/python/python_child.h"

/* Fails to open, with this status and a sentence that contains these words. */
static void assert_refused(pid_t pid, enum exit_status status, const char *words)
{
	struct diag diag = {0};
	struct target *target = NULL;

	assert_int_not_equal(target_open(pid, &diag, &target), 0);
	assert_null(target);
	assert_int_equal(diag.status, status);
	if (!strstr(diag.what, words))
		fail_msg("\"%s\" does not say \"%s\"", diag.what, words);
}

static void refused_version(const char *program)
{
	_cleanup_(child_kill) struct child child = python(
		program, "import time; print(1, flush=True); time.sleep(60)");

	char range[32];

	line_of(&child);
	snprintf(range, sizeof(range), "3.%d to 3.%d", PYTHON_MINOR_MIN, PYTHON_MINOR_MAX);
	assert_refused(child.pid, EXIT_UNSUPPORTED, range);
}

static void older_versions_are_refused_in_words(void **state)
{
	for_each_python(0, 7, refused_version);
}

static void a_process_without_python_is_refused(void **state)
{
	_cleanup_(child_kill) struct child child = spawn("/bin/sleep",
							 (char *[]){"sleep", "60", NULL}, NULL);

	usleep(50000);
	assert_refused(child.pid, EXIT_UNSUPPORTED, "is not a Python process");
}

/* A program named like PyPy, which is recognised only by its name. */
static void pypy_is_refused_by_name(void **state)
{
	char directory[] = "/tmp/gilscope-test-XXXXXX", path[64], command[128];
	struct child child;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/pypy3", directory);
	snprintf(command, sizeof(command), "cp -L /bin/sleep %s", path);
	assert_int_equal(system(command), 0);
	child = spawn(path, (char *[]){"pypy3", "60", NULL}, NULL);
	usleep(50000);
	assert_refused(child.pid, EXIT_UNSUPPORTED, "PyPy");
	child_kill(&child);
	unlink(path);
	rmdir(directory);
}

static void a_process_that_is_gone_or_ending_is_refused(void **state)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT);
	assert_refused(pid, EXIT_FAILED, "has ended");
	waitpid(pid, NULL, 0);
	assert_refused(pid, EXIT_FAILED, "does not exist");
	assert_refused(0, EXIT_FAILED, "does not exist");
	assert_refused(-1, EXIT_FAILED, "does not exist");
}

static void without_the_right_the_capability_is_named(void **state)
{
	_cleanup_(child_kill) struct child child = python(
		DEBIAN_PYTHON, "import time; print(1, flush=True); time.sleep(60)");
	pid_t pid;
	int status;

	if (geteuid() != 0) {
		print_message("           needs root\n");
		skip();
	}
	line_of(&child);
	pid = fork();
	if (pid == 0) {
		struct diag diag = {0};
		struct target *target;
		int err = setuid(65534) ? 0 : target_open(child.pid, &diag, &target);

		_exit(err == -EACCES || err == -EPERM ? diag.status == EXIT_NOT_PERMITTED &&
								strstr(diag.what, "CAP_SYS_PTRACE")
						      : 2);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 1 << 8);
}

static void a_thread_is_not_taken_for_a_process(void **state)
{
	_cleanup_(child_kill) struct child child = python(
		DEBIAN_PYTHON,
		"import threading, time\n"
		"def f(): print(threading.get_native_id(), flush=True); time.sleep(60)\n"
		"threading.Thread(target=f).start()\n");

	assert_refused(atoi(line_of(&child)), EXIT_FAILED, "a thread");
}

/* Runs a copy of the system's Python, and replaces its file while it runs. */
static void a_deleted_and_replaced_executable_is_reached(void **state)
{
	char directory[] = "/tmp/gilscope-test-XXXXXX", path[64], command[256];
	_cleanup_(target_freep) struct target *target = NULL;
	struct child child;
	FILE *file;

	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/python3", directory);
	snprintf(command, sizeof(command), "cp -L " DEBIAN_PYTHON " %s", path);
	assert_int_equal(system(command), 0);
	child = spawn(
		path,
		(char *[]){path, "-c", "import time; print(1, flush=True); time.sleep(60)", NULL},
		"/usr");
	line_of(&child);
	unlink(path);
	target = open_target(child.pid);
	assert_true(target->info.take >= 1);
	assert_int_equal(access(target->image_path, R_OK), 0);
	target_free(STEAL(target, NULL));
	file = fopen(path, "w");
	fputs("not an ELF file", file);
	fclose(file);
	target = open_target(child.pid);
	assert_true(target->info.take >= 1);
	child_kill(&child);
	unlink(path);
	rmdir(directory);
}

/* Its list of interpreters leads into a page that only a userfaultfd would supply. The page is not
 * read, and the reason given is not a modified build. */
static void memory_that_is_not_read_is_the_reason(void **state)
{
	_cleanup_(child_kill) struct child child = python(
		DEBIAN_PYTHON,
		"import ctypes, fcntl, mmap, os, struct, sys, time\n"
		"libc = ctypes.CDLL(None)\n"
		"fd = libc.syscall(323 if os.uname().machine == 'x86_64' else 282, os.O_CLOEXEC)\n"
		"try: file = os.open('/dev/shm', os.O_RDWR | os.O_TMPFILE)\n"
		"except OSError: file = -1\n"
		"if fd < 0 or file < 0: print(0, flush=True); sys.exit()\n"
		"os.ftruncate(file, 4096)\n"
		"area = mmap.mmap(file, 4096)\n"
		"page = ctypes.addressof(ctypes.c_char.from_buffer(area))\n"
		"fcntl.ioctl(fd, 0xc018aa3f, struct.pack('QQQ', 0xAA, 0, 0))\n"
		"fcntl.ioctl(fd, 0xc020aa00, struct.pack('QQQQ', page, 4096, 1, 0))\n"
		"ctypes.pythonapi.PyInterpreterState_Head.restype = ctypes.c_void_p\n"
		"head = ctypes.pythonapi.PyInterpreterState_Head()\n"
		"runtime = (ctypes.c_uint64 * 128).in_dll(ctypes.pythonapi, '_PyRuntime')\n"
		"for i in (i for i in range(128) if runtime[i] == head): runtime[i] = page\n"
		"print(1, flush=True); time.sleep(60)\n");

	if (!atoi(line_of(&child))) {
		print_message("           no userfaultfd for pages of /dev/shm\n");
		skip();
	}
	assert_refused(child.pid, EXIT_UNSUPPORTED, "a read may never return");
}

static void a_snapshot_of_a_process_that_ended_fails(void **state)
{
	struct child child = python(DEBIAN_PYTHON,
				    "import time; print(1, flush=True); time.sleep(60)");
	_cleanup_(target_freep) struct target *target = NULL;
	static struct events events;

	line_of(&child);
	target = open_target(child.pid);
	child_kill(&child);
	assert_int_equal(snapshot(target, &events), -ESRCH);
	assert_true(target_refresh_gils(target) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(older_versions_are_refused_in_words),
		cmocka_unit_test(a_process_without_python_is_refused),
		cmocka_unit_test(pypy_is_refused_by_name),
		cmocka_unit_test(a_process_that_is_gone_or_ending_is_refused),
		cmocka_unit_test(without_the_right_the_capability_is_named),
		cmocka_unit_test(a_thread_is_not_taken_for_a_process),
		cmocka_unit_test(a_deleted_and_replaced_executable_is_reached),
		cmocka_unit_test(memory_that_is_not_read_is_the_reason),
		cmocka_unit_test(a_snapshot_of_a_process_that_ended_fails),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("target_refusals", tests, NULL, NULL);
}
