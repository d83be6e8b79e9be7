/* SPDX-License-Identifier: MIT */
#include "cmd/files/fetch.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

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

static void print_scp(const struct ssh_server *server, const char *path)
{
	const char *user = getenv("SUDO_USER");
	char place[PATH_MAX];

	if (!user || !is_plain(user))
		user = getenv("USER");
	if (!realpath(path, place) || !is_plain(place))
		snprintf(place, sizeof(place), "FILE");
	fprintf(stderr, "gilscope: to open it on your own machine, run there: scp ");
	if (server->port != 22)
		fprintf(stderr, "-P %u ", server->port);
	fprintf(stderr, "%s%s%s%s%s:%s .\n", user && is_plain(user) ? user : "",
		user && is_plain(user) ? "@" : "", server->v6 ? "'[" : "", server->address,
		server->v6 ? "]'" : "", place);
}

void fetch_print(const char *path, uint64_t bytes)
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
}
