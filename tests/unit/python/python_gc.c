/* SPDX-License-Identifier: MIT */
/* Where an image says its collector is: ELF files made by the test, with notes of probe points and
 * with symbols. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "python/interpreter/gc_sites.h"
#include "python/versions/rows.h"

enum {
	CODE = 0x1000,
	CODE_BYTES = 0x1000,
	BASE = 0x400000,
	PROBES = 0x1800,
	NOTE_BASE = 0x400a00,
	FILE_BYTES = 0x4000
};

/* A file with one loaded segment at CODE, which is BASE + CODE in memory; notes, symbols and names
 * follow it. */
static struct file {
	uint8_t bytes[FILE_BYTES];
	uint8_t notes[4096];
	size_t note_bytes;
	Elf64_Sym symbols[32];
	size_t symbol_count;
	char names[1024];
	size_t name_bytes;
} file;

static void begin(void)
{
	memset(&file, 0, sizeof(file));
	file.symbol_count = 1;
	file.name_bytes = 1;
}

/* A probe point's note, as sys/sdt.h writes it. `moved`: distance by which the file was moved after
 * linking (prelink). */
static void note(const char *provider, const char *name, uint64_t vaddr, uint64_t semaphore,
		 const char *arguments, uint64_t moved)
{
	uint64_t addresses[] = {vaddr - moved, NOTE_BASE - moved,
				semaphore ? semaphore - moved : 0};
	const char *texts[] = {provider, name, arguments};
	Elf64_Nhdr header = {8, sizeof(addresses), 3};
	uint8_t *at = file.notes + file.note_bytes + sizeof(header);

	memcpy(at, "stapsdt", 8);
	memcpy(at + 8, addresses, sizeof(addresses));
	for (int i = 0; i < 3; i++) {
		memcpy(at + 8 + header.n_descsz, texts[i], strlen(texts[i]) + 1);
		header.n_descsz += (uint32_t)strlen(texts[i]) + 1;
	}
	memcpy(at - sizeof(header), &header, sizeof(header));
	file.note_bytes += sizeof(header) + 8 + (header.n_descsz + 3) / 4 * 4;
}

static void symbol(const char *name, int type, uint64_t vaddr)
{
	file.symbols[file.symbol_count++] = (Elf64_Sym){.st_name = (uint32_t)file.name_bytes,
							.st_info = ELF64_ST_INFO(STB_LOCAL, type),
							.st_shndx = type == STT_FILE ? SHN_ABS : 1,
							.st_value = vaddr,
							.st_size = 16};
	strcpy(file.names + file.name_bytes, name);
	file.name_bytes += strlen(name) + 1;
}

static uint64_t put(size_t *at, const void *bytes, size_t size)
{
	uint64_t offset = *at;

	memcpy(file.bytes + *at, bytes, size);
	*at += (size + 15) / 16 * 16;
	return offset;
}

static struct gc_sites sites(unsigned int minor)
{
	static const char section_names[] =
		"\0.note.stapsdt\0.stapsdt.base\0.symtab\0.strtab\0.shstrtab";
	Elf64_Ehdr header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			     .e_type = ET_EXEC,
			     .e_machine = ELF_MACHINE,
			     .e_version = EV_CURRENT,
			     .e_phoff = 64,
			     .e_ehsize = 64,
			     .e_phentsize = 56,
			     .e_phnum = 1,
			     .e_shentsize = 64,
			     .e_shnum = 6,
			     .e_shstrndx = 5};
	Elf64_Phdr load = {.p_type = PT_LOAD,
			   .p_flags = PF_R | PF_X,
			   .p_offset = CODE,
			   .p_vaddr = BASE + CODE,
			   .p_filesz = CODE_BYTES,
			   .p_memsz = CODE_BYTES};
	Elf64_Shdr sections[6] = {
		[1] = {.sh_name = 1, .sh_type = SHT_NOTE, .sh_size = file.note_bytes},
		[2] = {.sh_name = 15,
		       .sh_type = SHT_PROGBITS,
		       .sh_addr = NOTE_BASE,
		       .sh_offset = CODE,
		       .sh_size = 1},
		[3] = {.sh_name = 29,
		       .sh_type = SHT_SYMTAB,
		       .sh_size = file.symbol_count * sizeof(Elf64_Sym),
		       .sh_link = 4,
		       .sh_entsize = sizeof(Elf64_Sym)},
		[4] = {.sh_name = 37, .sh_type = SHT_STRTAB, .sh_size = file.name_bytes},
		[5] = {.sh_name = 45, .sh_type = SHT_STRTAB, .sh_size = sizeof(section_names)},
	};
	struct elf_budget budget = {ELF_BUDGET_BYTES};
	struct elf_image image;
	struct gc_sites found;
	size_t at = CODE + CODE_BYTES;
	int fd = memfd_create("image", MFD_CLOEXEC);

	sections[1].sh_offset = put(&at, file.notes, file.note_bytes);
	sections[3].sh_offset = put(&at, file.symbols, sections[3].sh_size);
	sections[4].sh_offset = put(&at, file.names, file.name_bytes);
	sections[5].sh_offset = put(&at, section_names, sizeof(section_names));
	header.e_shoff = put(&at, sections, sizeof(sections));
	memcpy(file.bytes, &header, sizeof(header));
	memcpy(file.bytes + 64, &load, sizeof(load));
	assert_int_equal(write(fd, file.bytes, sizeof(file.bytes)), sizeof(file.bytes));
	assert_int_equal(elf_image_open(fd, &budget, &image), 0);
	gc_sites_find(&image, layout_rows[minor][WITH_GIL].collectors, &found);
	close(fd);
	return found;
}

static void probe_points_are_found_and_preferred(void **state)
{
	struct gc_sites found;

	begin();
	note("python", "function__entry", BASE + CODE + 1, 0, "8@%rax", 0);
	note("python", "gc__start", BASE + CODE + 2, BASE + PROBES + 2, "-4@$2", 0);
	note("libc", "gc__done", BASE + CODE + 3, 0, "", 0);
	note("python", "gc__done", BASE + CODE + 4, BASE + PROBES + 4, "-8@%r12", 0);
	note("python", "gc__start", BASE + CODE + 5, BASE + PROBES + 2, "", 0);
	symbol("gc_collect_main", STT_FUNC, BASE + CODE + 6);
	found = sites(12);
	assert_int_equal(found.count, 3);
	assert_false(found.list[0].end);
	assert_int_equal(found.list[0].offset, CODE + 2);
	assert_int_equal(found.list[0].vaddr, BASE + CODE + 2);
	assert_int_equal(found.list[0].semaphore, PROBES + 2);
#if defined(__x86_64__)
	assert_int_equal(found.list[0].generation_register, -1);
	assert_int_equal(found.list[0].generation, 2);
#endif
	assert_true(found.list[1].end);
	assert_int_equal(found.list[1].offset, CODE + 4);
	assert_int_equal(found.list[1].generation_register, -2);
	assert_int_equal(found.list[2].generation_register, -2);
	assert_int_equal(found.list[2].generation_base, -1);
}

static void a_moved_file_keeps_its_probe_points(void **state)
{
	struct gc_sites found;

	begin();
	note("python", "gc__start", BASE + CODE + 2, BASE + PROBES, "", 0x7000);
	note("python", "gc__done", BASE + CODE + 4, BASE + PROBES + 4, "", 0x7000);
	found = sites(12);
	assert_int_equal(found.count, 2);
	assert_int_equal(found.list[0].offset, CODE + 2);
	assert_int_equal(found.list[1].semaphore, PROBES + 4);
}

static void probe_points_that_do_not_fit_are_passed_over(void **state)
{
	static const uint64_t start[][2] = {{BASE + CODE + CODE_BYTES, 0},
					    {BASE, 0},
					    {BASE + CODE, BASE + CODE + CODE_BYTES},
					    {BASE + CODE, 1},
					    {0, 0}};
	struct gc_sites found;

	for (size_t i = 0; i < sizeof(start) / sizeof(start[0]); i++) {
		begin();
		note("python", "gc__done", BASE + CODE + 4, 0, "", 0);
		if (start[i][0])
			note("python", "gc__start", start[i][0], start[i][1], "", 0);
		assert_int_equal(sites(12).count, 0);
		symbol("gc_collect_main", STT_FUNC, BASE + CODE + 6);
		found = sites(12);
		assert_int_equal(found.count, 2);
		assert_int_equal(found.list[0].offset, CODE + 6);
	}
	/* more than are possible */
	begin();
	for (int i = 0; i < 20; i++) {
		note("python", "gc__start", BASE + CODE + 2, 0, "", 0);
		note("python", "gc__done", BASE + CODE + 4, 0, "", 0);
	}
	assert_int_equal(sites(12).count, 0);
	/* a note longer than its section */
	begin();
	note("python", "gc__start", BASE + CODE + 2, 0, "", 0);
	note("python", "gc__done", BASE + CODE + 4, 0, "", 0);
	memcpy(file.notes + file.note_bytes, (uint32_t[]){8, UINT32_MAX, 3}, 12);
	file.note_bytes += 12;
	assert_int_equal(sites(12).count, 2);
	memset(file.notes, 0xff, 12);
	assert_int_equal(sites(12).count, 0);
}

static void the_collectors_symbol_depends_on_the_version(void **state)
{
	struct gc_sites found;

	begin();
	symbol("other.c", STT_FILE, 0);
	symbol("collect", STT_FUNC, BASE + CODE + 1);
	symbol("gcmodule.c", STT_FILE, 0);
	symbol("collect.constprop.0", STT_FUNC, BASE + CODE + 2);
	symbol("collect.constprop.1", STT_FUNC, BASE + CODE + 3);
	symbol("collect.constprop.1.cold", STT_FUNC, BASE + CODE + 4);
	symbol("collect.part.0", STT_FUNC, BASE + CODE + 5);
	symbol("collect_with_callback", STT_FUNC, BASE + CODE + 6);
	symbol("third.c", STT_FILE, 0);
	symbol("collect", STT_FUNC, BASE + CODE + 7);
	found = sites(8);
	assert_int_equal(found.count, 4);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(found.list[i].offset, CODE + 2 + i / 2);
		assert_int_equal(found.list[i].end, i % 2);
		assert_int_equal(found.list[i].at_return, i % 2);
		assert_int_equal(found.list[i].generation_register, -2);
	}
	assert_int_equal(sites(10).count, 0);
	symbol("_PyGC_Collect", STT_FUNC, BASE + CODE + 8);
	assert_int_equal(sites(13).count, 0);
	assert_int_equal(sites(14).count, 2);
	symbol("gc_collect_main", STT_FUNC, BASE + CODE + 9);
	found = sites(14);
	assert_int_equal(found.count, 2);
	assert_int_equal(found.list[0].offset, CODE + 9);
	assert_true(found.list[0].generation_register >= 0);
	assert_int_equal(sites(8).count, 4);
	/* one symbol outside the code invalidates all */
	symbol("gc_collect_main.isra.0.lto_priv.1", STT_FUNC, BASE + CODE + CODE_BYTES);
	assert_int_equal(sites(13).count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probe_points_are_found_and_preferred),
		cmocka_unit_test(a_moved_file_keeps_its_probe_points),
		cmocka_unit_test(probe_points_that_do_not_fit_are_passed_over),
		cmocka_unit_test(the_collectors_symbol_depends_on_the_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
