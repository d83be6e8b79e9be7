/* SPDX-License-Identifier: MIT */
#include "cmd/files/fetch.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

#define LOGIN_MAX 256

/* The address and port that the ssh server was reached at: the third and fourth word of
 * SSH_CONNECTION (ssh(1)). It is printed, so it must be an address. */
struct ssh_server {
	char address[INET6_ADDRSTRLEN];
	unsigned int port;
	bool v6;
};

static bool ssh_read(struct ssh_server *ret_server)
{
	const char *connection = getenv("SSH_CONNECTION");
	unsigned char bytes[16];

	if (!connection ||
	    sscanf(connection, "%*s %*s %45s %5u", ret_server->address, &ret_server->port) != 2)
		return false;
	ret_server->v6 = inet_pton(AF_INET6, ret_server->address, bytes) == 1;
	return ret_server->v6 || inet_pton(AF_INET, ret_server->address, bytes) == 1;
}

/* Letters that neither a shell nor scp treats specially. */
static bool is_plain(const char *text)
{
	return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					   "0123456789/._-+@,=")];
}

/* "USER@", or nothing if that is not known. */
static const char *login_of(char to[static LOGIN_MAX])
{
	const char *user = getenv("SUDO_USER");

	if (!user || !is_plain(user))
		user = getenv("USER");
	snprintf(to, LOGIN_MAX, user && is_plain(user) ? "%.254s@" : "", user);
	return to;
}

static void print_scp(const struct ssh_server *server, const char *path)
{
	char place[PATH_MAX], login[LOGIN_MAX];

	if (!realpath(path, place) || !is_plain(place))
		snprintf(place, sizeof(place), "FILE");
	fprintf(stderr, "gilscope: to open it on your own machine, run there: scp ");
	if (server->port != 22)
		fprintf(stderr, "-P %u ", server->port);
	fprintf(stderr, "%s%s%s%s:%s .\n", login_of(login), server->v6 ? "'[" : "", server->address,
		server->v6 ? "]'" : "", place);
}

void fetch_print(const char *path, uint64_t bytes, const char *serve)
{
	struct ssh_server server = {0};
	bool remote = ssh_read(&server);
	char size[SIZE_TEXT_MAX];

	fprintf(stderr, "gilscope: wrote %s", path);
	if (bytes)
		fprintf(stderr, " (%s)", size_text(bytes, size));
	fprintf(stderr, remote ? ".\n" : "; open it in a browser (xdg-open %s).\n", path);
	if (remote)
		print_scp(&server, path);
	if (remote && serve)
		fprintf(stderr, "gilscope: or leave it here, and look at it through ssh: %s\n",
			serve);
}

void fetch_print_served(uint16_t port, const char *path)
{
	struct ssh_server server = {0};
	char login[LOGIN_MAX];

	fprintf(stderr, "gilscope: the page is at http://127.0.0.1:%u%s until Ctrl-C.\n", port,
		path);
	if (!ssh_read(&server))
		return;
	fprintf(stderr,
		"gilscope: to open it on your own machine, run there, and leave running: "
		"ssh -N -L %u:127.0.0.1:%u ",
		port, port);
	if (server.port != 22)
		fprintf(stderr, "-p %u ", server.port);
	fprintf(stderr, "%s%s\n", login_of(login), server.address);
}
