/* SPDX-License-Identifier: MIT */
/* ELF files made to cost their reader time or memory. They are sparse, so they cost their author
 * nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/diag.h"
#include "python/elf/elf_scan.h"
#include "python/interpreter/gc_sites.h"

enum { SECTIONS = 4096, TABLES = 65536 };

static void put(int fd, uint64_t offset, const void *bytes, size_t size)
{
	assert_int_equal(pwrite(fd, bytes, size, (off_t)offset), (ssize_t)size);
}

/* A file with one segment of code; the caller adds sections. */
static int file_begin(uint16_t sections, uint16_t names)
{
	Elf64_Ehdr header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			     .e_type = ET_DYN,
			     .e_machine = ELF_MACHINE,
			     .e_version = EV_CURRENT,
			     .e_phoff = sizeof(header),
			     .e_shoff = SECTIONS,
			     .e_ehsize = sizeof(header),
			     .e_phentsize = sizeof(Elf64_Phdr),
			     .e_phnum = 1,
			     .e_shentsize = sizeof(Elf64_Shdr),
			     .e_shnum = sections,
			     .e_shstrndx = names};
	Elf64_Phdr load = {
		.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = 4096, .p_memsz = 4096};
	int fd = memfd_create("elf", MFD_CLOEXEC);

	assert_true(fd >= 0);
	put(fd, 0, &header, sizeof(header));
	put(fd, sizeof(header), &load, sizeof(load));
	return fd;
}

static void section(int fd, uint32_t index, const Elf64_Shdr *header)
{
	put(fd, SECTIONS + index * sizeof(*header), header, sizeof(*header));
}

/* `count` symbols that all have the name at offset 1 of a string table that repeats `text` up to
 * `bytes`. */
static int many_symbols(uint32_t type, uint32_t count, const char *text, uint64_t bytes)
{
	Elf64_Shdr symbols = {.sh_type = type,
			      .sh_offset = TABLES,
			      .sh_size = count * sizeof(Elf64_Sym),
			      .sh_link = 2,
			      .sh_entsize = sizeof(Elf64_Sym)};
	Elf64_Shdr strings = {
		.sh_type = SHT_STRTAB, .sh_offset = TABLES + symbols.sh_size, .sh_size = bytes + 2};
	Elf64_Sym symbol = {.st_name = 1,
			    .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			    .st_shndx = 1,
			    .st_value = 64,
			    .st_size = 16};
	int fd = file_begin(3, 2);

	section(fd, 1, &symbols);
	section(fd, 2, &strings);
	for (uint32_t i = 0; i < count; i++)
		put(fd, symbols.sh_offset + i * sizeof(symbol), &symbol, sizeof(symbol));
	for (uint64_t at = 0; at < bytes; at += strlen(text))
		put(fd, strings.sh_offset + 1 + at, text, strlen(text));
	put(fd, strings.sh_offset + strings.sh_size - 1, "", 1);
	return fd;
}

static int count(void *ctx, const char *name, const GElf_Sym *symbol)
{
	assert_true(strlen(name) < ELF_NAME_MAX);
	++*(uint32_t *)ctx;
	return 0;
}

static void a_name_is_read_as_far_as_it_can_be_one_of_ours(void **state)
{
	struct elf_budget budget = {ELF_BUDGET_BYTES};
	struct elf_image image;
	GElf_Sym symbol;
	uint32_t seen = 0;
	int fd = many_symbols(SHT_DYNSYM, 1000, "_PyRuntime", 10);

	assert_int_equal(elf_image_open(fd, &budget, &image), 0);
	assert_int_equal(elf_image_symbol(&image, SHT_DYNSYM, "_PyRuntime", &symbol), 0);
	assert_int_equal(symbol.st_value, 64);
	assert_int_equal(elf_image_symbol(&image, SHT_DYNSYM, "_PyRun", &symbol), -ENOENT);
	close(fd);
	/* read into memory, 20000 names of 16 MB would be 320 GB to compare */
	fd = many_symbols(SHT_DYNSYM, 20000, "AAAAAAAAAAAAAAAA", 16 << 20);
	assert_int_equal(elf_image_open(fd, &budget, &image), 0);
	assert_int_equal(elf_image_symbols(&image, SHT_DYNSYM, count, &seen), 0);
	assert_int_equal(seen, 19999);
	assert_false(elf_budget_spent(&budget));
	close(fd);
}

/* Three functions: one inside another, and one followed by others at a distance. */
static int nested_functions(void)
{
	static const char names[] = "\0outer\0inner\0far\0data";
	Elf64_Sym list[] = {
		{0},
		{.st_name = 1, .st_value = 0x100, .st_size = 0x100},
		{.st_name = 7, .st_value = 0x140, .st_size = 0x20},
		{.st_name = 13, .st_value = 0x300, .st_size = 0x10},
		{.st_name = 17, .st_value = 0x200, .st_size = 0x100},	   /* not a function */
		{.st_name = 13, .st_value = UINT64_MAX - 4, .st_size = 8}, /* its end overflows */
	};
	int fd = file_begin(3, 2);

	for (size_t i = 1; i < sizeof(list) / sizeof(*list); i++) {
		list[i].st_info = ELF64_ST_INFO(STB_LOCAL, i == 4 ? STT_OBJECT : STT_FUNC);
		list[i].st_shndx = 1;
	}
	section(fd, 1,
		&(Elf64_Shdr){.sh_type = SHT_SYMTAB,
			      .sh_offset = TABLES,
			      .sh_size = sizeof(list),
			      .sh_link = 2,
			      .sh_entsize = sizeof(Elf64_Sym)});
	section(fd, 2,
		&(Elf64_Shdr){.sh_type = SHT_STRTAB,
			      .sh_offset = TABLES + sizeof(list),
			      .sh_size = sizeof(names)});
	put(fd, TABLES, list, sizeof(list));
	put(fd, TABLES + sizeof(list), names, sizeof(names));
	return fd;
}

static void the_function_at_an_address_covers_it(void **state)
{
	static const struct {
		uint64_t vaddr;
		const char *name;
		uint64_t start, end;
	} cases[] = {
		{0x80, "", 0, 0x100},		{0x100, "outer", 0x100, 0x140},
		{0x150, "inner", 0x140, 0x160}, {0x1ff, "outer", 0x160, 0x200},
		{0x200, "", 0x200, 0x300},	{0x30f, "far", 0x300, 0x310},
		{0x310, "", 0x310, 0x1000},
	};
	struct elf_budget budget = {ELF_BUDGET_BYTES};
	struct elf_image image;
	int fd = nested_functions();

	assert_int_equal(elf_image_open(fd, &budget, &image), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct elf_function function = {.start = 0, .end = 0x1000};

		elf_image_function(&image, SHT_SYMTAB, cases[i].vaddr, &function);
		assert_string_equal(function.name, cases[i].name);
		assert_int_equal(function.start, cases[i].start);
		assert_int_equal(function.end, cases[i].end);
	}
	close(fd);
}

static bool is_far_or_inner(const char *name)
{
	return strcmp(name, "far") == 0 || strcmp(name, "inner") == 0;
}

static void one_answer_for_all_functions_between_two_wanted_ones(void **state)
{
	static const struct {
		uint64_t vaddr;
		const char *name;
		uint64_t start, end;
	} cases[] = {
		{0x80, "", 0, 0x140},		{0x100, "", 0, 0x140},
		{0x150, "inner", 0x140, 0x160}, {0x1ff, "", 0x160, 0x300},
		{0x30f, "far", 0x300, 0x310},	{0x310, "", 0x310, 0x1000},
	};
	struct elf_budget budget = {ELF_BUDGET_BYTES};
	struct elf_image image;
	int fd = nested_functions();

	assert_int_equal(elf_image_open(fd, &budget, &image), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct elf_function function = {.end = 0x1000, .wanted = is_far_or_inner};

		elf_image_function(&image, SHT_SYMTAB, cases[i].vaddr, &function);
		assert_string_equal(function.name, cases[i].name);
		assert_int_equal(function.start, cases[i].start);
		assert_int_equal(function.end, cases[i].end);
	}
	close(fd);
}

static void a_table_that_does_not_end_spends_the_budget(void **state)
{
	struct elf_budget budget = {64 << 20};
	struct elf_image image;
	GElf_Sym symbol;
	int fd = many_symbols(SHT_DYNSYM, 1, "A", 1);
	/* a terabyte of symbols, and a terabyte of names: not read into memory, each name is read
	 * on its own */
	Elf64_Shdr symbols = {.sh_type = SHT_DYNSYM,
			      .sh_offset = TABLES,
			      .sh_size = UINT64_C(24) << 36,
			      .sh_link = 2,
			      .sh_entsize = sizeof(Elf64_Sym)};
	Elf64_Shdr strings = {
		.sh_type = SHT_STRTAB, .sh_offset = TABLES, .sh_size = UINT64_C(1) << 40};

	section(fd, 1, &symbols);
	section(fd, 2, &strings);
	assert_int_equal(ftruncate(fd, INT64_C(32) << 36), 0);
	assert_int_equal(elf_image_open(fd, &budget, &image), 0);
	assert_int_equal(elf_image_symbol(&image, SHT_DYNSYM, "_PyRuntime", &symbol), -ENOENT);
	assert_true(elf_budget_spent(&budget));
	close(fd);
}

static void tables_over_each_other_are_charged_one_by_one(void **state)
{
	struct elf_budget budget = {ELF_BUDGET_BYTES};
	Elf64_Shdr table = {.sh_type = SHT_RELA,
			    .sh_offset = TABLES,
			    .sh_size = (200 << 20) / 24 * 24,
			    .sh_link = 1,
			    .sh_entsize = sizeof(Elf64_Rela)};
	struct gc_sites gc_sites;
	struct elf_sites sites;
	struct elf_image image;
	uint64_t vaddr, size;
	struct diag diag;
	int fd = many_symbols(SHT_DYNSYM, 2, "A", 1);
	Elf64_Ehdr header;

	/* sections 3 to 499: the same 200 MB */
	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	header.e_shnum = 500;
	put(fd, 0, &header, sizeof(header));
	for (uint32_t i = 3; i < header.e_shnum; i++)
		section(fd, i, &table);
	assert_int_equal(ftruncate(fd, 256 << 20), 0);
	assert_int_equal(elf_image_open(fd, &budget, &image), 0);
	assert_int_equal(elf_image_section(&image, ".PyRuntime", &vaddr, &size), -ENOENT);
	assert_true(elf_scan(&image, &diag, &sites) < 0);
	gc_sites_find(&image, COLLECTOR_MAIN | COLLECTOR_EXPORTED, &gc_sites);
	assert_int_equal(elf_image_imports(&image, NULL, NULL), 0);
	assert_true(elf_budget_spent(&budget));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_read_as_far_as_it_can_be_one_of_ours),
		cmocka_unit_test(the_function_at_an_address_covers_it),
		cmocka_unit_test(one_answer_for_all_functions_between_two_wanted_ones),
		cmocka_unit_test(a_table_that_does_not_end_spends_the_budget),
		cmocka_unit_test(tables_over_each_other_are_charged_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
