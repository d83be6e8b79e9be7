/* SPDX-License-Identifier: MIT */
#include "python/native.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "python/image.h"
#include "python/private.h"

/* Symbols of built-in modules that compute: how their names begin (cpython/Modules: _sre, _json.c,
 * _pickle.c, _csv.c, unicodedata.c, _struct.c, the hashes, _datetimemodule.c, and zlib where it is
 * linked in). */
static const struct {
	const char *prefix, *module;
} builtin[] = {
	{"sre_", "sre"},
	{"_sre_", "sre"},
	{"scan_once_unicode", "json"},
	{"_parse_object_unicode", "json"},
	{"_parse_array_unicode", "json"},
	{"scanstring_unicode", "json"},
	{"encoder_listencode_", "json"},
	{"encoder_call", "json"},
	{"encoder_encode_", "json"},
	{"ascii_escape_unicode", "json"},
	{"escape_unicode", "json"},
	{"py_encode_basestring", "json"},
	{"_pickle_", "pickle"},
	{"save_reduce", "pickle"},
	{"batch_dict", "pickle"},
	{"batch_list", "pickle"},
	{"load_build", "pickle"},
	{"Reader_iternext", "csv"},
	{"parse_process_char", "csv"},
	{"csv_writerow", "csv"},
	{"unicodedata_", "unicodedata"},
	{"deflate", "zlib"},
	{"inflate", "zlib"},
	{"crc32", "zlib"},
	{"adler32", "zlib"},
};

static const char *builtin_module(const char *symbol)
{
	for (size_t i = 0; i < sizeof(builtin) / sizeof(*builtin); i++)
		if (strncmp(symbol, builtin[i].prefix, strlen(builtin[i].prefix)) == 0)
			return builtin[i].module;
	return "";
}

static bool is_builtin(const char *symbol)
{
	return builtin_module(symbol)[0];
}

static const struct mapping *mapping_at(const struct mappings *mappings, uint64_t address)
{
	for (size_t i = 0; i < mappings->count; i++)
		if (address >= mappings->list[i].start && address < mappings->list[i].end)
			return &mappings->list[i];
	return NULL;
}

static bool is_interpreter(const struct target *target, const struct mappings *mappings,
			   const struct mapping *mapping)
{
	const struct mapping *image = target->site_count
					      ? mapping_at(mappings, target->image_bias +
									     target->sites[0].vaddr)
					      : NULL;

	return image && image->device == mapping->device && image->inode == mapping->inode;
}

/* For one address: the ring is not drained meanwhile. */
#define ONCE_BYTES (UINT64_C(64) << 20)

static struct elf_budget budget_for_once(const struct target *target)
{
	uint64_t left = target->private->native_budget.left;

	return (struct elf_budget){.left = left < ONCE_BYTES ? left : ONCE_BYTES};
}

/* Reduces the range to what is around the address, and finds the symbol. Of all functions of the
 * interpreter between two that tell something, nothing is reported: one answer for many. */
static void find_symbol(struct target *target, const struct mapping *mapping, bool interpreter,
			uint64_t address, struct native_code *code)
{
	_cleanup_(image_done) struct image image = {.fd = -1, .elf.fd = -1};
	struct elf_budget *all = &target->private->native_budget, once = budget_for_once(target);
	uint64_t limit = once.left;
	struct elf_function function = {.wanted = interpreter ? is_builtin : NULL};

	if (image_open((pid_t)target->info.pid, mapping, &once, &image)) {
		all->left -= limit - once.left;
		return;
	}
	function.start = mapping->start - image.bias;
	function.end = mapping->end - image.bias;
	elf_image_function(&image.elf, SHT_SYMTAB, address - image.bias, &function);
	if (!function.name[0])
		elf_image_function(&image.elf, SHT_DYNSYM, address - image.bias, &function);
	all->left -= limit - once.left;
	if (elf_budget_spent(&once)) {
		/* nothing is known of its neighbours; other functions of the file stay known */
		if (!elf_budget_spent(all)) {
			code->start = address;
			code->end = address + 1;
		}
		return;
	}
	code->start = function.start + image.bias;
	code->end = function.end + image.bias;
	memcpy(code->symbol, function.name, sizeof(code->symbol));
}

int target_native(struct target *target, uint64_t address, struct native_code *ret_code)
{
	_cleanup_(mappings_done) struct mappings mappings = {0};
	int err = mappings_read((pid_t)target->info.pid, &mappings);
	const struct mapping *mapping = err ? NULL : mapping_at(&mappings, address);
	bool interpreter;

	if (err)
		return err;
	if (!mapping)
		return -ENOENT;
	interpreter = is_interpreter(target, &mappings, mapping);
	*ret_code = (struct native_code){.start = mapping->start, .end = mapping->end};
	if (!mapping->executable || mapping->path[0] != '/' || !mapping->inode)
		return 0;
	find_symbol(target, mapping, interpreter, address, ret_code);
	snprintf(ret_code->module, sizeof(ret_code->module), "%s",
		 interpreter ? builtin_module(ret_code->symbol) : mapping->path);
	return 0;
}
