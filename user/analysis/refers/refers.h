/* SPDX-License-Identifier: MIT */
/*
 * refers.h - which definitions the parts of a report refer to. Internal to the room.
 */
#ifndef GILSCOPE_ANALYSIS_REFERS_REFERS_H
#define GILSCOPE_ANALYSIS_REFERS_REFERS_H

#include "analysis/fold.h"

void handler_refers(const struct handler *handler, const struct definition_visit *visit);
void breakdown_refers(const struct breakdown *what, const struct definition_visit *visit);
void stall_refers(const struct stall *stall, const struct definition_visit *visit);
void starvation_refers(const struct starvation *starved, const struct definition_visit *visit);
void pool_refers(const struct pool_report *pool, const struct definition_visit *visit);
/* Of a turn in progress. */
void turn_refers(const struct turn_stacks *turn, const struct definition_visit *visit);
/* Of processes that have ended; NULL is fine. */
void ended_refers(const struct ended *ended, const struct definition_visit *visit);

/* names_leave.c: sums by stack become sums by handler, if the stack is forgotten, or all. 0 or
 * -ENOMEM. */
int flames_leave(struct report_builder *builder, const struct dictionary *dictionary);

#endif
