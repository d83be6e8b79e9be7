/* SPDX-License-Identifier: MIT */
#include "cmd/serve/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "cmd/files/fetch.h"
#include "cmd/pipeline/confine.h"
#include "cmd/serve/server.h"

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

int serve_begin(struct serve *serve, uint16_t port, struct diag *diag)
{
	int memory, err;

	*serve = (struct serve){.listener = -1};
	serve->port = port;
	serve->listener = server_listen_port(&serve->port);
	if (serve->listener < 0) {
		err = serve->listener;
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

static enum http_status find_page(void *ctx, const struct http_request *request,
				  struct server_content *ret_content)
{
	const struct serve *serve = ctx;
	struct stat page;
	int fd;

	if (!is_path(serve, request))
		return HTTP_NOT_FOUND;
	if (fstat(fileno(serve->page), &page))
		return HTTP_UNAVAILABLE;
	fd = fcntl(fileno(serve->page), F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return HTTP_UNAVAILABLE;
	*ret_content = (struct server_content){
		.fd = fd, .length = (uint64_t)page.st_size, .type = "text/html; charset=utf-8"};
	return HTTP_OK;
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

int serve_run(struct serve *serve, struct diag *diag)
{
	struct server server = {.listener = serve->listener, .find = find_page, .ctx = serve};
	sigset_t open = catch_signals();
	int err = fflush(serve->page) ? -errno : server_begin(&server);

	if (!err)
		fetch_print_served(serve->port, serve->path);
	while (err >= 0 && !interrupted())
		err = server_step(&server, 1000, &open);
	server_done(&server);
	return err < 0 ? diag_set(diag, EXIT_FAILED, err, "cannot show the page: %s",
				  strerror(-err))
		       : 0;
}
