/* SPDX-License-Identifier: MIT */
#include "cmd/watch/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd/pipeline/confine.h"

#define STEPS_MAX 8 /* of one call: to accept, to read and to answer take one each */

static enum metrics_format wanted_format(const struct http_request *request)
{
	const char *open = "application/openmetrics-text";

	return request->accept &&
			       memmem(request->accept, request->accept_length, open, strlen(open))
		       ? METRICS_OPEN
		       : METRICS_TEXT;
}

/* In memory, at a file position that others do not share. */
static int write_metrics(const struct endpoint *endpoint, enum metrics_format format, int fd)
{
	struct metrics_about about = {0};
	FILE *file = fdopen(fd, "w");
	int err = file ? 0 : -ENOMEM;

	if (err) {
		close(fd);
		return err;
	}
	endpoint->describe(endpoint->ctx, &about);
	err = view_metrics(file, format, endpoint->totals, &about);
	return fclose(file) && !err ? -EIO : err;
}

static enum http_status find_metrics(void *ctx, const struct http_request *request,
				     struct server_content *ret_content)
{
	static const char path[] = "/metrics";
	enum metrics_format format = wanted_format(request);
	int fd, copy;
	off_t length;

	if (request->path_length != strlen(path) || memcmp(request->path, path, strlen(path)) != 0)
		return HTTP_NOT_FOUND;
	fd = memfd_create("metrics", MFD_CLOEXEC);
	copy = fd < 0 ? -1 : dup(fd);
	if (copy < 0 || write_metrics(ctx, format, copy)) {
		if (fd >= 0)
			close(fd);
		return HTTP_UNAVAILABLE;
	}
	length = lseek(fd, 0, SEEK_END);
	*ret_content = (struct server_content){.fd = fd,
					       .length = length > 0 ? (uint64_t)length : 0,
					       .type = format == METRICS_OPEN ? METRICS_TYPE_OPEN
									      : METRICS_TYPE_TEXT};
	return HTTP_OK;
}

int endpoint_begin(struct endpoint *endpoint, const char *where, struct diag *diag)
{
	uint16_t port = (uint16_t)strtoul(where, NULL, 10);
	bool is_path = strchr(where, '/');
	int err;

	endpoint->path[0] = '\0';
	endpoint->server = (struct server){.find = find_metrics, .ctx = endpoint};
	endpoint->server.listener = is_path ? server_listen_path(where) : server_listen_port(&port);
	if (endpoint->server.listener < 0) {
		err = endpoint->server.listener;
		diag_set(diag, EXIT_FAILED, err, "cannot serve metrics on %s%s: %s",
			 is_path ? "" : "127.0.0.1:", where, strerror(-err));
		diag_hint(diag, "choose another port or path: --metrics PORT|PATH");
		return err;
	}
	if (is_path && !realpath(where, endpoint->path))
		endpoint->path[0] = '\0'; /* it is not removed, then */
	confine_accept(endpoint->server.listener);
	err = server_begin(&endpoint->server);
	return err ? diag_set(diag, EXIT_FAILED, err, "no memory") : 0;
}

void endpoint_serve(struct endpoint *endpoint)
{
	for (int i = 0; endpoint->server.connections && i < STEPS_MAX; i++)
		if (server_step(&endpoint->server, 0, NULL) <= 0)
			break;
}

void endpoint_done(struct endpoint *endpoint)
{
	if (!endpoint->server.connections)
		return;
	server_done(&endpoint->server);
	close(endpoint->server.listener);
	if (endpoint->path[0])
		unlink(endpoint->path);
}
