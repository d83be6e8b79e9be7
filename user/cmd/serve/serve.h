/* SPDX-License-Identifier: MIT */
/*
 * serve.h - shows one page to browsers of this machine, over HTTP on 127.0.0.1, without a file.
 *
 * Its address has a random part, without which nothing is shown: other users of the machine can
 * connect, too. server.h answers.
 */
#ifndef GILSCOPE_CMD_SERVE_SERVE_H
#define GILSCOPE_CMD_SERVE_SERVE_H

#include <stdint.h>
#include <stdio.h>

#include "base/diag.h"

#define SERVE_TOKEN_BYTES 16

struct serve {
	int listener;
	uint16_t port;
	char path[2 * SERVE_TOKEN_BYTES + 3]; /* "/0123…/" */
	FILE *page;			      /* in memory; the page is written here */
};

/* Listens, before privileges are dropped; afterwards no socket can be made. `port` 0: a free one. 0
 * or -errno with a diag. */
int serve_begin(struct serve *serve, uint16_t port, struct diag *diag);
/* Prints the address, and shows the page until Ctrl-C, SIGTERM or SIGHUP. 0 or -errno with a diag.
 */
int serve_run(struct serve *serve, struct diag *diag);
void serve_done(struct serve *serve);

#endif
