/* SPDX-License-Identifier: MIT */
/* What happens, as events. */
#include "cmd/watch/watcher.h"

#include <errno.h>

#include "base/duration.h"
#include "base/size.h"
#include "diagnosis/diagnosis.h"
#include "stream/facts.h"
#include "words/names.h"
#include "words/stall.h"

#define TITLE_COLUMNS 60

const struct report *watcher_names(const struct watcher *watcher)
{
	return report_builder_names(watcher->pipeline.builder, watcher->pipeline.world);
}

int watcher_tell(void *ctx, const struct told_event *event)
{
	struct watcher *watcher = ctx;

	return teller_tell(&watcher->teller, event);
}

/* NULL: nothing is recorded. */
const char *watcher_want_recording(struct watcher *watcher, uint64_t from, uint64_t ts, bool urgent)
{
	return watcher->options->recordings ? recorder_want(&watcher->recorder, from, ts, urgent)
					    : NULL;
}

int watcher_tell_watch(struct watcher *watcher, enum event_state state)
{
	struct text_buffer text = {0};
	const struct told_event event = {.kind = EVENT_WATCH,
					 .state = state,
					 .ts = clock_now_ns(),
					 .text = &text,
					 .report = watcher_names(watcher)};
	char stall[DURATION_TEXT_MAX];

	text_add_time(&text, event.report, event.ts);
	text_add(&text, "  gilscope %s ", GILSCOPE_VERSION);
	if (state == EVENT_BEGAN)
		text_add(&text, "watches, in mode %s; stalls are iterations of %s or longer",
			 fact_name(&mode_names, watcher->pipeline.head.mode),
			 duration_text(watcher->pipeline.stall_ns, stall));
	else
		text_add(&text, "has ended");
	return watcher_tell(watcher, &event);
}

/* The first event of all, once there is something to observe. */
int watcher_begin(struct watcher *watcher)
{
	if (watcher->begun)
		return 0;
	watcher->begun = true;
	notify_send(watcher->notify, "READY=1");
	return watcher_tell_watch(watcher, EVENT_BEGAN);
}

/* ── stalls, freezes, deaths ─────────────────────────────────────────────────────────────────── */

int watcher_on_stall(void *ctx, const struct report *report, const struct loop *loop,
		     const struct stall *stall)
{
	struct watcher *watcher = ctx;
	struct text_buffer text = {0};
	struct told_event event = {.kind = EVENT_STALL,
				   .state = stall->ongoing ? EVENT_ONGOING : EVENT_ENDED,
				   .ts = stall->end,
				   .text = &text,
				   .report = report,
				   .process = loop->thread->process,
				   .loop = loop,
				   .stall = stall};
	int err;

	if (stall->end - stall->start >= watcher->options->dump_over_ns)
		event.recording = watcher_want_recording(watcher, stall->start, stall->end, false);
	if (event.recording && !stall->ongoing)
		totals_recorded(watcher->totals, stall, event.recording);
	text_add_stall_line(&text, report, loop, stall, announcer_many_loops(&watcher->pipeline),
			    0);
	err = watcher_tell(watcher, &event);
	return err ? err : freezes_add(&watcher->freezes, loop, stall);
}

int watcher_on_freeze(void *ctx, const struct told_event *event)
{
	struct watcher *watcher = ctx;

	totals_freeze(watcher->totals, event->freeze);
	return watcher_tell(watcher, event);
}

int watcher_on_death(void *ctx, const struct report *report, const struct process *process)
{
	struct watcher *watcher = ctx;
	bool trouble = death_is_trouble(process, process->serves);
	struct text_buffer text = {0};
	struct told_event event = {.kind = trouble ? EVENT_DEATH : EVENT_PROCESS,
				   .state = EVENT_ENDED,
				   .ts = process->death.ts,
				   .text = &text,
				   .report = report,
				   .process = process};

	if (trouble) {
		totals_death(watcher->totals, &process->death);
		event.recording = watcher_want_recording(watcher, process->death.ts,
							 process->death.ts, true);
	}
	announcer_add_death(&text, report, process);
	return watcher_tell(watcher, &event);
}

/* The stream declares a process; the model has it already. */
int watcher_on_process(void *ctx, const struct process_info *info)
{
	struct watcher *watcher = ctx;
	const struct process *process;
	struct text_buffer text = {0};
	struct told_event event = {.kind = EVENT_PROCESS,
				   .state = EVENT_BEGAN,
				   .ts = clock_now_ns(),
				   .text = &text,
				   .report = watcher_names(watcher)};
	uint32_t position = 0;
	char title[PROCESS_TITLE_MAX];
	int err;

	while ((process = world_next_process(watcher->pipeline.world, &position)))
		if (process->info.pid == info->pid && !process->death.known)
			event.process = process;
	if (!event.process)
		return 0;
	text_add_time(&text, event.report, event.ts);
	text_add(&text, "  process %u (", info->pid);
	text_add_name(&text, process_title(event.process, title), TITLE_COLUMNS);
	text_add(&text, ") is observed");
	err = watcher_begin(watcher);
	return err ? err : watcher_tell(watcher, &event);
}

/* ── what is lost, and what was written ──────────────────────────────────────────────────────── */

int watcher_tell_losses(struct watcher *watcher, const struct live_view *view, uint64_t ts)
{
	struct text_buffer text = {0};
	const struct told_event event = {.kind = EVENT_LOSS,
					 .state = view->lost ? EVENT_BEGAN : EVENT_ENDED,
					 .ts = ts,
					 .text = &text,
					 .report = watcher_names(watcher),
					 .lost = view->lost};

	if (watcher->loses == (view->lost != 0))
		return 0;
	watcher->loses = view->lost != 0;
	text_add_time(&text, event.report, ts);
	if (view->lost) {
		text_add(&text, "  ");
		text_add_number_of(&text, view->lost, "event was", "events were");
		text_add(&text, " lost; what they would have told is unknown");
	} else {
		text_add(&text, "  no events were lost in the last minute");
	}
	return watcher_tell(watcher, &event);
}

int watcher_tell_recorded(struct watcher *watcher, uint64_t ts, const struct recorded *recorded)
{
	struct text_buffer text = {0};
	struct told_event event = {.kind = EVENT_RECORDING,
				   .state = recorded->end ? EVENT_ENDED : EVENT_FAILED,
				   .ts = ts,
				   .text = &text,
				   .report = watcher_names(watcher),
				   .recording = recorded->name,
				   .recorded = {recorded->start, recorded->end, recorded->bytes}};
	char length[DURATION_TEXT_MAX], bytes[SIZE_TEXT_MAX];

	watcher->recordings += recorded->end != 0;
	watcher->not_recorded += !recorded->end;
	text_add_time(&text, event.report, ts);
	if (recorded->end)
		text_add(&text, "  the last %s are in %s (%s)",
			 duration_text(recorded->end - recorded->start, length), recorded->name,
			 size_text(recorded->bytes, bytes));
	else
		text_add(&text, "  %s was not written: %s", recorded->name, recorded->diag.what);
	return watcher_tell(watcher, &event);
}

/* Processes of the service that cannot be observed. */
int watcher_tell_refused(struct watcher *watcher, uint64_t ts)
{
	const struct capture_status *status = &watcher->observation.status;
	struct text_buffer text = {0};
	const struct told_event event = {.kind = EVENT_PROCESS,
					 .state = EVENT_FAILED,
					 .ts = ts,
					 .text = &text,
					 .report = watcher_names(watcher)};
	uint32_t more = status->refused - watcher->refused;

	if (!more)
		return 0;
	watcher->refused = status->refused;
	text_add_time(&text, event.report, ts);
	text_add(&text, "  ");
	text_add_number_of(&text, more, "process", "processes");
	text_add(&text, " cannot be observed%s: %s", more > 1 ? "; the last" : "",
		 status->refusal.what);
	return watcher_tell(watcher, &event);
}
