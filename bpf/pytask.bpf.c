// SPDX-License-Identifier: Dual MIT/GPL
/*
 * pytask.bpf.c - the name of the asyncio task that runs in a thread (since 3.14, where the thread
 * state points to it).
 */
#include "pywalk.bpf.h"

/* Object layouts of these versions, with the GIL: Include/object.h, Include/cpython/object.h,
 * Include/cpython/longintrepr.h. */
enum {
	OBJECT_TYPE = 8,
	TYPE_FLAGS = 168,
	TYPE_IS_LONG = 1 << 24,
	TYPE_IS_UNICODE = 1 << 28,
	LONG_TAG = 16,	 /* number of digits << 3 | sign: 0 positive, 1 zero, 2 negative */
	LONG_DIGIT = 24, /* of 30 bits */
	TEXT_COMPACT =
		1 << 5, /* of PyASCIIObject.state: interned 2 bits, kind 3, compact 1, ascii 1 */
	TEXT_ASCII = 1 << 6,
};

/* A task that was given no name has a number until its name is asked for (Modules/_asynciomodule.c,
 * _asyncio_Task___init___impl). */
static __always_inline __u32 number_text(struct shared_text *text, __u64 name)
{
	__u64 tag = read_word(name + LONG_TAG), digits = 1;
	__u32 number = (__u32)read_word(name + LONG_DIGIT), scale = 1;

	if (tag >> 3 != 1 || tag & 3)
		return 0;
	__builtin_memcpy(text->bytes, "Task-", 5);
	for (int i = 0; i < 9 && number / scale >= 10; i++) {
		scale *= 10;
		digits++;
	}
	for (__u32 i = 0; i < 10 && scale; i++) {
		text->bytes[5 + i] = '0' + number / scale % 10;
		scale /= 10;
	}
	return 5 + digits;
}

static __always_inline __u32 string_text(const struct shared_python *python,
					 struct shared_text *text, __u64 name)
{
	__u32 state = (__u32)read_word(name + python->layout.unicode_state), kind = state >> 2 & 7;
	__u64 length = read_word(name + python->layout.unicode_length);
	bool ascii = state & TEXT_ASCII;

	if (!(state & TEXT_COMPACT) || (kind != 1 && kind != 2 && kind != 4))
		return 0;
	if (length > SHARED_TEXT_MAX)
		length = SHARED_TEXT_MAX;
	length *= kind;
	if (length > SHARED_TEXT_MAX)
		length = SHARED_TEXT_MAX;
	if (bpf_probe_read_user(text->bytes, length,
				(void *)(name + (ascii ? python->layout.unicode_ascii
						       : python->layout.unicode_compact))))
		return 0;
	text->hdr.flags = ascii ? 0 : kind;
	return length;
}

__noinline __u64 pystack_task(__u32 slot, __u64 ts, __u64 tstate)
{
	struct walk *walk = walk_at(slot);
	struct shared_text *text;
	__u64 task, name, kind;
	__u32 length = 0;

	if (!walk)
		return 0;
	text = &walk->text;
	task = read_word(tstate + walk->python.layout.tstate_task);
	if (!task)
		return 0;
	name = read_word(task + walk->python.layout.task_name);
	kind = read_word(read_word(name + OBJECT_TYPE) + TYPE_FLAGS);
	__builtin_memset(text, 0, sizeof(*text));
	if (kind & TYPE_IS_LONG)
		length = number_text(text, name);
	else if (kind & TYPE_IS_UNICODE)
		length = string_text(&walk->python, text, name);
	if (!length)
		return 0;
	text->hash = length << 8 | text->hdr.flags;
	for (int i = 0; i < SHARED_TEXT_MAX / 8; i++)
		text->hash = shared_mix(text->hash, ((__u64 *)text->bytes)[i]);
	text->hash |= 1;
	text->hdr.ts = ts;
	text->hdr.tid = (__u32)my_ids();
	text->hdr.type = RING_TEXT;
	text->hdr.aux = length;
	return send_once(text->hash, text, sizeof(*text), false) ? text->hash : 0;
}

static const char LICENSE[] SEC("license") __attribute__((used)) = "Dual MIT/GPL";
