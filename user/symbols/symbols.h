/* SPDX-License-Identifier: MIT */
/*
 * symbols.h - from the addresses that the probes saw to definitions: which function, which file,
 * which line.
 *
 * A stack that is met for the first time is resolved at once, microseconds to milliseconds after it
 * was taken: its code objects are read from the process's memory, checked against what the probe
 * saw of them (shared_frame.check), and kept, so that the code may go away. A code object that is
 * gone or is another one by now gives a frame with function 0: missing, never wrong. What is read
 * is hostile: lengths are bounded, addresses read through process_vm_readv only, line tables
 * decoded within their bytes, texts made valid UTF-8 (what is not becomes U+FFFD).
 *
 * Memory is bounded by the DEFINE_…_MAX of stream.h for what is defined, and by SYMBOLS_CODES_MAX
 * code objects kept for the case that they come again.
 */
#ifndef GILSCOPE_SYMBOLS_SYMBOLS_H
#define GILSCOPE_SYMBOLS_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>
#include "bpf/shared.h"
#include "stream/stream.h"
#include "python/target.h"

#define SYMBOLS_CODES_MAX 65536
#define SYMBOLS_LINETABLE_MAX                                                                      \
	(1u << 20) /* bytes; a longer line table is not read, the frame has line 0 */

struct symbols;

/* New definitions go into `sink` at once. NULL when memory is short. */
struct symbols *symbols_new(struct stream_sink sink);
void symbols_free(struct symbols *symbols);

/* How to read the code objects of a process. To be called before its first stack, and again with
 * another layout for a new process of the same pid. */
int symbols_add_process(struct symbols *symbols, uint32_t pid, const struct stack_layout *stack,
			const struct code_layout *code);
/* Forgets the code objects of a process; its stacks stay defined. */
void symbols_remove_process(struct symbols *symbols, uint32_t pid);

/*
 * A stack or a text as the ring brought it (`size` bytes, already checked to hold hdr.aux frames or
 * bytes). Defines it unless the same one was defined before, also by another process, and remembers
 * its hash. 0, -ENOMEM, or the sink's error; what cannot be read or has no room any more is no
 * error.
 */
int symbols_stack(struct symbols *symbols, const struct shared_stack *stack);
int symbols_text(struct symbols *symbols, const struct shared_text *text);
/* A text that user space itself has. ret_id 0: no room. */
int symbols_name(struct symbols *symbols, const char *text, uint32_t *ret_id);

/* The definitions that a hash stands for; 0 when it is not known (its record was lost, or there was
 * no room). */
uint32_t symbols_stack_id(const struct symbols *symbols, uint64_t hash);
uint32_t symbols_text_id(const struct symbols *symbols, uint64_t hash);

struct symbols_status {
	uint64_t stacks;	 /* distinct ones defined */
	uint64_t refused;	 /* distinct ones (as far as can be told) that found no room:
				    DEFINE_STACKS_MAX */
	uint64_t frames_missing; /* frames with function 0, of distinct stacks */
	uint64_t reads;		 /* code objects read from memory */
	uint64_t bytes;		 /* memory taken */
};
struct symbols_status symbols_status(const struct symbols *symbols);

#endif
