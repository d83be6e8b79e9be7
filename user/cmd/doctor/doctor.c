/* SPDX-License-Identifier: MIT */
#include "cmd/doctor/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/pager/pager.h"

static int census_process(void *ctx, const struct process_info *info)
{
	return 0;
}

static int census_event(void *ctx, const union event *event)
{
	struct census *census = ctx;

	switch (event->hdr.type) {
	case EV_THREAD:
		census->threads++;
		census->python += !!(event->hdr.flags & EVF_THREAD_PYTHON);
		break;
	case EV_EPOLL:
		census->loop_descriptors += !!(event->hdr.flags & EVF_EPOLL_WAKEUP);
		break;
	case EV_RUNS_LOOP:
		if (event->hdr.flags & EVF_RUNS_LOOP_YES) {
			census->loops++;
			census->kinds[event->runs_loop.kind]++;
		}
		break;
	case EV_STATE:
		census->loop_waits += !!(event->hdr.flags & EVF_STATE_EPOLL);
		break;
	case EV_OBSERVE:
		census->unnamed_holders += (event->hdr.flags & EVF_OBSERVE_LOCKED) &&
					   !event->observe.holder;
		break;
	default:
		break;
	}
	return 0;
}

static int note_child(void *ctx, uint32_t pid, uint8_t flags, const char *cmdline)
{
	struct findings *findings = ctx;

	if (findings->census.loops && !(flags & EVF_CHILD_SUPERVISED))
		return 0;
	if (findings->child_count < SUPERVISED_MAX)
		findings->children[findings->child_count++] = pid;
	return 0;
}

static void explain_supervisor(struct findings *findings)
{
	char pids[SUPERVISED_MAX * 12] = "";

	for (uint32_t i = 0; i < findings->child_count; i++)
		snprintf(pids + strlen(pids), sizeof(pids) - strlen(pids), " %u",
			 findings->children[i]);
	diag_set(&findings->diag, EXIT_UNSUPPORTED, -ENOTSUP,
		 "process %u is a supervisor, and processes below it serve", findings->pid);
	diag_hint(&findings->diag, "observe them instead, by gilscope attach%s", pids);
}

static void examine_target(struct findings *findings)
{
	struct stream_sink sink = {
		.process = census_process, .event = census_event, .ctx = &findings->census};
	_cleanup_(freep) uint16_t *index = NULL;

	if (target_open((pid_t)findings->pid, &findings->diag, &findings->target) < 0)
		return;
	index = calloc(findings->target->gil_count, sizeof(*index));
	if (index)
		(void)target_snapshot(findings->target, index, &sink);
	(void)target_children(findings->target, note_child, findings);
	if (findings->child_count)
		explain_supervisor(findings);
}

enum exit_status doctor_verdict(const struct findings *findings)
{
	if (findings->system.status)
		return findings->system.status;
	return findings->has_target ? findings->diag.status : EXIT_OK;
}

/* ── the command ─────────────────────────────────────────────────────────── */

static int run(struct options *options)
{
	struct findings findings = {0};
	int status, err = 0;

	cmd_page(options);
	findings.has_target = options->observe.pid_count > 0;
	findings.pid = options->observe.pids[0];
	features_probe(&findings.features);
	features_try_programs(&findings.features);
	findings.only_futex = features_only_futex(&findings.features);
	(void)features_require(&findings.features, findings.only_futex ? MODE_FUTEX : MODE_EDGES,
			       &findings.system);
	if (findings.has_target)
		examine_target(&findings);
	pager_shown_now();
	if (options->json)
		err = doctor_print_json(&findings);
	else
		doctor_print_text(&findings, cmd_view_options(options).colour);
	status = cmd_write_out(err) ? EXIT_FAILED : (int)doctor_verdict(&findings);
	target_free(findings.target);
	return status;
}

static const struct option_use OPTIONS[] = {
	{.id = OPTION_JSON,
	 .doc = "Print the findings as JSON, schema gilscope.doctor/1",
	 .letter = 'j'},
	{.id = OPTION_COLOUR},
	{.id = OPTION_NO_COLOUR},
	{.id = OPTION_NO_PAGER},
	{0},
};

const struct command command_doctor = {
	.name = "doctor",
	.arguments = "[PID] [--json]",
	.summary = "check whether gilscope works here",
	.args_doc = "[PID]",
	.doc = "Check whether gilscope works on this system and with this process, and say what to "
	       "do about what does not. Loads the probes to see whether the kernel accepts them. "
	       "Changes nothing."
	       "\vExample:\n  sudo gilscope doctor :8000",
	.options = OPTIONS,
	.rest = options_rest_process,
	.run = run,
};
