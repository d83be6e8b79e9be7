/* SPDX-License-Identifier: MIT */
/* Machine code and ELF headers as the python room reads them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/diag.h"
#include "python/interpreter/asyncio.h"
#include "python/versions/debug_offsets.h"
#include "python/elf/decoder.h"
#include "python/elf/elf_scan.h"
#include "python/interpreter/gc_sites.h"
#include "python/interpreter/gil.h"
#include "python/versions/layout.h"
#include "python/private.h"
#include "python/process/proc.h"
#include "python/interpreter/stacks.h"
#include "python/interpreter/version.h"

struct calls {
	struct call list[8];
	uint32_t count;
};

static int call_keep(void *ctx, const struct call *call)
{
	struct calls *calls = ctx;

	assert_true(calls->count < 8);
	calls->list[calls->count++] = *call;
	return 0;
}

/* As gdb shows them for each kind of CPython. glibc's mutex has 48 bytes on arm64 and 40 on x86-64,
 * musl's 40 on both. */
static void the_gil_is_laid_out_by_the_targets_c_library(void **state)
{
#if defined(__aarch64__)
	const unsigned int switch_cond = 128, size = 224;
#else
	const unsigned int switch_cond = 120, size = 208;
#endif
	struct gil_layout layout = gil_layout_of(false);

	assert_int_equal(layout.cond, 32);
	assert_int_equal(layout.mutex, 80);
	assert_int_equal(layout.switch_cond, switch_cond);
	assert_int_equal(layout.size, size);
	gil_layout_for_musl(&layout);
	assert_int_equal(layout.switch_cond, 120);
	assert_int_equal(layout.size, 208);
}

static void calls_are_found_in_x86_64_code(void **state)
{
	/* at 0x1000: two kinds of stub for the slot at 0x2000, then code that uses them */
	static const uint8_t bytes[] = {
		0xff, 0x25, 0xfa, 0x0f, 0x00, 0x00, /* 1000: jmp *0x2000 */
		0x90, 0x90,			    /* 1006 */
		0xf3, 0x0f, 0x1e, 0xfa, 0xf2, 0xff,
		0x25, 0xed, 0x0f, 0x00, 0x00,	    /* 1008: endbr64; bnd jmp *0x2000 */
		0xe8, 0xe8, 0xff, 0xff, 0xff,	    /* 1013: call 1000 */
		0xe8, 0xeb, 0xff, 0xff, 0xff,	    /* 1018: call 1008 */
		0xe8, 0x00, 0x00, 0x00, 0x00,	    /* 101d: call elsewhere */
		0xff, 0x15, 0xd8, 0x0f, 0x00, 0x00, /* 1022: call *0x2000 */
		0xff, 0x15, 0xd9, 0x0f, 0x00, 0x00, /* 1028: call *0x2007 */
		0xe9, 0xcd, 0xff, 0xff, 0xff,	    /* 102e: jmp 1000 */
		0x0f, 0x84, 0xda, 0xff, 0xff, 0xff, /* 1033: je 1013 */
		0xe8, 0xc2, 0xff, 0xff,		    /* cut off */
	};
	const struct machine_code code = {bytes, sizeof(bytes), 0x1000};
	struct places slots = {0}, stubs = {0};
	struct calls calls = {0};

	places_add(&slots, 0x2000, IMPORT_SIGNAL);
	decoder_x86_64.stubs(&code, &slots, &stubs);
	assert_non_null(places_find(&stubs, 0x1000));
	assert_non_null(places_find(&stubs, 0x1008));
	assert_int_equal(decoder_x86_64.calls(&code, &slots, &stubs, call_keep, &calls), 0);
	assert_int_equal(calls.count, 4);
	assert_int_equal(calls.list[0].vaddr, 0x1013);
	assert_int_equal(calls.list[0].length, 5);
	assert_int_equal(calls.list[1].vaddr, 0x1018);
	assert_int_equal(calls.list[2].vaddr, 0x102e);
	assert_true(calls.list[2].jump);
	assert_int_equal(calls.list[3].vaddr, 0x1022);
	assert_int_equal(calls.list[3].length, 6);
	assert_true(decoder_x86_64.jumps(&code, 0x102e, 0x1039, 0x1000, 0x1001));
	assert_true(decoder_x86_64.jumps(&code, 0x1033, 0x1039, 0x1010, 0x1018));
	assert_false(decoder_x86_64.jumps(&code, 0x102e, 0x1039, 0x1001, 0x1010));
	assert_false(decoder_x86_64.jumps(&code, 0x1033, 0x5000, 0x1010, 0x1018));
}

static void calls_are_found_in_aarch64_code(void **state)
{
	static const uint32_t words[] = {
		0xd503245f, /* 1000: bti c */
		0xb0000010, /* 1004: adrp x16, 0x2000 */
		0xf9400a11, /* 1008: ldr x17, [x16, #16] */
		0x91004210, /* 100c: add x16, x16, #16 */
		0xd61f0220, /* 1010: br x17 */
		0x97fffffb, /* 1014: bl 1000 */
		0x94000010, /* 1018: bl elsewhere */
		0x17fffff9, /* 101c: b 1000 */
		0x54ffffa0, /* 1020: b.eq 1014 */
	};
	const struct machine_code code = {(const uint8_t *)words, sizeof(words), 0x1000};
	struct places slots = {0}, stubs = {0};
	struct calls calls = {0};

	places_add(&slots, 0x2010, IMPORT_TIMEDWAIT);
	decoder_aarch64.stubs(&code, &slots, &stubs);
	assert_int_equal(stubs.count, 2);
	assert_int_equal(decoder_aarch64.calls(&code, &slots, &stubs, call_keep, &calls), 0);
	assert_int_equal(calls.count, 2);
	assert_int_equal(calls.list[0].vaddr, 0x1014);
	assert_int_equal(calls.list[0].import, IMPORT_TIMEDWAIT);
	assert_true(calls.list[1].jump);
	assert_true(decoder_aarch64.jumps(&code, 0x1020, 0x1024, 0x1014, 0x1018));
	assert_false(decoder_aarch64.jumps(&code, 0x1020, 0x1024, 0x1000, 0x1014));
}

/* These look like take_gil and drop_gil to the scan. They never run. */
static pthread_cond_t cond, switch_cond;
static pthread_mutex_t mutex;

int fake_take_gil(const struct timespec *until);
void fake_drop_gil(void);

__attribute__((noinline)) int fake_take_gil(const struct timespec *until)
{
	int ret = pthread_cond_timedwait(&cond, &mutex, until);

	pthread_cond_signal(&switch_cond);
	return ret + pthread_mutex_unlock(&mutex);
}

__attribute__((noinline)) void fake_drop_gil(void)
{
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&mutex);
}

static bool site_within(const struct elf_image *image, const struct elf_sites *sites,
			enum site_kind kind, const char *function)
{
	GElf_Sym symbol;

	assert_int_equal(elf_image_symbol(image, SHT_SYMTAB, function, &symbol), 0);
	for (uint32_t i = 0; i < sites->count; i++)
		if (sites->list[i].kind == kind &&
		    sites->list[i].vaddr - symbol.st_value < symbol.st_size)
			return true;
	return false;
}

static void the_scan_finds_the_calls_of_this_program(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct elf_budget budget = {ELF_BUDGET_BYTES};
	struct elf_image image;
	struct elf_sites sites;
	struct diag diag = {0};

	/* keeps the functions from being removed */
	if (getpid() == 0) {
		fake_take_gil(NULL);
		fake_drop_gil();
	}
	assert_int_equal(elf_image_open(fd, &budget, &image), 0);
	assert_int_equal(elf_scan(&image, &diag, &sites), 0);
	assert_true(site_within(&image, &sites, SITE_WAIT, "fake_take_gil"));
	assert_true(site_within(&image, &sites, SITE_TAKE, "fake_take_gil"));
	assert_true(site_within(&image, &sites, SITE_DROP, "fake_drop_gil"));
	assert_false(site_within(&image, &sites, SITE_DROP, "fake_take_gil"));
	assert_false(site_within(&image, &sites, SITE_TAKE, "fake_drop_gil"));
	elf_sites_done(&sites);
	close(fd);
}

static void other_files_are_recognised_by_their_header(void **state)
{
	uint8_t header[64] = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT};
	struct elf_budget budget = {ELF_BUDGET_BYTES};
	struct elf_image image;
	int fd = memfd_create("elf", MFD_CLOEXEC);

	header[offsetof(Elf64_Ehdr, e_machine)] = EM_386;
	assert_int_equal(pwrite(fd, header, sizeof(header), 0), sizeof(header));
	assert_int_equal(elf_kind_of(fd), ELF_32BIT);
	assert_int_equal(elf_image_open(fd, &budget, &image), -ENOEXEC);
	header[EI_CLASS] = ELFCLASS64;
	header[offsetof(Elf64_Ehdr, e_machine)] = EM_PPC64;
	assert_int_equal(pwrite(fd, header, sizeof(header), 0), sizeof(header));
	assert_int_equal(elf_kind_of(fd), ELF_FOREIGN);
	assert_int_equal(elf_image_open(fd, &budget, &image), -ENOEXEC);
	header[0] = 'x';
	assert_int_equal(pwrite(fd, header, sizeof(header), 0), sizeof(header));
	assert_int_equal(elf_kind_of(fd), ELF_NOT);
	assert_int_equal(ftruncate(fd, 4), 0);
	assert_int_equal(elf_kind_of(fd), ELF_NOT);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_gil_is_laid_out_by_the_targets_c_library),
		cmocka_unit_test(calls_are_found_in_x86_64_code),
		cmocka_unit_test(calls_are_found_in_aarch64_code),
		cmocka_unit_test(the_scan_finds_the_calls_of_this_program),
		cmocka_unit_test(other_files_are_recognised_by_their_header),
	};

	return cmocka_run_group_tests_name("python_code", tests, NULL, NULL);
}
