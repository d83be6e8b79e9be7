/* SPDX-License-Identifier: MIT */
#include "cmd/doctor/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/escape.h"

static bool coloured;

/* "ok", "NO", "--" or, where it could not be checked, two question marks */
static void print_mark(const char *mark)
{
	static const struct {
		const char *mark, *colour;
	} colours[] = {{"ok", "32"}, {"NO", "1;31"}};

	for (size_t i = 0; coloured && i < sizeof(colours) / sizeof(colours[0]); i++) {
		if (!strcmp(mark, colours[i].mark)) {
			printf("  \033[%sm%s\033[m", colours[i].colour, mark);
			return;
		}
	}
	printf("  %s", mark);
}

static void print_line(const char *mark, const char *name, const char *text)
{
	print_mark(mark);
	printf("  %-18s %s\n", name, text);
}

enum { FOUND_COLUMNS = 32 };

static void print_found(const struct feature *feature)
{
	const char *missing = feature->required ? "NO" : "--";
	const char *mark = feature->available ? "ok" : missing;

	print_mark(mark);
	if (strlen(feature->found) <= FOUND_COLUMNS)
		printf("  %-18s %-*s %s\n", feature->name, FOUND_COLUMNS, feature->found,
		       feature->purpose);
	else
		printf("  %-18s %s\n      %-18s %-*s %s\n", feature->name, feature->found, "",
		       FOUND_COLUMNS, "", feature->purpose);
}

static void print_features(const struct features *features)
{
	for (int i = 0; i < FEATURE_COUNT; i++) {
		const struct feature *feature = &features->list[i];

		if (feature->unchecked)
			printf("  ??  %-18s not checked (%s)\n", feature->name, feature->found);
		else
			print_found(feature);
		if (feature->remedy[0])
			printf("      %-18s %s\n", "", feature->remedy);
	}
}

const struct mode_about doctor_modes[DOCTOR_MODES] = {
	{MODE_EDGES, "the default: only where somebody waits for the GIL; else it costs nothing"},
	{MODE_EXACT,
	 "every take and drop of the GIL; costs about 1 µs for each, also others that run "
	 "the same Python file"},
	{MODE_FUTEX, "edges without uprobes; reported waits are about 1 % too short"},
};

static void print_modes(const struct findings *findings)
{
	puts("\nModes of observation (--mode):");
	for (int i = 0; i < DOCTOR_MODES; i++) {
		const struct mode_about *about = &doctor_modes[i];

		print_line(doctor_mode_works(findings, about->mode) ? "ok" : "--",
			   fact_name(&mode_names, about->mode), about->what);
	}
}

static void print_loops(const struct census *census)
{
	char text[200];
	int length = snprintf(text, sizeof(text), "%u", census->loops);

	for (int kind = 0; kind < LOOP_KINDS; kind++)
		if (census->kinds[kind])
			length += snprintf(text + length, sizeof(text) - (size_t)length, ", %s",
					   loop_kind_name(kind));
	snprintf(text + length, sizeof(text) - (size_t)length,
		 "; %u descriptor%s of a loop; %u thread%s in an epoll wait now",
		 census->loop_descriptors, census->loop_descriptors == 1 ? "" : "s",
		 census->loop_waits, census->loop_waits == 1 ? "" : "s");
	print_line(census->loops ? "ok" : "--", "event loops", text);
}

static void print_waits(const struct target *target)
{
	const struct libc_places *libc = &target->libc;
	char text[200];

	if (libc->waits)
		snprintf(text, sizeof(text),
			 "seen in its C library in mode edges, else by tracing all system calls");
	else
		snprintf(text, sizeof(text), "seen by tracing all system calls of the machine: %s",
			 libc->why);
	print_line("ok", "loops' waits", text);
}

static void print_target(const struct target *target, const struct census *census)
{
	const char *proof = target->gil_proven ? ", proven by its contents"
					       : ", not proven (the switch interval was changed, "
						 "or no thread has run yet)"; /* of the main GIL */
	char text[600], shown[400];
	const struct process_info *info = &target->info;

	printf("\nProcess %u: %s\n", info->pid,
	       escape_text(shown, sizeof(shown), info->cmdline, sizeof(info->cmdline)));
	snprintf(text, sizeof(text), "CPython %s (%s), GIL %s%s", info->python, info->machine,
		 info->gil_enabled ? "on" : "off",
		 target->layout.free_threaded ? ", free-threaded build" : "");
	print_line("ok", "python", text);
	print_line("ok", "image",
		   escape_text(shown, sizeof(shown), info->image, sizeof(info->image)));
	snprintf(text, sizeof(text), "%u take, %u drop, %u wait; found by %s, %s", info->take,
		 info->drop, info->wait, fact_name(&method_names, info->method),
		 fact_name(&confidence_names, info->confidence));
	print_line("ok", "GIL sites", text);
	for (uint32_t i = 0; i < target->gil_count; i++) {
		snprintf(text, sizeof(text), "0x%" PRIx64 ", interpreter %u%s",
			 target->gils[i].address, target->gils[i].interpreter, i ? "" : proof);
		print_line("ok", i ? "" : "GIL", text);
	}
	snprintf(text, sizeof(text), "%u, %u of them Python threads", census->threads,
		 census->python);
	print_line("ok", "threads", text);
	print_loops(census);
	print_waits(target);
	if (!info->gil_enabled)
		printf("      %-18s The GIL is off: nobody waits for it. Scheduling and event "
		       "loops are observed all the same.\n",
		       "");
	if (!census->loops)
		printf("      %-18s No thread runs an event loop now. GIL and threads are observed "
		       "all the "
		       "same.\n",
		       "");
}

/* "capabilities, BPF programs": what is marked NO */
static void print_missing(const struct features *features)
{
	const char *before = "";

	for (int i = 0; i < FEATURE_COUNT; i++) {
		const struct feature *feature = &features->list[i];

		if (!feature->required || feature->available || feature->unchecked)
			continue;
		printf("%s%s", before, feature->name);
		before = ", ";
	}
}

static unsigned int count_unchecked(const struct features *features)
{
	unsigned int count = 0;

	for (int i = 0; i < FEATURE_COUNT; i++)
		count += features->list[i].required && features->list[i].unchecked;
	return count;
}

/* The last line; it agrees with the lines marked NO and ?? above. */
static void print_verdict(const struct findings *findings)
{
	unsigned int unchecked = count_unchecked(&findings->features);

	if (findings->system.status) {
		printf("\ngilscope cannot attach. Fix what is marked NO: ");
		print_missing(&findings->features);
		puts(".");
	} else if (doctor_verdict(findings)) {
		printf("\ngilscope cannot attach: %s.\n", findings->diag.what);
		if (findings->target) /* else it has been said above */
			printf("%s\n", findings->diag.hint);
	} else if (unchecked) {
		printf("\nNothing is known to be missing, but %u requirement%s could not be "
		       "checked (marked \?\?).\n",
		       unchecked, unchecked == 1 ? "" : "s");
	} else if (findings->target) {
		printf("\nReady: sudo gilscope attach %s%u\n",
		       findings->only_futex ? "--mode futex " : "", findings->pid);
	} else if (findings->only_futex) {
		printf("\nUprobes are missing, so --mode futex is needed. Check a process with: "
		       "gilscope doctor PID\n");
	} else {
		printf("\nThis system is ready. Check a process with: gilscope doctor PID\n");
	}
}

static void print_refusal(const struct findings *findings)
{
	printf("\nProcess %u\n", findings->pid);
	print_mark("NO");
	printf("  %s\n      %s\n", findings->diag.what, findings->diag.hint);
}

void doctor_print_text(const struct findings *findings, bool in_colour)
{
	struct utsname uts = {0};

	coloured = in_colour;
	uname(&uts);
	printf("gilscope %s on Linux %s %s\n", GILSCOPE_VERSION, uts.release, uts.machine);
	print_features(&findings->features);
	print_modes(findings);
	if (findings->target)
		print_target(findings->target, &findings->census);
	else if (findings->has_target)
		print_refusal(findings);

	print_verdict(findings);
}
