/* SPDX-License-Identifier: MIT */
#include "cmd/top/choose.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cmd/pipeline/observe.h"
#include "cmd/process/processes.h"
#include "cmd/top/screen.h"
#include "view/tui/tui.h"

#define CHOICE_MS 200

/* Until something is chosen that can be observed. */
static int run(struct tui *tui, struct tui_list *list, const struct found_processes *found,
	       uint32_t *pid)
{
	static char message[600];

	while (!observe_interrupted()) {
		const char *problem;

		switch (tui_choose(tui, list, CHOICE_MS)) {
		case TUI_QUIT:
			return CHOSEN_END;
		case TUI_BACK:
			return CHOSEN_NONE;
		case TUI_OPEN:
			problem = processes_problem(found, list->selected);
			if (!problem) {
				*pid = processes_pid(found, list->selected);
				return CHOSEN_PROCESS;
			}
			snprintf(message, sizeof(message), "Cannot be observed: %s.", problem);
			list->message = message;
			break;
		default:
			break;
		}
	}
	return CHOSEN_END;
}

int choose_process(bool plain, uint32_t *pid, struct diag *diag)
{
	_cleanup_(processes_done) struct found_processes found = {0};
	_cleanup_(screen_close) struct screen screen = {0};
	_cleanup_(freep) char(*rows)[PROCESSES_ROW_MAX] = NULL;
	struct tui_list list = {.title = "gilscope top · which process?",
				.heading = processes_heading};
	int err = processes_find(NULL, diag, &found);

	if (err)
		return err;
	list.count = processes_examine(&found);
	rows = calloc(list.count + 1, sizeof(*rows));
	if (!rows)
		return diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
	for (uint32_t i = 0; i < list.count; i++) {
		processes_row(&found, i, rows[i]);
		if (processes_pid(&found, i) == *pid)
			list.selected = i;
	}
	list.rows = rows[0];
	list.row_bytes = sizeof(*rows);
	err = screen_open(&screen, plain, diag);
	return err ? err : run(screen.tui, &list, &found, pid);
}
