/* SPDX-License-Identifier: MIT */
#include "base/interrupt.h"

#include <signal.h>

static volatile sig_atomic_t raised;

void interrupt_raise(void)
{
	raised = 1;
}

bool interrupted(void)
{
	return raised;
}

void interrupt_forget_handlers(void)
{
	static const int handled[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action;

	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
		if (!sigaction(handled[i], NULL, &action) && action.sa_handler != SIG_IGN)
			signal(handled[i], SIG_DFL);
}
