/* SPDX-License-Identifier: MIT */
#include "cmd/watch/selectors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/process/processes.h"

static bool is_pid(const char *text)
{
	return !text[strspn(text, "0123456789")];
}

int selectors_add(struct selectors *selectors, const char *text, struct diag *diag)
{
	if (selectors->count == SELECTORS_MAX)
		return diag_set(diag, EXIT_USAGE, -E2BIG, "more than %d processes", SELECTORS_MAX);
	if (is_pid(text) && (strtoul(text, NULL, 10) < 1 || strtoul(text, NULL, 10) > INT32_MAX))
		return diag_set(diag, EXIT_USAGE, -EINVAL, "'%s' is not a PID", text);
	if (!is_pid(text)) {
		_cleanup_(processes_done) struct found_processes found = {0};
		int err = processes_match(text, diag, &found); /* is it one at all? */

		if (err)
			return err;
	}
	selectors->list[selectors->count++] = text;
	return 0;
}

bool selectors_last(const struct selectors *selectors)
{
	for (uint32_t i = 0; i < selectors->count; i++)
		if (!is_pid(selectors->list[i]))
			return true;
	return false;
}

static uint32_t add_once(uint32_t *pids, uint32_t count, uint32_t most, uint32_t pid)
{
	for (uint32_t i = 0; i < count; i++)
		if (pids[i] == pid)
			return count;
	if (count == most || !pid)
		return count;
	pids[count] = pid;
	return count + 1;
}

/* That they cannot be found now is as if there were none: they are looked for again. */
static uint32_t add_found(uint32_t *pids, uint32_t count, uint32_t most, const char *text)
{
	_cleanup_(processes_done) struct found_processes found = {0};
	struct diag diag = {0};

	if (processes_match(text, &diag, &found))
		return count;
	for (uint32_t i = 0; i < found.count; i++)
		count = add_once(pids, count, most, processes_pid(&found, i));
	return count;
}

uint32_t selectors_given(const struct selectors *selectors, uint32_t *pids, uint32_t most)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < selectors->count; i++)
		if (is_pid(selectors->list[i]))
			count = add_once(pids, count, most,
					 (uint32_t)strtoul(selectors->list[i], NULL, 10));
	return count;
}

uint32_t selectors_find(const struct selectors *selectors, uint32_t *pids, uint32_t most)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < selectors->count; i++)
		if (!is_pid(selectors->list[i]))
			count = add_found(pids, count, most, selectors->list[i]);
	return count;
}
