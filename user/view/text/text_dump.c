/* SPDX-License-Identifier: MIT */
/* What every thread does at one instant, for people. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/duration.h"
#include "view/text/text.h"
#include "words/names.h"
#include "words/palette.h"
#include "words/stall.h"

#define DUMP_INDENT   "    "
#define SHOWN_WAITERS 8
#define WORTH_A_WORD  100 /* a thread that ran for less than this part of the window was asleep */

struct dump_page {
	struct canvas canvas;
	const struct view_dump *dump;
	const struct report *report;
};

static void show(const struct dump_page *page, const char *first, struct text_buffer *text)
{
	if (text->length)
		canvas_paragraph(&page->canvas, first, (unsigned)strlen(first), text);
	*text = (struct text_buffer){0};
}

/* " for ≥ 203 ms" */
static void add_since(struct text_buffer *text, const struct dump_page *page,
		      const struct dump_since *since)
{
	text_add(text, " for" NBSP "%s", since->before ? "≥" NBSP : "");
	text_add_duration(text, page->dump->list->ts - since->ts);
}

/* ── head ────────────────────────────────────────────────────────────────── */

static void add_time(struct text_buffer *text, uint64_t realtime_ns)
{
	time_t seconds = (time_t)(realtime_ns / NS_PER_S);
	char day[32], zone[16];
	struct tm tm;

	if (!realtime_ns || !localtime_r(&seconds, &tm))
		return;
	strftime(day, sizeof(day), "%Y-%m-%d" NBSP "%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	text_add(text, SEPARATOR "%s.%03u" NBSP "%s", day,
		 (unsigned)(realtime_ns / NS_PER_MS % 1000), zone);
}

static void show_instant(const struct dump_page *page, const struct process *process)
{
	struct text_buffer line = {0}, rest = {0};
	unsigned used;

	add_time(&rest, page->dump->realtime_ns);
	text_add(&rest, SEPARATOR "observed for ");
	text_add_duration(&rest, text_window_ns(page->report));
	used = text_width(rest.bytes) + 32; /* pid and version */
	text_add_process(&line, process,
			 page->canvas.columns > used + 12 ? page->canvas.columns - used : 12);
	text_add(&line, "%s", rest.bytes);
	canvas_heading(&page->canvas, &line);
}

/* ── GILs ────────────────────────────────────────────────────────────────── */

static void add_waiters(struct text_buffer *text, const struct dump_page *page,
			const struct dump_gil *gil)
{
	const struct dump_list *list = page->dump->list;
	uint32_t shown = 0;

	for (uint32_t i = 0; i < list->thread_count && shown < SHOWN_WAITERS; i++) {
		const struct dump_thread *entry = &list->threads[i];

		if (entry->state != TS_GIL_WAIT || entry->gil != gil->gil)
			continue;
		text_add(text, shown++ ? ", " : "; waiting for it: ");
		text_add_thread(text, page->report, entry->thread);
		add_since(text, page, &entry->since);
	}
	if (shown && gil->waiters > shown)
		text_add(text, ", and %u" NBSP "more", gil->waiters - shown);
}

static void show_holder(const struct dump_page *page, const struct dump_gil *gil, bool many)
{
	const struct dump_thread *holder = dump_find(page->dump->list, gil->holder);
	struct text_buffer text = {0};

	text_add(&text, many ? "GIL of interpreter %u: " : "GIL: ", gil->gil->interpreter);
	if (holder) {
		text_add(&text, "held by ");
		text_add_thread(&text, page->report, holder->thread);
		add_since(&text, page, &holder->held);
	} else if (gil->free && !gil->gil->process->info.gil_enabled) {
		text_add(&text, "off (free-threaded Python)");
	} else {
		text_add(&text, gil->free ? "free" : "who holds it is unknown");
	}
	add_waiters(&text, page, gil);
	show(page, "  ", &text);
}

/* ── a thread ────────────────────────────────────────────────────────────── */

static void add_lock(struct text_buffer *text, const struct dump_page *page,
		     const struct dump_thread *entry)
{
	if (entry->lock.owner) {
		text_add(text, " (a mutex that ");
		text_add_thread(text, page->report, entry->lock.owner);
		text_add_has(text, entry->had_ns);
		text_add(text, ")");
	} else if (entry->lock.kind == LOCK_MUTEX) {
		text_add(text, " (a mutex)");
	} else if (entry->lock.kind == LOCK_SEMAPHORE) {
		text_add(text, " (a semaphore, as Python's locks are)");
	} else if (entry->lock.kind == LOCK_PYMUTEX) {
		text_add(text, " (a PyMutex)");
	} else if (entry->lock.kind == LOCK_CRITICAL) {
		text_add(text, " (to enter a critical section)");
	} else if (entry->lock.kind == LOCK_WORLD) {
		text_add(text, " (suspended: the world is stopped)");
	}
}

static void add_sleep(struct text_buffer *text, const struct dump_page *page,
		      const struct dump_thread *entry)
{
	const char *file = text_of(page->report, entry->file);

	if (sysno_is_stop(entry->sysno)) {
		text_add(text, "%s", text_stop(stop_kind_of(entry->sysno)));
		return;
	}
	text_add(text, "asleep in ");
	text_add_syscall(text, entry->thread->process, entry->sysno);
	add_lock(text, page, entry);
	if (file && *file) {
		text_add(text, " (");
		text_add_name(text, file, 64);
		text_add(text, ")");
	}
}

static void add_state(struct text_buffer *text, const struct dump_page *page,
		      const struct dump_thread *entry)
{
	bool no_gil = !entry->thread->process->info.gil_enabled;

	if (entry->state == TS_UNKNOWN)
		text_add(text, entry->off ? "off the CPU; whether it waits for the GIL is unknown"
					  : "what it does is unknown");
	else if (entry->state == TS_BLOCKED || entry->state == TS_HELD_BLOCKED)
		add_sleep(text, page, entry);
	else if (entry->state == TS_NATIVE && no_gil)
		text_add(text, "running");
	else
		text_add(text, "%s", palette_of(entry->state)->doing);
	/* a running thread takes and releases the GIL all the time */
	if (!thread_state_runs(entry->state) && entry->state != TS_UNKNOWN)
		add_since(text, page, &entry->since);
	if (entry->state == TS_GIL_WAIT && entry->waits_for) {
		text_add(text, ", held by ");
		text_add_thread(text, page->report, entry->waits_for);
	}
	if (entry->holds) {
		text_add(text, "; has had the GIL");
		add_since(text, page, &entry->held);
	}
	if (entry->gc)
		text_add(text, "; collecting garbage");
}

static void add_cpu(struct text_buffer *text, const struct dump_thread *entry)
{
	uint64_t ran = entry->states.ns[TS_PYTHON] + entry->states.ns[TS_NATIVE],
		 whole = state_sums_total(&entry->states);

	if (!ran || ran < whole / WORTH_A_WORD)
		return;
	text_add(text, "; on a CPU for ");
	text_add_share(text, ran, whole);
	text_add(text, " of the last ");
	text_add_duration(text, whole);
}

static void add_task(struct text_buffer *text, const struct dump_page *page,
		     const struct dump_thread *entry)
{
	const char *task = text_of(page->report, entry->ref.task);

	if (task && *task) {
		text_add(text, "; current task '");
		text_add_name(text, task, 64);
		text_add(text, "'");
	} else if (entry->ref.root) {
		text_add(text, "; in a task whose name is unknown");
	}
}

static void add_loop(struct text_buffer *text, const struct dump_page *page,
		     const struct dump_thread *entry)
{
	if (!entry->loop || entry->place == DUMP_LOOP_IDLE)
		return;
	text_add(text, "event loop: ");
	if (entry->place == DUMP_LOOP_UNKNOWN) {
		text_add(text, "whether it is in its wait is unknown");
		return;
	}
	text_add(text, "in this iteration");
	add_since(text, page, &entry->turn);
	add_task(text, page, entry);
}

static void add_dump_title(struct text_buffer *text, const struct dump_page *page,
			   const struct dump_thread *entry)
{
	text_add_thread(text, page->report, entry->thread);
	if (entry->loop)
		text_add(text, SEPARATOR "event loop");
	if (entry->loop && entry->loop->kind != LOOP_UNKNOWN)
		text_add(text, " (%s)", loop_kind_name(entry->loop->kind));
	if (entry->holds)
		text_add(text, SEPARATOR "has the GIL");
}

/* ── its stack ───────────────────────────────────────────────────────────── */

/* "  ← route": the function that the framework or a thread called, and the application's innermost
 * one. */
static void add_mark(struct text_buffer *text, const struct dump_thread *entry, uint32_t frame,
		     uint32_t inner)
{
	const char *role = text_role(entry->handler.role);

	if (entry->handler.role != HANDLER_NONE && frame == entry->handler.index && role)
		text_add(text, "  ← %s", role);
	else if (frame == inner)
		text_add(text, "  ← the application's innermost function");
}

static void show_frame(const struct dump_page *page, const struct dump_thread *entry,
		       const struct stack_frame *frame, uint32_t index, uint32_t inner)
{
	struct text_buffer text = {0}, mark = {0};
	unsigned used;

	if (!frame_names(page->report, frame).function) {
		text_add_frame(&text, page->report, frame);
	} else {
		text_add_function(&text, page->report, frame, page->canvas.columns / 2);
		text_add(&text, " (");
		add_mark(&mark, entry, index, inner);
		used = text_width(text.bytes) + text_width(mark.bytes) + 8;
		text_add_place(&text, page->report, frame,
			       page->canvas.columns > used + 26 ? page->canvas.columns - used : 26);
		text_add(&text, ")%s", mark.bytes);
	}
	fputs(DUMP_INDENT "  ", page->canvas.file);
	canvas_cell(&page->canvas, text.bytes, 0, false);
	fputc('\n', page->canvas.file);
}

static void show_frames(const struct dump_page *page, const struct dump_thread *entry,
			const struct definition *stack)
{
	struct handler_finder *finder = page->report->finder;
	uint32_t inner = UINT32_MAX;
	struct text_buffer text = {0};

	if (!finder || entry->handler.role == HANDLER_NONE ||
	    !handler_inner(finder, page->report->names, stack->id, &entry->handler, &inner))
		inner = UINT32_MAX;
	for (uint32_t i = 0; i < stack->stack.count; i++)
		show_frame(page, entry, &stack->stack.frames[i], i, inner);
	if (stack->stack.cut)
		text_add(&text, "… and more");
	show(page, DUMP_INDENT "  ", &text);
}

static void show_stack(const struct dump_page *page, const struct dump_thread *entry)
{
	const struct definition *stack = stack_of(page->report, entry->ref.stack);
	struct text_buffer text = {0};

	if (entry->handler.role != HANDLER_NONE) {
		text_add(&text, "in ");
		text_add_handler(&text, page->report, &entry->handler);
	}
	if (stack)
		text_add_innermost(&text, page->report, entry->ref.stack, &entry->handler);
	show(page, DUMP_INDENT, &text);
	if (entry->how == DUMP_STACK_SAMPLED && stack) {
		text_add(&text, "its stack ");
		text_add_duration(&text, page->dump->list->ts - entry->ts_stack);
		text_add(&text, " before, when it was sampled last:");
	} else if (!stack && page->report->stacks && entry->state != TS_IDLE) {
		text_add(&text,
			 thread_state_runs(entry->state)
				 ? "its stack is unknown: no sample hit it since it began to run"
				 : "its stack is unknown");
	}
	show(page, DUMP_INDENT, &text);
	if (stack)
		show_frames(page, entry, stack);
}

static void show_thread(const struct dump_page *page, const struct dump_thread *entry)
{
	struct text_buffer text = {0};

	fputc('\n', page->canvas.file);
	add_dump_title(&text, page, entry);
	canvas_heading(&page->canvas, &text);
	text = (struct text_buffer){0};
	add_state(&text, page, entry);
	add_cpu(&text, entry);
	show(page, DUMP_INDENT, &text);
	add_loop(&text, page, entry);
	show(page, DUMP_INDENT, &text);
	show_stack(page, entry);
}

/* ── threads that Python does not know ───────────────────────────────────── */

static bool is_python(const struct dump_thread *entry)
{
	return entry->thread->python || entry->loop;
}

static void show_others(const struct dump_page *page, const struct process *process)
{
	const struct dump_list *list = page->dump->list;
	struct text_buffer text = {0};
	bool any = false;

	for (uint32_t i = 0; i < list->thread_count; i++) {
		const struct dump_thread *entry = &list->threads[i];

		if (entry->thread->process != process || is_python(entry))
			continue;
		if (!any) {
			text_add(&text, "Threads that run no Python");
			fputc('\n', page->canvas.file);
			canvas_heading(&page->canvas, &text);
			text = (struct text_buffer){0};
		}
		any = true;
		text_add_thread(&text, page->report, entry->thread);
		text_add(&text, ": ");
		add_state(&text, page, entry);
		add_cpu(&text, entry);
		show(page, DUMP_INDENT, &text);
	}
}

/* ── all of it ───────────────────────────────────────────────────────────── */

/* "Deadlock: 'a' (1) waits for the GIL that 'b' (2) has, who waits for a mutex that 'a' (1) has" */
static void show_deadlock(const struct dump_page *page, const struct dump_thread *entry)
{
	const struct dump_list *list = page->dump->list;
	uint32_t length = dump_deadlock(list, entry);
	struct text_buffer text = {0};

	if (length)
		text_add(&text, "Deadlock: ");
	for (uint32_t i = 0; i < length; i++) {
		if (!i)
			text_add_thread(&text, page->report, entry->thread);
		text_add(&text, "%s waits for %s that ", i ? ", who" : "",
			 entry->state == TS_GIL_WAIT ? "the GIL" : "a mutex");
		text_add_thread(&text, page->report, entry->waits_for);
		text_add(&text, " has");
		entry = dump_find(list, entry->waits_for);
	}
	show(page, "  ", &text);
}

static void show_children(const struct dump_page *page, const struct process *process)
{
	struct text_buffer text = {0};

	for (uint32_t i = 0; i < process->child_count; i++)
		text_add(&text, "%s%u",
			 i ? ", " : "Processes below it that serve: ", process->children[i].pid);
	show(page, "  ", &text);
}

static void show_dumped(const struct dump_page *page, const struct process *process)
{
	const struct dump_list *list = page->dump->list;
	uint32_t gils = 0;

	show_instant(page, process);
	for (uint32_t i = 0; i < list->gil_count; i++)
		gils += list->gils[i].gil->process == process;
	for (uint32_t i = 0; i < list->gil_count; i++)
		if (list->gils[i].gil->process == process)
			show_holder(page, &list->gils[i], gils > 1);
	for (uint32_t i = 0; i < list->thread_count; i++)
		if (list->threads[i].thread->process == process)
			show_deadlock(page, &list->threads[i]);
	show_children(page, process);
	for (uint32_t i = 0; i < list->thread_count; i++)
		if (list->threads[i].thread->process == process && is_python(&list->threads[i]))
			show_thread(page, &list->threads[i]);
	show_others(page, process);
}

int view_dump_text(FILE *file, const struct view_dump *dump, const struct view_options *options)
{
	const struct dump_page page = {.canvas = {.file = file,
						  .columns = text_columns(options),
						  .colour = options->colour},
				       .dump = dump,
				       .report = dump->report};
	uint32_t shown = 0;

	for (uint32_t i = 0; i < dump->report->process_count; i++) {
		const struct process *process = dump->report->processes[i].process;

		if (process->gone)
			continue;
		if (shown++)
			fputc('\n', file);
		show_dumped(&page, process);
	}
	if (fflush(file) == EOF)
		return -errno;
	return ferror(file) ? -EIO : 0;
}
