/* SPDX-License-Identifier: MIT */
/* Memory whose pages another process must supply, and does not. A read of it sleeps until an alarm
 * kills the child. */
#include "tests/unit/python/python_child.h"

#include <inttypes.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/interrupt.h"
#include "python/image.h"
#include "python/process/memory.h"
#include "python/process/pages.h"
#include "python/process/proc.h"

/* Maps pages of several kinds, prints their addresses, and exits when its standard input is
 * closed. */
static const char *const SCRIPT =
	"import ctypes, errno, fcntl, os, struct, sys, threading\n"
	"libc = ctypes.CDLL(None, use_errno=True)\n"
	"libc.mmap.restype = ctypes.c_void_p\n"
	"libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, "
	"ctypes.c_int, ctypes.c_long]\n"
	"def uffd():\n" /* missing pages of a shared mapping wait for the owner of the userfaultfd
			 */
	"    fd = libc.syscall(323 if os.uname().machine == 'x86_64' else 282, os.O_CLOEXEC | "
	"os.O_NONBLOCK)\n"
	"    if fd < 0: return 0\n"
	"    fcntl.ioctl(fd, 0xc018aa3f, struct.pack('QQQ', 0xAA, 0, 0))\n"
	"    p = libc.mmap(None, 8192, 3, 0x22, -1, 0)\n"
	"    fcntl.ioctl(fd, 0xc020aa00, struct.pack('QQQQ', p, 8192, 1, 0))\n"
	"    return p\n"
	"def fuse():\n" /* a file system with one file, whose contents are never sent */
	"    try: fd = os.open('/dev/fuse', os.O_RDWR)\n"
	"    except OSError: return 0\n"
	"    if libc.mount(b'never', d.encode(), b'fuse', 0, "
	"b'fd=%d,rootmode=40000,user_id=0,group_id=0' % fd): return 0\n"
	"    def attr(ino, mode, size): return struct.pack('<QQQQQQIIIIIIIIII', ino, size, 8, 0, "
	"0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)\n"
	"    def serve():\n"
	"        while True:\n"
	"            try: q = os.read(fd, 1 << 17)\n"
	"            except OSError: return\n"
	"            _, op, uniq, node = struct.unpack_from('<IIQQ', q)\n"
	"            def reply(b=b'', e=0): os.write(fd, struct.pack('<IiQ', 16 + len(b), e, uniq) "
	"+ b)\n"
	"            if op == 26: reply(struct.pack('<IIIIHHIIHHIIIHHI', 7, 31, 65536, 0, 16, 12, "
	"65536, 1, 256, 0, 0, 0, 0, 0, 0, 0).ljust(64, b'\\0')[:64])\n"
	"            elif op == 1: reply(struct.pack('<QQQQII', 2, 0, 3600, 3600, 0, 0) + attr(2, "
	"0o100755, 8192))\n"
	"            elif op == 3: reply(struct.pack('<QII', 3600, 0, 0) + (attr(1, 0o40755, 0) if "
	"node == 1 else attr(2, 0o100755, 8192)))\n"
	"            elif op in (14, 27): reply(struct.pack('<QII', 1, 0, 0))\n"
	"            elif op not in (2, 15, 36, 42): reply(e=-errno.ENOSYS)\n"
	"    threading.Thread(target=serve, daemon=True).start()\n"
	"    f = os.open(d + '/f', os.O_RDONLY)\n"
	"    p = libc.mmap(None, 8192, 1, 2, f, 0)\n"
	"    os.close(f)\n" /* closed now: at exit the process would wait for itself */
	"    return p\n"
	"d = sys.argv[1]\n"
	"touched = libc.mmap(None, 8192, 3, 0x22, -1, 0)\n"
	"ctypes.c_uint64.from_address(touched + 4088).value = 7\n" /* its first page only */
	"print(touched, uffd(), fuse(), flush=True)\n"
	"sys.stdin.read()\n";

/* After its server has exited, since then the file system gets no requests. */
static void mount_done(char (*directory)[sizeof("/tmp/gilscope-pages.XXXXXX")])
{
	umount2(*directory, MNT_DETACH);
	rmdir(*directory);
}

static pid_t server;

static void on_alarm(int signal)
{
	kill(server, SIGKILL);
}

/* Only a child that can be given up may open it (python/process/bounded.h). */
static void assert_file_is_not_opened(pid_t pid, uint64_t address)
{
	_cleanup_(mappings_done) struct mappings mappings = {0};
	struct elf_budget budget = {ELF_BUDGET_BYTES};
	struct image image;
	size_t i = 0;

	assert_int_equal(mappings_read(pid, &mappings), 0);
	while (i < mappings.count && mappings.list[i].start != address)
		i++;
	assert_true(i < mappings.count);
	assert_int_equal(image_open(pid, &mappings.list[i], &budget, &image), -EWOULDBLOCK);
}

static void only_memory_that_needs_no_other_process_is_read(void **state)
{
	_cleanup_(mount_done) char directory[] = "/tmp/gilscope-pages.XXXXXX";
	_cleanup_(child_kill) struct child child = {0};
	uint64_t touched, waiting[2], value, words[3], unread;
	char arguments[64];

	assert_non_null(mkdtemp(directory));
	child = spawn(DEBIAN_PYTHON,
		      (char *[]){DEBIAN_PYTHON, "-c", (char *)SCRIPT, directory, NULL}, NULL);
	assert_int_equal(sscanf(line_of(&child), "%" SCNu64 " %" SCNu64 " %" SCNu64, &touched,
				&waiting[0], &waiting[1]),
			 3);
	server = child.pid;
	signal(SIGALRM, on_alarm);
	alarm(20);
	assert_int_equal(memory_read(child.pid, touched + 4088, words, 16), 0);
	assert_int_equal(words[0], 7);
	assert_int_equal(words[1], 0);
	unread = pages_unread();
	assert_int_equal(memory_read_u64(child.pid, 8, &value), -EFAULT);
	assert_int_equal(pages_unread(), unread); /* nothing is mapped there */
	assert_int_equal(proc_cmdline(child.pid, arguments, sizeof(arguments)), 0);
	assert_memory_equal(arguments, DEBIAN_PYTHON " -c ", sizeof(DEBIAN_PYTHON " -c ") - 1);
	/* private memory that was never touched is zeros, even with a userfaultfd */
	if (waiting[0]) {
		assert_int_equal(memory_read_u64(child.pid, waiting[0], &value), 0);
		assert_int_equal(value, 0);
	}
	if (!waiting[1]) {
		print_message("           no FUSE file system can be mounted here\n");
		skip();
	}
	assert_int_equal(memory_read_u64(child.pid, waiting[1], &value), -EBUSY);
	assert_int_equal(pages_unread(), unread + 1);
	memory_read_each(child.pid, (uint64_t[]){touched + 4088, waiting[1], touched + 4088}, 3,
			 words, sizeof(words[0]));
	assert_int_equal(words[0], 7);
	assert_int_equal(words[1], 0);
	assert_int_equal(words[2], 7);
	unread = pages_unread();
	assert_file_is_not_opened(child.pid, waiting[1]);
	assert_int_equal(pages_unread(), unread + 1);
	alarm(0);
}

/* Maps a file without reading it. */
static const char *const MAPS_FILE = "import ctypes, os, sys\n"
				     "libc = ctypes.CDLL(None)\n"
				     "libc.mmap.restype = ctypes.c_void_p\n"
				     "f = os.open(sys.argv[1] + '/file', os.O_RDWR | os.O_CREAT)\n"
				     "os.write(f, b'12345678' * 1024)\n"
				     "os.chroot(sys.argv[1])\n"
				     "print(libc.mmap(None, 8192, 1, 2, f, 0), flush=True)\n"
				     "sys.stdin.read()\n";

enum { NO_MOUNTS = 77, NOT_LISTED };

/* Whether the first process has the file system of the working directory: not if that was mounted
 * in a mount namespace of our own. Then no table of mounts can say what it is, and it is right that
 * its files are not read. */
static bool is_listed(void)
{
	_cleanup_(fclosep) FILE *file = fopen("/proc/1/mountinfo", "re");
	unsigned int major, minor;
	bool listed = false;
	struct stat here;
	char line[4096];

	assert_non_null(file);
	assert_int_equal(stat(".", &here), 0);
	while (fgets(line, sizeof(line), file))
		listed |= sscanf(line, "%*d %*d %u:%u", &major, &minor) == 2 &&
			  makedev(major, minor) == here.st_dev;
	return listed;
}

/* Exit status 0: the memory can be read from within that directory, which is not a mount point,
 * with nothing mounted but proc. */
static int read_inside(const char *directory, pid_t pid, uint64_t address)
{
	uint64_t value;
	bool listed;

	/* where the root is not a mount point either, mounts cannot be made private */
	if (chdir(directory) || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "proc", "proc", 0, NULL))
		return NO_MOUNTS;
	listed = is_listed();
	if (chroot("."))
		return 1;
	if (memory_read_u64(pid, address, &value))
		return listed ? 1 : NOT_LISTED;
	return memcmp(&value, "12345678", sizeof(value)) != 0;
}

static void files_of_a_root_that_is_no_mount_point_are_read(void **state)
{
	char directory[] = "/tmp/gilscope-pages.XXXXXX", file[64], proc[64];
	_cleanup_(child_kill) struct child child = {0};
	int status = -1;
	uint64_t address;
	pid_t reader;

	assert_non_null(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/file", directory);
	snprintf(proc, sizeof(proc), "%s/proc", directory);
	assert_int_equal(mkdir(proc, 0700), 0);
	child = spawn(DEBIAN_PYTHON,
		      (char *[]){DEBIAN_PYTHON, "-c", (char *)MAPS_FILE, directory, NULL}, NULL);
	if (!geteuid())
		assert_int_equal(sscanf(line_of(&child), "%" SCNu64, &address), 1);
	reader = fork();
	assert_true(reader >= 0);
	if (!reader)
		_exit(geteuid() ? NO_MOUNTS : read_inside(directory, child.pid, address));
	assert_int_equal(waitpid(reader, &status, 0), reader);
	unlink(file);
	rmdir(proc);
	rmdir(directory);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_MOUNTS) {
		print_message("           nothing can be mounted here\n");
		skip();
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_LISTED) {
		print_message("           only this mount namespace has this file system\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void a_look_may_not_take_longer_than_it_is_allowed(void **state)
{
	uint64_t value = 0, here = 5;
	bool refused = false;

	pages_allow(0);
	for (int i = 0; i < 64; i++)
		refused |= memory_read_u64(getpid(), (uintptr_t)&here, &value) == -ETIME;
	assert_true(refused);
	pages_allow(PAGES_ALLOW_OPEN_NS);
	for (int i = 0; i < 64; i++)
		assert_int_equal(memory_read_u64(getpid(), (uintptr_t)&here, &value), 0);
	assert_int_equal(value, 5);
}

/* Must be the last test, since a chroot is never undone. */
static void after_an_interrupt_little_more_is_looked_at(void **state)
{
	_cleanup_(child_kill) struct child child = python(
		DEBIAN_PYTHON, "import sys; print(1, flush=True); sys.stdin.read()");
	_cleanup_(target_freep) struct target *target = NULL;
	uint64_t value = 0, here = 5, begun;
	static struct events events;
	bool refused = false;

	line_of(&child);
	target = open_target(child.pid);
	pages_allow(UINT64_C(100) * PAGES_ALLOW_OPEN_NS);
	interrupt_raise();
	assert_false(pages_over());
	assert_int_equal(snapshot(target, &events), 0);
	assert_int_equal(memory_read_u64(getpid(), (uintptr_t)&here, &value), 0);
	for (begun = (uint64_t)clock();
	     (uint64_t)clock() - begun < 2 * PAGES_ALLOW_END_NS / (NS_PER_S / CLOCKS_PER_SEC);)
		;
	assert_true(pages_over());
	assert_int_equal(snapshot(target, &events), -EINTR);
	for (int i = 0; i < 64; i++)
		refused |= memory_read_u64(getpid(), (uintptr_t)&here, &value) == -ETIME;
	assert_true(refused);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_memory_that_needs_no_other_process_is_read),
		cmocka_unit_test(files_of_a_root_that_is_no_mount_point_are_read),
		cmocka_unit_test(a_look_may_not_take_longer_than_it_is_allowed),
		cmocka_unit_test(after_an_interrupt_little_more_is_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
