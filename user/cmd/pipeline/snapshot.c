/* SPDX-License-Identifier: MIT */
#include "cmd/pipeline/snapshot.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "cmd/pipeline/output.h"
#include "stream/trace/trace.h"

#define SAME_SECOND_MAX 100

DEFINE_CLEANUP(trace_writer_free, struct trace_writer *, trace_writer_free, NULL)

/* Several within one second are numbered. */
static int begin(struct output *output, struct diag *diag, char ret_name[static SNAPSHOT_NAME_MAX])
{
	time_t now = time(NULL);
	char stem[32] = "gilscope";
	int err = -EEXIST;
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(stem, sizeof(stem), "gilscope-%Y%m%d-%H%M%S", &tm);
	for (int i = 0; i < SAME_SECOND_MAX && (err == -EEXIST || err == -EBUSY); i++) {
		char number[16] = "";

		if (i)
			snprintf(number, sizeof(number), "-%d", i);
		snprintf(ret_name, SNAPSHOT_NAME_MAX, "%s%s.gsc", stem, number);
		err = output_begin_fresh(output, ret_name, diag);
	}
	return err;
}

static int write_trace(FILE *file, const struct keep *keep, const struct stream_head *head,
		       struct diag *diag)
{
	_cleanup_(trace_writer_freep) struct trace_writer *writer = NULL;
	int err = trace_writer_new(file, head, diag, &writer), finished;
	struct stream_sink sink;

	if (err)
		return err;
	sink = trace_writer_sink(writer);
	err = keep_write(keep, &sink);
	if (err == -EAGAIN)
		return diag_set(diag, EXIT_FAILED, err, "nothing has been seen yet");
	/* the writer's error came first, and has a diag */
	finished = trace_writer_finish(writer, diag);
	if (finished)
		return finished;
	return err ? diag_set(diag, EXIT_FAILED, err, "cannot write the recording: %s",
			      strerror(-err))
		   : 0;
}

/* What follows on having begun the output, with `err`. */
static int complete(struct output *output, int err, const struct keep *keep,
		    const struct stream_head *head, struct diag *diag)
{
	if (!err)
		err = write_trace(output->file, keep, head, diag);
	if (!err)
		err = output_end(output, diag);
	output_done(output);
	return err;
}

int snapshot_write_as(const char *name, const struct keep *keep, const struct stream_head *head,
		      struct diag *diag)
{
	struct output output;
	int err = output_begin_fresh(&output, name, diag);

	return complete(&output, err, keep, head, diag);
}

int snapshot_write(const struct keep *keep, const struct stream_head *head, struct diag *diag,
		   char ret_name[static SNAPSHOT_NAME_MAX])
{
	struct output output;
	int err = begin(&output, diag, ret_name);

	return complete(&output, err, keep, head, diag);
}
