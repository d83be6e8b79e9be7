/* SPDX-License-Identifier: MIT */
#include "cmd/process/processes.h"

#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/duration.h"
#include "base/escape.h"
#include "model/model.h"
#include "python/process/container.h"
#include "python/process/listening.h"
#include "python/process/proc.h"
#include "python/process/pythons.h"
#include "python/target.h"

enum {
	FOUND_MAX = 1024,
	LISTED_MAX = 64,
	PORTS_SHOWN = 2,
	COMMAND_MAX = 200, /* columns, where there is no terminal */
	COMMAND_AT = 49,   /* the column of the table where the command begins */
};
/* A process takes 10 to 30 ms to examine. One whose files do not answer takes BOUNDED_WAIT_S. */
#define EXAMINE_NS (3 * NS_PER_S)

struct found_process {
	uint32_t pid;
	char *cmdline;
	struct listening_ports ports;
	int ports_err;
	bool left_out;	     /* of the list */
	uint32_t supervisor; /* that was left out for it; 0: none */
	/* of examine() */
	bool examined;
	struct diag diag; /* why it cannot be observed; status 0: it can */
	char python[sizeof(((struct process_info *)0)->python)];
	uint32_t loops;
	bool supervises;
	enum loop_kind kind;
	const char *server; /* NULL: none that is known */
};

DEFINE_CLEANUP(target_free, struct target *, target_free, NULL)

uint32_t processes_pid(const struct found_processes *found, uint32_t i)
{
	return found->list[i].pid;
}

uint32_t processes_supervisor(const struct found_processes *found, uint32_t i)
{
	return found->list[i].supervisor;
}

void processes_done(struct found_processes *found)
{
	for (uint32_t i = 0; i < found->count; i++)
		free(found->list[i].cmdline);
	free(found->list);
	*found = (struct found_processes){0};
}

/* ── finding ─────────────────────────────────────────────────────────────── */

struct process_search {
	struct found_processes *found;
	uint32_t port;		/* 0: by pattern */
	const regex_t *pattern; /* NULL: all */
	uint32_t inside;	/* its PID in its own namespace; 0: whatever it is */
};

static bool listens_on(const struct listening_ports *ports, uint32_t port)
{
	for (uint32_t i = 0; i < ports->count; i++)
		if (ports->list[i] == port)
			return true;
	return false;
}

static int consider(void *ctx, pid_t pid, const char *cmdline)
{
	struct process_search *search = ctx;
	struct found_process process = {.pid = (uint32_t)pid};

	if (search->found->count == FOUND_MAX)
		return 1;
	if (search->pattern && regexec(search->pattern, cmdline, 0, NULL, 0))
		return 0;
	if (search->inside && !container_has_pid(pid, search->inside))
		return 0;
	process.ports_err = listening_ports_read(pid, &process.ports);
	if (search->port && !listens_on(&process.ports, search->port))
		return 0;
	process.cmdline = strdup(cmdline);
	if (!process.cmdline)
		return -ENOMEM;
	search->found->list[search->found->count++] = process;
	return 0;
}

static int by_pid(const void *a, const void *b)
{
	const struct found_process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int search(struct process_search *search, struct diag *diag)
{
	struct found_processes *found = search->found;
	int err = -ENOMEM;

	found->list = calloc(FOUND_MAX, sizeof(*found->list));
	if (found->list)
		err = pythons_each(consider, search);
	if (err < 0)
		return diag_set(diag, EXIT_FAILED, err, "cannot list the processes: %s",
				strerror(-err));
	qsort(found->list, found->count, sizeof(*found->list), by_pid);
	return 0;
}

int processes_find_inside(uint32_t pid, struct diag *diag, struct found_processes *ret_found)
{
	struct process_search how = {.found = ret_found, .inside = pid};

	*ret_found = (struct found_processes){0};
	return search(&how, diag);
}

_Static_assert(PROCESSES_CONTAINER_MAX == CONTAINER_NAME_MAX, "it is handed through");

void processes_container(const struct found_processes *found, uint32_t i,
			 char to[static PROCESSES_CONTAINER_MAX])
{
	container_name((pid_t)found->list[i].pid, to);
}

/* ── examining ───────────────────────────────────────────────────────────── */

static int ignore_head(void *ctx, const struct process_info *info)
{
	return 0;
}

static int count_loop(void *ctx, const union event *event)
{
	struct found_process *process = ctx;

	if (event->hdr.type == EV_RUNS_LOOP && event->hdr.flags & EVF_RUNS_LOOP_YES) {
		process->loops++;
		process->kind = (enum loop_kind)event->runs_loop.kind;
	}
	return 0;
}

static void examine(struct found_process *process)
{
	_cleanup_(target_freep) struct target *target = NULL;
	struct stream_sink sink = {.process = ignore_head, .event = count_loop, .ctx = process};

	if (process->examined)
		return;
	process->examined = true;
	if (target_open((pid_t)process->pid, &process->diag, &target) < 0) {
		process->left_out = kill((pid_t)process->pid, 0) && errno == ESRCH;
		return;
	}
	(void)target_describe_loops(target, &sink);
	process->supervises = target_supervises(target);
	snprintf(process->python, sizeof(process->python), "%s", target->info.python);
}

static void examine_all(struct found_processes *found)
{
	uint64_t start = clock_now_ns();

	for (uint32_t i = 0; i < found->count && i < LISTED_MAX; i++)
		if (clock_now_ns() - start < EXAMINE_NS)
			examine(&found->list[i]);
}

static struct found_process *by_number(const struct found_processes *found, uint32_t pid)
{
	const struct found_process key = {.pid = pid};

	return bsearch(&key, found->list, found->count, sizeof(key), by_pid);
}

static uint32_t parent_of(uint32_t pid)
{
	uint32_t parent = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/status", pid);
	return proc_status_last(path, "PPid", &parent) ? 0 : parent;
}

static void remove_left_out(struct found_processes *found)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < found->count; i++) {
		if (found->list[i].left_out)
			free(found->list[i].cmdline);
		else
			found->list[kept++] = found->list[i];
	}
	found->count = kept;
}

/* A supervisor may run an event loop as well, for its own purposes (gunicorn 24 and later). */
static bool is_supervised(const struct found_process *child, const struct found_process *parent)
{
	if (!parent || !parent->examined || parent->diag.status)
		return false;
	return parent->supervises ? child->examined && !child->diag.status
				  : child->loops && !parent->loops;
}

/* Removes those that have a child among them which does the work. */
static void leave_out_supervisors(struct found_processes *found)
{
	if (found->count < 2 || found->count > LISTED_MAX)
		return;
	examine_all(found);
	for (uint32_t i = 0; i < found->count; i++) {
		struct found_process *parent = by_number(found, parent_of(found->list[i].pid));

		if (!is_supervised(&found->list[i], parent))
			continue;
		parent->left_out = true;
		found->list[i].supervisor = parent->pid;
	}
	remove_left_out(found);
}

bool processes_are_service(const struct found_processes *found)
{
	for (uint32_t i = 0; i < found->count && !found->by_port; i++)
		if (!found->list[i].supervisor ||
		    found->list[i].supervisor != found->list[0].supervisor)
			return false;
	return found->count;
}

static int compile(const char *text, regex_t *pattern, struct diag *diag)
{
	int code = regcomp(pattern, text, REG_EXTENDED | REG_NOSUB);
	char why[128];

	if (!code)
		return 0;
	regerror(code, pattern, why, sizeof(why));
	return diag_set(diag, EXIT_USAGE, -EINVAL, "'%.100s' is not a pattern: %s", text, why);
}

int processes_match(const char *text, struct diag *diag, struct found_processes *ret_found)
{
	struct process_search how = {.found = ret_found};
	unsigned long port = text && *text == ':' ? strtoul(text + 1, NULL, 10) : 0;
	regex_t pattern;
	int err;

	*ret_found = (struct found_processes){0};
	if (text && *text == ':' &&
	    (text[1 + strspn(text + 1, "0123456789")] || port < 1 || port > UINT16_MAX))
		return diag_set(diag, EXIT_USAGE, -EINVAL, "'%.100s' is not a port", text);
	how.port = (uint32_t)port;
	ret_found->by_port = port;
	if (text && !port) {
		err = compile(text, &pattern, diag);
		if (err)
			return err;
		how.pattern = &pattern;
	}
	err = search(&how, diag);
	if (how.pattern)
		regfree(&pattern);
	return err;
}

int processes_find(const char *text, struct diag *diag, struct found_processes *ret_found)
{
	int err = processes_match(text, diag, ret_found);

	if (!err && text)
		leave_out_supervisors(ret_found);
	return err;
}

/* ── printing ────────────────────────────────────────────────────────────── */

/* ":8000 :8001 …" */
static void ports_text(const struct found_process *process, char *to, size_t size)
{
	size_t length = (size_t)snprintf(to, size, "%s", process->ports_err ? "?" : "");

	if (!process->ports_err && !process->ports.count)
		snprintf(to, size, "-");
	for (uint32_t i = 0; i < process->ports.count && i < PORTS_SHOWN && length < size; i++)
		length += (size_t)snprintf(to + length, size - length, "%s:%u", i ? " " : "",
					   process->ports.list[i]);
	if (process->ports.count > PORTS_SHOWN && length < size)
		snprintf(to + length, size - length, " …");
}

static const char *loop_text(const struct found_process *process, char *to, size_t size)
{
	if (!process->examined || process->diag.status)
		return "?";
	if (!process->loops)
		return "-";
	if (process->loops == 1)
		snprintf(to, size, "%s", loop_kind_name(process->kind));
	else
		snprintf(to, size, "%u", process->loops);
	return to;
}

static size_t command_columns(FILE *file)
{
	struct winsize size;

	if (!isatty(fileno(file)) || ioctl(fileno(file), TIOCGWINSZ, &size))
		return COMMAND_MAX;
	return size.ws_col > COMMAND_AT + 20 ? size.ws_col - COMMAND_AT - 1u : 20;
}

const char processes_heading[] = "    PID  PYTHON  SERVER    LISTENS ON    LOOP     COMMAND";

static void row_text(const struct found_process *process, size_t columns,
		     char to[static PROCESSES_ROW_MAX])
{
	char command[COMMAND_MAX + 1], ports[32], loop[24];

	/* an escaped character has at least as many bytes as columns */
	escape_text(command, columns < COMMAND_MAX ? columns + 1 : sizeof(command),
		    process->cmdline, strlen(process->cmdline));
	ports_text(process, ports, sizeof(ports));
	snprintf(to, PROCESSES_ROW_MAX, "%7u  %-7s %-8s  %-*s  %-7s  %s", process->pid,
		 process->python[0] ? process->python : "?",
		 process->server ? process->server : "-", strstr(ports, "…") ? 14 : 12, ports,
		 loop_text(process, loop, sizeof(loop)), command);
}

void processes_row(const struct found_processes *found, uint32_t i,
		   char to[static PROCESSES_ROW_MAX])
{
	row_text(&found->list[i], COMMAND_MAX, to);
}

const char *processes_problem(const struct found_processes *found, uint32_t i)
{
	return found->list[i].diag.status ? found->list[i].diag.what : NULL;
}

static void print_process(FILE *file, const struct found_process *process)
{
	char row[PROCESSES_ROW_MAX], why[sizeof(process->diag.what)];

	row_text(process, command_columns(file), row);
	fprintf(file, "%s\n", row);
	if (process->diag.status && process->diag.status != EXIT_NOT_PERMITTED)
		fprintf(file, "         cannot be observed: %s\n",
			escape_text(why, sizeof(why), process->diag.what,
				    strlen(process->diag.what)));
}

/* The process for the example: one that runs an event loop, or else one that can be observed. */
static const struct found_process *first_choice(const struct found_processes *found)
{
	const struct found_process *choice = NULL;

	for (uint32_t i = 0; i < found->count; i++) {
		const struct found_process *process = &found->list[i];

		if (!process->examined || process->diag.status)
			continue;
		if (process->loops)
			return process;
		if (!choice)
			choice = process;
	}
	return choice;
}

static void print_next(FILE *file, const struct found_processes *found, const char *usage)
{
	const struct found_process *choice = first_choice(found);
	bool refused = false;

	for (uint32_t i = 0; i < found->count; i++)
		refused |= found->list[i].diag.status == EXIT_NOT_PERMITTED;
	if (refused)
		fprintf(file, "To see what is marked ?, and to observe, run gilscope as root: sudo "
			      "gilscope …\n");
	if (choice)
		fprintf(file, "Observe one with: sudo %s %u\n", usage, choice->pid);
	fprintf(file, "Instead of a PID, a name on the command line or a port (:8000) can be "
		      "given.\n");
}

/* A worker has the name of the server that gave it its socket. */
static void name_servers(struct found_processes *found)
{
	for (uint32_t i = 0; i < found->count; i++) {
		struct found_process *process = &found->list[i], *parent;

		process->server = pythons_server(process->cmdline);
		if (process->server || !process->ports.count)
			continue;
		parent = by_number(found, parent_of(process->pid));
		if (parent && listens_on(&parent->ports, process->ports.list[0]))
			process->server = pythons_server(parent->cmdline);
	}
}

static int rank_of(const struct found_process *process)
{
	if (process->loops)
		return 0;
	return process->ports.count ? 1 : 2;
}

/* Those that are probably meant come first. */
static int by_rank(const void *a, const void *b)
{
	int difference = rank_of(a) - rank_of(b);

	return difference ? difference : by_pid(a, b);
}

uint32_t processes_examine(struct found_processes *found)
{
	examine_all(found);
	remove_left_out(found);
	name_servers(found);
	qsort(found->list, found->count, sizeof(*found->list), by_rank);
	return found->count < LISTED_MAX ? found->count : LISTED_MAX;
}

void processes_print(FILE *file, struct found_processes *found, const char *usage)
{
	uint32_t listed;

	if (!found->count) {
		fprintf(file, "No Python process is running here.\n");
		return;
	}
	listed = processes_examine(found);
	fprintf(file, "%s\n", processes_heading);
	for (uint32_t i = 0; i < listed; i++)
		print_process(file, &found->list[i]);
	if (found->count > LISTED_MAX)
		fprintf(file, "         … and %u more\n", found->count - LISTED_MAX);
	fputc('\n', file);
	print_next(file, found, usage);
}
