/* SPDX-License-Identifier: MIT */
#include "cmd/doctor/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/escape.h"

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

static json_t *modes_json(const struct findings *findings)
{
	json_t *list = json_array();

	for (int i = 0; i < DOCTOR_MODES; i++) {
		const struct mode_about *about = &doctor_modes[i];

		json_array_append_new(list, json_pack("{s:s, s:b, s:s}", "mode",
						      fact_name(&mode_names, about->mode), "works",
						      doctor_mode_works(findings, about->mode),
						      "what", about->what));
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
		"s:{s:i, s:i}, s:{s:i, s:i, s:i, s:s}}",
		"pid", info->pid, "cmdline", text_json(info->cmdline), "python", info->python,
		"gil", info->gil_enabled ? "on" : "off", "free_threaded_build",
		target->layout.free_threaded, "image", text_json(info->image), "sites", "method",
		fact_name(&method_names, info->method), "confidence",
		fact_name(&confidence_names, info->confidence), "take", info->take, "drop",
		info->drop, "wait", info->wait, "gils", gils, "gil_proven", target->gil_proven,
		"threads", "all", census->threads, "python", census->python, "loops", "descriptors",
		census->loop_descriptors, "waiting", census->loop_waits, "running", census->loops,
		"waits_seen", target->libc.waits ? "libc" : "syscalls");
}

int doctor_print_json(const struct findings *findings)
{
	const struct diag *diag = findings->system.status ? &findings->system : &findings->diag;
	enum exit_status status = doctor_verdict(findings);
	_cleanup_(json_decrefp) json_t *root = json_pack(
		"{s:s, s:s, s:b, s:o, s:o, s:o, s:o}", "schema", "gilscope.doctor/1", "version",
		GILSCOPE_VERSION, "works", status == EXIT_OK, "features",
		features_json(&findings->features), "modes", modes_json(findings), "process",
		findings->target ? target_json(findings->target, &findings->census) : json_null(),
		"problem",
		status ? json_pack("{s:o, s:o, s:i}", "what", text_json(diag->what), "hint",
				   text_json(diag->hint), "status", (int)status)
		       : json_null());

	return root && !json_dumpf(root, stdout, JSON_INDENT(2)) && puts("") >= 0 ? 0 : -EIO;
}
