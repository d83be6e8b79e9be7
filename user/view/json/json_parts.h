/* SPDX-License-Identifier: MIT */
/* json_parts.h - objects that several files of this view write. */
#ifndef GILSCOPE_VIEW_JSON_PARTS_H
#define GILSCOPE_VIEW_JSON_PARTS_H

#include "diagnosis/findings.h"
#include "view/json_out.h"

#define JSON_TABLE "view/json/report.def"
#include "view/json_table.h"

/* Each returns a new reference. */
json_t *json_frame(const struct report *report, const struct stack_frame *frame);
/* null for HANDLER_NONE. */
json_t *json_handler(const struct report *report, const struct handler *handler);
json_t *json_occupant(const struct cpu_share *share);
json_t *json_finding(const struct report *report, const struct finding *finding);

#endif
