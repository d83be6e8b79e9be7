/* SPDX-License-Identifier: MIT */
#include "analysis/sums/dist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Values below 64 have a bucket each; above, the octave [2^e, 2^(e+1)) has 64 buckets of 2^(e-6).
 */
#define SUB_BITS  6
#define SUB_COUNT (1u << SUB_BITS)
#define OCTAVES	  (64 - SUB_BITS + 1)
#define BUCKETS	  (OCTAVES * SUB_COUNT)

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

/* That bucket, with room for it; NULL: no memory. */
static uint32_t *need_bucket(struct dist *dist, unsigned int bucket)
{
	uint32_t **octave;

	if (!dist->octaves)
		dist->octaves = calloc(OCTAVES, sizeof(*dist->octaves));
	if (!dist->octaves)
		return NULL;
	octave = &dist->octaves[bucket / SUB_COUNT];
	if (!*octave)
		*octave = calloc(SUB_COUNT, sizeof(**octave));
	return *octave ? &(*octave)[bucket % SUB_COUNT] : NULL;
}

/* How many values are in it. */
static uint32_t count_of(const struct dist *dist, unsigned int bucket)
{
	const uint32_t *octave = dist->octaves ? dist->octaves[bucket / SUB_COUNT] : NULL;

	return octave ? octave[bucket % SUB_COUNT] : 0;
}

/* The first bucket from this one on that has room; BUCKETS: there is none. */
static unsigned int next_bucket(const struct dist *dist, unsigned int bucket)
{
	while (bucket < BUCKETS && bucket % SUB_COUNT == 0 &&
	       (!dist->octaves || !dist->octaves[bucket / SUB_COUNT]))
		bucket += SUB_COUNT;
	return bucket;
}

/* A bucket and the sum stay at their largest value rather than to begin again. */
static int add_saturated(struct dist *dist, unsigned int bucket, uint32_t count, uint64_t sum_ns)
{
	uint32_t *to = need_bucket(dist, bucket);

	if (!to)
		return -ENOMEM;
	if (__builtin_add_overflow(*to, count, to))
		*to = UINT32_MAX;
	if (__builtin_add_overflow(dist->sum_ns, sum_ns, &dist->sum_ns))
		dist->sum_ns = UINT64_MAX;
	return 0;
}

int dist_add(struct dist *dist, uint64_t ns)
{
	if (add_saturated(dist, bucket_of(ns), 1, ns) < 0)
		return -ENOMEM;
	if (ns > dist->max_ns)
		dist->max_ns = ns;
	dist->count++;
	return 0;
}

void dist_done(struct dist *dist)
{
	for (unsigned int i = 0; dist->octaves && i < OCTAVES; i++)
		free(dist->octaves[i]);
	free(dist->octaves);
	*dist = (struct dist){0};
}

uint64_t dist_within(const struct dist *dist, uint64_t ns)
{
	unsigned int last = bucket_of(ns);
	uint64_t count = 0;

	for (unsigned int bucket = 0; bucket <= last; bucket++)
		count += count_of(dist, bucket);
	return count;
}

uint64_t dist_percentile(const struct dist *dist, double share)
{
	double wanted = share * (double)dist->count;
	uint64_t seen = 0;

	if (!dist->octaves)
		return 0;
	for (unsigned int i = next_bucket(dist, 0); i < BUCKETS; i = next_bucket(dist, i + 1)) {
		seen += count_of(dist, i);
		if (seen && (double)seen >= wanted)
			return bucket_last(i) < dist->max_ns ? bucket_last(i) : dist->max_ns;
	}
	/* a bucket was saturated and stands for more values than it could count */
	return dist->max_ns;
}

/* Which buckets grew; makes room for them in `before`. */
static int list_grown(struct dist *before, const struct dist *now, struct dist_growth *growth)
{
	uint32_t grown = 0;

	for (unsigned int i = next_bucket(now, 0); i < BUCKETS; i = next_bucket(now, i + 1)) {
		if (count_of(now, i) == count_of(before, i))
			continue;
		if (!need_bucket(before, i))
			return -ENOMEM;
		grown++;
	}
	growth->buckets = calloc(grown + 1, sizeof(*growth->buckets));
	if (!growth->buckets)
		return -ENOMEM;
	for (unsigned int i = next_bucket(now, 0); i < BUCKETS; i = next_bucket(now, i + 1))
		if (count_of(now, i) != count_of(before, i))
			growth->buckets[growth->bucket_count++] = (struct dist_bucket){
				i, count_of(now, i) - count_of(before, i)};
	return 0;
}

int dist_grown(struct dist *before, const struct dist *now, struct dist_growth *ret_growth)
{
	struct dist_growth growth = {.count = now->count - before->count,
				     .sum_ns = now->sum_ns - before->sum_ns};
	uint32_t **octaves;

	if (growth.count && list_grown(before, now, &growth) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < growth.bucket_count; i++)
		*need_bucket(before, growth.buckets[i].bucket) += growth.buckets[i].count;
	octaves = before->octaves;
	*before = *now;
	before->octaves = octaves;
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
	for (uint32_t i = 0; i < growth->bucket_count; i++)
		if (!need_bucket(dist, growth->buckets[i].bucket))
			return -ENOMEM;
	for (uint32_t i = 0; i < growth->bucket_count; i++)
		add_saturated(dist, growth->buckets[i].bucket, growth->buckets[i].count, 0);
	if (__builtin_add_overflow(dist->sum_ns, growth->sum_ns, &dist->sum_ns))
		dist->sum_ns = UINT64_MAX;
	dist->count += growth->count;
	return 0;
}

int dist_merge(struct dist *dist, const struct dist *from)
{
	for (unsigned int i = next_bucket(from, 0); i < BUCKETS; i = next_bucket(from, i + 1))
		if (count_of(from, i) && add_saturated(dist, i, count_of(from, i), 0) < 0)
			return -ENOMEM;
	if (__builtin_add_overflow(dist->sum_ns, from->sum_ns, &dist->sum_ns))
		dist->sum_ns = UINT64_MAX;
	dist->count += from->count;
	dist->max_ns = from->max_ns > dist->max_ns ? from->max_ns : dist->max_ns;
	return 0;
}
