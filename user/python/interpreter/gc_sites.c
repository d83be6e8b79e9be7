/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "python/interpreter/gc_sites.h"
#include "python/versions/layout.h"

enum {
	NOTE_BYTES_MAX = 1 << 20,
	NOTE_STAPSDT = 3, /* type of a note of "stapsdt" */
	ARGUMENT_TEXT_MAX = 64,
	REGISTER_UNKNOWN = -2,
	REGISTER_NONE = -1,
	BASE_NONE = -1,
#if defined(__x86_64__)
	REGISTER_ARGUMENT_2 = 4, /* rsi */
#else
	REGISTER_ARGUMENT_2 = 1, /* x1 */
#endif
};

static bool add(struct gc_sites *sites, const struct elf_image *image, struct gc_site site)
{
	bool executable = false;

	for (uint32_t i = 0; i < image->load_count; i++)
		executable |= image->loads[i].executable &&
			      site.vaddr - image->loads[i].vaddr < image->loads[i].file_size;
	site.offset = elf_image_offset(image, site.vaddr);
	if (!executable || site.offset == UINT64_MAX || sites->count == GC_SITES_MAX)
		return false;
	sites->list[sites->count++] = site;
	return true;
}

static bool complete(const struct gc_sites *sites)
{
	bool begin = false, end = false;

	for (uint32_t i = 0; i < sites->count; i++) {
		begin |= !sites->list[i].end;
		end |= sites->list[i].end;
	}
	return begin && end;
}

/* ── probe points ────────────────────────────────────────────────────────── */

#if defined(__x86_64__)
/* DWARF's numbers (System V ABI, AMD64 supplement, figure 3.36), under the names of the whole and
 * of the lower half */
static int register_number(const char *name)
{
	static const char *const names[][2] = {
		{"rax", "eax"},	 {"rdx", "edx"},  {"rcx", "ecx"},  {"rbx", "ebx"},
		{"rsi", "esi"},	 {"rdi", "edi"},  {"rbp", "ebp"},  {"rsp", "esp"},
		{"r8", "r8d"},	 {"r9", "r9d"},	  {"r10", "r10d"}, {"r11", "r11d"},
		{"r12", "r12d"}, {"r13", "r13d"}, {"r14", "r14d"}, {"r15", "r15d"},
	};

	for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++)
		if (strcmp(name, names[i][0]) == 0 || strcmp(name, names[i][1]) == 0)
			return i;
	return -1;
}
#else
static int register_number(const char *name)
{
	char *end;
	unsigned long number;

	if (strcmp(name, "sp") == 0)
		return 31;
	if ((*name != 'x' && *name != 'w') || name[1] < '0' || name[1] > '9')
		return -1;
	number = strtoul(name + 1, &end, 10);
	return !*end && number < 31 ? (int)number : -1;
}
#endif

static bool constant(const char *text, int32_t *ret_value)
{
	char *end;
	long value;

	if (*text != '-' && (*text < '0' || *text > '9'))
		return false;
	value = strtol(text, &end, 0);
	*ret_value = (int32_t)value;
	return !*end && value >= INT32_MIN && value <= INT32_MAX;
}

/* "112(%rsp)", "(%rax)"; "[sp, 28]", "[x0]". Cuts the text into its two parts. */
static bool memory_operand(char *text, const char **ret_register, const char **ret_distance)
{
#if defined(__x86_64__)
	char *open = strchr(text, '('), *close = open ? strchr(open, ')') : NULL;

	if (!open || open[1] != '%' || !close || close[1])
		return false;
	*open = *close = 0;
	*ret_register = open + 2;
	*ret_distance = *text ? text : "0";
#else
	char *close = strchr(text, ']'), *comma = strchr(text, ',');

	if (*text != '[' || !close || close[1])
		return false;
	*close = 0;
	*ret_register = text + 1;
	*ret_distance = "0";
	if (comma) {
		*comma = 0;
		*ret_distance = comma + 1 + strspn(comma + 1, " ");
	}
#endif
	return true;
}

void gc_argument_parse(const char *text, struct gc_site *site)
{
	/* sys/sdt.h: what is no register and no number would need an expression's value, or an
	 * index */
	const char *base, *distance, *at = strchr(text, '@');
	char operand[ARGUMENT_TEXT_MAX];
	int32_t value;

	site->generation_register = REGISTER_UNKNOWN;
	site->generation_base = BASE_NONE;
	site->generation = 0;
	/* an int, signed */
	if (!at || strncmp(text, "-4@", 3) != 0 || strlen(at + 1) >= sizeof(operand))
		return;
	strcpy(operand, at + 1);
#if defined(__x86_64__)
	if (*operand == '%') {
		int number = register_number(operand + 1);

		site->generation_register = (int8_t)(number < 0 ? REGISTER_UNKNOWN : number);
		return;
	}
	if (*operand == '$' && constant(operand + 1, &value)) {
#else
	if (register_number(operand) >= 0) {
		site->generation_register = (int8_t)register_number(operand);
		return;
	}
	if (constant(operand, &value)) {
#endif
		site->generation_register = REGISTER_NONE;
		site->generation = value;
	} else if (memory_operand(operand, &base, &distance) && register_number(base) >= 0 &&
		   constant(distance, &value)) {
		site->generation_base = (int8_t)register_number(base);
		site->generation = value;
	}
}

/* A note's description: addresses of the probe point, of section .stapsdt.base when the file was
 * linked, and of the counter; then three texts. */
struct probe {
	uint64_t vaddr, base, semaphore;
	const char *provider, *name, *arguments;
};

static const char *next_text(const char **at, const char *end)
{
	const char *text = *at,
		   *terminator = text < end ? memchr(text, 0, (size_t)(end - text)) : NULL;

	if (!terminator)
		return NULL;
	*at = terminator + 1;
	return text;
}

static bool probe_parse(const uint8_t *bytes, size_t size, struct probe *ret_probe)
{
	const char *at = (const char *)bytes + 3 * sizeof(uint64_t),
		   *end = (const char *)bytes + size;
	struct probe probe;

	if (size < 3 * sizeof(uint64_t))
		return false;
	memcpy(&probe.vaddr, bytes, sizeof(uint64_t));
	memcpy(&probe.base, bytes + 8, sizeof(uint64_t));
	memcpy(&probe.semaphore, bytes + 16, sizeof(uint64_t));
	probe.provider = next_text(&at, end);
	probe.name = probe.provider ? next_text(&at, end) : NULL;
	probe.arguments = probe.name ? next_text(&at, end) : NULL;
	*ret_probe = probe;
	return probe.arguments;
}

static bool probe_add(struct gc_sites *sites, const struct elf_image *image,
		      const struct probe *probe, uint64_t moved)
{
	struct gc_site site = {.vaddr = probe->vaddr + moved,
			       .end = strcmp(probe->name, "gc__done") == 0};

	if (strcmp(probe->provider, "python") != 0 ||
	    (!site.end && strcmp(probe->name, "gc__start") != 0))
		return true;
	gc_argument_parse(site.end ? "" : probe->arguments, &site);
	if (probe->semaphore) {
		site.semaphore = elf_image_offset(image, probe->semaphore + moved);
		if (site.semaphore == UINT64_MAX)
			return false;
	}
	return add(sites, image, site);
}

/* All or nothing: one unusable probe point discards the others, because seeing half of the
 * collections would be worse than seeing none. */
static void find_probes(const struct elf_image *image, struct gc_sites *sites)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	uint64_t base = 0, base_size;
	size_t size, at = 0;

	if (elf_image_section_bytes(image, ".note.stapsdt", &bytes, &size) ||
	    size > NOTE_BYTES_MAX || elf_image_section(image, ".stapsdt.base", &base, &base_size))
		return;
	while (at < size && size - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		struct probe probe;
		uint64_t name, description;

		memcpy(&note, bytes + at, sizeof(note));
		name = at + sizeof(note);
		description = name + ((uint64_t)note.n_namesz + 3) / 4 * 4;
		if (description > size || note.n_descsz > size - description)
			break;
		if (note.n_type == NOTE_STAPSDT && note.n_namesz == 8 &&
		    memcmp(bytes + name, "stapsdt", 8) == 0 &&
		    probe_parse(bytes + description, note.n_descsz, &probe) &&
		    !probe_add(sites, image, &probe, base - probe.base)) {
			sites->count = 0;
			return;
		}
		at = description + ((uint64_t)note.n_descsz + 3) / 4 * 4;
	}
	if (!complete(sites))
		sites->count = 0;
}

/* ── symbols ─────────────────────────────────────────────────────────────── */

struct search {
	const struct elf_image *image;
	struct gc_sites *sites;
	const char *name;
	const char *file; /* only in this source file; NULL: anywhere */
	bool in_file, bad;
};

/* Whether the suffix is that of a whole copy of a function ("collect.constprop.0",
 * "gc_collect_main.isra.0.lto_priv.1"), not of a part of it (".cold", ".part.0"). */
static bool is_copy(const char *suffix)
{
	static const char *const kinds[] = {".constprop.", ".isra.", ".lto_priv."};

	while (*suffix) {
		size_t length = 0;

		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !length; i++)
			if (strncmp(suffix, kinds[i], strlen(kinds[i])) == 0)
				length = strlen(kinds[i]) +
					 strspn(suffix + strlen(kinds[i]), "0123456789");
		if (!length)
			return false;
		suffix += length;
	}
	return true;
}

static int visit_symbol(void *ctx, const char *name, const GElf_Sym *symbol)
{
	struct search *search = ctx;
	size_t length = strlen(search->name);
	bool copy = strncmp(name, search->name, length) == 0 && name[length];
	struct gc_site site = {.vaddr = symbol->st_value,
			       .generation_base = BASE_NONE,
			       .generation_register = REGISTER_ARGUMENT_2};

	if (GELF_ST_TYPE(symbol->st_info) == STT_FILE)
		search->in_file = search->file && strcmp(name, search->file) == 0;
	if (GELF_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF ||
	    strncmp(name, search->name, length) != 0 || !is_copy(name + length) ||
	    (search->file && !search->in_file))
		return 0;
	if (copy) /* the compiler may have left arguments out */
		site.generation_register = REGISTER_UNKNOWN;
	if (!add(search->sites, search->image, site))
		search->bad = true;
	site.end = site.at_return = true;
	site.generation_register = REGISTER_UNKNOWN;
	if (!add(search->sites, search->image, site))
		search->bad = true;
	return search->bad;
}

/* The collector proper: (thread state or collector's state, generation, …). */
static void find_symbols(const struct elf_image *image, unsigned int collectors,
			 struct gc_sites *sites)
{
	static const struct {
		unsigned int collector;
		const char *name, *file;
	} functions[] = {
		{COLLECTOR_STATIC, "collect", "gcmodule.c"}, /* not from any file: a common word */
		{COLLECTOR_MAIN, "gc_collect_main", NULL},
		{COLLECTOR_EXPORTED, "_PyGC_Collect", NULL},
	};

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]) && !sites->count; i++) {
		struct search search = {.image = image,
					.sites = sites,
					.name = functions[i].name,
					.file = functions[i].file};

		if (!(collectors & functions[i].collector))
			continue;
		(void)elf_image_symbols(image, SHT_SYMTAB, visit_symbol, &search);
		if (search.bad)
			sites->count = 0;
	}
}

void gc_sites_find(const struct elf_image *image, unsigned int collectors,
		   struct gc_sites *ret_sites)
{
	ret_sites->count = 0;
	find_probes(image, ret_sites);
	if (!ret_sites->count)
		find_symbols(image, collectors, ret_sites);
}
