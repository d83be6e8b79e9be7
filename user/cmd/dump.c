/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "base/duration.h"
#include "cmd/cmd.h"
#include "cmd/pager/pager.h"
#include "cmd/pipeline/observe.h"
#include "cmd/pipeline/report_file.h"

/*
 * How long a process is observed before it is shown, in ticks of the observation: 200 ms. A thread
 * that sleeps or waits shows its stack at once; one that runs is sampled every 5 ms of it
 * (CAPTURE_RATE_HZ), and one that takes turns with others had a turn.
 */
#define DUMP_TICKS 2
/*
 * Then on until it is known what every thread does, for this long at most: a process that a quota
 * throttles, or that shares its CPU with many, shows nothing of itself until it runs.
 */
#define DUMP_MAX_NS NS_PER_S

struct patience {
	struct pipeline *pipeline;
	bool stacks;
	uint32_t ticks;
};

/* observation.tick */
static int is_known(void *ctx, uint64_t ts_known)
{
	struct patience *patience = ctx;
	int err;

	if (++patience->ticks < DUMP_TICKS)
		return 0;
	err = pipeline_dump(patience->pipeline, ts_known);
	return err ? err : dump_is_complete(dump_list(patience->pipeline->dump), patience->stacks);
}

static int observe_for(struct pipeline *pipeline, struct options *options, struct diag *diag,
		       const struct report **ret_report)
{
	struct observation observation = {
		.options = &options->observe, .pipeline = pipeline, .for_instant = true};
	struct patience patience = {.pipeline = pipeline};
	int err;

	if (!options->observe.dur_ns) {
		options->observe.dur_ns = DUMP_MAX_NS;
		observation.tick = is_known;
		observation.tick_ctx = &patience;
	}
	options->observe.quiet = true;
	options->observe.mode = MODE_EXACT; /* who has the GIL is the first question */
	options->observe.no_source = true;  /* they are not shown */
	options->observe.no_follow = true;  /* those below are named */
	observe_catch_signals(NULL);
	observe_head(&options->observe, &pipeline->head);
	patience.stacks = pipeline->head.stacks;
	err = pipeline_append_fold(pipeline, options->stall_ns, diag);
	if (!err)
		err = pipeline_front(pipeline, true, diag);
	if (!err)
		err = observe(&observation, diag);
	observe_shown_now();
	if (err)
		return err;
	if (!observation.status.targets)
		return diag_set(diag, EXIT_FAILED, -ESRCH, "the process %s while it was observed",
				observation.status.execed ? "became another program (exec)"
							  : "exited");
	if (report_builder_finish(pipeline->builder, pipeline->world, false, ret_report) < 0)
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory for the report");
	return 0;
}

/* Of a recording that does not say when it was made: 0. */
static uint64_t realtime_of(const struct stream_head *head, uint64_t ts)
{
	return head->realtime_ns ? head->realtime_ns + ts - head->monotonic_ns : 0;
}

static int show(const struct pipeline *pipeline, const struct report *report,
		const struct options *options)
{
	struct view_options how = cmd_view_options(options);
	struct view_dump dump = {.report = report, .list = dump_list(pipeline->dump)};
	struct diag diag;
	int err;

	if (!dump.list) {
		diag_set(&diag, EXIT_FAILED, -ENODATA, "nothing has been seen yet");
		return cmd_fail(&diag);
	}
	dump.realtime_ns = realtime_of(&pipeline->head, dump.list->ts);
	pager_shown_now();
	err = cmd_write_out((options->json ? view_dump_json : view_dump_text)(stdout, &dump, &how));
	if (err) {
		diag_set(&diag, EXIT_FAILED, err, "cannot write the threads: %s", strerror(-err));
		return cmd_fail(&diag);
	}
	return report_partial(report) ? EXIT_PARTIAL : EXIT_OK;
}

static int run(struct options *options)
{
	struct pipeline pipeline = {.names = options->names, .wants_dump = true};
	const struct report *report = NULL;
	struct diag diag = {0};
	bool damaged = false;
	int status, err;

	cmd_page(options);
	err = options->recording ? report_of_file(&pipeline, options->recording, options->stall_ns,
						  &diag, &report, &damaged)
				 : observe_for(&pipeline, options, &diag, &report);
	status = err ? cmd_fail(&diag) : show(&pipeline, report, options);
	if (!status && damaged)
		status = EXIT_PARTIAL;
	pipeline_done(&pipeline);
	return status;
}

static const struct option_use OPTIONS[] = {
	{.id = OPTION_PID},
	{.id = OPTION_IN_CONTAINER},
	{.id = OPTION_DURATION,
	 .doc = "Observe this long before the threads are shown (200ms; up to 1s while "
		"what a thread does is unknown)"},
	{.id = OPTION_RATE},
	{.id = OPTION_NO_STACKS},
	{.id = OPTION_RING_SIZE},
	{.id = OPTION_READY_FD},
	{.id = OPTION_RECORDING},
	{.id = OPTION_HEADING, .group = 2, .doc = "How the result is shown:"},
	{.id = OPTION_JSON,
	 .group = 2,
	 .doc = "Print the threads as JSON, schema gilscope.dump/1",
	 .letter = 'j'},
	{.id = OPTION_COLOUR, .group = 2},
	{.id = OPTION_NO_COLOUR, .group = 2},
	{.id = OPTION_NO_PAGER, .group = 2},
	{.id = OPTION_APP_ROOT, .group = 2},
	{0},
};

const struct command command_dump = {
	.name = "dump",
	.arguments = "PID [--json]",
	.summary = "show what every thread does right now, and its Python stack",
	.args_doc = "PID...",
	.doc = "Show what every thread of a running Python process does right now: whether it "
	       "runs, sleeps and in which system call, or waits for the GIL and who has it; its "
	       "Python stack, innermost function first; and what its event loop is doing."
	       "\vThe process is observed for a fifth of a second, or up to a second when it "
	       "gets little CPU, and neither changed nor stopped. "
	       "A time with a ≥ began before that.\n\nExample, a server that does not answer:\n"
	       "  sudo gilscope dump :8000",
	.options = OPTIONS,
	.rest = options_rest_processes,
	.run = run,
};
