/* SPDX-License-Identifier: MIT */
/*
 * rule.h - what a rule of diagnosis is. Internal to the room.
 *
 * A rule reads a stall, or a process, and collects what it can prove: to whom, how long. findings.c
 * adds up what has the same subject, and decides what becomes a finding.
 */
#ifndef GILSCOPE_DIAGNOSIS_RULE_H
#define GILSCOPE_DIAGNOSIS_RULE_H

#include "diagnosis/calls.h"
#include "diagnosis/findings.h"

/* A run of a coroutine that awaited without ever having to wait (struct stall_view). */
struct busy_run {
	uint64_t root;			 /* STACK.root; 0: there is none */
	const struct library_call *call; /* what it awaited most */
};

struct stall_view {
	const struct report *report;
	const struct process_report *process;
	const struct loop_report *loop;
	const struct stall *stall;
	uint32_t number; /* struct finding.stalls */
	struct busy_run busy;
};

struct collector;

/*
 * So much of the stall has this subject. Of `like` the members above `ns` count, and `evidence`;
 * what has the same id, process, subject, handler, inner function, thread (unless a function is the
 * subject) and call (or, without one, system call) is added up.
 */
void collector_add(struct collector *collector, const struct finding *like, uint64_t ns);
/* Memory is short, and there will be no findings. */
void collector_fail(struct collector *collector);
/* A finding as it is, of a process or of no stall. */
void collector_add_whole(struct collector *collector, const struct finding *finding);
/* More processes that died like this (`count`): adds to `ns` and `count`; it looks like the last
 * one. */
void collector_add_death(struct collector *collector, const struct finding *finding);

/* rules/last_moments.c: adds ". In its last 1.03 s, its event loop was waiting for the GIL for 702
 * ms, last seen in poll (app.py:9). 'hog' (111) had the GIL for 702 ms, last seen in keep
 * (app.py:3)". Nothing of what is not known. */
void text_add_last_moments(struct text_buffer *text, const struct report *report,
			   const struct last_moments *last);

struct rule {
	/* Either may be NULL. */
	void (*stall)(struct collector *collector, const struct stall_view *view);
	void (*process)(struct collector *collector, const struct report *report,
			const struct process_report *process);
	void (*text)(struct text_buffer *text, const struct report *report,
		     const struct finding *finding);
	void (*advice)(struct text_buffer *text, const struct report *report,
		       const struct finding *finding);
};

#define FINDING(NAME, id, machine, doc) extern const struct rule rule_##id;
#include "diagnosis/findings.def"

/* rules/framework.c: the run of a coroutine that had the threshold of a stall or more on a CPU, at
 * least half of it in libraries' coroutines that it awaited (calls.h, CALL_AWAITED). */
struct busy_run busy_run_of(const struct stall_view *view);
/* The finding about one stack of that run, or about a framework's work on a body. False: it is
 * none. */
bool finding_of_busy_run(const struct stall_view *view, const struct stack_share *share,
			 struct finding *ret_finding);
bool finding_of_body(const struct stall_view *view, const struct stack_share *share,
		     struct finding *ret_finding);

/* rules/locks.c: so much of the loop's sleep with this stack is reported as lock_held_by or
 * native_threads. */
uint64_t locks_reported(const struct stall_view *view, uint32_t stack);
/* Sets finding->release to who released `thread`, which had the GIL and slept for most of `ns`. */
void set_release(struct finding *finding, const struct stall_view *view,
		 const struct thread *thread, uint64_t ns);
/* "a lock that 'cache-rebuilder' released in rebuild (app.py:10)" */
void add_release(struct text_buffer *text, const struct report *report,
		 const struct finding *finding);

/* rules/supervisor.c: whether the process is part of the report. */
bool is_observed(const struct report *report, uint32_t pid);

/* rules/nothing.c: for a report about which no rule has found anything. */
void nothing_found(struct collector *collector, const struct report *report);

/* rules/contention.c: waiting for the GIL for one function is much from here on. */
uint64_t contention_much_ns(const struct report *report);

/* ── for rules (subject.c) ───────────────────────────────────────────────── */

/* Calls `each` for the time of the loop's own thread by stack; what has no known stack comes last,
 * as stack 0, also in a recording without stacks. */
void for_each_stack(struct collector *collector, const struct stall_view *view, enum finding_id id,
		    void (*each)(struct collector *collector, const struct stall_view *view,
				 enum finding_id id, const struct stack_share *share));
/* The outermost known call of this use inside the application's innermost function; of a stack
 * without one, of all frames. NULL: none. */
const struct library_call *call_of_stack(const struct report *report, uint32_t stack,
					 enum call_use use);
/* A finding about one stack of the loop's own thread (definition; 0: unknown). */
struct finding finding_of_stack(const struct stall_view *view, enum finding_id id, uint32_t stack);
/* Sets stack, handler, inner and call of a finding. */
void set_stack(struct finding *finding, const struct report *report, uint32_t stack);
/* Sets the same, of a thread that had the GIL; a function only if it is the application's, a call
 * only if half of the time or more was spent in it. */
void set_blocker(struct finding *finding, const struct report *report,
		 const struct blocker *blocker);
/* rules/gil.c: what to do about a thread that had the GIL and did finding.states meanwhile. */
void add_gil_advice(struct text_buffer *text, const struct report *report,
		    const struct finding *finding);
/* " For 1.19 s of that it held the GIL but had no CPU.": every other state with so much or more. */
void add_gil_parts(struct text_buffer *text, const struct finding *finding, uint64_t much,
		   enum thread_state except);
/* "charge (app.py:12), route, in convert (app.py:30)": the handler, and the application's innermost
 * function if it is another one; "send (x.py:7), called by …" where only libraries are; or that it
 * is unknown. Begins a sentence. */
void add_function(struct text_buffer *text, const struct report *report,
		  const struct finding *finding);
/* The same in a thread, which is clear of what comes next: "save (app.py:12), in a thread pool, in
 * 'worker' (101),"; "save (app.py:12) in 'worker' (101)". Without a function only the thread. */
void add_function_in(struct text_buffer *text, const struct report *report,
		     const struct finding *finding, const struct thread *thread);
/* ", mostly in scan_once in _speedups.so (simplejson)": machine code that had half of the finding's
 * time or more, in this state; false, and nothing, if there is none that is known. */
bool add_native(struct text_buffer *text, const struct report *report,
		const struct finding *finding, enum thread_state state);
/* "600 ms in 3 stalls, longest 220 ms" */
void add_figures(struct text_buffer *text, const struct finding *finding);

/* listeners.c: what usually listens where a file that is slept on ("TCP 10.0.0.5:5432") is
 * connected to; NULL: unknown, or no such file. */
const char *usual_listener(const char *file);

/* sleeps.c: advice by the system call, one sentence without its full stop; NULL: none. */
const char *sleep_advice(const struct process *process, int32_t sysno);

#endif
