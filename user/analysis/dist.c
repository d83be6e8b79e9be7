/* SPDX-License-Identifier: MIT */
#include "analysis/dist.h"

#include <errno.h>
#include <stdlib.h>

/* Values below 64 have a bucket each; above, the octave [2^e, 2^(e+1)) has 64 buckets of 2^(e-6). */
#define SUB_BITS 6
#define SUB_COUNT (1u << SUB_BITS)
#define BUCKET_COUNT ((64 - SUB_BITS + 1) * SUB_COUNT)

static unsigned int bucket_of(uint64_t ns)
{
	unsigned int shift;

	if (ns < SUB_COUNT)
		return (unsigned int)ns;
	shift = 63 - (unsigned int)__builtin_clzll(ns) - SUB_BITS;
	return (shift + 1) * SUB_COUNT + (unsigned int)(ns >> shift & (SUB_COUNT - 1));
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_last(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < SUB_COUNT)
		return bucket;
	shift = bucket / SUB_COUNT - 1;
	return ((uint64_t)(SUB_COUNT + bucket % SUB_COUNT) << shift) + (((uint64_t)1 << shift) - 1);
}

int dist_add(struct dist *dist, uint64_t ns)
{
	uint32_t *bucket;

	if (!dist->buckets && !(dist->buckets = calloc(BUCKET_COUNT, sizeof(*dist->buckets))))
		return -ENOMEM;
	bucket = &dist->buckets[bucket_of(ns)];
	if (*bucket < UINT32_MAX)
		++*bucket;
	if (__builtin_add_overflow(dist->sum_ns, ns, &dist->sum_ns))
		dist->sum_ns = UINT64_MAX;
	if (ns > dist->max_ns)
		dist->max_ns = ns;
	dist->count++;
	return 0;
}

void dist_done(struct dist *dist)
{
	free(dist->buckets);
	*dist = (struct dist){0};
}

uint64_t dist_percentile(const struct dist *dist, double share)
{
	double wanted = share * (double)dist->count;
	uint64_t seen = 0;

	if (!dist->buckets)
		return 0;
	for (unsigned int i = 0; i < BUCKET_COUNT; i++) {
		seen += dist->buckets[i];
		if (seen && (double)seen >= wanted)
			return bucket_last(i) < dist->max_ns ? bucket_last(i) : dist->max_ns;
	}
	/* a bucket was saturated and stands for more values than it could count */
	return dist->max_ns;
}
