// SPDX-License-Identifier: MIT
// What the timeline page computes, without a browser: random lanes against a naive implementation,
// and how figures are written.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import vm from "node:vm";
import { BUILD, ROOT } from "./harness.mjs";

const NAMES = [
	"Lane",
	"StackLane",
	"StateLane",
	"HoldLane",
	"TurnLane",
	"PoolLane",
	"waitersLane",
	"collectShares",
	"addColumns",
	"Boxes",
	"View",
	"ColumnReader",
	"DamagedData",
	"readBoxes",
	"readBusy",
	"readClock",
	"readStates",
	"durationText",
	"percentText",
	"timeText",
	"exactTimeText",
	"exactText",
	"plainText",
	"ticks",
	"tickText",
	"windowStacks",
	"STATE_NAMES",
];
const files = [
	path.join(BUILD, "gen/constants.js"),
	...[
		"assets/format",
		"assets/colours",
		"assets/data",
		"page/assets/lanes",
		"page/assets/clock",
		"page/assets/scale",
		"page/assets/draw/draw-base",
		"page/assets/draw/draw-lanes",
		"page/assets/flames/window-flame",
	].map((name) => path.join(ROOT, `user/view/${name}.js`)),
].map((file) => readFileSync(file, "utf8"));
const page = vm.runInNewContext(`${files.join("\n")}\n({${NAMES.join(", ")}})`, {
	console,
	TextEncoder,
});
const { Lane, PoolLane, StackLane, View, Boxes, ColumnReader } = page;

let seed = 12345;
const random = (below) => (
	(seed = (Math.imul(seed, 1103515245) + 12345) >>> 0),
	Math.floor((seed / 2 ** 32) * below)
);

function randomLane(count, kinds) {
	const starts = new Float64Array(count + 1),
		list = new Uint8Array(count);

	starts[0] = random(1000);
	for (let i = 0; i < count; i++) {
		starts[i + 1] = starts[i] + 1 + random(random(20) ? 50 : 5000);
		list[i] = random(kinds);
	}
	return new Lane(starts, list, kinds);
}

function plainSums(lane, from, until) {
	const sums = new Array(lane.kindCount).fill(0);

	for (let i = 0; i < lane.count; i++)
		sums[lane.kinds[i]] += Math.max(
			0,
			Math.min(until, lane.starts[i + 1]) - Math.max(from, lane.starts[i]),
		);
	return sums;
}

test("sums of any window are exact, however many entries there are", () => {
	for (const [count, kinds] of [
		[1, 2],
		[31, 9],
		[32, 9],
		[33, 9],
		[97, 3],
		[1000, 9],
		[5000, 25],
	]) {
		const lane = randomLane(count, kinds);

		for (let round = 0; round < 300; round++) {
			const from = random(lane.end + 2000) - 1000,
				until = from + random(round % 3 ? lane.end : 200);

			assert.deepEqual(
				[...lane.sums(from, until)],
				plainSums(lane, from, until),
				`${count} entries, ${from} to ${until}`,
			);
		}
	}
});

test("the entry at an instant, with and without a hint", () => {
	const lane = randomLane(3000, 4);

	for (let round = 0; round < 2000; round++) {
		const time = lane.begin + random(lane.end - lane.begin),
			at = lane.indexAt(time);

		assert.ok(lane.starts[at] <= time && time < lane.starts[at + 1]);
		assert.equal(lane.indexAt(time, random(at + 1)), at);
	}
});

test("the longest stack of a stretch", () => {
	for (const count of [1, 15, 16, 17, 300, 5000]) {
		const { starts } = randomLane(count, 2),
			lane = new StackLane({
				starts,
				stacks: new Uint32Array(count),
				tasks: new Uint32Array(count),
			});

		for (let round = 0; round < 500; round++) {
			const first = random(count),
				last = first + random(count - first),
				found = lane.longestOf(first, last);
			let length = 0;

			for (let i = first; i <= last; i++)
				length = Math.max(length, starts[i + 1] - starts[i]);
			assert.ok(found >= first && found <= last);
			assert.equal(lane.lengthOf(found), length, `${first} to ${last} of ${count}`);
		}
	}
});

/* What is drawn: in every column the kinds' heights are their shares of its time, to a pixel. */
test("columns are shared by time", () => {
	for (const [count, columns] of [
		[5, 700],
		[40, 300],
		[4000, 200],
		[20000, 50],
	]) {
		const lane = randomLane(count, 4),
			view = new View(lane.end),
			boxes = new Boxes(4),
			height = 1000;

		view.set(lane.begin + random(lane.end / 4), lane.end - random(lane.end / 4));
		page.collectShares(boxes, lane, view, { y: 0, height, columns }, [0, 1, 2, 3], []);
		const drawn = Array.from({ length: columns }, () => [0, 0, 0, 0]),
			nsPerColumn = view.span / columns;

		boxes.lists.forEach((list, kind) => {
			for (let i = 0; i < list.length; i += 4)
				for (let column = list[i]; column < list[i] + list[i + 2]; column++)
					drawn[column][kind] += list[i + 3];
		});
		for (const [column, heights] of drawn.entries()) {
			const from = view.from + column * nsPerColumn,
				shares = plainSums(lane, from, from + nsPerColumn).map((ns) => ns / nsPerColumn),
				entries = lane.indexAt(from + nsPerColumn) - lane.indexAt(from) + 1;

			assert.ok(Math.abs(heights.reduce((sum, more) => sum + more, 0) - height) <= 1);
			for (const [kind, share] of shares.entries())
				if (entries > 2)
					assert.ok(
						Math.abs(heights[kind] / height - share) <= 0.0011,
						`column ${column}: kind ${kind} has ${heights[kind] / height}, ` +
							`should have ${share}`,
					);
				else if (heights[kind])
					assert.ok(share >= 0.499, "an edge between two belongs to the larger one");
		}
	}
});

test("a pool's threads busy, unknown, and all busy, in any window", () => {
	for (const count of [1, 2, 70, 3000]) {
		const { starts } = randomLane(count, 2),
			counts = () => Uint32Array.from({ length: count }, () => random(300)),
			columns = {
				starts,
				flags: Uint8Array.from({ length: count }, () => random(2)),
				busy: counts(),
				idle: counts(),
				unknown: counts(),
			},
			lane = new PoolLane(columns);

		for (let round = 0; round < 300; round++) {
			const from = random(lane.end),
				until = from + random(round % 3 ? lane.end : 200),
				wanted = { busy: 0, unknown: 0, full: 0 };

			for (let i = 0; i < count; i++) {
				const ns = Math.max(0, Math.min(until, starts[i + 1]) - Math.max(from, starts[i]));

				wanted.busy += ns * columns.busy[i];
				wanted.unknown += ns * columns.unknown[i];
				wanted.full += ns * columns.flags[i];
			}
			assert.deepEqual({ ...lane.times(from, until) }, wanted);
		}
	}
	assert.deepEqual(
		{ ...new PoolLane(page.readBusy(Uint8Array.of(0))).times(0, 9) },
		{
			busy: 0,
			unknown: 0,
			full: 0,
		},
	);
});

test("how many wait, as a lane and added up by column", () => {
	const wait = page.STATE_NAMES.indexOf("gil_wait"),
		lanes = Array.from({ length: 20 }, () => randomLane(400, 9)),
		end = Math.max(...lanes.map((lane) => lane.end)) + 10;
	const all = page.waitersLane(lanes, end),
		weights = Float64Array.from({ length: 256 }, (_, waiters) => waiters);

	for (let round = 0; round < 100; round++) {
		const from = random(end),
			until = Math.min(end, from + random(5000)),
			sums = all.sums(from, until);

		assert.equal(
			sums.reduce((sum, ns, waiters) => sum + ns * waiters, 0),
			lanes.reduce((sum, lane) => sum + lane.sums(from, until)[wait], 0),
		);
	}
	const view = new View(end),
		columns = new Float64Array(64);

	page.addColumns(columns, all, view, weights);
	const whole = lanes.reduce((sum, lane) => sum + lane.sums(0, end)[wait], 0),
		sum = columns.reduce((a, b) => a + b, 0);

	assert.ok(Math.abs(sum - whole) / whole < 1e-6);
});

/* A thread with 2000 states, 700 stacks and 200 samples of the clock, in its states' time. */
function randomThread() {
	const kinds = randomLane(2000, 9),
		spans = randomLane(700, 2),
		{ begin, end } = kinds,
		scale = (end - begin) / (spans.end - spans.begin);
	const stacks = (count) => Uint32Array.from({ length: count }, () => random(5)),
		tasks = new Uint32Array(700);

	spans.starts.forEach(
		(start, i) => (spans.starts[i] = (begin + (start - spans.begin) * scale) | 0),
	);
	spans.starts[spans.count] = end;
	return {
		stateLane: kinds,
		stackLane: new StackLane({ starts: spans.starts, stacks: stacks(700), tasks }),
		clockLane: new StackLane({
			starts: Float64Array.from(
				{ length: 201 },
				(_, i) => i && begin + random(end - begin),
			).sort(),
			stacks: stacks(200),
			tasks,
		}),
	};
}

/* The stack of an entry of a lane at every instant, from one boundary of any lane to the next. */
function plainFlames({ stateLane, stackLane, clockLane }, from, until) {
	const cuts = new Set([from, until]),
		sums = new Map(),
		at = ({ starts, count }, time) => {
			for (let i = 0; i < count; i++) if (starts[i] <= time && time < starts[i + 1]) return i;
			return -1;
		};

	for (const { starts } of [stateLane, stackLane, clockLane])
		for (const time of starts) if (time > from && time < until) cuts.add(time);
	const times = [...cuts].sort((a, b) => a - b);

	for (let i = 0; i + 1 < times.length; i++) {
		const state = stateLane.kinds[at(stateLane, times[i])],
			lane = ["python", "native"].includes(page.STATE_NAMES[state]) ? clockLane : stackLane,
			stack = lane.stacks[at(lane, times[i])] ?? 0,
			key = `${stack} ${state}`;

		if (state !== undefined) sums.set(key, (sums.get(key) ?? 0) + times[i + 1] - times[i]);
	}
	return sums;
}

test("flames of a window are the stack of every instant", () => {
	const thread = randomThread(),
		{ begin, end } = thread.stateLane;

	for (let round = 0; round < 12; round++) {
		const [from, until] = round
			? [random(end + 500), random(end + 500)].sort((a, b) => a - b)
			: [begin - 100, end + 100];

		for (const mask of [511, 3, 508, 1 << (round % 9)]) {
			const found = new Map();

			for (const [stack, sums] of page.windowStacks(thread, from, until, mask))
				sums.forEach((ns, state) => ns && found.set(`${stack} ${state}`, ns));
			assert.deepEqual(
				[...found].sort(),
				[...plainFlames(thread, from, until)]
					.filter(([key]) => (mask >> Number(key.split(" ")[1])) & 1)
					.sort(),
				`${from} to ${until}, states ${mask}`,
			);
		}
	}
});

test("flames of a window add up to its states, over any cut", () => {
	const thread = randomThread(),
		kinds = thread.stateLane;
	const flames = (from, until, into = new Map()) => {
		for (const [stack, sums] of page.windowStacks(thread, from, until, 511))
			sums.forEach((ns, state) =>
				into.set(`${stack} ${state}`, (into.get(`${stack} ${state}`) ?? 0) + ns),
			);
		return into;
	};
	const sorted = (map) => [...map].filter(([, ns]) => ns).sort();

	for (let round = 0; round < 50; round++) {
		const cuts = Array.from({ length: 4 }, () => random(kinds.end)).sort((a, b) => a - b),
			whole = flames(cuts[0], cuts[3]),
			parts = new Map();

		for (let i = 0; i < 3; i++) flames(cuts[i], cuts[i + 1], parts);
		assert.deepEqual(sorted(parts), sorted(whole));
		for (const [state, ns] of plainSums(kinds, cuts[0], cuts[3]).entries())
			assert.equal(
				[...whole].reduce(
					(sum, [key, more]) => sum + (key.endsWith(` ${state}`) ? more : 0),
					0,
				),
				ns,
			);
	}
});

test("numbers of every size, and data that ends too early", () => {
	const numbers = [
			0,
			1,
			127,
			128,
			16383,
			16384,
			2 ** 21 - 1,
			2 ** 21,
			2 ** 28,
			2 ** 31,
			2 ** 32 + 5,
			2 ** 40 + 1,
			2 ** 53 - 1,
		],
		bytes = [];

	for (let number of numbers)
		for (let more = true; more;) {
			more = number >= 128;
			bytes.push((number % 128) + (more ? 128 : 0));
			number = Math.floor(number / 128);
		}
	const reader = new ColumnReader(Uint8Array.from(bytes));

	assert.deepEqual(
		[...reader.numbers(numbers.length, new Float64Array(numbers.length))],
		numbers,
	);
	reader.at = 0;
	assert.deepEqual(
		numbers.map(() => reader.number()),
		numbers,
	);
	for (const broken of [
		[200],
		[5, 1],
		[1, 0x80],
		[255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255],
	])
		assert.throws(
			() => page.readStates(Uint8Array.from(broken), new Array(16).fill(0)),
			page.DamagedData,
		);
});

test("lanes without entries", () => {
	const lane = new page.StateLane(page.readStates(Uint8Array.of(0), new Array(16).fill(0))),
		boxes = page.readBoxes(Uint8Array.of(0), 1000, 3),
		holds = new page.HoldLane(boxes, 3);

	assert.deepEqual([...lane.sums(0, 1000)], new Array(9).fill(0));
	assert.equal(lane.longest(0, 1000, ~0), -1);
	assert.deepEqual([[...holds.sums(0, 1000)], holds.holds], [[1000], 0]);
	assert.deepEqual(
		[...new page.HoldLane(page.readBoxes(Uint8Array.of(0), 0, 3), 3).sums(0, 1000)],
		[0],
	);
	assert.equal(
		page.windowStacks(
			{
				stateLane: lane,
				stackLane: new StackLane({
					starts: new Float64Array(1),
					stacks: new Uint32Array(0),
					tasks: new Uint32Array(0),
				}),
				clockLane: new StackLane(page.readClock(Uint8Array.of(0), 3)),
			},
			0,
			1000,
			511,
		).size,
		0,
	);
});

test("durations, percentages and times are written as in the report", () => {
	const durations = {
		0: "0 ns",
		999: "999 ns",
		1000: "1.00 µs",
		1125: "1.12 µs",
		1135: "1.14 µs",
		9994: "9.99 µs",
		9995: "10.0 µs",
		12250: "12.2 µs",
		99950: "100 µs",
		998500000: "998 ms",
		80740351: "80.7 ms",
		60510000: "60.5 ms",
		99999999999: "100 s",
		100000000000: "1m40s",
		3723000000000: "62m03s",
	};

	for (const [ns, text] of Object.entries(durations))
		assert.equal(page.durationText(Number(ns)).replace("\u00a0", " "), text);
	assert.equal(page.exactText(5616993123).replace(/[\u00a0\u202f]/g, " "), "5 616 993 123 ns");
	assert.equal(
		page.exactTimeText(5616993123).replace(/[\u00a0\u202f]/g, " "),
		"+5.616 993 123 s",
	);
	assert.equal(page.percentText(1, 3).replace("\u00a0", " "), "33 %");
	assert.equal(page.percentText(1, 30000).replace("\u00a0", " "), "<0.1 %");
	assert.equal(
		page.plainText("a\u001b[31m\u202e\nb</script>"),
		"a\\x1b[31m\\xe2\\x80\\xae\\x0ab</script>",
	);
});
