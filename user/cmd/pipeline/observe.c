/* SPDX-License-Identifier: MIT */
#include "cmd/pipeline/observe.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/interrupt.h"
#include "cmd/pipeline/confine.h"
#include "cmd/pipeline/ready.h"
#include "python/target.h"

#define POLL_MS	    20 /* how long a record waits in the ring at most */
#define PROGRESS_NS (200 * NS_PER_MS)
#define TICK_NS	    (100 * NS_PER_MS)
#define FLUSH_NS    NS_PER_S /* a recording that is killed loses no more than this */
#define LOCKS_NS    NS_PER_S /* a loop that is in one turn for so long may hang */

DEFINE_CLEANUP(capture_free, struct capture *, capture_free, NULL)

/* Only while observing is there a result that a signal must not destroy. Before and after, the
 * first signal ends the process. */
static volatile sig_atomic_t phase;
enum { PHASE_SETUP, PHASE_OBSERVING, PHASE_SHOWING };
static void (*on_second_signal)(void);

static void on_signal(int signal)
{
	static const char words[] = "\ngilscope: interrupted before the observation began.\n";
	ssize_t written;

	if (phase == PHASE_OBSERVING && !interrupted()) {
		interrupt_raise();
		return;
	}
	if (on_second_signal)
		on_second_signal();
	if (phase == PHASE_SETUP) {
		written = write(STDERR_FILENO, words, sizeof(words) - 1);
		(void)written;
	}
	_exit(EXIT_INTERRUPTED);
}

void observe_shown_now(void)
{
	phase = PHASE_SHOWING;
}

bool observe_interrupted(void)
{
	return interrupted();
}

void observe_catch_signals(void (*last)(void))
{
	struct sigaction action = {.sa_handler = on_signal}, before;

	on_second_signal = last;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* nohup has it ignored */
	if (!sigaction(SIGHUP, NULL, &before) && before.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &action, NULL);
	/* a reader that has gone shows as a failed write */
	signal(SIGPIPE, SIG_IGN);
}

/* The longest iteration in progress. */
static uint64_t longest_in_progress(const struct pipeline *pipeline, uint64_t now)
{
	uint32_t position = 0;
	uint64_t worst = 0;
	struct thread *thread;

	while (pipeline->world && (thread = world_next_thread(pipeline->world, &position))) {
		const struct loop *loop = thread->loop;

		if (!loop || thread->gone)
			continue;
		if (loop->in_turn && !loop->possible && now > loop->ts_turn &&
		    now - loop->ts_turn > worst)
			worst = now - loop->ts_turn;
	}
	return worst;
}

/* "3.2 of 10 s · 4 stalls, worst 216 ms" */
static void show_progress(const struct pipeline *pipeline, const struct capture *capture,
			  uint64_t start, uint64_t now, uint64_t dur_ns)
{
	struct capture_status status = capture_status(capture);
	char worst[DURATION_TEXT_MAX];

	fprintf(stderr, "\r\033[K%.1f", (double)(now - start) / (double)NS_PER_S);
	if (dur_ns)
		fprintf(stderr, " of %g", (double)dur_ns / (double)NS_PER_S);
	fprintf(stderr, " s");
	if (pipeline->stalls)
		fprintf(stderr, " · %" PRIu64 " stall%s, worst %s", pipeline->stalls,
			pipeline->stalls == 1 ? "" : "s", duration_text(pipeline->worst_ns, worst));
	else if (pipeline->world)
		fprintf(stderr, " · no stalls");
	else
		fprintf(stderr, " · %" PRIu64 " events", status.events);
	if (status.lost)
		fprintf(stderr, " · %" PRIu64 " events lost", status.lost);
	fprintf(stderr, "%s", dur_ns ? "" : " (Ctrl-C to stop)");
	fflush(stderr);
}

/* When each periodic task was last done. */
struct periodic {
	uint64_t shown, ticked, flushed, snapshot, locks;
	bool progress;
};

static bool is_due(uint64_t *last, uint64_t now, uint64_t period)
{
	if (!period || now - *last < period)
		return false;
	*last = now;
	return true;
}

static int run_periodic(struct observation *observation, struct capture *capture,
			struct periodic *periodic, uint64_t start, uint64_t now)
{
	struct pipeline *pipeline = observation->pipeline;
	uint64_t ts_known = reorder_reached(pipeline->reorder);
	int err = 0;

	if (is_due(&periodic->flushed, now, FLUSH_NS))
		err = stages_flush(&pipeline->stages);
	if (is_due(&periodic->snapshot, now, observation->snapshot_ns))
		capture_request_snapshots(capture);
	/* a loop hangs, perhaps forever: who has the mutexes now? */
	if (is_due(&periodic->locks, now, LOCKS_NS) &&
	    longest_in_progress(pipeline, ts_known) >= LOCKS_NS)
		capture_request_locks(capture);
	if (!err && ts_known && is_due(&periodic->ticked, now, TICK_NS)) {
		observation->status = capture_status(capture);
		err = stages_advance(&pipeline->stages, ts_known);
		if (!err && observation->tick)
			err = observation->tick(observation->tick_ctx, ts_known);
	}
	if (periodic->progress && is_due(&periodic->shown, now, PROGRESS_NS))
		show_progress(pipeline, capture, start, now, observation->options->dur_ns);
	return err;
}

/* A service may be between its end and its next begin: one that restarts itself. */
static bool goes_on(const struct observation *observation, const struct capture *capture)
{
	struct capture_status status = capture_status(capture);

	return status.targets || status.awaited || observation->search.find;
}

/* Without it nothing would be found again, and nothing new be observed. */
static int helper_fault(const struct observation *observation, const struct capture *capture)
{
	return observation->search.find && capture_helper_line(capture) < 0 ? -ECHILD : 0;
}

/* 0, the positive result of a tick, or -errno. */
static int run(struct observation *observation, struct capture *capture)
{
	uint64_t start = clock_now_ns(), dur_ns = observation->options->dur_ns;
	struct periodic periodic = {
		.ticked = start, .flushed = start, .snapshot = start, .locks = start};
	int err = 0;

	periodic.progress = isatty(STDERR_FILENO) && !observation->options->quiet;
	while (!err && !interrupted() && goes_on(observation, capture)) {
		uint64_t now = clock_now_ns(), left = dur_ns ? dur_ns - (now - start) : UINT64_MAX;

		if (dur_ns && now - start >= dur_ns)
			break;
		err = capture_poll(capture, left < POLL_MS * NS_PER_MS ? (int)(left / NS_PER_MS) + 1
								       : POLL_MS);
		if (!err)
			err = run_periodic(observation, capture, &periodic, start, now);
		if (!err)
			err = helper_fault(observation, capture);
	}
	if (periodic.progress)
		fprintf(stderr, "\r\033[K");
	return err;
}

/* The targets of an observation, until the capture has them. */
struct targets {
	struct target *list[OBSERVE_PIDS_MAX];
	uint32_t count;
	uint32_t given; /* those that were given come first, … */
	uint32_t meant; /* … then those that were meant; the others are below these */
};

static void targets_close(struct targets *targets)
{
	for (uint32_t i = 0; i < targets->count; i++)
		target_free(targets->list[i]);
}

/* Before anything is loaded, which takes the kernel a fifth of a second: a wrong PID is refused at
 * once. */
static int targets_open(struct targets *targets, const struct observe_options *options,
			struct diag *diag)
{
	for (uint32_t i = 0; i < options->pid_count; i++) {
		int err = target_open((pid_t)options->pids[i], diag, &targets->list[i]);

		if (err)
			return err;
		targets->count = targets->given = i + 1;
	}
	return 0;
}

static bool targets_have(const struct targets *targets, uint32_t pid)
{
	for (uint32_t i = 0; i < targets->count; i++)
		if (targets->list[i]->info.pid == pid)
			return true;
	return false;
}

/* One that ends meanwhile, or cannot be observed, is left out; the report says that it is there. */
static int targets_add_child(void *ctx, uint32_t pid, uint8_t flags, const char *cmdline)
{
	struct targets *targets = ctx;
	struct diag diag = {0};

	if (targets->count == OBSERVE_PIDS_MAX || targets_have(targets, pid) ||
	    target_open((pid_t)pid, &diag, &targets->list[targets->count]))
		return 0;
	targets->count++;
	return 0;
}

static void say_targets(const struct targets *targets, uint32_t from, const char *what)
{
	fprintf(stderr, "gilscope: also observing %s:", what);
	for (uint32_t i = from; i < targets->count; i++)
		fprintf(stderr, " %u", targets->list[i]->info.pid);
	fputs(".\n", stderr);
}

/* Those that are meant as well. A supervisor starts the workers of later. */
static int targets_open_also(struct targets *targets, const struct observe_options *options,
			     struct diag *diag)
{
	struct diag why = {0};
	uint32_t refused = 0;
	int err = 0;

	for (uint32_t i = 0; i < options->also_count && targets->count < OBSERVE_PIDS_MAX; i++) {
		if (targets_have(targets, options->also[i]))
			continue;
		err = target_open((pid_t)options->also[i], &why, &targets->list[targets->count]);
		targets->count += !err;
		refused += err != 0;
	}
	if (refused && targets->count && !options->quiet)
		fprintf(stderr, "gilscope: %u process%s could not be observed; the last: %s.\n",
			refused, refused == 1 ? "" : "es", why.what);
	targets->meant = targets->count;
	if (!targets->count) {
		*diag = why;
		return err;
	}
	if (!options->matched && targets->count > targets->given && !options->quiet)
		say_targets(targets, targets->given,
			    targets->count > targets->given + 1 ? "their supervisors"
			    : targets->given > 1		? "their supervisor"
								: "its supervisor");
	return 0;
}

/* A service is more than the process that was given: adds those below that serve. */
static int targets_follow(struct targets *targets, const struct observe_options *options,
			  struct diag *diag)
{
	int err = 0;

	for (uint32_t i = 0; i < targets->meant && !err; i++)
		err = target_children(targets->list[i], targets_add_child, targets);
	if (err)
		return diag_set(diag, EXIT_FAILED, err, "no memory");
	if (targets->count > targets->meant && !options->quiet)
		say_targets(targets, targets->meant, "the processes below that serve");
	return 0;
}

/* The capture owns them from then on. One that was not given may have ended meanwhile. */
static int targets_add(struct targets *targets, struct capture *capture, struct diag *diag)
{
	int err = 0;

	for (uint32_t i = 0; i < targets->count && !err; i++) {
		err = capture_add(capture, targets->list[i], diag);
		targets->list[i] = NULL;
		if (err == -ESRCH && i >= targets->given)
			err = 0;
	}
	return err;
}

/* Prints what the result itself does not include. */
static void print_end(const struct observation *observation)
{
	const struct capture_status *status = &observation->status;

	if (!status->targets && !observation->for_instant && !observation->search.find)
		fprintf(stderr,
			"gilscope: the process %s; the results cover the time until then.\n",
			status->execed ? "became another program (exec)" : "exited");
	if (status->lost)
		fprintf(stderr,
			"gilscope: %" PRIu64
			" events were lost; the affected time is shown as unknown. A larger "
			"--ring-size may help.\n",
			status->lost);
	if (observation->late)
		fprintf(stderr,
			"gilscope: %" PRIu64
			" events came too late to be put in order; the affected time is shown as "
			"unknown. More CPU time for gilscope may help.\n",
			observation->late);
	if (status->refused)
		fprintf(stderr,
			"gilscope: %u process%s below could not be observed; the last: %s.\n",
			status->refused, status->refused == 1 ? "" : "es", status->refusal.what);
	if (status->missed)
		fprintf(stderr,
			"gilscope: the kernel skipped %" PRIu64
			" probe hits; the affected time is shown as unknown.\n",
			status->missed);
}

void observe_head(const struct observe_options *options, struct stream_head *head)
{
	pipeline_live_head(head);
	head->mode = options->mode;
	head->stacks = !options->no_stacks;
	head->rate_hz = head->stacks && options->rate_hz && features_clock() ? options->rate_hz : 0;
}

static struct capture_options capture_options(const struct observe_options *options,
					      const struct features *features)
{
	const struct feature *sampling = &features->list[FEATURE_CLOCK];
	struct capture_options how = {.ring_bytes = options->ring_bytes,
				      .stacks = !options->no_stacks,
				      .sources = !options->no_source,
				      .rate_hz = options->rate_hz,
				      .mode = options->mode,
				      .follow = !options->no_follow,
				      .stack_kinds = options->stack_kinds};

	if ((how.stacks || how.mode != MODE_EXACT) && how.rate_hz && !sampling->available) {
		fprintf(stderr, "gilscope: no sampling clock (%s); %s.\n", sampling->found,
			sampling->remedy);
		how.rate_hz = 0;
	}
	return how;
}

static bool may_go_on(void *capture)
{
	return capture_may_go_on(capture);
}

int observe(struct observation *observation, struct diag *diag)
{
	_cleanup_(capture_freep) struct capture *capture = NULL;
	_cleanup_(targets_close) struct targets targets = {0};
	struct capture_options how;
	struct features features;
	int err, stopped;

	features_probe(&features);
	err = features_require(&features, observation->options->mode, diag);
	if (!err)
		err = targets_open(&targets, observation->options, diag);
	if (!err && (!observation->options->no_follow || observation->options->matched))
		err = targets_open_also(&targets, observation->options, diag);
	if (!err && !observation->options->no_follow)
		err = targets_follow(&targets, observation->options, diag);
	if (err)
		return err;
	how = capture_options(observation->options, &features);
	how.search = observation->search;
	err = capture_new(&features, &how, observation->pipeline->reorder, diag, &capture);
	if (!err)
		err = targets_add(&targets, capture, diag);
	if (!err)
		err = capture_start(capture, diag);
	if (err)
		return err;
	phase = PHASE_OBSERVING;
	confine_talk(capture_helper_line(capture));
	confine_observer(may_go_on, capture);
	ready_report(observation->options->ready_fd);
	err = run(observation, capture);
	if (err > 0)
		err = 0;
	stopped = capture_stop(capture);
	observation->status = capture_status(capture);
	observation->late = reorder_late(observation->pipeline->reorder);
	print_end(observation);
	if (!err)
		err = stopped;
	if (err == -ECHILD)
		return diag_set(diag, EXIT_FAILED, err,
				"the helper that looks for processes has ended");
	/* a tick may have said why */
	return err && !diag->status ? diag_set(diag, EXIT_FAILED, err,
					       "the observation ended early: %s", strerror(-err))
				    : err;
}
