/* SPDX-License-Identifier: Dual MIT/GPL */
/* pywalk.bpf.h - a stack while it is being read, for the files that do so. */
#ifndef GILSCOPE_PYWALK_BPF_H
#define GILSCOPE_PYWALK_BPF_H

#include "pystack.bpf.h"

enum {
	WALKS = 4, /* walks in progress on one CPU: those that were preempted or interrupted, and
		      the latest */
	SPAN_WORDS = 16,
	WINDOW_WORDS = 256, /* a window of frames, and one frame more */
};

/* A walk in progress. Too large for the BPF stack, so every CPU has some. */
struct walk {
	struct shared_python python; /* a copy: a lookup for every frame would take longer */
	__u32 users;		     /* the claimer is the one that sees 1 after incrementing it */
	__u32 count;		     /* of frames; during the walk, those left out included */
	__u64 next;		     /* frame to read */
	__u64 root;
	__u32 root_index; /* index of the root frame */
	__u32 first;	  /* frames inside this index have changed since they were read */
	__u32 fresh;	  /* it has met a code object that no stack is known to have had before */
	__u32 deaths;	  /* code_deaths when it began */
	__u64 window;	  /* address of `words` */
	__u64 window_bytes;
	__u64 loaded;		   /* address of the part of a frame that was read last, … */
	__u64 base;		   /* … and its index in `words` */
	__u64 words[WINDOW_WORDS]; /* of frames */
	__u64 span[SPAN_WORDS];	   /* of a code object */
	__u64 address[SHARED_FRAMES_MAX];
	__u64 previous[SHARED_FRAMES_MAX];
	struct { /* what is moved */
		struct shared_frame frame[SHARED_FRAMES_OUTER];
		__u64 address[SHARED_FRAMES_OUTER], previous[SHARED_FRAMES_OUTER];
	} outer;
	struct shared_stack stack;
	struct shared_text text;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, __u32);
	__type(value, struct walk);
	__uint(max_entries, WALKS);
} walks SEC(".maps") __weak;

/* Hashes of stacks and texts that have been sent. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, __u64);
	__type(value, __u8);
	__uint(max_entries, 16384);
} sent SEC(".maps") __weak;

static __always_inline struct walk *walk_at(__u32 slot)
{
	return bpf_map_lookup_elem(&walks, &slot);
}

/*
 * Sends a stack or a text unless it has been sent before. `urgent`: wakes the reader, which must
 * read code objects before they are freed. Two CPUs may both send it; what matters is that it is in
 * the ring before the first sample that refers to it. Returns false if there is no room.
 */
static __always_inline bool send_once(__u64 hash, void *record, __u32 size, bool urgent)
{
	__u8 value = 1;

	if (bpf_map_lookup_elem(&sent, &hash))
		return true;
	if (bpf_ringbuf_output(&ring, record, size, urgent ? BPF_RB_FORCE_WAKEUP : wakeup()))
		return false;
	bpf_map_update_elem(&sent, &hash, &value, BPF_ANY);
	return true;
}

/* ── code objects ────────────────────────────────────────────────────────── */

/*
 * The check that distinguishes a code object from others at its address (shared.h), cached while
 * the object lives. Once an object at this address has been freed nothing is cached any more: a
 * stack that is being read at that moment may still contain the freed one.
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
} codes SEC(".maps") __weak;

/*
 * The checks that were needed last: an array, as a look into the map above takes 0.4 us where the
 * processor's caches have none of it, for every frame of a sample. All are void once any code
 * object has been freed. An entry that is being overwritten at that moment gives a wrong check, and
 * with that no name.
 */
struct recent_code {
	__u64 place; /* 0: none */
	__u32 check;
	__u32 deaths; /* as many code objects had been freed */
};
enum { RECENT_CODES = 4096 };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct recent_code);
	__uint(max_entries, RECENT_CODES);
} recent_codes SEC(".maps") __weak;

extern __u32 code_deaths; /* pystack.bpf.c */

/* An address that is not a code object came from something that is not a frame: if a thread is
 * interrupted while it pushes a frame, the pointer may be left over from another use of that
 * memory. */
static __always_inline bool is_code(const struct shared_python *python, __u64 code)
{
	return !python->code_type || python->layout.free_threaded ||
	       read_word(code + 8) == python->code_type;
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
		/* the helper zeroes what it cannot read */
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

/* The process's number is where no address has bits. */
static __always_inline __u64 recent_place(const struct process_code *key)
{
	return key->address ^ (__u64)key->process << 48;
}

static __always_inline struct recent_code *recent_code(__u64 place)
{
	__u32 slot = (place >> 4 ^ place >> 16) % RECENT_CODES;

	return bpf_map_lookup_elem(&recent_codes, &slot);
}

static __always_inline void remember(const struct walk *walk, __u64 place, __u32 check)
{
	struct recent_code *recent = recent_code(place);

	if (!recent)
		return;
	recent->place = 0;
	asm volatile("" ::: "memory");
	recent->check = check;
	recent->deaths = walk->deaths;
	asm volatile("" ::: "memory");
	recent->place = place;
}

static __always_inline const struct code_note *known_code(const struct walk *walk,
							  const struct process_code *key)
{
	const struct code_note *known = key->process ? bpf_map_lookup_elem(&codes, key) : 0;

	if (known && !known->gone)
		remember(walk, recent_place(key), known->check);
	return known;
}

/* Not 0: it is no code object. */
static __always_inline int code_check(struct walk *walk, __u64 code, __u32 *ret_check)
{
	struct process_code key = {.address = code, .process = walk->python.process};
	const struct recent_code *recent = recent_code(recent_place(&key));
	const struct code_note *known;
	struct code_note note = {};

	if (recent && recent->place == recent_place(&key) && recent->deaths == walk->deaths) {
		*ret_check = recent->check;
		return 0;
	}
	known = known_code(walk, &key);
	if (known && !known->gone) {
		*ret_check = known->check;
		return 0;
	}
	walk->fresh = 1;
	if (!is_code(&walk->python, code))
		return -1;
	if (!read_check(walk, code, &note.check) && key.process && !known)
		bpf_map_update_elem(&codes, &key, &note, BPF_NOEXIST);
	*ret_check = note.check;
	return 0;
}

/* ── pytask.bpf.c ────────────────────────────────────────────────────────── */

/* Hash of the name of the task that runs in the thread; the name has been sent. 0: no task runs, or
 * its name cannot be read. */
extern __u64 pystack_task(__u32 slot, __u64 ts, __u64 tstate);

#endif
