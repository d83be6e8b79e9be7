/* SPDX-License-Identifier: MIT */
/*
 * server.h - answers HTTP requests of this machine, a step at a time. Memory and connections are
 * bounded, and who does not send or read for a while is cut off. Requests that a foreign page makes
 * by DNS rebinding are refused (base/http/http.h).
 */
#ifndef GILSCOPE_CMD_SERVE_SERVER_H
#define GILSCOPE_CMD_SERVE_SERVER_H

#include <signal.h>
#include <stdint.h>

#include "base/http/http.h"

#define SERVER_CONNECTIONS_MAX 16

/* What is sent. */
struct server_content {
	int fd; /* is read from its begin, and closed by the server */
	uint64_t length;
	const char *type; /* of the Content-Type header */
};

struct server_connection;

struct server {
	int listener; /* non-blocking; the caller's */
	/* HTTP_OK and the content, or another status. */
	enum http_status (*find)(void *ctx, const struct http_request *request,
				 struct server_content *ret_content);
	void *ctx;
	struct server_connection *connections; /* made by server_begin() */
};

/* 0 or -ENOMEM. */
int server_begin(struct server *server);
void server_done(struct server *server);
/* Waits up to `timeout_ms` (with `open` as the mask of signals, unless NULL) and serves who is
 * ready. Returns how many were, or -errno. */
int server_step(struct server *server, int timeout_ms, const sigset_t *open);

/* A socket on 127.0.0.1, and its port (0: a free one). Returns it, or -errno. */
int server_listen_port(uint16_t *port);
/* A socket of that name, in place of one that nobody listens on. Returns it, or -errno. */
int server_listen_path(const char *path);

#endif
