/* SPDX-License-Identifier: MIT */
#include "stream/stream.h"

static int tee_process(void *ctx, const struct process_info *info)
{
	const struct tee *tee = ctx;
	int err = sink_process(&tee->first, info);

	return err ? err : sink_process(&tee->second, info);
}

static int tee_event(void *ctx, const union event *event)
{
	const struct tee *tee = ctx;
	int err = sink_event(&tee->first, event);

	return err ? err : sink_event(&tee->second, event);
}

static int tee_define(void *ctx, const struct definition *definition)
{
	const struct tee *tee = ctx;
	int err = sink_define(&tee->first, definition);

	return err ? err : sink_define(&tee->second, definition);
}

struct stream_sink tee_sink(struct tee *tee)
{
	return (struct stream_sink){tee_process, tee_event, tee, tee_define};
}
