/* SPDX-License-Identifier: MIT */
/* Whom the loop's thread waited for: who released the lock, who computed for it, and who waits for
 * it in turn. */
#include "base/duration.h"
#include "diagnosis/calls.h"
#include "diagnosis/rule.h"
#include "words/names.h"
#include "words/words.h"

#define DEADLOCK_NS (100 * NS_PER_MS) /* so that each of them has had the time to continue */

/* The application's innermost function in a stack, else a library's; function 0: unknown. */
static struct stack_frame place_of(const struct report *report, uint32_t stack)
{
	struct finding finding = {.id = FINDING_LOCK_HELD_BY};

	set_stack(&finding, report, stack);
	return finding.inner.function ? finding.inner : finding.handler.frame;
}

/* ── lock_held_by ────────────────────────────────────────────────────────── */

static struct finding_release release_of(const struct report *report, const struct lock_wait *wait)
{
	return (struct finding_release){.thread = wait->by,
					.kind = wait->kind,
					.frame = place_of(report, wait->by_stack),
					.ns = wait->ns,
					.sysno = wait->by_sysno,
					.slept = place_of(report, wait->by_slept),
					.slept_ns = wait->by_slept_ns};
}

/* Of an ongoing stall: whom the number-th of the chain waits for, with what that one has. */
static struct finding_release holder_in_chain(const struct report *report,
					      const struct stall *stall, uint32_t number)
{
	uint32_t next = number + 1 < stall->chain_count ? number + 1 : stall->deadlock;

	if (next >= stall->chain_count || stall->chain[number].state == TS_GIL_WAIT)
		return (struct finding_release){.sysno = SYSNO_UNKNOWN};
	return (struct finding_release){.thread = stall->chain[next].thread,
					.has = true,
					.had_ns = stall->chain[number].had_ns,
					.kind = stall->chain[number].lock.kind,
					.frame = place_of(report, stall->chain[next].stack),
					.ns = stall->chain[number].ns,
					.sysno = SYSNO_UNKNOWN};
}

/* The loop's own thread slept without the GIL, until a Python thread released it. */
static bool is_own(const struct stall_view *view, const struct lock_wait *wait)
{
	return wait->by->python && !wait->with_gil &&
	       (!view->loop->loop->thread || wait->thread == view->loop->loop->thread);
}

static struct finding finding_of_lock(const struct stall_view *view, uint32_t stack,
				      const struct finding_release *release)
{
	struct finding finding = finding_of_stack(view, FINDING_LOCK_HELD_BY, stack);

	finding.subject = SUBJECT_THREAD;
	finding.thread = release->thread;
	finding.release = *release;
	return finding;
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void stall_locks(struct collector *collector, const struct stall_view *view)
{
	const struct breakdown *what = &view->stall->what;
	struct finding_release now = holder_in_chain(view->report, view->stall, 0);

	for (uint32_t i = 0; i < what->lock_count; i++) {
		const struct lock_wait *wait = &what->locks[i];
		struct finding_release release = release_of(view->report, wait);
		struct finding finding;

		if (!is_own(view, wait) || wait->kind == LOCK_WORLD)
			continue;
		finding = finding_of_lock(view, wait->stack, &release);
		collector_add(collector, &finding, wait->ns);
	}
	if (now.thread && view->stall->chain[0].state == TS_BLOCKED) {
		struct finding finding = finding_of_lock(view, view->stall->chain[0].stack, &now);

		collector_add(collector, &finding,
			      min(now.ns, view->stall->end - view->stall->start));
	}
}

void set_release(struct finding *finding, const struct stall_view *view,
		 const struct thread *thread, uint64_t ns)
{
	const struct breakdown *what = &view->stall->what;
	const struct stall *stall = view->stall;

	if (!ns)
		return;
	for (uint32_t i = 0; i < what->lock_count; i++)
		if (what->locks[i].thread == thread && what->locks[i].with_gil &&
		    what->locks[i].ns >= ns - ns / 2) {
			finding->release = release_of(view->report, &what->locks[i]);
			return;
		}
	if (stall->chain_count > 1 && stall->chain[1].thread == thread)
		finding->release = holder_in_chain(view->report, stall, 1);
}

/* Who, and where. */
static void add_who(struct text_buffer *text, const struct report *report,
		    const struct finding *finding, const char *did)
{
	const struct finding_release *release = &finding->release;
	bool others = finding->id == FINDING_LOCK_HELD_BY && finding->many_threads;

	text_add_thread(text, report, release->thread);
	text_add(text, "%s%s", others ? " and other threads" : "", did);
	if (release->has)
		text_add_has(text, release->had_ns);
	if (!release->frame.function || release->had_ns)
		return;
	text_add(text, release->has ? ", which is in " : " in ");
	text_add_frame(text, report, &release->frame);
}

void add_release(struct text_buffer *text, const struct report *report,
		 const struct finding *finding)
{
	const struct finding_release *release = &finding->release;
	bool lock = release->kind != LOCK_UNKNOWN && release->kind != LOCK_PARKED;

	if (release->has) {
		text_add(text, "a mutex that ");
		add_who(text, report, finding, "");
		return;
	}
	text_add(text, "%s",
		 !lock				  ? ""
		 : release->kind == LOCK_MUTEX	  ? "a mutex that "
		 : release->kind == LOCK_PYMUTEX  ? "a lock (PyMutex) that "
		 : release->kind == LOCK_CRITICAL ? "an object's lock (critical section) that "
						  : "a lock that ");
	add_who(text, report, finding, lock ? " released" : " to wake it up, which it did");
}

/* What the other one did meanwhile. */
static void add_meanwhile(struct text_buffer *text, const struct report *report,
			  const struct finding *finding)
{
	const struct finding_release *release = &finding->release;

	if (!release->slept_ns || release->slept_ns < release->ns - release->ns / 2)
		return;
	text_add(text, "; meanwhile that thread slept in ");
	text_add_syscall(text, finding->process->process, release->sysno);
	if (release->slept.function) {
		text_add(text, ", in ");
		text_add_frame(text, report, &release->slept);
		text_add(text, ",");
	}
	text_add(text, " for ");
	text_add_duration(text, release->slept_ns);
	text_add(text, " of the longest wait");
}

static void text_lock(struct text_buffer *text, const struct report *report,
		      const struct finding *finding)
{
	add_function(text, report, finding);
	if (finding->call && !finding->release.has) {
		text_add(text, " blocked the event loop in %s until ", finding->call->what);
		add_who(text, report, finding, " released it,");
	} else {
		text_add(text, finding->release.has ? " waits for " : " waited for ");
		add_release(text, report, finding);
	}
	text_add(text, ": ");
	add_figures(text, finding);
	add_meanwhile(text, report, finding);
}

static void advise_lock(struct text_buffer *text, const struct report *report,
			const struct finding *finding)
{
	if (finding->call)
		text_add(text, "%s", finding->call->advice[CALL_SLEPT]);
	else
		text_add(text, "Hold it for less time, and not around what waits or computes; or "
			       "take it in a thread (asyncio.to_thread), for it stops the event "
			       "loop meanwhile.");
}

/* ── native_threads ──────────────────────────────────────────────────────── */

/* They were at work most of the time, one or the other of them. */
static bool were_busy(const struct breakdown *what, uint64_t *ret_ns, uint32_t *ret_count)
{
	uint64_t ready = 0, most = 0;

	*ret_ns = *ret_count = 0;
	for (uint32_t i = 0; i < what->helper_count; i++)
		if (!what->helpers[i].thread->python) {
			*ret_ns += what->helpers[i].ns;
			ready += what->helpers[i].ready_ns;
			most = what->helpers[i].ns > most ? what->helpers[i].ns : most;
		}
	/* of many that run evenly each has little */
	for (uint32_t i = 0; i < what->helper_count; i++)
		*ret_count += !what->helpers[i].thread->python && what->helpers[i].ns &&
			      what->helpers[i].ns >= most / 20;
	return *ret_ns && *ret_ns + ready >= what->helped_ns / 2;
}

static void stall_threads(struct collector *collector, const struct stall_view *view)
{
	const struct breakdown *what = &view->stall->what;
	struct finding finding = finding_of_stack(view, FINDING_NATIVE_THREADS, what->helped_stack);
	uint64_t ns;

	finding.what = what;
	if (were_busy(what, &ns, &finding.thread_count))
		collector_add(collector, &finding, what->helped_ns);
}

uint64_t locks_reported(const struct stall_view *view, uint32_t stack)
{
	const struct breakdown *what = &view->stall->what;
	const struct stall *stall = view->stall;
	uint64_t ns = 0, ran;
	uint32_t count;

	for (uint32_t i = 0; i < what->lock_count; i++)
		if (what->locks[i].stack == stack && is_own(view, &what->locks[i]))
			ns += what->locks[i].ns;
	if (stall->chain_count > 1 && stall->chain[0].state == TS_BLOCKED &&
	    stall->chain[0].stack == stack)
		ns += min(stall->chain[0].ns, stall->end - stall->start);
	if (what->helped_stack == stack && were_busy(what, &ran, &count))
		ns += what->helped_ns;
	return ns;
}

static const char *native_module(const struct report *report, const struct native_share *native)
{
	return native->function
		       ? frame_names(report, &(struct stack_frame){.function = native->function})
				 .file
		       : "";
}

/* The time that helpers were seen in this module, and the time that they were sampled. */
static uint64_t helpers_in(const struct report *report, const struct breakdown *what,
			   const char *module, uint64_t *ret_sampled_ns)
{
	uint64_t ns = 0;

	*ret_sampled_ns = 0;
	for (uint32_t i = 0; i < what->helper_count; i++) {
		const struct helper *helper = &what->helpers[i];

		*ret_sampled_ns += helper->sampled_ns;
		for (int n = 0; n < NATIVES_MAX_OF_SHARE; n++)
			if (strcmp(native_module(report, &helper->natives[n]), module) == 0)
				ns += helper->natives[n].ns;
	}
	return ns;
}

/* The module that most of the helpers' samples were in, among those of the first one; NULL: none,
 * or unknown. */
static const char *helpers_module(const struct report *report, const struct breakdown *what)
{
	uint64_t sampled_ns;

	for (int n = 0; n < NATIVES_MAX_OF_SHARE; n++) {
		const char *module = native_module(report, &what->helpers[0].natives[n]);

		if (*module && helpers_in(report, what, module, &sampled_ns) >= sampled_ns / 2)
			return module;
	}
	return NULL;
}

static void text_threads(struct text_buffer *text, const struct report *report,
			 const struct finding *finding)
{
	const char *module = helpers_module(report, finding->what);
	uint64_t ran;
	uint32_t count;

	were_busy(finding->what, &ran, &count);
	add_function(text, report, finding);
	text_add(text, " slept while ");
	text_add_number_of(text, count, "thread of C code (", "threads of C code (");
	text_add_name(text, finding->what->helpers[0].thread->comm, 48);
	text_add(text, "%s%s", count > 1 ? " …" : "", module ? ", mostly in " : "");
	if (module)
		text_add_module(text, module);
	text_add(text, ") ran ");
	text_add_duration(text, ran);
	text_add(text, "%s%s: ", count > 1 ? " together" : "",
		 finding->count > 1 ? " in the longest stall" : "");
	add_figures(text, finding);
}

static void advise_threads(struct text_buffer *text, const struct report *report,
			   const struct finding *finding)
{
	text_add(text, "Such threads usually compute for the caller (numpy's BLAS, OpenMP, Rust's "
		       "rayon). Make that call in a worker thread (asyncio.to_thread), and limit "
		       "their number (OMP_NUM_THREADS and the like).");
}

/* ── deadlock ────────────────────────────────────────────────────────────── */

/* How long all of them have waited; 0: there is none. */
static uint64_t deadlock_ns(const struct stall *stall)
{
	uint64_t ns = stall->ongoing && stall->deadlock < stall->chain_count ? UINT64_MAX : 0;

	for (uint32_t i = stall->deadlock; i < stall->chain_count; i++)
		ns = min(ns, stall->chain[i].ns);
	return ns;
}

static void process_deadlock(struct collector *collector, const struct report *report,
			     const struct process_report *process)
{
	for (uint32_t n = 0; n < process->loop_count; n++) {
		const struct loop_report *loop = &process->loops[n];
		const struct stall *last = loop->stall_count ? &loop->stalls[loop->stall_count - 1]
							     : NULL;
		uint64_t ns = last ? deadlock_ns(last) : 0;

		if (ns >= DEADLOCK_NS)
			collector_add_whole(collector,
					    &(struct finding){.id = FINDING_DEADLOCK,
							      .subject = SUBJECT_THREAD,
							      .process = process,
							      .thread = loop->loop->thread,
							      .sysno = SYSNO_UNKNOWN,
							      .stall = last,
							      .ns = ns,
							      .count = 1,
							      .worst_ns = ns,
							      .ongoing = true});
	}
}

static void add_link(struct text_buffer *text, const struct report *report,
		     const struct chain_link *link, const struct chain_link *next)
{
	struct stack_frame place = place_of(report, link->stack);

	text_add_thread(text, report, link->thread);
	if (place.function) {
		text_add(text, ", in ");
		text_add_frame(text, report, &place);
		text_add(text, ",");
	}
	text_add(text, " waits for %s that ", link->state == TS_GIL_WAIT ? "the GIL" : "a mutex");
	text_add_thread(text, report, next->thread);
	text_add(text, " has");
}

static void text_deadlock(struct text_buffer *text, const struct report *report,
			  const struct finding *finding)
{
	const struct stall *stall = finding->stall;

	text_add(text, "Deadlock, for ");
	text_add_duration(text, finding->ns);
	text_add(text, " so far: ");
	for (uint32_t i = 0; i < stall->chain_count; i++) {
		text_separate(text, "");
		add_link(text, report, &stall->chain[i],
			 &stall->chain[i + 1 < stall->chain_count ? i + 1 : stall->deadlock]);
		text_add(text, i + 1 < stall->chain_count ? "; " : "");
	}
}

static void advise_deadlock(struct text_buffer *text, const struct report *report,
			    const struct finding *finding)
{
	text_add(text, "If it lasts, only a restart helps. C code that takes a mutex "
		       "must not hold the GIL while it waits for it (Py_BEGIN_ALLOW_THREADS), nor "
		       "call Python while it has it.");
}

const struct rule rule_lock_held_by = {
	.stall = stall_locks, .text = text_lock, .advice = advise_lock};
const struct rule rule_native_threads = {
	.stall = stall_threads, .text = text_threads, .advice = advise_threads};
const struct rule rule_deadlock = {
	.process = process_deadlock, .text = text_deadlock, .advice = advise_deadlock};
