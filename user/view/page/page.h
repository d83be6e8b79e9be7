/* SPDX-License-Identifier: MIT */
/* clang-format off: columns */
/*
 * page.h - the timeline page's data: what page.c writes and assets/data.js reads. Internal to the
 * room.
 *
 * The page has four kinds of blobs (assets.h, page_write_blob), by their id:
 *
 *   report    the report as `report --json` has it, gilscope.report/1, but with all points in time
 *             relative to the window's start (JavaScript's numbers are exact up to 2^53, which a
 *             clock passes after 104 days), and `origin_ns` (a string: the start itself)
 *   head      JSON, below
 *   stacks    what stack numbers mean
 *   lane-N    columns of varints, N as the head has it
 *
 * head: {"format": PAGE_FORMAT, "origin_ns": "…", "end_ns": n,
 *        "realtime_ns": "…" or null (time of day at the origin, if known),
 *        "version": "…", "title": "uvicorn app:app …", "verdict": "a line for each loop",
 *        "caveats": ["what is unknown", …],
 *        "processes": [{"pid", "cmdline", "python"}],
 *        "threads":   [{"process": n, "tid", "name" (as in the text report), "comm",
 *                       "python_name": string or null, "loop": bool, "gone": bool,
 *                       "gil": n or -1 (the last it was seen with),
 *                       "states": lane, "stacks": lane, "clock": lane}],
 *        "gils":      [{"process": n, "address": "0x…", "interpreter": n, "holds": lane}],
 *        "loops":     [{"thread": n, "turns": lane}],
 *        "functions": [[name, file, line of definition], …]  (number 0 is what could not be read:
 *                      ["", "", 0]),
 *        "texts":     ["", …] (names of tasks; 0 is none),
 *        "roles":     ["none", "route", …] (enum handler_role),
 *        "states":    ["python", …] (enum thread_state),
 *        "syscalls":  {"230": "clock_nanosleep", …} (those that occur)}
 *
 * Numbers n are indices into these lists, in order of appearance. Threads, loops and GILs are those
 * of the report, in its order.
 *
 * A blob of numbers begins with how many entries it has; then come its columns, one after the
 * other: varints (LEB128, unsigned, least significant group first) or single bytes. Times are ns.
 * A lane without entries is its count, 0, and nothing else.
 *
 *   stacks  nodes of a tree (a node is a frame below its caller; number 1 is the first, 0 is the
 *           root, and a parent's number is smaller):
 *             count · parent · function · line
 *           stacks (number 1 is the first; 0 is an unknown stack):
 *             count · node (of the innermost frame) · bytes: 1 = there are more frames outside ·
 *             handler's function (0 = none) · handler's role
 *   states  count · start of the first · bytes: PAGE_STATE_… · length ·
 *             for every state that sleeps (states.def): system call - SYSNO_FIRST
 *           without gaps
 *   stacks of a thread
 *           count · start of the first · length · stack · task (a text)
 *           without gaps; the state at that time says whether it is exact or sampled
 *   clock   count · time since the one before (the first: since the origin) · stack
 *   holds   count · gap since the end of the one before · length · thread · bytes: PAGE_HOLD_…
 *   turns   count · gap likewise · length · bytes: PAGE_TURN_…
 */
/* clang-format on */
#ifndef GILSCOPE_VIEW_PAGE_PAGE_H
#define GILSCOPE_VIEW_PAGE_PAGE_H

#include "view/drawing.h"

/* PAGE_FORMAT and the bits; page.def describes each. */
enum page_bit {
#define BIT(NAME, value, doc) PAGE_##NAME = (value),
#include "view/page/page.def"
};

#endif
