/* SPDX-License-Identifier: MIT */
/*
 * features.h - what this kernel and these privileges allow, and therefore which probes are
 * attached. `doctor` prints the same plan.
 */
#ifndef GILSCOPE_CAPTURE_FEATURES_H
#define GILSCOPE_CAPTURE_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

#include "stream/facts.h"

struct diag;

enum feature_id {
	FEATURE_CAPABILITIES, /* CAP_BPF + CAP_PERFMON + CAP_SYS_PTRACE, or CAP_SYS_ADMIN for the
				 first two */
	FEATURE_PID_NAMESPACE,
	FEATURE_BTF,
	FEATURE_LOCKDOWN,
	FEATURE_RINGBUF,
	FEATURE_UPROBES,
	FEATURE_UPROBE_MULTI,
	FEATURE_SCHED,
	FEATURE_LIFECYCLE,
	FEATURE_EPOLL,
	FEATURE_TASK_REGS,
	FEATURE_THROTTLE,
	FEATURE_CLOCK,
	FEATURE_PROGRAMS,
	FEATURE_TRACEFS,
	FEATURE_FILTER, /* docs/security.md */
	FEATURE_GIVING_UP,
	FEATURE_COUNT
};

struct feature {
	enum feature_id id;
	const char *name;    /* short: "kernel BTF" */
	const char *purpose; /* what it gives: "offsets of kernel structures" */
	bool required;	     /* nothing works without it */
	bool available;
	bool unchecked;	  /* could not be checked, `found` says why; then `available` is false */
	bool permission;  /* unavailable for lack of a capability */
	char found[400];  /* what was seen, or why it is not available */
	char remedy[300]; /* what to do about it; "" when available */
};

struct features {
	struct feature list[FEATURE_COUNT];
	bool syscall_events; /* system calls are traced by perf events instead of raw tracepoints;
				bpf/loop.bpf.c has the reason */
	bool cookies;	     /* a program knows which probe was hit (kernel 5.15) */
	uint32_t pid_namespace; /* inode of gilscope's PID namespace; 0: it is the kernel's own */
};

/* Examines the system. Loads and attaches nothing; takes milliseconds. */
void features_probe(struct features *features);

/* Fills FEATURE_PROGRAMS, which is unchecked until then: loads all programs as an observation
 * would, and unloads them. Takes about a second. */
void features_try_programs(struct features *features);

/* "ok", "no" (required and missing), "absent" (missing, and it works without) or "not_checked" */
const char *feature_state(const struct feature *feature);

static inline bool features_have(const struct features *features, enum feature_id id)
{
	return features->list[id].available;
}

/* Whether FEATURE_CLOCK is available, without examining the rest. */
bool features_clock(void);

/*
 * Reports the first feature that an observation in this mode requires and that is missing, as a
 * diag (EXIT_NOT_PERMITTED or EXIT_FAILED), and returns -EPERM or -EOPNOTSUPP; 0 if none is
 * missing. Features that could not be checked do not count as missing, because loading and
 * attaching the probes will show whether they are.
 */
int features_require(const struct features *features, enum evidence_mode mode, struct diag *diag);

/* Whether only uprobes are missing, so that mode futex is what remains. */
bool features_only_futex(const struct features *features);

#endif
