/* SPDX-License-Identifier: MIT */
/*
 * dist.h - the distribution of many lengths of time in bounded memory: exact count, sum and
 * maximum, percentiles within 1/64 (1.6 %).
 *
 * Buckets are log-linear: 64 per power of two, so every bucket's width is at most 1/64 of its lower
 * bound. Those of a power of two are allocated with its first value: few are needed, and a service
 * that restarts its workers has many distributions.
 */
#ifndef GILSCOPE_ANALYSIS_SUMS_DIST_H
#define GILSCOPE_ANALYSIS_SUMS_DIST_H

#include <stdint.h>

struct dist {
	uint64_t count, sum_ns, max_ns;
	uint32_t **octaves; /* of 64 buckets each; allocated with the first value */
};

/* 0 or -ENOMEM. A zeroed struct is an empty distribution. */
int dist_add(struct dist *dist, uint64_t ns);
void dist_done(struct dist *dist);

/* The smallest bucket bound that at least `share` (0 … 1) of the values do not exceed, never above
 * the maximum; 0 when empty. */
uint64_t dist_percentile(const struct dist *dist, double share);

/* How many values do not exceed `ns`, up to those of one bucket. */
uint64_t dist_within(const struct dist *dist, uint64_t ns);

/*
 * What came to a distribution between two looks at it: the buckets that grew. Distributions of
 * disjoint stretches of time add up to that of all of them, but for the maximum: growth does not
 * contain it, so a caller that adds growths sets `max_ns` itself.
 */
struct dist_growth {
	uint64_t count, sum_ns;
	struct dist_bucket {
		uint32_t bucket, count;
	} *buckets;
	uint32_t bucket_count;
};
/* `before` is what it was then, a zeroed struct at first; becomes a copy of `now`, which only ever
 * grew. 0 or -ENOMEM: then nothing has changed. */
int dist_grown(struct dist *before, const struct dist *now, struct dist_growth *ret_growth);
void dist_growth_done(struct dist_growth *growth);
/* Adds all of `from`. 0 or -ENOMEM. */
int dist_merge(struct dist *dist, const struct dist *from);
/* 0 or -ENOMEM. */
int dist_add_growth(struct dist *dist, const struct dist_growth *growth);

#endif
