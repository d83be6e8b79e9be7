/* SPDX-License-Identifier: MIT */
#include "base/http/http.h"

#include <string.h>
#include <strings.h>

struct text {
	const char *bytes;
	size_t length;
};

size_t http_head_length(const char *bytes, size_t length)
{
	const char *end = memmem(bytes, length, "\r\n\r\n", 4);

	return end ? (size_t)(end - bytes) + 4 : 0;
}

static bool is(struct text text, const char *word)
{
	return text.length == strlen(word) && !strncasecmp(text.bytes, word, text.length);
}

/* Takes what is before the separator, and removes both. */
static bool take(struct text *from, const char *separator, struct text *ret_taken)
{
	size_t width = strlen(separator);
	const char *at = memmem(from->bytes, from->length, separator, width);

	if (!at)
		return false;
	*ret_taken = (struct text){from->bytes, (size_t)(at - from->bytes)};
	from->bytes = at + width;
	from->length -= ret_taken->length + width;
	return true;
}

static struct text trimmed(struct text text)
{
	while (text.length && strchr(" \t", text.bytes[0]) && text.bytes[0]) {
		text.bytes++;
		text.length--;
	}
	while (text.length && strchr(" \t", text.bytes[text.length - 1]) &&
	       text.bytes[text.length - 1])
		text.length--;
	return text;
}

static bool is_local(struct text host)
{
	struct text name = host;

	if (host.length && host.bytes[host.length - 1] != ']') {
		const char *colon = memrchr(host.bytes, ':', host.length);

		for (const char *at = colon ? colon + 1 : NULL; at && at < host.bytes + host.length;
		     at++)
			if (*at < '0' || *at > '9')
				return false;
		if (colon)
			name.length = (size_t)(colon - host.bytes);
	}
	return is(name, "127.0.0.1") || is(name, "localhost") || is(name, "[::1]");
}

/* Exactly one of the header's lines names the host. */
static enum http_status read_headers(struct text headers, struct http_request *request)
{
	enum http_status status = HTTP_BAD_REQUEST;
	struct text line, name;

	while (take(&headers, "\r\n", &line) && line.length) {
		if (!take(&line, ":", &name))
			return HTTP_BAD_REQUEST;
		if (is(name, "accept")) {
			line = trimmed(line);
			request->accept = line.bytes;
			request->accept_length = line.length;
		}
		if (!is(name, "host"))
			continue;
		if (status != HTTP_BAD_REQUEST)
			return HTTP_BAD_REQUEST;
		status = is_local(trimmed(line)) ? HTTP_OK : HTTP_FORBIDDEN;
	}
	return status;
}

enum http_status http_read(const char *bytes, size_t length, struct http_request *ret_request)
{
	struct text rest = {bytes, length}, line, method, target, path;
	struct http_request request = {0};
	enum http_status status;

	if (!take(&rest, "\r\n", &line) || !take(&line, " ", &method) ||
	    !take(&line, " ", &target) || !target.length || target.bytes[0] != '/' ||
	    (!is(line, "HTTP/1.1") && !is(line, "HTTP/1.0")))
		return HTTP_BAD_REQUEST;
	status = read_headers(rest, &request);
	if (status != HTTP_OK)
		return status;
	if (!is(method, "GET") && !is(method, "HEAD"))
		return HTTP_METHOD_NOT_ALLOWED;
	path = target;
	take(&target, "?", &path);
	request.head = is(method, "HEAD");
	request.path = path.bytes;
	request.path_length = path.length;
	*ret_request = request;
	return HTTP_OK;
}

const char *http_reason(enum http_status status)
{
	switch (status) {
	case HTTP_OK:
		return "OK";
	case HTTP_BAD_REQUEST:
		return "Bad Request";
	case HTTP_FORBIDDEN:
		return "Forbidden";
	case HTTP_NOT_FOUND:
		return "Not Found";
	case HTTP_METHOD_NOT_ALLOWED:
		return "Method Not Allowed";
	case HTTP_TOO_LARGE:
		return "Request Header Fields Too Large";
	case HTTP_UNAVAILABLE:
		return "Service Unavailable";
	}
	return "";
}
