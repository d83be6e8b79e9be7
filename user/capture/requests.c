/* SPDX-License-Identifier: MIT */
#include "capture/requests.h"

#include <string.h>

static bool is_keyed(enum request_kind kind)
{
	return kind == REQUEST_EPOLL || kind == REQUEST_LOOP;
}

static bool answers(const struct request *request, const struct request *other)
{
	if (request->tracee != other->tracee)
		return false;
	if (request->kind == REQUEST_GONE)
		return true;
	if (request->kind == REQUEST_SNAPSHOT &&
	    (is_keyed(other->kind) || other->kind == REQUEST_LOCKS))
		return true;
	return request->kind == other->kind && request->key == other->key;
}

static void remove_at(struct requests *requests, uint32_t place)
{
	struct request *list = requests->list;

	requests->keyed -= is_keyed(list[place].kind);
	requests->count--;
	memmove(&list[place], &list[place + 1], (requests->count - place) * sizeof(*list));
}

static void insert_at(struct requests *requests, uint32_t place, const struct request *request)
{
	struct request *list = requests->list;

	memmove(&list[place + 1], &list[place], (requests->count - place) * sizeof(*list));
	list[place] = *request;
	requests->keyed += is_keyed(request->kind);
	requests->count++;
}

void requests_put(struct requests *requests, const struct request *request)
{
	struct request snapshot = {.tracee = request->tracee, .kind = REQUEST_SNAPSHOT};
	uint32_t place;

	for (uint32_t i = 0; i < requests->count; i++)
		if (answers(&requests->list[i], request))
			return;
	if (is_keyed(request->kind) && requests->keyed >= REQUESTS_MAX)
		request = &snapshot;
	place = requests->count;
	for (uint32_t i = requests->count; i-- > 0;) {
		if (!answers(request, &requests->list[i]))
			continue;
		remove_at(requests, i);
		place = i;
	}
	insert_at(requests, place, request);
}

bool requests_take(struct requests *requests, uint64_t now, struct request *ret_request)
{
	for (uint32_t i = 0; i < requests->count; i++) {
		if (requests->list[i].due > now)
			continue;
		*ret_request = requests->list[i];
		remove_at(requests, i);
		return true;
	}
	return false;
}

bool requests_cancel(struct requests *requests, const struct tracee *tracee, enum request_kind kind)
{
	for (uint32_t i = 0; i < requests->count; i++) {
		if (requests->list[i].tracee != tracee || requests->list[i].kind != kind)
			continue;
		remove_at(requests, i);
		return true;
	}
	return false;
}

void requests_drop_epfd(struct requests *requests, const struct tracee *tracee, uint32_t epfd)
{
	for (uint32_t i = requests->count; i-- > 0;)
		if (requests->list[i].tracee == tracee && is_keyed(requests->list[i].kind) &&
		    (uint32_t)requests->list[i].key == epfd)
			remove_at(requests, i);
}
