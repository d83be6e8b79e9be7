/* SPDX-License-Identifier: MIT */
/*
 * endpoint.h - shows metrics to this machine, at the path /metrics: on a port of 127.0.0.1, or on a
 * socket in the file system. Requests are served between other work, so an answer may take a tenth
 * of a second.
 */
#ifndef GILSCOPE_CMD_WATCH_ENDPOINT_H
#define GILSCOPE_CMD_WATCH_ENDPOINT_H

#include <limits.h>

#include "base/diag.h"
#include "cmd/serve/server.h"
#include "view/metrics/metrics.h"

struct endpoint {
	struct server server;
	char path[PATH_MAX]; /* of the socket, from the root on; "": it is a port */
	/* Fills in what only the caller knows. */
	void (*describe)(void *ctx, struct metrics_about *ret_about);
	void *ctx;
	const struct totals *totals;
};

/* Listens, before privileges are dropped. `where` is a port, or a path with a slash in it. 0 or
 * -errno with a diag. */
int endpoint_begin(struct endpoint *endpoint, const char *where, struct diag *diag);
/* Serves who is ready. */
void endpoint_serve(struct endpoint *endpoint);
void endpoint_done(struct endpoint *endpoint);

#endif
