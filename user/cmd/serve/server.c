/* SPDX-License-Identifier: MIT */
#include "cmd/serve/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/duration.h"

enum { REQUEST_MAX = 8192, HEAD_MAX = 512, PIECE = 65536 };
#define IDLE_NS (10 * NS_PER_S) /* without a byte in either direction */

struct server_connection {
	int fd; /* -1: none */
	uint64_t ts;
	bool answers;
	char bytes[REQUEST_MAX];       /* the request, then the answer's head */
	size_t length, sent;	       /* of `bytes` */
	struct server_content content; /* fd -1: none */
	uint64_t at;		       /* of the content */
};

/* ── listening ───────────────────────────────────────────────────────────────────────────────── */

/* Closes it, unless it is the result. */
static int listening(int fd, bool listens)
{
	int err = -errno;

	if (listens)
		return fd;
	if (fd >= 0)
		close(fd);
	return err;
}

int server_listen_port(uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(*port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* a port that was just used can be used again, as the ssh command of the last time says */
	bool listens = fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) &&
		       !bind(fd, (struct sockaddr *)&address, size) &&
		       !listen(fd, SERVER_CONNECTIONS_MAX) &&
		       !getsockname(fd, (struct sockaddr *)&address, &size);

	*port = ntohs(address.sin_port);
	return listening(fd, listens);
}

/* Of a process that has ended without removing it. */
static bool is_left_over(const struct sockaddr_un *address)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat file;

	return fd >= 0 && !lstat(address->sun_path, &file) && S_ISSOCK(file.st_mode) &&
	       connect(fd, (const struct sockaddr *)address, sizeof(*address)) &&
	       errno == ECONNREFUSED;
}

int server_listen_path(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;
	bool listens;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	if (is_left_over(&address))
		unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	listens = fd >= 0 && !bind(fd, (struct sockaddr *)&address, sizeof(address)) &&
		  !chmod(path, 0660) && !listen(fd, SERVER_CONNECTIONS_MAX);
	return listening(fd, listens);
}

/* ── answering ───────────────────────────────────────────────────────────────────────────────── */

static void hang_up(struct server_connection *connection)
{
	if (connection->fd >= 0)
		close(connection->fd);
	if (connection->content.fd >= 0)
		close(connection->content.fd);
	connection->fd = connection->content.fd = -1;
}

static void answer(const struct server *server, struct server_connection *connection,
		   enum http_status status)
{
	struct server_content *content = &connection->content;
	struct http_request request = {0};
	bool shows;

	if (status == HTTP_OK)
		status = http_read(connection->bytes, connection->length, &request);
	if (status == HTTP_OK)
		status = server->find(server->ctx, &request, content);
	shows = status == HTTP_OK;
	connection->length = (size_t)snprintf(
		connection->bytes, HEAD_MAX,
		"HTTP/1.1 %d %s\r\nContent-Length: %llu\r\n%s%s%sConnection: close\r\n"
		"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
		"X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n"
		"Cross-Origin-Resource-Policy: same-origin\r\n%s\r\n",
		(int)status, http_reason(status), shows ? (unsigned long long)content->length : 0,
		shows ? "Content-Type: " : "", shows ? content->type : "", shows ? "\r\n" : "",
		status == HTTP_METHOD_NOT_ALLOWED ? "Allow: GET, HEAD\r\n" : "");
	connection->answers = true;
	connection->at = 0;
	if (!shows || request.head)
		content->length = 0;
}

/* Reads what there is of a request. */
static void receive(const struct server *server, struct server_connection *connection)
{
	size_t room = sizeof(connection->bytes) - connection->length;
	ssize_t count = read(connection->fd, connection->bytes + connection->length, room);

	if (count <= 0) {
		if (!count || (errno != EAGAIN && errno != EINTR))
			hang_up(connection);
		return;
	}
	connection->length += (size_t)count;
	if (http_head_length(connection->bytes, connection->length))
		answer(server, connection, HTTP_OK);
	else if (connection->length == sizeof(connection->bytes))
		answer(server, connection, HTTP_TOO_LARGE);
}

/* Sends as much as fits, first of the head, then of the content. */
static void deliver(struct server_connection *connection)
{
	static char piece[PIECE];
	ssize_t count;

	if (connection->sent < connection->length) {
		count = write(connection->fd, connection->bytes + connection->sent,
			      connection->length - connection->sent);
		connection->sent += count > 0 ? (size_t)count : 0;
	} else {
		count = pread(connection->content.fd, piece, sizeof(piece), (off_t)connection->at);
		if (count > 0)
			count = write(connection->fd, piece, (size_t)count);
		connection->at += count > 0 ? (size_t)count : 0;
	}
	if (count < 0 && errno != EAGAIN && errno != EINTR)
		hang_up(connection);
	else if (connection->sent == connection->length &&
		 connection->at >= connection->content.length)
		hang_up(connection);
}

/* A free place, or that of the one which has been silent for longest. */
static struct server_connection *place_of(struct server *server)
{
	struct server_connection *oldest = &server->connections[0];

	for (int i = 0; i < SERVER_CONNECTIONS_MAX; i++) {
		struct server_connection *connection = &server->connections[i];

		if (connection->fd < 0)
			return connection;
		if (connection->ts < oldest->ts)
			oldest = connection;
	}
	hang_up(oldest);
	return oldest;
}

static void welcome(struct server *server, uint64_t now)
{
	int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct server_connection *place;

	if (fd < 0)
		return;
	place = place_of(server);
	place->fd = fd;
	place->ts = now;
	place->answers = false;
	place->length = place->sent = 0;
}

/* ── a step ──────────────────────────────────────────────────────────────────────────────────── */

int server_begin(struct server *server)
{
	server->connections = calloc(SERVER_CONNECTIONS_MAX, sizeof(*server->connections));
	if (!server->connections)
		return -ENOMEM;
	for (int i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		server->connections[i].fd = server->connections[i].content.fd = -1;
	return 0;
}

void server_done(struct server *server)
{
	for (int i = 0; server->connections && i < SERVER_CONNECTIONS_MAX; i++)
		hang_up(&server->connections[i]);
	free(server->connections);
	server->connections = NULL;
}

static void serve_one(const struct server *server, struct server_connection *connection,
		      uint64_t now)
{
	connection->ts = now;
	if (connection->answers)
		deliver(connection);
	else
		receive(server, connection);
}

int server_step(struct server *server, int timeout_ms, const sigset_t *open)
{
	struct pollfd list[1 + SERVER_CONNECTIONS_MAX] = {
		{.fd = server->listener, .events = POLLIN}};
	const struct timespec timeout = {.tv_sec = timeout_ms / 1000,
					 .tv_nsec = timeout_ms % 1000 * 1000000L};
	uint64_t now;
	int ready;

	for (int i = 0; i < SERVER_CONNECTIONS_MAX; i++)
		list[1 + i] = (struct pollfd){.fd = server->connections[i].fd,
					      .events = server->connections[i].answers ? POLLOUT
										       : POLLIN};
	ready = ppoll(list, 1 + SERVER_CONNECTIONS_MAX, &timeout, open);
	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	now = clock_now_ns();
	for (int i = 0; i < SERVER_CONNECTIONS_MAX; i++) {
		struct server_connection *connection = &server->connections[i];

		if (connection->fd >= 0 && list[1 + i].revents)
			serve_one(server, connection, now);
		else if (connection->fd >= 0 && now - connection->ts > IDLE_NS)
			hang_up(connection);
	}
	if (list[0].revents)
		welcome(server, now);
	return ready;
}
