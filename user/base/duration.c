/* SPDX-License-Identifier: MIT */
#include "base/duration.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const struct unit {
	const char *name;
	uint64_t ns;
} UNITS[] = {
	/* longer names first: "ms" must not be read as "m" */
	{"ns", 1},	 {"us", NS_PER_US},    {"ms", NS_PER_MS},
	{"s", NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S},
};

/* Reads digits[.digits]; at most nine digits of fraction count. */
static int number_parse(const char **text, uint64_t *ret_whole, uint64_t *ret_nano)
{
	const char *p = *text;
	uint64_t whole = 0, nano = 0, place = NS_PER_S / 10;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
			return -EINVAL;
	if (*p == '.') {
		if (p[1] < '0' || p[1] > '9')
			return -EINVAL;
		for (p++; *p >= '0' && *p <= '9'; p++, place /= 10)
			nano += (uint64_t)(*p - '0') * place;
	}
	*text = p;
	*ret_whole = whole;
	*ret_nano = nano;
	return 0;
}

static const struct unit *unit_parse(const char **text)
{
	for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
		size_t length = strlen(UNITS[i].name);

		if (!strncmp(*text, UNITS[i].name, length)) {
			*text += length;
			return &UNITS[i];
		}
	}
	return NULL;
}

int duration_parse(const char *text, uint64_t *ret_ns)
{
	uint64_t sum = 0;

	if (!strcmp(text, "0")) {
		*ret_ns = 0;
		return 0;
	}
	do {
		uint64_t whole, nano, part;
		const struct unit *unit;

		if (number_parse(&text, &whole, &nano) < 0 || !(unit = unit_parse(&text)))
			return -EINVAL;
		if (__builtin_mul_overflow(whole, unit->ns, &part) ||
		    __builtin_add_overflow(sum, part, &sum))
			return -EINVAL;
		part = (uint64_t)((__uint128_t)nano * unit->ns / NS_PER_S);
		if (__builtin_add_overflow(sum, part, &sum))
			return -EINVAL;
	} while (*text);
	*ret_ns = sum;
	return 0;
}

char *duration_text(uint64_t ns, char text[static DURATION_TEXT_MAX])
{
	static const struct {
		uint64_t ns;
		const char *name;
	} scales[] = {{NS_PER_S, "s"}, {NS_PER_MS, "ms"}, {NS_PER_US, "µs"}};

	if (ns >= 100 * NS_PER_S) {
		snprintf(text, DURATION_TEXT_MAX, "%" PRIu64 "m%02us", ns / (60 * NS_PER_S),
			 (unsigned int)(ns / NS_PER_S % 60));
		return text;
	}
	for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++) {
		double value = (double)ns / (double)scales[i].ns;

		if (ns < scales[i].ns)
			continue;
		snprintf(text, DURATION_TEXT_MAX, "%.*f %s",
			 value < 9.995	 ? 2
			 : value < 99.95 ? 1
					 : 0,
			 value, scales[i].name);
		return text;
	}
	snprintf(text, DURATION_TEXT_MAX, "%" PRIu64 " ns", ns);
	return text;
}

uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t clock_epoch_ns(clockid_t clock)
{
	uint64_t closest_ns = UINT64_MAX, epoch_ns = 0;

	for (int i = 0; i < 8; i++) {
		uint64_t before_ns = clock_now_ns();
		uint64_t of_day_ns = clock_ns(CLOCK_REALTIME) - clock_ns(clock);
		uint64_t took_ns = clock_now_ns() - before_ns;

		if (took_ns < closest_ns) {
			closest_ns = took_ns;
			epoch_ns = of_day_ns;
		}
	}
	return epoch_ns;
}
