/* SPDX-License-Identifier: MIT */
#include "cmd/values.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "base/escape.h"
#include "cmd/cmd.h"
#include "cmd/pipeline/ready.h"
#include "cmd/process/processes.h"
#include "view/view.h"

/* Digits, perhaps with a point, and no unit. */
static bool is_number(const char *text)
{
	return *text && !text[strspn(text, "0123456789.")];
}

uint64_t value_duration(const char *text, struct argp_state *state)
{
	uint64_t ns = 0;

	if (duration_parse(text, &ns) == 0)
		return ns;
	if (is_number(text))
		argp_error(state, "'%s' has no unit; write %ss or %sms", text, text, text);
	argp_error(state, "'%s' is not a duration; write 10s, 250ms or 1m30s", text);
	return ns;
}

uint64_t value_seconds(const char *text, struct argp_state *state)
{
	char seconds[64];
	uint64_t ns;

	snprintf(seconds, sizeof(seconds), "%.60ss", text);
	if (is_number(text) && duration_parse(seconds, &ns) == 0)
		return ns;
	return value_duration(text, state);
}

struct cut_point value_point(const char *text, struct argp_state *state)
{
	struct cut_point point;

	if (cut_point_parse(text, &point) < 0)
		argp_error(state, "'%s' is neither an offset (3.5s) nor a time of day (14:03:05)",
			   text);
	return point;
}

/* The command line up to the process: "gilscope attach", "gilscope record -p". */
static const char *usage_of(const struct argp_state *state, char *to, size_t size)
{
	const char *command = strrchr(state->name, ' ');

	snprintf(to, size, "%s%s", state->name,
		 command && !strcmp(command, " record") ? " -p" : "");
	return to;
}

static void print_all(struct argp_state *state)
{
	_cleanup_(processes_done) struct found_processes found;
	struct diag diag = {0};
	char usage[80];

	if (processes_find(NULL, &diag, &found) < 0)
		exit(cmd_fail(&diag));
	processes_print(stderr, &found, usage_of(state, usage, sizeof(usage)));
}

void value_no_process(struct argp_state *state)
{
	fprintf(stderr, "gilscope: no PID given. The Python processes of this system:\n\n");
	print_all(state);
	exit(EXIT_USAGE);
}

static void add_supervisor(struct found_pids *pids, uint32_t supervisor)
{
	for (uint32_t i = 0; i < pids->supervisor_count; i++)
		if (pids->supervisors[i] == supervisor)
			return;
	if (supervisor)
		pids->supervisors[pids->supervisor_count++] = supervisor;
}

static void keep(struct found_pids *pids, const struct found_processes *found, uint32_t i)
{
	if (pids->count == OBSERVE_PIDS_MAX)
		return;
	pids->pids[pids->count++] = processes_pid(found, i);
	add_supervisor(pids, processes_supervisor(found, i));
}

static void say_found(const char *text, const struct found_pids *pids)
{
	if (pids->count == 1) {
		fprintf(stderr, "gilscope: '%s' is process %u.\n", text, pids->pids[0]);
		return;
	}
	fprintf(stderr, "gilscope: '%s' is %u processes:", text, pids->count);
	for (uint32_t i = 0; i < pids->count; i++)
		fprintf(stderr, " %u", pids->pids[i]);
	fprintf(stderr, ".\n");
}

static void no_such_process(const char *text, struct argp_state *state)
{
	fprintf(stderr, "gilscope: no Python process %s '%s'. Those of this system:\n\n",
		*text == ':' ? "listens on" : "has a command line with", text);
	print_all(state);
	exit(EXIT_USAGE);
}

/* Whether the command has that option. */
static bool has_match(const struct argp_state *state)
{
	const char *command = strrchr(state->name, ' ');

	return command && (!strcmp(command, " attach") || !strcmp(command, " record") ||
			   !strcmp(command, " top"));
}

/* Exits if there is none. */
static void find_some(const char *text, struct found_processes *ret_found, struct argp_state *state)
{
	struct diag diag = {0};

	if (processes_find(text, &diag, ret_found) < 0)
		exit(cmd_fail(&diag));
	if (!ret_found->count)
		no_such_process(text, state);
}

static void keep_all(const char *text, struct found_pids *pids, const struct found_processes *found)
{
	for (uint32_t i = 0; i < found->count; i++)
		keep(pids, found, i);
	say_found(text, pids);
}

/* Exits if there is none, or several that are not one service. */
static void find_processes(const char *text, uint32_t most, struct found_pids *ret_found,
			   struct argp_state *state)
{
	_cleanup_(processes_done) struct found_processes found;
	char usage[80];

	find_some(text, &found, state);
	if (found.count > 1 && (found.count > most || !processes_are_service(&found))) {
		fprintf(stderr, "gilscope: '%s' is %u processes; give the PID of one%s.\n\n", text,
			found.count, has_match(state) ? ", or observe all with --match" : "");
		processes_print(stderr, &found, usage_of(state, usage, sizeof(usage)));
		exit(EXIT_USAGE);
	}
	keep_all(text, ret_found, &found);
}

void value_matching(const char *text, struct found_pids *ret_found, struct argp_state *state)
{
	_cleanup_(processes_done) struct found_processes found;

	*ret_found = (struct found_pids){0};
	if (*text == ':')
		argp_error(state, "'%s' is a port: give it as the process", text);
	find_some(text, &found, state);
	keep_all(text, ret_found, &found);
}

static uint32_t pid_of(const char *text, struct argp_state *state)
{
	char *end;
	unsigned long pid = strtoul(text, &end, 10);

	if (text[strspn(text, "0123456789")] || *end || pid < 1 || pid > INT32_MAX)
		argp_error(state, "'%s' is not a PID", text);
	return (uint32_t)pid;
}

/* "PID 7 of docker 4f5e6d7c8b9a is 4711 here" */
static void say_inside(uint32_t pid, const struct found_processes *found, uint32_t i)
{
	char name[PROCESSES_CONTAINER_MAX], shown[4 * PROCESSES_CONTAINER_MAX];
	const char *what = name;

	processes_container(found, i, name);
	if (!*name)
		what = "a container";
	fprintf(stderr, "gilscope: PID %u of %s is %u here.\n", pid,
		escape_text(shown, sizeof(shown), what, strlen(what)), processes_pid(found, i));
}

/* Whether a process has this PID inside a container; exits if several have. */
static bool find_inside(uint32_t pid, struct found_pids *ret_found)
{
	_cleanup_(processes_done) struct found_processes found;
	struct diag diag = {0};

	if (processes_find_inside(pid, &diag, &found) < 0)
		exit(cmd_fail(&diag));
	for (uint32_t i = 0; i < found.count; i++)
		say_inside(pid, &found, i);
	if (found.count > 1) {
		fprintf(stderr, "gilscope: give the PID that one of them has here.\n");
		exit(EXIT_USAGE);
	}
	if (found.count)
		keep(ret_found, &found, 0);
	return found.count;
}

void value_inside(const char *text, struct found_pids *ret_found, struct argp_state *state)
{
	uint32_t pid = pid_of(text, state);

	*ret_found = (struct found_pids){0};
	if (find_inside(pid, ret_found))
		return;
	fprintf(stderr,
		"gilscope: no Python process has PID %u inside a container. Those of this "
		"system:\n\n",
		pid);
	print_all(state);
	exit(EXIT_USAGE);
}

void value_processes(const char *text, uint32_t most, struct found_pids *ret_found,
		     struct argp_state *state)
{
	uint32_t pid;

	*ret_found = (struct found_pids){0};
	if (text[strspn(text, "0123456789")]) {
		find_processes(text, most, ret_found, state);
		return;
	}
	pid = pid_of(text, state);
	if (kill((pid_t)pid, 0) && errno == ESRCH && find_inside(pid, ret_found))
		return;
	ret_found->pids[ret_found->count++] = pid;
}

uint32_t value_hertz(const char *text, uint32_t most, struct argp_state *state)
{
	char *end;
	unsigned long hertz = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || hertz > most)
		argp_error(state, "'%s' is not a rate of 0 to %u Hz", text, most);
	return (uint32_t)hertz;
}

uint16_t value_port(const char *text, struct argp_state *state)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || port < 1 || port > UINT16_MAX)
		argp_error(state, "'%s' is not a port of 1 to 65535", text);
	return (uint16_t)port;
}

const char *value_listen(const char *text, struct argp_state *state)
{
	if (!strchr(text, '/'))
		value_port(text, state);
	return text;
}

uint64_t value_disk(const char *text, struct argp_state *state)
{
	char *end;
	unsigned long mebibytes = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || mebibytes < 1 || mebibytes > 1u << 24)
		argp_error(state, "'%s' is not a size of 1 to 16777216 MiB", text);
	return (uint64_t)mebibytes << 20;
}

uint32_t value_mebibytes(const char *text, struct argp_state *state)
{
	char *end;
	unsigned long mebibytes = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || mebibytes < 1 || mebibytes > 1024)
		argp_error(state, "'%s' is not a size of 1 to 1024 MiB", text);
	return (uint32_t)mebibytes << 20;
}

int value_ready_fd(const char *text, struct argp_state *state)
{
	int fd = ready_take(text);

	if (fd < 0)
		argp_error(state,
			   "--ready-fd takes the number of a descriptor that is open for writing, "
			   "from 3 on, not '%s'",
			   text);
	return fd;
}

const char *options_colour_name(unsigned int i)
{
	static const char *const names[] = {
		[COLOUR_AUTO] = "auto", [COLOUR_ALWAYS] = "always", [COLOUR_NEVER] = "never"};

	return i < sizeof(names) / sizeof(names[0]) ? names[i] : NULL;
}

enum colour value_colour(const char *text, struct argp_state *state)
{
	for (unsigned int i = 0; options_colour_name(i); i++)
		if (!strcmp(options_colour_name(i), text))
			return (enum colour)i;
	argp_error(state, "--color takes auto, always or never, not '%s'", text);
	return COLOUR_AUTO;
}

const char *options_mode_name(unsigned int i)
{
	return i + MODE_EXACT <= MODE_FUTEX ? mode_names.list[i + MODE_EXACT] : NULL;
}

enum evidence_mode value_mode(const char *text, struct argp_state *state)
{
	for (unsigned int i = 0; options_mode_name(i); i++)
		if (!strcmp(options_mode_name(i), text))
			return (enum evidence_mode)(i + MODE_EXACT);
	argp_error(state, "--mode takes exact, edges or futex, not '%s'", text);
	return MODE_EXACT;
}

uint32_t value_stack_kinds(char *text, struct argp_state *state)
{
	char *const names[] = {"sleep", "preempt", "wait", "holder", NULL};
	static const uint32_t bits[] = {EVF_STACK_SLEEP, EVF_STACK_PREEMPT, EVF_STACK_WAIT,
					EVF_STACK_HOLDER};
	uint32_t kinds = 0;
	char *unknown;

	while (*text) {
		int which = getsubopt(&text, names, &unknown);

		if (which < 0)
			argp_error(state, "'%s' is no kind of stack", unknown);
		else
			kinds |= bits[which];
	}
	return kinds;
}

/* TS_COUNT: there is no state of this name. */
static unsigned int state_named(const char *name, size_t length)
{
	for (unsigned int i = 0; i < TS_COUNT; i++) {
		const char *other = thread_state_name((enum thread_state)i);

		if (strlen(other) == length && !strncmp(other, name, length))
			return i;
	}
	return TS_COUNT;
}

unsigned int value_states(const char *text, struct argp_state *state)
{
	unsigned int states = 0;

	for (const char *word = text;; word += strcspn(word, ",") + 1) {
		size_t length = strcspn(word, ",");
		unsigned int i = state_named(word, length);

		if (i == TS_COUNT)
			argp_error(state,
				   "'%.*s' is not a state; the states are python, native, "
				   "gil_wait, held_blocked, held_runnable, blocked, runnable, idle "
				   "and unknown",
				   (int)length, word);
		states |= 1u << i;
		if (!word[length])
			return states;
	}
}

static const struct {
	const char *name;
	enum flame_direction direction;
} DIRECTIONS[] = {{"waiter", FLAME_WAITER}, {"holder", FLAME_HOLDER}};
#define DIRECTION_COUNT (sizeof(DIRECTIONS) / sizeof(DIRECTIONS[0]))

const char *options_direction_name(unsigned int i)
{
	return i < DIRECTION_COUNT ? DIRECTIONS[i].name : NULL;
}

unsigned int value_direction(const char *text, struct argp_state *state)
{
	for (size_t i = 0; i < DIRECTION_COUNT; i++)
		if (!strcmp(DIRECTIONS[i].name, text))
			return DIRECTIONS[i].direction;
	argp_error(state, "--by takes waiter or holder, not '%s'", text);
	return 0;
}
