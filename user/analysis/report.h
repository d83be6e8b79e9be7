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
};

/* Who held the GIL while a loop's thread waited for it. */
struct blocker {
	const struct thread *thread;
	struct state_sums states; /* what the blocker did meanwhile: python, held_blocked, held_runnable */
};
struct syscall_share {
	int32_t sysno; /* or SYSNO_… */
	uint64_t ns;
};
struct cpu_share {
	uint32_t pid, tid; /* 0: the CPU idled although a thread was waiting (throttled, or on its way) */
	char comm[17];
	uint64_t ns;
};

struct stall {
	uint64_t start, end;
	bool ongoing, whole;
	struct state_sums states; /* adds up to end - start exactly */
	enum thread_state cause;
	uint64_t throttled_ns;
	struct blocker *blockers; /* most first */
	uint32_t blocker_count;
	struct syscall_share *syscalls; /* most first */
	uint32_t syscall_count;
	struct cpu_share *preempted_by; /* most first */
	uint32_t preempted_by_count;
};

struct loop_report {
	const struct loop *loop;
	struct dist turn;	  /* whole turns; turn.count is `turns` */
	struct stall *stalls;	  /* in order of time */
	uint32_t stall_count;
	struct state_sums stalled; /* over all stalls, by state */
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

/* True when more than 0.1 % of the observed thread time is unknown because of losses, or events were lost: exit status 5. */
bool report_partial(const struct report *report);

struct report_builder;

/* A fold with this stall threshold. NULL when memory is short. */
struct report_builder *report_builder_new(uint64_t stall_ns, const struct stream_head *head);
void report_builder_free(struct report_builder *builder);
/* The model's sink that folds into the builder. */
struct model_sink report_builder_sink(struct report_builder *builder);

/*
 * The findings so far, after world_end() or world_cut(). `late` is the reorder stage's count, `truncated` the trace's. The report points into the
 * builder and the world, and is valid until either is fed or freed. 0 or -ENOMEM.
 */
int report_builder_finish(struct report_builder *builder, const struct world *world, uint64_t late, bool truncated, const struct report **ret_report);

#endif
