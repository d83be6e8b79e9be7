/* SPDX-License-Identifier: MIT */
#include "analysis/sums/dist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Values below 64 have a bucket each; above, the octave [2^e, 2^(e+1)) has 64 buckets of 2^(e-6).
 */
#define SUB_BITS     6
#define SUB_COUNT    (1u << SUB_BITS)
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

static int need_buckets(struct dist *dist)
{
	if (!dist->buckets)
		dist->buckets = calloc(BUCKET_COUNT, sizeof(*dist->buckets));
	return dist->buckets ? 0 : -ENOMEM;
}

/* A bucket and the sum stay at their largest value rather than to begin again. */
static void add_saturated(struct dist *dist, unsigned int bucket, uint32_t count, uint64_t sum_ns)
{
	if (__builtin_add_overflow(dist->buckets[bucket], count, &dist->buckets[bucket]))
		dist->buckets[bucket] = UINT32_MAX;
	if (__builtin_add_overflow(dist->sum_ns, sum_ns, &dist->sum_ns))
		dist->sum_ns = UINT64_MAX;
}

int dist_add(struct dist *dist, uint64_t ns)
{
	if (need_buckets(dist) < 0)
		return -ENOMEM;
	add_saturated(dist, bucket_of(ns), 1, ns);
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

int dist_grown(struct dist *before, const struct dist *now, struct dist_growth *ret_growth)
{
	struct dist_growth growth = {.count = now->count - before->count,
				     .sum_ns = now->sum_ns - before->sum_ns};
	uint32_t *buckets = before->buckets, grown = 0;

	if (growth.count) {
		if (need_buckets(before) < 0)
			return -ENOMEM;
		buckets = before->buckets;
		for (unsigned int i = 0; i < BUCKET_COUNT; i++)
			grown += now->buckets[i] != buckets[i];
		growth.buckets = calloc(grown + 1, sizeof(*growth.buckets));
		if (!growth.buckets)
			return -ENOMEM;
		for (unsigned int i = 0; i < BUCKET_COUNT; i++)
			if (now->buckets[i] != buckets[i])
				growth.buckets[growth.bucket_count++] = (struct dist_bucket){
					i, now->buckets[i] - buckets[i]};
		memcpy(buckets, now->buckets, BUCKET_COUNT * sizeof(*buckets));
	}
	*before = *now;
	before->buckets = buckets;
	*ret_growth = growth;
	return 0;
}

void dist_growth_done(struct dist_growth *growth)
{
	free(growth->buckets);
	*growth = (struct dist_growth){0};
}

int dist_add_growth(struct dist *dist, const struct dist_growth *growth)
{
	if (!growth->count)
		return 0;
	if (need_buckets(dist) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < growth->bucket_count; i++)
		add_saturated(dist, growth->buckets[i].bucket, growth->buckets[i].count, 0);
	if (__builtin_add_overflow(dist->sum_ns, growth->sum_ns, &dist->sum_ns))
		dist->sum_ns = UINT64_MAX;
	dist->count += growth->count;
	return 0;
}
