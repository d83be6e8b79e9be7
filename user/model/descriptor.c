/* SPDX-License-Identifier: MIT */
/* descriptor.c - epoll descriptors: which belong to loops, and which threads wait on them or run
 * their loops. */
#include "model/private.h"

#include <errno.h>
#include <stdlib.h>

struct descriptor *descriptor_find(const struct process_entry *process, uint32_t epfd)
{
	struct descriptor *d;

	HASH_FIND(hh, process->descriptors, &epfd, sizeof(epfd), d);
	return d;
}

int descriptor_get(struct world *w, struct process_entry *process, uint32_t epfd,
		   struct descriptor **ret_descriptor)
{
	struct descriptor *d = *ret_descriptor = descriptor_find(process, epfd);

	if (d)
		return 0;
	if (w->descriptor_count >= WORLD_DESCRIPTORS_MAX) {
		w->full = "descriptors of event loops";
		w->limit = WORLD_DESCRIPTORS_MAX;
		return -ENOSPC;
	}
	if (!(d = calloc(1, sizeof(*d))))
		return -ENOMEM;
	d->epfd = epfd;
	d->number = ++w->descriptor_number;
	HASH_ADD(hh, process->descriptors, epfd, sizeof(d->epfd), d);
	if (HASH_FAILED(d)) {
		free(d);
		return -ENOMEM;
	}
	w->descriptor_count++;
	*ret_descriptor = d;
	return 0;
}

void descriptor_free(struct world *w, struct process_entry *process, struct descriptor *d)
{
	HASH_DEL(process->descriptors, d);
	free(d);
	w->descriptor_count--;
}

void loop_unwait(struct world *w, struct thread_machine *t)
{
	struct process_entry *process = process_of(t);
	struct descriptor *d = t->waited;

	t->waited = NULL;
	if (!d)
		return;
	DL_DELETE2(d->waited, t, prev_waited, next_waited);
	if (d->waited || d->declared)
		return;
	descriptor_free(w, process, d);
}

void loop_own(struct thread_machine *t, struct descriptor *d)
{
	if (t->own)
		DL_DELETE2(t->own->running, t, prev_running, next_running);
	t->own = d;
	if (d)
		DL_PREPEND2(d->running, t, prev_running, next_running);
}

void loop_unlist(struct world *w, struct thread_machine *t)
{
	loop_own(t, NULL);
	loop_unwait(w, t);
}

int descriptor_wait(struct world *w, struct thread_machine *t, uint32_t epfd, uint64_t ts)
{
	struct descriptor *d;
	int err;

	if (t->waited && t->waited->epfd == epfd)
		return 0;
	loop_unwait(w, t);
	err = descriptor_get(w, process_of(t), epfd, &d);
	if (err < 0)
		return err;
	DL_PREPEND2(d->waited, t, prev_waited, next_waited);
	t->waited = d;
	t->ts_waited = ts;
	return 0;
}
