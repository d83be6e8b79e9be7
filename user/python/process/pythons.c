/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "python/process/proc.h"
#include "python/process/pythons.h"

DEFINE_CLEANUP(closedir, DIR *, closedir, NULL)

/* Servers and the like, by the name of their script, module or process title. */
static const char *const SERVERS[] = {"uvicorn", "gunicorn", "hypercorn",      "granian",
				      "daphne",	 "uwsgi",    "waitress-serve", "flask",
				      "fastapi", "celery",   "django-admin",   "manage.py"};

enum { SERVER_WORDS = 6 }; /* python -X dev -m uvicorn … */

/* The last part of a path, up to the blank that ends the word. */
static const char *word_base(const char *word, size_t *ret_length)
{
	size_t length = strcspn(word, " ");
	const char *base = word + length;

	while (base > word && base[-1] != '/')
		base--;
	*ret_length = length - (size_t)(base - word);
	return base;
}

static const char *server_named(const char *base, size_t length)
{
	for (size_t i = 0; i < sizeof(SERVERS) / sizeof(SERVERS[0]); i++) {
		size_t name = strlen(SERVERS[i]);

		/* setproctitle: "gunicorn: worker [app:app]" */
		if (!strncmp(base, SERVERS[i], name) &&
		    (length == name || (length == name + 1 && base[name] == ':')))
			return SERVERS[i];
	}
	return NULL;
}

const char *pythons_server(const char *cmdline)
{
	for (int words = 0; words < SERVER_WORDS && *cmdline; words++) {
		size_t length;
		const char *base = word_base(cmdline, &length);
		const char *server = server_named(base, length);

		if (server)
			return server;
		cmdline = base + length;
		cmdline += strspn(cmdline, " ");
	}
	return NULL;
}

static bool names_python(const char *path)
{
	size_t length;
	const char *base = word_base(path, &length);

	return !strncmp(base, "python", strlen("python")) || server_named(base, length);
}

static bool looks_like_python(pid_t pid, const char *cmdline)
{
	char path[64], program[PATH_MAX];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	length = readlink(path, program, sizeof(program) - 1);
	program[length > 0 ? length : 0] = 0;
	return names_python(program) || names_python(cmdline);
}

int pythons_each(int (*found)(void *ctx, pid_t pid, const char *cmdline), void *ctx)
{
	_cleanup_(closedirp) DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int ret = proc ? 0 : -errno;

	while (!ret && (entry = readdir(proc))) {
		char cmdline[PYTHONS_CMDLINE_MAX];
		int pid = atoi(entry->d_name);

		if (pid > 0 && !proc_cmdline(pid, cmdline, sizeof(cmdline)) && *cmdline &&
		    looks_like_python(pid, cmdline))
			ret = found(ctx, pid, cmdline);
	}
	return ret;
}
