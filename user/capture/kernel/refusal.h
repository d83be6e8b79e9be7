/* SPDX-License-Identifier: MIT */
/*
 * refusal.h - why the kernel refused the BPF programs, extracted from libbpf's warnings: the
 * program or map, and the last meaningful line of the verifier's log. Pure, so that it can be
 * tested with the output of real kernels.
 */
#ifndef GILSCOPE_CAPTURE_REFUSAL_H
#define GILSCOPE_CAPTURE_REFUSAL_H

#include <stdbool.h>

struct refusal {
	char subject[80]; /* "program on_switch", "map ring"; "" when libbpf names none */
	char reason[300]; /* one line, the verifier's if there is one, else libbpf's; "" when there
			     was nothing */
	bool verifier;	  /* `reason` is the verifier's */
};

/* Takes one warning of libbpf, which may have many lines. The first program with a verifier's log
 * is the one that is reported. */
void refusal_note(struct refusal *refusal, const char *message);

#endif
