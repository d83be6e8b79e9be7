/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "python/process/memory.h"
#include "python/interpreter/stacks.h"

enum {
	SPAN_BYTES = CODE_SPAN_WORDS * 8,
	OWNER_NO_SHIM = 255,
};

/* An offset in 16 bits, STACK_NONE for LAYOUT_NONE. */
static uint16_t narrow(uint32_t offset, bool *too_far)
{
	if (offset == LAYOUT_NONE)
		return STACK_NONE;
	if (offset >= STACK_NONE)
		*too_far = true;
	return (uint16_t)offset;
}

static bool in_span(const struct stack_layout *stack, uint32_t offset, uint32_t size)
{
	return offset >= stack->code_span && offset - stack->code_span + size <= SPAN_BYTES;
}

/* The span of words that identifies a code object ends with the line table. */
static bool span_of(const struct python_layout *layout, struct stack_layout *stack)
{
	if (layout->code_linetable < SPAN_BYTES - 8)
		return false;
	stack->code_span = (uint16_t)(layout->code_linetable + 8 - SPAN_BYTES);
	stack->code_name_word = (uint8_t)((layout->code_name - stack->code_span) / 8);
	stack->code_linetable_word = (uint8_t)((layout->code_linetable - stack->code_span) / 8);
	return in_span(stack, layout->code_firstlineno, 4) &&
	       in_span(stack, layout->code_filename, 8) && in_span(stack, layout->code_name, 8);
}

static uint32_t or (uint32_t value, uint32_t instead)
{
	return value == LAYOUT_NONE ? instead : value;
}

int stack_layout_of(const struct python_layout *layout, uint64_t runtime,
		    struct stack_layout *ret_stack)
{
	bool bad = !layout->has_stacks;
	struct stack_layout stack = {
		.runtime = runtime,
		.runtime_interpreters = layout->runtime_interpreters,
		.interp_next = narrow(layout->interp_next, &bad),
		.interp_id = narrow(layout->interp_id, &bad),
		.interp_gil = (uint16_t) or (layout->interp_gil, 0),
		.interp_threads = layout->interp_threads,
		.interp_gc_collecting = or (layout->interp_gc_collecting, 0),
		.tstate_next = narrow(layout->tstate_next, &bad),
		.tstate_interp = narrow(layout->tstate_interp, &bad),
		.tstate_thread_id = narrow(layout->tstate_thread_id, &bad),
		.tstate_frame = narrow(layout->tstate_frame, &bad),
		.tstate_bound = narrow(layout->tstate_bound, &bad),
		.tstate_active = narrow(layout->tstate_active, &bad),
		.tstate_state = narrow(layout->tstate_state, &bad),
		.tstate_critical = narrow(layout->tstate_critical, &bad),
		.cframe_current = narrow(layout->cframe_current, &bad),
		.tstate_task = STACK_NONE,
		.task_name = STACK_NONE,
		.frame_previous = narrow(layout->frame_previous, &bad),
		.frame_code = narrow(layout->frame_code, &bad),
		.frame_instr = narrow(layout->frame_instr, &bad),
		.frame_owner = narrow(layout->frame_owner, &bad),
		.frame_generator = narrow(layout->frame_generator, &bad),
		.owner_generator = (uint8_t)layout->owner_generator,
		.owner_shim_min = (uint8_t) or (layout->owner_shim_min, OWNER_NO_SHIM),
		.instr_kind = (uint8_t)layout->instr_form,
		.code_tagged = (uint8_t)layout->code_tagged,
		.code_instructions = (uint16_t) or (layout->code_instructions, 0),
		.frame_copy = narrow(layout->frame_copy, &bad),
		.code_copies = narrow(layout->code_copies, &bad),
		.code_weak = (uint8_t)layout->code_weak,
		.parks = layout->parks == 1,
		.free_threaded = layout->free_threaded,
		.unicode_hash = narrow(layout->unicode_hash, &bad),
		.unicode_length = narrow(layout->unicode_length, &bad),
		.unicode_state = narrow(layout->unicode_state, &bad),
		.unicode_compact = narrow(layout->unicode_compact, &bad),
		.unicode_ascii = narrow(layout->unicode_ascii, &bad),
		.bytes_size = narrow(layout->bytes_size, &bad),
		.bytes_data = narrow(layout->bytes_data, &bad),
	};

	if (bad || !span_of(layout, &stack))
		return -ENOTSUP;
	*ret_stack = stack;
	return 0;
}

uint64_t stacks_code_type(const struct image *image)
{
	GElf_Sym type;

	if (elf_image_symbol(&image->elf, SHT_DYNSYM, "PyCode_Type", &type) &&
	    elf_image_symbol(&image->elf, SHT_SYMTAB, "PyCode_Type", &type))
		return 0;
	return image->bias + type.st_value;
}

uint64_t stacks_code_gone(pid_t pid, const struct image *image, const struct python_layout *layout)
{
	uint64_t function, offset = UINT64_MAX, type = stacks_code_type(image);

	if (!type || memory_read_u64(pid, type + layout->type_dealloc, &function))
		return 0;
	function -= image->bias;
	for (uint32_t i = 0; i < image->elf.load_count; i++)
		if (image->elf.loads[i].executable &&
		    function - image->elf.loads[i].vaddr < image->elf.loads[i].file_size)
			offset = elf_image_offset(&image->elf, function);
	return offset == UINT64_MAX ? 0 : offset;
}
