// SPDX-License-Identifier: MIT
/* Lanes of thread pools: how many of their threads are busy. */
"use strict";

const BUSY_FULL = 0,
	BUSY_PART = 1,
	BUSY_UNKNOWN = 2;

/*
 * From the bottom up the threads that are busy, in another colour while all are, and those of which
 * nothing is known; the height is all threads that the pool ever had. A column of many steps has
 * their average, which is exact.
 */
/** @param {Picture} picture @param {Pool} pool @param {View} view @param {WideBand} place */
function drawBusy(picture, { busyLane: lane, figures }, view, place) {
	const boxes = new Boxes(3),
		labels = /** @type {[x: number, width: number, entry: number][]} */ ([]),
		nsPerColumn = view.span / place.columns;
	let column = Math.max(0, Math.floor((lane.begin - view.from) / nsPerColumn)),
		entry = 0;

	while (lane.count && column < place.columns) {
		const from = view.from + column * nsPerColumn;

		if (from >= lane.end) break;
		entry = lane.indexAt(from, entry);
		/* the columns up to the entry's end, or the one that it shares */
		const width = Math.min(
				place.columns - column,
				Math.max(1, Math.floor((lane.starts[entry + 1] - from) / nsPerColumn)),
			),
			span = width * nsPerColumn;

		addBars(boxes, lane.times(from, from + span, entry), span, figures.threads, {
			...place,
			x: column,
			width,
		});
		if (width > WIDE_PX * picture.ratio) labels.push([column, width, entry]);
		column += width;
	}
	boxes.paint(
		picture.context,
		[
			{ colour: themeValue("--pool-full") },
			{ colour: themeValue("--pool") },
			picture.threadLooks[STATE_UNKNOWN],
		],
		5 * picture.ratio,
	);
	for (const [x, width, index] of labels)
		picture.words(
			busyText(lane, index),
			x,
			width,
			place,
			textColour(lane, index, figures.threads),
		);
}

/* Text stands in the middle of the lane. */
/** @param {PoolLane} lane @param {number} index @param {number} threads */
function textColour({ kinds, busy, unknown }, index, threads) {
	if (kinds[index]) return themeValue("--surface");
	const onUnknown =
		busy[index] <= threads / 2 && busy[index] + unknown[index] >= threads / 2 && unknown[index];

	return onUnknown && stateLook("unknown").dark ? "#ffffff" : themeValue("--text");
}

/**
 * @param {Boxes} boxes
 * @param {{ busy: number, unknown: number, full: number }} times
 * @param {number} span
 * @param {number} threads
 * @param {Box} place
 */
function addBars(boxes, times, span, threads, { x, y, width, height }) {
	const full = times.full * threads;
	let sum = 0,
		bottom = 0;

	for (const [kind, ns] of [
		[BUSY_FULL, full],
		[BUSY_PART, times.busy - full],
		[BUSY_UNKNOWN, times.unknown],
	]) {
		sum += ns;
		const top = Math.round((sum / (span * threads)) * height);

		if (top > bottom) boxes.add(kind, x, y + height - top, width, top - bottom);
		bottom = Math.max(bottom, top);
	}
}

/* "3 of 40 busy", in a box. */
/** @param {PoolLane} lane @param {number} index */
function busyText(lane, index) {
	const busy = lane.busy[index],
		threads = lane.threads[index];

	if (lane.kinds[index]) return threads > 1 ? `all ${threads} busy` : "busy";
	return threads ? `${lane.unknown[index] ? "≥ " : ""}${busy} of ${threads} busy` : "";
}
