/* SPDX-License-Identifier: MIT */
/*
 * elf_image.h - a 64-bit ELF file of this machine's architecture. The file is hostile: every offset
 * and size in it is checked, and it is never mapped, because its owner can truncate it while it is
 * read. Tables are read in pieces of some kilobytes and never held as a whole (libelf
 * would: <gelf.h> gives the names of types and constants only), and all reading is charged to a
 * budget, since tables may be many, overlap, and be sparse.
 */
#ifndef GILSCOPE_PYTHON_ELF_ELF_IMAGE_H
#define GILSCOPE_PYTHON_ELF_ELF_IMAGE_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ELF_LOADS_MAX = 64 };

struct elf_load {
	uint64_t vaddr, offset, file_size;
	uint64_t memory_size; /* file_size and the zeros behind it */
	bool executable, writable;
};

/*
 * How many bytes may still be read from files; a small read is charged ELF_READ_LEAST, about its
 * cost in time. One budget covers all files of one examination. When it is spent every read fails
 * and results are incomplete: check elf_budget_spent() at the end.
 */
struct elf_budget {
	uint64_t left;
};
enum { ELF_READ_LEAST = 4096 };
#define ELF_BUDGET_BYTES (UINT64_C(2) << 30) /* a second or two; CPython takes some 50 MB of it */

struct elf_image {
	int fd;
	uint64_t size; /* of the file */
	struct elf_budget *budget;
	uint64_t sections; /* offset of their headers */
	uint32_t section_count, section_names;
	struct elf_load loads[ELF_LOADS_MAX];
	uint32_t load_count;
	uint64_t eh_frame_hdr,
		eh_frame_hdr_size; /* vaddr of the table of functions; size 0: there is none */
};

/* e_machine of this machine, and its name as uname(1) prints it. */
#if defined(__x86_64__)
#define ELF_MACHINE	 EM_X86_64
#define ELF_MACHINE_NAME "x86_64"
#elif defined(__aarch64__)
#define ELF_MACHINE	 EM_AARCH64
#define ELF_MACHINE_NAME "aarch64"
#else
#error "gilscope knows x86_64 and aarch64"
#endif

/* What kind of file it is by its first bytes, for a precise refusal. */
enum elf_kind { ELF_NOT, ELF_32BIT, ELF_FOREIGN, ELF_USABLE };
enum elf_kind elf_kind_of(int fd);

/* The descriptor and the budget stay the caller's and must outlive the image, which owns nothing.
 * -ENOEXEC: not an ELF file we can use. */
int elf_image_open(int fd, struct elf_budget *budget, struct elf_image *ret_image);

/* Charges work on data that was read. False: the budget is spent; do not do the work. */
bool elf_image_spend(const struct elf_image *image, uint64_t bytes);
static inline bool elf_budget_spent(const struct elf_budget *budget)
{
	return budget->left == 0;
}

/* Reads bytes that the file holds for a range of addresses (not the zeros behind them); -EFAULT
 * when it does not hold all of them. */
int elf_image_read(const struct elf_image *image, uint64_t vaddr, void *to, size_t length);

/* File offset of an address, or UINT64_MAX. */
uint64_t elf_image_offset(const struct elf_image *image, uint64_t vaddr);

/*
 * Calls `visit` for every named symbol of a table (SHT_DYNSYM or SHT_SYMTAB) until it returns
 * non-zero, and returns that; 0 at the end. The first ELF_NAME_MAX - 1 bytes of a name must do.
 */
enum { ELF_NAME_MAX = 256 };
int elf_image_symbols(const struct elf_image *image, uint32_t table,
		      int (*visit)(void *ctx, const char *name, const GElf_Sym *symbol), void *ctx);

/* A defined symbol; -ENOENT. */
int elf_image_symbol(const struct elf_image *image, uint32_t table, const char *name,
		     GElf_Sym *ret_symbol);

/*
 * The function that an address lies in, by the sizes of a table's symbols. `start` and `end` are
 * set by the caller, and reduced to the addresses around this one for which the answer is the same;
 * `name` stays as it is when no symbol covers it, however near one may be. With `wanted`, functions
 * with other names than it accepts count as none.
 */
struct elf_function {
	uint64_t start, end;
	bool (*wanted)(const char *name);
	char name[ELF_NAME_MAX];
};
void elf_image_function(const struct elf_image *image, uint32_t table, uint64_t vaddr,
			struct elf_function *function);

/* Calls `visit` for every relocation against an imported symbol: the GOT slot's address and the
 * symbol's name. As elf_image_symbols(). */
int elf_image_imports(const struct elf_image *image,
		      int (*visit)(void *ctx, const char *name, uint64_t slot), void *ctx);

/* A section's content, also of one that is not loaded; the bytes are the caller's to free. -ENOENT;
 * -EFAULT when its header is inconsistent. */
int elf_image_section_bytes(const struct elf_image *image, const char *name, uint8_t **ret_bytes,
			    size_t *ret_size);

/* A section's address range; -ENOENT. */
int elf_image_section(const struct elf_image *image, const char *name, uint64_t *ret_vaddr,
		      uint64_t *ret_size);

#endif
