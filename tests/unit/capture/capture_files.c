/* SPDX-License-Identifier: MIT */
/* The description of a sleeping thread's descriptor. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "capture/private.h"

static const char *text_of(struct shared_file file)
{
	static char text[128];

	capture_file_text(&file, text, sizeof(text));
	return text;
}

static struct shared_file file_called(uint32_t mode, uint32_t device, const char *name)
{
	struct shared_file file = {.mode = mode, .device = device};

	strncpy(file.name, name, sizeof(file.name) - 1);
	return file;
}

static struct shared_file peer(uint16_t family, uint16_t type, const char *address, uint16_t port)
{
	struct shared_file file = {
		.mode = S_IFSOCK | 0777, .family = family, .type = type, .port = htons(port)};

	if (address)
		assert_int_equal(inet_pton(family, address, file.address), 1);
	return file;
}

static void files_have_a_kind_and_a_name(void **state)
{
	assert_string_equal(text_of(file_called(S_IFIFO | 0600, 0, "")), "pipe");
	assert_string_equal(text_of(file_called(S_IFREG | 0644, 0, "orders.db")), "file orders.db");
	assert_string_equal(text_of(file_called(S_IFCHR, 136 << 20 | 3, "3")), "tty pts/3");
	assert_string_equal(text_of(file_called(S_IFCHR, 4 << 20 | 64, "ttyS0")), "tty ttyS0");
	assert_string_equal(text_of(file_called(S_IFCHR, 10 << 20, "fuse")), "device fuse");
	assert_string_equal(text_of(file_called(S_IFBLK, 8 << 20, "sda")), "device sda");
	/* an eventfd */
	assert_string_equal(text_of(file_called(0600, 0, "[eventfd]")), "");
}

static void a_long_name_is_cut_where_that_can_be_seen(void **state)
{
	static const char name[] = "0123456789012345678901234567890123456789x";
	char whole[sizeof(name)];

	memcpy(whole, name, sizeof(name));
	whole[40] = '\0';
	assert_string_equal(text_of(file_called(S_IFREG, 0, name)),
			    "file 0123456789012345678901234567890123456789…");
	assert_string_equal(text_of(file_called(S_IFREG, 0, whole)),
			    "file 0123456789012345678901234567890123456789");
}

static void sockets_have_the_address_of_their_peer(void **state)
{
	assert_string_equal(text_of(peer(AF_INET, SOCK_STREAM, "10.0.0.5", 5432)),
			    "TCP 10.0.0.5:5432");
	assert_string_equal(text_of(peer(AF_INET6, SOCK_STREAM, "::1", 6379)), "TCP [::1]:6379");
	assert_string_equal(text_of(peer(AF_INET, SOCK_DGRAM, "127.0.0.53", 53)),
			    "UDP 127.0.0.53:53");
	/* not connected, or of another family */
	assert_string_equal(text_of(peer(AF_INET, SOCK_STREAM, NULL, 0)), "socket");
	assert_string_equal(text_of(peer(AF_NETLINK, SOCK_RAW, NULL, 0)), "socket");
	assert_string_equal(text_of(peer(AF_UNIX, SOCK_STREAM, NULL, 0)), "unix socket");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_have_a_kind_and_a_name),
		cmocka_unit_test(a_long_name_is_cut_where_that_can_be_seen),
		cmocka_unit_test(sockets_have_the_address_of_their_peer),
	};

	return cmocka_run_group_tests_name("capture_files", tests, NULL, NULL);
}
