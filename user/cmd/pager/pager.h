/* SPDX-License-Identifier: MIT */
/*
 * pager.h - long results on a terminal go through a pager, as git's do: $GILSCOPE_PAGER, else
 * $PAGER, else less, with LESS=FRX unless that is set (less then ends at once if all fits on one
 * screen). An empty name or "cat" is none, and a dumb terminal gets none unless GILSCOPE_PAGER asks
 * for it. A pager that cannot be found is no failure: the result is printed plainly.
 *
 * The pager must be another process before privileges are dropped (confine.h), because none can be
 * started afterwards. It has none of gilscope's privileges: docs/decisions/privileges.md.
 */
#ifndef GILSCOPE_CMD_PAGER_PAGER_H
#define GILSCOPE_CMD_PAGER_PAGER_H

#include <stdbool.h>

/*
 * To be called before the first output, and before privileges are dropped. If standard output is a
 * terminal, what is written there from now on goes to the pager, which starts with the first byte
 * and whose end is waited for when the process exits; otherwise nothing happens.
 */
void pager_begin(void);

/* To be called when the result is complete, and is written next: from now on Ctrl-C and Ctrl-\ are
 * the pager's; Ctrl-Z stops both, or neither. Does nothing without a pager. */
void pager_shown_now(void);

/* The reader has quit the pager, so that writing fails, which is not an error. */
bool pager_gone(void);

/* The descriptor that says whether results are seen on a terminal, and how wide that is. */
int pager_terminal(void);

#endif
