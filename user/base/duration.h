/* SPDX-License-Identifier: MIT */
/*
 * duration.h - durations as people write them (10s, 250ms, 1m30s, 500us), and clocks.
 */
#ifndef GILSCOPE_BASE_DURATION_H
#define GILSCOPE_BASE_DURATION_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

/*
 * Parses one or more NUMBER UNIT pairs (ns, us, ms, s, m, h), each number a decimal with or without
 * a fraction; "0" needs no unit. Returns 0, or -EINVAL for anything else, including what does not
 * fit into 64 bits of nanoseconds.
 */
int duration_parse(const char *text, uint64_t *ret_ns);

#define DURATION_TEXT_MAX 24
/* Formats a duration for people, with three significant digits: "812 ms", "1.23 s", "45.6 µs",
 * "2m05s". Returns `text`. */
char *duration_text(uint64_t ns, char text[static DURATION_TEXT_MAX]);

/* Now, by this clock, in ns. */
uint64_t clock_ns(clockid_t clock);
/* Now, by CLOCK_MONOTONIC, the clock of all records. */
uint64_t clock_now_ns(void);
/* The time of day (CLOCK_REALTIME, ns) at which this clock was at 0: added to one of its times, it
 * gives the time of day. Both are read within microseconds, also where this thread loses its CPU.
 */
uint64_t clock_epoch_ns(clockid_t clock);

#endif
