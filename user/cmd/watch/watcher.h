/* SPDX-License-Identifier: MIT */
/*
 * watcher.h - what the parts of `watch` share: the observation, and the events that it makes of
 * what it sees.
 */
#ifndef GILSCOPE_CMD_WATCH_WATCHER_H
#define GILSCOPE_CMD_WATCH_WATCHER_H

#include "analysis/live/live.h"
#include "cmd/options.h"
#include "cmd/pipeline/announce.h"
#include "cmd/pipeline/observe.h"
#include "cmd/watch/endpoint.h"
#include "cmd/watch/freezes.h"
#include "cmd/watch/notify.h"
#include "cmd/watch/recorder.h"
#include "cmd/watch/standing.h"
#include "cmd/watch/teller.h"

struct watcher {
	const struct options *options;
	struct pipeline pipeline;
	struct observation observation;
	struct announcer announcer;
	struct live *live;
	struct teller teller;
	struct freezes freezes;
	struct standing standing;
	struct recorder recorder;
	struct totals *totals;
	struct endpoint *endpoint;
	struct notify *notify;
	uint64_t recordings, not_recorded;
	uint64_t ts_step, ts_findings;
	uint32_t refused; /* processes that cannot be observed, and have been told of */
	bool begun;	  /* … has been told */
	bool loses;	  /* events were lost in the last minute */
	struct diag diag;
};

/* A report for names and the time of day. */
const struct report *watcher_names(const struct watcher *watcher);
/* NULL: nothing is recorded. */
const char *watcher_want_recording(struct watcher *watcher, uint64_t from, uint64_t ts,
				   bool urgent);

/* ── told.c: each makes an event and tells it. 0 or -errno. ──────────────────────────────────── */

/* Any event; `ctx` is the watcher, as in all of these. */
int watcher_tell(void *ctx, const struct told_event *event);
/* The first event of all, once there is something to observe; later it does nothing. */
int watcher_begin(struct watcher *watcher);
int watcher_tell_watch(struct watcher *watcher, enum event_state state);
/* For the announcer, the freezes, and the stream, whose processes the model has already. */
int watcher_on_stall(void *ctx, const struct report *report, const struct loop *loop,
		     const struct stall *stall);
int watcher_on_death(void *ctx, const struct report *report, const struct process *process);
int watcher_on_freeze(void *ctx, const struct told_event *event);
int watcher_on_process(void *ctx, const struct process_info *info);
/* Only when that has changed. */
int watcher_tell_losses(struct watcher *watcher, const struct live_view *view, uint64_t ts);
int watcher_tell_refused(struct watcher *watcher, uint64_t ts);
int watcher_tell_recorded(struct watcher *watcher, uint64_t ts, const struct recorded *recorded);

#endif
