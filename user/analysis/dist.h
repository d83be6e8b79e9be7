/* SPDX-License-Identifier: MIT */
/*
 * dist.h - the distribution of many lengths of time in fixed memory: exact count, sum and maximum, percentiles within 1/64 (1.6 %).
 *
 * Buckets are log-linear: 64 per power of two, so every bucket's width is at most 1/64 of its lower bound.
 */
#ifndef GILSCOPE_ANALYSIS_DIST_H
#define GILSCOPE_ANALYSIS_DIST_H

#include <stdint.h>

struct dist {
	uint64_t count, sum_ns, max_ns;
	uint32_t *buckets; /* allocated with the first value */
};

/* 0 or -ENOMEM. A zeroed struct is an empty distribution. */
int dist_add(struct dist *dist, uint64_t ns);
void dist_done(struct dist *dist);

/* The smallest bucket bound that at least `share` (0 … 1) of the values do not exceed, never above the maximum; 0 when empty. */
uint64_t dist_percentile(const struct dist *dist, double share);

#endif
