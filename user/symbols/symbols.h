/* SPDX-License-Identifier: MIT */
/*
 * symbols.h - resolves the addresses that the probes saw to definitions: which function, which
 * file, which line.
 *
 * A stack that appears for the first time is resolved at once, microseconds to milliseconds after
 * it was taken: its code objects are read from the process's memory, compared with what the probe
 * saw of them (shared_frame.check), and cached, so that they may be freed afterwards. A code object
 * that has been freed or replaced yields a frame with function 0: missing, never wrong. What is
 * read is hostile: lengths are bounded, addresses are read by process_vm_readv only, line tables
 * are decoded within their bytes, texts are made valid UTF-8 (everything else becomes U+FFFD).
 *
 * Memory is bounded: by the DEFINE_…_MAX of stream.h for definitions, and by SYMBOLS_CODES_MAX
 * cached code objects. What was not used for longest is forgotten, and defined anew when it comes
 * again. All ids below are the stream's numbers, good for the next event, not for later.
 */
#ifndef GILSCOPE_SYMBOLS_SYMBOLS_H
#define GILSCOPE_SYMBOLS_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>
#include "bpf/shared.h"
#include "stream/stream.h"
#include "python/native.h"
#include "python/source/source_reader.h"
#include "python/target.h"

#define SYMBOLS_CODES_MAX 65536
#define SYMBOLS_LINETABLE_MAX                                                                      \
	(1u << 20) /* bytes; a longer line table is not read, and its frames have line 0 */

struct symbols;

/* New definitions go to `sink` at once. NULL if memory is short. */
struct symbols *symbols_new(struct stream_sink sink);
void symbols_free(struct symbols *symbols);

/* Says how to read the code objects of a process. Call it before the first stack of the process,
 * and again for a new process with the same pid. 0 or -ENOMEM. */
int symbols_add_process(struct symbols *symbols, uint32_t pid, const struct stack_layout *stack,
			const struct python_layout *layout);
/* Lines of source of the process's own functions are read by `reader`, which belongs to symbols
 * from then on. `cmdline` is the process's. 0 or -ENOMEM. */
int symbols_read_sources(struct symbols *symbols, uint32_t pid, const char *cmdline,
			 struct source_reader *reader);
/* Asks for lines of source that are wanted, and defines those that have come. 0, -ENOMEM or the
 * sink's error. */
int symbols_sources(struct symbols *symbols);
/* Does the same until all have come, but no longer than this. */
int symbols_finish_sources(struct symbols *symbols, int timeout_ms);
/* Forgets the code objects of a process; its stacks stay defined. */
void symbols_remove_process(struct symbols *symbols, uint32_t pid);

/*
 * Takes a stack or a text from the ring (`size` bytes, already known to hold hdr.aux frames or
 * bytes). Defines it unless the same one has been defined before, possibly for another process, and
 * remembers its hash. 0, -ENOMEM, or the sink's error; a code object that cannot be read, or a
 * definition for which there is no room, is not an error.
 */
int symbols_stack(struct symbols *symbols, const struct shared_stack *stack);
int symbols_text(struct symbols *symbols, const struct shared_text *text);
/* Defines a text that does not come from the ring. ret_id is 0 if there is no room. */
int symbols_name(struct symbols *symbols, const char *text, uint32_t *ret_id);

/*
 * Defines a stack that does not come from the ring: its `count` frames lack their checks, and it
 * its hash. The code objects must be alive. ret_id is 0 if there is no room, or no frame. Errors as
 * above.
 */
int symbols_still(struct symbols *symbols, struct shared_stack *stack, uint32_t *ret_id);

/*
 * The function of machine code at an address: 1 if it is known by now, with its id (0: nothing to
 * report); 0 if it is not; -ENOMEM or the sink's error.
 */
int symbols_native_id(struct symbols *symbols, uint32_t pid, uint64_t address, uint32_t *ret_id);
/* Remembers, and defines, what target_native() has found. 0, -ENOMEM or the sink's error. */
int symbols_native(struct symbols *symbols, uint32_t pid, const struct native_code *code);

/* The id of the definition with this hash; 0 if it is unknown (its record was lost, or there was no
 * room). 0, -ENOMEM or the sink's error. */
int symbols_stack_id(struct symbols *symbols, uint64_t hash, uint32_t *ret_id);
int symbols_text_id(struct symbols *symbols, uint64_t hash, uint32_t *ret_id);

struct symbols_status {
	uint64_t stacks;	 /* distinct ones; one that was forgotten counts again */
	uint64_t frames_missing; /* frames with function 0, of distinct stacks */
	uint64_t reads;		 /* code objects read from memory */
	uint64_t bytes;		 /* memory used */
};
struct symbols_status symbols_status(const struct symbols *symbols);

#endif
