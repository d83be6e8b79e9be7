/* SPDX-License-Identifier: MIT */
/* The head of a page: what numbers of functions, texts and system calls stand for, and whose each
 * stall is. */
#include "view/page/page_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/sysname.h"
#include "symbols/owner.h"
#include "view/assets.h"
#include "view/json_out.h"
#include "view/page/page.h"
#include "words/names.h"
#include "words/palette.h"

#define JSON_TABLE "view/page/page_head.def"
#include "view/json_table.h"

/* A library's top package, of "uvicorn.protocols.http"; "" for the application's code. */
static json_t *package_json(const char *file, bool application)
{
	char module[256] = "";

	if (!application)
		owner_module(file, module, sizeof(module));
	module[strcspn(module, ".")] = '\0';
	return json_text(module);
}

static json_t *function_json(const struct page_head *head, const struct definition *definition)
{
	const char *name = definition->function.name, *file = definition->function.file;
	enum code_owner owner = handler_owner(head->finder, name, file);

	return json_pack("[o, o, I, i, o]", json_text(name), json_text(file),
			 (json_int_t)definition->function.line, (int)shown_owner(owner),
			 package_json(file, owner == OWNER_APPLICATION));
}

static void put_functions(struct json_out *out, const struct page_head *head)
{
	json_put_key(out, ",\n", JSON_KEY(page_head, functions));
	json_put(out, "[\n[\"\", \"\", 0, 0, \"\"]");
	for (uint32_t i = 0; i < head->functions->count; i++) {
		const struct definition *definition = dictionary_find(head->names, DEFINE_FUNCTION,
								      head->functions->ids[i]);

		json_put(out, ",\n");
		json_put_value(out, function_json(head, definition), 0);
	}
	json_put(out, "]");
}

static void put_texts(struct json_out *out, const struct page_head *head)
{
	json_put_key(out, ",\n", JSON_KEY(page_head, texts));
	json_put(out, "[\n\"\"");
	for (uint32_t i = 0; i < head->texts->count; i++) {
		json_put(out, ",\n");
		json_put_value(
			out,
			json_text(dictionary_find(head->names, DEFINE_TEXT, head->texts->ids[i])
					  ->text),
			JSON_ENCODE_ANY);
	}
	json_put(out, "]");
}

static json_t *roles_json(void)
{
	json_t *roles = json_array();

	for (int i = 0; i < HANDLER_ROLES; i++)
		json_array_append_new(roles, json_string(handler_role_name((enum handler_role)i)));
	return roles;
}

static json_t *state_names_json(void)
{
	json_t *states = json_array();

	for (int i = 0; i < TS_COUNT; i++)
		json_array_append_new(states, json_string(thread_state_name((enum thread_state)i)));
	return states;
}

/* The name of a system call, if it is the same in all processes. */
static const char *syscall_name(const struct report *report, int32_t sysno)
{
	const char *name = NULL;

	for (uint32_t p = 0; p < report->process_count; p++) {
		const char *here = sysname(report->processes[p].process->info.machine, sysno);

		if (!here || (name && strcmp(here, name) != 0))
			return NULL;
		name = here;
	}
	return name;
}

static json_t *syscalls_json(const struct page_head *head)
{
	json_t *syscalls = json_object();
	char number[16];

	for (int32_t i = 0; i < PAGE_SYSCALLS; i++) {
		const char *name = head->syscalls[i] ? syscall_name(head->report, i) : NULL;

		snprintf(number, sizeof(number), "%d", i);
		if (name)
			json_object_set_new(syscalls, number, json_string(name));
	}
	return syscalls;
}

/* ── whose stalls they are ───────────────────────────────────────────────── */

/* The number of a function that is in a stack of the page; 0: it is in none. */
static uint32_t function_number(const struct numbering *functions, uint32_t id)
{
	return id < functions->number_room ? functions->numbers[id] : 0;
}

/* Of functions that are in a stack of the page. */
static void put_sources(struct json_out *out, const struct page_head *head)
{
	const struct dictionary *names = head->names;
	json_t *sources = json_object();

	for (uint32_t id = 1; id <= dictionary_count(names, DEFINE_SOURCE); id++) {
		const struct definition *source = dictionary_find(names, DEFINE_SOURCE, id);
		uint32_t function = source->source.function, line = source->source.line,
			 number = function_number(head->functions, function);
		const char *text = dictionary_source(names, function, line);
		char place[32];

		snprintf(place, sizeof(place), "%u:%u", number, line);
		if (number && text)
			json_object_set_new(sources, place, json_text(text));
	}
	json_put_key(out, ",\n", JSON_KEY(page_head, sources));
	json_put_value(out, sources, 0);
}

/* The entry of the report's blame that has a stall in its count; -1: none. */
static json_int_t blame_of(const struct report *report, const struct stall *stall)
{
	for (uint32_t i = 0; stall->culprit.role && i < report->blame_count; i++)
		if (report->blame[i].handler.frame.function == stall->culprit.frame.function)
			return i;
	return -1;
}

static void put_blame(struct json_out *out, const struct page_head *head)
{
	const struct report *report = head->report;
	uint32_t number = 0;

	json_put_key(out, ",\n", JSON_KEY(page_head, blame));
	json_put(out, "[");
	for (uint32_t i = 0; i < report->blame_count; i++) {
		json_put_next(out, i);
		json_put_value(out,
			       json_integer(function_number(
				       head->functions, report->blame[i].handler.frame.function)),
			       JSON_ENCODE_ANY);
	}
	json_put_key(out, "],\n", JSON_KEY(page_head, culprits));
	json_put(out, "[");
	for (uint32_t p = 0; p < report->process_count; p++)
		for (uint32_t l = 0; l < report->processes[p].loop_count; l++)
			for (uint32_t s = 0; s < report->processes[p].loops[l].stall_count; s++) {
				const struct stall *stall =
					&report->processes[p].loops[l].stalls[s];

				json_put_next(out, number++);
				json_put_value(out, json_integer(blame_of(report, stall)),
					       JSON_ENCODE_ANY);
			}
	json_put(out, "]");
}

void page_names_put(struct json_out *out, const struct page_head *head)
{
	put_functions(out, head);
	put_texts(out, head);
	put_sources(out, head);
	put_blame(out, head);
	json_put_key(out, ",\n", JSON_KEY(page_head, roles));
	json_put_value(out, roles_json(), 0);
	json_put_key(out, ", ", JSON_KEY(page_head, states));
	json_put_value(out, state_names_json(), 0);
	json_put_key(out, ",\n", JSON_KEY(page_head, syscalls));
	json_put_value(out, syscalls_json(head), 0);
}
