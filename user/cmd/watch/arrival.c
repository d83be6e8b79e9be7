/* SPDX-License-Identifier: MIT */
#include "cmd/watch/arrival.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/duration.h"

#define PAUSE_NS (200 * NS_PER_MS)

static bool is_over(const struct arrival *arrival)
{
	uint64_t dur_ns = arrival->options->observe.dur_ns;

	return dur_ns && clock_now_ns() - arrival->start >= dur_ns;
}

static void look_again_later(const struct arrival *arrival)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};

	notify_alive(arrival->notify, clock_now_ns());
	nanosleep(&pause, NULL);
}

static bool are_there(struct options *options)
{
	struct observe_options *observe = &options->observe;

	observe->pid_count = selectors_given(&options->selectors, observe->pids, OBSERVE_PIDS_MAX);
	observe->also_count = selectors_find(&options->selectors, observe->also, OBSERVE_PIDS_MAX);
	return observe->pid_count || observe->also_count;
}

int arrival_wait(struct arrival *arrival, struct diag *diag)
{
	const char *first = arrival->options->selectors.list[0];

	while (!are_there(arrival->options)) {
		if (is_over(arrival))
			return diag_set(diag, EXIT_FAILED, -ESRCH,
					"no Python process has come that %s means", first);
		if (!arrival->said)
			fprintf(stderr, "gilscope: waiting for a Python process that %s means.\n",
				first);
		arrival->said = true;
		look_again_later(arrival);
	}
	return 0;
}

bool arrival_again(struct arrival *arrival, const struct diag *diag)
{
	if (!arrival->said)
		fprintf(stderr, "gilscope: %s; waiting for another one.\n", diag->what);
	arrival->said = true;
	look_again_later(arrival);
	return !is_over(arrival);
}
