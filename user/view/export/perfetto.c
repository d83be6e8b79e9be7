/* SPDX-License-Identifier: MIT */
/*
 * The recording as a trace for Perfetto: spans (spans.h) become slices and counters while the
 * recording is read; the stalls come from the report at the end. Tracks:
 *
 *   process ┬ events of it that were lost
 *           ├ GIL: who held it; where a wait begins, an instant "waited for by …",
 *           │      to which a flow leads from the waiter's slice
 *           ├ counter: how many wait for the GIL
 *           └ thread: its states ┬ Python frames, nested
 *                                └ of a thread with a loop: turns, stalls,
 *                                  counter: the length of the turn
 *   the recording, with the report's figures for it as a whole
 *   events of no single process that were lost
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/hash.h"
#include "base/sysname.h"
#include "words/names.h"
#include "view/export/perfetto_owners.h"

#define MARK_UNKNOWN UINT32_MAX
#define MARK_CUT     (UINT32_MAX - 1)

struct drawing {
	struct perfetto *perfetto;
	struct report names; /* before there is a report, only its dictionary is valid */
	bool stacks;
	uint32_t rate_hz;
	/* by address, in order of appearance; losses by the process, or the drawing for all others
	 */
	struct owner *processes, *threads, *gils, *loops, *losses;
	uint64_t recording, flows; /* track, and the number of flows */
};

/* ── who has tracks ──────────────────────────────────────────────────────── */

static void escape(char to[static FLAME_TEXT_MAX], const char *text)
{
	escape_text(to, FLAME_TEXT_MAX, text, strlen(text));
}

/* 0 if memory is short. */
static uint64_t process_track(struct drawing *drawing, const struct process *process)
{
	bool new;
	struct owner *owner = owner_of(drawing->perfetto, &drawing->processes, process, &new);
	Perfetto__TrackDescriptor track = PERFETTO__TRACK_DESCRIPTOR__INIT;
	Perfetto__ProcessDescriptor descriptor = PERFETTO__PROCESS_DESCRIPTOR__INIT;
	char title[PROCESS_TITLE_MAX], command[FLAME_TEXT_MAX],
		cmdline[4 * sizeof(process->info.cmdline) + 1], *line[] = {cmdline};

	if (!owner || !new)
		return owner ? owner->tracks : 0;
	escape(command, process_title(process, title));
	escape_text(cmdline, sizeof(cmdline), process->info.cmdline, strlen(process->info.cmdline));
	descriptor.has_pid = true;
	descriptor.pid = (int32_t)process->info.pid;
	descriptor.process_name = command;
	descriptor.n_cmdline = 1;
	descriptor.cmdline = line;
	track.has_uuid = true;
	track.uuid = owner->tracks;
	track.process = &descriptor;
	perfetto_describe(drawing->perfetto, &track);
	return owner->tracks;
}

static void describe_thread(struct drawing *drawing, const struct owner *owner)
{
	const struct thread *thread = owner->of;
	Perfetto__TrackDescriptor track = PERFETTO__TRACK_DESCRIPTOR__INIT;
	Perfetto__ThreadDescriptor descriptor = PERFETTO__THREAD_DESCRIPTOR__INIT;
	char name[FLAME_TEXT_MAX];

	escape(name, thread_name(&drawing->names, thread));
	descriptor.has_pid = descriptor.has_tid = true;
	descriptor.pid = (int32_t)thread->process->info.pid;
	descriptor.tid = thread->tid;
	descriptor.thread_name = *name ? name : NULL;
	track.has_uuid = true;
	track.uuid = owner->tracks;
	track.thread = &descriptor;
	perfetto_describe(drawing->perfetto, &track);
}

/* "uvicorn (4711)" after words of ours, by its current name, which may change. */
static void name_thread(struct drawing *drawing, struct owner *owner)
{
	const struct thread *thread = owner->of;
	char name[FLAME_TEXT_MAX], of_slices[FLAME_TEXT_MAX + 64];

	memcpy(owner->comm, thread->comm, sizeof(owner->comm));
	owner->python_name = thread->python_name;
	escape(name, thread_name(&drawing->names, thread));
	snprintf(of_slices, sizeof(of_slices), "%s (%u)", *name ? name : "thread", thread->tid);
	owner->name = perfetto_new_name(drawing->perfetto, of_slices);
	snprintf(of_slices, sizeof(of_slices), "waited for by %s (%u)", *name ? name : "thread",
		 thread->tid);
	owner->waited_for_by = perfetto_new_name(drawing->perfetto, of_slices);
}

/* NULL when memory is short. */
static struct owner *thread_owner(struct drawing *drawing, const struct thread *thread)
{
	bool new;
	struct owner *owner = owner_of(drawing->perfetto, &drawing->threads, thread, &new);

	if (!owner)
		return NULL;
	if (new) {
		process_track(drawing, thread->process);
		describe_thread(drawing, owner);
		name_thread(drawing, owner);
	} else if (owner->python_name != thread->python_name ||
		   strcmp(owner->comm, thread->comm) != 0) {
		owner->renamed = true;
		name_thread(drawing, owner);
	}
	return owner;
}

static uint64_t gil_track(struct drawing *drawing, const struct gil *gil, int which)
{
	bool new;
	struct owner *owner = owner_of(drawing->perfetto, &drawing->gils, gil, &new);
	char name[64], description[320];
	uint64_t process;

	if (!owner || !new)
		return owner ? owner->tracks + (unsigned)which : 0;
	process = process_track(drawing, gil->process);
	snprintf(name, sizeof(name), "GIL of interpreter %u", gil->interpreter);
	snprintf(description, sizeof(description),
		 "Who certainly held the GIL at 0x%llx. Where there is no slice it was free, or it "
		 "is unknown who had it. forced: ended because a waiter asked for "
		 "it. handoff: another thread had it before. whole false: evidence began or ended "
		 "inside.",
		 (unsigned long long)gil->address);
	perfetto_describe_child(drawing->perfetto, owner->tracks, process, name, description);
	snprintf(name, sizeof(name), "waiting for the GIL of interpreter %u", gil->interpreter);
	perfetto_describe_counter(drawing->perfetto, owner->tracks + TRACK_WAITERS, process, name,
				  PERFETTO__COUNTER_DESCRIPTOR__UNIT__UNIT_COUNT);
	return owner->tracks + (unsigned)which;
}

static uint64_t loop_track(struct drawing *drawing, const struct loop *loop, int which)
{
	bool new;
	struct owner *owner = owner_of(drawing->perfetto, &drawing->loops, loop, &new), *thread;

	if (!owner || !new)
		return owner ? owner->tracks + (unsigned)which : 0;
	thread = thread_owner(drawing, loop->thread);
	if (!thread)
		return 0;
	perfetto_describe_child(drawing->perfetto, owner->tracks, thread->tracks,
				"turns of the event loop", NULL);
	perfetto_describe_child(drawing->perfetto, owner->tracks + TRACK_STALLS, thread->tracks,
				"stalls of the event loop", NULL);
	perfetto_describe_counter(drawing->perfetto, owner->tracks + TRACK_TURN_LENGTH,
				  thread->tracks, "length of the event loop's turn",
				  PERFETTO__COUNTER_DESCRIPTOR__UNIT__UNIT_TIME_NS);
	return owner->tracks + (unsigned)which;
}

/* ── states ──────────────────────────────────────────────────────────────── */

static void add_syscall(struct drawing *drawing, struct perfetto_event *event,
			const struct interval *span, char number[static 32])
{
	const char *name = span->sysno < 0
				   ? sysno_word(span->sysno)
				   : sysname(span->thread->process->info.machine, span->sysno);

	if (span->state != TS_BLOCKED && span->state != TS_HELD_BLOCKED && span->state != TS_IDLE &&
	    !sysno_is_stop(span->sysno))
		return;
	snprintf(number, 32, "syscall_%d", span->sysno);
	perfetto_text(drawing->perfetto, event, KEY_SYSCALL, name ? name : number);
}

static void add_state_facts(struct drawing *drawing, struct perfetto_event *event,
			    const struct interval *span, char generation[static 32])
{
	if (span->cpu != CPU_NONE)
		perfetto_number(event, KEY_CPU, span->cpu);
	if (span->throttled)
		perfetto_flag(event, KEY_THROTTLED, true);
	if (span->sampled)
		perfetto_flag(event, KEY_SAMPLED, true);
	if (!span->gc)
		return;
	snprintf(generation, 32, "generation %u", span->generation);
	perfetto_text(drawing->perfetto, event, KEY_GC,
		      span->generation == GC_GENERATION_UNKNOWN ? "unknown" : generation);
}

/* The waiter's slice comes first, so that a reader that keeps our order for simultaneous events
 * sees the flow begin first. */
static void on_state(void *ctx, const struct interval *span)
{
	struct drawing *drawing = ctx;
	struct owner *owner = thread_owner(drawing, span->thread);
	struct perfetto_event event = {.ts = span->start, .name = NAME_STATES + span->state};
	char number[32], generation[32];

	if (!owner)
		return;
	event.track = owner->tracks;
	event.flow_to = span->state == TS_GIL_WAIT && span->gil ? ++drawing->flows : 0;
	add_syscall(drawing, &event, span, number);
	add_state_facts(drawing, &event, span, generation);
	perfetto_begin(drawing->perfetto, &event);
	perfetto_end(drawing->perfetto, owner->tracks, span->end);
	if (!event.flow_to)
		return;
	event = (struct perfetto_event){
		.ts = span->start, .name = owner->waited_for_by, .flow_at = event.flow_to};
	event.track = gil_track(drawing, span->gil, TRACK_FIRST);
	perfetto_instant(drawing->perfetto, &event);
}

/* ── frames ──────────────────────────────────────────────────────────────── */

static void describe_frames(struct drawing *drawing, const struct owner *owner)
{
	char name[64], description[256];

	snprintf(name, sizeof(name), "Python frames (on a CPU: sampled at %u Hz)",
		 drawing->rate_hz);
	snprintf(description, sizeof(description),
		 "What was executing. Exact while the thread was off the CPU or waited for the "
		 "GIL; on a CPU as of the next sample of a clock with %u Hz.",
		 drawing->rate_hz);
	perfetto_describe_child(drawing->perfetto, owner->tracks + TRACK_FRAMES, owner->tracks,
				drawing->rate_hz ? name : "Python frames (on a CPU: not sampled)",
				drawing->rate_hz
					? description
					: "What was executing. Exact; known only while the thread "
					  "was off the CPU or waited for the GIL.");
}

static void close_frames(struct drawing *drawing, const struct owner *owner, uint32_t keep,
			 uint64_t ts)
{
	for (; owner->frames->count > keep; owner->frames->count--)
		perfetto_end(drawing->perfetto, owner->tracks + TRACK_FRAMES, ts);
}

static void open_frame(struct drawing *drawing, const struct owner *owner,
		       const struct stack_frame *frame, uint64_t ts)
{
	struct open_frames *frames = owner->frames;
	struct perfetto_event event = {.track = owner->tracks + TRACK_FRAMES, .ts = ts};
	const char *task = frames->count ? NULL : text_of(&drawing->names, frames->task);
	char escaped[FLAME_TEXT_MAX];

	if (frame->function == MARK_UNKNOWN || frame->function == MARK_CUT) {
		event.name = frame->function == MARK_CUT ? NAME_CUT : NAME_UNKNOWN;
	} else {
		event.name = perfetto_function(drawing->perfetto, frame->function);
		event.frame = frame;
	}
	if (task) {
		escape(escaped, task);
		perfetto_text(drawing->perfetto, &event, KEY_TASK, escaped);
	}
	perfetto_begin(drawing->perfetto, &event);
	frames->open[frames->count++] = *frame;
}

/* A stack as drawn, outermost frame first. Returns the number of frames. */
static uint32_t frames_of(const struct drawing *drawing, uint32_t stack,
			  struct stack_frame frames[static FRAMES_MAX])
{
	const struct definition *definition = stack_of(&drawing->names, stack);
	uint32_t count = 0;

	if (!definition || definition->stack.cut)
		frames[count++] = (struct stack_frame){.function = definition ? MARK_CUT
									      : MARK_UNKNOWN};
	for (uint32_t i = definition ? definition->stack.count : 0; i > 0; i--)
		frames[count++] = definition->stack.frames[i - 1];
	return count;
}

static bool frames_ready(struct drawing *drawing, struct owner *owner)
{
	if (!owner || owner->frames)
		return owner;
	owner->frames = calloc(1, sizeof(*owner->frames));
	if (owner->frames)
		describe_frames(drawing, owner);
	else
		perfetto_fail(drawing->perfetto, -ENOMEM);
	return owner->frames;
}

/* What two stacks have in common stays open. A frame at another line has made another call, so it
 * is another slice; a task has slices of its own. */
static void on_stack(void *ctx, const struct stack_span *span)
{
	struct drawing *drawing = ctx;
	struct owner *owner = drawing->stacks ? thread_owner(drawing, span->thread) : NULL;
	struct stack_frame next[FRAMES_MAX];
	uint32_t count, same = 0;
	struct open_frames *frames;

	if (!frames_ready(drawing, owner))
		return;
	frames = owner->frames;
	count = frames_of(drawing, span->stack, next);
	while (same < count && same < frames->count && frames->task == span->task &&
	       next[same].function == frames->open[same].function &&
	       next[same].line == frames->open[same].line)
		same++;
	close_frames(drawing, owner, same, span->start);
	frames->task = span->task;
	frames->end = span->end;
	for (uint32_t i = same; i < count; i++)
		open_frame(drawing, owner, &next[i], span->start);
}

/* ── GILs and loops ──────────────────────────────────────────────────────── */

static void on_hold(void *ctx, const struct hold *hold)
{
	struct drawing *drawing = ctx;
	const struct owner *owner = thread_owner(drawing, hold->thread);
	struct perfetto_event event = {.ts = hold->start};

	if (!owner)
		return;
	event.track = gil_track(drawing, hold->gil, TRACK_FIRST);
	event.name = owner->name;
	if (hold->requested)
		perfetto_flag(&event, KEY_FORCED, true);
	if (hold->handoff)
		perfetto_flag(&event, KEY_HANDOFF, true);
	if (!hold->whole)
		perfetto_flag(&event, KEY_WHOLE, false);
	perfetto_begin(drawing->perfetto, &event);
	perfetto_end(drawing->perfetto, event.track, hold->end);
}

static void on_waiters(void *ctx, const struct gil *gil, uint64_t ts)
{
	struct drawing *drawing = ctx;

	perfetto_count(drawing->perfetto, gil_track(drawing, gil, TRACK_WAITERS), ts, gil->waiters);
}

static void on_turn(void *ctx, const struct turn *turn)
{
	struct drawing *drawing = ctx;
	struct perfetto_event event = {.track = loop_track(drawing, turn->loop, TRACK_FIRST),
				       .ts = turn->start,
				       .name = NAME_TURN};

	if (!turn->whole)
		perfetto_flag(&event, KEY_WHOLE, false);
	if (turn->ongoing)
		perfetto_flag(&event, KEY_ONGOING, true);
	perfetto_begin(drawing->perfetto, &event);
	perfetto_end(drawing->perfetto, event.track, turn->end);
	perfetto_count(drawing->perfetto, event.track + TRACK_TURN_LENGTH, turn->start,
		       turn->end - turn->start);
	perfetto_count(drawing->perfetto, event.track + TRACK_TURN_LENGTH, turn->end, 0);
}

/* ── the recording ───────────────────────────────────────────────────────── */

static void put_loss(struct drawing *drawing, const struct owner *owner, uint64_t end)
{
	const struct loss *loss = &owner->loss;
	struct perfetto_event event = {
		.ts = loss->start, .name = NAME_LOSS, .track = owner->tracks};

	if (!loss->count)
		return;
	perfetto_number(&event, KEY_EVENTS, loss->count);
	perfetto_begin(drawing->perfetto, &event);
	perfetto_end(drawing->perfetto, event.track, loss->end < end ? loss->end : end);
}

static struct owner *losses_of(struct drawing *drawing, const struct process *process)
{
	bool new;
	struct owner *owner = owner_of(drawing->perfetto, &drawing->losses,
				       process ? (const void *)process : drawing, &new);

	if (owner && new)
		perfetto_describe_child(drawing->perfetto, owner->tracks,
					process ? process_track(drawing, process) : 0,
					"gilscope: lost events", NULL);
	return owner;
}

/* Every CPU loses on its own, so losses may overlap, but slices must not. */
static void on_loss(void *ctx, const struct loss *loss)
{
	struct drawing *drawing = ctx;
	struct owner *owner = losses_of(drawing, loss->process);

	if (!owner)
		return;
	if (owner->loss.count && loss->start <= owner->loss.end) {
		owner->loss.end = loss->end > owner->loss.end ? loss->end : owner->loss.end;
		owner->loss.count += loss->count;
		return;
	}
	put_loss(drawing, owner, loss->start);
	owner->loss = *loss;
}

static bool process_leaves(const void *of)
{
	return ((const struct process *)of)->leaves;
}

static bool thread_leaves(const void *of)
{
	return ((const struct thread *)of)->leaves;
}

static bool gil_leaves(const void *of)
{
	return ((const struct gil *)of)->leaves;
}

static bool loop_leaves(const void *of)
{
	return ((const struct loop *)of)->thread->leaves;
}

/* Those of processes that are about to be freed, or all. */
static void finish_losses(struct drawing *drawing, uint64_t end, bool freed)
{
	struct owner *owner, *next;

	HASH_ITER(hh, drawing->losses, owner, next)
	{
		if (freed && !(owner->loss.process && owner->loss.process->leaves))
			continue;
		put_loss(drawing, owner, end);
		HASH_DEL(drawing->losses, owner);
		free(owner);
	}
}

/* Their tracks stay, with the names that they have had so far. */
static void on_forget(void *ctx, const struct world *world)
{
	struct drawing *drawing = ctx;
	const struct thread *thread;

	(void)world;
	for (struct owner *owner = drawing->threads; owner; owner = owner->hh.next) {
		thread = owner->of;
		if (thread->leaves && owner->frames)
			close_frames(drawing, owner, 0, owner->frames->end);
	}
	finish_losses(drawing, UINT64_MAX, true);
	tracks_forget(&drawing->loops, loop_leaves);
	tracks_forget(&drawing->gils, gil_leaves);
	tracks_forget(&drawing->threads, thread_leaves);
	tracks_forget(&drawing->processes, process_leaves);
}

/* ── begin and end ───────────────────────────────────────────────────────── */

static void free_drawing(struct drawing *drawing)
{
	if (!drawing)
		return;
	tracks_free(&drawing->loops);
	tracks_free(&drawing->gils);
	tracks_free(&drawing->threads);
	tracks_free(&drawing->processes);
	tracks_free(&drawing->losses);
	perfetto_free(drawing->perfetto);
	free(drawing);
}

static struct drawing *begin(FILE *file, const struct stream_head *head,
			     const struct dictionary *names, struct handler_finder *finder)
{
	struct drawing *drawing = calloc(1, sizeof(*drawing));

	if (!drawing)
		return NULL;
	drawing->names.names = names;
	drawing->stacks = head->stacks;
	drawing->rate_hz = head->rate_hz;
	drawing->perfetto = perfetto_new(file, head, names);
	if (!drawing->perfetto) {
		free(drawing);
		return NULL;
	}
	drawing->recording = perfetto_track(drawing->perfetto);
	perfetto_describe_child(drawing->perfetto, drawing->recording, 0, "gilscope: the recording",
				NULL);
	return drawing;
}

static struct span_sink sink(struct drawing *drawing)
{
	return (struct span_sink){.state = on_state,
				  .stack = on_stack,
				  .hold = on_hold,
				  .turn = on_turn,
				  .waiters = on_waiters,
				  .loss = on_loss,
				  .forget = on_forget,
				  .ctx = drawing};
}

/* A renamed thread is known by its last name. If its tid was reused, the name would go to another
 * thread, so then all of them are described again, in order. */
static void finish_threads(struct drawing *drawing)
{
	bool renamed = false;

	for (struct owner *owner = drawing->threads; owner; owner = owner->hh.next) {
		const struct thread *thread = owner->of;

		if (owner->frames)
			close_frames(drawing, owner, 0, owner->frames->end);
		renamed |= owner->renamed || owner->python_name != thread->python_name ||
			   strcmp(owner->comm, thread->comm) != 0;
	}
	for (struct owner *owner = renamed ? drawing->threads : NULL; owner; owner = owner->hh.next)
		describe_thread(drawing, owner);
}

static bool reported(const struct report *report, const struct loop *loop)
{
	const struct process_report *process = &report->processes[loop->thread->process->index];

	for (uint32_t i = 0; i < process->loop_count; i++)
		if (process->loops[i].loop == loop)
			return true;
	return false;
}

/* A thread may turn out not to be a loop after its turns have been written. */
static void finish_loops(struct drawing *drawing, const struct report *report)
{
	for (const struct owner *owner = drawing->loops; owner; owner = owner->hh.next) {
		const struct loop *loop = owner->of;

		if (!reported(report, loop))
			perfetto_describe_child(drawing->perfetto, owner->tracks,
						thread_owner(drawing, loop->thread)->tracks,
						"turns of what proved to be no event loop", NULL);
	}
	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t i = 0; i < report->processes[p].loop_count; i++) {
			const struct loop_report *loop = &report->processes[p].loops[i];

			for (uint32_t n = 0; n < loop->stall_count; n++)
				perfetto_put_stall(drawing->perfetto,
						   loop_track(drawing, loop->loop, TRACK_STALLS),
						   report, &loop->stalls[n],
						   report->processes[p].process);
		}
}

static int finish(struct drawing *drawing, const struct report *report)
{
	finish_threads(drawing);
	finish_loops(drawing, report);
	finish_losses(drawing, report->window.end, false);
	perfetto_put_recording(drawing->perfetto, drawing->recording, report);
	return perfetto_finish(drawing->perfetto);
}

const struct drawing_kind drawing_perfetto = {.name = "perfetto trace",
					      .begin = begin,
					      .sink = sink,
					      .finish = finish,
					      .free = free_drawing};
