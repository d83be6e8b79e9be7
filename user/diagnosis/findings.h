/* SPDX-License-Identifier: MIT */
/*
 * findings.h - the diagnosis: what took time from the event loops, by rule and by whom, worst
 * first. Every view shows the same list, and the advice of its entries.
 *
 * Pure: findings_new() reads a finished report, which must outlive what it returns. A finding is
 * there when its evidence is, never because it is the largest of what is left: of every stall, each
 * part that would be a stall by itself makes one, and the largest if none would.
 */
#ifndef GILSCOPE_DIAGNOSIS_FINDINGS_H
#define GILSCOPE_DIAGNOSIS_FINDINGS_H

#include "analysis/report.h"
#include "words/text_buffer.h"

enum finding_id {
#define FINDING(NAME, id, machine, doc) FINDING_##NAME,
#include "diagnosis/findings.def"
	FINDING_IDS
};
/* The stable name in JSON ("blocking_call"). */
const char *finding_name(enum finding_id id);

enum subject_kind {
	SUBJECT_NONE,
	SUBJECT_FUNCTION,  /* of the application: `handler`, and maybe `inner` */
	SUBJECT_POOL,	   /* `pool`, and maybe the function that its threads ran */
	SUBJECT_THREAD,	   /* `thread`, and maybe the function that it ran in */
	SUBJECT_PROCESS,   /* the observed process as a whole */
	SUBJECT_NEIGHBOUR, /* other processes: `neighbours` */
	SUBJECT_KINDS
};
/* Its name in JSON; "none" for SUBJECT_NONE. */
const char *subject_kind_name(enum subject_kind kind);

/* Where a finding's figures come from: traced begins and ends; samples decided who gets the time;
 * or they are at least so large, since the evidence began or ended inside a stall. */
enum finding_evidence { EVIDENCE_TRACED, EVIDENCE_SAMPLED, EVIDENCE_BOUNDED, EVIDENCE_KINDS };
const char *finding_evidence_name(enum finding_evidence evidence);

#define NEIGHBOURS_MAX 8

/* Who released what was waited for, in the longest of the waits; or who has it still. */
struct finding_release {
	const struct thread *thread; /* NULL: nobody is known */
	bool has;		     /* the wait continues, and it has the mutex, … */
	uint64_t had_ns;	     /* … or had it so long before the end */
	enum lock_kind kind;
	struct stack_frame frame; /* the application's innermost function; function 0: unknown */
	uint64_t ns;		  /* how long that was */
	/* its longest sleep meanwhile; SYSNO_UNKNOWN: none */
	int32_t sysno;
	struct stack_frame slept;
	uint64_t slept_ns;
};

struct library_call;

struct finding {
	enum finding_id id;
	enum subject_kind subject;
	/* Of several processes, the one with the worst of it. NULL: of no process in particular. */
	const struct process_report *process;
	uint32_t *pids; /* of all that it is about */
	uint32_t process_count, process_room;
	/* The callback that had the time; HANDLER_NONE: unknown, or no application code. */
	struct handler handler;
	struct stack_frame inner; /* the application's innermost function in it; function 0: that is
				     the handler itself, or unknown. Without a handler the
				     innermost function of a package … */
	struct stack_frame caller; /* … and who called that package; function 0: unknown */
	uint32_t stack;		   /* its stack with the most time; 0: unknown */
	/* Machine code that ran there, part of the time on a CPU in `states`. */
	struct native_share natives[NATIVES_MAX_OF_SHARE];
	const struct thread *thread; /* the loop's; with gil_held_by and the like the other one's,
					NULL if it is unknown */
	bool many_threads;	     /* it is one of several in which the function ran */
	const struct pool_report *pool;	 /* NULL: about none */
	const struct library_call *call; /* calls.h; NULL: none that is known */
	int32_t sysno;			 /* it slept in; SYSNO_UNKNOWN: in none, or in several */
	uint32_t file;			 /* … and on what (text); 0: unknown, or several */
	enum stop_kind stop;		 /* of `stopped` */
	/* Of thread_starved: the longest wait; how many threads waited for the same one; whether it
	 * is the thread that uvicorn's supervisor asks if the worker lives. `thread` waited; the
	 * handler, inner and states are those of who had the GIL for most of it. */
	const struct starvation *starved;
	uint32_t thread_count;
	bool ping;
	/* Of lock_held_by: who released the loop's thread; `thread` is the same. Of gil_held_by:
	 * who released `thread`, which had the GIL. */
	struct finding_release release;
	/* Of worker_died: the last of the processes that died like this. */
	const struct process_report *died;
	const struct stall *stall;    /* of deadlock: its chain says who waits for whom; of
					 worker_died: what its loop was in, NULL: nothing */
	const struct breakdown *what; /* of native_threads: the helpers of the longest stall */
	struct state_sums states;     /* what it did meanwhile, with gil_held_by and no_cpu */
	struct cpu_share neighbours[NEIGHBOURS_MAX]; /* who had the CPU, most first … */
	uint32_t neighbour_count, more_neighbours;   /* … and how many more */

	uint64_t ns;	   /* taken from the loops, over all stalls */
	uint64_t count;	   /* of stalls, or of what the rule counts */
	uint64_t worst_ns; /* the most in one stall */
	uint32_t *stalls;  /* listed stalls, numbered as the report lists them: by process, loop,
			      time */
	uint32_t stall_count, stall_room;
	bool ongoing; /* in a stall that had not ended */
	enum finding_evidence evidence;
};

/* What makes two findings one. Without padding: compared as bytes. */
struct finding_key {
	uint64_t process, thread, pool, call, death;
	uint32_t id, subject, function, inner, stop, released_in, sender;
	int32_t sysno;
};
/* The same for findings of reports that follow each other on one stream: processes and threads by
 * their numbers. */
struct finding_key finding_key_of(const struct finding *finding);

struct finding_list {
	struct finding *list; /* worst first */
	uint32_t count;
};

/* All findings of a report; at least one. NULL when memory is short. */
struct finding_list *findings_new(const struct report *report);
/* Those of one stall of a loop of `process`; none when its evidence is missing. Of `process` only
 * the model's object is read. */
struct finding_list *findings_of_stall(const struct report *report,
				       const struct process_report *process,
				       const struct stall *stall);
void findings_free(struct finding_list *findings);

/* The process that it is about; NULL: none, or several. */
static inline const struct process *one_process(const struct finding *finding)
{
	return finding->process && finding->process_count < 2 ? finding->process->process : NULL;
}

/* One sentence: what was found, in figures. */
void finding_text(struct text_buffer *text, const struct report *report,
		  const struct finding *finding);
/* What to do about it, in a sentence or two; adds nothing if there is nothing to do. */
void finding_advice(struct text_buffer *text, const struct report *report,
		    const struct finding *finding);

#endif
