/* SPDX-License-Identifier: MIT */
#include "cmd/files/cutting.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/diag.h"
#include "base/duration.h"
#include "model/checkpoint/checkpoint.h"

#define DAY_NS (86400 * NS_PER_S)

/* "14:03" or "14:03:05.25" */
static int day_parse(const char *text, uint64_t *ret_ns)
{
	unsigned int hour, minute;
	uint64_t ns = 0;
	char rest[32];
	int length = 0;

	if (sscanf(text, "%2u:%2u%n", &hour, &minute, &length) != 2 || hour > 23 || minute > 59)
		return -EINVAL;
	if (text[length] == ':') {
		snprintf(rest, sizeof(rest), "%.30ss", text + length + 1);
		if (text[length + 1 + (int)strspn(text + length + 1, "0123456789.")] ||
		    duration_parse(rest, &ns) < 0 || ns >= 60 * NS_PER_S)
			return -EINVAL;
	} else if (text[length]) {
		return -EINVAL;
	}
	*ret_ns = (hour * 60 + minute) * 60 * NS_PER_S + ns;
	return 0;
}

int cut_point_parse(const char *text, struct cut_point *ret_point)
{
	char seconds[64];

	*ret_point = (struct cut_point){.given = true};
	if (strchr(text, ':')) {
		ret_point->of_day = true;
		return day_parse(text, &ret_point->ns);
	}
	if (duration_parse(text, &ret_point->ns) == 0)
		return 0;
	snprintf(seconds, sizeof(seconds), "%.60ss", text);
	return text[strspn(text, "0123456789.")] ? -EINVAL
						 : duration_parse(seconds, &ret_point->ns);
}

/* The time stamp of a time of day: the first one after the begin, unless that is half a day away
 * or more; then it lies before. Local days can have 23 or 25 hours; mktime() knows. */
static uint64_t day_stamp(const struct stream_head *head, uint64_t of_day)
{
	time_t begin = (time_t)(head->realtime_ns / NS_PER_S);
	struct tm tm;
	int64_t offset;

	if (!localtime_r(&begin, &tm))
		return 0;
	tm.tm_hour = (int)(of_day / (3600 * NS_PER_S));
	tm.tm_min = (int)(of_day / (60 * NS_PER_S) % 60);
	tm.tm_sec = (int)(of_day / NS_PER_S % 60);
	tm.tm_isdst = -1;
	offset = (int64_t)mktime(&tm) * (int64_t)NS_PER_S + (int64_t)(of_day % NS_PER_S) -
		 (int64_t)head->realtime_ns;
	if (offset < -(int64_t)DAY_NS / 2)
		offset += (int64_t)DAY_NS;
	else if (offset > (int64_t)DAY_NS / 2)
		offset -= (int64_t)DAY_NS;
	if (offset < 0 && (uint64_t)-offset > head->monotonic_ns)
		return 0;
	return head->monotonic_ns + (uint64_t)offset;
}

static struct cut_bound bound_of(const struct cut_point *point, const struct stream_head *head)
{
	return (struct cut_bound){.given = point->given,
				  .absolute = point->of_day,
				  .ns = point->of_day ? day_stamp(head, point->ns) : point->ns};
}

int cutting_begin(const struct cut_points *points, const struct stream_head *head,
		  struct stream_sink to, struct diag *diag, struct cut **ret_cut)
{
	struct cut_range range = {bound_of(&points->from, head), bound_of(&points->to, head)};

	*ret_cut = NULL;
	if (!points->from.given && !points->to.given)
		return 0;
	if ((points->from.of_day || points->to.of_day) && !head->realtime_ns)
		return diag_set(diag, EXIT_USAGE, -EINVAL,
				"the recording does not say at what time of day it was made");
	*ret_cut = cut_new(&range, checkpoint_state(head->mode), to);
	return *ret_cut ? 0 : diag_set(diag, EXIT_FAILED, -ENOMEM, "no memory");
}

int cutting_end(struct cut *cut, int err, struct diag *diag)
{
	int finished = cut && !err ? cut_finish(cut) : 0;

	cut_free(cut);
	if (err || !finished)
		return err;
	if (finished == -ERANGE)
		return diag_set(diag, EXIT_USAGE, finished,
				"the recording has nothing between --from and --to");
	return diag_set(diag, EXIT_FAILED, finished, "cannot read the part of the recording: %s",
			strerror(-finished));
}
