/* SPDX-License-Identifier: MIT */
/* Arbitrary bytes as the file that a process claims to run: a result or an error, never a crash, a
 * hang or unbounded memory. */
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/diag.h"
#include "python/elf/elf_scan.h"
#include "python/interpreter/gc_sites.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct elf_budget budget = {ELF_BUDGET_BYTES};
	struct elf_image image;
	struct elf_sites sites;
	struct gc_sites gc_sites;
	struct diag diag;
	uint64_t vaddr, bytes;
	GElf_Sym symbol;

	if (fd < 0)
		fd = memfd_create("image", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	elf_kind_of(fd);
	if (elf_image_open(fd, &budget, &image))
		return 0;
	elf_image_symbol(&image, SHT_DYNSYM, "_PyRuntime", &symbol);
	elf_image_section(&image, ".PyRuntime", &vaddr, &bytes);
	if (elf_scan(&image, &diag, &sites) == 0)
		elf_sites_done(&sites);
	gc_sites_find(&image, size & 1 ? COLLECTOR_STATIC : COLLECTOR_MAIN | COLLECTOR_EXPORTED,
		      &gc_sites);
	return 0;
}
