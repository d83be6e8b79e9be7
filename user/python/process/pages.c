/* SPDX-License-Identifier: MIT */
#include "python/process/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "base/interrupt.h"
#include "python/process/bounded.h"
#include "python/process/proc.h"

/* ── time ────────────────────────────────────────────────────────────────── */

static uint64_t until_ns; /* of our CPU time; 0: no limit */

void pages_allow(uint64_t cpu_ns)
{
	until_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + cpu_ns;
}

bool pages_over(void)
{
	static uint64_t over_ns;

	if (!interrupted())
		return false;
	if (!over_ns)
		over_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) + PAGES_ALLOW_END_NS;
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID) >= over_ns;
}

static bool is_allowed(void)
{
	return !pages_over() && (!until_ns || clock_ns(CLOCK_PROCESS_CPUTIME_ID) < until_ns);
}

/* ── page map ────────────────────────────────────────────────────────────── */

#define MAP_PRESENT (UINT64_C(1) << 63)
#define MAP_SWAPPED (UINT64_C(1) << 62)
#define MAP_UFFD_WP                                                                                \
	(UINT64_C(1)                                                                               \
	 << 57) /* with MAP_SWAPPED also of a page that was never there (PTE_MARKER_UFFD_WP) */
enum { MAP_AT_ONCE = 512 };

/* The page map read last stays open, for reads of a process come by the thousand. It ends with the
 * address space that it was opened for. */
static struct {
	pid_t pid;
	int fd;
} last = {.fd = -1};

static int map_open(pid_t pid)
{
	char path[64];

	if (last.fd >= 0)
		close(last.fd);
	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	last.pid = pid;
	last.fd = open(path, O_RDONLY | O_CLOEXEC);
	return last.fd;
}

void pages_forget(void)
{
	last.fd = -1;
}

/* The number of entries read; 0: there is no page map of the process, or of these addresses. */
static size_t map_read(pid_t pid, uint64_t page, size_t count, uint64_t *entries)
{
	for (int try = last.fd >= 0 && last.pid == pid ? 0 : 1; try < 2; try++) {
		ssize_t got;

		if (try && map_open(pid) < 0)
			return 0;
		got = pread(last.fd, entries, count * sizeof(*entries),
			    (off_t)(page * sizeof(*entries)));
		if (got > 0)
			return (size_t)got / sizeof(*entries);
	}
	return 0;
}

static bool is_there(uint64_t entry)
{
	return entry & MAP_PRESENT || (entry & MAP_SWAPPED && !(entry & MAP_UFFD_WP));
}

static uint64_t unread;

uint64_t pages_unread(void)
{
	return unread;
}

/* ── file systems ────────────────────────────────────────────────────────── */

enum filesystem { FS_UNKNOWN, FS_FINE, FS_MEMORY, FS_REMOTE, FS_WAITS };

static bool same_user_namespace(pid_t pid)
{
	struct stat ours, theirs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	return !stat("/proc/self/ns/user", &ours) && !stat(path, &theirs) &&
	       ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

static enum filesystem filesystem_named(const char *name, pid_t pid)
{
	static const char *const in_memory[] = {"tmpfs", "devtmpfs", "ramfs", "rootfs",
						"hugetlbfs"};
	static const char *const remote[] = {"nfs",  "nfs4", "cifs",   "smb3", "9p",   "virtiofs",
					     "ceph", "afs",  "lustre", "gfs2", "ocfs2"};

	if (!strcmp(name, "fuse") || !strncmp(name, "fuse.", 5) || !strcmp(name, "fuseblk"))
		return FS_WAITS;
	if (!strcmp(name, "overlay"))
		return same_user_namespace(pid) ? FS_FINE : FS_WAITS;
	for (size_t i = 0; i < sizeof(in_memory) / sizeof(in_memory[0]); i++)
		if (!strcmp(name, in_memory[i]))
			return FS_MEMORY;
	for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
		if (!strcmp(name, remote[i]))
			return FS_REMOTE;
	return FS_FINE;
}

/* Files of these have device numbers by subvolume, which the table of mounts does not show. */
static bool has_devices_of_its_own(const char *name)
{
	return !strcmp(name, "btrfs") || !strcmp(name, "bcachefs");
}

static enum filesystem filesystem_in(const char *path, pid_t pid, uint64_t device)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	_cleanup_(freep) char *line = NULL;
	enum filesystem found = FS_UNKNOWN;
	size_t size = 0;

	/* 36 35 98:0 /root /mount options [fields…] - type source options */
	while (file && getline(&line, &size, file) > 0) {
		const char *behind = strstr(line, " - ");
		unsigned int major, minor;
		char name[64];

		if (!behind || sscanf(line, "%*d %*d %u:%u", &major, &minor) != 2 ||
		    sscanf(behind, " - %63s", name) != 1)
			continue;
		if (makedev(major, minor) == device)
			return filesystem_named(name, pid);
		if (!major(device) && has_devices_of_its_own(name))
			found = FS_FINE;
	}
	return found;
}

/*
 * Each process's table has only the mounts below its root directory (fs/proc_namespace.c,
 * show_mountinfo). A process in a chroot whose root is no mount point does not see the file system
 * that its own program is on, and no more do we, if we run there, too; the first process does.
 */
static enum filesystem filesystem_of(pid_t pid, uint64_t device)
{
	char theirs[64];
	const char *const tables[] = {theirs, "/proc/self/mountinfo", "/proc/1/mountinfo"};
	enum filesystem found = FS_UNKNOWN;

	snprintf(theirs, sizeof(theirs), "/proc/%d/mountinfo", pid);
	for (size_t i = 0; !found && i < sizeof(tables) / sizeof(tables[0]); i++)
		found = filesystem_in(tables[i], pid, device);
	return found;
}

bool pages_file_answers(pid_t pid, uint64_t device)
{
	enum filesystem found = filesystem_of(pid, device);

	if (found == FS_FINE || found == FS_MEMORY)
		return true;
	unread++;
	return false;
}

/* ── what is absent ──────────────────────────────────────────────────────── */

/* Registered with a userfaultfd: missing pages, minor faults or write-protection
 * (fs/proc/task_mmu.c, show_smap_vma_flags). */
static bool is_registered(pid_t pid, uint64_t start)
{
	_cleanup_(fclosep) FILE *file = NULL;
	_cleanup_(freep) char *line = NULL;
	bool inside = false;
	size_t size = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	file = fopen(path, "re");
	while (file && getline(&line, &size, file) > 0) {
		uint64_t from;
		char dash;

		if (sscanf(line, "%" SCNx64 "%c", &from, &dash) == 2 && dash == '-')
			inside = from == start;
		if (inside && !strncmp(line, "VmFlags:", 8))
			return strstr(line, " um") || strstr(line, " ui") || strstr(line, " uw");
	}
	return true; /* not to be found out */
}

static enum page absent(pid_t pid, const struct mapping *mapping)
{
	if (!mapping->readable)
		return PAGE_WAITS;
	if (!mapping->inode)
		return PAGE_ZERO;
	switch (filesystem_of(pid, mapping->device)) {
	case FS_FINE:
	case FS_REMOTE:
		return PAGE_READ;
	case FS_MEMORY:
		return is_registered(pid, mapping->start) ? PAGE_WAITS : PAGE_READ;
	default:
		return bounded_inside() ? PAGE_READ : PAGE_WAITS;
	}
}

static void find_mapping(pid_t pid, uint64_t address, struct pages_seen *seen)
{
	_cleanup_(mappings_done) struct mappings mappings = {0};

	*seen = (struct pages_seen){0, UINT64_MAX, PAGE_WAITS,
				    is_allowed() ? mappings_read(pid, &mappings) : -ETIME};
	if (seen->err)
		return;
	seen->err = -EFAULT;
	for (size_t i = 0; i < mappings.count; i++) {
		const struct mapping *mapping = &mappings.list[i];

		if (address >= mapping->end) {
			seen->start = mapping->end;
			continue;
		}
		if (address < mapping->start) { /* between two */
			seen->end = mapping->start;
			return;
		}
		*seen = (struct pages_seen){mapping->start, mapping->end, absent(pid, mapping),
					    mapping->readable ? -EBUSY : -EFAULT};
		return;
	}
}

/* ── both ────────────────────────────────────────────────────────────────── */

/* Without a mapping that would be the next one's, too. */
static enum page waits(struct pages_seen *seen, int err)
{
	*seen = (struct pages_seen){.page = PAGE_WAITS, .err = err};
	return PAGE_WAITS;
}

enum page pages_look(pid_t pid, uint64_t address, size_t length, struct pages_seen *seen,
		     size_t *ret_length)
{
	enum { LOOKS = 32 }; /* time is asked for now and then */
	static unsigned int looks;
	const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t entries[MAP_AT_ONCE], first = address / page_bytes, end = address + length, until;
	size_t wanted = length ? (end - 1) / page_bytes - first + 1 : 1, got, same = 1;

	*ret_length = length;
	if (end < address)
		return waits(seen, -EFAULT);
	if (++looks % LOOKS == 0 && !is_allowed()) {
		unread++;
		return waits(seen, -ETIME);
	}
	got = map_read(pid, first, wanted < MAP_AT_ONCE ? wanted : MAP_AT_ONCE, entries);
	if (!got)
		return last.fd < 0 ? PAGE_READ : waits(seen, -EFAULT);
	while (same < got && is_there(entries[same]) == is_there(entries[0]))
		same++;
	until = (first + same) * page_bytes;
	if (!is_there(entries[0])) {
		if (address < seen->start || address >= seen->end)
			find_mapping(pid, address, seen);
		unread += seen->page == PAGE_WAITS && seen->err != -EFAULT;
		if (seen->end < until)
			until = seen->end;
	}
	if (until - address < length)
		*ret_length = until - address;
	return is_there(entries[0]) ? PAGE_READ : seen->page;
}

bool pages_answer(pid_t pid, uint64_t address, size_t length, struct pages_seen *seen)
{
	while (length) {
		size_t here;

		if (pages_look(pid, address, length, seen, &here) != PAGE_READ)
			return false;
		address += here;
		length -= here;
	}
	return true;
}
