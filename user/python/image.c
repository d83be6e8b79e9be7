/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/diag.h"
#include "base/escape.h"
#include "base/hash.h"
#include "python/process/bounded.h"
#include "python/image.h"
#include "python/process/pages.h"

/* Is this path, which leads through /proc, the file of the mapping? */
static bool is_file_of(const char *path, const struct mapping *mapping)
{
	struct stat stat_path;

	return stat(path, &stat_path) == 0 && S_ISREG(stat_path.st_mode) &&
	       stat_path.st_dev == mapping->device && stat_path.st_ino == mapping->inode;
}

static bool same_file(const char *a, const char *b)
{
	struct stat stat_a, stat_b;

	return stat(a, &stat_a) == 0 && stat(b, &stat_b) == 0 && S_ISREG(stat_a.st_mode) &&
	       stat_a.st_dev == stat_b.st_dev && stat_a.st_ino == stat_b.st_ino;
}

/*
 * A path that opens the mapping's file and takes uprobes, also for a deleted file: both links of
 * /proc are followed by the kernel to the inode and not to a name. map_files needs CAP_SYS_ADMIN or
 * CAP_CHECKPOINT_RESTORE (fs/proc/base.c, proc_map_files_get_link) and is the reference; without it
 * device and inode of the mapping must do (on some filesystems they differ from stat's, and then we
 * rather fail). The program's own link is followed by the reading child only: the program may lie
 * on a filesystem that never answers, and this mapping's file need not.
 */
static int path_of(pid_t pid, const struct mapping *mapping, char *to, size_t size)
{
	char map_file[96], exe[64];
	struct stat stat_map;
	bool reference;

	snprintf(map_file, sizeof(map_file), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid,
		 mapping->start, mapping->end);
	snprintf(exe, sizeof(exe), "/proc/%d/exe", pid);
	reference = stat(map_file, &stat_map) == 0;
	if (reference && !S_ISREG(stat_map.st_mode))
		return -ENOENT;
	if (bounded_inside() && (reference ? same_file(exe, map_file) : is_file_of(exe, mapping)))
		return snprintf(to, size, "%s", exe) < (int)size ? 0 : -ENAMETOOLONG;
	if (reference)
		return snprintf(to, size, "%s", map_file) < (int)size ? 0 : -ENAMETOOLONG;
	if (mapping->path[0] != '/' ||
	    snprintf(to, size, "/proc/%d/root%s", pid, mapping->path) >= (int)size)
		return -ENAMETOOLONG;
	return is_file_of(to, mapping) ? 0 : -ESTALE;
}

/* How far the process moved the ELF's addresses, from where it mapped this piece of code. */
static int bias_of(const struct elf_image *elf, const struct mapping *mapping, uint64_t *ret_bias)
{
	for (uint32_t i = 0; i < elf->load_count; i++) {
		const struct elf_load *load = &elf->loads[i];
		uint64_t length = mapping->end - mapping->start;

		/* the mapping begins at a page boundary, so perhaps before the segment */
		if (!load->executable || mapping->offset >= load->offset + load->file_size ||
		    mapping->offset + length <= load->offset)
			continue;
		*ret_bias = mapping->start - mapping->offset + load->offset - load->vaddr;
		return 0;
	}
	return -ENOEXEC;
}

/* Does this file define CPython's runtime? Before 3.7 there was none; Py_GetVersion
 * identifies these. */
static bool runtime_of(const struct elf_image *elf, uint64_t *ret_vaddr, uint64_t *ret_size)
{
	GElf_Sym symbol;

	if (elf_image_symbol(elf, SHT_DYNSYM, "_PyRuntime", &symbol) == 0) {
		*ret_vaddr = symbol.st_value;
		*ret_size = symbol.st_size;
		return true;
	}
	if (elf_image_section(elf, ".PyRuntime", ret_vaddr, ret_size) == 0)
		return true;
	*ret_vaddr = *ret_size = 0;
	return elf_image_symbol(elf, SHT_DYNSYM, "Py_GetVersion", &symbol) == 0;
}

int image_open(pid_t pid, const struct mapping *mapping, struct elf_budget *budget,
	       struct image *ret_image)
{
	_cleanup_(image_done) struct image image = {.fd = -1, .elf.fd = -1, .name = mapping->path};
	int err;

	if (!bounded_inside() && !pages_file_answers(pid, mapping->device))
		return -EWOULDBLOCK;
	bounded_at(mapping->path);
	err = path_of(pid, mapping, image.path, sizeof(image.path));
	if (err)
		return err;
	image.fd = open(image.path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (image.fd < 0)
		return -errno;
	err = elf_image_open(image.fd, budget, &image.elf);
	if (!err)
		err = bias_of(&image.elf, mapping, &image.bias);
	if (err)
		return err;
	*ret_image = STEAL(image, ((struct image){.fd = -1, .elf.fd = -1}));
	return 0;
}

/* -ENOEXEC when the mapping's file is no Python. */
static int image_try(pid_t pid, const struct mapping *mapping, struct elf_budget *budget,
		     struct image *ret_image)
{
	_cleanup_(image_done) struct image image = {.fd = -1, .elf.fd = -1};
	uint64_t vaddr;
	int err = image_open(pid, mapping, budget, &image);

	if (err)
		return err;
	if (!runtime_of(&image.elf, &vaddr, &image.runtime_size))
		return -ENOEXEC;
	image.runtime = vaddr ? vaddr + image.bias : 0;
	*ret_image = STEAL(image, ((struct image){.fd = -1, .elf.fd = -1}));
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Likely files first, for opening every library of a process takes time. */
enum rank { RANK_EXE, RANK_NAMED, RANK_OTHER, RANKS };

static enum rank rank_of(const struct mapping *mapping, const struct mapping *exe)
{
	if (exe && mapping->device == exe->device && mapping->inode == exe->inode)
		return RANK_EXE;
	return strcasestr(base_name(mapping->path), "python") ? RANK_NAMED : RANK_OTHER;
}

/* The executable's own code: the mapping whose path is what /proc/PID/exe says. */
static const struct mapping *exe_mapping(pid_t pid, const struct mappings *mappings)
{
	char path[64], target[4096];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return NULL;
	target[length] = 0;
	for (size_t i = 0; i < mappings->count; i++)
		if (mappings->list[i].executable && mappings->list[i].inode &&
		    strcmp(mappings->list[i].path, target) == 0)
			return &mappings->list[i];
	return NULL;
}

/* A file that was looked into. */
struct tried {
	struct file_key {
		uint64_t device, inode;
	} key;
	UT_hash_handle hh;
};

static void tried_done(struct tried **set)
{
	struct tried *tried, *next;

	HASH_ITER(hh, *set, tried, next)
	{
		HASH_DEL(*set, tried);
		free(tried);
	}
}

/* Is this file in the set? Then it is. Where memory is short a file may be looked into twice. */
static bool tried_before(struct tried **set, const struct mapping *mapping)
{
	struct file_key key = {mapping->device, mapping->inode};
	struct tried *tried;

	HASH_FIND(hh, *set, &key, sizeof(key), tried);
	if (tried)
		return true;
	tried = calloc(1, sizeof(*tried));
	if (!tried)
		return false;
	tried->key = key;
	HASH_ADD(hh, *set, key, sizeof(key), tried);
	if (HASH_FAILED(tried))
		free(tried);
	return false;
}

int image_too_much(pid_t pid, const char *path, struct diag *diag)
{
	char name[256];

	escape_text(name, sizeof(name), path, strlen(path));
	diag_set(diag, EXIT_UNSUPPORTED, -EFBIG,
		 "the files of process %d take too much work to read; the last was %s", pid, name);
	diag_hint(diag, "no CPython is like that; if this file is a real program with very large "
			"symbol tables, strip it");
	return -EFBIG;
}

static int no_python(pid_t pid, const struct mappings *mappings, struct diag *diag)
{
	for (size_t i = 0; i < mappings->count; i++) {
		const char *name = base_name(mappings->list[i].path);

		if (strncmp(name, "libpypy", 7) == 0 || strncmp(name, "pypy", 4) == 0) {
			diag_set(diag, EXIT_UNSUPPORTED, -ENOEXEC,
				 "process %d runs PyPy; gilscope knows CPython's GIL only", pid);
			return -ENOEXEC;
		}
	}
	diag_set(diag, EXIT_UNSUPPORTED, -ENOEXEC,
		 "process %d is not a Python process (no CPython runtime in its mappings)", pid);
	diag_hint(diag, "give the PID of the Python process itself, not of a shell, a supervisor "
			"or a container's init in front of it");
	return -ENOEXEC;
}

/* Distinguishes 32-bit and foreign programs (run by an emulator) from programs without Python. */
static int exe_check(pid_t pid, const struct mapping *exe, struct diag *diag)
{
	_cleanup_(closep) int fd = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	bounded_at(exe ? exe->path : path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return 0; /* a kernel thread, or no right to: what follows says it better */
	switch (elf_kind_of(fd)) {
	case ELF_32BIT:
		return diag_set(diag, EXIT_UNSUPPORTED, -ENOEXEC,
				"process %d is a 32-bit program; only 64-bit Python is supported",
				pid);
	case ELF_FOREIGN:
		return diag_set(
			diag, EXIT_UNSUPPORTED, -ENOEXEC,
			"process %d is a program for another architecture than this machine's (%s)",
			pid, ELF_MACHINE_NAME);
	default:
		return 0;
	}
}

int image_find(pid_t pid, const struct mappings *mappings, struct elf_budget *budget,
	       struct diag *diag, struct image *ret_image)
{
	const struct mapping *exe = exe_mapping(pid, mappings);
	_cleanup_(tried_done) struct tried *tried = NULL;
	int err = exe_check(pid, exe, diag);

	if (err)
		return err;
	for (int rank = 0; rank < RANKS; rank++) {
		for (size_t i = 0; i < mappings->count; i++) {
			const struct mapping *m = &mappings->list[i];
			char name[256];

			if (!m->executable || !m->inode || (int)rank_of(m, exe) != rank ||
			    tried_before(&tried, m))
				continue;
			err = image_try(pid, m, budget, ret_image);
			if (elf_budget_spent(budget)) {
				if (!err)
					image_done(ret_image);
				return image_too_much(pid, m->path, diag);
			}
			if (!err)
				return 0;
			/* what looks like Python and cannot be opened must not be passed over for
			 * "no Python" */
			if (rank == RANK_OTHER || err == -ENOEXEC)
				continue;
			escape_text(name, sizeof(name), m->path, strlen(m->path));
			if (err == -EACCES || err == -EPERM) {
				diag_set(diag, EXIT_NOT_PERMITTED, err,
					 "not permitted to read %s of process %d", name, pid);
				diag_hint(diag, "run as root, or with CAP_SYS_PTRACE and "
						"CAP_DAC_READ_SEARCH");
				return err;
			}
			diag_set(diag, EXIT_FAILED, err,
				 "the file %s that process %d runs cannot be opened: %s", name, pid,
				 strerror(-err));
			if (err == -EMFILE || err == -ENFILE)
				diag_hint(diag, "raise the limit of open files (ulimit -n)");
			else if (err == -ENOENT || err == -ESTALE)
				diag_hint(diag, "with CAP_SYS_ADMIN the file is reached even when "
						"it was deleted or replaced");
			return err;
		}
	}
	return no_python(pid, mappings, diag);
}

void image_done(struct image *image)
{
	if (image->fd >= 0)
		close(image->fd);
	*image = (struct image){.fd = -1, .elf.fd = -1};
}
