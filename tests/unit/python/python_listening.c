/* SPDX-License-Identifier: MIT */
/* Listening ports, tested on this process's own, and servers by their command lines. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "python/process/listening.h"
#include "python/process/pythons.h"

static uint16_t open_port(int family, int *ret_fd, bool listens)
{
	struct sockaddr_in6 address = {.sin6_family = (sa_family_t)family};
	socklen_t length = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(address);

	*ret_fd = socket(family, SOCK_STREAM, 0);
	assert_return_code(bind(*ret_fd, (struct sockaddr *)&address, length), 0);
	if (listens)
		assert_return_code(listen(*ret_fd, 1), 0);
	getsockname(*ret_fd, (struct sockaddr *)&address, &length);
	return ntohs(address.sin6_port); /* at the same place in both */
}

static struct listening_ports read_ports(void)
{
	struct listening_ports ports;

	assert_return_code(listening_ports_read(getpid(), &ports), 0);
	return ports;
}

static void only_sockets_that_listen_count(void **state)
{
	int quiet, four, six, again;
	uint16_t one, two;

	assert_int_equal(read_ports().count, 0);
	open_port(AF_INET, &quiet, false);
	assert_int_equal(read_ports().count, 0);
	one = open_port(AF_INET, &four, true);
	again = dup(four);
	assert_int_equal(read_ports().count, 1);
	assert_int_equal(read_ports().list[0], one);
	two = open_port(AF_INET6, &six, true);
	assert_int_equal(read_ports().count, 2);
	assert_int_equal(read_ports().list[0], one < two ? one : two);
	assert_int_equal(read_ports().list[1], one < two ? two : one);
	close(quiet);
	close(four);
	close(six);
	close(again);
	assert_int_equal(read_ports().count, 0);
}

static void the_lowest_are_kept_when_there_are_many(void **state)
{
	int fds[LISTENING_PORTS_MAX + 4];
	struct listening_ports ports;

	for (int i = 0; i < LISTENING_PORTS_MAX + 4; i++)
		open_port(AF_INET, &fds[i], true);
	ports = read_ports();
	assert_int_equal(ports.count, LISTENING_PORTS_MAX);
	for (uint32_t i = 1; i < ports.count; i++)
		assert_true(ports.list[i - 1] < ports.list[i]);
	for (int i = 0; i < LISTENING_PORTS_MAX + 4; i++)
		close(fds[i]);
}

static void a_server_is_known_by_its_command_line(void **state)
{
	static const char *const cases[][2] = {
		{"/usr/bin/python3 -m uvicorn app:app", "uvicorn"},
		{"/opt/venv/bin/python /opt/venv/bin/gunicorn -w 4 app:app", "gunicorn"},
		{"gunicorn: worker [app:app]", "gunicorn"},
		{"python manage.py runserver", "manage.py"},
		{"python3 uvicorn_like.py", NULL},
		{"python3 my-uvicorn", NULL},
		{"python3 -c import x a b c d e uvicorn", NULL},
		{"", NULL},
		{"   ", NULL},
		{"/", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *server = pythons_server(cases[i][0]);

		if (cases[i][1])
			assert_string_equal(server, cases[i][1]);
		else
			assert_null(server);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_sockets_that_listen_count),
		cmocka_unit_test(the_lowest_are_kept_when_there_are_many),
		cmocka_unit_test(a_server_is_known_by_its_command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
