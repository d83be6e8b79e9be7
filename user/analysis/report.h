/* SPDX-License-Identifier: MIT */
/*
 * report.h - the findings: everything that `gilscope report` says, folded from the model's intervals.
 *
 * The fold runs while the model runs; its memory is bounded by threads, GILs, loops and reported stalls, not by the length of the recording.
 * Views read `struct report` and nothing else, so text, JSON and pages agree to the nanosecond. Meanings are the contract's (docs/model.md).
 */
#ifndef GILSCOPE_ANALYSIS_REPORT_H
#define GILSCOPE_ANALYSIS_REPORT_H

#include "analysis/dist.h"
#include "model/model.h"

/* Nanoseconds by state. The sum is the time covered. */
struct state_sums {
	uint64_t ns[TS_COUNT];
};
uint64_t state_sums_total(const struct state_sums *sums);
/* The state with the largest share; ties go to the first. TS_UNKNOWN for an empty sum. */
enum thread_state state_sums_largest(const struct state_sums *sums);

struct gil_report {
	const struct gil *gil;
	uint64_t held_ns;      /* some thread certainly held it */
	uint64_t contended_ns; /* at least one thread waited for it */
	uint64_t handoffs;     /* changes of holder */
	uint64_t forced;       /* drops that answered a drop request */
	struct dist hold, wait;
};

struct thread_report {
	const struct thread *thread;
	struct state_sums states;
	uint64_t holds, waits, forced_drops;
	uint64_t held_ns;      /* of `states`: with the GIL */
	uint64_t sampled_ns;   /* of `states`: python and native told apart by observations only */
};

#define TID_OTHERS UINT32_MAX

/* Who held the GIL while a loop's thread waited for it. */
struct blocker {
	const struct thread *thread;
	struct state_sums states; /* what the blocker did meanwhile: python, held_blocked, held_runnable; unknown: it held the GIL, that is known */
};
struct syscall_share {
	int32_t sysno; /* or SYSNO_… */
	uint64_t ns;
};
struct cpu_share {
	uint32_t pid; /* 0: the CPU idled although a thread was waiting (throttled, or on its way) … */
	uint32_t tid; /* … or, with TID_OTHERS, too many to tell apart; else the first of the process's threads that had the CPU */
	char comm[17];
	uint64_t ns;
};

/* Where the time of one stall, or of many, went. */
struct breakdown {
	struct state_sums states;
	uint64_t throttled_ns;	 /* of `states`: ready to run, but the cgroup's CPU quota was used up */
	/* each most first */
	struct blocker *blockers;
	struct syscall_share *syscalls;
	struct cpu_share *preempted_by;
	uint32_t blocker_count, syscall_count, preempted_by_count;
	uint32_t blocker_room, syscall_room, preempted_by_room; /* allocated entries */
};

struct stall {
	uint64_t start, end;
	bool ongoing;		  /* the window ended inside it */
	bool whole;		  /* false: evidence began or ended inside it, so its length is only a lower bound */
	enum thread_state cause;  /* the largest of what.states */
	struct breakdown what;	  /* what.states adds up to end - start exactly */
};

struct loop_report {
	const struct loop *loop;
	struct dist turn;	  /* whole turns; turn.count is `turns` */
	struct stall *stalls;	  /* in order of time */
	uint32_t stall_count;
	struct breakdown stalled; /* over all stalls */
	uint64_t longest_ns;	  /* the longest turn of all, whole or not */
};

struct process_report {
	const struct process *process;
	struct gil_report *gils;
	uint32_t gil_count;
	struct thread_report *threads; /* Python threads, in order of appearance */
	uint32_t thread_count;
	struct loop_report *loops;
	uint32_t loop_count;
};

struct report {
	char version[32], mode[16];
	struct world_window window;
	uint64_t late;
	uint64_t unknown_ns, sampled_ns; /* summed over the Python threads */
	uint64_t thread_ns;		 /* all Python threads' time: what unknown_ns is a share of */
	uint64_t stall_ns;		 /* the threshold */
	bool truncated;			 /* the recording was cut off */
	struct process_report *processes;
	uint32_t process_count;
};

/*
 * True when evidence was lost or came too late and more than 0.1 % of the observed thread time is unknown: exit status 5. What is unknown only
 * because no thread had shown itself yet after attaching does not make a report partial.
 */
bool report_partial(const struct report *report);

struct report_builder;

/* A fold with this stall threshold. NULL when memory is short. */
struct report_builder *report_builder_new(uint64_t stall_ns, const struct stream_head *head);
void report_builder_free(struct report_builder *builder);
/* The model's sink that folds into the builder. */
struct model_sink report_builder_sink(struct report_builder *builder);

/*
 * The findings so far, after world_end() or world_cut(); may be called again and again while feeding goes on. `late` is the reorder stage's count,
 * `truncated` says that the recording was cut off. The report points into the builder and the world: read it before either is fed, called again or
 * freed. 0 or -ENOMEM, also when memory was short while folding.
 */
int report_builder_finish(struct report_builder *builder, const struct world *world, uint64_t late, bool truncated, const struct report **ret_report);

#endif
