/* SPDX-License-Identifier: MIT */
/*
 * processes.h - the processes of a service as a table, for every view that shows text.
 */
#ifndef GILSCOPE_VIEW_PROCESSES_H
#define GILSCOPE_VIEW_PROCESSES_H

#include "analysis/report.h"
#include "words/canvas.h"

/* Prints the titles of the columns and a row for each of the first `count` processes of a list of
 * service_sort()'s. */
void canvas_processes(const struct canvas *canvas, const struct report *report,
		      const struct process_report *const *sorted, uint32_t count);

#endif
