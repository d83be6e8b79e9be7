/* SPDX-License-Identifier: MIT */
/*
 * diagnosis.h - what follows from a report, as paragraphs: the verdict on a process's event loops,
 * what to do about a stall, and the caveats. Every view that prints text prints these, so all of
 * them say the same.
 *
 * Pure: each function reads a finished report and has no state. Paragraphs are plain text in UTF-8:
 * not wrapped, without colour, with a no-break space (NBSP) between a number and its unit, and with
 * everything that came from the target escaped (words/words.h).
 *
 * A paragraph that does not fit into struct text_buffer is cut.
 */
#ifndef GILSCOPE_DIAGNOSIS_DIAGNOSIS_H
#define GILSCOPE_DIAGNOSIS_DIAGNOSIS_H

#include "words/words.h"

/* Receives the paragraphs in the order in which they are to be read. A paragraph is valid during
 * the call only. */
struct paragraph_sink {
	void (*put)(void *ctx, const struct text_buffer *paragraph);
	void *ctx;
};

/* True when no thread of the process ran an event loop, according to Python's own state. Its
 * report is about threads and the GIL. False if there is no data about loops. */
bool process_without_loops(const struct process_report *process);
/* The same of all processes. */
bool report_without_loops(const struct report *report);

/* False when nothing can be said about what was to be observed: the process runs no event loop and
 * does nothing, and those below it serve (finding `supervisor`). */
bool diagnosis_applies(const struct report *report);
/* How many of those that serve below a process without loops, or below a supervisor, are not part
 * of the report. */
uint32_t supervisor_unobserved(const struct report *report, const struct process_report *process);

/*
 * Whether the event loops of `process` were held up, and by what: one paragraph for each loop, or
 * one that no loop was found, or about the GIL if it runs none for certain; before them one about
 * the GIL, if Python was started without it.
 */
void verdict_paragraphs(const struct report *report, const struct process_report *process,
			const struct paragraph_sink *sink);

/*
 * What the report does not know, and how far its figures can be trusted: one paragraph for each
 * kind of lost or missing data. No paragraph at all means that nothing is missing.
 */
void caveats_paragraphs(const struct report *report, const struct paragraph_sink *sink);

/* Whether the process died of something else than being asked to end. `serves`: it has run an event
 * loop, so that an exit with an error counts. */
bool death_is_trouble(const struct process *process, bool serves);
/* Appends how it died: "killed by SIGKILL from process 4700 (uvicorn app:app)", after " was " or
 * " were "; or " exited with status 1". */
void text_add_death(struct text_buffer *text, const struct process *process, bool many);

/*
 * Appends what to do about `stall`, a stall of one of the loops of `process`: the advice of its
 * largest findings (findings.h). Nothing where there is nothing to do. 0 or -ENOMEM.
 */
int remedy_add(struct text_buffer *text, const struct report *report, const struct process *process,
	       const struct stall *stall);

#endif
