// SPDX-License-Identifier: Dual MIT/GPL
/*
 * pystack.bpf.c - walks the frames of a Python thread (CPython 3.8 to 3.15), by offsets that user
 * space provides.
 *
 * Everything read belongs to the target and may be anything: every read may fail, every list has a
 * limit, every index is masked. The body of each long loop is a global function, which the verifier
 * checks once rather than once per round; and so is a part of its rounds, as a thousand calls take
 * the verifier as long as all the rest.
 */
#include "pywalk.bpf.h"

const volatile __u32 stack_kinds = 0;
__u32 code_deaths = 0;

enum {
	STEPS_MAX = 1100, /* frames read, including shims between them; Python itself ends a
			     recursion at 1000, unless the program raises that */
	STEPS_PART = 50,
	FRAMES_PART = 16, /* divides SHARED_FRAMES_MAX */
	GAP = SHARED_FRAMES_MAX - SHARED_FRAMES_OUTER -
	      1,       /* index of the frame for those left out */
	WINDOW = 1024, /* bytes read at once where frames are adjacent */
	PAGE = 4096,
};

/* ── the walk ────────────────────────────────────────────────────────────── */

/*
 * Claims a free walk of this CPU; returns its slot, or -1. Contention comes only from what
 * interrupts or preempts the current task here. The claimer is the one that sees users == 1
 * after incrementing it: if two increment it at the same time, the second sees 2, and at worst both
 * do and both move on.
 */
__noinline int pystack_begin(void)
{
	for (__u32 slot = 0; slot < WALKS; slot++) {
		struct walk *walk = walk_at(slot);

		if (!walk)
			return -1;
		__sync_fetch_and_add(&walk->users, 1);
		if (*(volatile __u32 *)&walk->users == 1)
			return slot;
		__sync_fetch_and_add(&walk->users, -1);
	}
	return -1;
}

static __always_inline void walk_end(struct walk *walk)
{
	__sync_fetch_and_add(&walk->users, -1);
}

/* The field at this offset of the frame; its lowest bytes are valid. */
static __always_inline __u64 field(const struct walk *walk, __u16 offset)
{
	return walk->words[(walk->base + offset / 8) % WINDOW_WORDS] >> offset % 8 * 8;
}

static __always_inline void forget_window(struct walk *walk)
{
	walk->window_bytes = 0;
	walk->loaded = 0;
}

/*
 * Reads a frame's fields into `words`. One read of user memory costs as much for a thousand bytes
 * as for eight, and from 3.11 on frames of plain functions are adjacent, callees above callers. So
 * when the previous frame was near, what lies beyond this one is read along with it.
 */
static __always_inline int load_frame(struct walk *walk, __u64 frame)
{
	__u64 from = frame + walk->python.frame_first,
	      bytes = walk->python.frame_bytes % (WINDOW / 2), end = from + bytes,
	      at = from - walk->window;
	__u64 last = walk->loaded;

	walk->loaded = from;
	if (at < walk->window_bytes && at + bytes <= walk->window_bytes && !(at % 8)) {
		walk->base = at / 8;
		return 0;
	}
	walk->window = from;
	if (last - from < WINDOW && !(from % 8))
		walk->window = from - from % PAGE > end - WINDOW ? from - from % PAGE
								 : (end - WINDOW + 7) & ~7ull;
	else if (from - last < WINDOW)
		end = from - from % PAGE + PAGE < from + WINDOW ? from - from % PAGE + PAGE
								: from + WINDOW;
	if (end < from + bytes)
		end = from + bytes;
	if (walk->window > from)
		walk->window = from;
	walk->base = (from - walk->window) / 8;
	walk->window_bytes = end - walk->window;
	if (walk->window_bytes > WINDOW_WORDS * 8 ||
	    bpf_probe_read_user(walk->words, walk->window_bytes % (WINDOW_WORDS * 8),
				(void *)walk->window)) {
		forget_window(walk);
		return -1;
	}
	return 0;
}

/* Where the loaded frame's instructions begin: in the code object, or in the thread's own copy. */
static __always_inline __u64 instructions_of(const struct walk *walk, __u64 code)
{
	const struct shared_python *python = &walk->python;
	__u32 copy = python->copy == STACK_NONE ? 0 : field(walk, python->copy);

	return copy ? read_word(read_word(code + python->layout.code_copies) + 8 + 8ull * copy)
		    : code + python->layout.code_instructions;
}

static __always_inline __u32 instruction(const struct walk *walk, __u64 code)
{
	const struct shared_python *python = &walk->python;
	__u64 bytes, value = field(walk, python->instr);

	if (python->layout.instr_kind == STACK_INSTR) {
		bytes = value - instructions_of(walk, code);
	} else {
		bytes = (__s64)(__s32)value;
		if (python->layout.instr_kind == STACK_LASTI_UNITS)
			bytes *= 2;
	}
	return bytes > 16 << 20 ? 0xffffffff : bytes; /* also if negative: it has not started yet */
}

/* Where the frame with this number is kept: one after the other, and those beyond the last place in
 * turn in the last places, so that the outermost ones remain. */
static __always_inline __u32 place_of(__u32 number)
{
	if (number < SHARED_FRAMES_MAX)
		return number;
	return GAP + 1 + (number - GAP - 1) % SHARED_FRAMES_OUTER;
}

static __always_inline int keep_frame(struct walk *walk, __u64 frame, __u64 code)
{
	__u32 index = place_of(walk->count++) % SHARED_FRAMES_MAX;
	struct shared_frame *kept = &walk->stack.frames[index];

	walk->address[index] = frame;
	walk->previous[index] = walk->next;
	kept->code = code;
	kept->lasti = instruction(walk, code);
	return code_check(walk, code, &kept->check);
}

static __always_inline bool is_generator(const struct walk *walk)
{
	const struct shared_python *python = &walk->python;

	if (python->owner != STACK_NONE)
		return (__u8)field(walk, python->owner) == python->layout.owner_generator;
	return python->generator != STACK_NONE && field(walk, python->generator);
}

/* The next frame. 1: there is none; 2: it cannot be read, so there are more frames outside; 3: what
 * was reached is no frame. */
__noinline int pystack_walk(__u32 slot)
{
	struct walk *walk = walk_at(slot);
	const struct shared_python *python;
	__u64 frame, code;

	if (!walk)
		return 2;
	frame = walk->next;
	if (!frame)
		return 1;
	if (load_frame(walk, frame))
		return 2;
	python = &walk->python;
	walk->next = field(walk, python->previous);
	if (walk->next == frame)
		return 3;
	code = field(walk, python->code) & python->code_mask;
	if (!code || (python->owner != STACK_NONE &&
		      (__u8)field(walk, python->owner) >= python->layout.owner_shim_min))
		return 0;
	if (is_generator(walk)) {
		walk->root = frame;
		walk->root_index = walk->count;
	}
	return keep_frame(walk, frame, code) ? 3 : 0;
}

/* Up to STEPS_PART frames more. 0: there are others; else what pystack_walk() returned. */
__noinline int pystack_walk_on(__u32 slot)
{
	int end = 0;

	for (int i = 0; i < STEPS_PART && !end; i++)
		end = pystack_walk(slot);
	return end;
}

/* The number-th of the outermost frames, from where it is kept to where it belongs in the stack. */
static __always_inline void move_out(struct walk *walk, __u32 number, __u32 first)
{
	__u32 from = (GAP + 1 + (first + number) % SHARED_FRAMES_OUTER) % SHARED_FRAMES_MAX;

	number %= SHARED_FRAMES_OUTER;
	walk->outer.frame[number] = walk->stack.frames[from];
	walk->outer.address[number] = walk->address[from];
	walk->outer.previous[number] = walk->previous[from];
}

/* A stack with more frames than are kept: brings the outermost ones into order, and puts a mark in
 * place of those left out. */
__noinline int pystack_close_gap(__u32 slot)
{
	struct walk *walk = walk_at(slot);
	__u32 first, left_out;

	if (!walk || walk->count <= SHARED_FRAMES_MAX)
		return 0;
	left_out = walk->count - SHARED_FRAMES_MAX;
	first = (walk->count - GAP - 1) % SHARED_FRAMES_OUTER;
	for (__u32 i = 0; i < SHARED_FRAMES_OUTER; i++)
		move_out(walk, i, first);
	for (__u32 i = 0; i < SHARED_FRAMES_OUTER; i++) {
		walk->stack.frames[GAP + 1 + i] = walk->outer.frame[i];
		walk->address[GAP + 1 + i] = walk->outer.address[i];
		walk->previous[GAP + 1 + i] = walk->outer.previous[i];
	}
	walk->stack.frames[GAP] = (struct shared_frame){};
	walk->count = SHARED_FRAMES_MAX;
	if (walk->root_index >= GAP)
		walk->root_index = walk->root_index > GAP + left_out ? walk->root_index - left_out
								     : GAP;
	return 0;
}

/* ── the holder runs while it is read ────────────────────────────────────── */

/* Whether the loaded frame is still what was kept of it. */
__noinline int pystack_is_kept(__u32 slot, __u32 index)
{
	struct walk *walk = walk_at(slot);

	if (!walk)
		return 0;
	index %= SHARED_FRAMES_MAX;
	return (field(walk, walk->python.code) & walk->python.code_mask) ==
		       walk->stack.frames[index].code &&
	       field(walk, walk->python.previous) == walk->previous[index];
}

/*
 * Reads a frame again, from the outermost inward. As long as code object and caller are unchanged,
 * frame by frame, the stack really was like that. A frame that is at another instruction has
 * returned from the call that it was in, so the frames inside it belong to another call.
 */
__noinline int pystack_compare(__u32 slot, __u32 index)
{
	struct walk *walk = walk_at(slot);
	const struct shared_frame *kept;
	__u64 code;

	if (!walk)
		return 1;
	index %= SHARED_FRAMES_MAX;
	kept = &walk->stack.frames[index];
	walk->first = index + 1;
	if (load_frame(walk, walk->address[index]))
		return 1;
	if (!pystack_is_kept(slot, index))
		return 1;
	code = kept->code;
	walk->first = index;
	return !index || instruction(walk, code) != kept->lasti;
}

/* The frames `index` - 1 to `index` - FRAMES_PART, from the outermost inward. Not 0: the rest need
 * not be compared. */
__noinline int pystack_compare_on(__u32 slot, __u32 index)
{
	int end = 0;

	for (int i = 0; i < FRAMES_PART && !end; i++)
		end = pystack_compare(slot, --index);
	return end;
}

/*
 * A popped frame keeps its contents until its memory is reused. So after the comparison: walk
 * outward from the current innermost frame to one that was kept; everything inside that one has
 * returned and is dropped. Its memory may by now hold another call's frame, so it is read once more
 * after it was reached. A holder that is now more than NEAR frames deeper is not followed.
 */
enum { NEAR = 16 };

/* Index of a frame among the innermost of those kept; NEAR: not among them. */
__noinline int pystack_place(__u32 slot, __u64 frame)
{
	const struct walk *walk = walk_at(slot);

	for (__u32 index = 0; walk && index < NEAR; index++)
		if (index < walk->count && walk->address[index] == frame)
			return index;
	return NEAR;
}

__noinline int pystack_drop_returned(__u32 slot, __u64 tstate)
{
	struct walk *walk = walk_at(slot);
	__u64 frame;

	if (!walk)
		return 0;
	frame = first_frame(&walk->python, tstate);
	forget_window(walk);
	for (int i = 0; i < NEAR && frame; i++) {
		__u32 index = pystack_place(slot, frame);

		if (load_frame(walk, frame))
			break;
		if (index < NEAR) {
			if (!pystack_is_kept(slot, index))
				index++;
			if (walk->first < index)
				walk->first = index;
			return 0;
		}
		frame = field(walk, walk->python.previous);
	}
	walk->first = walk->count;
	return 0;
}

/* FRAMES_PART frames from place `to` on, each from `first` places further out. */
__noinline int pystack_move_in(__u32 slot, __u32 to, __u32 first)
{
	struct walk *walk = walk_at(slot);

	for (__u32 i = 0; walk && i < FRAMES_PART; i++)
		walk->stack.frames[(to + i) % SHARED_FRAMES_MAX] =
			walk->stack.frames[(to + i + first) % SHARED_FRAMES_MAX];
	return 0;
}

/* Removes the frames inside `first`. */
__noinline int pystack_remove_inner(__u32 slot)
{
	struct walk *walk = walk_at(slot);
	__u32 first;

	if (!walk)
		return 0;
	first = walk->first;
	if (walk->root && walk->root_index < first)
		walk->root = 0;
	walk->count -= first;
	for (__u32 i = 0; i < SHARED_FRAMES_MAX && i < walk->count; i += FRAMES_PART)
		pystack_move_in(slot, i, first);
	return 0;
}

/* ── what is sent ────────────────────────────────────────────────────────── */

/* With the frames from `index` on, at most FRAMES_PART of them. */
__noinline __u64 pystack_hash_on(__u32 slot, __u32 index, __u64 hash)
{
	const struct walk *walk = walk_at(slot);

	for (__u32 i = 0; walk && i < FRAMES_PART && index + i < walk->count; i++) {
		const struct shared_frame *frame =
			&walk->stack.frames[(index + i) % SHARED_FRAMES_MAX];

		hash = shared_mix(hash, frame->code);
		hash = shared_mix(hash, (__u64)frame->lasti << 32 | frame->check);
	}
	return hash;
}

__noinline __u64 pystack_hash(__u32 slot)
{
	const struct walk *walk = walk_at(slot);
	__u64 hash;

	if (!walk)
		return 0;
	/* forked workers may have different code objects at one address, as similar as two objects
	 * of the same age can be */
	hash = shared_mix(walk->stack.hdr.flags, my_ids() >> 32);
	for (__u32 i = 0; i < SHARED_FRAMES_MAX && i < walk->count; i += FRAMES_PART)
		hash = pystack_hash_on(slot, i, hash);
	return hash > SHARED_STACK_EMPTY ? hash : hash + 2;
}

static __noinline __u64 send_stack(struct walk *walk, __u32 slot, __u64 ts)
{
	__u64 me = my_ids();
	struct shared_stack *stack = &walk->stack;
	__u32 count = walk->count;

	if (!count || count > SHARED_FRAMES_MAX)
		return SHARED_STACK_EMPTY;
	stack->hash = pystack_hash(slot);
	stack->hdr.ts = ts;
	stack->hdr.tid = (__u32)me;
	stack->hdr.type = RING_STACK;
	stack->hdr.aux = count;
	stack->pid = me >> 32;
	return send_once(stack->hash, stack, SHARED_STACK_BYTES(count), walk->fresh) ? stack->hash
										     : 0;
}

/* ── a sample ────────────────────────────────────────────────────────────── */

static __always_inline bool collecting(const struct shared_python *python, __u64 tstate)
{
	__u32 word = 0;

	if (!python->layout.interp_gc_collecting)
		return false;
	bpf_probe_read_user(&word, sizeof(word),
			    (void *)(read_word(tstate + python->layout.tstate_interp) +
				     python->layout.interp_gc_collecting));
	return word != 0;
}

static __noinline int walk_frames(struct walk *walk, __u32 slot, __u64 tstate)
{
	walk->stack.hdr.flags = 0;
	walk->count = 0;
	walk->root = 0;
	walk->root_index = 0;
	walk->fresh = 0;
	walk->deaths = *(volatile __u32 *)&code_deaths;
	walk->next = first_frame(&walk->python, tstate);
	forget_window(walk);
	for (int i = 0; i < STEPS_MAX / STEPS_PART; i++) {
		int end = pystack_walk_on(slot);

		if (end == 1)
			return 0;
		if (end == 3)
			walk->count = 0;
		if (end)
			break;
	}
	walk->stack.hdr.flags = SHARED_STACK_CUT;
	return 0;
}

/*
 * Race: A() and B() alternately call f() from the same frame address, faster than one walk. Both
 * the walk and the comparison may combine f's frame as called by A with the caller's frame of B. So
 * the two innermost frames that are left are compared once more.
 */
static __noinline int recheck_innermost(struct walk *walk, __u32 slot, __u64 tstate)
{
	__u32 index = walk->first;

	forget_window(walk);
	if (index + 1 < walk->count && pystack_compare(slot, index + 1))
		return 0;
	if (index < walk->count)
		pystack_compare(slot, index);
	return pystack_drop_returned(slot, tstate);
}

static __noinline int drop_changed(struct walk *walk, __u32 slot, __u64 tstate)
{
	__u32 count = walk->count;

	forget_window(walk);
	for (int i = 0; i < SHARED_FRAMES_MAX; i += FRAMES_PART)
		if (pystack_compare_on(slot, count - i))
			break;
	pystack_drop_returned(slot, tstate);
	recheck_innermost(walk, slot, tstate);
	if (walk->first)
		pystack_remove_inner(slot);
	return walk->first;
}

static __always_inline void take(struct walk *walk, __u32 slot, struct shared_sample *sample,
				 __u64 tstate)
{
	const struct shared_python *python = &walk->python;

	walk_frames(walk, slot, tstate);
	pystack_close_gap(slot);
	if (sample->hdr.flags & EVF_STACK_HOLDER && walk->count && drop_changed(walk, slot, tstate))
		sample->hdr.flags |= EVF_STACK_TORN;
	sample->stack = send_stack(walk, slot, sample->hdr.ts);
	sample->root = walk->count ? walk->root : 0;
	/* the frames have returned or could not be read: not the same as having none */
	if (sample->stack == SHARED_STACK_EMPTY &&
	    (sample->hdr.flags & EVF_STACK_TORN || walk->stack.hdr.flags))
		sample->stack = 0;
	if (python->layout.tstate_task != STACK_NONE && !python->layout.free_threaded)
		sample->task = pystack_task(slot, sample->hdr.ts, tstate);
}

__noinline int pystack_send(__u64 ts, __u64 tstate, __u32 flags, __u32 gil, __u64 address)
{
	__u64 me = my_ids();
	__u32 tgid = me >> 32;
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &tgid);
	struct shared_sample sample = {.hdr = {.ts = ts,
					       .tid = (__u32)me,
					       .type = RING_SAMPLE,
					       .flags = flags,
					       .aux = gil},
				       .address = address};
	struct walk *walk;
	int slot;

	if (!python)
		return 0;
	slot = tstate ? pystack_begin() : -1;
	walk = slot < 0 ? 0 : walk_at(slot);
	if (walk) {
		__builtin_memcpy(&walk->python, python, sizeof(*python));
		if (flags & (EVF_STACK_CLOCK | EVF_STACK_HOLDER) && collecting(python, tstate))
			sample.hdr.flags |= EVF_STACK_GC;
		take(walk, slot, &sample, tstate);
		walk_end(walk);
	}
	emit_sample(&sample, sizeof(sample));
	return 0;
}

/* A code object is freed: PyCode_Type.tp_dealloc. */
SEC("uprobe")
int BPF_KPROBE(code_gone, __u64 code)
{
	__u32 tgid = my_ids() >> 32;
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &tgid);
	struct process_code key = {.address = code};
	struct code_note note = {.gone = 1};

	if (!python || !python->process)
		return 0;
	key.process = python->process;
	bpf_map_update_elem(&codes, &key, &note, BPF_ANY);
	/* after that: who sees the new number finds the note, too */
	__sync_fetch_and_add(&code_deaths, 1);
	return 0;
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
