/* SPDX-License-Identifier: MIT */
/* registry.c - processes, names and GILs by number and address, also unknown ones; creating,
 * querying and freeing a world. */
#include "model/edges.h"
#include "model/loss.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* ── room ────────────────────────────────────────────────────────────────── */

int list_reserve_object(struct world *w, struct list *list, uint32_t limit, const char *what)
{
	if (list->count < limit)
		return list_reserve(list);
	w->full = what;
	w->limit = limit;
	return -ENOSPC;
}

/* In one event a thread or a GIL can end a hold, a wait and three turns at most. */
int world_reserve(struct world *w, uint32_t objects)
{
	uint32_t room = (w->object_count + objects) * 6 + 16;
	struct emission *grown;

	w->object_count += objects;
	if (room <= w->queue_room)
		return 0;
	grown = reallocarray(w->queue, (size_t)room * 2, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	w->queue = grown;
	w->queue_room = room * 2;
	return 0;
}

/* ── processes and names ─────────────────────────────────────────────────── */

struct process_entry *process_latest(const struct world *w, uint32_t pid)
{
	struct process_entry *process;

	HASH_FIND(hh, w->by_pid, &pid, sizeof(pid), process);
	return process;
}

struct process_entry *process_find(const struct world *w, uint32_t pid)
{
	struct process_entry *process = process_latest(w, pid);

	return process && !process->pub.gone ? process : NULL;
}

int process_get(struct world *w, uint32_t pid, struct process_entry **ret_process)
{
	struct process_entry *process, *old = process_latest(w, pid);
	int err;

	if (old && !old->pub.gone) {
		*ret_process = old;
		return 0;
	}
	err = list_reserve_object(w, &w->processes, WORLD_PROCESSES_MAX, "processes");
	if (err < 0)
		return err;
	if (!(process = calloc(1, sizeof(*process))))
		return -ENOMEM;
	process->pub.info.pid = pid;
	process->pub.info.gil_enabled = true; /* until the stream says otherwise */
	process->pub.index = w->processes.count;
	process->partial = mode_is_partial(w->mode);
	process->ts_evidence = UINT64_MAX;
	if (old)
		HASH_DEL(w->by_pid, old);
	HASH_ADD(hh, w->by_pid, pub.info.pid, sizeof(pid), process);
	if (HASH_FAILED(process)) {
		free(process);
		return -ENOMEM;
	}
	list_add(&w->processes, process);
	evidence_settle(w, process);
	*ret_process = process;
	return 0;
}

bool process_is_orphan(const struct process_entry *process)
{
	return process->pub.info.parent && !process->pub.parent && !process->parent_freed;
}

static void become_parent(struct process *parent, struct process *child)
{
	child->parent = parent;
	child->number = ++parent->of_parent;
}

/* Those that were described before it. Mostly there are none; hardly more than there are workers.
 */
static void adopt_orphans(struct world *w, struct process_entry *parent)
{
	for (uint32_t i = 0; i < w->processes.count && w->orphans; i++) {
		struct process_entry *child = process_at(w, i);

		if (!process_is_orphan(child) || child->pub.info.parent != parent->pub.info.pid ||
		    child == parent)
			continue;
		become_parent(&parent->pub, &child->pub);
		w->orphans--;
	}
}

void process_adopt(struct world *w, struct process_entry *process)
{
	struct process_entry *parent = process_latest(w, process->pub.info.parent);

	if (process->described)
		return;
	adopt_orphans(w, process);
	if (!process->pub.info.parent)
		return;
	if (parent && parent->described && parent != process)
		become_parent(&parent->pub, &process->pub);
	else
		w->orphans++;
}

int child_feed(struct world *w, const struct fact *fact)
{
	const struct ev_child *event = &fact->event->child;
	struct process_entry *process = fact->process;
	int err = process ? 0 : process_get(w, event->hdr.tid, &process);

	if (err)
		return err;
	process->pub.supervisor |= event->hdr.flags & EVF_CHILD_SUPERVISED;
	if (process->pub.child_count < SUPERVISED_MAX)
		process->pub.children[process->pub.child_count++] = (struct child){
			.pid = event->pid,
			.text = event->text,
			.loop = !(event->hdr.flags & EVF_CHILD_WORKER)};
	return 0;
}

/* Signals that end a process or tell it to end; others mostly tell it something else. */
static bool ends_process(uint16_t number)
{
	switch (number) {
	case SIGTERM:
	case SIGINT:
	case SIGHUP:
	case SIGQUIT:
	case SIGABRT:
	case SIGKILL:
	case SIGSEGV:
	case SIGBUS:
	case SIGILL:
	case SIGFPE:
		return true;
	default:
		return false;
	}
}

void signal_feed(struct world *w, const struct fact *fact)
{
	const struct ev_signal *event = &fact->event->signal;
	const char *comm = event->sender ? world_comm(w, event->sender) : NULL;
	struct process_entry *from = event->sender ? process_find(w, event->sender) : NULL;
	struct signal_sent *sent;

	if (!fact->process)
		return;
	sent = &fact->process->pub.sent;
	if (ends_process(sent->number) && !ends_process(event->hdr.aux))
		return; /* a timer, say, does not hide who asked it to end */
	*sent = (struct signal_sent){
		.ts = fact->ts, .number = event->hdr.aux, .sender = event->sender};
	sent->from = from ? &from->pub : NULL;
	if (comm)
		strncpy(sent->comm, comm, sizeof(sent->comm) - 1);
}

void death_feed(const struct fact *fact)
{
	const struct ev_death *event = &fact->event->death;

	if (fact->process)
		fact->process->pub.death = (struct death){.known = true,
							  .ts = fact->ts,
							  .signal = event->hdr.aux,
							  .status = event->status,
							  .oom = event->hdr.flags & EVF_DEATH_OOM,
							  .core = event->hdr.flags & EVF_DEATH_CORE,
							  .peak = event->peak};
}

int comm_feed(struct world *w, const struct fact *fact)
{
	const struct ev_comm *event = &fact->event->comm;
	uint32_t tid = event->hdr.tid;
	struct comm *comm;

	if (fact->thread)
		memcpy(fact->thread->pub.comm, event->comm.text, 16);
	HASH_FIND(hh, w->comms, &tid, sizeof(tid), comm);
	if (!comm) {
		if (HASH_COUNT(w->comms) >= COMM_MAX) {
			comm = w->comms; /* the oldest */
			HASH_DEL(w->comms, comm);
			memset(comm, 0, sizeof(*comm));
		} else if (!(comm = calloc(1, sizeof(*comm)))) {
			return -ENOMEM;
		}
		comm->tid = tid;
		HASH_ADD(hh, w->comms, tid, sizeof(tid), comm);
		if (HASH_FAILED(comm)) {
			free(comm);
			return -ENOMEM;
		}
	}
	comm->pid = event->pid;
	memcpy(comm->text, event->comm.text, 16);
	return 0;
}

void foreign_count(struct world *w, struct thread_machine *t, uint64_t address)
{
	uint32_t i = 0;

	w->foreign++;
	while (i < w->unexplained_count &&
	       (w->unexplained[i].address != address || w->unexplained[i].process != process_of(t)))
		i++;
	if (i == UNEXPLAINED_MAX)
		return;
	if (i == w->unexplained_count) {
		w->unexplained[i].address = address;
		w->unexplained[i].process = process_of(t);
		w->unexplained[i].count = 0;
		w->unexplained_count++;
	}
	w->unexplained[i].count++;
}

static void foreign_explain(struct world *w, const struct ev_gil *event)
{
	for (uint32_t i = 0; i < w->unexplained_count; i++) {
		if (w->unexplained[i].address != event->address ||
		    w->unexplained[i].process->pub.info.pid != event->hdr.tid)
			continue;
		w->foreign -= w->unexplained[i].count;
		w->unexplained[i] = w->unexplained[--w->unexplained_count];
		break;
	}
}

/* ── GILs ────────────────────────────────────────────────────────────────── */

static int index_ensure(struct world *w, uint16_t index)
{
	uint32_t room = w->gil_room ? w->gil_room : 8;
	struct gil_machine **grown;

	if (index < w->gil_room)
		return 0;
	while (room <= index)
		room *= 2;
	grown = reallocarray(w->gil_by_index, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	memset(grown + w->gil_room, 0, (room - w->gil_room) * sizeof(*grown));
	w->gil_by_index = grown;
	w->gil_room = room;
	return 0;
}

/* Its interpreter has ended, or its index is given to another GIL. No thread has to do with it any
 * more; one that seems to is unknown. */
static void gil_end(struct world *w, struct gil_machine *g, uint64_t ts)
{
	struct process_entry *process = gil_process(g);

	gil_unknown(w, g, ts);
	while (g->pub.waiting)
		relation_leave(w, machine_of(g->pub.waiting), ts);
	gil_cut(w, g, ts);
	edges_end_gil(w, g);
	if (g->touched)
		DL_DELETE2(process->touched_gils, g, prev_touched, next_touched);
	g->touched = false;
	w->gil_by_index[g->pub.index] = NULL;
	g->pub.gone = true;
	g->pub.ts_gone = ts;
	process->gils--;
	process->partial_gils -= gil_is_partial(g);
	process->gone_gils++;
	w->gone.gils += !process->pub.gone;
	w->ends++;
}

static void gil_gone(struct world *w, const struct fact *fact)
{
	struct gil_machine *g = fact->gil;

	if (!g || gil_process(g) != fact->process || g->pub.address != fact->event->gil.address)
		return;
	gil_end(w, g, fact->ts);
	edges_derive_partial(w, fact->process);
}

/* What happened to this GIL before it was declared is unknown: threads that seemed to have none may
 * hold it. */
static void doubt_relations(struct world *w, struct process_entry *process)
{
	struct thread_machine *t, *next;

	DL_FOREACH_SAFE2(process->open[OPEN_NONE], t, next, next_open)
	{
		if (!t->pub.python)
			continue;
		relation_set(w, t, REL_UNKNOWN);
		if (t->sched == SCHED_ASLEEP && t->place == PLACE_INSIDE)
			relation_not_waiting(w, t);
	}
}

static int gil_new(struct world *w, const struct fact *fact)
{
	const struct ev_gil *event = &fact->event->gil;
	struct process_entry *process = fact->process;
	enum evidence_mode mode = event->hdr.flags & EVF_GIL_EDGES ? MODE_EDGES : w->mode;
	uint16_t index = event->hdr.aux;
	struct gil_machine *g, *old;
	int err = process ? 0 : process_get(w, event->hdr.tid, &process);

	if (err < 0)
		return err;
	old = gil_find(w, index);
	if (old && old->pub.process == &process->pub && old->pub.address == event->address &&
	    old->pub.interpreter == event->interpreter && old->pub.mode == mode)
		return 0;
	if (index_ensure(w, index) < 0 || world_reserve(w, 1) < 0)
		return -ENOMEM;
	err = list_reserve_object(w, &w->gils, WORLD_GILS_MAX, "GILs");
	if (err < 0)
		return err;
	if (!(g = calloc(1, sizeof(*g))))
		return -ENOMEM;
	if (old)
		gil_end(w, old, fact->ts);
	g->pub = (struct gil){.process = &process->pub,
			      .address = event->address,
			      .interpreter = event->interpreter,
			      .index = index,
			      .mode = mode};
	process->gils++;
	process->partial_gils += gil_is_partial(g);
	g->ts_counted = fact->ts;
	g->next = process->gil_list;
	process->gil_list = g;
	if (old && gil_process(old) != process)
		edges_derive_partial(w, gil_process(old));
	edges_derive_partial(w, process);
	w->gil_by_index[index] = g;
	list_add(&w->gils, g);
	if (w->begun)
		doubt_relations(w, process);
	return 0;
}

int gil_declare(struct world *w, const struct fact *fact)
{
	if (!(fact->event->hdr.flags & EVF_GIL_GONE)) {
		foreign_explain(w, &fact->event->gil);
		return gil_new(w, fact);
	}
	gil_gone(w, fact);
	return 0;
}

/* ── creating, querying, freeing ─────────────────────────────────────────── */

struct world *world_new(struct model_sink sink, enum evidence_mode mode)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->sink = sink;
	w->mode = mode;
	return w;
}

static void list_free(struct list *list)
{
	for (uint32_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
}

void world_free(struct world *w)
{
	struct comm *comm, *next_comm;

	if (!w)
		return;
	for (uint32_t i = 0; i < w->processes.count; i++) {
		struct process_entry *process = process_at(w, i);
		struct descriptor *d, *next;

		HASH_ITER(hh, process->descriptors, d, next)
		{
			HASH_DEL(process->descriptors, d);
			free(d);
		}
		HASH_CLEAR(hh_nstid, process->by_nstid);
	}
	HASH_ITER(hh, w->comms, comm, next_comm)
	{
		HASH_DEL(w->comms, comm);
		free(comm);
	}
	HASH_CLEAR(hh, w->loop_by_key);
	HASH_CLEAR(hh, w->by_tid);
	HASH_CLEAR(hh, w->by_pid);
	list_free(&w->threads);
	list_free(&w->processes);
	list_free(&w->gils);
	list_free(&w->loops);
	free(w->moved.items);
	free(w->touched_cpus);
	free(w->gil_by_index);
	free(w->indices.free);
	free(w->cpus);
	free(w->queue);
	free(w);
}

struct world_window world_window(const struct world *w)
{
	return (struct world_window){.start = w->begun ? w->ts_begin : w->now,
				     .end = w->now,
				     .events = w->events,
				     .lost = w->lost,
				     .lost_anywhere = w->lost_anywhere,
				     .lost_runs = w->lost_runs,
				     .late = w->late,
				     .missed = w->missed,
				     .foreign = w->foreign,
				     .contradictions = w->contradictions,
				     .gaps = w->gaps,
				     .unread = w->unread,
				     .unsampled = w->unsampled,
				     .ended = w->ended,
				     .full = w->full,
				     .limit = w->limit};
}

struct thread *world_thread(const struct world *w, uint32_t tid)
{
	const struct thread_machine *t;

	HASH_FIND(hh, w->by_tid, &tid, sizeof(tid), t);
	return t && !t->pub.gone ? (struct thread *)&t->pub : NULL;
}

struct process *world_next_process(const struct world *w, uint32_t *position)
{
	return *position < w->processes.count ? &process_at(w, (*position)++)->pub : NULL;
}

struct thread *world_next_thread(const struct world *w, uint32_t *position)
{
	return *position < w->threads.count
		       ? &((struct thread_machine *)w->threads.items[(*position)++])->pub
		       : NULL;
}

struct gil *world_next_gil(const struct world *w, uint32_t *position)
{
	return *position < w->gils.count ? &gil_at(w, (*position)++)->pub : NULL;
}

const char *world_comm(const struct world *w, uint32_t tid)
{
	const struct comm *comm;

	HASH_FIND(hh, w->comms, &tid, sizeof(tid), comm);
	return comm ? comm->text : "";
}
