/* SPDX-License-Identifier: MIT */
#include "python/interpreter/frames.h"

#include "python/process/memory.h"

/* The fields of one frame; those that the version does not have are 0. */
struct fields {
	uint64_t previous, code, instr, generator;
	uint32_t copy;
	uint8_t owner;
};

static bool has(uint16_t offset)
{
	return offset != STACK_NONE;
}

static int read_fields(pid_t pid, const struct stack_layout *layout, uint64_t frame,
		       struct fields *ret_fields)
{
	struct fields fields = {0};
	uint32_t lasti = 0;
	int err = memory_read_u64(pid, frame + layout->frame_previous, &fields.previous);

	if (!err)
		err = memory_read_u64(pid, frame + layout->frame_code, &fields.code);
	if (!err && layout->instr_kind == STACK_INSTR)
		err = memory_read_u64(pid, frame + layout->frame_instr, &fields.instr);
	else if (!err)
		err = memory_read_u32(pid, frame + layout->frame_instr, &lasti);
	if (!err && has(layout->frame_owner))
		err = memory_read(pid, frame + layout->frame_owner, &fields.owner, 1);
	if (!err && has(layout->frame_generator))
		err = memory_read_u64(pid, frame + layout->frame_generator, &fields.generator);
	if (!err && has(layout->frame_copy))
		err = memory_read_u32(pid, frame + layout->frame_copy, &fields.copy);
	if (err)
		return err;
	if (layout->instr_kind != STACK_INSTR)
		fields.instr = (uint64_t)(int64_t)(int32_t)lasti;
	fields.code &= layout->code_tagged ? ~3ull : ~0ull;
	*ret_fields = fields;
	return 0;
}

static bool is_generator(const struct stack_layout *layout, const struct fields *fields)
{
	return has(layout->frame_owner) ? fields->owner == layout->owner_generator
					: fields->generator != 0;
}

/* An entry from C, or an incomplete frame. */
static bool is_shim(const struct stack_layout *layout, const struct fields *fields)
{
	return !fields->code ||
	       (has(layout->frame_owner) && fields->owner >= layout->owner_shim_min);
}

/* Where the frame's instructions begin: in the code object, or in the thread's own copy. */
static uint64_t instructions_of(pid_t pid, const struct stack_layout *layout,
				const struct fields *fields)
{
	uint64_t copies, begin;

	if (!fields->copy)
		return fields->code + layout->code_instructions;
	if (memory_read_u64(pid, fields->code + layout->code_copies, &copies) ||
	    memory_read_u64(pid, copies + 8 + 8ull * fields->copy, &begin))
		return 0;
	return begin;
}

/* As bpf/pystack has it: symbols/ knows what the values mean. */
static uint32_t instruction(pid_t pid, const struct stack_layout *layout,
			    const struct fields *fields)
{
	uint64_t bytes = fields->instr;

	if (layout->instr_kind == STACK_INSTR)
		bytes -= instructions_of(pid, layout, fields);
	else if (layout->instr_kind == STACK_LASTI_UNITS)
		bytes *= 2;
	return bytes > 16 << 20 ? UINT32_MAX : (uint32_t)bytes;
}

static int frames_first(pid_t pid, const struct stack_layout *layout, uint64_t state,
			uint64_t *ret_frame)
{
	int err = memory_read_u64(pid, state + layout->tstate_frame, ret_frame);

	if (!err && has(layout->cframe_current) && *ret_frame)
		err = memory_read_u64(pid, *ret_frame + layout->cframe_current, ret_frame);
	return err;
}

static void keep(pid_t pid, const struct stack_layout *layout, uint64_t frame,
		 const struct fields *fields, struct python_frames *frames)
{
	if (is_generator(layout, fields))
		frames->root = frame;
	frames->list[frames->count++] = (struct python_frame){
		.code = fields->code, .lasti = instruction(pid, layout, fields)};
}

bool frames_read(pid_t pid, const struct stack_layout *layout, uint64_t state,
		 struct python_frames *ret_frames)
{
	struct fields fields;
	uint64_t frame;

	ret_frames->count = 0;
	ret_frames->root = 0;
	ret_frames->cut = false;
	if (frames_first(pid, layout, state, &frame))
		return false;
	for (int steps = 0; frame && !ret_frames->cut; steps++) {
		if (steps == PYTHON_STEPS_MAX || ret_frames->count == PYTHON_FRAMES_MAX ||
		    read_fields(pid, layout, frame, &fields)) {
			ret_frames->cut = true;
			break;
		}
		if (!is_shim(layout, &fields))
			keep(pid, layout, frame, &fields, ret_frames);
		frame = fields.previous;
	}
	return ret_frames->count || !ret_frames->cut;
}
