/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/http/http.h"

/* Reads from memory of exactly this length, so that the sanitizer sees what is beyond it. */
static enum http_status read_exactly(const char *text, struct http_request *ret_request)
{
	size_t length = strlen(text);
	char *bytes = malloc(length ? length : 1);
	enum http_status status;

	memcpy(bytes, text, length);
	*ret_request = (struct http_request){0};
	status = http_read(bytes, length, ret_request);
	if (status == HTTP_OK)
		ret_request->path = text + (ret_request->path - bytes);
	free(bytes);
	return status;
}

#define LOCAL "Host: localhost\r\n\r\n"

static void requests(void **state)
{
	static const struct {
		const char *bytes;
		enum http_status status;
		const char *path;
	} cases[] = {
		{"GET / HTTP/1.1\r\n" LOCAL, HTTP_OK, "/"},
		{"GET /a/ HTTP/1.0\r\nAccept: *\r\nhOsT:127.0.0.1:8000 \r\n\r\n", HTTP_OK, "/a/"},
		{"GET /a?b=/c?d HTTP/1.1\r\nHost: [::1]:1\r\n\r\n", HTTP_OK, "/a"},
		{"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", HTTP_OK, "/"},
		{"POST / HTTP/1.1\r\n" LOCAL, HTTP_METHOD_NOT_ALLOWED, NULL},
		{"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", HTTP_FORBIDDEN, NULL},
		{"GET / HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n", HTTP_FORBIDDEN, NULL},
		{"GET / HTTP/1.1\r\nHost: localhost:80@evil\r\n\r\n", HTTP_FORBIDDEN, NULL},
		{"GET / HTTP/1.1\r\nHost: evil:localhost\r\n\r\n", HTTP_FORBIDDEN, NULL},
		{"GET / HTTP/1.1\r\nHost: 127.0.0.1.\r\n\r\n", HTTP_FORBIDDEN, NULL},
		{"GET / HTTP/1.1\r\nHost:\r\n\r\n", HTTP_FORBIDDEN, NULL},
		{"POST / HTTP/1.1\r\nHost: evil.example\r\n\r\n", HTTP_FORBIDDEN, NULL},
		{"GET / HTTP/1.1\r\n\r\n", HTTP_BAD_REQUEST, NULL},
		{"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", HTTP_BAD_REQUEST, NULL},
		{"GET / HTTP/1.1\r\nno colon\r\n" LOCAL, HTTP_BAD_REQUEST, NULL},
		{"GET http://localhost/ HTTP/1.1\r\n" LOCAL, HTTP_BAD_REQUEST, NULL},
		{"GET  HTTP/1.1\r\n" LOCAL, HTTP_BAD_REQUEST, NULL},
		{"GET / HTTP/2\r\n" LOCAL, HTTP_BAD_REQUEST, NULL},
		{"GET /\r\n" LOCAL, HTTP_BAD_REQUEST, NULL},
		{"\r\n\r\n", HTTP_BAD_REQUEST, NULL},
		{"", HTTP_BAD_REQUEST, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_request request;

		assert_int_equal(read_exactly(cases[i].bytes, &request), cases[i].status);
		assert_int_equal(request.path_length, cases[i].path ? strlen(cases[i].path) : 0);
		if (cases[i].path)
			assert_memory_equal(request.path, cases[i].path, request.path_length);
	}
}

static void head_has_no_body(void **state)
{
	struct http_request request;

	assert_int_equal(read_exactly("HEAD /x HTTP/1.1\r\n" LOCAL, &request), HTTP_OK);
	assert_true(request.head);
	assert_int_equal(read_exactly("GET /x HTTP/1.1\r\n" LOCAL, &request), HTTP_OK);
	assert_false(request.head);
}

static void the_head_ends_at_the_empty_line(void **state)
{
	static const char bytes[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\nmore";
	size_t head = sizeof(bytes) - sizeof("more");

	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(http_head_length(bytes, i), i < head ? 0 : head);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(requests),
					   cmocka_unit_test(head_has_no_body),
					   cmocka_unit_test(the_head_ends_at_the_empty_line)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
