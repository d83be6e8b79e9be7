// SPDX-License-Identifier: Dual MIT/GPL
/*
 * pystack.bpf.c - walks the frames of a Python thread (CPython 3.8 to 3.15) by the offsets that
 * user space hands in.
 *
 * Everything read is the target's and may be anything: every read may fail, every list has a limit,
 * every index is masked. What a loop does in one round is a global function of its own: the
 * verifier looks at it once and not for every round.
 */
#include "pywalk.bpf.h"

const volatile __u32 stack_kinds = 0;

enum {
	STEPS_MAX = 300, /* frames looked at, with the shims between them */
	WINDOW = 1024,	 /* bytes read at once where frames lie side by side */
	PAGE = 4096,
};

/*
 * What tells a code object from others (shared.h), kept as long as it lives. Where a code object
 * was seen to go nothing is kept any more: a stack read just then may still show the one that went.
 */
struct process_code {
	__u64 address;
	__u32 process;
	__u32 spare;
};
struct code_note {
	__u32 check;
	__u32 gone;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, struct process_code);
	__type(value, struct code_note);
	__uint(max_entries, 65536);
} codes SEC(".maps");

/* ── the walk ────────────────────────────────────────────────────────────── */

/*
 * A walk that nobody is at. Only what runs on this CPU can meddle: an interrupt, or another task
 * after a preemption. Whoever sees its own count alone has it: of two that count at once, the
 * second sees two, and at worst both do.
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

/* The field at this offset of the frame, from its lowest byte on. */
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
 * Has a frame's fields in `words`. A read of user memory costs the same for eight bytes and for a
 * thousand, and frames of plain functions lie side by side, callees above callers (from 3.11 on):
 * where the last one was near, what lies beyond it is read too.
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

/* Where the instructions begin that the loaded frame executes: those in the code object, or the
 * thread's own copy of them. */
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
	return bytes > 16 << 20 ? 0xffffffff : bytes; /* also what is negative: it has not begun */
}

static __always_inline int read_check(struct walk *walk, __u64 code, __u32 *ret_check)
{
	const struct shared_python *python = &walk->python;
	__u64 hash = SHARED_CHECK_BEGIN, line_table[3];
	int err = bpf_probe_read_user(walk->span, CODE_SPAN_WORDS * 8,
				      (void *)(code + python->layout.code_span));

	for (int i = 0; i < CODE_SPAN_WORDS; i++)
		hash = shared_mix(hash, walk->span[i]);
	if (python->layout.code_weak && !python->layout.free_threaded) {
		hash = shared_mix(hash,
				  read_word(walk->span[python->layout.code_name_word % SPAN_WORDS] +
					    python->layout.unicode_hash));
		/* what cannot be read is zeroed */
		err |= bpf_probe_read_user(
			line_table, sizeof(line_table),
			(void *)(walk->span[python->layout.code_linetable_word % SPAN_WORDS] +
				 python->layout.bytes_size));
		hash = shared_mix(hash, line_table[0]);
		hash = shared_mix(hash, line_table[1]);
		hash = shared_mix(hash, line_table[2]);
	}
	*ret_check = shared_check_end(hash);
	return err;
}

static __always_inline __u32 code_check(struct walk *walk, __u64 code)
{
	struct process_code key = {.address = code, .process = walk->python.process};
	const struct code_note *known = key.process ? bpf_map_lookup_elem(&codes, &key) : 0;
	struct code_note note = {};

	if (known && !known->gone)
		return known->check;
	if (!read_check(walk, code, &note.check) && key.process && !known)
		bpf_map_update_elem(&codes, &key, &note, BPF_NOEXIST);
	return note.check;
}

static __always_inline void keep_frame(struct walk *walk, __u64 frame, __u64 code)
{
	__u32 index = walk->count++ % SHARED_FRAMES_MAX;
	struct shared_frame *kept = &walk->stack.frames[index];

	walk->address[index] = frame;
	kept->code = code;
	kept->lasti = instruction(walk, code);
	kept->check = code_check(walk, code);
}

static __always_inline bool is_generator(const struct walk *walk)
{
	const struct shared_python *python = &walk->python;

	if (python->owner != STACK_NONE)
		return (__u8)field(walk, python->owner) == python->layout.owner_generator;
	return python->generator != STACK_NONE && field(walk, python->generator);
}

/* The next frame; 1: there is none, 2: too deep, or not to be read: there are more outside */
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
	if (walk->count >= SHARED_FRAMES_MAX || load_frame(walk, frame))
		return 2;
	python = &walk->python;
	walk->next = field(walk, python->previous);
	code = field(walk, python->code) & python->code_mask;
	if (!code || (python->owner != STACK_NONE &&
		      (__u8)field(walk, python->owner) >= python->layout.owner_shim_min))
		return 0;
	if (is_generator(walk)) {
		walk->root = frame;
		walk->root_index = walk->count;
	}
	walk->previous[walk->count % SHARED_FRAMES_MAX] = walk->next;
	keep_frame(walk, frame, code);
	return 0;
}

/* ── the holder runs on while it is read ─────────────────────────────────── */

/* Is the frame, which has been loaded, what was kept of it? */
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
 * Reads the frames again, from the outermost inward: as long as code and caller are what they were,
 * frame by frame, the stack was really like that. A frame that has gone on to another instruction
 * has ended the call it was in, so what is inside of it is another call's.
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

/*
 * Memory of a frame that was left stays as it is until another one is laid over it. So after that:
 * the innermost frame of now, or one of its callers, is among those kept, and what is inside of
 * that one is left. At the same place there may be another call's frame by now, so that one is read
 * once more, after it was seen to be there. A holder that has gone deeper than that meanwhile is
 * not followed.
 */
enum { NEAR = 16 };

/* A frame's place among the innermost of those kept; NEAR: it is not there */
__noinline int pystack_place(__u32 slot, __u64 frame)
{
	const struct walk *walk = walk_at(slot);

	for (__u32 index = 0; walk && index < NEAR; index++)
		if (index < walk->count && walk->address[index] == frame)
			return index;
	return NEAR;
}

__noinline int pystack_drop_left(__u32 slot, __u64 tstate)
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

/* Moves what is left to the front. */
__noinline int pystack_leave_out(__u32 slot)
{
	struct walk *walk = walk_at(slot);
	__u32 first;

	if (!walk)
		return 0;
	first = walk->first;
	if (walk->root && walk->root_index < first)
		walk->root = 0;
	walk->count -= first;
	for (__u32 i = 0; i < SHARED_FRAMES_MAX; i++) {
		if (i >= walk->count)
			break;
		walk->stack.frames[i % SHARED_FRAMES_MAX] =
			walk->stack.frames[(i + first) % SHARED_FRAMES_MAX];
	}
	return 0;
}

/* ── what is sent ────────────────────────────────────────────────────────── */

__noinline __u64 pystack_hash(__u32 slot)
{
	const struct walk *walk = walk_at(slot);
	__u64 hash;

	if (!walk)
		return 0;
	/* forked workers may have different code at the same address, as like as two of the same
	 * age can be */
	hash = shared_mix(walk->stack.hdr.flags, bpf_get_current_pid_tgid() >> 32);
	for (__u32 i = 0; i < SHARED_FRAMES_MAX; i++) {
		const struct shared_frame *frame = &walk->stack.frames[i];

		if (i >= walk->count)
			break;
		hash = shared_mix(hash, frame->code);
		hash = shared_mix(hash, (__u64)frame->lasti << 32 | frame->check);
	}
	return hash > SHARED_STACK_EMPTY ? hash : hash + 2;
}

static __noinline __u64 send_stack(struct walk *walk, __u32 slot, __u64 ts)
{
	__u64 me = bpf_get_current_pid_tgid();
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
	return send_once(stack->hash, stack, SHARED_STACK_BYTES(count)) ? stack->hash : 0;
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
	walk->next = first_frame(&walk->python, tstate);
	forget_window(walk);
	for (int i = 0; i < STEPS_MAX; i++) {
		int end = pystack_walk(slot);

		if (end == 1)
			return 0;
		if (end)
			break;
	}
	walk->stack.hdr.flags = SHARED_STACK_CUT;
	return 0;
}

/*
 * Two callers that take turns at one place, in less time than the stack takes to read, can be taken
 * for each other's: what was read of the callee was the one's, of the caller the other's, and each
 * again when compared. Once more, where it matters: at the inner end.
 */
static __noinline int look_again(struct walk *walk, __u32 slot, __u64 tstate)
{
	__u32 index = walk->first;

	forget_window(walk);
	if (index + 1 < walk->count && pystack_compare(slot, index + 1))
		return 0;
	if (index < walk->count)
		pystack_compare(slot, index);
	return pystack_drop_left(slot, tstate);
}

static __noinline int drop_changed(struct walk *walk, __u32 slot, __u64 tstate)
{
	__u32 index = walk->count;

	forget_window(walk);
	for (int i = 0; i < SHARED_FRAMES_MAX; i++)
		if (pystack_compare(slot, --index))
			break;
	pystack_drop_left(slot, tstate);
	look_again(walk, slot, tstate);
	if (walk->first)
		pystack_leave_out(slot);
	return walk->first;
}

static __always_inline void take(struct walk *walk, __u32 slot, struct shared_sample *sample,
				 __u64 tstate)
{
	const struct shared_python *python = &walk->python;

	walk_frames(walk, slot, tstate);
	if (sample->hdr.flags & EVF_STACK_HOLDER && walk->count && drop_changed(walk, slot, tstate))
		sample->hdr.flags |= EVF_STACK_TORN;
	sample->stack = send_stack(walk, slot, sample->hdr.ts);
	sample->root = walk->root;
	/* what was there is gone, or could not be read: not the same as nothing */
	if (sample->stack == SHARED_STACK_EMPTY &&
	    (sample->hdr.flags & EVF_STACK_TORN || walk->stack.hdr.flags))
		sample->stack = 0;
	if (python->layout.tstate_task != STACK_NONE && !python->layout.free_threaded)
		sample->task = pystack_task(slot, sample->hdr.ts, tstate);
}

static __always_inline void send_sample(const struct shared_sample *sample)
{
	__u64 flags = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > wake_bytes ? BPF_RB_FORCE_WAKEUP
									       : BPF_RB_NO_WAKEUP;
	__u32 slot = loss_slot & 1;
	struct shared_loss *loss;

	if (!bpf_ringbuf_output(&ring, (void *)sample, sizeof(*sample), flags))
		return;
	loss = bpf_map_lookup_elem(&losses, &slot);
	if (loss)
		loss->samples++;
}

__noinline int pystack_tell(__u64 ts, __u64 tstate, __u32 flags, __u32 gil)
{
	__u64 me = bpf_get_current_pid_tgid();
	__u32 tgid = me >> 32;
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &tgid);
	struct shared_sample sample = {.hdr = {.ts = ts,
					       .tid = (__u32)me,
					       .type = RING_SAMPLE,
					       .flags = flags,
					       .aux = gil}};
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
	send_sample(&sample);
	return 0;
}

/* A code object goes: PyCode_Type.tp_dealloc. */
SEC("uprobe")
int BPF_KPROBE(code_gone, __u64 code)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	const struct shared_python *python = bpf_map_lookup_elem(&pythons, &tgid);
	struct process_code key = {.address = code};
	struct code_note note = {.gone = 1};

	if (!python || !python->process)
		return 0;
	key.process = python->process;
	bpf_map_update_elem(&codes, &key, &note, BPF_ANY);
	return 0;
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
