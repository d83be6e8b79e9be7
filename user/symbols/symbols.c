/* SPDX-License-Identifier: MIT */
#include "symbols/symbols_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/duration.h"
#include "base/utf8.h"
#include "python/process/pages.h"
#include "symbols/lines.h"

struct symbol_process {
	uint32_t pid;
	bool readable; /* the offsets are plausible */
	struct stack_layout stack;
	struct python_layout layout;
	uint64_t code_type; /* address of the code type; 0 until a code object was read */
	struct natives natives;
	struct sources *sources; /* NULL: are not read */
	struct id_owner stacks;
	UT_hash_handle hh;
};

struct symbols {
	struct definitions definitions;
	struct id_cache *stacks, *texts; /* two, because lookups change their order */
	struct codes codes;
	struct symbol_process *processes; /* by pid */
	struct symbols_status status;	  /* counters; symbols_status() adds the rest */
};

struct symbols *symbols_new(struct stream_sink sink)
{
	struct symbols *symbols = calloc(1, sizeof(*symbols));

	if (!symbols)
		return NULL;
	symbols->stacks = calloc(1, sizeof(*symbols->stacks));
	symbols->texts = calloc(1, sizeof(*symbols->texts));
	if (!definitions_begin(&symbols->definitions, sink) && symbols->stacks && symbols->texts)
		return symbols;
	symbols_free(symbols);
	return NULL;
}

static void process_free(struct symbol_process *process)
{
	natives_done(&process->natives);
	sources_free(process->sources);
	free(process);
}

void symbols_free(struct symbols *symbols)
{
	struct symbol_process *process, *next;

	if (!symbols)
		return;
	HASH_ITER(hh, symbols->processes, process, next)
	{
		HASH_DEL(symbols->processes, process);
		id_cache_end(symbols->stacks, &process->stacks);
		process_free(process);
	}
	codes_done(&symbols->codes);
	id_cache_free(symbols->stacks);
	id_cache_free(symbols->texts);
	definitions_done(&symbols->definitions);
	free(symbols);
}

/* ── processes ───────────────────────────────────────────────────────────── */

int symbols_add_process(struct symbols *symbols, uint32_t pid, const struct stack_layout *stack,
			const struct python_layout *layout)
{
	struct symbol_process *process = calloc(1, sizeof(*process));

	if (!process)
		return -ENOMEM;
	symbols_remove_process(symbols, pid);
	process->pid = pid;
	process->stack = *stack;
	process->layout = *layout;
	process->readable = code_readable(stack, layout);
	HASH_ADD(hh, symbols->processes, pid, sizeof(pid), process);
	if (HASH_FAILED(process)) {
		free(process);
		return -ENOMEM;
	}
	return 0;
}

void symbols_remove_process(struct symbols *symbols, uint32_t pid)
{
	struct symbol_process *process;

	HASH_FIND(hh, symbols->processes, &pid, sizeof(pid), process);
	if (!process)
		return;
	HASH_DEL(symbols->processes, process);
	id_cache_end(symbols->stacks, &process->stacks);
	process_free(process);
	codes_forget(&symbols->codes, pid);
}

/* ── stacks ──────────────────────────────────────────────────────────────── */

/* *ret_kept is NULL if the code object cannot be read (any more). */
static int find_code(struct symbols *symbols, struct symbol_process *process,
		     const struct shared_frame *frame, const struct kept_code **ret_kept)
{
	struct code_key key = {.address = frame->code, .pid = process->pid};
	struct code code;
	uint32_t function;
	int err;

	*ret_kept = codes_find(&symbols->codes, &key, frame->check);
	if (*ret_kept &&
	    definitions_has(&symbols->definitions, DEFINE_FUNCTION, (*ret_kept)->function))
		return 0;
	*ret_kept = NULL;
	if (!process->readable || !frame->code)
		return 0;
	err = code_read((pid_t)process->pid, &process->stack, &process->layout, &process->code_type,
			frame->code, frame->check, &code);
	if (err)
		return err == -ENOMEM ? err : 0;
	symbols->status.reads++;
	err = definitions_function(&symbols->definitions, code.name, code.file, code.first_line,
				   &function);
	if (err) {
		free(code.lines);
		return err;
	}
	sources_function(process->sources, function, &code);
	return codes_keep(&symbols->codes, &key, frame->check, function, &code, ret_kept);
}

/*
 * Whether a frame has not started: f_lasti is -1 (up to 3.10), prev_instr is one before the first
 * instruction (3.11, 3.12). Python reports the first line for these (PyCode_Addr2Line). The probes
 * send UINT32_MAX for the former and for implausible values, which an f_lasti never is.
 */
static bool not_begun(const struct stack_layout *layout, uint32_t lasti)
{
	return lasti == (layout->instr_kind == STACK_INSTR ? (uint32_t)-2 : UINT32_MAX);
}

static uint32_t find_line(const struct symbol_process *process, const struct kept_code *code,
			  uint32_t lasti)
{
	if (not_begun(&process->stack, lasti))
		return code->first_line <= INT32_MAX ? code->first_line : 0;
	if (lasti > INT32_MAX || !code->lines_known)
		return 0;
	return lines_find((int)process->layout.lines_form, code->lines, code->lines_bytes,
			  code->first_line, lasti);
}

/* 1: it is no frame of the program's; 0, or -errno. */
static int resolve(struct symbols *symbols, struct symbol_process *process,
		   const struct shared_frame *from, struct stack_frame *to)
{
	const struct kept_code *code;
	int err;

	*to = (struct stack_frame){.line = from->code ? 0 : STACK_GAP_LINE};
	if (!process || pages_over())
		return 0;
	err = find_code(symbols, process, from, &code);
	if (err || !code || !code->function)
		return err;
	*to = (struct stack_frame){.function = code->function,
				   .line = find_line(process, code, from->lasti)};
	return code->trampoline;
}

/* Returns the number of frames, or -errno. */
static int resolve_all(struct symbols *symbols, struct symbol_process *process,
		       const struct shared_frame *from, uint32_t count, struct stack_frame *to)
{
	int frames = 0;

	for (uint32_t i = 0; i < count; i++) {
		int err = resolve(symbols, process, &from[i], &to[frames]);

		if (err < 0)
			return err;
		frames += !err;
	}
	return frames;
}

/* The cache of a kind's hashes: their ids, some of which may have been forgotten. */
static struct id_cache *cache_of(const struct symbols *symbols, enum definition_kind kind)
{
	return kind == DEFINE_STACK ? symbols->stacks : symbols->texts;
}

static bool is_known(const struct symbols *symbols, enum definition_kind kind, uint64_t hash)
{
	uint32_t id;

	return id_cache_find(cache_of(symbols, kind), hash, &id) &&
	       definitions_has(&symbols->definitions, kind, id);
}

static int number_of_hash(struct symbols *symbols, enum definition_kind kind, uint64_t hash,
			  uint32_t *ret_number)
{
	uint32_t id;

	*ret_number = 0;
	if (!id_cache_find(cache_of(symbols, kind), hash, &id))
		return 0;
	return definitions_number(&symbols->definitions, kind, id, ret_number);
}

int symbols_stack(struct symbols *symbols, const struct shared_stack *stack)
{
	uint32_t count = stack->hdr.aux < DEFINE_FRAMES_MAX ? stack->hdr.aux : DEFINE_FRAMES_MAX;
	uint32_t pid = stack->pid, id;
	uint64_t made = definitions_made(&symbols->definitions, DEFINE_STACK);
	struct stack_frame frames[DEFINE_FRAMES_MAX];
	struct symbol_process *process;
	int err, resolved;

	if (!count || !stack->hash || is_known(symbols, DEFINE_STACK, stack->hash))
		return 0;
	HASH_FIND(hh, symbols->processes, &pid, sizeof(pid), process);
	pages_allow(PAGES_ALLOW_STACK_NS);
	resolved = resolve_all(symbols, process, stack->frames, count, frames);
	if (resolved < 0)
		return resolved;
	if (!resolved)
		return id_cache_keep(symbols->stacks, stack->hash, 0,
				     process ? &process->stacks : NULL);
	count = (uint32_t)resolved;
	for (uint32_t i = 0; process && i < count; i++)
		sources_want(process->sources, frames[i].function, frames[i].line);
	err = definitions_stack(&symbols->definitions, frames, count,
				stack->hdr.flags & SHARED_STACK_CUT, &id);
	if (err)
		return err;
	if (definitions_made(&symbols->definitions, DEFINE_STACK) > made)
		for (uint32_t i = 0; i < count; i++)
			symbols->status.frames_missing += !frames[i].function &&
							  frames[i].line != STACK_GAP_LINE;
	return id_cache_keep(symbols->stacks, stack->hash, id, process ? &process->stacks : NULL);
}

/* As the probes do it (bpf/pystack), so that both define a stack once. */
static uint64_t hash_of(const struct shared_stack *stack)
{
	uint64_t hash = shared_mix(stack->hdr.flags, stack->pid);

	for (uint32_t i = 0; i < stack->hdr.aux; i++) {
		hash = shared_mix(hash, stack->frames[i].code);
		hash = shared_mix(hash,
				  (uint64_t)stack->frames[i].lasti << 32 | stack->frames[i].check);
	}
	return hash > SHARED_STACK_EMPTY ? hash : hash + 2;
}

int symbols_still(struct symbols *symbols, struct shared_stack *stack, uint32_t *ret_id)
{
	struct symbol_process *process;
	uint32_t pid = stack->pid;
	int err;

	*ret_id = 0;
	HASH_FIND(hh, symbols->processes, &pid, sizeof(pid), process);
	if (!process || !process->readable || !stack->hdr.aux)
		return 0;
	for (uint32_t i = 0; i < stack->hdr.aux; i++)
		if (code_checksum((pid_t)pid, &process->stack, &process->layout,
				  stack->frames[i].code, &stack->frames[i].check))
			stack->frames[i].check = 0;
	stack->hash = hash_of(stack);
	err = symbols_stack(symbols, stack);
	return err ? err : symbols_stack_id(symbols, stack->hash, ret_id);
}

int symbols_stack_id(struct symbols *symbols, uint64_t hash, uint32_t *ret_id)
{
	return number_of_hash(symbols, DEFINE_STACK, hash, ret_id);
}

/* ── texts ───────────────────────────────────────────────────────────────── */

int symbols_text(struct symbols *symbols, const struct shared_text *text)
{
	size_t length = text->hdr.aux < SHARED_TEXT_MAX ? text->hdr.aux : SHARED_TEXT_MAX;
	unsigned int kind = text->hdr.flags;
	char clean[DEFINE_TEXT_MAX];
	uint32_t id;
	int err;

	if (!text->hash || is_known(symbols, DEFINE_TEXT, text->hash))
		return 0;
	if (kind == 1 || kind == 2 || kind == 4)
		utf8_from_units(text->bytes, kind, length / kind, clean, sizeof(clean));
	else
		utf8_clean(text->bytes, length, length == SHARED_TEXT_MAX, clean, sizeof(clean));
	err = definitions_text(&symbols->definitions, clean, &id);
	return err ? err : id_cache_keep(symbols->texts, text->hash, id, NULL);
}

int symbols_name(struct symbols *symbols, const char *text, uint32_t *ret_id)
{
	char clean[DEFINE_TEXT_MAX];
	uint32_t id;
	int err;

	*ret_id = 0;
	utf8_clean(text, strlen(text), false, clean, sizeof(clean));
	err = definitions_text(&symbols->definitions, clean, &id);
	return err ? err : definitions_number(&symbols->definitions, DEFINE_TEXT, id, ret_id);
}

int symbols_text_id(struct symbols *symbols, uint64_t hash, uint32_t *ret_id)
{
	return number_of_hash(symbols, DEFINE_TEXT, hash, ret_id);
}

/* ── machine code ────────────────────────────────────────────────────────── */

static struct symbol_process *known_process(const struct symbols *symbols, uint32_t pid)
{
	struct symbol_process *process;

	HASH_FIND(hh, symbols->processes, &pid, sizeof(pid), process);
	return process;
}

int symbols_native_id(struct symbols *symbols, uint32_t pid, uint64_t address, uint32_t *ret_id)
{
	const struct symbol_process *process = known_process(symbols, pid);
	uint32_t id;
	int err;

	if (!process || !natives_find(&process->natives, address, &id) ||
	    !definitions_has(&symbols->definitions, DEFINE_FUNCTION, id))
		return 0;
	err = definitions_number(&symbols->definitions, DEFINE_FUNCTION, id, ret_id);
	return err ? err : 1;
}

int symbols_native(struct symbols *symbols, uint32_t pid, const struct native_code *code)
{
	struct symbol_process *process = known_process(symbols, pid);
	struct native_range range = {.start = code->start, .end = code->end};
	char symbol[DEFINE_TEXT_MAX], module[DEFINE_TEXT_MAX];
	int err = 0;

	if (!process)
		return 0;
	utf8_clean(code->symbol, strlen(code->symbol), false, symbol, sizeof(symbol));
	utf8_clean(code->module, strlen(code->module), false, module, sizeof(module));
	if (code->module[0])
		err = definitions_function(&symbols->definitions, symbol, module, 0,
					   &range.function);
	return err ? err : natives_keep(&process->natives, &range);
}

/* ── lines of source ─────────────────────────────────────────────────────── */

int symbols_read_sources(struct symbols *symbols, uint32_t pid, const char *cmdline,
			 struct source_reader *reader)
{
	struct symbol_process *process = known_process(symbols, pid);

	if (!process) {
		source_reader_free(reader);
		return 0;
	}
	sources_free(process->sources);
	process->sources = sources_new(reader, cmdline);
	return process->sources ? 0 : -ENOMEM;
}

static int define_sources(struct symbols *symbols, struct symbol_process *process)
{
	struct source_answer answer;
	char clean[DEFINE_TEXT_MAX];
	int err = 0;

	while (!err && sources_next(process->sources, &answer)) {
		utf8_clean(answer.text, strlen(answer.text), false, clean, sizeof(clean));
		if (answer.function &&
		    definitions_has(&symbols->definitions, DEFINE_FUNCTION, answer.function))
			err = definitions_source(&symbols->definitions, answer.function,
						 answer.line, clean);
	}
	return err;
}

int symbols_sources(struct symbols *symbols)
{
	struct symbol_process *process, *next;
	int err = 0;

	HASH_ITER(hh, symbols->processes, process, next)
	{
		if (!err)
			err = define_sources(symbols, process);
	}
	return err;
}

int symbols_finish_sources(struct symbols *symbols, int timeout_ms)
{
	uint64_t end = clock_now_ns() + (uint64_t)timeout_ms * NS_PER_MS, now;
	struct symbol_process *process, *next;
	int err = symbols_sources(symbols);

	HASH_ITER(hh, symbols->processes, process, next)
	{
		while (!err && (now = clock_now_ns()) < end &&
		       sources_wait(process->sources, (int)((end - now) / NS_PER_MS) + 1))
			err = define_sources(symbols, process);
	}
	return err;
}

struct symbols_status symbols_status(const struct symbols *symbols)
{
	struct symbols_status status = symbols->status;

	status.stacks = definitions_made(&symbols->definitions, DEFINE_STACK);
	status.bytes = dictionary_bytes(symbols->definitions.issue.dictionary) +
		       symbols->stacks->bytes + symbols->texts->bytes + symbols->codes.bytes;
	return status;
}
