/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/escape.h"
#include "capture/kernel/features.h"
#include "cmd/cmd.h"
#include "cmd/pager/pager.h"
#include "model/model.h"
#include "python/target.h"

/* Counted in a snapshot of the target. */
struct census {
	unsigned int threads, python, loop_waits, loop_descriptors, loops, unnamed_holders;
	unsigned int kinds[LOOP_KINDS]; /* of `loops` */
};

/* Everything that doctor finds out, for text and JSON. */
struct findings {
	struct features features;
	struct diag system; /* the required feature that is missing, or status 0 */
	bool has_target;
	uint32_t pid;
	struct target *target;
	struct diag diag; /* why there is no target, or status 0 */
	struct census census;
	uint32_t children[SUPERVISED_MAX]; /* serve, and the process is their supervisor */
	uint32_t child_count;
};

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

static enum exit_status verdict(const struct findings *findings)
{
	if (findings->system.status)
		return findings->system.status;
	return findings->has_target ? findings->diag.status : EXIT_OK;
}

/* ── text ────────────────────────────────────────────────────────────────── */

static bool coloured;

/* "ok", "NO", "--" or, where it could not be checked, two question marks */
static void print_mark(const char *mark)
{
	static const struct {
		const char *mark, *colour;
	} colours[] = {{"ok", "32"}, {"NO", "1;31"}};

	for (size_t i = 0; coloured && i < sizeof(colours) / sizeof(colours[0]); i++) {
		if (!strcmp(mark, colours[i].mark)) {
			printf("  \033[%sm%s\033[m", colours[i].colour, mark);
			return;
		}
	}
	printf("  %s", mark);
}

static void print_line(const char *mark, const char *name, const char *text)
{
	print_mark(mark);
	printf("  %-18s %s\n", name, text);
}

enum { FOUND_COLUMNS = 32 };

static void print_found(const struct feature *feature)
{
	const char *missing = feature->required ? "NO" : "--";
	const char *mark = feature->available ? "ok" : missing;

	print_mark(mark);
	if (strlen(feature->found) <= FOUND_COLUMNS)
		printf("  %-18s %-*s %s\n", feature->name, FOUND_COLUMNS, feature->found,
		       feature->purpose);
	else
		printf("  %-18s %s\n      %-18s %-*s %s\n", feature->name, feature->found, "",
		       FOUND_COLUMNS, "", feature->purpose);
}

static void print_features(const struct features *features)
{
	for (int i = 0; i < FEATURE_COUNT; i++) {
		const struct feature *feature = &features->list[i];

		if (feature->unchecked)
			printf("  ??  %-18s not checked (%s)\n", feature->name, feature->found);
		else
			print_found(feature);
		if (feature->remedy[0])
			printf("      %-18s %s\n", "", feature->remedy);
	}
}

static void print_loops(const struct census *census)
{
	char text[200];
	int length = snprintf(text, sizeof(text), "%u", census->loops);

	for (int kind = 0; kind < LOOP_KINDS; kind++)
		if (census->kinds[kind])
			length += snprintf(text + length, sizeof(text) - (size_t)length, ", %s",
					   loop_kind_name(kind));
	snprintf(text + length, sizeof(text) - (size_t)length,
		 "; %u descriptor%s of a loop; %u thread%s in an epoll wait now",
		 census->loop_descriptors, census->loop_descriptors == 1 ? "" : "s",
		 census->loop_waits, census->loop_waits == 1 ? "" : "s");
	print_line(census->loops ? "ok" : "--", "event loops", text);
}

static void print_target(const struct target *target, const struct census *census)
{
	const char *proof = target->gil_proven ? ", proven by its contents"
					       : ", not proven (the switch interval was changed, "
						 "or no thread has run yet)"; /* of the main GIL */
	char text[600], shown[400];
	const struct process_info *info = &target->info;

	printf("\nProcess %u: %s\n", info->pid,
	       escape_text(shown, sizeof(shown), info->cmdline, sizeof(info->cmdline)));
	snprintf(text, sizeof(text), "CPython %s (%s), GIL %s%s", info->python, info->machine,
		 info->gil_enabled ? "on" : "off",
		 target->layout.free_threaded ? ", free-threaded build" : "");
	print_line("ok", "python", text);
	print_line("ok", "image",
		   escape_text(shown, sizeof(shown), info->image, sizeof(info->image)));
	snprintf(text, sizeof(text), "%u take, %u drop, %u wait; found by %s, %s", info->take,
		 info->drop, info->wait, fact_name(&method_names, info->method),
		 fact_name(&confidence_names, info->confidence));
	print_line("ok", "GIL sites", text);
	for (uint32_t i = 0; i < target->gil_count; i++) {
		snprintf(text, sizeof(text), "0x%" PRIx64 ", interpreter %u%s",
			 target->gils[i].address, target->gils[i].interpreter, i ? "" : proof);
		print_line("ok", i ? "" : "GIL", text);
	}
	snprintf(text, sizeof(text), "%u, %u of them Python threads", census->threads,
		 census->python);
	print_line("ok", "threads", text);
	print_loops(census);
	if (!info->gil_enabled)
		printf("      %-18s The GIL is off: nobody waits for it. Scheduling and event "
		       "loops are observed all the same.\n",
		       "");
	if (!census->loops)
		printf("      %-18s No thread runs an event loop now. GIL and threads are observed "
		       "all the "
		       "same.\n",
		       "");
}

/* "capabilities, BPF programs": what is marked NO */
static void print_missing(const struct features *features)
{
	const char *before = "";

	for (int i = 0; i < FEATURE_COUNT; i++) {
		const struct feature *feature = &features->list[i];

		if (!feature->required || feature->available || feature->unchecked)
			continue;
		printf("%s%s", before, feature->name);
		before = ", ";
	}
}

static unsigned int count_unchecked(const struct features *features)
{
	unsigned int count = 0;

	for (int i = 0; i < FEATURE_COUNT; i++)
		count += features->list[i].required && features->list[i].unchecked;
	return count;
}

/* The last line; it agrees with the lines marked NO and ?? above. */
static void print_verdict(const struct findings *findings)
{
	unsigned int unchecked = count_unchecked(&findings->features);

	if (findings->system.status) {
		printf("\ngilscope cannot attach. Fix what is marked NO: ");
		print_missing(&findings->features);
		puts(".");
	} else if (verdict(findings)) {
		printf("\ngilscope cannot attach: %s.\n", findings->diag.what);
		if (findings->target) /* else it has been said above */
			printf("%s\n", findings->diag.hint);
	} else if (unchecked) {
		printf("\nNothing is known to be missing, but %u requirement%s could not be "
		       "checked (marked \?\?).\n",
		       unchecked, unchecked == 1 ? "" : "s");
	} else if (findings->target) {
		printf("\nReady: sudo gilscope attach %u\n", findings->pid);
	} else {
		printf("\nThis system is ready. Check a process with: gilscope doctor PID\n");
	}
}

static void print_refusal(const struct findings *findings)
{
	printf("\nProcess %u\n", findings->pid);
	print_mark("NO");
	printf("  %s\n      %s\n", findings->diag.what, findings->diag.hint);
}

static void print_findings(const struct findings *findings)
{
	struct utsname uts = {0};

	uname(&uts);
	printf("gilscope %s on Linux %s %s\n", GILSCOPE_VERSION, uts.release, uts.machine);
	print_features(&findings->features);
	if (findings->target)
		print_target(findings->target, &findings->census);
	else if (findings->has_target)
		print_refusal(findings);

	print_verdict(findings);
}

/* ── JSON ────────────────────────────────────────────────────────────────── */

/* A string from the target, escaped, so that it is valid UTF-8. */
static json_t *text_json(const char *text)
{
	char shown[4 * 1024];

	return json_string(escape_text(shown, sizeof(shown), text, strlen(text)));
}

static json_t *features_json(const struct features *features)
{
	json_t *list = json_array();

	for (int i = 0; i < FEATURE_COUNT; i++) {
		const struct feature *feature = &features->list[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:b, s:s, s:s, s:s}", "name",
						      feature->name, "purpose", feature->purpose,
						      "required", feature->required, "available",
						      feature->available, "state",
						      feature_state(feature), "found",
						      feature->found, "remedy", feature->remedy));
	}
	return list;
}

static json_t *target_json(const struct target *target, const struct census *census)
{
	const struct process_info *info = &target->info;
	json_t *gils = json_array();

	for (uint32_t i = 0; i < target->gil_count; i++) {
		char address[32];

		snprintf(address, sizeof(address), "0x%" PRIx64, target->gils[i].address);
		json_array_append_new(gils, json_pack("{s:s, s:i}", "address", address,
						      "interpreter", target->gils[i].interpreter));
	}
	return json_pack(
		"{s:i, s:o, s:s, s:s, s:b, s:o, s:{s:s, s:s, s:i, s:i, s:i}, s:o, s:b, "
		"s:{s:i, s:i}, s:{s:i, s:i, s:i}}",
		"pid", info->pid, "cmdline", text_json(info->cmdline), "python", info->python,
		"gil", info->gil_enabled ? "on" : "off", "free_threaded_build",
		target->layout.free_threaded, "image", text_json(info->image), "sites", "method",
		fact_name(&method_names, info->method), "confidence",
		fact_name(&confidence_names, info->confidence), "take", info->take, "drop",
		info->drop, "wait", info->wait, "gils", gils, "gil_proven", target->gil_proven,
		"threads", "all", census->threads, "python", census->python, "loops", "descriptors",
		census->loop_descriptors, "waiting", census->loop_waits, "running", census->loops);
}

static int print_json(const struct findings *findings)
{
	const struct diag *diag = findings->system.status ? &findings->system : &findings->diag;
	enum exit_status status = verdict(findings);
	_cleanup_(json_decrefp) json_t *root = json_pack(
		"{s:s, s:s, s:b, s:o, s:o, s:o}", "schema", "gilscope.doctor/1", "version",
		GILSCOPE_VERSION, "works", status == EXIT_OK, "features",
		features_json(&findings->features), "process",
		findings->target ? target_json(findings->target, &findings->census) : json_null(),
		"problem",
		status ? json_pack("{s:o, s:o, s:i}", "what", text_json(diag->what), "hint",
				   text_json(diag->hint), "status", (int)status)
		       : json_null());

	return root && !json_dumpf(root, stdout, JSON_INDENT(2)) && puts("") >= 0 ? 0 : -EIO;
}

/* ── the command ─────────────────────────────────────────────────────────── */

static int run(struct options *options)
{
	struct findings findings = {0};
	int status, err = 0;

	cmd_page(options);
	coloured = cmd_view_options(options).colour;
	findings.has_target = options->observe.pid_count > 0;
	findings.pid = options->observe.pids[0];
	features_probe(&findings.features);
	features_try_programs(&findings.features);
	(void)features_require(&findings.features, &findings.system);
	if (findings.has_target)
		examine_target(&findings);
	pager_shown_now();
	if (options->json)
		err = print_json(&findings);
	else
		print_findings(&findings);
	status = cmd_write_out(err) ? EXIT_FAILED : (int)verdict(&findings);
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
