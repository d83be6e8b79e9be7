/* SPDX-License-Identifier: MIT */
/*
 * http.h - the head of an HTTP request from the local machine, which may be hostile: a page in the
 * user's own browser can send requests to any port of it.
 */
#ifndef GILSCOPE_BASE_HTTP_HTTP_H
#define GILSCOPE_BASE_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>

enum http_status {
	HTTP_OK = 200,
	HTTP_BAD_REQUEST = 400,
	HTTP_FORBIDDEN = 403, /* for another host: by DNS rebinding a foreign page could read us */
	HTTP_NOT_FOUND = 404,
	HTTP_METHOD_NOT_ALLOWED = 405, /* neither GET nor HEAD */
	HTTP_TOO_LARGE = 431,
	HTTP_UNAVAILABLE = 503,
};

struct http_request {
	bool head;	  /* HEAD: no body is wanted */
	const char *path; /* points into the bytes; without a query */
	size_t path_length;
	const char *accept; /* of the header of that name, likewise; NULL: there is none */
	size_t accept_length;
};

/* The length of the head including its empty line; 0: it is not complete. */
size_t http_head_length(const char *bytes, size_t length);

/*
 * Reads a complete head. HTTP_OK, or why it is refused. The host must be 127.0.0.1, localhost or
 * [::1], with any port: ssh -L and containers change ports.
 */
enum http_status http_read(const char *bytes, size_t length, struct http_request *ret_request);

/* "Not Found" */
const char *http_reason(enum http_status status);

#endif
