/* SPDX-License-Identifier: MIT */
/* What happens between the event loop and the application's own code: bodies of requests and
 * responses, and awaits that need not wait. */
#include <ctype.h>

#include "diagnosis/calls.h"
#include "diagnosis/rule.h"
#include "words/names.h"
#include "words/words.h"

static uint64_t on_cpu_of(const struct state_sums *states)
{
	return states->ns[TS_PYTHON] + states->ns[TS_NATIVE];
}

/* ── awaits that need not wait ───────────────────────────────────────────── */

/*
 * An await that has to wait ends the turn. So whatever one run of a coroutine did in one turn, it
 * did without waiting. Two runs are two tasks, and each may have awaited once.
 */
struct busy_run busy_run_of(const struct stall_view *view)
{
	const struct breakdown *what = &view->stall->what;
	uint64_t awaited = 0, whole = 0, most = 0;
	struct busy_run run = {0};

	for (uint32_t i = 0; i < what->stack_count; i++) {
		const struct stack_share *share = &what->stacks[i];
		const struct library_call *call =
			share->root && on_cpu_of(&share->states) > most
				? call_of_stack(view->report, share->stack, CALL_AWAITED)
				: NULL;

		if (!call)
			continue;
		most = on_cpu_of(&share->states);
		run = (struct busy_run){.root = share->root, .call = call};
	}
	for (uint32_t i = 0; run.root && i < what->stack_count; i++) {
		const struct stack_share *share = &what->stacks[i];

		if (share->root != run.root)
			continue;
		whole += on_cpu_of(&share->states);
		if (call_of_stack(view->report, share->stack, CALL_AWAITED))
			awaited += on_cpu_of(&share->states);
	}
	return whole >= view->report->stall_ns && awaited >= whole / 2 ? run : (struct busy_run){0};
}

bool finding_of_busy_run(const struct stall_view *view, const struct stack_share *share,
			 struct finding *ret_finding)
{
	if (!share->root || share->root != view->busy.root)
		return false;
	*ret_finding = finding_of_stack(view, FINDING_NEVER_YIELDS, share->stack);
	ret_finding->call = view->busy.call;
	ret_finding->inner = (struct stack_frame){0};
	return true;
}

static void text_never_yields(struct text_buffer *text, const struct report *report,
			      const struct finding *finding)
{
	add_function(text, report, finding);
	text_add(text,
		 " awaited %s, which never had to wait, so nothing else could run on the event "
		 "loop for ",
		 finding->call->what);
	add_figures(text, finding);
}

static void advise_never_yields(struct text_buffer *text, const struct report *report,
				const struct finding *finding)
{
	text_add(text, "%s", finding->call->advice[CALL_AWAITED]);
}

/* ── bodies ──────────────────────────────────────────────────────────────── */

/* The application's function that the same run of a coroutine was in, in the same turn. */
static struct handler handler_beside(const struct stall *stall, uint64_t root)
{
	struct handler found = {.role = HANDLER_NONE};

	for (uint32_t i = 0; root && i < stall->part_count; i++) {
		const struct turn_part *part = &stall->parts[i];

		if (part->root == root && part->handler.role == HANDLER_ROUTE)
			found = part->handler;
	}
	return found;
}

/* Inside a function of the application such work is its own, except in a middleware, which passes
 * the request on. */
bool finding_of_body(const struct stall_view *view, const struct stack_share *share,
		     struct finding *ret_finding)
{
	const struct library_call *call;
	struct finding finding = finding_of_stack(view, FINDING_RESPONSE_OR_REQUEST_BODY,
						  share->stack);

	if (finding.handler.role != HANDLER_NONE && finding.handler.role != HANDLER_MIDDLEWARE)
		return false;
	call = call_of_stack(view->report, share->stack, CALL_BODY);
	if (!call)
		return false;
	finding.call = call;
	finding.handler = handler_beside(view->stall, share->root);
	finding.inner = finding.caller = (struct stack_frame){0};
	*ret_finding = finding;
	return true;
}

static void text_body(struct text_buffer *text, const struct report *report,
		      const struct finding *finding)
{
	text_add(text, "%c%s", toupper((unsigned char)finding->call->what[0]),
		 finding->call->what + 1);
	if (finding->handler.role != HANDLER_NONE) {
		text_add(text, " for ");
		text_add_handler(text, report, &finding->handler);
		text_add(text, ",");
	}
	text_add(text, " kept the event loop busy for ");
	add_figures(text, finding);
}

static void advise_body(struct text_buffer *text, const struct report *report,
			const struct finding *finding)
{
	text_add(text, "%s", finding->call->advice[CALL_BODY]);
}

const struct rule rule_never_yields = {.text = text_never_yields, .advice = advise_never_yields};
const struct rule rule_response_or_request_body = {.text = text_body, .advice = advise_body};
