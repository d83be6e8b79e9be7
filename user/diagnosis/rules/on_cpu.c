/* SPDX-License-Identifier: MIT */
/* What the loop's own thread did on a CPU: Python, C code, imports; what frameworks do there around
 * the application has its texts in framework.c. Whose it is comes from samples. */
#include <string.h>

#include "diagnosis/calls.h"
#include "diagnosis/rule.h"
#include "words/names.h"
#include "words/words.h"

/* Whether a module is being loaded: importlib's frames are frozen, or in importlib/. */
static bool is_import(const struct report *report, uint32_t id)
{
	const struct definition *stack = stack_of(report, id);

	for (uint32_t i = 0; stack && i < stack->stack.count; i++) {
		struct frame_names words = frame_names(report, &stack->stack.frames[i]);

		if (words.function && (!strcmp(words.file, "<frozen importlib._bootstrap>") ||
				       strstr(words.file, "importlib/_bootstrap.py")))
			return true;
	}
	return false;
}

/* Collects the whole time of a share as one finding, if it is anything more special than Python or
 * C code of the application. */
static bool collect_special(struct collector *collector, const struct stall_view *view,
			    const struct stack_share *share, uint64_t ns)
{
	struct finding finding;

	if (is_import(view->report, share->stack))
		finding = finding_of_stack(view, FINDING_IMPORT_ON_LOOP, share->stack);
	else if (!finding_of_busy_run(view, share, &finding) &&
		 !finding_of_body(view, share, &finding))
		return false;
	finding.evidence = EVIDENCE_SAMPLED;
	finding.states = share->states;
	collector_add(collector, &finding, ns);
	return true;
}

static void collect_on_cpu(struct collector *collector, const struct stall_view *view,
			   enum finding_id id, const struct stack_share *share)
{
	uint64_t python = share->states.ns[TS_PYTHON], native = share->states.ns[TS_NATIVE];
	struct finding finding;

	python -= share->gc_ns < python ? share->gc_ns : python;
	if (collect_special(collector, view, share, python + native))
		return;
	finding = finding_of_stack(view, FINDING_RUNNING_PYTHON, share->stack);
	finding.evidence = share->stack ? EVIDENCE_SAMPLED : EVIDENCE_TRACED;
	finding.states = share->states;
	memcpy(finding.natives, share->natives, sizeof(finding.natives));
	collector_add(collector, &finding, python);
	finding.id = FINDING_NATIVE_CODE;
	collector_add(collector, &finding, native);
}

/* Of all rules about time on a CPU: each share is one's. */
static void stall_on_cpu(struct collector *collector, const struct stall_view *view)
{
	for_each_stack(collector, view, FINDING_RUNNING_PYTHON, collect_on_cpu);
}

static void add_call(struct text_buffer *text, const struct finding *finding)
{
	if (finding->call)
		text_add(text, " in %s", finding->call->what);
}

static void add_advice(struct text_buffer *text, const struct finding *finding)
{
	if (finding->call)
		text_add(text, "%s ", finding->call->advice[CALL_RAN]);
}

static void text_python(struct text_buffer *text, const struct report *report,
			const struct finding *finding)
{
	bool comma;

	add_function(text, report, finding);
	add_call(text, finding);
	text_add(text, " ran Python (or C code holding the GIL)");
	comma = add_native(text, report, finding, TS_PYTHON);
	text_add(text, "%s on the event loop for ", comma ? "," : "");
	add_figures(text, finding);
}

static void advise_python(struct text_buffer *text, const struct report *report,
			  const struct finding *finding)
{
	if (finding->stack && finding->handler.role == HANDLER_NONE && !finding->call)
		return;
	add_advice(text, finding);
	if (finding->process && !finding->process->process->info.gil_enabled)
		text_add(text, "Split it up with awaits, or call it in a thread "
			       "(asyncio.to_thread): with the GIL off, Python code runs beside the "
			       "loop.");
	else
		text_add(text, "Split it up with awaits, or move it to a process pool. A worker "
			       "thread would not help: it would compete for the GIL.");
}

static void text_native(struct text_buffer *text, const struct report *report,
			const struct finding *finding)
{
	bool gil = !finding->process || finding->process->process->info.gil_enabled;
	bool comma;

	add_function(text, report, finding);
	add_call(text, finding);
	text_add(text, gil ? " ran C code or system calls (without the GIL)" : " ran");
	comma = add_native(text, report, finding, TS_NATIVE);
	text_add(text, "%s on the event loop for ", comma ? "," : "");
	add_figures(text, finding);
}

static void advise_native(struct text_buffer *text, const struct report *report,
			  const struct finding *finding)
{
	if (finding->stack && finding->handler.role == HANDLER_NONE && !finding->call)
		return;
	add_advice(text, finding);
	text_add(text, "Call it in a thread (asyncio.to_thread): it then runs beside the loop.");
}

static void text_import(struct text_buffer *text, const struct report *report,
			const struct finding *finding)
{
	add_function(text, report, finding);
	text_add(text, " imported a module on the event loop: ");
	add_figures(text, finding);
}

static void advise_import(struct text_buffer *text, const struct report *report,
			  const struct finding *finding)
{
	text_add(text, "Import it when the application starts, not in a handler.");
}

const struct rule rule_running_python = {
	.stall = stall_on_cpu, .text = text_python, .advice = advise_python};
const struct rule rule_native_code = {.text = text_native, .advice = advise_native};
const struct rule rule_import_on_loop = {.text = text_import, .advice = advise_import};
