/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "python/elf/elf_image.h"

enum {
	PROGRAM_HEADERS_MAX = 1024,
	SECTION_BYTES_MAX = 1 << 20, /* of those whose content is wanted: notes */
	SYMBOLS_HELD_MAX = 1 << 20,
	AT_ONCE = 256,		     /* entries of a table */
	STRINGS_HELD_MAX = 32 << 20, /* of a larger table each string is read by itself */
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

bool elf_image_spend(const struct elf_image *image, uint64_t bytes)
{
	struct elf_budget *budget = image->budget;

	budget->left -= bytes < budget->left ? bytes : budget->left;
	return !elf_budget_spent(budget);
}

/* Bytes of the file. -EFAULT: it does not have them; or the budget is spent. */
static int image_bytes(const struct elf_image *image, uint64_t offset, void *to, size_t length)
{
	if (offset > image->size || length > image->size - offset ||
	    !elf_image_spend(image, length < ELF_READ_LEAST ? ELF_READ_LEAST : length))
		return -EFAULT;
	return read_exactly(image->fd, offset, to, length);
}

static int load_add(struct elf_image *image, const Elf64_Phdr *header)
{
	struct elf_load load = {header->p_vaddr, header->p_offset,	 header->p_filesz,
				header->p_memsz, header->p_flags & PF_X, header->p_flags & PF_W};

	if (image->load_count == ELF_LOADS_MAX)
		return -ENOEXEC;
	if (load.offset > image->size || load.file_size > image->size - load.offset ||
	    load.vaddr + load.file_size < load.vaddr)
		return -ENOEXEC;
	image->loads[image->load_count++] = load;
	return 0;
}

static int program_headers_read(struct elf_image *image, const Elf64_Ehdr *file)
{
	if (file->e_phnum > PROGRAM_HEADERS_MAX || file->e_phentsize != sizeof(Elf64_Phdr))
		return -ENOEXEC;
	for (size_t i = 0; i < file->e_phnum; i++) {
		Elf64_Phdr header;
		int err;

		if (image_bytes(image, file->e_phoff + i * sizeof(header), &header, sizeof(header)))
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

int elf_image_open(int fd, struct elf_budget *budget, struct elf_image *ret_image)
{
	struct elf_image image = {.fd = fd, .budget = budget};
	Elf64_Ehdr header;
	struct stat stat;
	int err;

	if (fstat(fd, &stat))
		return -errno;
	image.size = (uint64_t)stat.st_size;
	if (!S_ISREG(stat.st_mode) || image_bytes(&image, 0, &header, sizeof(header)) ||
	    header_kind(&header) != ELF_USABLE)
		return -ENOEXEC;
	/* extended numbering: the number of sections would be any, and no Python has 65280 */
	if (header.e_shnum == 0 && header.e_shoff != 0)
		return -ENOEXEC;
	image.sections = header.e_shoff;
	image.section_count = header.e_shentsize == sizeof(Elf64_Shdr) ? header.e_shnum : 0;
	image.section_names = header.e_shstrndx;
	err = program_headers_read(&image, &header);
	if (err)
		return err;
	*ret_image = image;
	return 0;
}

static const struct elf_load *load_of(const struct elf_image *image, uint64_t vaddr,
				      uint64_t length)
{
	for (uint32_t i = 0; i < image->load_count; i++) {
		const struct elf_load *load = &image->loads[i];

		if (vaddr >= load->vaddr && vaddr - load->vaddr <= load->file_size &&
		    length <= load->file_size - (vaddr - load->vaddr))
			return load;
	}
	return NULL;
}

int elf_image_read(const struct elf_image *image, uint64_t vaddr, void *to, size_t length)
{
	const struct elf_load *load = load_of(image, vaddr, length);

	return load ? image_bytes(image, load->offset + (vaddr - load->vaddr), to, length)
		    : -EFAULT;
}

uint64_t elf_image_offset(const struct elf_image *image, uint64_t vaddr)
{
	const struct elf_load *load = load_of(image, vaddr, 1);

	return load ? load->offset + (vaddr - load->vaddr) : UINT64_MAX;
}

static bool section_at(const struct elf_image *image, uint64_t index, Elf64_Shdr *ret_header)
{
	return index < image->section_count && image->sections <= image->size &&
	       !image_bytes(image, image->sections + index * sizeof(*ret_header), ret_header,
			    sizeof(*ret_header));
}

/* Does the file have all that the header says? */
static bool content_is_there(const struct elf_image *image, const Elf64_Shdr *header)
{
	return header->sh_type != SHT_NOBITS && header->sh_offset <= image->size &&
	       header->sh_size <= image->size - header->sh_offset;
}

/* A table of strings; held, unless it is large. */
struct strings {
	const struct elf_image *image;
	uint64_t offset, size;
	char *held;
};

static void strings_done(struct strings *strings)
{
	free(strings->held);
}

/* Holds nothing: each string is read by itself. */
static bool strings_find(const struct elf_image *image, uint64_t index, struct strings *ret_strings)
{
	Elf64_Shdr header;

	if (!section_at(image, index, &header) || header.sh_type != SHT_STRTAB ||
	    !content_is_there(image, &header))
		return false;
	*ret_strings = (struct strings){
		.image = image, .offset = header.sh_offset, .size = header.sh_size};
	return true;
}

static bool strings_open(const struct elf_image *image, uint64_t index, struct strings *ret_strings)
{
	struct strings strings;

	if (!strings_find(image, index, &strings))
		return false;
	if (strings.size <= STRINGS_HELD_MAX) {
		strings.held = malloc(strings.size + 1);
		if (!strings.held ||
		    image_bytes(image, strings.offset, strings.held, strings.size)) {
			free(strings.held);
			return false;
		}
	}
	*ret_strings = strings;
	return true;
}

/* A string, cut off at ELF_NAME_MAX; false when there is none that ends inside the table. */
static bool string_at(const struct strings *strings, uint64_t at, char to[ELF_NAME_MAX])
{
	size_t length;
	bool ends;

	if (at >= strings->size)
		return false;
	length = strings->size - at < ELF_NAME_MAX ? strings->size - at : ELF_NAME_MAX;
	if (strings->held)
		memcpy(to, strings->held + at, length);
	else if (image_bytes(strings->image, strings->offset + at, to, length))
		return false;
	ends = memchr(to, 0, length);
	/* a name that fills the buffer is longer than any that is searched for, wherever it ends */
	if (!ends && length < ELF_NAME_MAX)
		return false;
	to[ELF_NAME_MAX - 1] = 0;
	return true;
}

/* A symbol table with its names. */
struct symbols {
	const struct elf_image *image;
	struct strings strings;
	uint64_t offset, count;
	Elf64_Sym *held; /* all of them; NULL unless that was asked for */
};

static void symbols_done(struct symbols *symbols)
{
	strings_done(&symbols->strings);
	free(symbols->held);
}

static bool symbols_open(const struct elf_image *image, const Elf64_Shdr *header,
			 struct symbols *ret_symbols)
{
	struct symbols symbols = {.image = image,
				  .offset = header->sh_offset,
				  .count = header->sh_size / sizeof(Elf64_Sym)};

	if (!content_is_there(image, header) || header->sh_entsize != sizeof(Elf64_Sym) ||
	    header->sh_size % sizeof(Elf64_Sym) ||
	    !strings_open(image, header->sh_link, &symbols.strings))
		return false;
	*ret_symbols = symbols;
	return true;
}

/* Reads entries from `index` on, as many as there are, at most AT_ONCE. 0: none, or they cannot be
 * read. */
static size_t entries_read(const struct elf_image *image, uint64_t offset, uint64_t count,
			   uint64_t index, void *to, size_t size)
{
	size_t number = index >= count ? 0 : count - index < AT_ONCE ? count - index : AT_ONCE;

	return number && !image_bytes(image, offset + index * size, to, number * size) ? number : 0;
}

static int symbols_visit(const struct symbols *symbols,
			 int (*visit)(void *ctx, const char *name, const GElf_Sym *symbol),
			 void *ctx)
{
	Elf64_Sym list[AT_ONCE];
	char name[ELF_NAME_MAX];
	size_t got;

	for (uint64_t at = 0; (got = entries_read(symbols->image, symbols->offset, symbols->count,
						  at, list, sizeof(*list)));
	     at += got) {
		for (size_t i = at ? 0 : 1; i < got; i++) {
			int ret = string_at(&symbols->strings, list[i].st_name, name) && *name
					  ? visit(ctx, name, &list[i])
					  : 0;

			if (ret)
				return ret;
		}
	}
	return 0;
}

int elf_image_symbols(const struct elf_image *image, uint32_t table,
		      int (*visit)(void *ctx, const char *name, const GElf_Sym *symbol), void *ctx)
{
	Elf64_Shdr header;

	for (uint64_t i = 1; section_at(image, i, &header); i++) {
		_cleanup_(symbols_done) struct symbols symbols = {0};

		if (header.sh_type == table && symbols_open(image, &header, &symbols))
			/* there is at most one of each */
			return symbols_visit(&symbols, visit, ctx);
	}
	return 0;
}

/* ── the function at an address ──────────────────────────────────────────────────────────────── */

static bool is_function(const Elf64_Sym *symbol)
{
	unsigned int type = ELF64_ST_TYPE(symbol->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) && symbol->st_shndx != SHN_UNDEF &&
	       symbol->st_size && symbol->st_value + symbol->st_size > symbol->st_value;
}

/* Takes one more symbol into account: of those that cover the address, the smallest counts. */
static void narrow(struct elf_function *function, const Elf64_Sym *symbol, uint64_t vaddr,
		   Elf64_Sym *best)
{
	uint64_t end = symbol->st_value + symbol->st_size;

	if (symbol->st_value > vaddr) {
		function->end = symbol->st_value < function->end ? symbol->st_value : function->end;
		return;
	}
	if (end <= vaddr) {
		function->start = end > function->start ? end : function->start;
		return;
	}
	if (!best->st_size || symbol->st_size < best->st_size)
		*best = *symbol;
}

static bool is_wanted(const struct elf_function *function, const struct strings *strings,
		      const Elf64_Sym *symbol)
{
	char name[ELF_NAME_MAX];

	return is_function(symbol) &&
	       (!function->wanted ||
		(string_at(strings, symbol->st_name, name) && function->wanted(name)));
}

static void function_find(const struct elf_image *image, const Elf64_Shdr *header, uint64_t vaddr,
			  struct elf_function *function)
{
	_cleanup_(strings_done) struct strings strings = {0};
	uint64_t count = header->sh_size / sizeof(Elf64_Sym), end;
	Elf64_Sym list[AT_ONCE], best = {0};
	char name[ELF_NAME_MAX];
	size_t got;

	if (!(function->wanted ? strings_open : strings_find)(image, header->sh_link, &strings))
		return;
	for (uint64_t at = 0;
	     (got = entries_read(image, header->sh_offset, count, at, list, sizeof(*list)));
	     at += got)
		for (size_t i = 0; i < got; i++)
			if (is_wanted(function, &strings, &list[i]))
				narrow(function, &list[i], vaddr, &best);
	if (!best.st_size || !string_at(&strings, best.st_name, name))
		return;
	end = best.st_value + best.st_size;
	function->start = best.st_value > function->start ? best.st_value : function->start;
	function->end = end < function->end ? end : function->end;
	memcpy(function->name, name, sizeof(name));
}

void elf_image_function(const struct elf_image *image, uint32_t table, uint64_t vaddr,
			struct elf_function *function)
{
	Elf64_Shdr header;

	for (uint64_t i = 1; section_at(image, i, &header); i++) {
		if (header.sh_type != table)
			continue;
		if (content_is_there(image, &header) && header.sh_entsize == sizeof(Elf64_Sym))
			function_find(image, &header, vaddr, function);
		return; /* there is at most one of each */
	}
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

int elf_image_symbol(const struct elf_image *image, uint32_t table, const char *name,
		     GElf_Sym *ret_symbol)
{
	struct wanted wanted = {.name = name};

	if (elf_image_symbols(image, table, symbol_match, &wanted) != 1)
		return -ENOENT;
	*ret_symbol = wanted.symbol;
	return 0;
}

/* For access in any order. A large table is not held. */
static void symbols_hold(struct symbols *symbols)
{
	size_t bytes = symbols->count * sizeof(*symbols->held);
	_cleanup_(freep) Elf64_Sym *list = bytes <= SYMBOLS_HELD_MAX ? malloc(bytes + 1) : NULL;

	if (list && !image_bytes(symbols->image, symbols->offset, list, bytes))
		symbols->held = STEAL(list, NULL);
}

static bool symbol_at(const struct symbols *symbols, uint64_t index, Elf64_Sym *ret_symbol)
{
	if (index >= symbols->count)
		return false;
	if (!symbols->held)
		return !image_bytes(symbols->image, symbols->offset + index * sizeof(*ret_symbol),
				    ret_symbol, sizeof(*ret_symbol));
	*ret_symbol = symbols->held[index];
	return true;
}

static int relocations_visit(const struct symbols *symbols, const Elf64_Shdr *header,
			     int (*visit)(void *ctx, const char *name, uint64_t slot), void *ctx)
{
	const struct elf_image *image = symbols->image;
	Elf64_Rela list[AT_ONCE];
	char name[ELF_NAME_MAX];
	size_t got;

	for (uint64_t at = 0;
	     (got = entries_read(image, header->sh_offset, header->sh_size / sizeof(*list), at,
				 list, sizeof(*list)));
	     at += got) {
		for (size_t i = 0; i < got; i++) {
			uint64_t index = ELF64_R_SYM(list[i].r_info);
			Elf64_Sym symbol;
			int ret;

			if (!index || !symbol_at(symbols, index, &symbol))
				continue;
			ret = string_at(&symbols->strings, symbol.st_name, name) && *name
				      ? visit(ctx, name, list[i].r_offset)
				      : 0;
			if (ret)
				return ret;
		}
	}
	return 0;
}

int elf_image_imports(const struct elf_image *image,
		      int (*visit)(void *ctx, const char *name, uint64_t slot), void *ctx)
{
	Elf64_Shdr header, symbol_header;

	for (uint64_t i = 1; section_at(image, i, &header); i++) {
		_cleanup_(symbols_done) struct symbols symbols = {0};
		int ret;

		if (header.sh_type != SHT_RELA || header.sh_entsize != sizeof(Elf64_Rela) ||
		    header.sh_size % sizeof(Elf64_Rela) || !content_is_there(image, &header) ||
		    !section_at(image, header.sh_link, &symbol_header) ||
		    symbol_header.sh_type != SHT_DYNSYM ||
		    !symbols_open(image, &symbol_header, &symbols))
			continue;
		symbols_hold(&symbols);
		ret = relocations_visit(&symbols, &header, visit, ctx);
		if (ret)
			return ret;
	}
	return 0;
}

static bool section_named(const struct elf_image *image, const char *name, Elf64_Shdr *ret_header)
{
	_cleanup_(strings_done) struct strings names = {0};
	char found[ELF_NAME_MAX];

	if (!strings_open(image, image->section_names, &names))
		return false;
	for (uint64_t i = 1; section_at(image, i, ret_header); i++)
		if (string_at(&names, ret_header->sh_name, found) && strcmp(found, name) == 0)
			return true;
	return false;
}

int elf_image_section(const struct elf_image *image, const char *name, uint64_t *ret_vaddr,
		      uint64_t *ret_size)
{
	Elf64_Shdr header;

	if (!section_named(image, name, &header))
		return -ENOENT;
	*ret_vaddr = header.sh_addr;
	*ret_size = header.sh_size;
	return 0;
}

int elf_image_section_bytes(const struct elf_image *image, const char *name, uint8_t **ret_bytes,
			    size_t *ret_size)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	Elf64_Shdr header;

	if (!section_named(image, name, &header))
		return -ENOENT;
	if (!content_is_there(image, &header) || header.sh_size > SECTION_BYTES_MAX)
		return -EFAULT;
	bytes = malloc(header.sh_size + 1);
	if (!bytes)
		return -ENOMEM;
	if (image_bytes(image, header.sh_offset, bytes, header.sh_size))
		return -EFAULT;
	*ret_bytes = STEAL(bytes, NULL);
	*ret_size = header.sh_size;
	return 0;
}
