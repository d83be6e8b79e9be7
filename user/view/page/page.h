/* SPDX-License-Identifier: MIT */
/* clang-format off: columns */
/*
 * page.h - the timeline page's data: what page.c writes and assets/data.js reads. Internal to the
 * room.
 *
 * Before them is the text report, in <noscript>. The page has four kinds of blobs (assets.h,
 * page_write_blob), by their id:
 *
 *   report    the report as `report --json` has it, gilscope.report/1, but with all points in time
 *             relative to the window's start (JavaScript's numbers are exact up to 2^53, which a
 *             clock passes after 104 days), and `origin_ns` (a string: the start itself)
 *   head      JSON: what numbers stand for, and in which blob each lane is
 *   stacks    what stack numbers mean
 *   lane-N    columns of varints, N as the head has it
 *
 * head: one object, page_head of page_head.def.
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
 *   busy    count · start of the first · bytes: PAGE_POOL_… · length ·
 *             threads busy · idle · unknown
 *           without gaps
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
