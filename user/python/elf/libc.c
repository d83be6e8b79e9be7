/* SPDX-License-Identifier: MIT */
#include "python/elf/libc.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "python/elf/decoder.h"
#include "python/elf/entry.h"
#include "python/image.h"
#include "python/private.h"
#include "python/threads.h"

enum { CODE_MAX = 256 }; /* of a function: what is looked for is near its beginning */

static const char *const names[LIBC_CALLS] = {
	[LIBC_EPOLL_WAIT] = "epoll_wait",
	[LIBC_EPOLL_PWAIT] = "epoll_pwait",
	[LIBC_EPOLL_PWAIT2] = "epoll_pwait2",
	[LIBC_CLOSE] = "close",
	[LIBC_DUP2] = "dup2",
	[LIBC_DUP3] = "dup3",
	[LIBC_SYSCALL] = "syscall",
};

static bool begins_with(const char *name, const char *begin)
{
	return strncmp(name, begin, strlen(begin)) == 0;
}

bool libc_is_musl(const struct mapping *mapping)
{
	const char *name = strrchr(mapping->path, '/');

	/* the loader is the library, and in some distributions a link to it */
	return name && mapping->executable && mapping->inode &&
	       (begins_with(name, "/ld-musl-") || begins_with(name, "/libc.musl-") ||
		strcmp(name, "/libc.so") == 0);
}

/* glibc's is libc.so.6, or libc-2.31.so in older releases. */
static bool is_libc(const struct mapping *mapping)
{
	const char *name = strrchr(mapping->path, '/');

	if (!name || !mapping->executable || !mapping->inode)
		return false;
	return libc_is_musl(mapping) || begins_with(name, "/libc.so.") ||
	       begins_with(name, "/libc-2.");
}

struct functions_found {
	const struct elf_image *elf;
	GElf_Sym symbols[LIBC_CALLS];
};

static int symbol_found(void *ctx, const char *name, const GElf_Sym *symbol)
{
	struct functions_found *found = ctx;

	if (GELF_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF)
		return 0;
	for (int call = 0; call < LIBC_CALLS; call++)
		if (strcmp(name, names[call]) == 0)
			found->symbols[call] = *symbol;
	return 0;
}

static size_t code_of(const struct functions_found *found, enum libc_call call, uint8_t *to)
{
	const GElf_Sym *symbol = &found->symbols[call];
	size_t size = symbol->st_size < CODE_MAX ? symbol->st_size : CODE_MAX;

	return symbol->st_value && !elf_image_read(found->elf, symbol->st_value, to, size) ? size
											   : 0;
}

/* The function goes on in another one of these, where it is seen (musl: epoll_wait). */
static bool continues(const struct functions_found *found, enum libc_call call, const uint8_t *code,
		      size_t size)
{
	const uint64_t start = found->symbols[call].st_value;
	const struct machine_code machine = {code, size, start};

	for (int other = 0; other < LIBC_CALLS; other++) {
		uint64_t to = found->symbols[other].st_value;

		if (to && to != start && DECODER.jumps(&machine, start, start + size, to, to + 1))
			return true;
	}
	return false;
}

/* Offset of the probe in the function (bpf/loop.bpf.c says what it finds there), or SIZE_MAX. */
static size_t place_in(enum libc_call call, const uint8_t *code, size_t size)
{
#if defined(__x86_64__)
	if (call == LIBC_DUP2 || call == LIBC_DUP3 || call == LIBC_SYSCALL)
		return entry_result_place(code, size);
	return entry_place(code, size, call == LIBC_EPOLL_WAIT || call == LIBC_EPOLL_PWAIT);
#else
	return 0;
#endif
}

/* ── is it used? ─────────────────────────────────────────────────────────── */

/* A thread that made the system call itself, by an instruction outside the library or by its
 * syscall(), shows that loops of this process do not wait through the library. */
struct waiting {
	const struct mapping *mapping; /* the library's code … */
	uint64_t syscall, syscall_end; /* … and this function of it, in the process */
};

static bool waits_elsewhere(const struct waiting *waiting, pid_t pid, uint32_t tid)
{
	const struct mapping *code = waiting->mapping;
	char path[64], text[256];
	int64_t sysno;
	uint64_t pc;

	snprintf(path, sizeof(path), "/proc/%d/task/%u/syscall", pid, tid);
	/* the number, six arguments, the stack pointer, the program counter */
	if (proc_read(path, text, sizeof(text)) <= 0 ||
	    sscanf(text, "%" SCNd64 " %*s %*s %*s %*s %*s %*s %*s 0x%" SCNx64, &sysno, &pc) != 2 ||
	    !is_wait_in_epoll(sysno))
		return false;
	return pc < code->start || pc >= code->end ||
	       (pc >= waiting->syscall && pc < waiting->syscall_end);
}

static bool some_wait_elsewhere(const struct waiting *waiting, pid_t pid)
{
	_cleanup_(threads_done) struct threads threads = {0};

	if (threads_list(pid, &threads))
		return false;
	for (uint32_t i = 0; i < threads.count; i++)
		if (waits_elsewhere(waiting, pid, threads.list[i].tid))
			return true;
	return false;
}

static void judge(struct target *target, const struct mapping *mapping, const GElf_Sym *syscall,
		  uint64_t bias)
{
	struct waiting waiting = {.mapping = mapping,
				  .syscall = syscall->st_value + bias,
				  .syscall_end = syscall->st_value + syscall->st_size + bias};
	struct libc_places *libc = &target->libc;

	if (!libc->offsets[LIBC_EPOLL_WAIT] && !libc->offsets[LIBC_EPOLL_PWAIT])
		snprintf(libc->why, sizeof(libc->why), "the C library does not name epoll_wait");
	else if (some_wait_elsewhere(&waiting, (pid_t)target->info.pid))
		snprintf(libc->why, sizeof(libc->why),
			 "a thread waits without the C library's functions");
	else
		libc->waits = true;
}

/* ── all of it ───────────────────────────────────────────────────────────── */

static void find_places(struct target *target, const struct mapping *mapping,
			const struct image *image)
{
	struct functions_found found = {.elf = &image->elf};
	struct libc_places *libc = &target->libc;

	elf_image_symbols(&image->elf, SHT_DYNSYM, symbol_found, &found);
	for (int call = 0; call < LIBC_CALLS; call++) {
		uint8_t code[CODE_MAX];
		size_t size = code_of(&found, (enum libc_call)call, code), place;
		uint64_t vaddr = found.symbols[call].st_value;

		if (!size || continues(&found, (enum libc_call)call, code, size))
			continue;
		place = place_in((enum libc_call)call, code, size);
		if (place == SIZE_MAX)
			continue;
		libc->offsets[call] = elf_image_offset(&image->elf, vaddr + place);
		libc->addresses[call] = vaddr + place + image->bias;
	}
	judge(target, mapping, &found.symbols[LIBC_SYSCALL], image->bias);
}

void libc_examine(struct target *target, const struct mappings *mappings, struct elf_budget *budget)
{
	_cleanup_(image_done) struct image image = {.fd = -1, .elf.fd = -1};
	const struct mapping *mapping = NULL;

	for (size_t i = 0; i < mappings->count && !mapping; i++)
		if (is_libc(&mappings->list[i]))
			mapping = &mappings->list[i];
	if (!mapping || image_open((pid_t)target->info.pid, mapping, budget, &image)) {
		snprintf(target->libc.why, sizeof(target->libc.why), "%s",
			 mapping ? "its C library cannot be read"
				 : "it has no C library of its own");
		return;
	}
	snprintf(target->libc.path, sizeof(target->libc.path), "%s", image.path);
	find_places(target, mapping, &image);
}
