/* SPDX-License-Identifier: MIT */
/* The live view: observes, and twice a second shows the last minute. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/pipeline/confine.h"
#include "cmd/pipeline/observe.h"
#include "cmd/pipeline/snapshot.h"
#include "cmd/top/choose.h"
#include "cmd/top/screen.h"
#include "cmd/top/successor.h"
#include "view/tui/tui.h"

#define REFRESH_NS (500 * NS_PER_MS)
#define KEEP_NS	   (30 * NS_PER_S)
#define KEEP_BYTES (64u << 20)
/* Interval of snapshots: by them the history window also has facts about threads that sleep. */
#define SNAPSHOT_NS (10 * NS_PER_S)
#define MARGIN_NS   (10 * NS_PER_S) /* after a process has left the window */
#define KEY_MS	    100		    /* wait for a key, once the target has gone */

struct top {
	const struct options *options;
	struct pipeline pipeline;
	struct observation observation;
	struct live *live;
	struct screen screen;
	struct tui_status status;
	char full[128]; /* which limit of the model was reached */
	uint64_t ts_shown;
	bool wants_other; /* another process is to be chosen */
	struct diag diag;
};

static bool want_plain(const struct options *options)
{
	const char *no_color = getenv("NO_COLOR");

	return options->colour == COLOUR_NEVER || (no_color && *no_color);
}

static int open_screen(struct top *top)
{
	return screen_open(&top->screen, want_plain(top->options), &top->diag);
}

/* ── the display ─────────────────────────────────────────────────────────── */

/* A limit of the model has been reached, and nothing new comes: what was seen last stays, and says
 * so. */
static bool is_full(struct top *top)
{
	struct world_window window = world_window(top->pipeline.world);

	if (!window.full)
		return false;
	snprintf(top->full, sizeof(top->full),
		 "More than %u %s, the most that top can follow: start it again.", window.limit,
		 window.full);
	top->status.ended = top->full;
	return true;
}

/* Computes the next step; displays it unless paused. */
static int update(struct top *top)
{
	struct pipeline *pipeline = &top->pipeline;
	const struct report *report;
	struct live_view view;
	int err;

	if (is_full(top))
		return 0;
	/* the view on the screen is replaced below, unless the display stands still */
	if (!top->status.paused)
		world_tidy(pipeline->world);
	err = report_builder_finish(pipeline->builder, pipeline->world, false, &report);
	if (!err)
		err = live_update(top->live, report);
	if (!err)
		err = report_builder_ongoing(pipeline->builder, pipeline->world, live_ongoing,
					     top->live);
	if (!err)
		report_builder_forget(pipeline->builder, report->window.end);
	if (err || top->status.paused)
		return err;
	err = live_view_make(top->live, &view);
	if (!err)
		tui_take(top->screen.tui, &view);
	return err;
}

/* 20, 50, 100, 200, 500 ms … */
static uint64_t next_threshold(uint64_t ns, bool up)
{
	static const uint64_t steps[] = {1,   2,   5,	 10,   20,   50,   100,
					 200, 500, 1000, 2000, 5000, 10000};
	size_t count = sizeof(steps) / sizeof(steps[0]);

	for (size_t i = 0; up && i < count; i++)
		if (steps[i] * NS_PER_MS > ns)
			return steps[i] * NS_PER_MS;
	for (size_t i = count; !up && i-- > 0;)
		if (steps[i] * NS_PER_MS < ns)
			return steps[i] * NS_PER_MS;
	return ns;
}

static void change_threshold(struct top *top, bool up)
{
	uint64_t ns = next_threshold(top->pipeline.stall_ns, up);
	char text[DURATION_TEXT_MAX];

	if (ns == top->pipeline.stall_ns) {
		tui_message(top->screen.tui, "The threshold stays at %s.", duration_text(ns, text));
		return;
	}
	top->pipeline.stall_ns = ns;
	report_builder_threshold(top->pipeline.builder, ns);
	tui_message(top->screen.tui,
		    "New stalls are iterations of %s or longer; the list keeps older ones.",
		    duration_text(ns, text));
}

static void toggle_pause(struct top *top)
{
	top->status.paused = !top->status.paused;
	tui_message(top->screen.tui, "%s",
		    top->status.paused ? "Paused. Observation continues; press p to resume." : "");
}

static void record_window(struct top *top)
{
	uint64_t begin = keep_begin(top->pipeline.keep),
		 now = world_window(top->pipeline.world).end;
	char name[SNAPSHOT_NAME_MAX], length[DURATION_TEXT_MAX];
	struct diag diag = {0};

	if (snapshot_write(top->pipeline.keep, &top->pipeline.head, &diag, name) < 0)
		tui_message(top->screen.tui, "Nothing was recorded: %s.", diag.what);
	else
		tui_message(top->screen.tui, "The last %s are in %s.",
			    duration_text(now - begin, length), name);
}

/* Handles all pending keys, waiting up to wait_ms for the first. 1: quit; else 0. */
static int handle_keys(struct top *top, int wait_ms)
{
	for (;;) {
		enum tui_action action = tui_key(top->screen.tui, wait_ms);

		wait_ms = 0;
		switch (action) {
		case TUI_IDLE:
			return 0;
		case TUI_QUIT:
			return 1;
		case TUI_OTHER:
			top->wants_other = true;
			return 1;
		case TUI_PAUSE:
			toggle_pause(top);
			break;
		case TUI_THRESHOLD_UP:
		case TUI_THRESHOLD_DOWN:
			change_threshold(top, action == TUI_THRESHOLD_UP);
			break;
		case TUI_RECORD:
			record_window(top);
			break;
		default:
			break;
		}
		tui_draw(top->screen.tui, &top->status);
	}
}

static int on_tick(void *ctx, uint64_t ts_known)
{
	struct top *top = ctx;
	int err = 0;

	if (!top->screen.tui)
		err = open_screen(top);
	if (!err && ts_known - top->ts_shown >= REFRESH_NS) {
		top->ts_shown = ts_known;
		world_cut(top->pipeline.world, ts_known);
		err = update(top);
		if (!err)
			tui_draw(top->screen.tui, &top->status);
	}
	return err ? err : handle_keys(top, 0);
}

/* After the target has gone: shows its last minute until a key is pressed to quit. */
static int stay(struct top *top)
{
	int err = 0, quit = 0;

	if (!top->screen.tui)
		err = open_screen(top);
	top->status.paused = false;
	top->status.ended = top->observation.status.execed
				    ? "The process became another program (exec)."
				    : "The process has exited.";
	if (!err)
		err = update(top);
	if (!err)
		tui_draw(top->screen.tui, &top->status);
	while (!err && !quit && !observe_interrupted())
		quit = handle_keys(top, KEY_MS);
	return err;
}

static void view_refers(void *ctx, struct dictionary *dictionary)
{
	const struct definition_visit visit = dictionary_keeping(dictionary);

	live_refers(((const struct top *)ctx)->live, &visit);
}

static int start(struct top *top)
{
	int err;

	observe_head(&top->options->observe, &top->pipeline.head);
	top->pipeline.growth = top->pipeline.forgets = true;
	err = pipeline_append_history(&top->pipeline, KEEP_NS, KEEP_BYTES, &top->diag);
	if (!err)
		err = pipeline_append_fold(&top->pipeline, top->options->stall_ns, &top->diag);
	if (err)
		return err;
	report_builder_growth(top->pipeline.builder);
	report_builder_keep_ended(top->pipeline.builder, ENDED_KEPT, LIVE_WHILE_NS + MARGIN_NS);
	top->live = live_new();
	if (!top->live || attribution_add(report_builder_attribution(top->pipeline.builder),
					  live_sink(top->live)) < 0)
		return diag_set(&top->diag, EXIT_FAILED, -ENOMEM, "no memory");
	if (dictionary_forgets(top->pipeline.dictionary,
			       (struct dictionary_user){.refers = view_refers, .ctx = top}) < 0)
		return diag_set(&top->diag, EXIT_FAILED, -ENOMEM, "no memory");
	return pipeline_front(&top->pipeline, true, &top->diag);
}

/* Is the whole observation partial, by the rule of attach? */
static int top_status(struct top *top, bool *ret_partial)
{
	const struct report *report;

	if (report_builder_finish(top->pipeline.builder, top->pipeline.world, false, &report) < 0)
		return diag_set(&top->diag, EXIT_FAILED, -ENOMEM, "no memory for the report");
	*ret_partial = report_partial(report);
	return 0;
}

/* Observes until the end, or until another process is wanted. Returns the exit status. */
static int watch(struct options *options, bool *ret_wants_other)
{
	struct top top = {.options = options, .pipeline.names = options->names};
	bool partial = false;
	int err, status;

	top.observation = (struct observation){.options = &options->observe,
					       .pipeline = &top.pipeline,
					       .tick = on_tick,
					       .tick_ctx = &top,
					       .snapshot_ns = SNAPSHOT_NS};
	observe_catch_signals(tui_restore);
	confine_write_into(AT_FDCWD);
	err = tui_check(&top.diag);
	if (!err)
		err = start(&top);
	if (!err)
		err = observe(&top.observation, &top.diag);
	if (!err && !top.observation.status.targets)
		err = stay(&top);
	screen_close(&top.screen);
	if (!err)
		err = top_status(&top, &partial);
	status = partial ? EXIT_PARTIAL : EXIT_OK;
	if (err)
		status = cmd_fail(&top.diag);
	live_free(top.live);
	pipeline_done(&top.pipeline);
	*ret_wants_other = !err && top.wants_other;
	return status;
}

/* In the successor. Returns the exit status of a top that is to end; -1: it goes on. */
static int choose(struct options *options)
{
	struct observe_options *observe = &options->observe;
	uint32_t pid = observe->pids[0];
	struct diag diag = {0};
	int chosen;

	observe_catch_signals(tui_restore);
	observe->ready_fd = 0; /* it has been reported */
	chosen = choose_process(want_plain(options), &pid, &diag);
	if (chosen < 0)
		return cmd_fail(&diag);
	if (chosen == CHOSEN_PROCESS) {
		observe->pids[0] = pid;
		observe->pid_count = 1;
		observe->also_count = 0; /* nor what was observed with the one before */
		observe->matched = false;
	}
	return chosen == CHOSEN_END ? EXIT_OK : -1;
}

static int run(struct options *options)
{
	struct successor successor;
	bool wants_other;
	int status = -1;

	screen_character_set();
	options->observe.quiet = true;
	while (successor_begin(&successor, options->observe.ready_fd)) {
		status = choose(options);
		if (status >= 0)
			return status;
	}
	status = watch(options, &wants_other);
	if (wants_other && successor.pid > 0)
		return successor_run(&successor);
	successor_dismiss(&successor);
	return status;
}

static const struct option_use OPTIONS[] = {
	{.id = OPTION_STALL,
	 .doc = "Report loop iterations of at least DUR as stalls (default 50ms); + and - change "
		"it"},
	{.id = OPTION_COLOUR},
	{.id = OPTION_NO_COLOUR},
	OBSERVE_OPTIONS,
	{.id = OPTION_APP_ROOT, .group = 1},
	{0},
};

const struct command command_top = {
	.name = "top",
	.arguments = "PID",
	.summary = "watch a process live",
	.args_doc = "PID...",
	.doc = "Watch a running Python process: what its event loop and its GIL do now, and what "
	       "they did "
	       "in the last minute."
	       "\vKeys: Tab, arrows and the mouse choose, Enter shows all about a stall, / "
	       "filters, "
	       "o goes to another process, f shows the findings, s sorts, p pauses, + and - change "
	       "the threshold, r writes the last 30 s to a recording, h or ? helps, q quits. The "
	       "process is neither changed nor stopped.\n\nExample, a "
	       "uvicorn "
	       "worker:\n  sudo gilscope top :8000",
	.options = OPTIONS,
	.rest = options_rest_processes,
	.run = run,
};
