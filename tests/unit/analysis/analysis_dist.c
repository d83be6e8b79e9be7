/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "analysis/sums/dist.h"

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* The true percentile: the smallest sorted value that is not exceeded by `share` of all. */
static uint64_t true_percentile(const uint64_t *sorted, size_t count, double share)
{
	size_t rank = (size_t)ceil(share * (double)count);

	return sorted[rank ? rank - 1 : 0];
}

static void an_empty_distribution_is_all_zero(void **state)
{
	struct dist dist = {0};

	assert_int_equal(dist_percentile(&dist, 0.99), 0);
	assert_int_equal(dist.max_ns, 0);
	dist_done(&dist);
}

static void percentiles_are_never_too_low_and_at_most_a_64th_too_high(void **state)
{
	static const double shares[] = {0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
	uint64_t random = 88172645463325252u;

	for (int round = 0; round < 200; round++) {
		size_t count = 1 + next_random(&random) % 2000;
		uint64_t *values = malloc(count * sizeof(*values)), sum = 0;
		struct dist dist = {0};

		for (size_t i = 0; i < count; i++) {
			values[i] = next_random(&random) >> (14 + next_random(&random) % 50);
			sum += values[i];
			assert_int_equal(dist_add(&dist, values[i]), 0);
		}
		qsort(values, count, sizeof(*values), compare);
		assert_int_equal(dist.count, count);
		assert_int_equal(dist.sum_ns, sum);
		assert_int_equal(dist.max_ns, values[count - 1]);
		for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
			uint64_t truth = true_percentile(values, count, shares[i]),
				 found = dist_percentile(&dist, shares[i]);

			assert_true(found >= truth);
			assert_true(found - truth <= truth / 64);
			assert_true(found <= dist.max_ns);
		}
		dist_done(&dist);
		free(values);
	}
}

static void every_power_of_two_and_its_neighbours_have_a_bucket(void **state)
{
	for (int bit = 0; bit < 64; bit++)
		for (int64_t offset = -1; offset <= 1; offset++) {
			uint64_t value = ((uint64_t)1 << bit) + (uint64_t)offset;
			struct dist dist = {0};

			assert_int_equal(dist_add(&dist, value), 0);
			assert_int_equal(dist_percentile(&dist, 0.5), value);
			dist_done(&dist);
		}
}

static void a_full_bucket_saturates(void **state)
{
	struct dist dist = {0};

	assert_int_equal(dist_add(&dist, 5), 0);
	dist.octaves[0][5] = UINT32_MAX;
	dist.count = UINT32_MAX;
	assert_int_equal(dist_add(&dist, 5), 0);
	assert_int_equal(dist.octaves[0][5], UINT32_MAX);
	assert_int_equal(dist.count, (uint64_t)UINT32_MAX + 1);
	assert_int_equal(dist_percentile(&dist, 1), 5);
	dist_done(&dist);
}

static void growths_add_up_to_what_came_meanwhile(void **state)
{
	uint64_t random = 88172645463325252u;
	struct dist all = {0}, before = {0};

	for (int round = 0; round < 50; round++) {
		struct dist meanwhile = {0}, sum = {0};
		struct dist_growth growth;

		for (int part = 0; part < 3; part++) {
			for (uint64_t i = next_random(&random) % 100; i > 0; i--) {
				uint64_t ns = next_random(&random) >>
					      (20 + next_random(&random) % 40);

				assert_int_equal(dist_add(&all, ns), 0);
				assert_int_equal(dist_add(&meanwhile, ns), 0);
			}
			assert_int_equal(dist_grown(&before, &all, &growth), 0);
			assert_int_equal(dist_add_growth(&sum, &growth), 0);
			dist_growth_done(&growth);
		}
		sum.max_ns = meanwhile.max_ns;
		assert_int_equal(sum.count, meanwhile.count);
		assert_int_equal(sum.sum_ns, meanwhile.sum_ns);
		for (int share = 0; share <= 100; share++)
			assert_int_equal(dist_percentile(&sum, share / 100.0),
					 dist_percentile(&meanwhile, share / 100.0));
		dist_done(&sum);
		dist_done(&meanwhile);
	}
	assert_int_equal(before.count, all.count);
	dist_done(&all);
	dist_done(&before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(growths_add_up_to_what_came_meanwhile),
		cmocka_unit_test(an_empty_distribution_is_all_zero),
		cmocka_unit_test(percentiles_are_never_too_low_and_at_most_a_64th_too_high),
		cmocka_unit_test(every_power_of_two_and_its_neighbours_have_a_bucket),
		cmocka_unit_test(a_full_bucket_saturates),
	};

	return cmocka_run_group_tests_name("analysis_dist", tests, NULL, NULL);
}
