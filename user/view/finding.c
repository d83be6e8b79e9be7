/* SPDX-License-Identifier: MIT */
#include "view/finding.h"

#include "words/words.h"

void canvas_finding(const struct canvas *canvas, const struct report *report, uint32_t number,
		    const struct finding *finding)
{
	struct text_buffer text = {0}, source = {0}, advice = {0};
	char first[16];

	finding_text(&text, report, finding);
	text_add(&text, ".");
	snprintf(first, sizeof(first), "  %2u  ", number);
	canvas_paragraph(canvas, first, 6, &text);
	text_add_sources(&source, report, &finding->handler, &finding->inner, canvas->columns - 6);
	if (source.length)
		canvas_paragraph(canvas, "      ", 6, &source);
	finding_advice(&advice, report, finding);
	if (advice.length)
		canvas_paragraph(canvas, "      ", 6, &advice);
}
