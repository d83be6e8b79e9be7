/* SPDX-License-Identifier: MIT */
/*
 * sentences.h - what a report says in words: the verdict, what to do, what is not known. The same
 * words in every view that speaks. Internal to the room.
 *
 * Plain text, not wrapped, without colour; a no-break space keeps a number and its unit together.
 */
#ifndef GILSCOPE_DIAGNOSIS_SENTENCES_H
#define GILSCOPE_DIAGNOSIS_SENTENCES_H

#include "words/words.h"

/* Where paragraphs go, one call each. */
struct listener {
	void (*hear)(void *ctx, const struct text_buffer *paragraph);
	void *ctx;
};

/* Whether the process's event loops were starved, and by what: a paragraph a loop. */
void verdict_tell(const struct report *report, const struct process_report *process,
		  const struct listener *to);

/* What the report does not know; nothing when it knows all. */
void caveats_tell(const struct report *report, const struct listener *to);

/* Adds what to do about a stall: general by its cause, sharper where its facts allow. */
void remedy_add(struct text_buffer *text, const struct report *report,
		const struct process *process, const struct stall *stall);

#endif
