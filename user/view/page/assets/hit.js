// SPDX-License-Identifier: MIT
/*
 * What is at a point of the picture, and the selection. A thing is {kind, …}: hold (gil, index),
 * state (thread, index), turn (loop, index), frame (thread, index, node), stall (stall), thread
 * (thread). It has a place in time, an address for the fragment, and boxes in the picture.
 */
"use strict";

const THING_KEYS = {
	hold: ["gil", "index"],
	state: ["thread", "index"],
	turn: ["loop", "index"],
	frame: ["thread", "index", "node"],
	stall: ["stall"],
	thread: ["thread"],
};

function thingAddress(thing) {
	return [thing.kind, ...THING_KEYS[thing.kind].map((key) => thing[key])].join(".");
}

function sameThing(a, b) {
	return a === b || Boolean(a && b && thingAddress(a) === thingAddress(b));
}

/* The thing with an address, or null: a link may belong to another recording. */
function thingOf(recording, address) {
	const [kind, ...numbers] = address.split("."),
		keys = THING_KEYS[kind],
		thing = { kind };
	const { gils, threads, loops, stalls } = recording,
		below = (number, count) => Number.isInteger(number) && number >= 0 && number < count;

	if (
		!Object.hasOwn(THING_KEYS, kind) ||
		numbers.length !== keys.length ||
		numbers.some((number) => !/^\d{1,9}$/.test(number))
	)
		return null;
	keys.forEach((key, place) => (thing[key] = Number(numbers[place])));
	const owners = {
		hold: gils[thing.gil],
		state: threads[thing.thread],
		turn: loops[thing.loop],
		frame: threads[thing.thread],
		stall: stalls[thing.stall],
		thread: threads[thing.thread],
	};

	if (!owners[kind] || kind === "stall" || kind === "thread") return owners[kind] ? thing : null;
	const lane = laneOf(recording, thing);

	if (
		!lane ||
		!below(thing.index, lane.count) ||
		(kind === "hold" && !lane.owner[thing.index]) ||
		(kind === "turn" && !lane.kinds[thing.index])
	)
		return null;
	return kind === "frame" && !recording.stacks.path(lane.stacks[thing.index]).includes(thing.node)
		? null
		: thing;
}

function laneOf(recording, thing) {
	switch (thing.kind) {
		case "hold":
			return recording.gils[thing.gil].holdLane;
		case "state":
			return recording.threads[thing.thread].stateLane;
		case "turn":
			return recording.loops[thing.loop].turnLane;
		case "frame":
			return recording.threads[thing.thread].stackLane;
	}
	return null;
}

/* When a thing was: [begin, end]. Of a frame: as long as it was in the stack without a break. */
function thingTimes(recording, thing) {
	const lane = laneOf(recording, thing);

	if (thing.kind === "stall")
		return [recording.stalls[thing.stall].start_ns, recording.stalls[thing.stall].end_ns];
	if (thing.kind === "thread") return [0, recording.end];
	if (thing.kind !== "frame") return [lane.starts[thing.index], lane.starts[thing.index + 1]];
	let first = thing.index,
		last = thing.index;

	/* bounded, for frames that last through very many entries */
	for (
		let steps = 0;
		steps < 100000 &&
		first > 0 &&
		isBelow(recording.stacks, lane.stacks[first - 1], thing.node);
		steps++
	)
		first--;
	for (
		let steps = 0;
		steps < 100000 &&
		last + 1 < lane.count &&
		isBelow(recording.stacks, lane.stacks[last + 1], thing.node);
		steps++
	)
		last++;
	return [lane.starts[first], lane.starts[last + 1]];
}

/* Is a node a frame of this stack? */
function isBelow(stacks, stack, node) {
	let here = stacks.node[stack];

	while (here > node) here = stacks.parent[here];
	return here === node && node > 0;
}

/* The thing at a point: x in CSS pixels, y from the top of all lanes. Of several in one pixel, the
 * longest. */
function thingAt(recording, view, layout, x, y) {
	const row = layout.rowAt(y),
		time = view.timeAt(x),
		near = view.span / view.width;

	if (!row || !rowReady(row)) return null;
	if (row.kind === "turns") {
		const stall = stallAt(recording, row.loop.number, time, near);

		return stall
			? { kind: "stall", stall: stall.id }
			: entryAt(row.loop.turnLane, time, near, ~1, (index) => ({
					kind: "turn",
					loop: row.loop.number,
					index,
				}));
	}
	if (row.kind === "hold")
		return entryAt(row.gil.holdLane, time, near, ~1, (index) => ({
			kind: "hold",
			gil: row.gil.number,
			index,
		}));
	if (row.kind === "states")
		return entryAt(row.thread.stateLane, time, near, ~0, (index) => ({
			kind: "state",
			thread: row.thread.number,
			index,
		}));
	return row.kind === "flame" ? frameAt(row, time, near, y) : null;
}

function rowReady(row) {
	return row.gil ? row.gil.holdLane : row.loop ? row.loop.turnLane : row.thread.stateLane;
}

function stallAt(recording, loop, time, near) {
	return (
		recording.stalls.find(
			(stall) =>
				stall.loop === loop && time >= stall.start_ns - near && time < stall.end_ns + near,
		) || null
	);
}

function entryAt(lane, time, near, mask, thing) {
	if (!lane.contains(time)) return null;
	const at = lane.indexAt(time),
		wide = lane.starts[at + 1] - lane.starts[at] >= 2 * near && (mask >> lane.kinds[at]) & 1;
	const index = wide ? at : lane.longest(time - near, time + near, mask);

	return index < 0 ? null : thing(index);
}

function frameAt(row, time, near, y) {
	const lane = row.thread.stackLane,
		depth = Math.floor((y - row.y) / FLAME_ROW_HEIGHT_PX);

	if (!lane.contains(time)) return null;
	const from = lane.indexAt(Math.max(lane.begin, time - near / 2)),
		index = lane.longestOf(from, lane.indexAt(time + near / 2, from));
	const stack = lane.stacks[index],
		node = stack ? row.thread.rows.path(stack, row.whole)[depth] : 0;

	return node ? { kind: "frame", thread: row.thread.number, index, node } : null;
}

/* Where a thing is in the picture: boxes {x, y, width, height}, y from the top of all lanes. */
function thingBoxes(recording, view, layout, thing) {
	const [from, until] = thingTimes(recording, thing),
		x = view.x(from),
		width = view.x(until) - x;
	const box = (row, top = 0, height = row?.height) =>
		row ? [{ x, y: row.y + top, width, height }] : [];

	switch (thing.kind) {
		case "hold":
			return box(layout.rowOf("hold", recording.gils[thing.gil]));
		case "state":
			return box(layout.rowOf("states", recording.threads[thing.thread]));
		case "turn":
			return box(layout.rowOf("turns", recording.loops[thing.loop]));
		case "stall": {
			const turns = layout.rowOf(
				"turns",
				recording.loops[recording.stalls[thing.stall].loop],
			);
			const states = layout.rowOf(
					"states",
					recording.threads[recording.stalls[thing.stall].thread],
				),
				first = turns || states;

			return first
				? [{ x, y: first.y, width, height: states.y + states.height - first.y }]
				: [];
		}
		case "frame": {
			const thread = recording.threads[thing.thread],
				row = layout.rowOf("flame", thread);
			const depth = row
				? thread.rows
						.path(thread.stackLane.stacks[thing.index], row.whole)
						.indexOf(thing.node)
				: -1;

			return depth < 0 || depth >= row.shown
				? []
				: box(row, depth * FLAME_ROW_HEIGHT_PX, FLAME_ROW_HEIGHT_PX - 1);
		}
	}
	return [];
}

/* Who held the GIL longest while a thread waited for it: {gil, thread, index of the hold, ns}; null
 * when the thing is not a wait, or no holder is certain. */
function holderDuring(recording, thing) {
	const lane = thing.kind === "state" ? laneOf(recording, thing) : null;

	if (!lane || lane.kinds[thing.index] !== STATE_GIL_WAIT) return null;
	const {
		gil,
		lane: holds,
		found,
	} = recording.holdsDuring(thing.thread, lane.starts[thing.index], lane.starts[thing.index + 1]);
	const others = found
		.filter(([index]) => holds.holder(index) !== thing.thread)
		.sort((a, b) => b[1] - a[1]);

	return others.length
		? {
				gil: gil.number,
				thread: holds.holder(others[0][0]),
				index: others[0][0],
				ns: others[0][1],
				all: others,
			}
		: null;
}
