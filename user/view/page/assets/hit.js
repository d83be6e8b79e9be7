// SPDX-License-Identifier: MIT
/*
 * What is at a point of the picture, and the selection. A thing is {kind, …}: hold (gil, index),
 * state (thread, index), turn (loop, index), busy (pool, index), frame (thread, index, node), fold
 * (thread, index, fold: folds.js), stall (stall), thread (thread), function (function: entry of the
 * report's blame), range (from, until). It has a place in time, an address for the fragment, and
 * boxes in the picture. A fold can be pointed at, but not selected: it opens.
 */
"use strict";

/** @type {Record<string, (Exclude<keyof ThingNumbers, "kind">)[]>} */
const THING_KEYS = {
	hold: ["gil", "index"],
	state: ["thread", "index"],
	turn: ["loop", "index"],
	busy: ["pool", "index"],
	frame: ["thread", "index", "node"],
	fold: ["thread", "index", "fold"],
	stall: ["stall"],
	thread: ["thread"],
	function: ["function"],
	range: ["from", "until"],
};

/** @param {Thing} thing */
function thingAddress(thing) {
	const numbers = /** @type {ThingNumbers} */ (/** @type {unknown} */ (thing));

	return [thing.kind, ...THING_KEYS[thing.kind].map((key) => numbers[key])].join(".");
}

/** @param {Thing | null} a @param {Thing | null} b */
function sameThing(a, b) {
	return a === b || Boolean(a && b && thingAddress(a) === thingAddress(b));
}

/* The thing with an address, or null: a link may belong to another recording. */
/** @param {Recording} recording @param {string} address */
function thingOf(recording, address) {
	const [kind, ...numbers] = address.split("."),
		keys = Object.hasOwn(THING_KEYS, kind) ? THING_KEYS[kind] : [],
		made = {
			kind,
			gil: 0,
			loop: 0,
			pool: 0,
			thread: 0,
			stall: 0,
			function: 0,
			index: 0,
			node: 0,
			from: 0,
			until: 0,
			fold: 0,
		};

	if (
		!keys.length ||
		numbers.length !== keys.length ||
		numbers.some((number) => !/^\d{1,16}$/.test(number))
	)
		return null;
	keys.forEach((key, place) => (made[key] = Number(numbers[place])));
	const thing = /** @type {Thing} */ (/** @type {unknown} */ (made));

	return thingExists(recording, thing) ? thing : null;
}

/** @param {Recording} recording @param {Thing} thing */
function thingExists({ gils, threads, loops, pools, stalls, stacks, blame, end }, thing) {
	switch (thing.kind) {
		case "hold":
			return Boolean(gils[thing.gil]?.holdLane.owner[thing.index]);
		case "state":
			return thing.index < (threads[thing.thread]?.stateLane.count ?? 0);
		case "turn":
			return Boolean(loops[thing.loop]?.turnLane.kinds[thing.index]);
		case "busy":
			return thing.index < (pools[thing.pool]?.busyLane.count ?? 0);
		case "frame": {
			const stack = threads[thing.thread]?.stackLane.stacks[thing.index];

			return Boolean(stack) && stacks.path(stack).includes(thing.node);
		}
		case "fold":
			return false;
		case "stall":
			return thing.stall < stalls.length;
		case "thread":
			return thing.thread < threads.length;
		case "function":
			return thing.function < blame.length;
		case "range":
			return thing.from < thing.until && thing.until <= end;
	}
}

/* When a thing was: [begin, end]. Of a frame or a fold: as long as it was in the stack without a
 * break. */
/** @param {Recording} recording @param {Thing} thing @returns {[begin: number, end: number]} */
function thingTimes({ gils, threads, loops, pools, stalls, stacks, end }, thing) {
	/** @param {{ starts: Float64Array }} lane @returns {[number, number]} */
	const times = ({ starts }, first = 0, last = first) => [starts[first], starts[last + 1]];

	switch (thing.kind) {
		case "hold":
			return times(gils[thing.gil].holdLane, thing.index);
		case "state":
			return times(threads[thing.thread].stateLane, thing.index);
		case "turn":
			return times(loops[thing.loop].turnLane, thing.index);
		case "busy":
			return times(pools[thing.pool].busyLane, thing.index);
		case "stall":
			return [stalls[thing.stall].start_ns, stalls[thing.stall].end_ns];
		case "thread":
		case "function":
			return [0, end];
		case "range":
			return [thing.from, thing.until];
	}
	const { rows, stackLane: lane } = threads[thing.thread];
	let first = thing.index,
		last = thing.index;
	/** @param {number} index */
	const hasFrame = (index) =>
		thing.kind === "frame"
			? isBelow(stacks, lane.stacks[index], thing.node)
			: rows.path(lane.stacks[index], false).includes(-thing.fold);

	/* bounded, for frames that last through very many entries */
	for (let steps = 0; steps < 100000 && first > 0 && hasFrame(first - 1); steps++) first--;
	for (let steps = 0; steps < 100000 && last + 1 < lane.count && hasFrame(last + 1); steps++)
		last++;
	return times(lane, first, last);
}

/* Is a node a frame of this stack? */
/** @param {Stacks} stacks @param {number} stack @param {number} node */
function isBelow(stacks, stack, node) {
	let here = stacks.node[stack];

	while (here > node) here = stacks.parent[here];
	return here === node && node > 0;
}

/* The thing at a point: x in CSS pixels, y from the top of all lanes. Of several in one pixel, the
 * longest. */
/**
 * @param {Recording} recording
 * @param {View} view
 * @param {Layout} layout
 * @param {number} x
 * @param {number} y
 * @returns {Thing | null}
 */
function thingAt(recording, view, layout, x, y) {
	const row = layout.rowAt(y),
		time = view.timeAt(x),
		near = view.span / view.width;

	if (!row || !rowOwner(row).isRead) return null;
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
	if (row.kind === "busy")
		return entryAt(row.pool.busyLane, time, near, ~0, (index) => ({
			kind: "busy",
			pool: row.pool.number,
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

/** @param {Recording} recording @param {number} loop @param {number} time @param {number} near */
function stallAt(recording, loop, time, near) {
	return (
		recording.stalls.find(
			(stall) =>
				stall.loop === loop && time >= stall.start_ns - near && time < stall.end_ns + near,
		) || null
	);
}

/**
 * @param {Lane} lane
 * @param {number} time
 * @param {number} near
 * @param {number} mask
 * @param {(index: number) => Thing} thing
 */
function entryAt(lane, time, near, mask, thing) {
	if (!lane.contains(time)) return null;
	const at = lane.indexAt(time),
		wide = lane.starts[at + 1] - lane.starts[at] >= 2 * near && (mask >> lane.kinds[at]) & 1;
	const index = wide ? at : lane.longest(time - near, time + near, mask);

	return index < 0 ? null : thing(index);
}

/**
 * @param {FlameRow} row
 * @param {number} time
 * @param {number} near
 * @param {number} y
 * @returns {FrameThing | FoldThing | null}
 */
function frameAt(row, time, near, y) {
	const lane = row.thread.stackLane,
		depth = Math.floor((y - row.y) / FLAME_ROW_HEIGHT_PX);

	if (!lane.contains(time)) return null;
	const from = lane.indexAt(Math.max(lane.begin, time - near / 2)),
		index = lane.longestOf(from, lane.indexAt(time + near / 2, from));
	const stack = lane.stacks[index],
		thread = row.thread.number,
		node = stack ? row.thread.rows.path(stack, row.whole)[depth] : 0;

	if (!node) return null;
	return node > 0
		? { kind: "frame", thread, index, node }
		: { kind: "fold", thread, index, fold: -node };
}

/* Where a thing is in the picture: boxes {x, y, width, height}, y from the top of all lanes. */
/** @param {Recording} recording @param {View} view @param {Layout} layout @param {Thing} thing */
function thingBoxes(recording, view, layout, thing) {
	const [from, until] = thingTimes(recording, thing),
		x = view.x(from),
		width = view.x(until) - x;
	/** @param {Row | null} row */
	const box = (row) => (row ? [{ x, y: row.y, width, height: row.height }] : []);

	switch (thing.kind) {
		case "hold":
			return box(layout.rowOf("hold", recording.gils[thing.gil]));
		case "state":
			return box(layout.rowOf("states", recording.threads[thing.thread]));
		case "turn":
			return box(layout.rowOf("turns", recording.loops[thing.loop]));
		case "busy":
			return box(layout.rowOf("busy", recording.pools[thing.pool]));
		case "stall":
			return stallBoxes(recording, view, layout, recording.stalls[thing.stall]);
		case "function":
			return recording.stalls
				.filter((stall) => stall.blame === thing.function)
				.filter(({ start_ns, end_ns }) => start_ns < view.until && end_ns > view.from)
				.flatMap((stall) => stallBoxes(recording, view, layout, stall));
		case "frame":
		case "fold": {
			const thread = recording.threads[thing.thread],
				row = layout.rowOf("flame", thread);
			if (row?.kind !== "flame") return [];
			const depth = thread.rows
					.path(thread.stackLane.stacks[thing.index], row.whole)
					.indexOf(thing.kind === "frame" ? thing.node : -thing.fold),
				y = row.y + depth * FLAME_ROW_HEIGHT_PX,
				height = FLAME_ROW_HEIGHT_PX - 1;

			return depth < 0 || depth >= row.shown ? [] : [{ x, y, width, height }];
		}
	}
	return [];
}

/* Of a stall: the iteration and the states of the loop's thread. */
/** @param {Recording} recording @param {View} view @param {Layout} layout @param {Stall} stall */
function stallBoxes(recording, view, layout, stall) {
	const turns = layout.rowOf("turns", recording.loops[stall.loop]),
		states = layout.rowOf("states", recording.threads[stall.thread]),
		first = turns || states,
		x = view.x(stall.start_ns);

	return first && states
		? [
				{
					x,
					y: first.y,
					width: view.x(stall.end_ns) - x,
					height: states.y + states.height - first.y,
				},
			]
		: [];
}

/* Of a stall its longest wait for the GIL, of anything else itself. */
/** @param {Recording} recording @param {Thing} thing @returns {Thing} */
function waitOf(recording, thing) {
	if (thing.kind !== "stall") return thing;
	const { thread, start_ns: from, end_ns: until } = recording.stalls[thing.stall],
		index = recording.threads[thread].stateLane.longest(from, until, 1 << STATE_GIL_WAIT);

	return index < 0 ? thing : { kind: "state", thread, index };
}

/* Who held the GIL longest while a thread waited for it: {gil, thread, index of the hold, ns}; null
 * when the thing is not a wait, or no holder is certain. */
/** @param {Recording} recording @param {Thing} thing */
function holderDuring(recording, thing) {
	if (thing?.kind !== "state") return null;
	const { stateLane, gil } = recording.threads[thing.thread];

	if (stateLane.kinds[thing.index] !== STATE_GIL_WAIT || !recording.gils[gil]) return null;
	const { holdLane } = recording.gils[gil],
		others = recording
			.holdsDuring(gil, ...thingTimes(recording, thing))
			.filter(([index]) => holdLane.holder(index) !== thing.thread)
			.sort((a, b) => b[1] - a[1]);

	return others.length
		? {
				gil,
				thread: holdLane.holder(others[0][0]),
				index: others[0][0],
				ns: others[0][1],
				all: others,
			}
		: null;
}
