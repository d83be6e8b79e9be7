/* SPDX-License-Identifier: MIT */
/* Stays with a service, through its restarts, and tells what happens as it happens. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/values.h"
#include "cmd/watch/arrival.h"
#include "cmd/watch/watcher.h"
#include "stream/facts.h"

#define KEEP_BYTES    (64u << 20)
#define SNAPSHOT_NS   (10 * NS_PER_S) /* so that the window has facts about threads that sleep */
#define STEP_NS	      NS_PER_S	      /* of the last minute: live.h */
#define FINDINGS_NS   (5 * NS_PER_S)
#define MARGIN_NS     (10 * NS_PER_S) /* after a process has left the last minute */
#define FINISH_MS     1000
#define CLOCK_STEP_NS NS_PER_MS

static volatile sig_atomic_t wants_recording;

static void on_usr1(int signal)
{
	wants_recording = 1;
}

/* ── the last minute ─────────────────────────────────────────────────────────────────────────── */

static int look_for_findings(struct watcher *watcher, uint64_t ts)
{
	struct live_report window = {0};
	struct live_view view;
	int err = live_view_make(watcher->live, &view);

	if (err)
		return err;
	err = watcher_tell_losses(watcher, &view, ts);
	if (!err)
		err = live_report_make(&view, &window);
	if (!err)
		err = standing_update(&watcher->standing, &window.report, ts);
	live_report_done(&window);
	live_view_done(&view);
	return err;
}

/* What the last minute was, a step further; what is older is let go. */
static int step(struct watcher *watcher, uint64_t ts)
{
	struct pipeline *pipeline = &watcher->pipeline;
	const struct report *report;
	int err;

	if (ts - watcher->ts_step < STEP_NS)
		return 0;
	watcher->ts_step = ts;
	world_cut(pipeline->world, ts);
	world_tidy(pipeline->world);
	err = report_builder_finish(pipeline->builder, pipeline->world, false, &report);
	if (!err)
		err = live_update(watcher->live, report);
	if (!err)
		err = totals_step(watcher->totals, report);
	if (!err)
		report_builder_forget(pipeline->builder, report->window.end);
	if (!err && ts - watcher->ts_findings >= FINDINGS_NS) {
		watcher->ts_findings = ts;
		err = look_for_findings(watcher, ts);
	}
	return err;
}

/* ── recordings ──────────────────────────────────────────────────────────────────────────────── */

static int serve_recorder(struct watcher *watcher, uint64_t ts, bool now)
{
	struct recorded recorded;

	if (wants_recording) {
		wants_recording = 0;
		watcher_want_recording(watcher, ts, ts, true);
		now = true;
	}
	return recorder_serve(&watcher->recorder, ts, now, &recorded)
		       ? watcher_tell_recorded(watcher, ts, &recorded)
		       : 0;
}

/* ── metrics ─────────────────────────────────────────────────────────────────────────────────── */

static uint64_t resident_bytes(void)
{
	unsigned long long size, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file && fscanf(file, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	if (file)
		fclose(file);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void describe(void *ctx, struct metrics_about *ret_about)
{
	const struct watcher *watcher = ctx;

	*ret_about = (struct metrics_about){
		.version = GILSCOPE_VERSION,
		.mode = fact_name(&mode_names, watcher->pipeline.head.mode),
		.realtime_ns = watcher_names(watcher)->realtime_ns,
		.cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID),
		.resident_bytes = resident_bytes(),
		.recordings = watcher->recordings,
		.not_recorded = watcher->not_recorded,
		.left_out = watcher->teller.left_out,
	};
}

/* ── the observation ─────────────────────────────────────────────────────────────────────────── */

/* A limit of the model has been reached, and nothing new would come. */
static int refuse_more(struct watcher *watcher)
{
	struct world_window window = world_window(watcher->pipeline.world);

	if (!window.full)
		return 0;
	return diag_set(&watcher->diag, EXIT_PARTIAL, -E2BIG,
			"more than %u %s, the most that can be followed", window.limit,
			window.full);
}

/* The clock has been set, or the machine was suspended: events and recordings have the time of day
 * that it is. */
static void follow_clock(struct watcher *watcher)
{
	struct stream_head *head = &watcher->pipeline.head;
	uint64_t epoch_ns = clock_epoch_ns(CLOCK_MONOTONIC),
		 known_ns = head->realtime_ns - head->monotonic_ns,
		 step_ns = epoch_ns > known_ns ? epoch_ns - known_ns : known_ns - epoch_ns;

	if (step_ns < CLOCK_STEP_NS)
		return;
	head->realtime_ns = epoch_ns + head->monotonic_ns;
	report_builder_set_clock(watcher->pipeline.builder, epoch_ns);
}

static int on_tick(void *ctx, uint64_t ts_known)
{
	struct watcher *watcher = ctx;
	int err;

	follow_clock(watcher);
	err = announcer_tick(&watcher->announcer, ts_known);
	if (!err)
		err = watcher_tell_refused(watcher, ts_known);
	if (!err)
		err = freezes_tick(&watcher->freezes, watcher->pipeline.world,
				   watcher_names(watcher), ts_known);
	if (!err)
		err = step(watcher, ts_known);
	if (!err)
		err = serve_recorder(watcher, ts_known, false);
	endpoint_serve(watcher->endpoint);
	notify_alive(watcher->notify, clock_now_ns());
	if (!err)
		err = teller_flush(&watcher->teller);
	return err ? err : refuse_more(watcher);
}

static void minute_refers(void *ctx, struct dictionary *dictionary)
{
	const struct definition_visit visit = dictionary_keeping(dictionary);

	live_refers(((const struct watcher *)ctx)->live, &visit);
}

static int append_watcher(struct watcher *watcher)
{
	return stages_append(
		&watcher->pipeline.stages,
		(struct stage){.sink = {.process = watcher_on_process, .ctx = watcher}});
}

static int build(struct watcher *watcher)
{
	const struct options *options = watcher->options;
	struct pipeline *pipeline = &watcher->pipeline;
	int err;

	observe_head(&options->observe, &pipeline->head);
	pipeline->growth = pipeline->forgets = true;
	err = pipeline_append_history(pipeline, options->keep_ns, KEEP_BYTES, &watcher->diag);
	if (!err)
		err = pipeline_append_fold(pipeline, options->stall_ns, &watcher->diag);
	if (err)
		return err;
	report_builder_growth(pipeline->builder);
	report_builder_keep_ended(pipeline->builder, ENDED_KEPT, LIVE_WHILE_NS + MARGIN_NS);
	watcher->live = live_new();
	watcher->totals = calloc(1, sizeof(*watcher->totals));
	watcher->endpoint->totals = watcher->totals;
	watcher->endpoint->describe = describe;
	watcher->endpoint->ctx = watcher;
	if (!watcher->live || !watcher->totals ||
	    attribution_add(report_builder_attribution(pipeline->builder),
			    live_sink(watcher->live)) < 0 ||
	    dictionary_forgets(pipeline->dictionary,
			       (struct dictionary_user){.refers = minute_refers, .ctx = watcher}) ||
	    append_watcher(watcher))
		return diag_set(&watcher->diag, EXIT_FAILED, -ENOMEM, "no memory");
	return pipeline_front(pipeline, true, &watcher->diag);
}

/* What has come since the last tick, and what was waited for. */
static int finish(struct watcher *watcher)
{
	uint64_t ts = world_window(watcher->pipeline.world).end;
	int err = announcer_finish(&watcher->announcer);

	notify_send(watcher->notify, "STOPPING=1");
	if (!err)
		err = freezes_tick(&watcher->freezes, watcher->pipeline.world,
				   watcher_names(watcher), UINT64_MAX);
	if (!err)
		err = standing_finish(&watcher->standing, watcher_names(watcher), ts);
	if (!err)
		err = serve_recorder(watcher, ts, true);
	if (!err && watcher->begun)
		err = watcher_tell_watch(watcher, EVENT_ENDED);
	if (!err)
		err = teller_finish(&watcher->teller, FINISH_MS);
	return err ? diag_set(&watcher->diag, EXIT_FAILED, err, "the events cannot be told: %s",
			      strerror(-err))
		   : 0;
}

static void watcher_done(struct watcher *watcher)
{
	freezes_done(&watcher->freezes);
	standing_done(&watcher->standing);
	teller_done(&watcher->teller);
	announcer_done(&watcher->announcer);
	if (watcher->totals)
		totals_done(watcher->totals);
	free(watcher->totals);
	live_free(watcher->live);
	pipeline_done(&watcher->pipeline);
}

/* ── the begin ───────────────────────────────────────────────────────────────────────────────── */

static uint32_t find_wanted(void *ctx, uint32_t *pids, uint32_t most)
{
	const struct options *options = ctx;

	return selectors_find(&options->selectors, pids, most);
}

static int watch(struct watcher *watcher)
{
	int err = build(watcher);

	if (!err)
		err = observe(&watcher->observation, &watcher->diag);
	return err;
}

/* It has ended while it was examined, or is no Python yet: one of a service that is just being
 * restarted. Nothing has been printed. */
static bool is_too_early(const struct watcher *watcher, int err)
{
	return !watcher->observation.status.targets && !watcher->ts_step &&
	       !watcher->options->observe.pid_count &&
	       (err == -ESRCH || err == -ENOEXEC || err == -EAGAIN);
}

static int finish_watch(struct watcher *watcher, int err)
{
	observe_shown_now();
	/* what was gathered before a failure is told, too */
	if (watcher->pipeline.world && finish(watcher) && !err)
		err = -EIO;
	return err;
}

/* What was there before the observation, and is of use to the next one if this is too early. */
struct surroundings {
	struct endpoint endpoint;
	struct notify notify;
};

static void watcher_init(struct watcher *watcher, struct options *options,
			 struct surroundings *around)
{
	*watcher = (struct watcher){.options = options,
				    .pipeline.names = options->names,
				    .endpoint = &around->endpoint,
				    .notify = &around->notify};
	teller_begin(&watcher->teller, options->json);
	watcher->announcer = (struct announcer){.pipeline = &watcher->pipeline,
						.at_once = options->json,
						.on_stall = watcher_on_stall,
						.on_death = watcher_on_death,
						.ctx = watcher};
	watcher->freezes = (struct freezes){
		.gap_ns = options->stall_ns, .tell = watcher_on_freeze, .ctx = watcher};
	watcher->standing = (struct standing){.tell = watcher_tell, .ctx = watcher};
	watcher->recorder = (struct recorder){.pipeline = &watcher->pipeline,
					      .keep_ns = options->keep_ns,
					      .budget = options->disk_bytes};
	watcher->observation = (struct observation){.options = &options->observe,
						    .pipeline = &watcher->pipeline,
						    .tick = on_tick,
						    .tick_ctx = watcher,
						    .snapshot_ns = SNAPSHOT_NS};
	if (selectors_last(&options->selectors))
		watcher->observation.search = (struct capture_search){find_wanted, options};
}

static int run(struct options *options)
{
	struct sigaction usr1 = {.sa_handler = on_usr1, .sa_flags = SA_RESTART};
	struct arrival arrival = {.options = options, .start = clock_now_ns()};
	struct surroundings around = {0};
	struct watcher watcher;
	struct diag diag = {0};
	int err = 0;

	options->observe.quiet = true;
	observe_catch_signals(NULL);
	sigaction(SIGUSR1, &usr1, NULL);
	notify_begin(&around.notify);
	arrival.notify = &around.notify;
	if (options->metrics)
		err = endpoint_begin(&around.endpoint, options->metrics, &diag);
	if (!err && options->recordings)
		err = recorder_enter(options->recordings, &diag);
	for (bool again = !err; again;) {
		err = arrival_wait(&arrival, &diag);
		if (err)
			break;
		watcher_init(&watcher, options, &around);
		err = watch(&watcher);
		again = err && is_too_early(&watcher, err) &&
			arrival_again(&arrival, &watcher.diag);
		if (!again)
			err = finish_watch(&watcher, err);
		diag = watcher.diag;
		watcher_done(&watcher);
	}
	endpoint_done(&around.endpoint);
	notify_done(&around.notify);
	return err ? cmd_fail(&diag) : EXIT_OK;
}

static error_t rest(struct options *options, int key, char *arg, struct argp_state *state)
{
	struct diag diag = {0};

	switch (key) {
	case ARGP_KEY_ARG:
		if (selectors_add(&options->selectors, arg, &diag))
			argp_error(state, "%s", diag.what);
		return 0;
	case ARGP_KEY_END:
		if (!options->selectors.count)
			value_no_process(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct option_use OPTIONS[] = {
	{.id = OPTION_STALL, .doc = "Report loop iterations of at least DUR (default 50ms)"},
	{.id = OPTION_JSON,
	 .letter = 'j',
	 .doc = "Print each event as a line of JSON, schema gilscope.event/1"},
	{.id = OPTION_RECORDINGS},
	{.id = OPTION_DUMP_OVER},
	{.id = OPTION_DISK_BUDGET},
	{.id = OPTION_KEEP},
	{.id = OPTION_METRICS},
	{.id = OPTION_DURATION, .doc = "Stop after DUR (default: Ctrl-C)"},
	{.id = OPTION_MODE},
	{.id = OPTION_RATE},
	{.id = OPTION_NO_STACKS},
	{.id = OPTION_NO_SOURCE},
	{.id = OPTION_RING_SIZE},
	{.id = OPTION_READY_FD},
	{.id = OPTION_APP_ROOT},
	{0},
};

const struct command command_watch = {
	.name = "watch",
	.arguments = "SERVICE [--recordings DIR]",
	.summary = "stay with a service, report what happens",
	.args_doc = "SERVICE...",
	.doc = "Stay with a service through its restarts, and print every stall, freeze and "
	       "finding "
	       "and every death of a process as it happens. SERVICE is a port (:8000), a pattern "
	       "for the command line as of pgrep -f, or a PID."
	       "\vWith --recordings the last half minute is kept, and written to a file in that "
	       "folder after a long stall, when a process is killed or crashes, and on SIGUSR1; "
	       "the oldest files make room for new ones. The service need not run yet. It is "
	       "neither changed nor stopped.\n\nExample, until Ctrl-C:\n  sudo gilscope watch "
	       ":8000 "
	       "--recordings /var/lib/gilscope --json >> events.ndjson",
	.options = OPTIONS,
	.rest = rest,
	.run = run,
};
