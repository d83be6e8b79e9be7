/* SPDX-License-Identifier: MIT */
/* Descriptions of descriptors, tested on this process's own, which are known. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "python/process/pages.h"
#include "python/process/sleep.h"

static struct sleep_file file_of(int fd)
{
	struct sleep_file file;

	pages_allow(PAGES_ALLOW_NS);
	sleep_file_of(getpid(), (uint32_t)fd, &file);
	return file;
}

static void a_pipe_and_what_is_no_file(void **state)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(file_of(ends[0]).type, S_IFIFO);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(file_of(ends[0]).type, 0);
	assert_int_equal(file_of(open("/proc/self/exe", O_RDONLY)).type,
			 0); /* may be of any kind */
}

static void the_peer_of_a_connection(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof(at);
	int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	struct sleep_file file;

	assert_int_equal(bind(server, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(server, 1), 0);
	assert_int_equal(getsockname(server, (struct sockaddr *)&at, &length), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	file = file_of(client);
	assert_int_equal(file.type, S_IFSOCK);
	assert_int_equal(file.family, AF_INET);
	assert_int_equal(file.socket_type, SOCK_STREAM);
	assert_int_equal(file.port, at.sin_port);
	assert_memory_equal(file.address, &at.sin_addr, sizeof(at.sin_addr));
	assert_int_equal(file_of(server).port, 0); /* it listens, so it has no peer */
	close(client);
	close(server);
}

static void the_peer_of_a_connection_of_ipv6(void **state)
{
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	socklen_t length = sizeof(at);
	int server = socket(AF_INET6, SOCK_DGRAM, 0), client = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sleep_file file;

	if (server < 0 || bind(server, (struct sockaddr *)&at, sizeof(at)))
		skip(); /* not supported on this machine */
	assert_int_equal(getsockname(server, (struct sockaddr *)&at, &length), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	file = file_of(client);
	assert_int_equal(file.family, AF_INET6);
	assert_int_equal(file.socket_type, SOCK_DGRAM);
	assert_int_equal(file.port, at.sin6_port);
	assert_memory_equal(file.address, &at.sin6_addr, sizeof(at.sin6_addr));
	close(client);
	close(server);
}

static void a_socket_that_is_in_no_table(void **state)
{
	int ends[2];
	struct sleep_file file;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	file = file_of(ends[0]);
	assert_int_equal(file.type, S_IFSOCK);
	assert_int_equal(file.family, AF_UNSPEC);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pipe_and_what_is_no_file),
		cmocka_unit_test(the_peer_of_a_connection),
		cmocka_unit_test(the_peer_of_a_connection_of_ipv6),
		cmocka_unit_test(a_socket_that_is_in_no_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
