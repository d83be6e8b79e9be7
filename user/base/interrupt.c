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
