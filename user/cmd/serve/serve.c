/* SPDX-License-Identifier: MIT */
#include "cmd/serve/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/http/http.h"
#include "base/interrupt.h"
#include "cmd/files/fetch.h"
#include "cmd/pipeline/confine.h"

enum { CONNECTIONS_MAX = 16, REQUEST_MAX = 8192, HEAD_MAX = 512, PIECE = 65536 };
#define IDLE_NS (10 * NS_PER_S) /* without a byte in either direction */

struct connection {
	int fd; /* -1: none */
	uint64_t ts;
	bool answers;
	char bytes[REQUEST_MAX]; /* the request, then the answer's head */
	size_t length, sent;	 /* of `bytes` */
	off_t at, end;		 /* of the page */
};

struct server {
	struct serve *serve;
	off_t page_bytes;
	struct connection connections[CONNECTIONS_MAX];
};

/* ── beginning ───────────────────────────────────────────────────────────── */

static int make_path(char path[static 2 * SERVE_TOKEN_BYTES + 3])
{
	unsigned char token[SERVE_TOKEN_BYTES];

	if (getrandom(token, sizeof(token), 0) != sizeof(token))
		return -EIO;
	path[0] = '/';
	for (size_t i = 0; i < sizeof(token); i++)
		sprintf(path + 1 + 2 * i, "%02x", token[i]);
	strcat(path, "/");
	return 0;
}

static int listen_on(struct serve *serve, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons(port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int yes = 1;

	serve->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* a port that was just used can be used again, as the ssh command of the last time says */
	if (serve->listener < 0 ||
	    setsockopt(serve->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(serve->listener, (struct sockaddr *)&address, size) ||
	    listen(serve->listener, CONNECTIONS_MAX) ||
	    getsockname(serve->listener, (struct sockaddr *)&address, &size))
		return -errno;
	serve->port = ntohs(address.sin_port);
	return 0;
}

int serve_begin(struct serve *serve, uint16_t port, struct diag *diag)
{
	int memory, err;

	*serve = (struct serve){.listener = -1};
	err = listen_on(serve, port);
	if (err) {
		diag_set(diag, EXIT_FAILED, err, "cannot listen on 127.0.0.1:%u: %s", port,
			 strerror(-err));
		diag_hint(diag, "choose another port, or --serve alone for a free one");
		return err;
	}
	confine_accept(serve->listener);
	err = make_path(serve->path);
	memory = err ? -1 : memfd_create("page", MFD_CLOEXEC);
	if (memory >= 0)
		serve->page = fdopen(memory, "w");
	return serve->page ? 0
			   : diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory for the page: %s",
				      strerror(errno));
}

void serve_done(struct serve *serve)
{
	if (serve->listener >= 0)
		close(serve->listener);
	if (serve->page)
		fclose(serve->page);
	*serve = (struct serve){.listener = -1};
}

/* ── answering ───────────────────────────────────────────────────────────── */

static void hang_up(struct connection *connection)
{
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
}

/* In a time that does not depend on how much of it is right. */
static bool is_path(const struct serve *serve, const struct http_request *request)
{
	unsigned char difference = 0;

	if (request->path_length != strlen(serve->path))
		return false;
	for (size_t i = 0; i < request->path_length; i++)
		difference |= (unsigned char)(request->path[i] ^ serve->path[i]);
	return !difference;
}

static void answer(const struct server *server, struct connection *connection,
		   enum http_status status)
{
	struct http_request request = {0};
	bool shows;

	if (status == HTTP_OK)
		status = http_read(connection->bytes, connection->length, &request);
	if (status == HTTP_OK && !is_path(server->serve, &request))
		status = HTTP_NOT_FOUND;
	shows = status == HTTP_OK;
	connection->length = (size_t)snprintf(
		connection->bytes, HEAD_MAX,
		"HTTP/1.1 %d %s\r\nContent-Length: %lld\r\n%s%sConnection: close\r\n"
		"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
		"X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n"
		"Cross-Origin-Resource-Policy: same-origin\r\n\r\n",
		(int)status, http_reason(status), shows ? (long long)server->page_bytes : 0LL,
		shows ? "Content-Type: text/html; charset=utf-8\r\n" : "",
		status == HTTP_METHOD_NOT_ALLOWED ? "Allow: GET, HEAD\r\n" : "");
	connection->answers = true;
	connection->end = shows && !request.head ? server->page_bytes : 0;
}

/* Reads what there is of a request. */
static void receive(const struct server *server, struct connection *connection)
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

/* Sends as much as fits, first of the head, then of the page. */
static void deliver(const struct server *server, struct connection *connection)
{
	static char piece[PIECE];
	ssize_t count;

	if (connection->sent < connection->length) {
		count = write(connection->fd, connection->bytes + connection->sent,
			      connection->length - connection->sent);
		connection->sent += count > 0 ? (size_t)count : 0;
	} else {
		count = pread(fileno(server->serve->page), piece, sizeof(piece), connection->at);
		if (count > 0)
			count = write(connection->fd, piece, (size_t)count);
		connection->at += count > 0 ? count : 0;
	}
	if (count < 0 && errno != EAGAIN && errno != EINTR)
		hang_up(connection);
	else if (connection->sent == connection->length && connection->at >= connection->end)
		hang_up(connection);
}

/* A free place, or that of the one which has been silent for longest. */
static struct connection *place_of(struct server *server)
{
	struct connection *oldest = &server->connections[0];

	for (int i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *connection = &server->connections[i];

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
	int fd = accept4(server->serve->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct connection *place;

	if (fd < 0)
		return;
	place = place_of(server);
	place->fd = fd;
	place->ts = now;
	place->answers = false;
	place->length = place->sent = 0;
	place->at = place->end = 0;
}

/* ── the loop ────────────────────────────────────────────────────────────── */

static void on_signal(int number)
{
	interrupt_raise();
}

/* Blocks the signals that end it, which then arrive in ppoll() only. Returns the mask for that. */
static sigset_t catch_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal}, before;
	sigset_t held, open;

	sigemptyset(&held);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (!sigaction(numbers[i], NULL, &before) && before.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
		sigaddset(&held, numbers[i]);
	}
	sigprocmask(SIG_BLOCK, &held, &open);
	signal(SIGPIPE, SIG_IGN);
	return open;
}

static void serve_one(struct server *server, struct connection *connection, uint64_t now)
{
	connection->ts = now;
	if (connection->answers)
		deliver(server, connection);
	else
		receive(server, connection);
}

/* Waits for a second at most, and serves who is ready. 0 or -errno. */
static int serve_step(struct server *server, const sigset_t *open)
{
	struct pollfd list[1 + CONNECTIONS_MAX] = {
		{.fd = server->serve->listener, .events = POLLIN}};
	uint64_t now;

	for (int i = 0; i < CONNECTIONS_MAX; i++)
		list[1 + i] = (struct pollfd){.fd = server->connections[i].fd,
					      .events = server->connections[i].answers ? POLLOUT
										       : POLLIN};
	if (ppoll(list, 1 + CONNECTIONS_MAX, &(struct timespec){.tv_sec = 1}, open) < 0)
		return errno == EINTR ? 0 : -errno;
	now = clock_now_ns();
	for (int i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *connection = &server->connections[i];

		if (connection->fd >= 0 && list[1 + i].revents)
			serve_one(server, connection, now);
		else if (connection->fd >= 0 && now - connection->ts > IDLE_NS)
			hang_up(connection);
	}
	if (list[0].revents)
		welcome(server, now);
	return 0;
}

int serve_run(struct serve *serve, struct diag *diag)
{
	static struct server server;
	sigset_t open = catch_signals();
	struct stat page;
	int err = fflush(serve->page) || fstat(fileno(serve->page), &page) ? -errno : 0;

	server.serve = serve;
	server.page_bytes = err ? 0 : page.st_size;
	for (int i = 0; i < CONNECTIONS_MAX; i++)
		server.connections[i].fd = -1;
	if (!err)
		fetch_print_served(serve->port, serve->path);
	while (!err && !interrupted())
		err = serve_step(&server, &open);
	for (int i = 0; i < CONNECTIONS_MAX; i++)
		hang_up(&server.connections[i]);
	return err ? diag_set(diag, EXIT_FAILED, err, "cannot show the page: %s", strerror(-err))
		   : 0;
}
