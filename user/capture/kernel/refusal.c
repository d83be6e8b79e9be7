/* SPDX-License-Identifier: MIT */
#include "capture/kernel/refusal.h"

#include <stdio.h>
#include <string.h>

/* libbpf/src/libbpf.c, bpf_object_load_prog() */
#define LOG_BEGIN "-- BEGIN PROG LOAD LOG --"
#define LOG_END	  "-- END PROG LOAD LOG --"

static bool begins(const char *text, const char *prefix)
{
	return !strncmp(text, prefix, strlen(prefix));
}

/* Statistics at the log's end (kernel/bpf/verifier.c, print_verification_stats), source lines, and
 * the state of registers: "R1=…", "R1_w=…". */
static bool says_nothing(const char *line)
{
	static const char *const noise[] = {"processed ", "verification time ", "stack depth ",
					    "insns_processed ", ";"};

	for (size_t i = 0; i < sizeof(noise) / sizeof(noise[0]); i++)
		if (begins(line, noise[i]))
			return true;
	if (line[0] == 'R') {
		line += 1 + strspn(line + 1, "0123456789");
		return *line == '=' || *line == '_';
	}
	return *line == '\n' || !*line;
}

static void keep(struct refusal *refusal, const char *line, size_t length)
{
	snprintf(refusal->reason, sizeof(refusal->reason), "%.*s",
		 (int)(length < sizeof(refusal->reason) ? length : sizeof(refusal->reason) - 1),
		 line);
}

static void keep_last_line(struct refusal *refusal, const char *log)
{
	const char *end = strstr(log, LOG_END), *line = log, *next;

	for (; *line && (!end || line < end); line = *next ? next + 1 : next) {
		size_t length = strcspn(line, "\n");

		next = line + length;
		if (!begins(line, "libbpf: ") && !says_nothing(line)) {
			keep(refusal, line, length);
			refusal->verifier = true;
		}
	}
}

/* "prog 'NAME': …" and "map 'NAME': …": where the rest begins, or NULL */
static const char *subject_of(const char *message, char *subject, size_t size)
{
	static const struct {
		const char *prefix, *word;
	} kinds[] = {{"prog '", "program"}, {"map '", "map"}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *name = message + strlen(kinds[i].prefix), *end;

		if (!begins(message, kinds[i].prefix))
			continue;
		end = strstr(name, "': ");
		if (!end)
			return NULL;
		snprintf(subject, size, "%s %.*s", kinds[i].word, (int)(end - name), name);
		return end + strlen("': ");
	}
	return NULL;
}

void refusal_note(struct refusal *refusal, const char *message)
{
	char subject[sizeof(refusal->subject)];
	const char *rest, *log;

	if (refusal->verifier)
		return;
	if (begins(message, "libbpf: "))
		message += strlen("libbpf: ");
	rest = subject_of(message, subject, sizeof(subject));
	if (rest && strcmp(subject, refusal->subject) != 0) {
		snprintf(refusal->subject, sizeof(refusal->subject), "%s", subject);
		refusal->reason[0] = '\0';
	}
	log = strstr(message, LOG_BEGIN);
	if (log)
		keep_last_line(refusal, log + strcspn(log, "\n"));
	else if (!refusal->reason[0])
		keep(refusal, rest ? rest : message, strcspn(rest ? rest : message, "\n"));
}
