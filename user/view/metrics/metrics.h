/* SPDX-License-Identifier: MIT */
/*
 * metrics.h - the totals of a service as OpenMetrics text, version 1.0.0
 * (https://prometheus.io/docs/specs/om/open_metrics_spec/), or in the older text format of
 * Prometheus, 0.0.4, which has no exemplars. Every label has a bound: a process is
 * named by its number (totals.h), functions and files by the first TOTALS_FUNCTIONS_MAX names.
 */
#ifndef GILSCOPE_VIEW_METRICS_METRICS_H
#define GILSCOPE_VIEW_METRICS_METRICS_H

#include <stdio.h>

#include "analysis/totals/totals.h"

enum metrics_format { METRICS_TEXT, METRICS_OPEN };
#define METRICS_TYPE_TEXT "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_TYPE_OPEN "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Of the observer itself. */
struct metrics_about {
	const char *version, *mode;
	uint64_t realtime_ns;		   /* added to a time stamp it gives the time of day */
	uint64_t cpu_ns, resident_bytes;   /* of gilscope */
	uint64_t recordings, not_recorded; /* files that were written, and that could not be */
	uint64_t left_out;		   /* events that could not be told */
};

/* 0, or -errno of a failed write. */
int view_metrics(FILE *file, enum metrics_format format, const struct totals *totals,
		 const struct metrics_about *about);

#endif
