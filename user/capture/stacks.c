/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/user.h>

#include "base/cleanup.h"
#include "capture/private.h"

/* ── what the probes need to know of a process ───────────────────────────────────────────────── */

static void include(uint32_t offset, uint32_t bytes, uint32_t *first, uint32_t *end)
{
	if (offset == STACK_NONE)
		return;
	if (offset < *first)
		*first = offset & ~7u;
	if (offset + bytes > *end)
		*end = offset + bytes;
}

static uint16_t in_piece(uint32_t offset, uint32_t first)
{
	return (uint16_t)(offset == STACK_NONE ? STACK_NONE : offset - first);
}

/* The fields of a frame lie close together, so that one read gets all of them. False if they do
 * not in this version; then stacks cannot be read. */
static bool python_of(const struct target *target, struct shared_python *ret_python)
{
	const struct stack_layout *layout = &target->stack;
	uint32_t first = UINT32_MAX, end = 0,
		 pointers = layout->frame_previous | layout->frame_code;

	if (!layout->runtime || !target->gil_count)
		return false;
	include(layout->frame_previous, 8, &first, &end);
	include(layout->frame_code, 8, &first, &end);
	include(layout->frame_instr, layout->instr_kind == STACK_INSTR ? 8 : 4, &first, &end);
	include(layout->frame_owner, 1, &first, &end);
	include(layout->frame_generator, 8, &first, &end);
	include(layout->frame_copy, 4, &first, &end);
	if (layout->instr_kind == STACK_INSTR)
		pointers |= layout->frame_instr;
	if (layout->frame_generator != STACK_NONE)
		pointers |= layout->frame_generator;
	if (layout->frame_copy != STACK_NONE)
		pointers |= layout->frame_copy & ~4u;
	if (pointers % 8 || layout->frame_instr % 4 || end - first > SHARED_FRAME_BYTES_MAX)
		return false;
	*ret_python = (struct shared_python){
		.layout = *layout,
		.code_type = target->code_type,
		.code_mask = layout->code_tagged ? ~3ull : ~0ull,
		.gil = target->gils[0].address,
		.gil_layout = target->layout.gil,
		.frame_first = (uint16_t)first,
		.frame_bytes = (uint16_t)(end - first),
		.previous = in_piece(layout->frame_previous, first),
		.code = in_piece(layout->frame_code, first),
		.instr = in_piece(layout->frame_instr, first),
		.owner = in_piece(layout->frame_owner, first),
		.generator = in_piece(layout->frame_generator, first),
		.copy = in_piece(layout->frame_copy, first),
	};
	return true;
}

/* Offset of a register, given by its DWARF number, in struct pt_regs, which ptrace's
 * user_regs_struct begins like. -1: not there. */
static int32_t register_offset(int number)
{
#if defined(__x86_64__)
#define AT(name) offsetof(struct user_regs_struct, name)
	static const uint8_t offsets[] = {AT(rax), AT(rdx), AT(rcx), AT(rbx), AT(rsi), AT(rdi),
					  AT(rbp), AT(rsp), AT(r8),  AT(r9),  AT(r10), AT(r11),
					  AT(r12), AT(r13), AT(r14), AT(r15)};
#undef AT

	return number >= 0 && number < (int)sizeof(offsets) ? offsets[number] : -1;
#else
	return number >= 0 && number <= 31 ? number * 8 : -1; /* x0 to x30, sp */
#endif
}

static struct shared_gc gc_of(const struct gc_site *site)
{
	struct shared_gc gc = {.generation = site->generation, .regs_offset = -1};

	if (site->generation_register == -1)
		gc.kind = site->generation >= 0 && site->generation < 16 ? GENERATION_CONSTANT
									 : GENERATION_UNKNOWN;
	else
		gc.kind = site->generation_register >= 0 ? GENERATION_REGISTER : GENERATION_MEMORY;
	if (gc.kind == GENERATION_REGISTER || gc.kind == GENERATION_MEMORY)
		gc.regs_offset = register_offset(gc.kind == GENERATION_REGISTER
							 ? site->generation_register
							 : site->generation_base);
	if (gc.kind != GENERATION_CONSTANT && gc.regs_offset < 0)
		gc.kind = GENERATION_UNKNOWN;
	return gc;
}

static int declare_gc(struct capture *capture, const struct target *target)
{
	for (uint32_t i = 0; i < target->gc_site_count; i++) {
		const struct gc_site *site = &target->gc_sites[i];
		struct shared_gc_key key = {.address = target->image_bias + site->vaddr,
					    .tgid = target->info.pid};
		struct shared_gc value = gc_of(site);
		int err = site->end ? 0
				    : probes_set(&capture->probes, PROBES_GC_SITES, &key, &value);

		if (err)
			return err;
	}
	return 0;
}

void tracee_forget_gc_sites(struct capture *capture, struct tracee *tracee)
{
	const struct target *target = tracee->target;

	for (uint32_t i = 0; i < target->gc_site_count; i++) {
		struct shared_gc_key key = {.address = target->image_bias +
						       target->gc_sites[i].vaddr,
					    .tgid = target->info.pid};

		probes_remove(&capture->probes, PROBES_GC_SITES, &key);
	}
}

/* Without a reader there are no lines of source. */
static int read_sources(struct capture *capture, const struct target *target,
			struct source_reader *reader)
{
	if (!reader && (!capture->options.sources || capture->enabled ||
			source_reader_new((pid_t)target->info.pid, &reader)))
		return 0;
	return symbols_read_sources(capture->symbols, target->info.pid, target->info.cmdline,
				    reader);
}

int tracee_declare_stacks(struct capture *capture, struct tracee *tracee,
			  struct source_reader *sources)
{
	const struct target *target = tracee->target;
	struct shared_python python;
	int err = declare_gc(capture, target);

	/* modes other than exact find out whose thread state the holder's is */
	if (err || (!capture->options.stacks && capture->options.mode == MODE_EXACT) ||
	    !python_of(target, &python)) {
		source_reader_free(sources);
		return err;
	}
	if (target->code_gone && capture->options.stacks)
		python.process = ++capture->next_process;
	if (capture->options.stacks)
		err = symbols_add_process(capture->symbols, target->info.pid, &target->stack,
					  &target->layout);
	if (!err && capture->options.stacks)
		err = read_sources(capture, target, sources);
	else
		source_reader_free(sources);
	return err ? err : probes_set(&capture->probes, PROBES_PYTHONS, &target->info.pid, &python);
}

/* ── names of threads in Python ──────────────────────────────────────────────────────────────── */

struct naming {
	struct capture *capture;
	struct tracee *tracee;
};

static int name_thread(void *ctx, uint32_t tid, const char *text, uint32_t limit)
{
	const struct naming *naming = ctx;
	struct member *member = member_find(naming->capture, tid);
	union event event = {.python_name = {.hdr = {.tid = tid, .type = EV_PYTHON_NAME}}};
	uint32_t id;
	int err;

	if (!member || member->tracee != naming->tracee)
		return 0;
	err = symbols_name(naming->capture->symbols, text, &id);
	/* a limit may be readable only later, and not every time */
	if (err || !id || (id == member->name && (!limit || limit == member->pool_limit)))
		return err;
	member->name = id;
	member->pool_limit = limit;
	event.hdr.ts = clock_now_ns();
	event.python_name.text = id;
	event.python_name.limit = limit;
	return sink_event(&naming->capture->sink, &event);
}

int tracee_names(struct capture *capture, struct tracee *tracee)
{
	struct naming naming = {.capture = capture, .tracee = tracee};
	int err = capture->reader.thread_names(tracee->target, name_thread, &naming);
	return err == -ESRCH || err == -EINTR ? 0 : err;
}

/* ── stacks read from outside ────────────────────────────────────────────────────────────────── */

#define PTS_MAJOR 136 /* files.c */

_Static_assert((int)PYTHON_FRAMES_MAX == (int)SHARED_FRAMES_MAX,
	       "as many frames as the probes send");

static int define_still(const struct naming *naming, const struct still_stack *still,
			struct ev_still *event)
{
	struct shared_stack stack = {.hdr = {.tid = still->tid,
					     .type = RING_STACK,
					     .aux = (wire_u16)still->frames.count,
					     .flags = still->frames.cut ? SHARED_STACK_CUT : 0},
				     .pid = naming->tracee->target->info.pid};
	int err;

	for (uint32_t i = 0; i < still->frames.count; i++)
		stack.frames[i] = (struct shared_frame){.code = still->frames.list[i].code,
							.lasti = still->frames.list[i].lasti};
	err = symbols_still(naming->capture->symbols, &stack, &event->stack);
	if (!err && still->task[0])
		err = symbols_name(naming->capture->symbols, still->task, &event->task);
	return err;
}

/* As the probes send it. */
static struct shared_file shared_file_of(const struct sleep_file *file)
{
	struct shared_file shared = {.mode = file->type,
				     .family = file->family,
				     .type = file->socket_type,
				     .port = file->port};

	if (file->type == S_IFCHR) {
		shared.device = PTS_MAJOR << 20;
		snprintf(shared.name, sizeof(shared.name), "%u", file->terminal);
	} else {
		memcpy(shared.address, file->address, sizeof(shared.address));
	}
	return shared;
}

static int emit_sleeps_on(const struct naming *naming, const struct still_stack *still)
{
	struct shared_file file = shared_file_of(&still->file);
	union event event = {
		.sleeps_on = {.hdr = {.ts = still->ts, .tid = still->tid, .type = EV_SLEEPS_ON},
			      .span_ns = still->span_ns}};
	char name[128];
	int err;

	capture_file_text(&file, name, sizeof(name));
	if (!name[0])
		return 0;
	err = symbols_name(naming->capture->symbols, name, &event.sleeps_on.text);
	return err || !event.sleeps_on.text ? err : sink_event(&naming->capture->sink, &event);
}

static int emit_still(void *ctx, const struct still_stack *still)
{
	const struct naming *naming = ctx;
	const struct member *member = member_find(naming->capture, still->tid);
	union event event = {
		.still = {.hdr = {.ts = still->ts, .tid = still->tid, .type = EV_STILL},
			  .span_ns = still->span_ns,
			  .root = still->frames.root}};
	int err;

	if (!member || member->tracee != naming->tracee || member->waits)
		return 0;
	err = define_still(naming, still, &event.still);
	if (!err)
		err = sink_event(&naming->capture->sink, &event);
	return err ? err : emit_sleeps_on(naming, still);
}

int tracee_stills(struct capture *capture, struct tracee *tracee)
{
	struct naming naming = {.capture = capture, .tracee = tracee};
	int err = capture->options.stacks
			  ? capture->reader.stills(tracee->target, emit_still, &naming)
			  : 0;

	return err == -ESRCH || err == -EINTR ? 0 : err;
}

/* ── stacks, texts and samples from the ring ─────────────────────────────────────────────────── */

static int resolve_stack(struct capture *capture, const struct shared_stack *stack, size_t size)
{
	if (size < SHARED_STACK_BYTES(1) || stack->hdr.aux > SHARED_FRAMES_MAX ||
	    size != SHARED_STACK_BYTES(stack->hdr.aux))
		return -EPROTO;
	return symbols_stack(capture->symbols, stack);
}

static int resolve_text(struct capture *capture, const struct shared_text *text, size_t size)
{
	if (size != sizeof(*text) || text->hdr.aux > SHARED_TEXT_MAX)
		return -EPROTO;
	return symbols_text(capture->symbols, text);
}

int capture_resolve_held(struct capture *capture)
{
	const struct held_record *held = &capture->held;
	size_t bytes = STEAL(capture->held.bytes, 0);

	if (!bytes)
		return 0;
	if (held->hdr.type != RING_STACK)
		return resolve_text(capture, &held->text, bytes);
	capture_note_stack(capture, held->hdr.tid);
	return resolve_stack(capture, &held->stack, bytes);
}

/* ── machine code ────────────────────────────────────────────────────────────────────────────── */

/* The function at a sample's address. One that is not known yet is read later: this sample goes
 * without, and so do others of its function until then. 0, -ENOMEM or the sink's error. */
static int native_of(struct capture *capture, uint32_t tid, uint64_t address,
		     uint32_t *ret_function)
{
	struct member *member = address ? member_find(capture, tid) : NULL;
	struct tracee *tracee = member ? member->tracee : NULL;
	int known;

	*ret_function = 0;
	if (!tracee || tracee->gone)
		return 0;
	known = symbols_native_id(capture->symbols, tracee->target->info.pid, address,
				  ret_function);
	if (known)
		return known < 0 ? known : 0;
	if (tracee->native_count < NATIVES_WANTED_MAX)
		tracee->natives[tracee->native_count++] = address;
	requests_put(&capture->requests,
		     &(struct request){.tracee = tracee, .kind = REQUEST_NATIVE});
	return 0;
}

/* One address that is not known yet. */
static int name_native(struct capture *capture, struct tracee *tracee, uint64_t address)
{
	struct native_code code;
	int err = capture->reader.native(tracee->target, address, &code);

	if (err == -ESRCH)
		return err;
	if (err) /* it will not do better the next time */
		code = (struct native_code){.start = address, .end = address + 1};
	return symbols_native(capture->symbols, tracee->target->info.pid, &code);
}

int tracee_natives(struct capture *capture, struct tracee *tracee)
{
	uint32_t pid = tracee->target->info.pid, function;
	int err = 0;

	while (tracee->native_count) {
		uint64_t address = tracee->natives[--tracee->native_count];

		err = symbols_native_id(capture->symbols, pid, address, &function);
		if (err > 0) {
			err = 0;
			continue;
		}
		if (!err)
			err = name_native(capture, tracee, address);
		break; /* the ring may want to be drained before the next one */
	}
	if (!err && tracee->native_count)
		requests_put(&capture->requests,
			     &(struct request){.tracee = tracee, .kind = REQUEST_NATIVE});
	return err;
}

int capture_handle_sample(struct capture *capture, const struct shared_sample *sample, size_t size)
{
	union event event = {0};
	int err;

	if (size != sizeof(*sample))
		return -EPROTO;
	event.stack = (struct ev_stack){.hdr = sample->hdr, .root = sample->root};
	event.hdr.type = EV_STACK;
	err = symbols_stack_id(capture->symbols, sample->stack, &event.stack.stack);
	if (!err)
		err = symbols_text_id(capture->symbols, sample->task, &event.stack.task);
	if (!err)
		err = native_of(capture, sample->hdr.tid, sample->address, &event.stack.native);
	if (err)
		return err;
	capture->status.events++;
	capture->status.stacks.taken++;
	capture->status.stacks.missing += !event.stack.stack && sample->stack != SHARED_STACK_EMPTY;
	return sink_event(&capture->sink, &event);
}

int capture_handle_native(struct capture *capture, const struct shared_native *sample, size_t size)
{
	union event event = {0};
	int err;

	if (size != sizeof(*sample))
		return -EPROTO;
	event.native = (struct ev_native){.hdr = sample->hdr};
	event.hdr.type = EV_NATIVE;
	err = native_of(capture, sample->hdr.tid, sample->address, &event.native.native);
	if (err)
		return err;
	capture->status.events++;
	return sink_event(&capture->sink, &event);
}
