/* SPDX-License-Identifier: MIT */
/*
 * text_answer.h - the short answer: how much of the time the event loops were unresponsive, where
 * that time went, and who was behind it. For one screen, eight lines, or Markdown.
 */
#ifndef GILSCOPE_VIEW_TEXT_TEXT_ANSWER_H
#define GILSCOPE_VIEW_TEXT_TEXT_ANSWER_H

#include "view/service.h"
#include "view/text/text.h"

/* "The event loop was unresponsive for 38 % of the time: 19 stalls, …" */
void text_unresponsive(struct text_buffer *text, const struct report *report,
		       const struct unresponsive *all);

struct share {
	const char *label;
	uint64_t ns;
	uint32_t ids; /* findings that say who was behind it, one bit each */
};

/* The parts, largest first; they add up to the stalls' time. Returns how many are not empty. */
#define UNRESPONSIVE_PARTS 8
uint32_t unresponsive_split(const struct unresponsive *all,
			    struct share shares[static UNRESPONSIVE_PARTS]);

/* Who was behind a part, by the first finding of its kind. */
void share_who(struct text_buffer *text, const struct report *report,
	       const struct finding_list *findings, uint32_t ids);

#endif
