/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "python/interpreter/debug_offsets.h"
#include "python/process/memory.h"
#include "python/interpreter/stacks.h"
#include "python/interpreter/version.h"

enum {
	SPAN_BYTES = CODE_SPAN_WORDS * 8,
	OWNER_GENERATOR = 1, /* FRAME_OWNED_BY_GENERATOR, 3.11 to 3.15 */
	OWNER_NO_SHIM = 255,
	OWNER_SHIM = 3, /* FRAME_OWNED_BY_CSTACK (3.12, 3.13), _BY_INTERPRETER and then _BY_CSTACK
			   (3.14), _BY_INTERPRETER (3.15) */
	GC_COLLECTING = 200, /* struct _gc_runtime_state.collecting, 3.9 to 3.12; 3.8 keeps it in
				_PyRuntime */
	COMPACT_311 = 24,  /* what PyCompactUnicodeObject adds to PyASCIIObject: utf8_length, utf8,
			      wstr_length */
	COMPACT_312 = 16,  /* … without wstr_length */
	INTERNED_BITS = 2, /* state.interned, the lowest bits of the state … */
	INTERNED_BITS_314T = 8, /* … and in free-threaded builds from 3.14 on
				   (Include/cpython/unicodeobject.h) */
};

/* 3.8 to 3.12. The span ends with the line table; what it begins with follows from that. */
static const struct row {
	uint32_t gc; /* PyInterpreterState.gc */
	uint16_t tstate_frame, cframe_current, frame_previous, frame_code, frame_instr, frame_owner,
		frame_generator;
	uint8_t owner_shim_min, instr_kind;
	uint16_t firstlineno, filename, name, linetable, instructions;
	int16_t qualname;
	uint8_t unicode_ascii, unicode_compact, lines;
} rows[] = {
	[8] = {0, 24, STACK_NONE, 24, 32, 104, STACK_NONE, 96, OWNER_NO_SHIM, STACK_LASTI_BYTES, 40,
	       104, 112, 120, 0, -1, 48, 48 + COMPACT_311, LINES_LNOTAB},
	[9] = {616, 24, STACK_NONE, 24, 32, 104, STACK_NONE, 96, OWNER_NO_SHIM, STACK_LASTI_BYTES,
	       40, 104, 112, 120, 0, -1, 48, 48 + COMPACT_311, LINES_LNOTAB},
	[10] = {616, 24, STACK_NONE, 24, 32, 96, STACK_NONE, 88, OWNER_NO_SHIM, STACK_LASTI_UNITS,
		40, 104, 112, 120, 0, -1, 48, 48 + COMPACT_311, LINES_310},
	[11] = {648, 56, 8, 48, 32, 56, 69, STACK_NONE, OWNER_NO_SHIM, STACK_INSTR, 72, 112, 120,
		136, 184, 128, 48, 48 + COMPACT_311, LINES_311},
	[12] = {112, 56, 0, 8, 0, 56, 70, STACK_NONE, OWNER_SHIM, STACK_INSTR, 68, 112, 120, 136,
		192, 128, 40, 40 + COMPACT_312, LINES_311},
};
VERSION_TABLE(rows, PYTHON_MINOR_ROWS);

static struct code_layout code_of_row(const struct row *row)
{
	return (struct code_layout){
		.type = 8,
		.type_name = 24,
		.filename = row->filename,
		.name = row->name,
		.qualname = row->qualname,
		.linetable = row->linetable,
		.firstlineno = row->firstlineno,
		.unicode_length = 16,
		.unicode_state = 32,
		.unicode_ascii = row->unicode_ascii,
		.unicode_compact = row->unicode_compact,
		.bytes_size = 16,
		.bytes_data = 32,
		.lines = row->lines,
	};
}

static struct stack_layout stack_of_row(const struct row *row)
{
	return (struct stack_layout){
		.interp_gc_collecting = row->gc ? row->gc + GC_COLLECTING : 0,
		.tstate_frame = row->tstate_frame,
		.cframe_current = row->cframe_current,
		.frame_previous = row->frame_previous,
		.frame_code = row->frame_code,
		.frame_instr = row->frame_instr,
		.frame_owner = row->frame_owner,
		.frame_generator = row->frame_generator,
		.owner_generator = OWNER_GENERATOR,
		.owner_shim_min = row->owner_shim_min,
		.instr_kind = row->instr_kind,
		.code_instructions = row->instructions,
	};
}

static bool in_span(const struct stack_layout *stack, int32_t offset, int32_t size)
{
	return offset >= stack->code_span && offset + size <= stack->code_span + SPAN_BYTES;
}

/* The walker's part of what both share, and the span of words that tells code objects apart. */
static int join(struct stack_layout *stack, const struct code_layout *code)
{
	stack->tstate_task = stack->task_name = STACK_NONE;
	stack->frame_copy = stack->code_copies = STACK_NONE;
	stack->unicode_length = (uint16_t)code->unicode_length;
	/* PyASCIIObject: length, hash, state, in every version */
	stack->unicode_hash = (uint16_t)(code->unicode_length + 8);
	stack->unicode_state = (uint16_t)code->unicode_state;
	stack->unicode_ascii = (uint16_t)code->unicode_ascii;
	stack->unicode_compact = (uint16_t)code->unicode_compact;
	stack->bytes_size = (uint16_t)code->bytes_size;
	stack->bytes_data = (uint16_t)code->bytes_data;
	if (code->linetable < SPAN_BYTES - 8)
		return -ENOTSUP;
	stack->code_span = (uint16_t)(code->linetable + 8 - SPAN_BYTES);
	if (!in_span(stack, code->firstlineno, 4) || !in_span(stack, code->filename, 8) ||
	    !in_span(stack, code->name, 8))
		return -ENOTSUP;
	stack->code_name_word = (uint8_t)((code->name - stack->code_span) / 8);
	stack->code_linetable_word = (uint8_t)((code->linetable - stack->code_span) / 8);
	return 0;
}

/* Where struct _Py_DebugOffsets keeps its parts; within a part, the fields below stand the same in
 * all versions. */
static const struct parts {
	uint16_t interp_gc, tstate_size, current_frame, frame, code, object, type, bytes, unicode,
		gc;
} parts[] = {
	[13] = {80, 152, 184, 224, 272, 352, 368, 512, 536, 568},
	[14] = {88, 176, 208, 248, 312, 400, 416, 592, 616, 648},
	[15] = {88, 176, 208, 312, 376, 464, 480, 688, 712, 752},
};
VERSION_TABLE(parts, PYTHON_MINOR_MAX);
enum { DEBUG_INTERP_BYTES = 48, FRAME_BYTES_MAX = 1 << 15 };

/* The field'th number of a part, whose first is the size of the structure. */
static uint16_t part_field(struct debug_reader *reader, uint16_t part, unsigned int index,
			   unsigned int alignment)
{
	uint64_t bytes = reader->words[part / 8];

	if (bytes > FRAME_BYTES_MAX)
		reader->bad = true;
	return (uint16_t)debug_field(reader, part + index * 8, bytes, alignment);
}

static struct code_layout code_of_parts(struct debug_reader *r, const struct parts *at)
{
	struct code_layout code = {
		.type = part_field(r, at->object, 1, 8),
		.type_name = part_field(r, at->type, 1, 8),
		.filename = part_field(r, at->code, 1, 8),
		.name = part_field(r, at->code, 2, 8),
		.qualname = part_field(r, at->code, 3, 8),
		.linetable = part_field(r, at->code, 4, 8),
		.firstlineno = part_field(r, at->code, 5, 4),
		.unicode_state = part_field(r, at->unicode, 1, 4),
		.unicode_length = part_field(r, at->unicode, 2, 8),
		.unicode_ascii = part_field(r, at->unicode, 3, 8),
		.bytes_size = part_field(r, at->bytes, 1, 8),
		.bytes_data = part_field(r, at->bytes, 2, 1),
		.lines = LINES_311,
	};

	code.unicode_compact = code.unicode_ascii + COMPACT_312;
	return code;
}

int stacks_parse_debug_offsets(const uint64_t *words, size_t count, uint32_t version_hex,
			       struct stack_layout *ret_stack, struct code_layout *ret_code)
{
	unsigned int minor = version_minor(version_hex);
	const struct parts *at;
	struct debug_reader r = {.words = words};
	struct code_layout code;
	struct stack_layout stack;
	int err;

	if (!version_has_debug_offsets(version_hex) || count < DEBUG_OFFSETS_WORDS)
		return -ENOTSUP;
	at = &parts[minor];
	code = code_of_parts(&r, at);
	stack = (struct stack_layout){
		.interp_gc_collecting = debug_field(&r, at->interp_gc,
						    words[DEBUG_INTERP_BYTES / 8], 8) +
					part_field(&r, at->gc, 1, 4),
		.tstate_frame = (uint16_t)debug_field(&r, at->current_frame,
						      words[at->tstate_size / 8], 8),
		.cframe_current = STACK_NONE,
		.frame_previous = part_field(&r, at->frame, 1, 8),
		.frame_code = part_field(&r, at->frame, 2, 8),
		.frame_instr = part_field(&r, at->frame, 3, 8),
		.frame_owner = part_field(&r, at->frame, 5, 1),
		.frame_generator = STACK_NONE,
		.owner_generator = OWNER_GENERATOR,
		.owner_shim_min = OWNER_SHIM,
		.instr_kind = STACK_INSTR,
		.code_tagged = minor >= 14,
		.code_instructions = part_field(&r, at->code, 9, 2),
	};
	err = join(&stack, &code);
	if (minor >= 14 && words[DEBUG_FREE_THREADED / 8]) {
		code.unicode_shift = INTERNED_BITS_314T - INTERNED_BITS;
		stack.frame_copy = part_field(&r, at->frame, 7, 4);
		stack.code_copies = part_field(&r, at->code, 10, 8);
	}
	if (err || r.bad)
		return -ENOTSUP;
	*ret_stack = stack;
	*ret_code = code;
	return 0;
}

static int row_read(unsigned int minor, struct stack_layout *ret_stack,
		    struct code_layout *ret_code)
{
	*ret_stack = stack_of_row(&rows[minor]);
	*ret_code = code_of_row(&rows[minor]);
	ret_stack->code_weak = minor < 12;
	return join(ret_stack, ret_code);
}

int stacks_layout_read(pid_t pid, uint32_t version_hex, uint64_t runtime,
		       const struct layout *layout, struct stack_layout *ret_stack,
		       struct code_layout *ret_code)
{
	uint64_t words[DEBUG_OFFSETS_WORDS];
	struct code_layout code;
	struct stack_layout stack;
	int err = 0;

	if (!version_supported(version_hex))
		return -ENOTSUP;
	if (version_has_debug_offsets(version_hex)) {
		err = memory_read(pid, runtime, words, sizeof(words));
		if (!err)
			err = stacks_parse_debug_offsets(words, DEBUG_OFFSETS_WORDS, version_hex,
							 &stack, &code);
	} else {
		err = row_read(version_minor(version_hex), &stack, &code);
	}
	if (!err && (layout->interp_next > UINT16_MAX || layout->tstate_next > UINT16_MAX ||
		     layout->tstate_interp > UINT16_MAX || layout->tstate_thread_id > UINT16_MAX))
		err = -ENOTSUP;
	if (err)
		return err;
	stack.runtime = runtime;
	stack.runtime_interpreters = layout->runtime_head;
	stack.interp_next = (uint16_t)layout->interp_next;
	stack.interp_threads = layout->interp_threads;
	stack.tstate_next = (uint16_t)layout->tstate_next;
	stack.tstate_interp = (uint16_t)layout->tstate_interp;
	stack.tstate_thread_id = (uint16_t)layout->tstate_thread_id;
	stack.free_threaded = layout->free_threaded;
	*ret_stack = stack;
	*ret_code = code;
	return 0;
}

uint64_t stacks_code_gone(pid_t pid, const struct image *image, bool free_threaded)
{
	/* PyTypeObject.tp_dealloc comes behind PyVarObject, tp_name and two sizes
	 * (Include/cpython/object.h) */
	const uint64_t tp_dealloc = free_threaded ? 40 + 24 : 24 + 24;
	uint64_t function, offset = UINT64_MAX;
	GElf_Sym type;

	if (elf_image_symbol(&image->elf, SHT_DYNSYM, "PyCode_Type", &type) &&
	    elf_image_symbol(&image->elf, SHT_SYMTAB, "PyCode_Type", &type))
		return 0;
	if (memory_read_u64(pid, image->bias + type.st_value + tp_dealloc, &function))
		return 0;
	function -= image->bias;
	for (uint32_t i = 0; i < image->elf.load_count; i++)
		if (image->elf.loads[i].executable &&
		    function - image->elf.loads[i].vaddr < image->elf.loads[i].file_size)
			offset = elf_image_offset(&image->elf, function);
	return offset == UINT64_MAX ? 0 : offset;
}
