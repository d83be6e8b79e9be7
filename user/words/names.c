/* SPDX-License-Identifier: MIT */
#include "words/names.h"

#include <stdio.h>
#include <string.h>

#include "base/duration.h"

static const struct definition *definition_of(const struct report *report,
					      enum definition_kind kind, uint32_t id)
{
	return report->names ? dictionary_find(report->names, kind, id) : NULL;
}

struct frame_names frame_names(const struct report *report, const struct stack_frame *frame)
{
	const struct definition *definition = definition_of(report, DEFINE_FUNCTION,
							    frame->function);

	if (!definition)
		return (struct frame_names){.file = ""};
	return (struct frame_names){definition->function.name, definition->function.file,
				    frame->line, definition->function.line};
}

const char *source_of(const struct report *report, uint32_t function, uint32_t line)
{
	return report->names && line != STACK_GAP_LINE
		       ? dictionary_source(report->names, function, line)
		       : NULL;
}

const struct definition *stack_of(const struct report *report, uint32_t stack)
{
	return definition_of(report, DEFINE_STACK, stack);
}

const struct stack_frame *stack_innermost_of_application(const struct report *report,
							 const struct definition *stack)
{
	for (uint32_t i = 0; stack && i < stack->stack.count; i++) {
		struct frame_names words = frame_names(report, &stack->stack.frames[i]);

		if (words.function && handler_is_application(report->finder, words.file))
			return &stack->stack.frames[i];
	}
	return NULL;
}

uint32_t stack_share_largest(const struct stack_share *shares, uint32_t count)
{
	uint64_t most = 0;
	uint32_t stack = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t ns = state_sums_total(&shares[i].states);

		if (shares[i].stack && ns > most) {
			most = ns;
			stack = shares[i].stack;
		}
	}
	return stack;
}

const char *sysno_word(int32_t sysno)
{
	switch (sysno) {
	case SYSNO_NONE:
		return "none";
	case SYSNO_STOPPED:
		return "stopped";
	case SYSNO_TRACED:
		return "traced";
	case SYSNO_FROZEN:
		return "frozen";
	case SYSNO_GIL:
		return "gil";
	default:
		return "unknown";
	}
}

const char *text_of(const struct report *report, uint32_t text)
{
	const struct definition *definition = definition_of(report, DEFINE_TEXT, text);

	return definition ? definition->text : NULL;
}

const char *thread_name(const struct report *report, const struct thread *thread)
{
	const char *name = text_of(report, thread->python_name);

	return name && *name ? name : thread->comm;
}

const char *task_of(const struct report *report, const struct breakdown *what, uint32_t stack)
{
	for (uint32_t i = 0; i < what->stack_count; i++)
		if (what->stacks[i].stack == stack && stack)
			return text_of(report, what->stacks[i].task);
	return NULL;
}

static const char *without_directory(const char *word)
{
	const char *end = word + strcspn(word, " "), *base = end;

	while (base > word && base[-1] != '/')
		base--;
	return base < end ? base : word;
}

const char *command_of(const struct process_info *info)
{
	const char *command = without_directory(info->cmdline), *next = strchr(command, ' ');

	if (!strncmp(command, "python", 6) && next && !strncmp(next, " -m ", 4) && next[4] &&
	    next[4] != ' ')
		return next + 4;
	if (!strncmp(command, "python", 6) && next && next[1] && next[1] != '-' && next[1] != ' ')
		return without_directory(next + 1);
	return *command ? command : "?";
}

/* Lib/multiprocessing/spawn.py, get_command_line(); forkserver.py, ensure_running() */
#define SPAWNED	    "from multiprocessing.spawn import spawn_main"
#define FORK_SERVER "from multiprocessing.forkserver import main"
#define DEPTH_MAX   8 /* of workers of workers; more, or a circle, is an attack */

static bool is_worker(const struct process *process)
{
	const char *cmdline = process->info.cmdline;

	return process->parent && (strstr(cmdline, SPAWNED) || strstr(cmdline, FORK_SERVER) ||
				   strcmp(cmdline, process->parent->info.cmdline) == 0);
}

static bool is_fork_server(const struct process *process)
{
	return strstr(process->info.cmdline, FORK_SERVER) && process->parent &&
	       !strstr(process->parent->info.cmdline, FORK_SERVER);
}

/* Of a worker: whose it is. */
static const struct process *superior_of(const struct process *process)
{
	const struct process *parent = process->parent;

	return is_fork_server(parent) ? parent->parent : parent;
}

/* One step up the family: "child 1 of " and the like. Workers of workers count as their owner's. */
static const struct process *add_relation(const struct process *process, char *to, size_t size)
{
	const struct process *owner;

	if (is_fork_server(process)) {
		snprintf(to, size, "fork server of ");
		return process->parent;
	}
	owner = superior_of(process);
	snprintf(to, size, "%s %u of ", owner->serves ? "child" : "worker", process->number);
	for (int depth = 0; depth < DEPTH_MAX && !owner->serves && is_worker(owner) &&
			    !is_fork_server(owner) && !superior_of(owner)->serves;
	     depth++)
		owner = superior_of(owner);
	return owner;
}

char *process_title(const struct process *process, char title[static PROCESS_TITLE_MAX])
{
	size_t length = 0;

	for (int depth = 0; depth < DEPTH_MAX && is_worker(process); depth++) {
		process = add_relation(process, title + length, PROCESS_TITLE_MAX - length);
		length += strlen(title + length);
	}
	snprintf(title + length, PROCESS_TITLE_MAX - length, "%s", command_of(&process->info));
	return title;
}

uint64_t stall_resolution_ns(const struct report *report, const struct stall *stall)
{
	const struct state_sums *states = &stall->what.states;
	bool sampled = states->ns[TS_PYTHON] || states->ns[TS_NATIVE];

	for (uint32_t i = 0; i < stall->what.blocker_count; i++)
		sampled |= stall->what.blockers[i].states.ns[TS_PYTHON] > 0;
	if (!sampled)
		return 0;
	return report->rate_hz ? NS_PER_S / report->rate_hz : stall->end - stall->start;
}
