/* SPDX-License-Identifier: MIT */
/*
 * ready.h - reports on a descriptor that an observation has begun (--ready-fd), for scripts that
 * must not start their work before.
 */
#ifndef GILSCOPE_CMD_PIPELINE_READY_H
#define GILSCOPE_CMD_PIPELINE_READY_H

/*
 * Takes over the descriptor whose number is `text`: no program that gilscope starts inherits it.
 * Returns the descriptor, or -EBADF when there is none that is open for writing. The standard
 * streams are refused, for it is closed in the end.
 */
int ready_take(const char *text);

/*
 * Writes the line "ready" and closes the descriptor. What cannot be written at once is not waited
 * for: then a message on stderr says so. Does nothing with 0, which stands for none.
 */
void ready_report(int fd);

#endif
