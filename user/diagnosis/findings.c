/* SPDX-License-Identifier: MIT */
/* Asks every rule about every stall and process, adds up what has one subject, and ranks it. */
#include "diagnosis/findings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "diagnosis/rule.h"

#define FINDINGS_MAX 4096 /* subjects of a report; what is beyond is left out, the least first */
#define STALLS_MAX   1024 /* stalls that a finding lists */
#define SIDE_BY_SIDE 3	  /* findings of a stall in which no subject had enough for one */

static const struct {
	const char *name;
	bool machine;
	const struct rule *rule;
} rules[] = {
#define FINDING(NAME, id, machine, doc) {#id, machine, &rule_##id},
#include "diagnosis/findings.def"
};

const char *finding_name(enum finding_id id)
{
	return rules[id].name;
}

const char *subject_kind_name(enum subject_kind kind)
{
	static const char *const names[SUBJECT_KINDS] = {
		[SUBJECT_NONE] = "none",       [SUBJECT_FUNCTION] = "function",
		[SUBJECT_POOL] = "pool",       [SUBJECT_THREAD] = "thread",
		[SUBJECT_PROCESS] = "process", [SUBJECT_NEIGHBOUR] = "neighbour",
	};

	return names[kind];
}

const char *finding_evidence_name(enum finding_evidence evidence)
{
	static const char *const names[EVIDENCE_KINDS] = {
		[EVIDENCE_TRACED] = "traced",
		[EVIDENCE_SAMPLED] = "sampled",
		[EVIDENCE_BOUNDED] = "bounded",
	};

	return names[evidence];
}

/* ── adding up ───────────────────────────────────────────────────────────── */

struct entry {
	struct finding_key key;
	struct finding finding;
	const struct process_report *last; /* that has a part in it */
};
TABLE_OF(entries, struct entry, key)

struct collector {
	struct table items; /* of the stall at hand */
	struct table all;
	int error;
};

/* A function is one subject, in however many loops it runs; so is one that has the GIL, or a lock,
 * in however many threads. */
static bool by_thread(const struct finding *finding)
{
	if (finding->id == FINDING_LOCK_HELD_BY)
		return !finding->release.frame.function;
	if (finding->id == FINDING_GIL_HELD_BY)
		return finding->handler.role == HANDLER_NONE;
	return finding->subject != SUBJECT_FUNCTION;
}

/* One function, or one shortage, hurts all processes of a service alike. */
static bool of_all_processes(const struct finding *finding)
{
	return finding->id == FINDING_NO_CPU || finding->id == FINDING_QUOTA ||
	       finding->id == FINDING_WORKER_DIED ||
	       (finding->subject == SUBJECT_FUNCTION && !by_thread(finding));
}

static uint64_t kind_of_death(const struct process *process)
{
	const struct death *death = &process->death;

	return death->signal | (uint64_t)process->sent.number << 16 |
	       (uint64_t)(death->status & 0xff) << 32 | (uint64_t)death->oom << 48;
}

static struct finding_key key_of(const struct finding *finding)
{
	return (struct finding_key){
		.process = of_all_processes(finding) ? 0 : (uintptr_t)finding->process,
		.thread = by_thread(finding) ? (uintptr_t)finding->thread : 0,
		.pool = (uintptr_t)finding->pool,
		.call = (uintptr_t)finding->call,
		.id = finding->id,
		.subject = finding->subject,
		.function = finding->handler.frame.function,
		.inner = finding->inner.function,
		.stop = finding->stop,
		.released_in = finding->id == FINDING_LOCK_HELD_BY ? finding->release.frame.function
								   : 0,
		.death = finding->died ? kind_of_death(finding->died->process) : 0,
		.sender = finding->died ? finding->died->process->sent.sender : 0,
		.sysno = finding->call ? SYSNO_UNKNOWN : finding->sysno,
	};
}

struct finding_key finding_key_of(const struct finding *finding)
{
	struct finding_key key = key_of(finding);

	key.process = key.process ? finding->process->process->info.pid : 0;
	key.thread = key.thread ? finding->thread->tid : 0;
	key.pool = finding->pool ? finding->pool->id : 0;
	return key;
}

static void add_neighbours(struct finding *to, const struct finding *from)
{
	to->more_neighbours = from->more_neighbours > to->more_neighbours ? from->more_neighbours
									  : to->more_neighbours;
	for (uint32_t i = 0; i < from->neighbour_count; i++) {
		const struct cpu_share *share = &from->neighbours[i];
		uint32_t n = 0;

		while (n < to->neighbour_count &&
		       (to->neighbours[n].pid != share->pid ||
			(!share->pid && to->neighbours[n].tid != share->tid)))
			n++;
		if (n == NEIGHBOURS_MAX) {
			to->more_neighbours++;
			continue;
		}
		if (n == to->neighbour_count) {
			to->neighbours[n] = *share;
			to->neighbours[n].ns = 0;
			to->neighbour_count++;
		}
		to->neighbours[n].ns += share->ns;
	}
}

static int most_first(const void *a, const void *b)
{
	const struct cpu_share *x = a, *y = b;

	return (x->ns < y->ns) - (x->ns > y->ns);
}

static int add_number(uint32_t **list, uint32_t *count, uint32_t *room, uint32_t number)
{
	if (*count == *room) {
		uint32_t more = *room ? 2 * *room : 8;
		uint32_t *larger = reallocarray(*list, more, sizeof(**list));

		if (!larger)
			return -ENOMEM;
		*list = larger;
		*room = more;
	}
	(*list)[(*count)++] = number;
	return 0;
}

/* The finding with this key in the table, new and empty if there was none; NULL when memory is
 * short or the table is full. */
static struct finding *finding_in(struct collector *collector, struct table *table,
				  const struct finding *like)
{
	struct finding_key key = key_of(like);
	struct entry *entry;
	uint32_t before = table->count;
	int err = entries_get(table, &key, &entry);

	if (err == -ENOMEM)
		collector->error = err;
	if (!entry)
		return NULL;
	if (table->count > before) {
		entry->finding = *like;
		entry->finding.states = (struct state_sums){0};
		memset(entry->finding.natives, 0, sizeof(entry->finding.natives));
		entry->finding.neighbour_count = entry->finding.more_neighbours = 0;
		entry->finding.ns = entry->finding.count = entry->finding.worst_ns = 0;
		entry->finding.stalls = NULL;
		entry->finding.stall_count = entry->finding.stall_room = 0;
		entry->finding.pids = NULL;
		entry->finding.process_count = entry->finding.process_room = 0;
		entry->last = NULL;
	}
	/* rules are asked about one process after the other */
	if (table == &collector->all && like->process && like->process != entry->last &&
	    !like->process->process->stands_for &&
	    add_number(&entry->finding.pids, &entry->finding.process_count,
		       &entry->finding.process_room, like->process->process->info.pid) < 0)
		collector->error = -ENOMEM;
	entry->last = like->process;
	return &entry->finding;
}

static void add_part(struct finding *to, const struct finding *from)
{
	if (to->sysno != from->sysno)
		to->sysno = SYSNO_UNKNOWN;
	if (to->file != from->file)
		to->file = 0;
	for (int s = 0; s < TS_COUNT; s++)
		to->states.ns[s] += from->states.ns[s];
	to->many_threads |= from->many_threads ||
			    (to->process == from->process && to->thread != from->thread);
	natives_add(to->natives, from->natives);
	add_neighbours(to, from);
	to->ongoing |= from->ongoing;
	if (from->evidence > to->evidence)
		to->evidence = from->evidence;
}

/* What a finding looks like is the largest of its parts. */
static void look_like(struct finding *to, const struct finding *from)
{
	to->process = from->process;
	to->stack = from->stack;
	to->handler = from->handler;
	to->inner = from->inner;
	to->caller = from->caller;
	to->thread = from->thread;
	to->release = from->release;
	to->what = from->what;
	to->died = from->died;
	to->stall = from->stall;
}

void collector_add(struct collector *collector, const struct finding *like, uint64_t ns)
{
	struct finding *item = ns ? finding_in(collector, &collector->items, like) : NULL;

	if (!item)
		return;
	add_part(item, like);
	if (ns > item->worst_ns) { /* of the parts */
		item->worst_ns = ns;
		look_like(item, like);
	}
	item->ns += ns;
	item->count = 1;
}

/* ── stalls ──────────────────────────────────────────────────────────────── */

static int list_stall(struct finding *finding, uint32_t number)
{
	if (finding->stall_count == STALLS_MAX)
		return 0;
	return add_number(&finding->stalls, &finding->stall_count, &finding->stall_room, number);
}

/* What was collected of a stall becomes part of the finding about the same subject. */
static void keep_item(struct collector *collector, const struct finding *item,
		      const struct stall_view *view)
{
	struct finding *finding = finding_in(collector, &collector->all, item);

	if (!finding)
		return;
	add_part(finding, item);
	if (item->ns > finding->worst_ns) {
		finding->worst_ns = item->ns;
		look_like(finding, item);
	}
	finding->ns += item->ns;
	finding->count++;
	finding->ongoing |= view->stall->ongoing;
	if (!view->stall->whole)
		finding->evidence = EVIDENCE_BOUNDED;
	if (list_stall(finding, view->number) < 0)
		collector->error = -ENOMEM;
}

static int item_order(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->finding.ns != y->finding.ns)
		return x->finding.ns < y->finding.ns ? 1 : -1;
	return (x->finding.id > y->finding.id) - (x->finding.id < y->finding.id);
}

/* The items of the kind that took most, side by side. A kind with less than a third of the stall
 * does not explain it, nor an item with less than a tenth of its kind. */
static void keep_side_by_side(struct collector *collector, const struct stall_view *view)
{
	const struct entry *entries = collector->items.entries;
	uint64_t by_id[FINDING_IDS] = {0}, whole = view->stall->end - view->stall->start;
	enum finding_id most = 0;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < collector->items.count; i++) {
		enum finding_id id = entries[i].finding.id;

		by_id[id] += entries[i].finding.ns;
		most = by_id[id] > by_id[most] ? id : most;
	}
	for (uint32_t i = 0; i < collector->items.count && kept < SIDE_BY_SIDE; i++) {
		const struct finding *item = &entries[i].finding;

		if (item->id != most || by_id[most] < whole / 3 || item->ns < by_id[most] / 10)
			continue;
		keep_item(collector, item, view);
		kept++;
	}
	if (!kept)
		keep_item(collector,
			  &(struct finding){.id = FINDING_UNEXPLAINED,
					    .subject = SUBJECT_PROCESS,
					    .process = view->process,
					    .sysno = SYSNO_UNKNOWN,
					    .ns = whole},
			  view);
}

/* Every part that would be a stall by itself counts. Where none would, many small callbacks are not
 * one large one. */
static void keep_items(struct collector *collector, const struct stall_view *view)
{
	struct entry *entries = collector->items.entries;
	uint32_t i;

	if (collector->items.count)
		qsort(entries, collector->items.count, sizeof(*entries), item_order);
	for (i = 0; i < collector->items.count && entries[i].finding.ns >= view->report->stall_ns;
	     i++)
		keep_item(collector, &entries[i].finding, view);
	if (!i)
		keep_side_by_side(collector, view);
}

static void ask_about_stall(struct collector *collector, struct stall_view *view)
{
	view->busy = busy_run_of(view);
	table_reset(&collector->items);
	for (int id = 0; id < FINDING_IDS; id++)
		if (rules[id].rule->stall)
			rules[id].rule->stall(collector, view);
	keep_items(collector, view);
}

static void ask_about_process(struct collector *collector, const struct report *report,
			      const struct process_report *process, uint32_t *number)
{
	for (uint32_t l = 0; l < process->loop_count; l++)
		for (uint32_t i = 0; i < process->loops[l].stall_count; i++)
			ask_about_stall(collector,
					&(struct stall_view){.report = report,
							     .process = process,
							     .loop = &process->loops[l],
							     .stall = &process->loops[l].stalls[i],
							     .number = (*number)++});
	for (int id = 0; id < FINDING_IDS; id++)
		if (rules[id].rule->process)
			rules[id].rule->process(collector, report, process);
}

void collector_fail(struct collector *collector)
{
	collector->error = -ENOMEM;
}

void collector_add_whole(struct collector *collector, const struct finding *like)
{
	struct finding *finding = finding_in(collector, &collector->all, like);

	if (!finding)
		return;
	add_part(finding, like);
	finding->ns = like->ns;
	finding->count = like->count;
	finding->worst_ns = like->worst_ns;
}

void collector_add_death(struct collector *collector, const struct finding *like)
{
	struct finding *finding = finding_in(collector, &collector->all, like);

	if (!finding)
		return;
	add_part(finding, like);
	if (like->died->process->death.ts >= finding->died->process->death.ts)
		look_like(finding, like);
	finding->ns += like->ns;
	finding->count += like->count;
	finding->worst_ns = like->ns > finding->worst_ns ? like->ns : finding->worst_ns;
}

/* ── ranking ─────────────────────────────────────────────────────────────── */

static bool share_a_stall(const struct finding *a, const struct finding *b)
{
	for (uint32_t i = 0, j = 0; i < a->stall_count && j < b->stall_count;) {
		if (a->stalls[i] == b->stalls[j])
			return true;
		if (a->stalls[i] < b->stalls[j])
			i++;
		else
			j++;
	}
	return false;
}

/* It answers nothing any more, whatever it did before. */
static bool is_killed(const struct finding *finding)
{
	return finding->id == FINDING_WORKER_DIED && finding->died->process->death.signal;
}

static int worst_first(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;

	if (is_killed(x) != is_killed(y))
		return is_killed(x) ? -1 : 1;
	if (x->ns != y->ns)
		return x->ns < y->ns ? 1 : -1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->handler.frame.function > y->handler.frame.function) -
	       (x->handler.frame.function < y->handler.frame.function);
}

/* By what was taken; but what the program did comes before what the machine did in the same
 * stalls, for that can be changed. */
static void rank(struct finding_list *findings)
{
	qsort(findings->list, findings->count, sizeof(*findings->list), worst_first);
	for (uint32_t i = findings->count; i-- > 0;) {
		struct finding moved = findings->list[i];
		uint32_t to = i;

		if (!rules[moved.id].machine)
			continue;
		for (uint32_t n = i + 1; n < findings->count; n++)
			if (!rules[findings->list[n].id].machine &&
			    share_a_stall(&moved, &findings->list[n]))
				to = n;
		memmove(&findings->list[i], &findings->list[i + 1],
			(to - i) * sizeof(*findings->list));
		findings->list[to] = moved;
	}
}

static int fill(struct finding_list *findings, const struct table *all)
{
	const struct entry *entries = all->entries;

	findings->list = calloc(all->count + 1, sizeof(*findings->list));
	if (!findings->list) {
		for (uint32_t i = 0; i < all->count; i++) {
			free(entries[i].finding.stalls);
			free(entries[i].finding.pids);
		}
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < all->count; i++) {
		findings->list[i] = entries[i].finding;
		qsort(findings->list[i].neighbours, findings->list[i].neighbour_count,
		      sizeof(findings->list[i].neighbours[0]), most_first);
	}
	findings->count = all->count;
	rank(findings);
	return 0;
}

/* What was collected, as a list. Frees the tables. */
static struct finding_list *findings_make(struct collector *collector)
{
	struct finding_list *findings = calloc(1, sizeof(*findings));
	int err = findings ? fill(findings, &collector->all) : -ENOMEM;

	table_done(&collector->items);
	table_done(&collector->all);
	if (!err && !collector->error)
		return findings;
	findings_free(findings);
	return NULL;
}

#define COLLECTOR                                                                                  \
	{.items = TABLE(struct entry, FINDINGS_MAX), .all = TABLE(struct entry, FINDINGS_MAX)}

struct finding_list *findings_new(const struct report *report)
{
	struct collector collector = COLLECTOR;
	uint32_t number = 0;

	for (uint32_t p = 0; p < report->process_count; p++)
		ask_about_process(&collector, report, &report->processes[p], &number);
	if (!collector.all.count)
		nothing_found(&collector, report);
	return findings_make(&collector);
}

struct finding_list *findings_of_stall(const struct report *report,
				       const struct process_report *process,
				       const struct stall *stall)
{
	static const struct loop no_loop;
	const struct loop_report loop = {.loop = &no_loop};
	struct collector collector = COLLECTOR;

	ask_about_stall(&collector, &(struct stall_view){.report = report,
							 .process = process,
							 .loop = &loop,
							 .stall = stall});
	return findings_make(&collector);
}

void findings_free(struct finding_list *findings)
{
	if (!findings)
		return;
	for (uint32_t i = 0; i < findings->count; i++) {
		free(findings->list[i].stalls);
		free(findings->list[i].pids);
	}
	free(findings->list);
	free(findings);
}

void finding_text(struct text_buffer *text, const struct report *report,
		  const struct finding *finding)
{
	rules[finding->id].rule->text(text, report, finding);
}

void finding_advice(struct text_buffer *text, const struct report *report,
		    const struct finding *finding)
{
	if (rules[finding->id].rule->advice)
		rules[finding->id].rule->advice(text, report, finding);
}
