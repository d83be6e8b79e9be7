/* SPDX-License-Identifier: MIT */
/*
 * finding.h - a finding on a canvas, for every view that shows text.
 */
#ifndef GILSCOPE_VIEW_FINDING_H
#define GILSCOPE_VIEW_FINDING_H

#include "diagnosis/findings.h"
#include "words/canvas.h"

/* Prints its number, its sentence, and below it the line of source and what to do. */
void canvas_finding(const struct canvas *canvas, const struct report *report, uint32_t number,
		    const struct finding *finding);

#endif
