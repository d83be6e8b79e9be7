/* SPDX-License-Identifier: MIT */
/* Arbitrary bytes as the head of a request. What is accepted has a path inside of it. */
#include <stdint.h>
#include <stdlib.h>

#include "base/http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	struct http_request request;

	if (http_head_length(bytes, size) > size)
		abort();
	if (http_read(bytes, size, &request) == HTTP_OK &&
	    (request.path < bytes || request.path + request.path_length > bytes + size ||
	     request.path[0] != '/'))
		abort();
	return 0;
}
