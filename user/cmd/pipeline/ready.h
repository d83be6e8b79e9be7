/* SPDX-License-Identifier: MIT */
/*
 * ready.h - reports on a descriptor that an observation has begun (--ready-fd), for scripts that
 * must not start their work before.
 */
#ifndef GILSCOPE_CMD_PIPELINE_READY_H
#define GILSCOPE_CMD_PIPELINE_READY_H

/*
 * Takes over the descriptor whose number is `text`, so that no program started by gilscope inherits
 * it. Returns the descriptor, or -EBADF if it is not open for writing. The standard streams are
 * refused, because the descriptor will be closed.
 */
int ready_take(const char *text);

/*
 * Writes the line "ready" and closes the descriptor. Never blocks: if the line cannot be written at
 * once, a message on stderr says so. Does nothing if fd is 0, which means none.
 */
void ready_report(int fd);

#endif
