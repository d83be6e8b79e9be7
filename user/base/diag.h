/* SPDX-License-Identifier: MIT */
/*
 * diag.h - error messages for people.
 *
 * Filled where the cause is known, with one clear sentence and what to do next; printed once, in
 * cmd/. Other rooms never print and never exit. Convention: a function that can fail returns 0 or
 * -errno, and takes a `struct diag *`, which it fills when it fails.
 */
#ifndef GILSCOPE_BASE_DIAG_H
#define GILSCOPE_BASE_DIAG_H

/* Exit statuses that gilscope promises (man page, EXIT STATUS). */
enum exit_status {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_PERMITTED = 3, /* `what` names the missing capability */
	EXIT_UNSUPPORTED = 4,	/* the target is not supported, `what` says why */
	EXIT_PARTIAL = 5,	/* the result is there, but data was lost */
	EXIT_INTERRUPTED = 130,
};

struct diag {
	enum exit_status status; /* the exit status for this failure; EXIT_OK as long as nothing has
				    failed */
	char what[512];		 /* what failed: a sentence without the final full stop */
	char hint[512];		 /* what to do next, or "" */
};

/* Sets the failure and clears the hint. Returns `err`, which is -errno, for `return
 * diag_set(…)`. */
int diag_set(struct diag *diag, enum exit_status status, int err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Adds what to do next. */
void diag_hint(struct diag *diag, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
