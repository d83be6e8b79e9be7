/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "target/elf_image.h"

enum {
	PROGRAM_HEADERS_MAX = 1024,
	SECTION_BYTES_MAX = 256 << 20, /* symbol tables and relocations larger than that are nonsense */
};

static int read_exactly(int fd, uint64_t offset, void *to, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t got = pread(fd, (char *)to + done, length - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -EFAULT;
		done += (size_t)got;
	}
	return 0;
}

static enum elf_kind header_kind(const Elf64_Ehdr *header)
{
	if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return ELF_NOT;
	if (header->e_ident[EI_CLASS] == ELFCLASS32)
		return ELF_32BIT;
	if (header->e_ident[EI_CLASS] != ELFCLASS64)
		return ELF_NOT;
	if (header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != ELF_MACHINE)
		return ELF_FOREIGN;
	return ELF_USABLE;
}

enum elf_kind elf_kind_of(int fd)
{
	Elf64_Ehdr header = {0};

	/* a 32-bit file's header is shorter, but the part that counts lies in the same place */
	if (read_exactly(fd, 0, &header, offsetof(Elf64_Ehdr, e_version)))
		return ELF_NOT;
	return header_kind(&header);
}

static int load_add(struct elf_image *image, const GElf_Phdr *header)
{
	struct elf_load load = {header->p_vaddr,	     header->p_offset,	       header->p_filesz, header->p_memsz,
				header->p_flags & PF_X, header->p_flags & PF_W};

	if (image->load_count == ELF_LOADS_MAX)
		return -ENOEXEC;
	if (load.offset > image->size || load.file_size > image->size - load.offset || load.vaddr + load.file_size < load.vaddr)
		return -ENOEXEC;
	image->loads[image->load_count++] = load;
	return 0;
}

static int program_headers_read(struct elf_image *image)
{
	size_t count;

	if (elf_getphdrnum(image->elf, &count) || count > PROGRAM_HEADERS_MAX)
		return -ENOEXEC;
	for (size_t i = 0; i < count; i++) {
		GElf_Phdr header;
		int err;

		if (!gelf_getphdr(image->elf, (int)i, &header))
			return -ENOEXEC;
		if (header.p_type == PT_GNU_EH_FRAME) {
			image->eh_frame_hdr = header.p_vaddr;
			image->eh_frame_hdr_size = header.p_filesz;
		}
		if (header.p_type != PT_LOAD)
			continue;
		err = load_add(image, &header);
		if (err)
			return err;
	}
	return image->load_count ? 0 : -ENOEXEC;
}

int elf_image_open(int fd, struct elf_image *ret_image)
{
	_cleanup_(elf_image_done) struct elf_image image = {.fd = fd};
	Elf64_Ehdr header;
	struct stat stat;
	int err;

	if (fstat(fd, &stat))
		return -errno;
	image.size = (uint64_t)stat.st_size;
	if (!S_ISREG(stat.st_mode) || read_exactly(fd, 0, &header, sizeof(header)) || header_kind(&header) != ELF_USABLE)
		return -ENOEXEC;
	/* extended numbering: the number of sections would be read from the file unbounded, and no Python has 65280 sections */
	if (header.e_shnum == 0 && header.e_shoff != 0)
		return -ENOEXEC;
	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOEXEC;
	image.elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!image.elf || elf_kind(image.elf) != ELF_K_ELF)
		return -ENOEXEC;
	err = program_headers_read(&image);
	if (err)
		return err;
	*ret_image = STEAL(image, (struct elf_image){0});
	return 0;
}

void elf_image_done(struct elf_image *image)
{
	if (image->elf)
		elf_end(image->elf);
	*image = (struct elf_image){.fd = -1};
}

static const struct elf_load *load_of(const struct elf_image *image, uint64_t vaddr, uint64_t length)
{
	for (uint32_t i = 0; i < image->load_count; i++) {
		const struct elf_load *load = &image->loads[i];

		if (vaddr >= load->vaddr && vaddr - load->vaddr <= load->file_size && length <= load->file_size - (vaddr - load->vaddr))
			return load;
	}
	return NULL;
}

int elf_image_read(const struct elf_image *image, uint64_t vaddr, void *to, size_t length)
{
	const struct elf_load *load = load_of(image, vaddr, length);

	return load ? read_exactly(image->fd, load->offset + (vaddr - load->vaddr), to, length) : -EFAULT;
}

uint64_t elf_image_offset(const struct elf_image *image, uint64_t vaddr)
{
	const struct elf_load *load = load_of(image, vaddr, 1);

	return load ? load->offset + (vaddr - load->vaddr) : UINT64_MAX;
}

/* The section's content, or NULL when its header lies about it. */
static Elf_Data *section_data(const struct elf_image *image, Elf_Scn *section, const GElf_Shdr *header, size_t entry_size)
{
	if (header->sh_type == SHT_NOBITS || header->sh_size > SECTION_BYTES_MAX || header->sh_offset > image->size ||
	    header->sh_size > image->size - header->sh_offset)
		return NULL;
	if (entry_size && (header->sh_entsize != entry_size || header->sh_size % entry_size))
		return NULL;
	return elf_getdata(section, NULL);
}

/* A string of a string table; NULL when it is not terminated inside the table. */
static const char *string_at(const Elf_Data *strings, size_t offset)
{
	if (!strings || !strings->d_buf || offset >= strings->d_size)
		return NULL;
	if (!memchr((const char *)strings->d_buf + offset, 0, strings->d_size - offset))
		return NULL;
	return (const char *)strings->d_buf + offset;
}

static Elf_Data *strings_of(const struct elf_image *image, size_t index)
{
	Elf_Scn *section = elf_getscn(image->elf, index);
	GElf_Shdr header;

	if (!section || !gelf_getshdr(section, &header) || header.sh_type != SHT_STRTAB)
		return NULL;
	return section_data(image, section, &header, 0);
}

/* A symbol table with its names. */
struct symbols {
	Elf_Data *data, *strings;
	size_t count;
};

static bool symbols_load(const struct elf_image *image, Elf_Scn *section, const GElf_Shdr *header, struct symbols *ret_symbols)
{
	struct symbols symbols;

	symbols.data = section_data(image, section, header, sizeof(Elf64_Sym));
	symbols.strings = strings_of(image, header->sh_link);
	if (!symbols.data || !symbols.data->d_buf || !symbols.strings)
		return false;
	symbols.count = symbols.data->d_size / sizeof(Elf64_Sym);
	*ret_symbols = symbols;
	return true;
}

static const char *symbol_at(const struct symbols *symbols, size_t index, GElf_Sym *ret_symbol)
{
	if (index >= symbols->count || index > INT32_MAX || !gelf_getsym(symbols->data, (int)index, ret_symbol))
		return NULL;
	return string_at(symbols->strings, ret_symbol->st_name);
}

int elf_image_symbols(const struct elf_image *image, uint32_t table, int (*visit)(void *ctx, const char *name, const GElf_Sym *symbol), void *ctx)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(image->elf, section))) {
		struct symbols symbols;
		GElf_Shdr header;

		if (!gelf_getshdr(section, &header) || header.sh_type != table || !symbols_load(image, section, &header, &symbols))
			continue;
		for (size_t i = 1; i < symbols.count; i++) {
			GElf_Sym symbol;
			const char *name = symbol_at(&symbols, i, &symbol);
			int ret = name && *name ? visit(ctx, name, &symbol) : 0;

			if (ret)
				return ret;
		}
		break; /* there is at most one of each */
	}
	return 0;
}

struct wanted {
	const char *name;
	GElf_Sym symbol;
};

static int symbol_match(void *ctx, const char *name, const GElf_Sym *symbol)
{
	struct wanted *wanted = ctx;

	if (symbol->st_shndx == SHN_UNDEF || strcmp(name, wanted->name) != 0)
		return 0;
	wanted->symbol = *symbol;
	return 1;
}

int elf_image_symbol(const struct elf_image *image, uint32_t table, const char *name, GElf_Sym *ret_symbol)
{
	struct wanted wanted = {.name = name};

	if (elf_image_symbols(image, table, symbol_match, &wanted) != 1)
		return -ENOENT;
	*ret_symbol = wanted.symbol;
	return 0;
}

static int relocations_visit(const struct elf_image *image, Elf_Scn *section, const GElf_Shdr *header,
			     int (*visit)(void *ctx, const char *name, uint64_t slot), void *ctx)
{
	Elf_Data *data = section_data(image, section, header, sizeof(Elf64_Rela));
	Elf_Scn *symbol_section = elf_getscn(image->elf, header->sh_link);
	struct symbols symbols;
	GElf_Shdr symbol_header;

	if (!data || !data->d_buf || !symbol_section || !gelf_getshdr(symbol_section, &symbol_header) || symbol_header.sh_type != SHT_DYNSYM ||
	    !symbols_load(image, symbol_section, &symbol_header, &symbols))
		return 0;
	for (size_t i = 0; i < data->d_size / sizeof(Elf64_Rela) && i <= INT32_MAX; i++) {
		const char *name;
		GElf_Rela rela;
		GElf_Sym symbol;
		int ret;

		if (!gelf_getrela(data, (int)i, &rela) || GELF_R_SYM(rela.r_info) == 0)
			continue;
		name = symbol_at(&symbols, GELF_R_SYM(rela.r_info), &symbol);
		if (!name || symbol.st_shndx != SHN_UNDEF)
			continue;
		ret = visit(ctx, name, rela.r_offset);
		if (ret)
			return ret;
	}
	return 0;
}

int elf_image_imports(const struct elf_image *image, int (*visit)(void *ctx, const char *name, uint64_t slot), void *ctx)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(image->elf, section))) {
		GElf_Shdr header;
		int ret;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_RELA)
			continue;
		ret = relocations_visit(image, section, &header, visit, ctx);
		if (ret)
			return ret;
	}
	return 0;
}

static Elf_Scn *section_named(const struct elf_image *image, const char *name, GElf_Shdr *ret_header)
{
	Elf_Scn *section = NULL;
	Elf_Data *names;
	size_t index;

	if (elf_getshdrstrndx(image->elf, &index))
		return NULL;
	names = strings_of(image, index);
	while ((section = elf_nextscn(image->elf, section))) {
		const char *found = gelf_getshdr(section, ret_header) ? string_at(names, ret_header->sh_name) : NULL;

		if (found && strcmp(found, name) == 0)
			return section;
	}
	return NULL;
}

int elf_image_section(const struct elf_image *image, const char *name, uint64_t *ret_vaddr, uint64_t *ret_size)
{
	GElf_Shdr header;

	if (!section_named(image, name, &header))
		return -ENOENT;
	*ret_vaddr = header.sh_addr;
	*ret_size = header.sh_size;
	return 0;
}

int elf_image_section_bytes(const struct elf_image *image, const char *name, uint8_t **ret_bytes, size_t *ret_size)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	GElf_Shdr header;

	if (!section_named(image, name, &header))
		return -ENOENT;
	if (header.sh_type == SHT_NOBITS || header.sh_size > SECTION_BYTES_MAX || header.sh_offset > image->size ||
	    header.sh_size > image->size - header.sh_offset)
		return -EFAULT;
	bytes = malloc(header.sh_size + 1);
	if (!bytes)
		return -ENOMEM;
	if (read_exactly(image->fd, header.sh_offset, bytes, header.sh_size))
		return -EFAULT;
	*ret_bytes = STEAL(bytes, NULL);
	*ret_size = header.sh_size;
	return 0;
}
