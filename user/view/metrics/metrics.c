/* SPDX-License-Identifier: MIT */
#include "view/metrics/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "base/duration.h"
#include "base/escape.h"
#include "symbols/pools/pools.h"
#include "words/names.h"
#include "words/words.h"

/* ── the format ──────────────────────────────────────────────────────────────────────────────── */

enum unit { UNIT_SECONDS, UNIT_COUNT };

struct metrics_out {
	FILE *file;
	enum metrics_format format;
};

static void head(const struct metrics_out *out, const char *name, const char *type, enum unit unit,
		 const char *help)
{
	bool open = out->format == METRICS_OPEN;
	const char *end = !open && !strcmp(type, "counter") ? "_total"
			  : !open && !strcmp(type, "info")  ? "_info"
							    : "";

	fprintf(out->file, "# TYPE gilscope%s%s %s\n", name, end,
		!open && !strcmp(type, "info") ? "gauge" : type);
	if (open && unit == UNIT_SECONDS)
		fprintf(out->file, "# UNIT gilscope%s seconds\n", name);
	fprintf(out->file, "# HELP gilscope%s%s %s\n", name, end, help);
}

static void put_seconds(const struct metrics_out *out, uint64_t ns)
{
	fprintf(out->file, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);
}

static void put_value(const struct metrics_out *out, enum unit unit, uint64_t value)
{
	if (unit == UNIT_SECONDS)
		put_seconds(out, value);
	else
		fprintf(out->file, "%" PRIu64, value);
}

/* A label's value from the target: without what a terminal or a page should not see, and with the
 * quoting of the format. */
static void put_label(const struct metrics_out *out, const char *text)
{
	char escaped[4 * TOTALS_NAME_MAX];

	escape_text(escaped, sizeof(escaped), text, strlen(text));
	for (const char *c = escaped; *c; c++)
		fprintf(out->file, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
}

/* ── processes ───────────────────────────────────────────────────────────────────────────────── */

static const struct {
	enum worker_counter counter;
	enum unit unit;
	const char *name, *help;
} COUNTERS[] = {
	{WORKER_STALLS, UNIT_COUNT, "_stalls", "Iterations of event loops over the threshold."},
	{WORKER_FREEZES, UNIT_COUNT, "_freezes", "Runs of two stalls or more."},
	{WORKER_GIL_HELD_NS, UNIT_SECONDS, "_gil_held_seconds",
	 "Time in which a known thread held the GIL."},
	{WORKER_GIL_CONTENDED_NS, UNIT_SECONDS, "_gil_contended_seconds",
	 "Time in which at least one thread waited for the GIL."},
	{WORKER_HANDOFFS, UNIT_COUNT, "_gil_handoffs", "Changes of the GIL's holder."},
	{WORKER_FORCED, UNIT_COUNT, "_gil_forced_drops",
	 "Releases of the GIL that a waiter had requested."},
	{WORKER_STARVED, UNIT_COUNT, "_threads_starved",
	 "Long waits of threads for the GIL that others held."},
	{WORKER_STARVED_NS, UNIT_SECONDS, "_threads_starved_seconds", "The length of these waits."},
	{WORKER_WORLD_STOPPED_NS, UNIT_SECONDS, "_world_stopped_seconds",
	 "Stop-the-world pauses of free-threaded builds."},
	{WORKER_GC_NS, UNIT_SECONDS, "_stall_gc_seconds",
	 "Part of the stalls in the garbage collector."},
	{WORKER_THROTTLED_NS, UNIT_SECONDS, "_stall_throttled_seconds",
	 "Part of the stalls in which a CPU quota was used up."},
	{WORKER_LOST, UNIT_COUNT, "_worker_events_lost",
	 "Events that were lost, of the process; what they would have shown is unknown."},
};

static void put_counters(const struct metrics_out *out, const struct totals *totals)
{
	for (size_t i = 0; i < sizeof(COUNTERS) / sizeof(COUNTERS[0]); i++) {
		head(out, COUNTERS[i].name, "counter", COUNTERS[i].unit, COUNTERS[i].help);
		for (uint32_t n = 0; n < totals->worker_count; n++) {
			fprintf(out->file, "gilscope%s_total{worker=\"%u\"} ", COUNTERS[i].name, n);
			put_value(out, COUNTERS[i].unit,
				  totals->workers[n]->shown[COUNTERS[i].counter]);
			fputc('\n', out->file);
		}
	}
}

/* A family with a series for each process and state. */
static void put_states(const struct metrics_out *out, const struct totals *totals, const char *name,
		       const char *help, enum worker_counter first)
{
	head(out, name, "counter", UNIT_SECONDS, help);
	for (uint32_t n = 0; n < totals->worker_count; n++)
		for (int state = 0; state < TS_COUNT; state++) {
			fprintf(out->file, "gilscope%s_total{worker=\"%u\",state=\"%s\"} ", name, n,
				thread_state_name((enum thread_state)state));
			put_seconds(out, totals->workers[n]->shown[first + state]);
			fputc('\n', out->file);
		}
}

/* The class's bound, as seconds; "+Inf". */
static void put_bound(const struct metrics_out *out, int class)
{
	if (class < TOTALS_BOUNDS)
		fprintf(out->file, "%g", (double)totals_bounds[class] / (double)NS_PER_S);
	else
		fputs("+Inf", out->file);
}

static void put_iterations(const struct metrics_out *out, const struct totals *totals)
{
	const char *name = "_loop_iteration_seconds";

	head(out, name, "histogram", UNIT_SECONDS,
	     "Iterations of event loops: how long a callback that became ready at their begin had "
	     "to wait at most.");
	for (uint32_t n = 0; n < totals->worker_count; n++) {
		const uint64_t *shown = totals->workers[n]->shown;

		for (int class = 0; class <= TOTALS_BOUNDS; class ++) {
			fprintf(out->file, "gilscope%s_bucket{worker=\"%u\",le=\"", name, n);
			put_bound(out, class);
			fprintf(out->file, "\"} %" PRIu64 "\n", shown[WORKER_TURNS + class]);
		}
		fprintf(out->file, "gilscope%s_count{worker=\"%u\"} %" PRIu64 "\n", name, n,
			shown[WORKER_TURNS + TOTALS_BOUNDS]);
		fprintf(out->file, "gilscope%s_sum{worker=\"%u\"} ", name, n);
		put_seconds(out, shown[WORKER_TURN_NS]);
		fputc('\n', out->file);
	}
}

static void put_workers(const struct metrics_out *out, const struct totals *totals)
{
	char title[PROCESS_TITLE_MAX];

	head(out, "_worker", "info", UNIT_COUNT, "The process that has the number now.");
	for (uint32_t n = 0; n < totals->worker_count; n++) {
		const struct process *process = totals->workers[n]->process;

		if (!process)
			continue;
		fprintf(out->file, "gilscope_worker_info{worker=\"%u\",pid=\"%u\",process=\"", n,
			process->info.pid);
		put_label(out, process_title(process, title));
		fputs("\"} 1\n", out->file);
	}
}

/* A gauge with a series for each process that is there. */
static void put_gauges(const struct metrics_out *out, const struct totals *totals)
{
	head(out, "_threads", "gauge", UNIT_COUNT, "Threads that run Python, or an event loop.");
	for (uint32_t n = 0; n < totals->worker_count; n++)
		if (totals->workers[n]->process)
			fprintf(out->file, "gilscope_threads{worker=\"%u\"} %u\n", n,
				totals->workers[n]->threads);
	head(out, "_gil_waiters", "gauge", UNIT_COUNT, "Threads that wait for the GIL now.");
	for (uint32_t n = 0; n < totals->worker_count; n++)
		if (totals->workers[n]->process)
			fprintf(out->file, "gilscope_gil_waiters{worker=\"%u\"} %u\n", n,
				totals->workers[n]->waiters);
	head(out, "_loop_ongoing_seconds", "gauge", UNIT_SECONDS,
	     "The longest iteration in progress of its event loops.");
	for (uint32_t n = 0; n < totals->worker_count; n++)
		if (totals->workers[n]->process) {
			fprintf(out->file, "gilscope_loop_ongoing_seconds{worker=\"%u\"} ", n);
			put_seconds(out, totals->workers[n]->ongoing_ns);
			fputc('\n', out->file);
		}
}

static void put_pools(const struct metrics_out *out, const struct totals *totals, bool busy)
{
	head(out, busy ? "_pool_busy_threads" : "_pool_threads", "gauge", UNIT_COUNT,
	     busy ? "How many of the threads of its pools were busy in the last second, on average."
		  : "Threads of its pools.");
	for (uint32_t n = 0; n < totals->worker_count; n++)
		for (int kind = POOL_NONE + 1; kind < POOL_KINDS; kind++) {
			const struct worker_totals *worker = totals->workers[n];

			if (!worker->process || !worker->pools[kind].threads)
				continue;
			fprintf(out->file, "gilscope_pool_%sthreads{worker=\"%u\",kind=\"%s\"} ",
				busy ? "busy_" : "", n, pool_kind_name((enum pool_kind)kind));
			if (busy)
				fprintf(out->file, "%.3f\n",
					totals->step_ns ? (double)worker->pools[kind].busy_ns /
								  (double)totals->step_ns
							: 0.0);
			else
				fprintf(out->file, "%u\n", worker->pools[kind].threads);
		}
}

/* ── the service ─────────────────────────────────────────────────────────────────────────────── */

static void put_exemplar(const struct metrics_out *out, const struct stall_class *class,
			 uint64_t realtime_ns)
{
	fputs(" # {recording=\"", out->file);
	put_label(out, class->recording);
	fputs("\"} ", out->file);
	put_seconds(out, class->ns);
	if (realtime_ns) {
		fputc(' ', out->file);
		put_seconds(out, realtime_ns + class->ts);
	}
}

static void put_stalls(const struct metrics_out *out, const struct totals *totals,
		       uint64_t realtime_ns)
{
	uint64_t count = 0;

	head(out, "_stall_seconds", "histogram", UNIT_SECONDS,
	     "Stalls by length; the exemplar names the recording of the latest one.");
	for (int class = 0; class <= TOTALS_BOUNDS; class ++) {
		count += totals->stalls[class].count;
		fputs("gilscope_stall_seconds_bucket{le=\"", out->file);
		put_bound(out, class);
		fprintf(out->file, "\"} %" PRIu64, count);
		if (totals->stalls[class].recording[0] && out->format == METRICS_OPEN)
			put_exemplar(out, &totals->stalls[class], realtime_ns);
		fputc('\n', out->file);
	}
	fprintf(out->file, "gilscope_stall_seconds_count %" PRIu64 "\ngilscope_stall_seconds_sum ",
		count);
	put_seconds(out, totals->stall_ns);
	fputc('\n', out->file);
}

static void put_function(const struct metrics_out *out, const struct function_totals *function,
			 bool other)
{
	fputs("{function=\"", out->file);
	put_label(out, other ? "(other)" : function->function);
	fputs("\",file=\"", out->file);
	put_label(out, other ? "" : function->file);
	fputs("\"} ", out->file);
}

static void put_functions(const struct metrics_out *out, const struct totals *totals,
			  enum unit unit)
{
	const char *name = unit == UNIT_SECONDS ? "_function_stall_seconds" : "_function_stalls";

	head(out, name, "counter", unit,
	     unit == UNIT_SECONDS
		     ? "The length of the stalls of which the function had most, or held the GIL."
		     : "The number of these stalls.");
	for (uint32_t i = 0; i <= TOTALS_FUNCTIONS_MAX; i++) {
		const struct function_totals *function = &totals->functions[i];
		bool other = i == TOTALS_FUNCTIONS_MAX;

		if (!function->stalls || (i >= totals->function_count && !other))
			continue;
		fprintf(out->file, "gilscope%s_total", name);
		put_function(out, function, other);
		put_value(out, unit, unit == UNIT_SECONDS ? function->ns : function->stalls);
		fputc('\n', out->file);
	}
}

/* Has a series from the begin, so that its first increase can be seen. */
static bool is_common(int signal)
{
	return signal == SIGKILL || signal == SIGSEGV || signal == SIGABRT || signal == SIGTERM ||
	       signal == SIGBUS;
}

static void put_deaths(const struct metrics_out *out, const struct totals *totals)
{
	head(out, "_worker_deaths", "counter", UNIT_COUNT,
	     "Processes that were killed, crashed or ended with an error, by signal.");
	for (int i = 0; i < 65; i++) {
		struct text_buffer text = {0};

		if (i && !totals->deaths[i] && !is_common(i))
			continue;
		if (i)
			text_add_signal(&text, i);
		else
			text_add(&text, "none");
		fprintf(out->file, "gilscope_worker_deaths_total{signal=\"%s\"} %" PRIu64 "\n",
			text.bytes, totals->deaths[i]);
	}
}

static void put_one(const struct metrics_out *out, const char *name, const char *type,
		    enum unit unit, const char *help, uint64_t value)
{
	head(out, name, type, unit, help);
	fprintf(out->file, "gilscope%s%s ", name, !strcmp(type, "counter") ? "_total" : "");
	put_value(out, unit, value);
	fputc('\n', out->file);
}

static void put_about(const struct metrics_out *out, const struct totals *totals,
		      const struct metrics_about *about)
{
	head(out, "", "info", UNIT_COUNT, "This program.");
	fprintf(out->file, "gilscope_info{version=\"%s\",mode=\"%s\"} 1\n", about->version,
		about->mode);
	put_one(out, "_freeze_seconds", "counter", UNIT_SECONDS, "The length of freezes.",
		totals->freeze_ns);
	put_one(out, "_events_lost", "counter", UNIT_COUNT,
		"Events that were lost; what they would have shown is unknown.", totals->lost);
	put_one(out, "_unknown_seconds", "counter", UNIT_SECONDS,
		"Time of threads of which nothing is known.", totals->unknown_ns);
	put_one(out, "_reports_left_out", "counter", UNIT_COUNT,
		"Events that the reader of the standard output did not take in time.",
		about->left_out);
	put_one(out, "_recordings", "counter", UNIT_COUNT, "Recordings that were written.",
		about->recordings);
	put_one(out, "_recordings_failed", "counter", UNIT_COUNT,
		"Recordings that could not be written.", about->not_recorded);
	put_one(out, "_cpu_seconds", "counter", UNIT_SECONDS, "CPU time of gilscope itself.",
		about->cpu_ns);
	put_one(out, "_resident_bytes", "gauge", UNIT_COUNT, "Memory of gilscope itself.",
		about->resident_bytes);
}

int view_metrics(FILE *file, enum metrics_format format, const struct totals *totals,
		 const struct metrics_about *about)
{
	const struct metrics_out to = {.file = file, .format = format}, *out = &to;

	put_about(out, totals, about);
	put_workers(out, totals);
	put_iterations(out, totals);
	put_stalls(out, totals, about->realtime_ns);
	put_functions(out, totals, UNIT_SECONDS);
	put_functions(out, totals, UNIT_COUNT);
	put_states(out, totals, "_stalled_seconds",
		   "Time in stalls, by what the loop's thread did.", WORKER_STALLED);
	put_states(out, totals, "_thread_seconds", "Time of threads, by what they did.",
		   WORKER_STATES);
	put_counters(out, totals);
	put_gauges(out, totals);
	put_pools(out, totals, false);
	put_pools(out, totals, true);
	put_deaths(out, totals);
	if (format == METRICS_OPEN)
		fputs("# EOF\n", file);
	return fflush(file) ? -errno : ferror(file) ? -EIO : 0;
}
